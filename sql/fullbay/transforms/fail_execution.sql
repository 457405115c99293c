-- A run that failed, with what it had read and stored by then. Key: execution_id. May be re-run.
with seen as (
    select
        count(*) filter (where outcome <> 'VANISHED') as processed,
        count(*) filter (where outcome = 'NEW') as inserted,
        count(*) filter (where outcome = 'CHANGED') as updated,
        count(*) filter (where outcome = 'QUARANTINED') as quarantined
    from fullbay.ingestion_run_invoices where execution_id = %(execution_id)s
)
update fullbay.ingestion_metadata as run
set status = 'ERROR',
    end_time = clock_timestamp(),
    total_duration_seconds = extract(epoch from clock_timestamp() - run.start_time),
    records_processed = seen.processed,
    records_inserted = seen.inserted,
    records_updated = seen.updated,
    records_failed = seen.quarantined,
    raw_records_stored = seen.inserted + seen.updated,
    error_message = %(message)s,
    error_type = %(type)s,
    error_stack_trace = %(trace)s
from seen
where run.execution_id = %(execution_id)s
