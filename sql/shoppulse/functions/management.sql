-- What the application may do with roles, users and governance rules of the tenant that it entered, and why somebody sees a metric or not.
-- Only an active administrator of the tenant manages it. A refusal is a row (allowed = false, reason), not an error: an error would
-- roll back its own line in the audit trail. What was refused changes nothing. Rows of other tenants do not exist here: row security
-- holds for the functions' owner, and nobody learns from an answer what another tenant has.

-- Null when the user who asks may manage his tenant, else the reason, which is on record then. Raises when nobody has entered.
create or replace function shoppulse.refused_management(p_action text, p_resource_type text, p_resource_id text) returns text
language plpgsql volatile parallel unsafe as $$
declare
    v_tenant_id text := shoppulse.access_tenant();
    v_user_id text := shoppulse.access_user();
begin
    if v_tenant_id is null or v_user_id is null then
        raise exception 'nobody has entered a tenant' using errcode = 'insufficient_privilege',
            hint = 'Enter one with shoppulse.enter(token) in this transaction.';
    end if;
    -- One change at a time for each tenant: a role must not go while a user is given it.
    perform pg_advisory_xact_lock(hashtextextended('shoppulse management ' || v_tenant_id, 0));
    if exists (
        select from shoppulse.users as u
        where u.tenant_id = v_tenant_id and u.user_id = v_user_id and u.status = 'Active' and u.is_tenant_admin
    ) then
        return null;
    end if;
    perform shoppulse.note_decision(p_action, p_resource_type, p_resource_id, 'NOT_ADMIN', '{}');
    return 'NOT_ADMIN';
end
$$;

-- A decision in the audit trail of the tenant: of whom, about what, and why when it was refused.
create or replace function shoppulse.note_decision(
    p_action text, p_resource_type text, p_resource_id text, p_reason text, p_details jsonb
) returns void
language plpgsql volatile parallel unsafe as $$
begin
    if current_setting('transaction_read_only') = 'off' then
        perform shoppulse.audit(
            shoppulse.access_tenant(), shoppulse.access_user(), p_action || case when p_reason is null then '' else '_refused' end,
            p_resource_type, left(p_resource_id, 255),
            jsonb_strip_nulls(jsonb_build_object('reason', p_reason)) || p_details, inet_client_addr());
    end if;
end
$$;

-- The names that are no metric's; null counts as one.
create or replace function shoppulse.unknown_metrics(p_metrics text[]) returns text[]
language plpgsql stable parallel restricted as $$
begin
    return array(
        select coalesce(n.name, '') from unnest(p_metrics) as n (name)
        where not exists (select from shoppulse.metrics as m where m.metric_name = n.name)
        order by 1
    );
end
$$;

-- What was decided about a role: on record, and told with what the role's metrics give away.
create or replace function shoppulse.role_decided(p_action text, p_role text, p_reason text, p_metrics text[])
returns table (allowed boolean, reason text, inferable text[])
language plpgsql volatile parallel unsafe as $$
begin
    allowed := p_reason is null;
    reason := p_reason;
    inferable := array(
        select format('%s from %s', i.metric_name, concat_ws(' and ', i.first_name, i.second_name))
        from shoppulse.inferable_metrics(shoppulse.access_tenant(), p_role) as i
    );
    if p_reason is distinct from 'NOT_ADMIN' then
        perform shoppulse.note_decision(
            p_action, 'role', p_role, p_reason, jsonb_build_object('metrics', to_jsonb(p_metrics), 'inferable', to_jsonb(inferable)));
    else
        inferable := '{}';
    end if;
    if allowed and inferable <> '{}' then
        raise notice 'what role % sees gives away what it does not: %', p_role, array_to_string(inferable, '; ');
    end if;
    return next;
end
$$;

