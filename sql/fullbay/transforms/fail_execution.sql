-- A run that failed, with what it had read and stored by then. Key: execution_id. May be re-run.
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
from fullbay.run_counts(%(execution_id)s) as seen
where run.execution_id = %(execution_id)s
