-- Empties one target's part of the refresh queue and brings those keys up to date: a row for the number of distinct keys taken and
-- summary rows written. Commit it with, or any time after, the change that queued the keys; run twice, the second finds nothing.
-- The keys are taken in one statement and refreshed in a later one, whose snapshot includes everything that was committed before
-- the rows were taken. Rows that another refresh holds are skipped: it will refresh them itself, or give them back by rolling back.
create or replace function fullbay.refresh_queued(p_target text) returns table (keys bigint, rows_written bigint)
language plpgsql as $$
#variable_conflict use_column
declare
    v_keys text[];
    v_written bigint := 0;
begin
    if p_target is null or p_target not in ('WORK_ORDER', 'DAY', 'MONTH', 'CUSTOMER', 'VEHICLE') then
        raise exception 'refresh_queued: there is no target %', coalesce(quote_literal(p_target), 'null')
            using errcode = 'invalid_parameter_value',
                  hint = 'Targets are WORK_ORDER, DAY, MONTH, CUSTOMER and VEHICLE.';
    end if;

    with held as materialized (
        select queue_id from fullbay.refresh_queue where target = p_target for update skip locked
    ),
    taken as (
        delete from fullbay.refresh_queue as q using held where q.queue_id = held.queue_id returning q.key
    )
    select coalesce(array_agg(distinct taken.key order by taken.key), '{}') into v_keys from taken;

    if cardinality(v_keys) > 0 then
        v_written := case p_target
            when 'WORK_ORDER' then fullbay.refresh_work_orders(v_keys)
            when 'DAY' then fullbay.refresh_daily_summaries(v_keys::date[])
            when 'MONTH' then fullbay.refresh_monthly_summaries(array(select (k || '-01')::date from unnest(v_keys) as k))
            when 'CUSTOMER' then fullbay.refresh_customer_summaries(v_keys::integer[])
            when 'VEHICLE' then fullbay.refresh_vehicle_summaries(v_keys)
        end;
    end if;
    return query select cardinality(v_keys)::bigint, v_written;
end
$$;