-- Every role that has a list: what is on it, what of that is seen, what is not on it, and its active users. Administrators only.
create or replace function shoppulse.list_roles()
returns table (role text, listed text[], visible text[], hidden text[], active_users bigint)
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
begin
    if shoppulse.refused_management('list_roles', 'role', null) is not null then
        return;
    end if;
    perform shoppulse.note_decision('list_roles', 'role', null, null, '{}');
    return query
    select r.role::text, r.listed, s.visible,
        array(select m.metric_name from shoppulse.metrics as m where m.metric_name <> all (s.visible) order by 1),
        (select count(*) from shoppulse.users as u
         where u.tenant_id = r.tenant_id and u.role = r.role and u.status = 'Active')
    from (
        select v.tenant_id, v.role, array_agg(v.metric_name::text order by v.metric_name) filter (where v.is_visible) as listed
        from shoppulse.role_metric_visibility as v
        where v.tenant_id = shoppulse.access_tenant()
        group by v.tenant_id, v.role
    ) as r
    cross join lateral (select shoppulse.visible_metrics(r.tenant_id, r.role) as visible) as s
    order by r.role;
end
$$;

-- One role of list_roles(); no row when it has no list.
create or replace function shoppulse.get_role(p_role text)
returns table (role text, listed text[], visible text[], hidden text[], active_users bigint)
language sql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
    select r.role, r.listed, r.visible, r.hidden, r.active_users from shoppulse.list_roles() as r where r.role = p_role
$$;

-- A list for a role that has none, of one metric at least. Refused: NOT_ADMIN, UNKNOWN_ROLE, ROLE_EXISTS, NO_METRIC, UNKNOWN_METRIC.
create or replace function shoppulse.create_role(p_role text, p_metrics text[])
returns table (allowed boolean, reason text, inferable text[])
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_tenant_id text := shoppulse.access_tenant();
    v_reason text := shoppulse.refused_management('create_role', 'role', p_role);
begin
    if v_reason is not null then
        null;
    elsif p_role is null or p_role not in ('Admin', 'Finance', 'Operations', 'Marketing') then
        v_reason := 'UNKNOWN_ROLE';
    elsif exists (select from shoppulse.role_metric_visibility as v where v.tenant_id = v_tenant_id and v.role = p_role) then
        v_reason := 'ROLE_EXISTS';
    elsif coalesce(cardinality(p_metrics), 0) = 0 then
        v_reason := 'NO_METRIC';
    elsif shoppulse.unknown_metrics(p_metrics) <> '{}' then
        v_reason := 'UNKNOWN_METRIC';
    else
        insert into shoppulse.role_metric_visibility (tenant_id, role, metric_name)
        select distinct v_tenant_id, p_role, n.name from unnest(p_metrics) as n (name) order by 3;
    end if;
    return query select * from shoppulse.role_decided('create_role', p_role, v_reason, p_metrics);
end
$$;

-- More metrics on a role's list. Refused: NOT_ADMIN, NO_SUCH_ROLE, NO_METRIC, UNKNOWN_METRIC.
create or replace function shoppulse.add_metrics(p_role text, p_metrics text[])
returns table (allowed boolean, reason text, inferable text[])
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_tenant_id text := shoppulse.access_tenant();
    v_reason text := shoppulse.refused_management('add_metrics', 'role', p_role);
begin
    if v_reason is not null then
        null;
    elsif not exists (select from shoppulse.role_metric_visibility as v where v.tenant_id = v_tenant_id and v.role = p_role) then
        v_reason := 'NO_SUCH_ROLE';
    elsif coalesce(cardinality(p_metrics), 0) = 0 then
        v_reason := 'NO_METRIC';
    elsif shoppulse.unknown_metrics(p_metrics) <> '{}' then
        v_reason := 'UNKNOWN_METRIC';
    else
        insert into shoppulse.role_metric_visibility as kept (tenant_id, role, metric_name)
        select distinct v_tenant_id, p_role, n.name from unnest(p_metrics) as n (name) order by 3
        on conflict on constraint role_metric_visibility_tenant_id_role_metric_name_key
        do update set is_visible = true where kept.is_visible is distinct from true;
    end if;
    return query select * from shoppulse.role_decided('add_metrics', p_role, v_reason, p_metrics);
end
$$;

-- A metric off a role's list; its row stays, not visible. Refused: NOT_ADMIN, NOT_LISTED.
create or replace function shoppulse.remove_metric(p_role text, p_metric text)
returns table (allowed boolean, reason text, inferable text[])
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_tenant_id text := shoppulse.access_tenant();
    v_reason text := shoppulse.refused_management('remove_metric', 'role', p_role);
