-- Fetched = stored: each invoice this run received and accepted stands in the warehouse with that content.
-- Result: one row: checked, failed, expected and actual sum of totals, first examples. Read only.
with received as (
    select distinct on (fullbay_invoice_id) fullbay_invoice_id, content_hash, total_amount
    from fullbay.ingestion_run_invoices
    where execution_id = %(execution_id)s and outcome in ('NEW', 'CHANGED', 'UNCHANGED')
    order by fullbay_invoice_id, seen_at desc
), compared as (
    select received.*, header.total_amount as stored_amount,
        raw.content_hash is distinct from received.content_hash or header.total_amount is distinct from received.total_amount as wrong
    from received
    left join fullbay.invoice_headers as header using (fullbay_invoice_id)
    left join fullbay.fullbay_raw_data as raw on raw.id = header.raw_data_id
)
select count(*), count(*) filter (where wrong), sum(total_amount)::text, sum(stored_amount)::text,
    (array_agg(fullbay_invoice_id order by fullbay_invoice_id) filter (where wrong))[1:10]
from compared
