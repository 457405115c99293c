-- Cells of the days in `refreshing` that are no more. Re-runnable.
with removed as (
    delete from shoppulse.tenant_daily_metrics as kept
    using refreshing as day
    where kept.tenant_id = day.tenant_id and kept.metric_date = day.day
        and not exists (
            select from fresh_metrics as fresh
            where fresh.tenant_id = kept.tenant_id and fresh.metric_date = kept.metric_date
                and fresh.metric_name = kept.metric_name and fresh.region = kept.region
                and fresh.store_id = kept.store_id and fresh.category = kept.category
        )
    returning 1
)
select count(*) from removed
