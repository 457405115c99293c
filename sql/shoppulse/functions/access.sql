-- How the database knows who asks. An application enters a tenant and a user for one transaction with a token that is signed, expires
-- and is good for that very transaction; `enter` leaves a context in settings, signed again and bound to the transaction, because anybody
-- may write a setting: shoppulse.access holds all of it, shoppulse.tenant and shoppulse.access_by_metric what queries ask for most. A login
-- in sql_principals is its user, and enters as nobody else.
-- The functions run as shoppulse_owner, for whom row security is forced. Parallel restricted: a worker is another process.
-- They are parsed at their first call in a session, with the caller's settings: no backslash in here, which standard_conforming_strings
-- would change the meaning of, and whatever must hold is asked for with "is not true", which null does not pass.

-- HMAC-SHA256 with the padded halves of a key.
create or replace function shoppulse.hmac(p_message bytea, p_inner_pad bytea, p_outer_pad bytea) returns bytea
language sql immutable parallel safe
return sha256(p_outer_pad || sha256(p_inner_pad || p_message));

-- What is one and the same during a transaction and never again: process, its transaction's start, the server's start.
create or replace function shoppulse.transaction_mark() returns bytea
language sql stable parallel restricted
return int4send(pg_backend_pid()) || timestamptz_send(now()) || timestamptz_send(pg_postmaster_start_time());

-- The mark as the issuer of a token puts it in.
create or replace function shoppulse.challenge() returns text
language sql stable parallel restricted security definer set search_path = pg_catalog, pg_temp
as $$ select encode(shoppulse.transaction_mark(), 'hex') $$;

-- Equal without telling by its time how far: what is compared are hashes of both.
create or replace function shoppulse.same(p_one bytea, p_other bytea) returns boolean
language sql immutable parallel safe
return sha256(p_one) = sha256(p_other);

-- A context is an array of texts in hexadecimal, so that none can pass for two: 1 tenant, 2 user, 3 role, 4 metrics (the text of an
-- array), 5 narrowed values by dimension (JSON); '' for what is not known.
create or replace function shoppulse.context(p_tenant_id text, p_user_id text, p_role text, p_metrics text[], p_narrowed jsonb) returns text[]
language sql immutable parallel safe
return array[encode(convert_to(coalesce(p_tenant_id, ''), 'UTF8'), 'hex'), encode(convert_to(coalesce(p_user_id, ''), 'UTF8'), 'hex'),
             encode(convert_to(coalesce(p_role, ''), 'UTF8'), 'hex'), encode(convert_to(coalesce(p_metrics::text, ''), 'UTF8'), 'hex'),
             encode(convert_to(coalesce(p_narrowed::text, ''), 'UTF8'), 'hex')];

-- One of its texts; null for what is not known.
create or replace function shoppulse.known(p_hex text) returns text
language sql immutable parallel safe
return nullif(convert_from(decode(p_hex, 'hex'), 'UTF8'), '');

-- Whether the login is bound to a user, and so is that one alone.
create or replace function shoppulse.login_is_bound() returns boolean
language plpgsql stable parallel restricted as $$
begin
    return exists (select from shoppulse.sql_principals p where p.login = session_user);
end
$$;

-- What a setting says, signed for this transaction and for what it is about: 64 hexadecimal digits, key_id, a dot, the text.
create or replace function shoppulse.signed(p_about text, p_text text) returns text
language plpgsql strict stable parallel restricted as $$
declare
    v_key record;
    v_text text;
begin
    select k.key_id, k.inner_pad, k.outer_pad into strict v_key
    from shoppulse.token_keys k
    where k.purpose = 'context' and k.retired_at is null
    order by k.created_at desc, k.key_id desc limit 1;
    v_text := v_key.key_id || '.' || p_text;
    return encode(shoppulse.hmac(shoppulse.transaction_mark() || convert_to(p_about || ':' || v_text, 'UTF8'),
                                 v_key.inner_pad, v_key.outer_pad), 'hex') || v_text;
end
$$;

-- The text, or null: nothing set, forged, tampered with, about something else, or of another transaction.
create or replace function shoppulse.verified(p_about text, p_setting text) returns text
language plpgsql stable parallel restricted as $$
declare
    v_text text;
    v_key_id text;
    v_inner bytea;
    v_outer bytea;
