-- Deliveries of orders whose sla_met is not what their dates say. Result: checked, failed, first examples.
with judged as (
    select tenant_id || ' ' || order_id as name,
           sla_met <> (actual_delivery_date <= promised_delivery_date) or days_to_ship < 0 as odd
    from shoppulse.fulfillment
)
select count(*), count(*) filter (where odd), (array_agg(name order by name) filter (where odd))[1:10] from judged;
