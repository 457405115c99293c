-- The last 30 days of some metrics over the tenants that count in the most frequent currency, as far as they could be counted. Grain:
-- one row per metric and day. Parameter: metrics. Reads the index, a range for each tenant.
with currency as (
    select currency from shoppulse.metric_states group by currency order by count(*) desc, currency limit 1
),
tenant as (
    select tenant_id from shoppulse.metric_states join currency using (currency)
),
span as (
    select max(latest.metric_date) as last
    from tenant
    cross join lateral (
        select metric_date from shoppulse.tenant_daily_metrics as cell
        where cell.tenant_id = tenant.tenant_id order by metric_date desc limit 1
    ) as latest
)
select cell.metric_name, cell.metric_date, sum(cell.numerator) as numerator, sum(cell.denominator) as denominator
from span
cross join tenant
join shoppulse.tenant_daily_metrics as cell
    on cell.tenant_id = tenant.tenant_id and cell.metric_date > span.last - 30 and cell.metric_date <= span.last
where cell.metric_name = any (%(metrics)s)
group by cell.metric_name, cell.metric_date
order by cell.metric_name, cell.metric_date
