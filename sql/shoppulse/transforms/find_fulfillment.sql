-- Which rows of a delivery are stored already, and whether they differ from what is delivered. Gone with the transaction.
create temporary table found on commit drop as
select s.row_number,
       (o.warehouse, o.carrier, o.promised_delivery_date, o.actual_delivery_date, o.fulfillment_status, o.sla_met,
        o.days_to_ship)
       is distinct from (s.warehouse, s.carrier, s.promised_delivery_date, s.actual_delivery_date, s.fulfillment_status, s.sla_met,
        s.days_to_ship) as differs,
       o.promised_delivery_date as old_day
from pg_temp.staged s
join shoppulse.fulfillment o on o.tenant_id = %(tenant_id)s and o.order_id = s.row_key;
