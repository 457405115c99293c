-- Which of these invoices are stored with their lines. Read only.
select fullbay_invoice_id from fullbay.fullbay_raw_data where fullbay_invoice_id = any(%(ids)s) and processed
