-- The audit trail: entries, links, who may change what. Re-runnable. The hashes byte by byte: docs/shoppulse.md, Audit;
-- the same in Python: commerce_assets/shoppulse/audit.py, which verifies what is written here.

-- A field of a hashed text: its length in bytes, a colon, itself; a dash for none. No two lists of fields give the same text.
create or replace function shoppulse.audit_field(p_text text) returns text
language sql stable parallel safe
return case when p_text is null then '-' else octet_length(convert_to(p_text, 'UTF8'))::text || ':' || p_text end;

-- What is said and can be taken out. The text of jsonb and inet depends on no setting.
create or replace function shoppulse.audit_content_hash(p_salt bytea, p_resource_id text, p_ip inet, p_details jsonb) returns bytea
language sql stable parallel safe
return sha256(convert_to(
    'shoppulse.audit.content.1' || shoppulse.audit_field(encode(p_salt, 'hex')) || shoppulse.audit_field(p_resource_id)
    || shoppulse.audit_field(p_ip::text) || shoppulse.audit_field(p_details::text), 'UTF8'));

create or replace function shoppulse.audit_entry_hash(
    p_tenant_id text, p_link_id uuid, p_position integer, p_log_id uuid, p_created_at timestamp, p_user_id text, p_login text,
    p_action text, p_resource_type text, p_content_hash bytea
) returns bytea
language sql stable parallel safe
return sha256(convert_to(
    'shoppulse.audit.entry.1' || shoppulse.audit_field(p_tenant_id) || shoppulse.audit_field(p_link_id::text)
    || shoppulse.audit_field(p_position::text) || shoppulse.audit_field(p_log_id::text)
    || shoppulse.audit_field(to_char(p_created_at, 'YYYY-MM-DD"T"HH24:MI:SS.US')) || shoppulse.audit_field(p_user_id)
    || shoppulse.audit_field(p_login) || shoppulse.audit_field(p_action) || shoppulse.audit_field(p_resource_type)
    || shoppulse.audit_field(encode(p_content_hash, 'hex')), 'UTF8'));

create or replace function shoppulse.audit_link_hash(
    p_tenant_id text, p_seq bigint, p_link_id uuid, p_entries integer, p_entries_hash bytea, p_chained_at timestamp, p_prev_hash bytea
) returns bytea
language sql stable parallel safe
return sha256(convert_to(
    'shoppulse.audit.link.1' || shoppulse.audit_field(p_tenant_id) || shoppulse.audit_field(p_seq::text)
    || shoppulse.audit_field(p_link_id::text) || shoppulse.audit_field(p_entries::text)
    || shoppulse.audit_field(encode(p_entries_hash, 'hex'))
    || shoppulse.audit_field(to_char(p_chained_at, 'YYYY-MM-DD"T"HH24:MI:SS.US'))
    || shoppulse.audit_field(encode(p_prev_hash, 'hex')), 'UTF8'));

-- entries_hash after a further entry; it begins empty.
create or replace function shoppulse.audit_roll_step(p_state bytea, p_entry_hash bytea, p_begin bytea) returns bytea
language sql immutable parallel safe
return sha256(coalesce(p_state, p_begin) || p_entry_hash);
create or replace aggregate shoppulse.audit_roll(p_entry_hash bytea, p_begin bytea) (
    sfunc = shoppulse.audit_roll_step, stype = bytea
);

do $$
declare
    v_routine regprocedure;
begin
    for v_routine in
        select p.oid::regprocedure from pg_catalog.pg_proc p
        where p.pronamespace = 'shoppulse'::regnamespace
          and p.proname in ('audit_field', 'audit_content_hash', 'audit_entry_hash', 'audit_link_hash', 'audit_roll_step', 'audit_roll')
    loop
        execute format('alter routine %s owner to shoppulse_owner', v_routine);
        execute format('revoke all on routine %s from public', v_routine);
    end loop;
end
$$;

