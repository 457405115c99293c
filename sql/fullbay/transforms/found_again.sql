-- Invoices that were flagged as missing and are back at the source. May be re-run.
update fullbay.invoice_headers
set missing_since = null, updated_at = current_timestamp
where fullbay_invoice_id = any(%(ids)s) and missing_since is not null
