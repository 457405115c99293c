-- What the metrics of the user who asks are: row security of the tables decides, so each view runs with the rights of its reader.
-- A value is NULL with a reason, never a guess; `missing` counts the cells that lack source rows, and these rows themselves in metrics of
-- campaigns and in those that depend on orders.

-- One row per tenant, day, metric and category (the status, of fulfillment_status) of orders and deliveries, over all regions and stores.
create or replace view shoppulse.daily_metrics with (security_invoker = true) as
select tenant_id, metric_date, metric_name, category,
    case when reason is not null then null when denominator is null then numerator
        else round(numerator / nullif(denominator, 0), 6) end as value,
    numerator, denominator, missing,
    coalesce(reason, case when denominator = 0 then case when missing > 0 then 'NOTHING_KNOWN' else 'ZERO_DENOMINATOR' end end)
        as null_reason
from (
    select tenant_id, metric_date, metric_name, category, sum(numerator) as numerator, sum(denominator) as denominator,
        sum(missing)::bigint as missing, max(null_reason) as reason
    from shoppulse.tenant_daily_metrics
    group by tenant_id, metric_date, metric_name, category
) as day;

-- One row per tenant, day, channel and metric of the campaigns.
create or replace view shoppulse.channel_performance with (security_invoker = true) as
select tenant_id, metric_date, channel, metric_name,
    case when null_reason is not null then null when denominator is null then numerator
        else round(numerator / nullif(denominator, 0), 6) end as value,
    numerator, denominator, missing,
    coalesce(null_reason, case when denominator = 0 then case when missing > 0 then 'NOTHING_KNOWN' else 'ZERO_DENOMINATOR' end end)
        as null_reason
from shoppulse.campaign_metrics;

-- One row per tenant, day, metric and everything that it can be broken down by.
create or replace view shoppulse.metric_values with (security_invoker = true) as
select tenant_id, metric_date, metric_name, region, store_id, null::varchar(20) as channel, category,
    case when null_reason is not null then null when denominator is null then numerator
        else round(numerator / nullif(denominator, 0), 6) end as value,
    numerator, denominator, missing,
    coalesce(null_reason, case when denominator = 0 then case when missing > 0 then 'NOTHING_KNOWN' else 'ZERO_DENOMINATOR' end end)
        as null_reason
from shoppulse.tenant_daily_metrics
union all
select tenant_id, metric_date, metric_name, null, null, channel, '', value, numerator, denominator, missing, null_reason
from shoppulse.channel_performance;

do $$
declare
    v_view text;
begin
    foreach v_view in array array['daily_metrics', 'channel_performance', 'metric_values'] loop
        execute format('alter view shoppulse.%I owner to shoppulse_owner', v_view);
        execute format('revoke all on shoppulse.%I from public, commerce_writer', v_view);
        execute format('grant select on shoppulse.%I to shoppulse_app, shoppulse_reader, commerce_writer', v_view);
    end loop;
end
$$;
