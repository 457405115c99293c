-- What the policies of the metric tables ask beside the tenant, once a query.

-- What the user may see of each metric, by its number: see by_metric.
create or replace function shoppulse.access_by_metric() returns name[]
language plpgsql stable parallel restricted security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_text text := shoppulse.verified('by metric', current_setting('shoppulse.access_by_metric', true));
    v_context text[];
begin
    if v_text is not null then
        return v_text;
    end if;
    v_context := shoppulse.bound_context(true);
    return shoppulse.by_metric(shoppulse.known(v_context[1]), shoppulse.known(v_context[4])::text[], shoppulse.known(v_context[5])::jsonb);
end
$$;

-- What the user is narrowed to, by dimension; null when he is not, and then no row costs a call. Without a context nothing is left.
create or replace function shoppulse.access_narrowing() returns jsonb
language plpgsql stable parallel restricted security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_narrowed text := shoppulse.known((shoppulse.current_context(true))[5]);
begin
    if v_narrowed is null then
        return '{"custom": []}';
    elsif v_narrowed = '{}' then
        return null;
    end if;
    return v_narrowed;
end
$$;

-- Whether a cell is within it; null when nothing narrows. A cell is of no team and nothing custom. Cost: as a built-in's, or the planner
-- takes workers for a month of cells, which start slower than they read.
create or replace function shoppulse.within_narrowing(p_narrowing jsonb, p_region text, p_store text) returns boolean
language plpgsql strict immutable parallel safe cost 1 as $$
begin
    return not p_narrowing ?| array['team', 'custom']
        and coalesce(p_narrowing -> 'region' ? p_region, true)
        and coalesce(p_narrowing -> 'store' ? p_store, true);
end
$$;

do $$
declare
    v_function text;
begin
    foreach v_function in array array['access_by_metric()', 'access_narrowing()', 'within_narrowing(jsonb, text, text)'] loop
        execute format('alter function shoppulse.%s owner to shoppulse_owner', v_function);
        execute format('revoke all on function shoppulse.%s from public', v_function);
        execute format('grant execute on function shoppulse.%s to shoppulse_app, shoppulse_reader, shoppulse_maintenance, commerce_writer',
                       v_function);
    end loop;
end
$$;
