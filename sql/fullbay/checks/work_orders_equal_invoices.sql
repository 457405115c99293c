-- Each service order of the dates has a work order whose total is the sum of its invoices. Result: one row. Read only.
with stated as (
    select service_order_id, sum(total_amount) as amount
    from fullbay.invoice_headers
    where service_order_id in (
        select service_order_id from fullbay.invoice_headers where invoice_date between %(first)s and %(last)s
    )
    group by service_order_id
), compared as (
    select stated.*, work_order.total_amount, work_order.total_amount is distinct from stated.amount as wrong
    from stated
    left join fullbay.fullbay_work_orders as work_order on work_order.fullbay_id = stated.service_order_id
)
select count(*), count(*) filter (where wrong), sum(amount)::text, sum(total_amount)::text,
    (array_agg(service_order_id order by service_order_id) filter (where wrong))[1:10]
from compared
