-- Isolation by the database: keys of signed tokens and contexts, logins bound to a user, row security FORCED on every tenant table.
-- Policies call functions of functions/access.sql; until that file has run, the stand-ins below say "nobody".

-- Keys of HMAC-SHA256, as its two padded halves (what a hash needs; the key itself follows from either). purpose 'token': shared with
-- who issues tokens; 'context': never leaves the database. Key: key_id. Granted to nobody. Two keys may be valid at once (rotation).
create table shoppulse.token_keys (
    key_id text primary key,
    purpose text not null,
    inner_pad bytea not null,
    outer_pad bytea not null,
    created_at timestamptz not null default now(),
    retired_at timestamptz,
    constraint chk_key_id check (key_id ~ '^[A-Za-z0-9_-]{1,64}$'),
    constraint chk_key_purpose check (purpose in ('token', 'context')),
    constraint chk_key_pads check (octet_length(inner_pad) = 64 and octet_length(outer_pad) = 64)
);

-- Logins of people with SQL access, each bound to one user of one tenant. Key: login. Granted to nobody.
create table shoppulse.sql_principals (
    login name primary key,
    tenant_id varchar(10) not null,
    user_id varchar(10) not null,
    created_at timestamptz not null default now(),
    foreign key (tenant_id, user_id) references shoppulse.users (tenant_id, user_id) on delete cascade
);
create index idx_sql_principals_user on shoppulse.sql_principals (tenant_id, user_id);

alter table shoppulse.token_keys owner to shoppulse_owner;
alter table shoppulse.sql_principals owner to shoppulse_owner;
revoke all on shoppulse.token_keys, shoppulse.sql_principals from public, commerce_writer;

-- The key of contexts: 32 bytes from the server's strong random numbers, never printed, different in every database that is migrated.
do $$
declare
    v_key bytea := sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()));
    v_inner bytea := decode(repeat('36', 64), 'hex');
    v_outer bytea := decode(repeat('5c', 64), 'hex');
begin
    for i in 0 .. 31 loop
        v_inner := set_byte(v_inner, i, get_byte(v_key, i) # 54);
        v_outer := set_byte(v_outer, i, get_byte(v_key, i) # 92);
    end loop;
    insert into shoppulse.token_keys (key_id, purpose, inner_pad, outer_pad) values ('context-1', 'context', v_inner, v_outer);
end
$$;

-- Stand-ins with the final signatures: nobody has entered. functions/access.sql replaces their bodies.
create function shoppulse.entered_tenant() returns text language sql stable parallel restricted return null::text;
create function shoppulse.access_tenant() returns text language sql stable parallel restricted return null::text;
create function shoppulse.access_user() returns text language sql stable parallel restricted return null::text;
create function shoppulse.access_role() returns text language sql stable parallel restricted return null::text;
create function shoppulse.access_metrics() returns text[] language sql stable parallel restricted return null::text[];
create function shoppulse.access_values(p_dimension text) returns text[] language sql stable parallel restricted
return '{}'::text[];
create function shoppulse.access_narrowed(p_dimensions text[]) returns boolean language sql stable parallel restricted return true;

-- FORCED everywhere: the owner, as whom the functions run, is confined like everybody else.
do $$
declare
    v_table text;
    v_function text;
begin
    foreach v_function in array array['entered_tenant()', 'access_tenant()', 'access_user()', 'access_role()', 'access_metrics()',
                                      'access_values(text)', 'access_narrowed(text[])'] loop
        execute format('alter function shoppulse.%s owner to shoppulse_owner', v_function);
        execute format('revoke all on function shoppulse.%s from public', v_function);
        execute format('grant execute on function shoppulse.%s to shoppulse_app, shoppulse_reader, shoppulse_maintenance, commerce_writer',
                       v_function);
    end loop;
    foreach v_table in array array['tenants', 'users', 'orders', 'fulfillment', 'marketing_campaigns', 'role_metric_visibility',
                                   'governance_rules', 'audit_logs', 'tenant_settings', 'order_costs', 'sql_principals'] loop
        execute format('alter table shoppulse.%I enable row level security, force row level security', v_table);
    end loop;
    foreach v_table in array array['orders', 'fulfillment', 'marketing_campaigns', 'role_metric_visibility', 'governance_rules',
                                   'audit_logs', 'tenant_settings', 'order_costs'] loop
        execute format('create policy tenant_isolation on shoppulse.%I using (tenant_id = (select shoppulse.access_tenant()))'
                       ' with check (tenant_id = (select shoppulse.access_tenant()))', v_table);
    end loop;
    -- access_tenant() itself reads these two (is a bound login's user still active?), so their policy asks one step below it.
    foreach v_table in array array['tenants', 'users'] loop
        execute format('create policy tenant_isolation on shoppulse.%I using (tenant_id = (select shoppulse.entered_tenant()))'
                       ' with check (tenant_id = (select shoppulse.entered_tenant()))', v_table);
        execute format('create policy active_reader on shoppulse.%I as restrictive to shoppulse_reader'
                       ' using ((select shoppulse.access_tenant()) is not null)', v_table);
    end loop;
    -- The pipelines load and read every tenant; what they have no grant on stays closed.
    foreach v_table in array array['orders', 'fulfillment', 'marketing_campaigns', 'order_costs'] loop
        execute format('create policy pipeline on shoppulse.%I to commerce_writer using (true) with check (true)', v_table);
    end loop;
    foreach v_table in array array['tenants', 'tenant_settings'] loop
        execute format('create policy pipeline on shoppulse.%I for select to commerce_writer using (true)', v_table);
    end loop;
end
$$;

-- A session finds its own login; whoever owns the schema keeps the list.
create policy own_login on shoppulse.sql_principals for select using (login = session_user);
create policy administration on shoppulse.sql_principals to shoppulse_owner
    using (pg_has_role(session_user, 'shoppulse_owner', 'usage')) with check (pg_has_role(session_user, 'shoppulse_owner', 'usage'));

-- Governance rules narrow further. Rows without the dimension that somebody is narrowed by are not within it: nothing is shown then.
create policy narrowing on shoppulse.orders as restrictive to shoppulse_app, shoppulse_reader, shoppulse_owner
    using (
        not (select shoppulse.access_narrowed(array['region', 'store', 'team', 'custom']))
        or (not (select shoppulse.access_narrowed(array['team', 'custom']))
            and ((select shoppulse.access_values('region')) is null or region = any ((select shoppulse.access_values('region'))::text[]))
            and ((select shoppulse.access_values('store')) is null or store_id = any ((select shoppulse.access_values('store'))::text[])))
    );
create policy narrowing on shoppulse.fulfillment as restrictive to shoppulse_app, shoppulse_reader, shoppulse_owner
    using (
        not (select shoppulse.access_narrowed(array['region', 'store', 'team', 'custom']))
        or exists (select from shoppulse.orders o where o.tenant_id = fulfillment.tenant_id and o.order_id = fulfillment.order_id)
    );
create policy narrowing on shoppulse.order_costs as restrictive to shoppulse_app, shoppulse_reader, shoppulse_owner
    using (
        not (select shoppulse.access_narrowed(array['region', 'store', 'team', 'custom']))
        or exists (select from shoppulse.orders o where o.tenant_id = order_costs.tenant_id and o.order_id = order_costs.order_id)
    );
create policy narrowing on shoppulse.marketing_campaigns as restrictive to shoppulse_app, shoppulse_reader, shoppulse_owner
    using (not (select shoppulse.access_narrowed(array['region', 'store', 'team', 'custom'])));