-- Appends entries to the link that this transaction has open for the tenant. Nobody calls it but the functions below: it believes
-- what it is told. The plans must go by key: audit_open is small and always half dead rows.
create or replace function shoppulse.audit_append(p_tenant_id text, p_entries jsonb, p_log_ids uuid[]) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off as $$
declare
    v_xid constant xid8 := pg_current_xact_id();
    v_now constant timestamp := clock_timestamp() at time zone 'UTC';
    v_link uuid;
    v_before integer;
    v_hash bytea;
    v_fresh boolean;
begin
    select o.link_id, o.entries, o.entries_hash into v_link, v_before, v_hash
    from shoppulse.audit_open o where o.xid = v_xid and o.tenant_id = p_tenant_id;
    v_fresh := not found;
    if v_fresh then
        v_link := gen_random_uuid();
        v_before := 0;
        v_hash := '';
    end if;
    with said as materialized (
        select s.*, v_before + s.nr::integer as link_position, p_log_ids[s.nr] as log_id,
               -- 122 random bits.
               uuid_send(gen_random_uuid()) as content_salt
        from rows from (
            jsonb_to_recordset(p_entries) as (
                user_id text, action text, resource_type text, resource_id text, details jsonb, ip_address inet
            )
        ) with ordinality as s (user_id, action, resource_type, resource_id, details, ip_address, nr)
    ), hashed as materialized (
        select said.*, shoppulse.audit_content_hash(content_salt, resource_id, ip_address, details) as content_hash
        from said
    ), entry as materialized (
        select hashed.*,
               shoppulse.audit_entry_hash(p_tenant_id, v_link, link_position, log_id, v_now, user_id, session_user, action,
                                          resource_type, content_hash) as entry_hash
        from hashed
    ), stored as (
        insert into shoppulse.audit_logs (
            log_id, tenant_id, user_id, action, resource_type, resource_id, details, ip_address, created_at, login, link_id,
            link_position, content_salt, content_hash, entry_hash
        )
        select log_id, p_tenant_id, user_id, action, resource_type, resource_id, details, ip_address, v_now, session_user, v_link,
               link_position, content_salt, content_hash, entry_hash
        from entry
    )
    select v_before + count(*)::integer, shoppulse.audit_roll(entry_hash, v_hash order by link_position) into v_before, v_hash
    from entry;
    if v_fresh then
        insert into shoppulse.audit_open (xid, tenant_id, link_id, entries, entries_hash)
        values (v_xid, p_tenant_id, v_link, v_before, v_hash);
    else
        update shoppulse.audit_open o set entries = v_before, entries_hash = v_hash
        where o.xid = v_xid and o.tenant_id = p_tenant_id;
    end if;
end
$$;
alter function shoppulse.audit_append(text, jsonb, uuid[]) owner to shoppulse_owner;
revoke all on function shoppulse.audit_append(text, jsonb, uuid[]) from public;

-- At COMMIT: the links that this transaction opened are closed, tenant after tenant in one order for everybody, so that no two
-- transactions wait for each other. The tenant's head is held from here to the end of the commit and no longer.
-- row_security: a session that has it off would not get an entry committed.
create or replace function shoppulse.audit_close() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp set enable_seqscan = off set row_security = on as $$
declare
    v_xid constant xid8 := pg_current_xact_id();
    v_open record;
    v_head record;
    v_now timestamp;
    v_hash bytea;
