-- Held versions of invoices that have since been stored in full: nothing is left to replay. May be re-run.
update fullbay.invoice_quarantine
set resolved_at = current_timestamp, resolution = %(resolution)s
where fullbay_invoice_id = any(%(ids)s) and resolved_at is null
