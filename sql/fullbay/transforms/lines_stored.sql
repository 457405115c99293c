-- Documents whose lines are stored now. errors: what did not reconcile, or null. Guarded by the content hash: a
-- document that changed in between keeps waiting. Grain: one row per invoice. May be re-run.
with stored as (
    select * from unnest(%(ids)s::bigint[], %(hashes)s::text[], %(errors)s::text[]) as s (id, content_hash, errors)
), marked as (
    update fullbay.fullbay_raw_data as raw
    set processed = true, processing_errors = stored.errors
    from stored
    where raw.id = stored.id and raw.content_hash = stored.content_hash
    returning raw.id, raw.fullbay_invoice_id, raw.content_hash, stored.errors
)
update fullbay.invoice_headers as header
set reconciled = marked.errors is null
from marked
where header.raw_data_id = marked.id
returning header.fullbay_invoice_id