begin
    if octet_length(p_setting) between 66 and 1000000 is not true then
        return null;
    end if;
    v_text := substr(p_setting, 65);
    v_key_id := split_part(left(v_text, 65), '.', 1);
    select k.inner_pad, k.outer_pad into v_inner, v_outer
    from shoppulse.token_keys k
    where k.key_id = v_key_id and k.purpose = 'context' and k.retired_at is null;
    if shoppulse.same(
        convert_to(left(p_setting, 64), 'UTF8'),
        convert_to(encode(shoppulse.hmac(shoppulse.transaction_mark() || convert_to(p_about || ':' || v_text, 'UTF8'), v_inner, v_outer),
                          'hex'), 'UTF8')
    ) is not true then
        return null;
    end if;
    return substr(v_text, length(v_key_id) + 2);
end
$$;

-- The context that this transaction has entered, or null.
create or replace function shoppulse.entered_context() returns text[]
language sql stable parallel restricted
return string_to_array(shoppulse.verified('access', current_setting('shoppulse.access', true)), '.');

-- By metric number: the tenant where the user sees the metric, the same with a prefix where he is narrowed. One look-up tells whether a row
-- is of the tenant and of a visible metric. What is no tenant is too long to be one, and nothing is null: array_nulls is the caller's.
create or replace function shoppulse.by_metric(p_tenant_id text, p_metrics text[], p_narrowed jsonb) returns name[]
language plpgsql stable parallel restricted as $$
begin
    return array(
        select case when m.metric_name = any (p_metrics) is not true then 'hidden-metric'
            when p_narrowed = '{}' then p_tenant_id else 'narrowed-to-' || p_tenant_id end
        from generate_series(1, (select max(last.metric_number) from shoppulse.metrics last)) as numbered (n)
        left join shoppulse.metrics m on m.metric_number = numbered.n
        order by numbered.n
    );
end
$$;

-- Enter a context, or with null leave: until the transaction's end.
create or replace function shoppulse.enter_context(p_context text[]) returns void
language plpgsql volatile parallel unsafe as $$
declare
    v_tenant_id text := shoppulse.known(p_context[1]);
    v_metrics text[] := shoppulse.known(p_context[4]);
    v_by_metric name[];
begin
    if shoppulse.login_is_bound() then
        raise exception 'login % is bound to a user and enters as nobody else', session_user using errcode = 'insufficient_privilege';
    end if;
    if v_metrics is not null then
        v_by_metric := shoppulse.by_metric(v_tenant_id, v_metrics, shoppulse.known(p_context[5])::jsonb);
    end if;
    perform set_config('shoppulse.access', coalesce(shoppulse.signed('access', array_to_string(p_context, '.')), ''), true),
            set_config('shoppulse.tenant', coalesce(shoppulse.signed('tenant', v_tenant_id), ''), true),
            set_config('shoppulse.access_by_metric', coalesce(shoppulse.signed('by metric', v_by_metric::text), ''), true);
end
$$;

-- What a user is narrowed to, by dimension. A rule shows any of its values; two rules of one dimension what both have: no rule widens.
create or replace function shoppulse.governed_values(p_tenant_id text, p_user_id text) returns jsonb
language plpgsql stable parallel restricted as $$
begin
    return (
        select coalesce(jsonb_object_agg(d.dimension, coalesce((
            select jsonb_agg(s.value order by s.value)
            from (
                select x.value
                from shoppulse.governance_rules g cross join unnest(g."values") x (value)
                where g.tenant_id = p_tenant_id and g.user_id = p_user_id and g.dimension = d.dimension and x.value is not null
                group by x.value
                having count(distinct g.rule_id) = d.rules
            ) s
        ), '[]'::jsonb)), '{}'::jsonb)
        from (
            select g.dimension, count(*) as rules
            from shoppulse.governance_rules g
            where g.tenant_id = p_tenant_id and g.user_id = p_user_id
            group by g.dimension
        ) d
    );
end
$$;

-- The context of an active user of an active tenant, or null. Row security applies: only of the tenant that is entered. Metrics and
-- narrowing only when asked: the policies of what they are read from ask for the tenant of a bound login, that is for this function.
create or replace function shoppulse.user_context(p_tenant_id text, p_user_id text, p_whole boolean) returns text[]
language plpgsql stable parallel restricted as $$
declare
    v_role text;
