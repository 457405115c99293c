-- The tracker's line of the invoices that this run saw unchanged, once for each run. Result: one row per invoice marked.
with unmarked as (
    select seen.fullbay_invoice_id, max(seen.content_hash) as content_hash
    from fullbay.ingestion_run_invoices as seen
    where seen.execution_id = %(execution_id)s
        and seen.outcome = 'UNCHANGED'
        and not exists (
            select from fullbay.processed_invoices_tracker as tracker
            where tracker.fullbay_invoice_id = seen.fullbay_invoice_id and tracker.last_execution_id = seen.execution_id
        )
    group by seen.fullbay_invoice_id
)
select marked.*
from (select array_agg(fullbay_invoice_id::text) as ids, array_agg(content_hash::text) as hashes from unmarked) as listed
cross join lateral fullbay.mark_invoices_processed(
    listed.ids, 'SKIPPED', 'UNCHANGED', listed.hashes, %(execution_id)s
) as marked
