-- Schema of the Odoo/APN mirrors. They hold tokens that the sources store, so nobody but their own writer reads here: no analyst grant, ever.
create schema if not exists raw;
revoke all on schema raw from public;
grant usage on schema raw to odoo_apn_writer;
alter default privileges in schema raw grant select, insert, update, delete on tables to odoo_apn_writer;
alter default privileges in schema raw grant usage on sequences to odoo_apn_writer;
