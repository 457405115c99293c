-- Columns that the file lacks stay as they are stored.
update pg_temp.staged s
set warehouse = case when 'warehouse' = any (%(absent)s) then o.warehouse else s.warehouse end,
    carrier = case when 'carrier' = any (%(absent)s) then o.carrier else s.carrier end,
    promised_delivery_date = case when 'promised_delivery_date' = any (%(absent)s) then o.promised_delivery_date else s.promised_delivery_date end,
    actual_delivery_date = case when 'actual_delivery_date' = any (%(absent)s) then o.actual_delivery_date else s.actual_delivery_date end,
    fulfillment_status = case when 'fulfillment_status' = any (%(absent)s) then o.fulfillment_status else s.fulfillment_status end,
    sla_met = case when 'sla_met' = any (%(absent)s) then o.sla_met else s.sla_met end,
    days_to_ship = case when 'days_to_ship' = any (%(absent)s) then o.days_to_ship else s.days_to_ship end
from shoppulse.fulfillment o
where o.tenant_id = %(tenant_id)s and o.order_id = s.row_key;
