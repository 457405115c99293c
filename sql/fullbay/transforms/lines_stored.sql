-- Documents whose lines are stored now. errors: what did not reconcile, or null. Guarded by the content hash: a
-- document that changed in between keeps waiting. Grain: one row per invoice. May be re-run.
with stored as (
    select *
    from unnest(%(ids)s::bigint[], %(hashes)s::text[], %(errors)s::text[], %(customers)s::integer[], %(vins)s::text[])
        as s (id, content_hash, errors, customer_id, unit_vin)
), marked as (
    update fullbay.fullbay_raw_data as raw
    set processed = true, processing_errors = stored.errors
    from stored
    where raw.id = stored.id and raw.content_hash = stored.content_hash
    returning raw.id, stored.errors, stored.customer_id, stored.unit_vin
)
-- Date and total from the header's own reading of the document, so that a check of them is a second path to the summaries.
update fullbay.invoice_headers as header
set reconciled = marked.errors is null,
    shown_date = header.invoice_date,
    shown_total = header.total_amount,
    customer_id = marked.customer_id,
    unit_vin = nullif(btrim(marked.unit_vin), '')
from marked
where header.raw_data_id = marked.id
returning header.fullbay_invoice_id
