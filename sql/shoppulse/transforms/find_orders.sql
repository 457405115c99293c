-- Which rows of a delivery are stored already, and whether they differ from what is delivered. Gone with the transaction.
create temporary table found on commit drop as
select s.row_number,
       (o.order_date, o.store_id, o.region, o.channel, o.order_status, o.items_count, o.gross_revenue, o.discount_amount,
        o.net_revenue, o.currency)
       is distinct from (s.order_date, s.store_id, s.region, s.channel, s.order_status, s.items_count, s.gross_revenue, s.discount_amount,
        s.net_revenue, s.currency) as differs,
       o.order_date as old_day,
       (o.region, o.store_id) is distinct from (s.region, s.store_id) as moved
from pg_temp.staged s
join shoppulse.orders o on o.tenant_id = %(tenant_id)s and o.order_id = s.row_key;