begin
    select u.role into v_role
    from shoppulse.users u join shoppulse.tenants t on t.tenant_id = u.tenant_id
    where u.tenant_id = p_tenant_id and u.user_id = p_user_id and u.status = 'Active' and t.is_active;
    if v_role is null then
        return null;
    elsif not p_whole then
        return shoppulse.context(p_tenant_id, p_user_id, v_role, null, null);
    end if;
    return shoppulse.context(p_tenant_id, p_user_id, v_role, coalesce(shoppulse.visible_metrics(p_tenant_id, v_role), '{}'),
                             shoppulse.governed_values(p_tenant_id, p_user_id));
end
$$;

-- The context of the user that the login is bound to, or null. p_whole: with metrics and narrowing.
create or replace function shoppulse.bound_context(p_whole boolean) returns text[]
language plpgsql stable parallel restricted as $$
declare
    v_tenant_id text;
    v_user_id text;
begin
    select p.tenant_id, p.user_id into v_tenant_id, v_user_id from shoppulse.sql_principals p where p.login = session_user;
    if v_user_id is null then
        return null;
    end if;
    return shoppulse.user_context(v_tenant_id, v_user_id, p_whole);
end
$$;

-- Who asks: whom the transaction has entered, which a bound login cannot, else the user that the login is bound to.
create or replace function shoppulse.current_context(p_whole boolean) returns text[]
language plpgsql stable parallel restricted as $$
declare
    v_context text[] := shoppulse.entered_context();
begin
    if v_context is not null then
        return v_context;
    end if;
    return shoppulse.bound_context(p_whole);
end
$$;

-- For the policies of tenants and users, which the functions above read, and of metrics, which ask for the rest with access_by_metric. Says
-- nothing about the user, not even that he is active.
create or replace function shoppulse.entered_tenant() returns text
language plpgsql stable parallel restricted security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_tenant_id text := shoppulse.verified('tenant', current_setting('shoppulse.tenant', true));
begin
    if v_tenant_id is not null then
        return v_tenant_id;
    end if;
    return (select p.tenant_id from shoppulse.sql_principals p where p.login = session_user);
end
$$;

-- For policies: write (select shoppulse.access_tenant()), so that a query asks once. Null: nobody, therefore no row.
create or replace function shoppulse.access_tenant() returns text
language plpgsql stable parallel restricted security definer set search_path = pg_catalog, pg_temp as $$
begin
    return shoppulse.known((shoppulse.current_context(false))[1]);
end
$$;

create or replace function shoppulse.access_user() returns text
language plpgsql stable parallel restricted security definer set search_path = pg_catalog, pg_temp as $$
begin
    return shoppulse.known((shoppulse.current_context(false))[2]);
end
$$;

create or replace function shoppulse.access_role() returns text
language plpgsql stable parallel restricted security definer set search_path = pg_catalog, pg_temp as $$
begin
    return shoppulse.known((shoppulse.current_context(false))[3]);
end
$$;

-- The metrics that the user may see. Null without a context.
create or replace function shoppulse.access_metrics() returns text[]
language plpgsql stable parallel restricted security definer set search_path = pg_catalog, pg_temp as $$
begin
    return shoppulse.known((shoppulse.current_context(true))[4])::text[];
end
$$;

-- What the user is narrowed to in one dimension: null not narrowed, {} nothing. Without a context nothing, not null: a setting that is
-- taken away between two of these calls of one query must not lift the narrowing.
create or replace function shoppulse.access_values(p_dimension text) returns text[]
language plpgsql stable parallel restricted security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_narrowed jsonb := shoppulse.known((shoppulse.current_context(true))[5]);
begin
    if v_narrowed is null then
        return '{}';
    elsif v_narrowed -> p_dimension is null then
        return null;
    end if;
    return array(select jsonb_array_elements_text(v_narrowed -> p_dimension));
end
$$;

-- Whether the user is narrowed in any of the dimensions; true without a context, for the same reason.
create or replace function shoppulse.access_narrowed(p_dimensions text[]) returns boolean
language plpgsql stable parallel restricted security definer set search_path = pg_catalog, pg_temp as $$
begin
    return coalesce(shoppulse.known((shoppulse.current_context(true))[5])::jsonb ?| p_dimensions, true);
end
$$;

-- Whether the login may name a tenant itself: pipelines, maintenance, the owner of the schema.
create or replace function shoppulse.may_name_tenants() returns boolean
language sql stable parallel restricted
return pg_has_role(session_user, 'commerce_writer', 'usage') or pg_has_role(session_user, 'shoppulse_maintenance', 'usage')
    or pg_has_role(session_user, 'shoppulse_owner', 'usage');

