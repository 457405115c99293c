-- Jobs whose source was away and whose next attempt is due, and what they were asked for.
select job_id::text, source_system, attempts, coalesce(config, '{}')
from ops.sync_jobs
where status = 'pending_retry' and next_attempt_at <= current_timestamp
order by next_attempt_at;
