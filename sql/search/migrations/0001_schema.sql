-- Schema of the embeddings and of what searches them.
create schema if not exists search;
revoke all on schema search from public;
grant usage on schema search to odoo_apn_writer, analyst;
alter default privileges in schema search grant select, insert, update, delete on tables to odoo_apn_writer;
alter default privileges in schema search grant usage on sequences to odoo_apn_writer;
alter default privileges in schema search grant select on tables to analyst;
