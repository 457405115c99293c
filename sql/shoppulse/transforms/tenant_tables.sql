-- Tables with a tenant_id: (table_name, key_columns). Read-only.
select t.table_name, t.key_columns from shoppulse.tenant_tables() t order by t.table_name
