-- The state of every sync. Grain: one row per job of one source system; key job_id. Read only, for the analysts too: no settings of
-- a job and no details of an error, which may quote the source.
-- A job that waits for its source keeps its row: status pending_retry, next_attempt_at.
create or replace view ops.sync_status as
select
    j.job_id,
    j.source_system,
    j.job_type,
    j.status,
    j.created_at,
    j.started_at,
    j.completed_at,
    round(extract(epoch from coalesce(
        j.completed_at, case when j.status = 'running' then current_timestamp at time zone 'UTC' end
    ) - j.started_at), 3) as duration_seconds,
    coalesce(j.records_processed, 0) as records_processed,
    coalesce(j.records_inserted, 0) as records_inserted,
    coalesce(j.records_updated, 0) as records_updated,
    coalesce(j.records_unchanged, 0) as records_unchanged,
    coalesce(j.records_deleted, 0) as records_deleted,
    coalesce(j.records_failed, 0) as records_failed,
    coalesce(t.tables_done, 0) as tables_done,
    case jsonb_typeof(j.error_details -> 'tables')
        when 'object' then (select count(*) from jsonb_object_keys(j.error_details -> 'tables'))
        when 'array' then jsonb_array_length(j.error_details -> 'tables')
        else 0
    end::bigint as tables_failed,
    t.rows_read,
    j.attempts,
    j.next_attempt_at,
    j.notified_at,
    j.error_message,
    j.run_id,
    j.is_latest
from (
    select
        s.*,
        row_number() over (
            partition by s.source_system order by coalesce(s.started_at, s.created_at) desc, s.job_id desc
        ) = 1 as is_latest
    from ops.sync_jobs as s
) as j
left join (
    select s.job_id, count(distinct s.raw_table) as tables_done, sum(s.rows_read)::bigint as rows_read
    from ops.table_syncs as s
    group by s.job_id
) as t on t.job_id = j.job_id;

comment on view ops.sync_status is 'One row per sync of one source system: state, duration, counts, next attempt';
comment on column ops.sync_status.job_id is 'The sync; also _sync_batch_id of the rows it wrote';
comment on column ops.sync_status.source_system is 'odoo or apn';
comment on column ops.sync_status.job_type is 'full_sync or incremental';
comment on column ops.sync_status.status is 'pending, running, success, partial, failed or pending_retry';
comment on column ops.sync_status.created_at is 'When the job was asked for, UTC';
comment on column ops.sync_status.started_at is 'When its last attempt began, UTC';
comment on column ops.sync_status.completed_at is 'When it ended, UTC; null while it runs or waits';
comment on column ops.sync_status.duration_seconds is 'From start to end; of a running job until now; null for one that waits';
comment on column ops.sync_status.records_processed is 'Rows looked at in the source';
comment on column ops.sync_status.records_inserted is 'Rows new in the mirror';
comment on column ops.sync_status.records_updated is 'Rows changed in the mirror';
comment on column ops.sync_status.records_unchanged is 'Rows found as they were';
comment on column ops.sync_status.records_deleted is 'Rows marked as gone from the source';
comment on column ops.sync_status.records_failed is 'Rows or values put into quarantine';
comment on column ops.sync_status.tables_done is 'Tables that were mirrored';
comment on column ops.sync_status.tables_failed is 'Tables named in the job''s error details: not mirrored by it';
comment on column ops.sync_status.rows_read is 'Full rows transferred, all tables; null when no table was mirrored';
comment on column ops.sync_status.attempts is 'How often it was tried';
comment on column ops.sync_status.next_attempt_at is 'When it will be tried again, UTC; set while it waits for its source';
comment on column ops.sync_status.notified_at is 'When operations were told that the source stays away, UTC';
comment on column ops.sync_status.error_message is 'Why it failed or waits';
comment on column ops.sync_status.run_id is 'The Dagster run of the last attempt';
comment on column ops.sync_status.is_latest is 'Whether it is the newest job of its source system';

-- The run book has no grant for analysts but the one on its views.
grant usage on schema ops to analyst;
grant select on ops.sync_status to odoo_apn_writer, analyst;
