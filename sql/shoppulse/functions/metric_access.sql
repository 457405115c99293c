-- What the policies of the metric tables ask about narrowing, once a query. Metrics and tenant come from functions/access.sql.

-- What the user is narrowed to, by dimension; null when he is not, and then no row costs a call. Without a context nothing is left.
create or replace function shoppulse.access_narrowing() returns jsonb
language plpgsql stable parallel restricted security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_context jsonb := shoppulse.current_context(true);
begin
    if v_context -> 'v' is null then
        return '{"custom": []}';
    end if;
    return nullif(v_context -> 'v', '{}');
end
$$;

-- Whether a cell is within it; null, and not called at all, when nothing narrows. A cell is of no team and nothing custom.
create or replace function shoppulse.within_narrowing(p_narrowing jsonb, p_region text, p_store text) returns boolean
language plpgsql strict immutable parallel safe as $$
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
    foreach v_function in array array['access_narrowing()', 'within_narrowing(jsonb, text, text)'] loop
        execute format('alter function shoppulse.%s owner to shoppulse_owner', v_function);
        execute format('revoke all on function shoppulse.%s from public', v_function);
        execute format('grant execute on function shoppulse.%s to shoppulse_app, shoppulse_reader, shoppulse_maintenance, commerce_writer',
                       v_function);
    end loop;
end
$$;
