-- The tracker's line of the invoices that this run saw unchanged. Result: one row per invoice.
select fullbay.mark_invoice_processed(
    seen.fullbay_invoice_id, 'SKIPPED', 'UNCHANGED', seen.content_hash, seen.execution_id
)
from fullbay.ingestion_run_invoices as seen
where seen.execution_id = %(execution_id)s and seen.outcome = 'UNCHANGED'
order by seen.fullbay_invoice_id
