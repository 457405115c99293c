-- What the client delivered (record_count of API_FETCH) = stored + unchanged + quarantined in the run's ledger, and the run's record is
-- closed with these numbers. A run that fetched nothing has nothing to compare. Result: one row. Read only.
with fetched as (
    select coalesce(sum(record_count), 0) as delivered
    from fullbay.data_processing_log where execution_id = %(execution_id)s and processing_stage = 'API_FETCH'
), compared as (
    select fetched.delivered, run.execution_id, run.status,
        seen.inserted + seen.updated + seen.unchanged + seen.quarantined as accounted,
        fetched.delivered = 0 or run.status in ('SUCCESS', 'PARTIAL') and run.records_processed = fetched.delivered
            and run.raw_records_stored = seen.inserted + seen.updated as recorded
    from fetched
    cross join fullbay.run_counts(%(execution_id)s) as seen
    join fullbay.ingestion_metadata as run on run.execution_id = %(execution_id)s
)
select greatest(delivered, accounted, 1)::bigint,
    case when delivered = accounted and recorded then 0 else greatest(abs(delivered - accounted), 1) end::bigint,
    delivered::text, accounted::text, array[concat_ws(' ', execution_id, status)]
from compared
