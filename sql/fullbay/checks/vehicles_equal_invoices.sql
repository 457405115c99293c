-- The vehicles whose invoices this run changed have the revenue and number of their invoices; and all vehicles together, with the
-- invoices that have none, have the revenue of all days. From the headers, so no line is read. Result: one row. Read only.
with touched as (
    select distinct header.unit_vin
    from fullbay.ingestion_run_invoices as seen
    join fullbay.invoice_headers as header using (fullbay_invoice_id)
    where seen.execution_id = %(execution_id)s and seen.outcome in ('NEW', 'CHANGED') and header.unit_vin is not null
), stated as (
    select unit_vin, sum(shown_total) as revenue, count(*) as invoices
    from fullbay.invoice_headers
    where unit_vin = any(array(select unit_vin from touched)) and shown_date is not null
    group by unit_vin
), compared as (
    select stated.unit_vin::text as key,
        (stated.revenue, stated.invoices) is distinct from (summary.total_revenue, summary.total_invoices::bigint) as wrong
    from stated
    left join fullbay.vehicle_summary as summary using (unit_vin)
), sums as materialized (
    select
        (select coalesce(sum(total_revenue), 0) from fullbay.daily_summary) as expected,
        (select coalesce(sum(total_revenue), 0) from fullbay.vehicle_summary) + (
            select coalesce(sum(shown_total), 0)
            from fullbay.invoice_headers
            where unit_vin is null and shown_date is not null
        ) as actual
)
select
    1 + (select count(*) from compared),
    (select count(*) from compared where wrong) + (expected <> actual)::integer,
    expected::text,
    actual::text,
    (select (array_agg(key order by key))[1:10] from compared where wrong)
from sums
