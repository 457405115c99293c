-- Schema of vendor uploads and the product catalogue.
create schema if not exists commerce;
revoke all on schema commerce from public;
grant usage on schema commerce to commerce_writer;
alter default privileges in schema commerce grant select, insert, update, delete on tables to commerce_writer;
alter default privileges in schema commerce grant usage on sequences to commerce_writer;
