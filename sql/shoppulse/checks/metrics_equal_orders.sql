-- For each tenant: what its cells say of orders and deliveries, beside its orders and deliveries; to the cent. Tenants with days that
-- are noted and not computed yet are left out. One row: checked (tenants), failed, examples.
with pending as (
    select distinct tenant_id from shoppulse.changed_days where source in ('orders', 'fulfillment')
),
state as (
    select * from shoppulse.metric_states where tenant_id not in (select tenant_id from pending)
),
source as (
    select state.tenant_id,
        count(*) as orders,
        coalesce(sum(placed.gross_revenue) filter (where placed.currency = state.currency and placed.gross_revenue <> 'NaN'), 0) as gross,
        coalesce(sum(placed.discount_amount) filter (where placed.currency = state.currency and placed.discount_amount <> 'NaN'), 0)
            as discount,
        coalesce(sum(placed.net_revenue) filter (where placed.currency = state.currency and placed.net_revenue <> 'NaN'), 0) as net,
        count(*) filter (where placed.currency is distinct from state.currency or placed.net_revenue is null
                         or placed.net_revenue = 'NaN') as no_net
    from state
    join shoppulse.orders as placed using (tenant_id)
    group by state.tenant_id
),
incomplete as (
    -- Cells that say that they lack an order's gross revenue: not how many orders, which their readers may not see.
    select tenant_id, count(*) as cells
    from (
        select distinct state.tenant_id, placed.order_date, coalesce(placed.region, ''), coalesce(placed.store_id, '')
        from state
        join shoppulse.orders as placed using (tenant_id)
        where placed.currency is distinct from state.currency or placed.gross_revenue is null or placed.gross_revenue = 'NaN'
    ) as lacking
    group by tenant_id
),
promised as (
    select state.tenant_id, count(*) as due
    from state
    join shoppulse.fulfillment as delivery using (tenant_id)
    where delivery.promised_delivery_date is not null
        and (delivery.actual_delivery_date is not null or delivery.promised_delivery_date < state.today)
    group by state.tenant_id
),
cell as (
    select tenant_id,
        coalesce(sum(numerator) filter (where metric_name = 'orders'), 0) as orders,
        coalesce(sum(numerator) filter (where metric_name = 'gross_revenue'), 0) as gross,
        coalesce(sum(numerator) filter (where metric_name = 'discount_amount'), 0) as discount,
        coalesce(sum(numerator) filter (where metric_name = 'net_revenue'), 0) as net,
        coalesce(sum(missing) filter (where metric_name = 'gross_revenue'), 0) as incomplete,
        coalesce(sum(missing) filter (where metric_name = 'aov'), 0) as no_net,
        coalesce(sum(numerator) filter (where metric_name = 'deliveries_due'), 0) as due
    from shoppulse.tenant_daily_metrics
    where tenant_id not in (select tenant_id from pending)
        and metric_name in ('orders', 'gross_revenue', 'discount_amount', 'net_revenue', 'aov', 'deliveries_due')
    group by tenant_id
),
compared as (
    select state.tenant_id, pair.what, pair.ours, pair.theirs
    from state
    left join source using (tenant_id)
    left join incomplete using (tenant_id)
    left join promised using (tenant_id)
    left join cell using (tenant_id)
    cross join lateral (
        values
            ('orders', coalesce(cell.orders, 0), coalesce(source.orders, 0)::numeric),
            ('gross_revenue', coalesce(cell.gross, 0), coalesce(source.gross, 0)),
            ('discount_amount', coalesce(cell.discount, 0), coalesce(source.discount, 0)),
            ('net_revenue', coalesce(cell.net, 0), coalesce(source.net, 0)),
            ('cells that lack gross_revenue', coalesce(cell.incomplete, 0), coalesce(incomplete.cells, 0)::numeric),
            ('orders without net_revenue', coalesce(cell.no_net, 0), coalesce(source.no_net, 0)::numeric),
            ('deliveries_due', coalesce(cell.due, 0), coalesce(promised.due, 0)::numeric)
    ) as pair (what, ours, theirs)
)
select (select count(*) from state),
    count(distinct tenant_id) filter (where ours <> theirs),
    (array_agg(format('%s %s: %s in the metrics, %s in the sources', tenant_id, what, ours, theirs) order by tenant_id, what)
        filter (where ours <> theirs))[:10]
from compared
