-- Columns that the file lacks stay as they are stored.
update pg_temp.staged s
set store_id = case when 'store_id' = any (%(absent)s) then o.store_id else s.store_id end,
    region = case when 'region' = any (%(absent)s) then o.region else s.region end,
    channel = case when 'channel' = any (%(absent)s) then o.channel else s.channel end,
    order_status = case when 'order_status' = any (%(absent)s) then o.order_status else s.order_status end,
    items_count = case when 'items_count' = any (%(absent)s) then o.items_count else s.items_count end,
    gross_revenue = case when 'gross_revenue' = any (%(absent)s) then o.gross_revenue else s.gross_revenue end,
    discount_amount = case when 'discount_amount' = any (%(absent)s) then o.discount_amount else s.discount_amount end,
    net_revenue = case when 'net_revenue' = any (%(absent)s) then o.net_revenue else s.net_revenue end,
    currency = case when 'currency' = any (%(absent)s) then o.currency else s.currency end
from shoppulse.orders o
where o.tenant_id = %(tenant_id)s and o.order_id = s.row_key;
