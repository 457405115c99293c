-- Revenue and number of invoices of each vehicle are those of its distinct invoices. Result: one row. Read only.
with invoices as (
    select distinct on (fullbay_invoice_id) fullbay_invoice_id, nullif(btrim(unit_vin), '') as unit_vin, invoice_total
    from fullbay.fullbay_line_items
    where nullif(btrim(unit_vin), '') is not null
    order by fullbay_invoice_id
), stated as (
    select unit_vin, sum(invoice_total) as revenue, count(*) as invoices from invoices group by 1
), compared as (
    select unit_vin, stated.revenue as expected, summary.total_revenue as actual,
        (stated.revenue, stated.invoices) is distinct from (summary.total_revenue, summary.total_invoices::bigint) as wrong
    from stated full join fullbay.vehicle_summary as summary using (unit_vin)
)
select count(*), count(*) filter (where wrong), sum(expected)::text, sum(actual)::text,
    (array_agg(unit_vin::text order by unit_vin) filter (where wrong))[1:10]
from compared
