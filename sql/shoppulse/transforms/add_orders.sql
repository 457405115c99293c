-- Delivered rows that are not stored yet. One writer at a time holds the lease: no row comes in between.
insert into shoppulse.orders
    (tenant_id, order_id, order_date, store_id, region, channel, order_status, items_count, gross_revenue, discount_amount,
     net_revenue, currency)
select %(tenant_id)s, s.row_key, s.order_date, s.store_id, s.region, s.channel, s.order_status, s.items_count, s.gross_revenue, s.discount_amount,
       s.net_revenue, coalesce(s.currency, %(currency)s)
from pg_temp.staged s
where not exists (select from pg_temp.found f where f.row_number = s.row_number);