-- For pipelines, maintenance and the owner of the schema, who see no row of a tenant either until they say of which: until the
-- transaction's end. A login that is bound to a user gets no other tenant.
create or replace function shoppulse.administer(p_tenant_id text) returns void
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
begin
    if coalesce(p_tenant_id, '') = '' or not shoppulse.may_name_tenants() or shoppulse.login_is_bound() then
        raise exception 'the tenant is not yours to name' using errcode = 'insufficient_privilege',
            hint = 'Enter the tenant with shoppulse.enter(token) in this transaction.';
    end if;
    perform shoppulse.enter_context(shoppulse.context(p_tenant_id, null, null, '{}', '{}'));
end
$$;

-- What a token says, or null. v1.<key_id>.<JSON in hexadecimal>.<HMAC in hexadecimal>; JSON: tenant, user, issued, expires, challenge.
create or replace function shoppulse.verified_token(p_token text) returns jsonb
language plpgsql stable parallel restricted as $$
declare
    v_parts text[];
    v_inner bytea;
    v_outer bytea;
    v_claims jsonb;
    v_now numeric := extract(epoch from clock_timestamp());
begin
    if p_token is null or octet_length(p_token) > 8192 or p_token !~ '^v1[.][A-Za-z0-9_-]{1,64}[.]([0-9a-f]{2})+[.][0-9a-f]{64}$' then
        return null;
    end if;
    v_parts := string_to_array(p_token, '.');
    select k.inner_pad, k.outer_pad into v_inner, v_outer
    from shoppulse.token_keys k
    where k.key_id = v_parts[2] and k.purpose = 'token' and k.retired_at is null;
    if shoppulse.same(
        decode(v_parts[4], 'hex'),
        shoppulse.hmac(convert_to(v_parts[1] || '.' || v_parts[2] || '.' || v_parts[3], 'UTF8'), v_inner, v_outer)
    ) is not true then
        return null;
    end if;
    begin
        v_claims := convert_from(decode(v_parts[3], 'hex'), 'UTF8')::jsonb;
        if v_claims ->> 'challenge' = encode(shoppulse.transaction_mark(), 'hex')
           and (v_claims ->> 'issued')::numeric <= v_now + 60
           and (v_claims ->> 'expires')::numeric between v_now and (v_claims ->> 'issued')::numeric + 900 then
            return v_claims;
        end if;
        return v_claims - 'challenge';
    exception
        when data_exception then  -- signed nonsense, such as a NUL
            return null;
    end;
end
$$;

-- Enter the tenant and user of a token for the rest of this transaction; false, and no tenant entered, when refused. An entry is written
-- to the tenant's audit trail (unless tenant_settings.audit_entries is off, or the transaction may not write), and so is a refusal of a
-- token that we signed: commit it; every refusal goes to the server's log, which no rollback
-- takes back. A forged token writes no row: its sender would fill a trail of his choice.
create or replace function shoppulse.try_enter(p_token text) returns boolean
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp
    -- Why it is refused is for the server's log, not for a client that asks for LOG messages.
    set client_min_messages = error as $$
declare
    v_claims jsonb := shoppulse.verified_token(p_token);
    v_tenant_id text := v_claims ->> 'tenant';
    v_user_id text := v_claims ->> 'user';
    v_entered text[] := shoppulse.entered_context();
    v_context text[];
    v_reason text;
