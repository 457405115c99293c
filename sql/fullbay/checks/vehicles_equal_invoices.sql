-- The vehicles whose invoices this run changed have the revenue and number of their distinct invoices; and all vehicles together,
-- with the invoices that have none, have the revenue of all days. So the cost follows the change. Result: one row. Read only.
with touched as (
    select distinct line.unit_vin
    from fullbay.ingestion_run_invoices as seen
    join fullbay.fullbay_line_items as line using (fullbay_invoice_id)
    where seen.execution_id = %(execution_id)s and seen.outcome in ('NEW', 'CHANGED')
), invoices as (
    select distinct on (fullbay_invoice_id) fullbay_invoice_id, nullif(btrim(unit_vin), '') as unit_vin, invoice_total
    from fullbay.fullbay_line_items
    where unit_vin = any(array(select unit_vin from touched)) and nullif(btrim(unit_vin), '') is not null
    order by fullbay_invoice_id
), stated as (
    select unit_vin, sum(invoice_total) as revenue, count(*) as invoices from invoices group by 1
), compared as (
    select stated.unit_vin::text as key,
        (stated.revenue, stated.invoices) is distinct from (summary.total_revenue, summary.total_invoices::bigint) as wrong
    from stated
    left join fullbay.vehicle_summary as summary using (unit_vin)
), without as (
    select coalesce(sum(invoice_total), 0) as revenue
    from (
        select distinct fullbay_invoice_id, invoice_total
        from fullbay.fullbay_line_items
        where unit_vin is null
    ) as invoice
), sums as (
    select
        (select coalesce(sum(total_revenue), 0) from fullbay.daily_summary) as expected,
        (select coalesce(sum(total_revenue), 0) from fullbay.vehicle_summary) + without.revenue as actual
    from without
)
select
    1 + (select count(*) from compared),
    (select count(*) from compared where wrong) + (expected <> actual)::integer,
    expected::text,
    actual::text,
    (select (array_agg(key order by key))[1:10] from compared where wrong)
from sums
