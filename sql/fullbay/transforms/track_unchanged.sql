-- The tracker's line of the invoices that this run saw unchanged, once for each run. Result: one row per invoice marked.
select fullbay.mark_invoice_processed(
    seen.fullbay_invoice_id, 'SKIPPED', 'UNCHANGED', seen.content_hash, seen.execution_id
)
from fullbay.ingestion_run_invoices as seen
where seen.execution_id = %(execution_id)s
    and seen.outcome = 'UNCHANGED'
    and not exists (
        select from fullbay.processed_invoices_tracker as tracker
        where tracker.fullbay_invoice_id = seen.fullbay_invoice_id and tracker.last_execution_id = seen.execution_id
    )
order by seen.fullbay_invoice_id
