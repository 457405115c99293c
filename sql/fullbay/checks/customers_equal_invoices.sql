-- Revenue and number of invoices of each customer are those of its distinct invoices. Result: one row. Read only.
with invoices as (
    select distinct on (fullbay_invoice_id) fullbay_invoice_id, customer_id as customer_id, invoice_total
    from fullbay.fullbay_line_items
    where customer_id is not null
    order by fullbay_invoice_id
), stated as (
    select customer_id, sum(invoice_total) as revenue, count(*) as invoices from invoices group by 1
), compared as (
    select customer_id, stated.revenue as expected, summary.total_revenue as actual,
        (stated.revenue, stated.invoices) is distinct from (summary.total_revenue, summary.total_invoices::bigint) as wrong
    from stated full join fullbay.customer_summary as summary using (customer_id)
)
select count(*), count(*) filter (where wrong), sum(expected)::text, sum(actual)::text,
    (array_agg(customer_id::text order by customer_id) filter (where wrong))[1:10]
from compared
