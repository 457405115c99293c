-- The run book of the Odoo and APN location. The first three tables are the seed's, with columns added at the end.

-- One row per sync of one source system. A job that waits for its source keeps its row over the attempts.
create table ops.sync_jobs (
    job_id uuid primary key default gen_random_uuid(),
    source_system varchar(50) not null, -- odoo or apn
    job_type varchar(50) not null, -- full_sync or incremental
    status varchar(50) default 'pending', -- pending, running, success, partial, failed, pending_retry
    started_at timestamp,
    completed_at timestamp,
    records_processed integer default 0, -- rows looked at in the source
    records_inserted integer default 0,
    records_updated integer default 0,
    records_failed integer default 0, -- rows or values in quarantine
    error_message text,
    error_details jsonb,
    config jsonb,
    created_at timestamp default current_timestamp,
    records_unchanged integer default 0,
    records_deleted integer default 0, -- marked as gone from the source
    attempts integer not null default 0,
    next_attempt_at timestamp, -- set while the status is pending_retry
    notified_at timestamp, -- when operations were told that the source stays away
    run_id text, -- the Dagster run of the last attempt
    constraint sync_jobs_status_known check (status in ('pending', 'running', 'success', 'partial', 'failed', 'pending_retry'))
);
create index idx_sync_jobs_status on ops.sync_jobs (status);
create index idx_sync_jobs_source on ops.sync_jobs (source_system);

-- One row per evaluation of a check.
create table ops.data_quality_checks (
    check_id uuid primary key default gen_random_uuid(),
    sync_job_id uuid references ops.sync_jobs (job_id),
    table_name varchar(100) not null,
    check_type varchar(100) not null,
    check_description text,
    passed boolean,
    records_checked integer,
    records_passed integer,
    records_failed integer,
    failure_details jsonb,
    executed_at timestamp default current_timestamp,
    severity varchar(10) not null default 'ERROR', -- WARN: the data goes on
    run_id text -- the Dagster run that checked
);
create index idx_quality_checks_job on ops.data_quality_checks (sync_job_id);
create index idx_quality_checks_table on ops.data_quality_checks (table_name);
create index idx_quality_checks_latest on ops.data_quality_checks (table_name, check_type, executed_at, check_id);
create index idx_quality_checks_time on ops.data_quality_checks (executed_at);

-- One row per row inserted, updated or deleted in CORE.
create table ops.transformation_log (
    log_id uuid primary key default gen_random_uuid(),
    source_table varchar(100) not null,
    target_table varchar(100) not null,
    source_record_id varchar(500),
    target_record_id uuid,
    transformation_type varchar(100), -- insert, update, delete
    transformed_at timestamp default current_timestamp,
    transformation_rules jsonb -- the version of the rules, and for an update the columns that changed
);
create index idx_transform_source on ops.transformation_log (source_table, source_record_id);
create index idx_transform_target on ops.transformation_log (target_table, target_record_id);

-- One row per mirrored table: how far the mirror has read. Committed with the rows it describes.
create table ops.mirror_state (
    raw_table text primary key,
    source_system text not null,
    watermark timestamp, -- highest value of the mark that was read; null for a table without one
    watermark_id text, -- the key of a row with that mark, so that the pair is a position
    source_xid bigint, -- transactions of the source from here on may not have been read yet
    source_identity text not null, -- which server and database that number belongs to
    hash_method text not null, -- how _row_hash was computed
    hashed_columns text[] not null, -- name and type of every column in the hash, in order
    live_rows bigint not null,
    job_id uuid not null,
    synced_at timestamp not null default current_timestamp
);

-- One row per table and sync: what was read and what it changed. source_rows = mirror_rows + quarantined - stale.
create table ops.table_syncs (
    table_sync_id bigint generated always as identity primary key,
    job_id uuid not null references ops.sync_jobs (job_id),
    raw_table text not null,
    method text not null, -- load, incremental, compare, resync
    source_rows bigint not null,
    mirror_rows bigint not null, -- live rows afterwards
    rows_read bigint not null, -- full rows transferred
    inserted bigint not null,
    updated bigint not null,
    revived bigint not null, -- of the updated: had been marked as deleted
    unchanged bigint not null,
    deleted bigint not null,
    quarantined bigint not null, -- rows that could not be stored
    stale bigint not null default 0, -- of the quarantined: an older version is still in the mirror
    source_hash numeric, -- sum of the row hashes at the source, where all were computed
    mirror_hash numeric, -- the same sum over the mirror's own content
    seconds double precision not null,
    finished_at timestamp not null default current_timestamp
);
create index idx_table_syncs_table on ops.table_syncs (raw_table, table_sync_id);
create index idx_table_syncs_job on ops.table_syncs (job_id);

-- One row per difference between the catalogue and the source; closed when the difference is gone.
create table ops.schema_drift (
    drift_id bigint generated always as identity primary key,
    raw_table text not null,
    column_name text not null, -- empty for a missing table
    kind text not null check (kind in ('table_missing', 'column_added', 'column_dropped', 'column_retyped')),
    expected text, -- type in the mirror
    found text, -- type at the source
    action text not null, -- what the mirror did about it
    job_id uuid references ops.sync_jobs (job_id),
    first_seen_at timestamp not null default current_timestamp,
    last_seen_at timestamp not null default current_timestamp,
    closed_at timestamp
);
create unique index uq_schema_drift_open on ops.schema_drift (raw_table, column_name, kind) where closed_at is null;

-- One row per row or value that could not be stored, whole; closed when a later pass could store it.
create table ops.quarantine (
    quarantine_id bigint generated always as identity primary key,
    stage text not null check (stage in ('mirror', 'core')),
    table_name text not null, -- raw.<table> or core.<table>, the one that did not take it
    source_id text not null,
    column_name text not null default '', -- empty when the whole row was refused
    reason text not null, -- a code such as TOO_LONG, NOT_A_NUMBER, DUPLICATE_ACCOUNT
    message text not null,
    value text, -- the refused value
    payload jsonb, -- the whole row, where the row was refused
    rules_version text not null,
    job_id uuid,
    first_seen_at timestamp not null default current_timestamp,
    last_seen_at timestamp not null default current_timestamp,
    closed_at timestamp
);
create unique index uq_quarantine_open on ops.quarantine (stage, table_name, source_id, column_name) where closed_at is null;

-- Which rows of RAW changed since CORE last looked, written by the sync in the transaction of the change and taken by the
-- transformation in its own. One queue per reader. A null source_id means: every row.
create table ops.raw_changes (
    target_table text not null,
    raw_table text not null,
    source_id text
);
create index idx_raw_changes_target on ops.raw_changes (target_table, raw_table);

-- By which rules each table of CORE was last brought in line with RAW. Other rules rebuild it whole.
create table ops.core_state (
    target_table text primary key,
    rules_version text not null,
    transformed_at timestamp not null default current_timestamp
);
