-- Invoices of the dates that wait in the quarantine. Result: one row. Read only.
select
    (select count(*) from fullbay.invoice_headers where invoice_date between %(first)s and %(last)s) + count(*), count(*),
    '0', count(*)::text,
    (array_agg(concat_ws(' ', coalesce(fullbay_invoice_id, 'no id'), reason, path) order by id))[1:10]
from fullbay.invoice_quarantine
where resolved_at is null and (invoice_date is null or invoice_date between %(first)s and %(last)s)
