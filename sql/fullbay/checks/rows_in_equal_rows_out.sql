-- Received = stored + unchanged + quarantined, and the run's record is closed with these numbers. Result: one row. Read only.
with seen as (
    select count(*) filter (where outcome <> 'VANISHED') as received,
        count(*) filter (where outcome in ('NEW', 'CHANGED')) as stored,
        count(*) filter (where outcome = 'UNCHANGED') as unchanged,
        count(*) filter (where outcome = 'QUARANTINED') as quarantined
    from fullbay.ingestion_run_invoices where execution_id = %(execution_id)s
)
select received, case when received = 0 or run.status in ('SUCCESS', 'PARTIAL') and run.records_processed = received
        and run.raw_records_stored = stored and received = stored + unchanged + quarantined then 0 else greatest(received, 1) end,
    received::text, (stored + unchanged + quarantined)::text,
    array[concat_ws(' ', run.execution_id, run.status)]
from seen
join fullbay.ingestion_metadata as run on run.execution_id = %(execution_id)s
