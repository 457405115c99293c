-- Documents that are stored unchanged but whose lines must be built (again): an earlier run ended between the two, or
-- the last attempt failed. Key: fullbay_invoice_id. May be re-run; touches only rows that do not wait yet.
update fullbay.fullbay_raw_data
set processed = false
where fullbay_invoice_id = any(%(ids)s) and processed
