-- What a role may see. A whitelist, closed: a metric is seen when it is on the role's list and so is everything that it is made of, for
-- whoever sees a ratio's numerator and denominator sees those two metrics. Row security of the tables applies to the caller.

-- The metrics that a role of a tenant sees, in the order of the alphabet. Names on the list that are no metric's show nothing.
create or replace function shoppulse.visible_metrics(p_tenant_id text, p_role text) returns text[]
language plpgsql stable parallel restricted as $$
declare
    v_listed text[] := array(
        select v.metric_name::text
        from shoppulse.role_metric_visibility as v
        where v.tenant_id = p_tenant_id and v.role = p_role and v.is_visible
    );
begin
    return array(
        select m.metric_name
        from shoppulse.metrics as m
        where m.metric_name = any (v_listed) and m.needs <@ v_listed
        order by m.metric_name
    );
end
$$;

-- Hidden metrics that known ones give away, with the one (second_name null) or the two that do; what was inferred is known for the
-- next. Row order: as found.
create or replace function shoppulse.inferable_from(p_seen text[])
returns table (metric_name text, first_name text, second_name text)
language plpgsql stable parallel restricted as $$
declare
    v_known text[] := coalesce(p_seen, '{}');
    v_found boolean := true;
    v_identity record;
begin
    while v_found loop
        v_found := false;
        for metric_name, first_name in
            select d.metric_name, d.source_name from shoppulse.metric_disclosures as d order by d.metric_name, d.source_name
        loop
            if first_name = any (v_known) and metric_name <> all (v_known) then
                second_name := null;
                v_known := v_known || metric_name;
                v_found := true;
                return next;
            end if;
        end loop;
        for v_identity in
            select array[i.metric_name, i.first_name, i.second_name] as names from shoppulse.metric_identities as i order by i.metric_name
        loop
            select n.name into metric_name from unnest(v_identity.names) as n (name) where n.name <> all (v_known);
            if (select count(*) from unnest(v_identity.names) as n (name) where n.name <> all (v_known)) = 1 then
                select min(n.name), max(n.name) into first_name, second_name
                from unnest(v_identity.names) as n (name) where n.name = any (v_known);
                v_known := v_known || metric_name;
                v_found := true;
                return next;
            end if;
        end loop;
    end loop;
end
$$;

-- The same for what a role of a tenant sees.
create or replace function shoppulse.inferable_metrics(p_tenant_id text, p_role text)
returns table (metric_name text, first_name text, second_name text)
language sql stable parallel restricted as $$
    select i.metric_name, i.first_name, i.second_name
    from shoppulse.inferable_from(shoppulse.visible_metrics(p_tenant_id, p_role)) as i
$$;

do $$
declare
    v_function text;
begin
    foreach v_function in array array['visible_metrics(text, text)', 'inferable_from(text[])', 'inferable_metrics(text, text)'] loop
        execute format('alter function shoppulse.%s owner to shoppulse_owner', v_function);
        execute format('revoke all on function shoppulse.%s from public', v_function);
        execute format('grant execute on function shoppulse.%s to commerce_writer', v_function);
    end loop;
end
$$;
