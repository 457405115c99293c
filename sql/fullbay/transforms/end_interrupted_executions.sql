-- Runs that can no longer be at work (older than any run may last) and never said how they ended. May be re-run.
update fullbay.ingestion_metadata
set status = 'ERROR',
    end_time = current_timestamp,
    error_type = 'INTERRUPTED',
    error_message = 'The run ended without closing its record: killed, or its machine lost. The next run of its dates completes them.'
where status = 'RUNNING' and start_time < current_timestamp - interval '6 hours' and execution_id <> %(execution_id)s
