-- The tracker's line of each invoice, by the function that the seed names. Grain: one row per invoice.
select fullbay.mark_invoice_processed(
    marked.invoice_id, %(status)s, %(reason)s, marked.content_hash, %(execution_id)s
)
from unnest(%(ids)s::text[], %(hashes)s::text[]) as marked (invoice_id, content_hash)
order by marked.invoice_id
