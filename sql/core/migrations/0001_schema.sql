-- Schema of the unified opportunities.
create schema if not exists core;
revoke all on schema core from public;
grant usage on schema core to odoo_apn_writer, analyst;
alter default privileges in schema core grant select, insert, update, delete on tables to odoo_apn_writer;
alter default privileges in schema core grant usage on sequences to odoo_apn_writer;
alter default privileges in schema core grant select on tables to analyst;
