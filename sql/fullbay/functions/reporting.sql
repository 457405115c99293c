-- The three reporting functions of the seed, and what tells a killed run from one at work. Each log table is aggregated on its own before the join: joined first, the published ones
-- multiplied the row counts of six tables. Days are UTC days whatever the session's zone.

-- One row for a known run, none for an unknown one. Errors of calls and queries are the rows with an error_message.
create or replace function fullbay.get_execution_summary(p_execution_id varchar(255))
returns table (
    execution_id varchar(255), status varchar(50), start_time timestamptz, end_time timestamptz, total_duration_seconds numeric(10, 2),
    records_processed integer, records_inserted integer, records_failed integer, api_requests_count integer, api_errors_count integer,
    db_queries_count integer, db_errors_count integer, processing_stages_count integer, errors_count integer,
    quality_checks_count integer, validations_count integer, avg_api_response_time_ms integer, avg_db_query_time_ms integer,
    avg_processing_time_ms integer
)
language sql stable as $$
    select
        m.execution_id, m.status, m.start_time, m.end_time, m.total_duration_seconds, m.records_processed, m.records_inserted,
        m.records_failed, api.n, api.errors, db.n, db.errors, stages.n, errors.n, quality.n, validations.n, api.mean, db.mean,
        stages.mean
    from fullbay.ingestion_metadata as m
    cross join lateral (
        select count(*)::integer as n, count(l.error_message)::integer as errors, round(avg(l.response_time_ms))::integer as mean
        from fullbay.api_request_log as l where l.execution_id = m.execution_id
    ) as api
    cross join lateral (
        select count(*)::integer as n, count(l.error_message)::integer as errors, round(avg(l.execution_time_ms))::integer as mean
        from fullbay.database_query_log as l where l.execution_id = m.execution_id
    ) as db
    cross join lateral (
        select count(*)::integer as n, round(avg(l.processing_time_ms))::integer as mean
        from fullbay.data_processing_log as l where l.execution_id = m.execution_id
    ) as stages
    cross join lateral (
        select count(*)::integer as n from fullbay.error_tracking_log as l where l.execution_id = m.execution_id
    ) as errors
    cross join lateral (
        select count(*)::integer as n from fullbay.data_quality_log as l where l.execution_id = m.execution_id
    ) as quality
    cross join lateral (
        select count(*)::integer as n from fullbay.business_validation_log as l where l.execution_id = m.execution_id
    ) as validations
    where m.execution_id = p_execution_id
$$;

-- Runs that are RUNNING by their row and of which nothing is alive: none of their steps began or ended for a minute, and no connection
-- holds their lock (hold_execution.sql). A step holds it while it works, and a Dagster run between two steps as well; the minute is for
-- steps with a process each. One row per run.
create or replace function fullbay.abandoned_executions()
returns table (execution_id varchar(255))
language sql stable as $$
    select m.execution_id
    from fullbay.ingestion_metadata as m
    where m.status = 'RUNNING'
        and m.start_time < clock_timestamp() - interval '1 minute'
        and not exists (
            select from fullbay.performance_metrics_log as step
            where step.execution_id = m.execution_id and step.metric_timestamp > clock_timestamp() - interval '1 minute'
        )
        and not exists (
            select from pg_catalog.pg_locks as held
            where held.locktype = 'advisory' and held.classid = 7422 and held.objid = hashtext(m.execution_id)::oid
                and held.objsubid = 2 and held.granted
                and held.database = (select d.oid from pg_catalog.pg_database as d where d.datname = current_database())
        )
$$;

-- Runs started within the last p_hours_back hours that have an error row or the status ERROR, or were killed and not closed yet, newest
-- first. error_summary: the distinct messages in alphabetical order; a failed run without error rows gives its own message.
create or replace function fullbay.get_recent_executions_with_errors(p_hours_back integer default 24)
returns table (
    execution_id varchar(255), start_time timestamptz, status varchar(50), error_count integer, critical_errors integer,
    error_summary text
)
language sql stable as $$
    select
        m.execution_id, m.start_time, m.status, errors.n, errors.critical,
        coalesce(
            errors.messages, m.error_message,
            case when killed.execution_id is not null then 'No process of this run is alive: killed. The next run closes its record.' end
        )
    from fullbay.ingestion_metadata as m
    left join fullbay.abandoned_executions() as killed on killed.execution_id = m.execution_id
    cross join lateral (
        select
            count(*)::integer as n,
            count(*) filter (where l.error_level = 'CRITICAL')::integer as critical,
            string_agg(distinct l.error_message, '; ' order by l.error_message) as messages
        from fullbay.error_tracking_log as l
        where l.execution_id = m.execution_id
    ) as errors
    where m.start_time >= current_timestamp - make_interval(hours => p_hours_back)
        and (errors.n > 0 or m.status = 'ERROR' or killed.execution_id is not null)
    order by m.start_time desc, m.id desc
$$;

-- One row per UTC day of start_time, newest first, since p_days_back days before today. Rates in percent of all runs of the day (PARTIAL
-- and RUNNING are in neither); mean times are over all calls and statements of the day's runs.
create or replace function fullbay.get_performance_trends(p_days_back integer default 7)
returns table (
    execution_date date, total_executions integer, avg_duration_seconds numeric(10, 2), avg_api_response_time_ms integer,
    avg_db_query_time_ms integer, success_rate numeric(5, 2), error_rate numeric(5, 2)
)
language sql stable as $$
    with runs as (
        select
            (m.start_time at time zone 'UTC')::date as day, m.status, m.total_duration_seconds, api.total as api_ms, api.n as api_calls,
            db.total as db_ms, db.n as db_queries
        from fullbay.ingestion_metadata as m
        cross join lateral (
            select sum(l.response_time_ms) as total, count(l.response_time_ms) as n
            from fullbay.api_request_log as l where l.execution_id = m.execution_id
        ) as api
        cross join lateral (
            select sum(l.execution_time_ms) as total, count(l.execution_time_ms) as n
            from fullbay.database_query_log as l where l.execution_id = m.execution_id
        ) as db
        where m.start_time >= ((current_timestamp at time zone 'UTC')::date - p_days_back)::timestamp at time zone 'UTC'
    )
    select
        day,
        count(*)::integer,
        round(avg(total_duration_seconds), 2),
        round(sum(api_ms) / nullif(sum(api_calls), 0))::integer,
        round(sum(db_ms) / nullif(sum(db_queries), 0))::integer,
        round(100.0 * count(*) filter (where status = 'SUCCESS') / count(*), 2),
        round(100.0 * count(*) filter (where status = 'ERROR') / count(*), 2)
    from runs
    group by day
    order by day desc
$$;
