-- The lines of invoices that are about to be stored anew, removed; what they counted for must be refreshed.
-- Grain of the result: one row per date, customer and vehicle. May be re-run.
with removed as (
    delete from fullbay.fullbay_line_items
    where fullbay_invoice_id = any(%(ids)s)
    returning invoice_date, customer_id, unit_vin
)
select distinct invoice_date, customer_id, unit_vin from removed
