-- Stored rows that differ from what is delivered; no other row is touched.
update shoppulse.orders o
set order_date = s.order_date,
    store_id = s.store_id,
    region = s.region,
    channel = s.channel,
    order_status = s.order_status,
    items_count = s.items_count,
    gross_revenue = s.gross_revenue,
    discount_amount = s.discount_amount,
    net_revenue = s.net_revenue,
    currency = s.currency
from pg_temp.staged s
join pg_temp.found f on f.row_number = s.row_number and f.differs
where o.tenant_id = %(tenant_id)s and o.order_id = s.row_key;
