-- Documents that wait for their lines: those of the dates, and those this run brought whatever their date (an invoice
-- may be re-dated out of the window that was asked for). With rebuild, all documents of the dates.
-- Grain: one row per invoice, in order: id and size as received. Read only.
with waiting as (
    select id
    from fullbay.fullbay_raw_data
    where invoice_date between %(first)s and %(last)s and (not processed or %(rebuild)s)
    union
    select raw.id
    from fullbay.ingestion_run_invoices as brought
    join fullbay.fullbay_raw_data as raw using (fullbay_invoice_id)
    where brought.execution_id = %(execution_id)s and brought.outcome in ('NEW', 'CHANGED') and not raw.processed
)
select waiting.id, header.payload_bytes
from waiting
join fullbay.invoice_headers as header on header.raw_data_id = waiting.id
order by waiting.id
