-- Delivered rows that are not stored yet. One writer at a time holds the lease: no row comes in between.
insert into shoppulse.fulfillment
    (tenant_id, order_id, warehouse, carrier, promised_delivery_date, actual_delivery_date, fulfillment_status, sla_met, days_to_ship)
select %(tenant_id)s, s.row_key, s.warehouse, s.carrier, s.promised_delivery_date, s.actual_delivery_date, s.fulfillment_status, s.sla_met, s.days_to_ship
from pg_temp.staged s
where not exists (select from pg_temp.found f where f.row_number = s.row_number);
