-- Rows whose order their tenant has not delivered: they wait for it.
insert into pg_temp.put_aside (row_number, row_key, code)
select s.row_number, s.row_key, 'ORDER_UNKNOWN'
from pg_temp.staged s
where not exists (select from shoppulse.orders o where o.tenant_id = %(tenant_id)s and o.order_id = s.row_key);
