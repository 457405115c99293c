-- Invoices of the dates that the source no longer shows there (voided or re-dated). Result: one row. Read only.
select count(*), count(missing_since), '0', count(missing_since)::text,
    (array_agg(fullbay_invoice_id order by missing_since desc, fullbay_invoice_id) filter (where missing_since is not null))[1:10]
from fullbay.invoice_headers
where invoice_date between %(first)s and %(last)s
