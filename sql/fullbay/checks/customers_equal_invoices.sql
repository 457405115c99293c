-- The customers whose invoices this run changed have the revenue and number of their distinct invoices; and all customers together,
-- with the invoices that have none, have the revenue of all days. So the cost follows the change. Result: one row. Read only.
with touched as (
    select distinct line.customer_id
    from fullbay.ingestion_run_invoices as seen
    join fullbay.fullbay_line_items as line using (fullbay_invoice_id)
    where seen.execution_id = %(execution_id)s and seen.outcome in ('NEW', 'CHANGED')
), invoices as (
    select distinct on (fullbay_invoice_id) fullbay_invoice_id, customer_id, invoice_total
    from fullbay.fullbay_line_items
    where customer_id = any(array(select customer_id from touched))
    order by fullbay_invoice_id
), stated as (
    select customer_id, sum(invoice_total) as revenue, count(*) as invoices from invoices group by 1
), compared as (
    select stated.customer_id::text as key,
        (stated.revenue, stated.invoices) is distinct from (summary.total_revenue, summary.total_invoices::bigint) as wrong
    from stated
    left join fullbay.customer_summary as summary using (customer_id)
), without as (
    select coalesce(sum(invoice_total), 0) as revenue
    from (
        select distinct fullbay_invoice_id, invoice_total
        from fullbay.fullbay_line_items
        where customer_id is null
    ) as invoice
), sums as (
    select
        (select coalesce(sum(total_revenue), 0) from fullbay.daily_summary) as expected,
        (select coalesce(sum(total_revenue), 0) from fullbay.customer_summary) + without.revenue as actual
    from without
)
select
    1 + (select count(*) from compared),
    (select count(*) from compared where wrong) + (expected <> actual)::integer,
    expected::text,
    actual::text,
    (select (array_agg(key order by key))[1:10] from compared where wrong)
from sums