begin
    -- The first of the transaction's events does the work of all.
    for v_open in
        select o.tenant_id, o.link_id, o.entries, o.entries_hash
        from shoppulse.audit_open o where o.xid = v_xid order by o.tenant_id collate "C"
    loop
        select h.seq, h.hash into v_head from shoppulse.audit_heads h where h.tenant_id = v_open.tenant_id for update;
        if not found then
            insert into shoppulse.audit_heads (tenant_id, seq, entries) values (v_open.tenant_id, 0, 0) on conflict do nothing;
            select h.seq, h.hash into v_head from shoppulse.audit_heads h where h.tenant_id = v_open.tenant_id for update;
        end if;
        v_now := clock_timestamp() at time zone 'UTC';
        v_hash := shoppulse.audit_link_hash(v_open.tenant_id, v_head.seq + 1, v_open.link_id, v_open.entries, v_open.entries_hash,
                                            v_now, v_head.hash);
        insert into shoppulse.audit_chain (tenant_id, seq, link_id, entries, entries_hash, chained_at, prev_hash, hash)
        values (v_open.tenant_id, v_head.seq + 1, v_open.link_id, v_open.entries, v_open.entries_hash, v_now, v_head.hash, v_hash);
        update shoppulse.audit_heads h set seq = v_head.seq + 1, hash = v_hash, entries = h.entries + v_open.entries
        where h.tenant_id = v_open.tenant_id;
        delete from shoppulse.audit_open o where o.xid = v_xid and o.tenant_id = v_open.tenant_id;
    end loop;
    return null;
end
$$;
alter function shoppulse.audit_close() owner to shoppulse_owner;
revoke all on function shoppulse.audit_close() from public;
drop trigger if exists close_audit_links on shoppulse.audit_open;
create constraint trigger close_audit_links after insert on shoppulse.audit_open
    deferrable initially deferred for each row execute function shoppulse.audit_close();
alter table shoppulse.audit_open enable always trigger close_audit_links;

-- Who says it: the entered user where one is entered, and then nobody else and for no other tenant. A pipeline is nobody.
create or replace function shoppulse.audit_actor(p_tenant_id text, p_user_id text) returns text
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_tenant constant text := shoppulse.access_tenant();
    v_user constant text := shoppulse.access_user();
    v_forged boolean;
begin
    if v_user is not null then
        v_forged := p_tenant_id is distinct from v_tenant or coalesce(p_user_id, v_user) <> v_user;
    elsif v_tenant is not null and p_tenant_id is distinct from v_tenant then
        v_forged := true;
    else
        v_forged := p_user_id is not null and pg_has_role(session_user, 'commerce_writer', 'usage')
            and not pg_has_role(session_user, 'shoppulse_owner', 'usage');
    end if;
    if v_forged then
        raise exception 'writing to the audit trail: not the tenant and user that are entered'
            using errcode = 'insufficient_privilege', hint = 'The actor of an entry is who has entered; leave p_user_id null.';
    end if;
    return coalesce(v_user, p_user_id);
end
$$;
alter function shoppulse.audit_actor(text, text) owner to shoppulse_owner;
revoke all on function shoppulse.audit_actor(text, text) from public;

-- One entry; for the functions of shoppulse_owner, and for pipelines and maintenance. Returns its log_id. Where a user is entered,
-- p_user_id is he or null; where nobody is, it names a user whom the calling function has verified.
create or replace function shoppulse.audit(
    p_tenant_id text, p_user_id text, p_action text, p_resource_type text, p_resource_id text, p_details jsonb, p_ip inet default null
) returns uuid
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_log_id constant uuid := gen_random_uuid();
begin
    if p_action like 'tenant.%' then
        raise exception 'writing to the audit trail: % is an action of the database''s own', p_action
            using errcode = 'insufficient_privilege', hint = 'Actions that begin with tenant. are written by export and erasure.';
    end if;
    perform shoppulse.audit_append(
        p_tenant_id,
        jsonb_build_array(jsonb_build_object(
            'user_id', shoppulse.audit_actor(p_tenant_id, p_user_id), 'action', p_action, 'resource_type', p_resource_type,
            'resource_id', p_resource_id, 'details', p_details, 'ip_address', p_ip)),
        array[v_log_id]);
    return v_log_id;
end
$$;
alter function shoppulse.audit(text, text, text, text, text, jsonb, inet) owner to shoppulse_owner;
revoke all on function shoppulse.audit(text, text, text, text, text, jsonb, inet) from public;
grant execute on function shoppulse.audit(text, text, text, text, text, jsonb, inet) to commerce_writer, shoppulse_maintenance;

