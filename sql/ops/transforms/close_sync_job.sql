-- The end of an attempt of a sync: its status, its counts over all tables, and what went wrong.
update ops.sync_jobs j
set status = %(status)s,
    completed_at = case when %(status)s = 'pending_retry' then null else current_timestamp end,
    next_attempt_at = case when %(status)s = 'pending_retry' then current_timestamp + %(retry_after)s * interval '1 second' end,
    notified_at = case when %(notified)s then coalesce(notified_at, current_timestamp) else notified_at end,
    records_processed = t.processed, records_inserted = t.inserted, records_updated = t.updated, records_unchanged = t.unchanged,
    records_deleted = t.deleted, records_failed = t.failed + %(refused_values)s,
    error_message = %(error_message)s, error_details = %(error_details)s
from (
    select coalesce(sum(source_rows), 0) as processed, coalesce(sum(inserted), 0) as inserted, coalesce(sum(updated), 0) as updated,
           coalesce(sum(unchanged), 0) as unchanged, coalesce(sum(deleted), 0) as deleted, coalesce(sum(quarantined), 0) as failed
    from ops.table_syncs
    where job_id = %(job_id)s::uuid
) t
where j.job_id = %(job_id)s::uuid;
