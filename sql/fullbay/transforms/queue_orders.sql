-- Service orders of the dates, to be derived again. Appends to the queue.
insert into fullbay.refresh_queue (target, key, execution_id)
select distinct 'WORK_ORDER', service_order_id, %(execution_id)s
from fullbay.invoice_headers
where invoice_date between %(first)s and %(last)s and service_order_id is not null