-- One entry of the application, as who has entered. Its actions are called app.*, so that none reads like one of the database's own.
create or replace function shoppulse.audit_event(
    p_action text, p_resource_type text, p_resource_id text default null, p_details jsonb default null, p_ip inet default null
) returns uuid
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if shoppulse.access_tenant() is null then
        raise exception 'writing to the audit trail: no tenant is entered'
            using errcode = 'insufficient_privilege', hint = 'Call shoppulse.enter first, in the same transaction.';
    end if;
    if octet_length(p_details::text) > 65536 then
        raise exception 'writing to the audit trail: details of % bytes', octet_length(p_details::text)
            using errcode = 'program_limit_exceeded', hint = 'Details may have 65,536 bytes; say where the rest is kept.';
    end if;
    return shoppulse.audit(shoppulse.access_tenant(), null, 'app.' || p_action, p_resource_type, p_resource_id, p_details, p_ip);
end
$$;
alter function shoppulse.audit_event(text, text, text, jsonb, inet) owner to shoppulse_owner;
revoke all on function shoppulse.audit_event(text, text, text, jsonb, inet) from public;
grant execute on function shoppulse.audit_event(text, text, text, jsonb, inet) to shoppulse_app;

-- Many entries in one statement: an array of objects with action, resource_type and, where there is one, resource_id, details,
-- ip_address. For pipelines, which are no user of a tenant. Returns how many. Up to some 10,000 a call; further calls go on.
create or replace function shoppulse.audit_batch(p_tenant_id text, p_entries jsonb) returns integer
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_actor constant text := shoppulse.audit_actor(p_tenant_id, null);
    v_entries jsonb;
    v_count integer;
begin
    if jsonb_typeof(p_entries) is distinct from 'array' then
        raise exception 'writing to the audit trail: a batch that is no array'
            using errcode = 'invalid_parameter_value', hint = 'Give a JSON array of objects.';
    end if;
    if jsonb_path_exists(p_entries, '$[*].user_id ? (@ != null)') then
        raise exception 'writing to the audit trail: a batch that names its own actor'
            using errcode = 'insufficient_privilege', hint = 'Leave user_id out: the actor is who has entered, and the login.';
    end if;
    if jsonb_path_exists(p_entries, '$[*].action ? (@ starts with "tenant.")') then
        raise exception 'writing to the audit trail: a batch with an action of the database''s own'
            using errcode = 'insufficient_privilege', hint = 'Actions that begin with tenant. are written by export and erasure.';
    end if;
    v_count := jsonb_array_length(p_entries);
    if v_count = 0 then
        return 0;
    end if;
    v_entries := p_entries;
    if v_actor is not null then
        select jsonb_agg(e.entry || jsonb_build_object('user_id', v_actor) order by e.nr) into v_entries
        from jsonb_array_elements(p_entries) with ordinality as e (entry, nr);
    end if;
    perform shoppulse.audit_append(p_tenant_id, v_entries, (select array_agg(gen_random_uuid()) from generate_series(1, v_count)));
    return v_count;
end
$$;
alter function shoppulse.audit_batch(text, jsonb) owner to shoppulse_owner;
revoke all on function shoppulse.audit_batch(text, jsonb) from public;
grant execute on function shoppulse.audit_batch(text, jsonb) to commerce_writer, shoppulse_maintenance;

-- What export and erasure of a tenant note about themselves.
create or replace function shoppulse.audit_maintenance(p_tenant_id text, p_action text, p_details jsonb) returns uuid
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_log_id constant uuid := gen_random_uuid();
begin
    if p_action not in ('tenant.exported', 'tenant.erasure_begun', 'tenant.erased') then
        raise exception 'writing to the audit trail: % is no action of maintenance', p_action
            using errcode = 'invalid_parameter_value', hint = 'Use tenant.exported, tenant.erasure_begun or tenant.erased.';
    end if;
    perform shoppulse.audit_append(
        p_tenant_id,
        jsonb_build_array(jsonb_build_object('action', p_action, 'resource_type', 'tenants', 'resource_id', p_tenant_id,
                                             'details', p_details)),
        array[v_log_id]);
    return v_log_id;