begin
    if v_reason is null then
        update shoppulse.role_metric_visibility as v set is_visible = false
        where v.tenant_id = v_tenant_id and v.role = p_role and v.metric_name = p_metric and v.is_visible;
        if not found then
            v_reason := 'NOT_LISTED';
        end if;
    end if;
    return query select * from shoppulse.role_decided('remove_metric', p_role, v_reason, array[p_metric]);
end
$$;

-- A role's list as a whole, when no active user has the role. Refused: NOT_ADMIN, NO_SUCH_ROLE, ROLE_IN_USE.
create or replace function shoppulse.delete_role(p_role text)
returns table (allowed boolean, reason text, inferable text[])
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_tenant_id text := shoppulse.access_tenant();
    v_reason text := shoppulse.refused_management('delete_role', 'role', p_role);
begin
    if v_reason is not null then
        null;
    elsif not exists (select from shoppulse.role_metric_visibility as v where v.tenant_id = v_tenant_id and v.role = p_role) then
        v_reason := 'NO_SUCH_ROLE';
    elsif exists (
        select from shoppulse.users as u where u.tenant_id = v_tenant_id and u.role = p_role and u.status = 'Active'
    ) then
        v_reason := 'ROLE_IN_USE';
    else
        delete from shoppulse.role_metric_visibility as v where v.tenant_id = v_tenant_id and v.role = p_role;
    end if;
    return query select * from shoppulse.role_decided('delete_role', p_role, v_reason, null);
end
$$;

-- What was decided about a user, on record.
create or replace function shoppulse.user_decided(p_action text, p_user_id text, p_reason text, p_details jsonb)
returns table (allowed boolean, reason text)
language plpgsql volatile parallel unsafe as $$
begin
    allowed := p_reason is null;
    reason := p_reason;
    if p_reason is distinct from 'NOT_ADMIN' then
        perform shoppulse.note_decision(p_action, 'user', p_user_id, p_reason, p_details);
    end if;
    return next;
end
$$;

-- The users of the tenant, the deleted ones too. Administrators only.
create or replace function shoppulse.list_users()
returns table (
    user_id text, email text, role text, region text, store_id text, is_tenant_admin boolean, status text, narrowed jsonb
)
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
begin
    if shoppulse.refused_management('list_users', 'user', null) is not null then
        return;
    end if;
    perform shoppulse.note_decision('list_users', 'user', null, null, '{}');
    return query
    select u.user_id::text, u.email::text, u.role::text, u.region::text, u.store_id::text, u.is_tenant_admin, u.status::text,
        shoppulse.governed_values(u.tenant_id, u.user_id)
    from shoppulse.users as u
    where u.tenant_id = shoppulse.access_tenant()
    order by u.user_id;
end
$$;

-- A new active user. Refused: NOT_ADMIN, BAD_EMAIL, TAKEN (id, address in whatever case, or identity, within the tenant), INVALID (what the table refuses).
create or replace function shoppulse.create_user(
    p_user_id text, p_email text, p_cognito_user_id text, p_role text, p_region text default null, p_store_id text default null,
    p_is_tenant_admin boolean default false
) returns table (allowed boolean, reason text)
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_tenant_id text := shoppulse.access_tenant();
    v_reason text := shoppulse.refused_management('create_user', 'user', p_user_id);
begin
    if v_reason is not null then
        null;
    elsif p_email is null or p_email !~ '^[^@[:space:]<>]+@[^@[:space:].<>]+([.][^@[:space:].<>]+)+$' then
        v_reason := 'BAD_EMAIL';
    elsif exists (select from shoppulse.users as u where u.tenant_id = v_tenant_id and lower(u.email) = lower(p_email)) then
        v_reason := 'TAKEN';
    else
        begin
            insert into shoppulse.users (user_id, tenant_id, email, cognito_user_id, role, region, store_id, is_tenant_admin)
            values (nullif(p_user_id, ''), v_tenant_id, p_email, nullif(p_cognito_user_id, ''), p_role, p_region, p_store_id,
                    coalesce(p_is_tenant_admin, false));
        exception
            when unique_violation then
                v_reason := 'TAKEN';
            when check_violation or not_null_violation or string_data_right_truncation then
                v_reason := 'INVALID';
        end;
    end if;
    return query select * from shoppulse.user_decided('create_user', p_user_id, v_reason, jsonb_build_object('role', p_role));
