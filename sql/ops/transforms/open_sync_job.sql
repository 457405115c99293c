-- The job of a sync that begins: one that waits for its source and asks for nothing that this sync does not do, or a new one. Called under the source's lease, so a job that
-- still says "running" belongs to a process that is gone.
with interrupted as (
    update ops.sync_jobs
    set status = 'failed', completed_at = current_timestamp,
        error_message = 'interrupted: its process ended without a word; the next sync continues from the last commit'
    where source_system = %(source_system)s and status = 'running'
),
waiting as (
    select job_id
    from ops.sync_jobs
    where source_system = %(source_system)s and status = 'pending_retry'
      and coalesce((config -> 'tables') <@ (%(config)s::jsonb -> 'tables'), true)
      and (config ->> 'full' is distinct from 'true' or %(config)s::jsonb ->> 'full' = 'true')
      and (config ->> 'resync' is distinct from 'true' or %(config)s::jsonb ->> 'resync' = 'true')
    order by created_at
    limit 1
),
resumed as (
    update ops.sync_jobs j
    set status = 'running', started_at = current_timestamp, completed_at = null, next_attempt_at = null, attempts = j.attempts + 1,
        job_type = %(job_type)s, config = %(config)s, run_id = %(run_id)s
    from waiting w
    where j.job_id = w.job_id
    returning j.job_id, j.attempts, j.notified_at
),
opened as (
    insert into ops.sync_jobs (source_system, job_type, status, started_at, config, attempts, run_id)
    select %(source_system)s, %(job_type)s, 'running', current_timestamp, %(config)s, 1, %(run_id)s
    where not exists (select from waiting)
    returning job_id, attempts, notified_at
)
select job_id::text, attempts, notified_at is not null from resumed
union all
select job_id::text, attempts, notified_at is not null from opened;
