-- Notes the days that no row changed and that count otherwise all the same: deliveries promised for a day that has ended where the
-- tenant is, and everything in money once the tenant counts in another currency. Keeps until when each tenant was counted.
-- Parameter: at (null: now). Writes shoppulse.changed_days, shoppulse.metric_states. Running it again at the same time notes nothing.
with there as (
    select tenant.tenant_id, tenant.is_active,
        (coalesce(%(at)s::timestamptz, now()) at time zone coalesce(setting.time_zone, 'UTC'))::date as today,
        coalesce(setting.currency, 'USD') as currency
    from shoppulse.tenants as tenant
    left join shoppulse.tenant_settings as setting using (tenant_id)
),
turned as (
    select there.tenant_id, least(there.today, state.today) as first_day, greatest(there.today, state.today) as end_day,
        there.currency <> state.currency as recounted
    from there
    join shoppulse.metric_states as state using (tenant_id)
    where there.today <> state.today or there.currency <> state.currency
),
noted as (
    insert into shoppulse.changed_days as kept (tenant_id, source, day)
    select tenant_id, source, day from (
        select turned.tenant_id, 'fulfillment' as source, delivery.promised_delivery_date as day
        from turned
        join shoppulse.fulfillment as delivery
            on delivery.tenant_id = turned.tenant_id
            and delivery.promised_delivery_date >= turned.first_day and delivery.promised_delivery_date < turned.end_day
        where delivery.actual_delivery_date is null
        union
        select turned.tenant_id, 'orders', placed.order_date
        from turned
        join shoppulse.orders as placed on placed.tenant_id = turned.tenant_id
        where turned.recounted
    ) as day
    order by tenant_id, source, day
    on conflict (tenant_id, source, day) do update set noted_at = excluded.noted_at
    returning 1
),
counted as (
    insert into shoppulse.metric_states as kept (tenant_id, today, currency)
    select tenant_id, today, currency from there
    where is_active or tenant_id in (select tenant_id from shoppulse.metric_states)  -- of an erased one nothing is kept
    order by tenant_id
    on conflict (tenant_id) do update set today = excluded.today, currency = excluded.currency
    where (kept.today, kept.currency) is distinct from (excluded.today, excluded.currency)
    returning 1
)
select (select count(*) from noted) as days, (select count(*) from counted) as tenants
