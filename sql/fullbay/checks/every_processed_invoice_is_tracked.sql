-- Each processed document of the dates has its line in the tracker, with the same content. Result: one row. Read only.
with compared as (
    select raw.fullbay_invoice_id, tracker.last_content_hash is distinct from raw.content_hash as wrong
    from fullbay.fullbay_raw_data as raw
    left join fullbay.processed_invoices_tracker as tracker using (fullbay_invoice_id)
    where raw.invoice_date between %(first)s and %(last)s and raw.processed
)
select count(*), count(*) filter (where wrong), count(*)::text, count(*) filter (where not wrong)::text,
    (array_agg(fullbay_invoice_id order by fullbay_invoice_id) filter (where wrong))[1:10]
from compared