begin
    if shoppulse.login_is_bound() then
        raise log 'shoppulse: login % is bound to a user and asked for tenant % as user %', session_user, v_tenant_id, v_user_id;
        return false;
    end if;
    if v_claims is null or coalesce(v_tenant_id, '') = '' or coalesce(v_user_id, '') = '' then
        v_reason := 'not a token of ours';
    elsif v_claims ->> 'challenge' is null then
        v_reason := 'expired, or issued for another transaction';
    elsif v_entered is not null and v_entered[1:2] is distinct from (shoppulse.context(v_tenant_id, v_user_id, null, null, null))[1:2] then
        -- What was entered stays: put away, it would make room for the next attempt.
        raise log 'shoppulse: login % has entered tenant % as user % and asked for tenant % as user % in the same transaction',
            session_user, shoppulse.known(v_entered[1]), shoppulse.known(v_entered[2]), v_tenant_id, v_user_id;
        return false;
    end if;
    if v_reason is distinct from 'not a token of ours' then
        -- Row security holds in here too: the tenant is entered first, without user and metrics.
        perform shoppulse.enter_context(shoppulse.context(v_tenant_id, null, null, null, null));
        if v_reason is null then
            v_context := shoppulse.user_context(v_tenant_id, v_user_id, true);
            if v_context is not null then
                perform shoppulse.enter_context(v_context);
                -- Left off by the client before on a pooled connection, it would make a backslash in a quoted value of this one end it.
                perform set_config('standard_conforming_strings', 'on', true);
                if v_entered is null and current_setting('transaction_read_only') = 'off' and not exists (
                    select from shoppulse.tenant_settings s where s.tenant_id = v_tenant_id and not s.audit_entries
                ) then
                    perform shoppulse.audit(
                        v_tenant_id, v_user_id, 'enter', 'access', v_user_id,
                        jsonb_build_object('role', shoppulse.known(v_context[3]), 'login', session_user), inet_client_addr());
                end if;
                return true;
            end if;
            v_reason := 'no active user of an active tenant';
        end if;
        if current_setting('transaction_read_only') = 'off'
           and exists (select from shoppulse.tenants t where t.tenant_id = v_tenant_id) then
            perform shoppulse.audit(
                v_tenant_id, (select u.user_id from shoppulse.users u where u.tenant_id = v_tenant_id and u.user_id = v_user_id),
                'enter_refused', 'access', left(v_user_id, 255), jsonb_build_object('reason', v_reason, 'login', session_user),
                inet_client_addr());
        end if;
    end if;
    perform shoppulse.enter_context(null);
    raise log 'shoppulse: login % was refused entry to tenant % as user %: %', session_user, v_tenant_id, v_user_id, v_reason;
    return false;
end
$$;

-- The same, raising when refused; one text for every reason, so that it answers no question.
create or replace function shoppulse.enter(p_token text) returns void
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
begin
    if not shoppulse.try_enter(p_token) then
        raise exception 'entering the tenant was refused' using errcode = 'insufficient_privilege',
            hint = 'Take a new token for this transaction, of an active user; the server''s log has the reason.';
    end if;
end
$$;

do $$
declare
    v_function text;
begin
    foreach v_function in array array[
        'hmac(bytea, bytea, bytea)', 'transaction_mark()', 'challenge()', 'same(bytea, bytea)',
        'context(text, text, text, text[], jsonb)', 'known(text)', 'login_is_bound()', 'signed(text, text)',
        'verified(text, text)', 'entered_context()', 'by_metric(text, text[], jsonb)', 'enter_context(text[])',
        'governed_values(text, text)', 'user_context(text, text, boolean)', 'bound_context(boolean)',
        'current_context(boolean)', 'entered_tenant()', 'access_tenant()', 'access_user()', 'access_role()',
        'access_metrics()', 'access_values(text)', 'access_narrowed(text[])', 'may_name_tenants()', 'administer(text)',
        'verified_token(text)', 'try_enter(text)', 'enter(text)'
    ] loop
        execute format('alter function shoppulse.%s owner to shoppulse_owner', v_function);
        execute format('revoke all on function shoppulse.%s from public', v_function);
    end loop;
    foreach v_function in array array['entered_tenant()', 'access_tenant()', 'access_user()', 'access_role()', 'access_metrics()',
                                      'access_values(text)', 'access_narrowed(text[])'] loop
        execute format('grant execute on function shoppulse.%s to shoppulse_app, shoppulse_reader, shoppulse_maintenance, commerce_writer',
                       v_function);
    end loop;
end
$$;
grant execute on function shoppulse.challenge(), shoppulse.try_enter(text), shoppulse.enter(text) to shoppulse_app;
grant execute on function shoppulse.administer(text) to shoppulse_maintenance;

-- A temporary view in the name of a table of ours would be read, unqualified, by the next client that a transaction pooler puts on the
-- same connection, and could keep what it reads for the one before. So nobody but the pipelines makes temporary tables here.
-- Rights of a database are its own: not copied with a template. Run by the migration and by init_database.
create or replace function shoppulse.close_to_temporary_tables() returns void
language plpgsql volatile as $$
begin
    execute format('revoke temporary on database %I from public', current_database());
    execute format('grant temporary on database %I to fullbay_writer, odoo_apn_writer, commerce_writer, analyst', current_database());
end
$$;
revoke all on function shoppulse.close_to_temporary_tables() from public;
select shoppulse.close_to_temporary_tables();
