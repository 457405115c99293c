-- What maintenance does when a tenant is erased, in one transaction. Runs with the caller's rights: say "set local role
-- shoppulse_maintenance" first. Re-runnable: a second time it finds nothing.

-- Tables with a tenant_id, those that refer to others before them. Not the audit trail, which stays.
create or replace function shoppulse.tenant_tables() returns table (table_name text, key_columns text[])
language sql stable set search_path = pg_catalog, pg_temp as $$
    with recursive held as (
        select c.oid, c.relname
        from pg_class c
        join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped
        where c.relnamespace = 'shoppulse'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
          and c.relname not in ('audit_logs', 'audit_chain', 'audit_heads', 'audit_open')
    ), depth (oid, steps) as (
        select oid, 0 from held
        union all
        select k.conrelid, d.steps + 1
        from depth d
        join pg_constraint k on k.confrelid = d.oid and k.contype = 'f' and k.conrelid <> k.confrelid
        where d.steps < 50
    )
    select h.relname::text,
           coalesce((select array_agg(a.attname::text order by p.nr)
                     from pg_index i
                     cross join unnest(i.indkey::smallint[]) with ordinality p (attnum, nr)
                     join pg_attribute a on a.attrelid = i.indrelid and a.attnum = p.attnum
                     where i.indrelid = h.oid and i.indisprimary), '{}')
    from held h join depth d on d.oid = h.oid
    group by h.oid, h.relname
    order by max(d.steps) desc, h.relname
$$;
alter function shoppulse.tenant_tables() owner to shoppulse_owner;
revoke all on function shoppulse.tenant_tables() from public;
grant execute on function shoppulse.tenant_tables() to shoppulse_maintenance;

-- Removes all rows of a tenant but the tombstones that the audit trail needs, and takes out what the trail says. Returns how many rows
-- of which table were removed, emptied ('users (tombstones)', 'audit_logs (contents)').
create or replace function shoppulse.erase_tenant(p_tenant_id text) returns table (table_name text, removed bigint)
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    -- Whoever is writing for the tenant has the key of this row shared: wait for them.
    perform from shoppulse.tenants t where t.tenant_id = p_tenant_id for update;
    if not found then
        raise exception 'erasing a tenant: there is no %', p_tenant_id using errcode = 'no_data_found',
            hint = 'See shoppulse.tenants for those there are.';
    end if;
    for table_name in select t.table_name from shoppulse.tenant_tables() t where t.table_name not in ('tenants', 'users') loop
        execute format('delete from shoppulse.%I where tenant_id = $1', table_name) using p_tenant_id;
        get diagnostics removed = row_count;
        return next;
    end loop;
    delete from shoppulse.users u
    where u.tenant_id = p_tenant_id
      and not exists (select from shoppulse.audit_logs l where l.tenant_id = u.tenant_id and l.user_id = u.user_id);
    get diagnostics removed = row_count;
    table_name := 'users';
    return next;
    update shoppulse.users u
    set email = 'erased-' || u.user_id, cognito_user_id = 'erased-' || u.user_id, region = null, store_id = null,
        is_tenant_admin = false, status = 'Deleted'
    where u.tenant_id = p_tenant_id and u.email <> 'erased-' || u.user_id;
    get diagnostics removed = row_count;
    table_name := 'users (tombstones)';
    return next;
    update shoppulse.tenants t
    set tenant_name = 'erased', industry = null, plan_tier = null, country = null, created_date = null, is_active = false
    where t.tenant_id = p_tenant_id and t.tenant_name <> 'erased';
    get diagnostics removed = row_count;
    table_name := 'tenants (tombstone)';
    return next;
    -- Last: the changes above went on record with what was there before them.
    update shoppulse.audit_logs l set details = null, resource_id = null, ip_address = null, content_salt = null
    where l.tenant_id = p_tenant_id and l.content_salt is not null and l.action not like 'tenant.%';
    get diagnostics removed = row_count;
    table_name := 'audit_logs (contents)';
    return next;
end
$$;
alter function shoppulse.erase_tenant(text) owner to shoppulse_owner;
revoke all on function shoppulse.erase_tenant(text) from public;
grant execute on function shoppulse.erase_tenant(text) to shoppulse_maintenance;
