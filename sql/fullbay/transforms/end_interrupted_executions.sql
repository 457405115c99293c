-- Runs that never said how they ended and of which nothing is left: no step of theirs began or ended for 6 hours, and none is
-- alive (hold_execution.sql). Age alone would end the record of a long load from the command line. May be re-run.
with silent as materialized (
    select run.execution_id
    from fullbay.ingestion_metadata as run
    where run.status = 'RUNNING'
        and run.start_time < current_timestamp - interval '6 hours'
        and run.execution_id <> %(execution_id)s
        and not exists (
            select from fullbay.performance_metrics_log as step
            where step.execution_id = run.execution_id and step.metric_timestamp > current_timestamp - interval '6 hours'
        )
)
update fullbay.ingestion_metadata as run
set status = 'ERROR',
    end_time = current_timestamp,
    error_type = 'INTERRUPTED',
    error_message = 'The run ended without closing its record: killed, or its machine lost. The next run of its dates completes them.'
from silent
where run.execution_id = silent.execution_id and pg_try_advisory_xact_lock(7422, hashtext(silent.execution_id))