end
$$;
alter function shoppulse.audit_maintenance(text, text, jsonb) owner to shoppulse_owner;
revoke all on function shoppulse.audit_maintenance(text, text, jsonb) from public;
grant execute on function shoppulse.audit_maintenance(text, text, jsonb) to shoppulse_maintenance;

-- Notes that a link was anchored outside; false when it is none of the chain, or one as high was noted before. It never goes back: a
-- chain that is cut behind it, or computed anew, is a finding also when the anchors themselves are lost.
create or replace function shoppulse.audit_anchored(p_tenant_id text, p_seq bigint, p_hash bytea) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp set row_security = on as $$
begin
    update shoppulse.audit_heads h
    set anchored_seq = c.seq, anchored_hash = c.hash, anchored_at = clock_timestamp() at time zone 'UTC',
        anchored_entries = coalesce(h.anchored_entries, 0) + (
            select sum(b.entries) from shoppulse.audit_chain b
            where b.tenant_id = h.tenant_id and b.seq > coalesce(h.anchored_seq, 0) and b.seq <= c.seq)
    from shoppulse.audit_chain c
    where h.tenant_id = p_tenant_id and c.tenant_id = p_tenant_id and c.seq = p_seq and c.hash = p_hash
      and p_seq > coalesce(h.anchored_seq, 0);
    return found;
end
$$;
alter function shoppulse.audit_anchored(text, bigint, bytea) owner to shoppulse_owner;
revoke all on function shoppulse.audit_anchored(text, bigint, bytea) from public;
grant execute on function shoppulse.audit_anchored(text, bigint, bytea) to commerce_writer;

-- Append-only. ALWAYS: without it, session_replication_role = replica would switch these triggers off. A superuser can disable
-- them; that is what the chain is for.
create or replace function shoppulse.keep_audit_trail() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if tg_op = 'INSERT' and current_user = 'shoppulse_owner'
        or tg_op = 'UPDATE' and current_user = 'shoppulse_owner' and tg_table_name = 'audit_heads'
        or tg_op in ('UPDATE', 'DELETE') and current_user = 'shoppulse_maintenance' and tg_table_name = 'audit_logs' then
        return null;
    end if;
    raise exception '% on shoppulse.%: the audit trail is only ever appended to, by its own functions', tg_op, tg_table_name
        using errcode = 'insufficient_privilege', schema = 'shoppulse', table = tg_table_name,
              hint = 'Maintenance says "set local role shoppulse_maintenance" first; see docs/shoppulse.md, Audit.';
end
$$;
alter function shoppulse.keep_audit_trail() owner to shoppulse_owner;
create or replace function shoppulse.keep_audit_entry() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if new.details is null and new.resource_id is null and new.ip_address is null and new.content_salt is null then
        return new;
    end if;
    raise exception 'UPDATE on shoppulse.audit_logs: what an entry says can be taken out, not replaced'
        using errcode = 'insufficient_privilege', schema = 'shoppulse', table = 'audit_logs',
              hint = 'Set details, resource_id, ip_address and content_salt to null.';
end
$$;
alter function shoppulse.keep_audit_entry() owner to shoppulse_owner;
create or replace trigger keep_audit_entry before update on shoppulse.audit_logs
    for each row execute function shoppulse.keep_audit_entry();
alter table shoppulse.audit_logs enable always trigger keep_audit_entry;
do $$
declare
    v_table text;
begin
    foreach v_table in array array['audit_logs', 'audit_chain', 'audit_heads'] loop
        execute format('create or replace trigger keep_audit_trail before insert or update or delete or truncate on shoppulse.%I '
                       'for each statement execute function shoppulse.keep_audit_trail()', v_table);
        execute format('alter table shoppulse.%I enable always trigger keep_audit_trail', v_table);
    end loop;
end
$$;
