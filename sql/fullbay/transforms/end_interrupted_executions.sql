-- Closes runs that never said how they ended and of which nothing is left (abandoned_executions), unless a lease of theirs is alive: a
-- step that lost the connection of its records, and with it their lock, may still write. One taken for dead too early is opened again
-- by its next step or by its own close. The lock is tried so that no step begins meanwhile. May be re-run.
with silent as materialized (
    select dead.execution_id
    from fullbay.abandoned_executions() as dead
    where dead.execution_id <> %(execution_id)s
        and not exists (
            select
            from ops.write_leases as lease
            join pg_catalog.pg_locks as held
                on held.locktype = 'advisory' and held.classid = 7421 and held.objid = lease.lease_id::int::oid and held.granted
            where lease.execution_id = dead.execution_id
        )
)
update fullbay.ingestion_metadata as run
set status = 'ERROR',
    end_time = current_timestamp,
    error_type = 'INTERRUPTED',
    error_message = 'The run ended without closing its record: killed, or its machine lost. The next run of its dates completes them.'
from silent
where run.execution_id = silent.execution_id and run.status = 'RUNNING'
    and pg_try_advisory_xact_lock(7422, hashtext(silent.execution_id))
