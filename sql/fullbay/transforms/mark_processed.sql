-- The tracker's line of each invoice, by the function that the seed names, for a whole batch. Grain: one row per invoice.
select *
from fullbay.mark_invoices_processed(
    %(ids)s::text[], %(status)s, %(reason)s, %(hashes)s::text[], %(execution_id)s
)
