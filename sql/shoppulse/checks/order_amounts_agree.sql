-- Orders whose amounts contradict each other. Result: checked, failed, first examples.
with judged as (
    select tenant_id || ' ' || order_id as name,
           net_revenue <> gross_revenue - discount_amount or discount_amount not between 0 and gross_revenue or items_count < 0 as odd
    from shoppulse.orders
)
select count(*), count(*) filter (where odd), (array_agg(name order by name) filter (where odd))[1:10] from judged;
