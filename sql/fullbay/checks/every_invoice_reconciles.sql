-- Invoices of the dates for which an identity failed by more than five cents. Result: one row. Read only.
select count(*), count(*) filter (where not header.reconciled), '0', count(*) filter (where not header.reconciled)::text,
    (array_agg(header.fullbay_invoice_id || ': ' || left(raw.processing_errors, 200) order by header.fullbay_invoice_id)
        filter (where not header.reconciled))[1:10]
from fullbay.invoice_headers as header
join fullbay.fullbay_raw_data as raw on raw.id = header.raw_data_id
where header.invoice_date between %(first)s and %(last)s
