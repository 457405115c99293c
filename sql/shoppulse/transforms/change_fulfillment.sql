-- Stored rows that differ from what is delivered; no other row is touched.
update shoppulse.fulfillment o
set warehouse = s.warehouse,
    carrier = s.carrier,
    promised_delivery_date = s.promised_delivery_date,
    actual_delivery_date = s.actual_delivery_date,
    fulfillment_status = s.fulfillment_status,
    sla_met = s.sla_met,
    days_to_ship = s.days_to_ship
from pg_temp.staged s
join pg_temp.found f on f.row_number = s.row_number and f.differs
where o.tenant_id = %(tenant_id)s and o.order_id = s.row_key;
