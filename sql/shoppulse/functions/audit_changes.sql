-- Every change of tenants, users, their logins, visibility and governance is on record, whoever makes it. Re-runnable.

-- Arguments of the trigger: the key columns, and the columns whose values may be shown; of any other, only that it changed.
create or replace function shoppulse.audit_change() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_old jsonb := case when tg_op <> 'INSERT' then to_jsonb(old) end;
    v_new jsonb := case when tg_op <> 'DELETE' then to_jsonb(new) end;
    v_row constant jsonb := coalesce(v_new, v_old);
    v_shown constant text[] := string_to_array(tg_argv[1], ',');
    v_user text;
begin
    if tg_op = 'UPDATE' then
        -- Only what changed. Time stamps of the row are no change by themselves.
        select jsonb_object_agg(o.key, o.value), jsonb_object_agg(o.key, v_new -> o.key) into v_old, v_new
        from jsonb_each(v_old) o where o.value is distinct from v_new -> o.key and o.key <> 'updated_at';
        if v_old is null then
            return null;
        end if;
    end if;
    select jsonb_object_agg(c.key, case when c.key = any (v_shown) or c.value = 'null' then c.value else '"(not shown)"' end)
    into v_old from jsonb_each(v_old) c where c.key not in ('created_at', 'updated_at');
    select jsonb_object_agg(c.key, case when c.key = any (v_shown) or c.value = 'null' then c.value else '"(not shown)"' end)
    into v_new from jsonb_each(v_new) c where c.key not in ('created_at', 'updated_at');
    if shoppulse.access_tenant() = v_row ->> 'tenant_id' then
        v_user := shoppulse.access_user();
    end if;
    perform shoppulse.audit_append(
        v_row ->> 'tenant_id',
        jsonb_build_array(jsonb_build_object(
            'user_id', v_user,
            'action', tg_table_name || '.' || lower(tg_op),
            'resource_type', tg_table_name,
            'resource_id', (select string_agg(v_row ->> k.name, '/' order by k.nr)
                            from unnest(string_to_array(tg_argv[0], ',')) with ordinality k (name, nr)),
            'details', case when tg_op = 'INSERT' then '{}' else jsonb_build_object('old', v_old) end
                       || case when tg_op = 'DELETE' then '{}' else jsonb_build_object('new', v_new) end)),
        array[gen_random_uuid()]);
    return null;
end
$$;
alter function shoppulse.audit_change() owner to shoppulse_owner;
revoke all on function shoppulse.audit_change() from public;

-- A TRUNCATE would pass the row triggers by.
create or replace function shoppulse.refuse_truncate() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    raise exception 'TRUNCATE on shoppulse.%: every change of it goes on record, row by row', tg_table_name
        using errcode = 'insufficient_privilege', schema = 'shoppulse', table = tg_table_name, hint = 'Use DELETE.';
end
$$;
alter function shoppulse.refuse_truncate() owner to shoppulse_owner;

do $$
declare
    v_audited record;
begin
    for v_audited in
        select * from (values
            ('tenants', 'tenant_id', 'tenant_id,tenant_name,industry,plan_tier,country,created_date,is_active'),
            ('tenant_settings', 'tenant_id', 'tenant_id,time_zone,currency,audit_entries'),
            ('users', 'user_id', 'tenant_id,user_id,email,role,region,store_id,is_tenant_admin,status'),
            ('sql_principals', 'login', 'login,tenant_id,user_id'),
            ('role_metric_visibility', 'role,metric_name', 'id,tenant_id,role,metric_name,is_visible'),
            ('governance_rules', 'user_id,dimension', 'rule_id,tenant_id,user_id,dimension,values')
        ) as v (table_name, key_columns, shown_columns)
    loop
        execute format('create or replace trigger audit_changes after insert or update or delete on shoppulse.%I '
                       'for each row execute function shoppulse.audit_change(%L, %L)',
                       v_audited.table_name, v_audited.key_columns, v_audited.shown_columns);
        execute format('create or replace trigger refuse_truncate before truncate on shoppulse.%I '
                       'for each statement execute function shoppulse.refuse_truncate()', v_audited.table_name);
        execute format('alter table shoppulse.%I enable always trigger audit_changes', v_audited.table_name);
        execute format('alter table shoppulse.%I enable always trigger refuse_truncate', v_audited.table_name);
    end loop;
end
$$;