end
$$;

-- Active, Inactive or Deleted; users are never removed. Refused: NOT_ADMIN, UNKNOWN_STATUS, UNKNOWN_USER, LAST_ADMIN.
create or replace function shoppulse.set_user_status(p_user_id text, p_status text)
returns table (allowed boolean, reason text)
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_tenant_id text := shoppulse.access_tenant();
    v_reason text := shoppulse.refused_management('set_user_status', 'user', p_user_id);
begin
    if v_reason is not null then
        null;
    elsif p_status is null or p_status not in ('Active', 'Inactive', 'Deleted') then
        v_reason := 'UNKNOWN_STATUS';
    elsif p_status <> 'Active' and not exists (
        select from shoppulse.users as u
        where u.tenant_id = v_tenant_id and u.user_id <> p_user_id and u.status = 'Active' and u.is_tenant_admin
    ) and exists (select from shoppulse.users as u where u.tenant_id = v_tenant_id and u.user_id = p_user_id) then
        v_reason := 'LAST_ADMIN';
    else
        update shoppulse.users as u set status = p_status where u.tenant_id = v_tenant_id and u.user_id = p_user_id;
        if not found then
            v_reason := 'UNKNOWN_USER';
        end if;
    end if;
    return query select * from shoppulse.user_decided('set_user_status', p_user_id, v_reason, jsonb_build_object('status', p_status));
end
$$;

-- Another role for a user; seen from his next transaction on. Refused: NOT_ADMIN, UNKNOWN_ROLE, UNKNOWN_USER.
create or replace function shoppulse.set_user_role(p_user_id text, p_role text)
returns table (allowed boolean, reason text)
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_tenant_id text := shoppulse.access_tenant();
    v_reason text := shoppulse.refused_management('set_user_role', 'user', p_user_id);
begin
    if v_reason is not null then
        null;
    elsif p_role is null or p_role not in ('Admin', 'Finance', 'Operations', 'Marketing') then
        v_reason := 'UNKNOWN_ROLE';
    else
        update shoppulse.users as u set role = p_role where u.tenant_id = v_tenant_id and u.user_id = p_user_id;
        if not found then
            v_reason := 'UNKNOWN_USER';
        end if;
    end if;
    return query select * from shoppulse.user_decided('set_user_role', p_user_id, v_reason, jsonb_build_object('role', p_role));
end
$$;

-- What a user is narrowed to in one dimension, instead of what he was: no value means nothing, null means not narrowed.
-- Refused: NOT_ADMIN, UNKNOWN_DIMENSION, UNKNOWN_USER.
create or replace function shoppulse.set_governance(p_user_id text, p_dimension text, p_values text[])
returns table (allowed boolean, reason text)
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_tenant_id text := shoppulse.access_tenant();
    v_reason text := shoppulse.refused_management('set_governance', 'user', p_user_id);
begin
    if v_reason is not null then
        null;
    elsif p_dimension is null or p_dimension not in ('region', 'store', 'team', 'custom') then
        v_reason := 'UNKNOWN_DIMENSION';
    elsif not exists (select from shoppulse.users as u where u.tenant_id = v_tenant_id and u.user_id = p_user_id) then
        v_reason := 'UNKNOWN_USER';
    else
        delete from shoppulse.governance_rules as g
        where g.tenant_id = v_tenant_id and g.user_id = p_user_id and g.dimension = p_dimension;
        insert into shoppulse.governance_rules (tenant_id, user_id, dimension, "values")
        select v_tenant_id, p_user_id, p_dimension, p_values where p_values is not null;
    end if;
    return query select * from shoppulse.user_decided(
        'set_governance', p_user_id, v_reason, jsonb_build_object('dimension', p_dimension, 'values', to_jsonb(p_values)));
end
$$;

