-- Notes every day that has source rows or metrics, so that everything is computed again. Grain: one row per tenant, source and day.
-- Parameters: sources (of them), tenants (null: all). Re-runnable.
insert into shoppulse.changed_days as kept (tenant_id, source, day)
select tenant_id, source, day from (
    select tenant_id, 'orders' as source, order_date as day from shoppulse.orders
    union
    select tenant_id, 'orders', metric_date from shoppulse.tenant_daily_metrics
    union
    select tenant_id, 'fulfillment', promised_delivery_date from shoppulse.fulfillment where promised_delivery_date is not null
    union
    select tenant_id, 'campaigns', date from shoppulse.marketing_campaigns
    union
    select tenant_id, 'campaigns', metric_date from shoppulse.campaign_metrics
) as day
where source = any (%(sources)s) and (%(tenants)s::text[] is null or tenant_id = any (%(tenants)s::text[]))
order by tenant_id, source, day
on conflict (tenant_id, source, day) do update set noted_at = excluded.noted_at
