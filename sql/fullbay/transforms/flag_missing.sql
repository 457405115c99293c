-- Invoices stored for these dates that the source no longer shows there: voided or re-dated. Flagged, never deleted.
-- Grain of the result: one row per newly flagged invoice. May be re-run: an invoice is flagged once.
update fullbay.invoice_headers
set missing_since = current_timestamp, updated_at = current_timestamp
where shop_key = %(shop_key)s
    and invoice_date between %(first)s and %(last)s
    and missing_since is null
    -- Hashed whatever the statistics say: on tables that were never analysed an anti join compared all with all.
    and fullbay_invoice_id not in (
        select seen.fullbay_invoice_id
        from fullbay.ingestion_run_invoices as seen
        where seen.execution_id = %(execution_id)s and seen.shop_key = %(shop_key)s and seen.fullbay_invoice_id is not null
    )
returning fullbay_invoice_id, invoice_date, total_amount