-- Why a user of the tenant sees a metric or does not; one row. Everybody may ask about himself, an administrator about all.
--   VISIBLE, NARROWED (only within `narrowed`), NO_SOURCE (visible, and never a value)
--   NOT_LISTED, NEEDS_HIDDEN (listed, but made of what is not), NARROWED_AWAY (it has no such dimension, or nothing is left)
--   NOT_ACTIVE, UNKNOWN_METRIC, UNKNOWN_USER, NOT_ADMIN
create or replace function shoppulse.explain_access(p_user_id text, p_metric text)
returns table (user_id text, role text, metric_name text, visible boolean, reason text, detail text, narrowed jsonb)
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_tenant_id text := shoppulse.access_tenant();
    v_status text;
    v_listed text[];
    v_metric shoppulse.metrics;
begin
    user_id := p_user_id;
    metric_name := p_metric;
    visible := false;
    if v_tenant_id is null or p_user_id is distinct from shoppulse.access_user() then
        reason := shoppulse.refused_management('explain_access', 'user', p_user_id);
        if reason is not null then
            return next;
            return;
        end if;
    end if;
    select u.role::text, u.status::text into role, v_status
    from shoppulse.users as u where u.tenant_id = v_tenant_id and u.user_id = p_user_id;
    select m.* into v_metric from shoppulse.metrics as m where m.metric_name = p_metric;
    if role is null then
        reason := 'UNKNOWN_USER';
    elsif v_metric.metric_name is null then
        reason := 'UNKNOWN_METRIC';
    elsif v_status is distinct from 'Active' then
        reason := 'NOT_ACTIVE';
    else
        v_listed := array(
            select v.metric_name::text from shoppulse.role_metric_visibility as v
            where v.tenant_id = v_tenant_id and v.role = explain_access.role and v.is_visible
        );
        narrowed := shoppulse.governed_values(v_tenant_id, p_user_id);
        if p_metric <> all (v_listed) then
            reason := 'NOT_LISTED';
            detail := format('%s is not on the list of %s', p_metric, role);
        elsif not v_metric.needs <@ v_listed then
            reason := 'NEEDS_HIDDEN';
            detail := format('%s shows %s', p_metric,
                             (select string_agg(n.name, ', ' order by n.name) from unnest(v_metric.needs) as n (name)
                              where n.name <> all (v_listed)));
        elsif narrowed ?| array['team', 'custom']
              or v_metric.source = 'campaigns' and narrowed <> '{}'
              or narrowed -> 'region' = '[]' or narrowed -> 'store' = '[]' then
            reason := 'NARROWED_AWAY';
            detail := 'what the user is narrowed to leaves no row of this metric';
        else
            visible := true;
            reason := case when v_metric.source = 'none' then 'NO_SOURCE' when narrowed <> '{}' then 'NARROWED' else 'VISIBLE' end;
        end if;
    end if;
    perform shoppulse.note_decision(
        'explain_access', 'user', p_user_id, null,
        jsonb_build_object('metric', left(p_metric, 100), 'visible', visible, 'answer', reason));
    return next;
end
$$;

do $$
declare
    v_function text;
begin
    foreach v_function in array array[
        'refused_management(text, text, text)', 'note_decision(text, text, text, text, jsonb)', 'unknown_metrics(text[])',
        'role_decided(text, text, text, text[])', 'user_decided(text, text, text, jsonb)', 'list_roles()', 'get_role(text)',
        'create_role(text, text[])', 'add_metrics(text, text[])', 'remove_metric(text, text)', 'delete_role(text)', 'list_users()',
        'create_user(text, text, text, text, text, text, boolean)', 'set_user_status(text, text)', 'set_user_role(text, text)',
        'set_governance(text, text, text[])', 'explain_access(text, text)'
    ] loop
        execute format('alter function shoppulse.%s owner to shoppulse_owner', v_function);
        execute format('revoke all on function shoppulse.%s from public', v_function);
    end loop;
    foreach v_function in array array[
        'list_roles()', 'get_role(text)', 'create_role(text, text[])', 'add_metrics(text, text[])', 'remove_metric(text, text)',
        'delete_role(text)', 'list_users()', 'create_user(text, text, text, text, text, text, boolean)',
        'set_user_status(text, text)', 'set_user_role(text, text)', 'set_governance(text, text, text[])', 'explain_access(text, text)'
    ] loop
        execute format('grant execute on function shoppulse.%s to shoppulse_app', v_function);
    end loop;
end
$$;
grant execute on function shoppulse.explain_access(text, text) to shoppulse_reader;
