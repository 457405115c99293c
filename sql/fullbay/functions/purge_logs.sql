-- Deletes runs that were recorded longer ago than the interval, with all their log rows, and returns how many rows went, by table.
-- A run that still says RUNNING is kept whatever its age: somebody should find out what became of it. Invoices are never touched.
create or replace function fullbay.purge_logs(p_older_than interval) returns table (table_name text, rows_deleted bigint)
language plpgsql as $$
declare
    v_runs varchar(255)[];
begin
    if p_older_than is null or p_older_than < interval '0' then
        raise exception 'purge_logs: % is no age', coalesce(quote_literal(p_older_than), 'null')
            using errcode = 'invalid_parameter_value',
                  hint = 'Give the age from which on runs are deleted, as in purge_logs(interval ''90 days'').';
    end if;
    v_runs := array(
        select m.execution_id from fullbay.ingestion_metadata as m
        where m.created_at < current_timestamp - p_older_than and m.status <> 'RUNNING'
        order by m.id
        for update
    );
    foreach table_name in array array[
        'api_request_log', 'database_query_log', 'data_processing_log', 'performance_metrics_log', 'error_tracking_log',
        'data_quality_log', 'business_validation_log', 'ingestion_run_invoices', 'ingestion_metadata'
    ] loop
        execute format('delete from fullbay.%I where execution_id = any($1)', table_name) using v_runs;
        get diagnostics rows_deleted = row_count;
        return next;
    end loop;
end
$$;
