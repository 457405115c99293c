-- What export and erasure of a tenant may: read and delete the rows of every table with a tenant_id, and leave tombstones where
-- the audit trail points. Of which tenant, it says with shoppulse.administer; row security holds for it like for everybody.
-- Re-runnable; a later table is covered by its own migration or by touching this file (a test says so).
do $$
declare
    v_table text;
begin
    for v_table in
        select c.relname
        from pg_catalog.pg_class c
        join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped
        where c.relnamespace = 'shoppulse'::regnamespace and c.relkind in ('r', 'p')
          and c.relname not in ('audit_chain', 'audit_heads', 'audit_open')
        order by c.relname
    loop
        execute format('grant select, delete on shoppulse.%I to shoppulse_maintenance', v_table);
    end loop;
end
$$;
-- The list of logins shows everybody his own; maintenance those of the tenant.
drop policy if exists maintenance on shoppulse.sql_principals;
create policy maintenance on shoppulse.sql_principals to shoppulse_maintenance using (tenant_id = (select shoppulse.entered_tenant()));
revoke delete on shoppulse.tenants from shoppulse_maintenance;
grant update (tenant_name, industry, plan_tier, country, created_date, is_active) on shoppulse.tenants to shoppulse_maintenance;
grant update (email, cognito_user_id, region, store_id, is_tenant_admin, status) on shoppulse.users to shoppulse_maintenance;
grant update (details, resource_id, ip_address, content_salt) on shoppulse.audit_logs to shoppulse_maintenance;
