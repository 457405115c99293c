-- A run that came to its end, with its counts taken from what it logged. Key: execution_id. May be re-run.
-- SUCCESS: nothing is held back; PARTIAL: some invoices are in the quarantine; the rest is stored. One that failed stays failed;
-- one that was taken for killed and comes to its end was not.
with held as (
    select count(distinct coalesce(fullbay_invoice_id, payload_hash)) as held
    from fullbay.invoice_quarantine where execution_id = %(execution_id)s and resolved_at is null
), calls as (
    select
        count(*) filter (where error_message is not null) as errors,
        round(avg(response_time_ms)) as milliseconds,
        max(response_status_code) as status_code
    from fullbay.api_request_log where execution_id = %(execution_id)s
), queries as (
    select
        count(*) filter (where query_type <> 'CONNECT') as queries,
        count(*) filter (where error_message is not null) as errors,
        round(avg(execution_time_ms) filter (where query_type = 'CONNECT')) as connect_milliseconds
    from fullbay.database_query_log where execution_id = %(execution_id)s
), stages as (
    select
        coalesce(sum(record_count) filter (where processing_stage = 'DB_INSERT'), 0) as lines,
        max(memory_usage_mb) as memory
    from fullbay.data_processing_log where execution_id = %(execution_id)s
)
update fullbay.ingestion_metadata as run
set status = case when held.held > 0 then 'PARTIAL' else 'SUCCESS' end,
    end_time = clock_timestamp(),
    total_duration_seconds = extract(epoch from clock_timestamp() - run.start_time),
    records_processed = seen.processed,
    records_inserted = seen.inserted,
    records_updated = seen.updated,
    records_failed = held.held,
    raw_records_stored = seen.inserted + seen.updated,
    line_items_created = stages.lines,
    api_response_time_ms = calls.milliseconds,
    api_status_code = calls.status_code,
    api_error_count = calls.errors,
    db_connection_time_ms = queries.connect_milliseconds,
    db_query_count = queries.queries,
    db_error_count = queries.errors,
    memory_usage_mb = stages.memory,
    error_message = null,
    error_type = null,
    error_stack_trace = null
from fullbay.run_counts(%(execution_id)s) as seen, held, calls, queries, stages
where run.execution_id = %(execution_id)s and (run.status <> 'ERROR' or run.error_type = 'INTERRUPTED')
returning run.status, run.records_processed, run.records_inserted, run.records_updated, run.records_failed,
    run.line_items_created, run.total_duration_seconds, run.db_query_count, run.api_error_count
