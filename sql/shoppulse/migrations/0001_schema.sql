-- Schema of the tenant analytics; analysts get no grant here, its row security decides per tenant.
create schema if not exists shoppulse;
revoke all on schema shoppulse from public;
grant usage on schema shoppulse to commerce_writer;
alter default privileges in schema shoppulse grant select, insert, update, delete on tables to commerce_writer;
alter default privileges in schema shoppulse grant usage on sequences to commerce_writer;
