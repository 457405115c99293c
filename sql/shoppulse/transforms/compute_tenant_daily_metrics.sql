-- The cells of the days in `refreshing`, one row per tenant, day, metric, region, store and category, as shoppulse.tenant_daily_metrics
-- has them. Orders count on their order_date, deliveries on the day they were promised for. What each metric is: the registry in
-- Python, and shoppulse.metrics. Amounts count in the tenant's currency only. What a cell lacks is 0 or 1: the number of orders that it
-- lacks is, where none can be counted or with the denominator, the number of orders, which may be hidden from who sees the cell. Only
-- aov and return_rate count them: who sees these sees orders.
create temporary table fresh_metrics on commit drop as
with part as (
    -- One row per cell and status of the delivery; small, and all sums of orders are taken from it.
    select day.tenant_id, day.day, coalesce(placed.region, '') as region, coalesce(placed.store_id, '') as store_id,
        delivery.order_id is not null as delivered, coalesce(delivery.fulfillment_status, '') as delivery_status,
        count(*) as orders,
        count(*) filter (where placed.currency is distinct from day.currency) as foreign_orders,
        sum(placed.gross_revenue) filter (where amount.counts and placed.gross_revenue <> 'NaN') as gross,
        count(*) filter (where amount.counts and placed.gross_revenue <> 'NaN') as gross_orders,
        sum(placed.discount_amount) filter (where amount.counts and placed.discount_amount <> 'NaN') as discount,
        count(*) filter (where amount.counts and placed.discount_amount <> 'NaN') as discount_orders,
        sum(placed.net_revenue) filter (where amount.counts and placed.net_revenue <> 'NaN') as net,
        count(*) filter (where amount.counts and placed.net_revenue <> 'NaN') as net_orders,
        sum(placed.net_revenue) filter (where amount.counts and placed.net_revenue <> 'NaN' and cost.cost is not null) as cost_net,
        sum(cost.cost) filter (where amount.counts and placed.net_revenue <> 'NaN') as cost,
        count(cost.cost) filter (where amount.counts and placed.net_revenue <> 'NaN') as cost_orders,
        sum(placed.items_count) filter (where placed.items_count >= 0) as items,
        count(*) filter (where placed.items_count >= 0) as item_orders,
        count(*) filter (where lower(placed.order_status) = 'returned') as returned,
        count(placed.order_status) as status_orders,
        count(*) filter (where delivery.sla_met) as sla_met,
        count(delivery.sla_met) as sla_orders,
        sum(delivery.days_to_ship) filter (where delivery.days_to_ship >= 0) as ship_days,
        count(*) filter (where delivery.days_to_ship >= 0) as ship_orders
    from refreshing as day
    join shoppulse.orders as placed on placed.tenant_id = day.tenant_id and placed.order_date = day.day
    cross join lateral (select placed.currency = day.currency as counts) as amount
    left join shoppulse.order_costs as cost on cost.tenant_id = placed.tenant_id and cost.order_id = placed.order_id
    left join shoppulse.fulfillment as delivery on delivery.tenant_id = placed.tenant_id and delivery.order_id = placed.order_id
    group by 1, 2, 3, 4, 5, 6
),
cell as (
    select tenant_id, day, region, store_id, sum(orders) as orders,
        case when sum(foreign_orders) > 0 then 'OTHER_CURRENCY' else 'NO_AMOUNT' end as no_money,
        coalesce(sum(gross), 0) as gross, sum(orders - gross_orders) as no_gross,
        coalesce(sum(discount), 0) as discount, sum(orders - discount_orders) as no_discount,
        coalesce(sum(net), 0) as net, sum(net_orders) as net_orders, sum(orders - net_orders) as no_net,
        coalesce(sum(cost_net), 0) as cost_net, coalesce(sum(cost), 0) as cost, sum(orders - cost_orders) as no_cost,
        coalesce(sum(items), 0) as items, sum(orders - item_orders) as no_items,
        sum(returned) as returned, sum(status_orders) as status_orders, sum(orders - status_orders) as no_status,
        sum(sla_met) as sla_met, sum(sla_orders) as sla_orders, sum(orders - sla_orders) as no_sla,
        coalesce(sum(ship_days), 0) as ship_days, sum(ship_orders) as ship_orders, sum(orders - ship_orders) as no_ship
    from part
    group by tenant_id, day, region, store_id
),
due as (
    select day.tenant_id, day.day, coalesce(placed.region, '') as region, coalesce(placed.store_id, '') as store_id,
        count(*) as deliveries,
        count(*) filter (where delivery.actual_delivery_date <= delivery.promised_delivery_date) as on_time
    from refreshing as day
    join shoppulse.fulfillment as delivery
        on delivery.tenant_id = day.tenant_id and delivery.promised_delivery_date = day.day
    join shoppulse.orders as placed on placed.tenant_id = delivery.tenant_id and placed.order_id = delivery.order_id
    where delivery.actual_delivery_date is not null or day.day < day.today
    group by 1, 2, 3, 4
)
select cell.tenant_id, cell.day as metric_date, metric.metric_name, cell.region, cell.store_id, '' as category,
    metric.numerator, metric.denominator, metric.missing::bigint, metric.null_reason
from cell
cross join lateral (
    values
        ('gross_revenue', gross, null::numeric, least(no_gross, 1), case when no_gross > 0 then no_money end),
        ('discount_amount', discount, null, least(no_discount, 1), case when no_discount > 0 then no_money end),
        ('net_revenue', net, null, least(no_net, 1), case when no_net > 0 then no_money end),
        ('margin', cost_net - cost, cost_net, least(no_cost, 1), null),
        ('orders', orders, null, 0, null),
        ('items', items, null, least(no_items, 1), case when no_items > 0 then 'NO_COUNT' end),
        ('aov', net, net_orders, no_net, case when no_net > 0 then no_money end),
        ('returned_orders', returned, null, least(no_status, 1), case when no_status > 0 then 'NO_STATUS' end),
        ('return_rate', returned, status_orders, no_status, case when no_status > 0 then 'NO_STATUS' end),
        ('sla_met', sla_met, sla_orders, least(no_sla, 1), null),
        ('days_to_ship', ship_days, ship_orders, least(no_ship, 1), null),
        ('inventory_levels', 0, null, 0, 'NO_SOURCE')
) as metric (metric_name, numerator, denominator, missing, null_reason)
union all
select tenant_id, day, 'fulfillment_status', region, store_id, delivery_status,
    coalesce(sum(orders) filter (where delivery_status <> ''), 0), null, (delivery_status = '')::int,
    case when delivery_status = '' then 'NO_STATUS' end
from part
where delivered
group by tenant_id, day, region, store_id, delivery_status
union all
select due.tenant_id, due.day, metric.metric_name, due.region, due.store_id, '', metric.numerator, metric.denominator, 0, null
from due
cross join lateral (
    values
        ('deliveries_due', deliveries, null::bigint),
        ('on_time_deliveries', on_time, null),
        ('on_time_rate', on_time, deliveries)
) as metric (metric_name, numerator, denominator)
