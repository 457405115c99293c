-- The seven log tables. Every row belongs to a run (ingestion_metadata) and goes with it. Written by the log_* functions on a
-- connection of their own, so that a rolled back data transaction keeps its evidence. Never holds a key or a token.

-- One row per HTTP call.
create table fullbay.api_request_log (
    id bigserial primary key,
    execution_id varchar(255) not null references fullbay.ingestion_metadata (execution_id) on delete cascade,
    request_timestamp timestamptz default current_timestamp,
    api_endpoint varchar(255) not null,
    http_method varchar(10) not null,
    request_headers jsonb,
    request_params jsonb,
    request_body text,
    response_status_code integer,
    response_headers jsonb,
    response_body_size integer,
    response_time_ms integer,
    error_message text,
    error_type varchar(100),
    retry_count integer default 0,
    created_at timestamptz default current_timestamp
);
create index idx_api_request_log_execution_id on fullbay.api_request_log (execution_id);
create index idx_api_request_log_timestamp on fullbay.api_request_log (request_timestamp);
create index idx_api_request_log_status_code on fullbay.api_request_log (response_status_code);

-- One row per logged statement (a batch statement, not each of its rows: that would double the write volume).
create table fullbay.database_query_log (
    id bigserial primary key,
    execution_id varchar(255) not null references fullbay.ingestion_metadata (execution_id) on delete cascade,
    query_timestamp timestamptz default current_timestamp,
    query_type varchar(50) not null,
    table_name varchar(100),
    query_text text,
    query_params jsonb,
    execution_time_ms integer,
    rows_affected integer,
    query_size_bytes integer,
    error_message text,
    error_type varchar(100),
    created_at timestamptz default current_timestamp
);
create index idx_database_query_log_execution_id on fullbay.database_query_log (execution_id);
create index idx_database_query_log_timestamp on fullbay.database_query_log (query_timestamp);
create index idx_database_query_log_type on fullbay.database_query_log (query_type);

-- One row per stage: API_FETCH, JSON_PARSE, DATA_TRANSFORM, DB_INSERT, ...
create table fullbay.data_processing_log (
    id bigserial primary key,
    execution_id varchar(255) not null references fullbay.ingestion_metadata (execution_id) on delete cascade,
    processing_timestamp timestamptz default current_timestamp,
    processing_stage varchar(100) not null,
    record_count integer,
    batch_size integer,
    processing_time_ms integer,
    memory_usage_mb integer,
    validation_errors jsonb,
    data_quality_score numeric(3, 2),
    error_message text,
    error_type varchar(100),
    affected_records jsonb,
    created_at timestamptz default current_timestamp,
    constraint data_processing_log_score check (data_quality_score between 0 and 1)
);
create index idx_data_processing_log_execution_id on fullbay.data_processing_log (execution_id);
create index idx_data_processing_log_stage on fullbay.data_processing_log (processing_stage);
create index idx_data_processing_log_timestamp on fullbay.data_processing_log (processing_timestamp);

-- One row per sample.
create table fullbay.performance_metrics_log (
    id bigserial primary key,
    execution_id varchar(255) not null references fullbay.ingestion_metadata (execution_id) on delete cascade,
    metric_timestamp timestamptz default current_timestamp,
    cpu_usage_percent numeric(5, 2),
    memory_usage_mb integer,
    disk_usage_mb integer,
    network_io_mb integer,
    lambda_duration_ms integer,
    lambda_memory_allocated_mb integer,
    lambda_memory_used_mb integer,
    lambda_billed_duration_ms integer,
    custom_metrics jsonb,
    created_at timestamptz default current_timestamp
);
create index idx_performance_metrics_log_execution_id on fullbay.performance_metrics_log (execution_id);
create index idx_performance_metrics_log_timestamp on fullbay.performance_metrics_log (metric_timestamp);

-- One row per error, with its resolution.
create table fullbay.error_tracking_log (
    id bigserial primary key,
    execution_id varchar(255) not null references fullbay.ingestion_metadata (execution_id) on delete cascade,
    error_timestamp timestamptz default current_timestamp,
    error_level varchar(20) not null,
    error_category varchar(100),
    error_message text not null,
    error_type varchar(100),
    error_code varchar(50),
    context_data jsonb,
    stack_trace text,
    user_agent varchar(255),
    ip_address inet,
    resolved boolean default false,
    resolution_notes text,
    resolved_by varchar(100),
    resolved_at timestamptz,
    created_at timestamptz default current_timestamp,
    constraint error_tracking_log_level check (error_level in ('DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL')),
    constraint error_tracking_log_category check (error_category in ('API', 'DATABASE', 'DATA_PROCESSING', 'SYSTEM')),
    constraint error_tracking_log_resolution check (coalesce(resolved, false) = (resolved_at is not null))
);
create index idx_error_tracking_log_execution_id on fullbay.error_tracking_log (execution_id);
create index idx_error_tracking_log_level on fullbay.error_tracking_log (error_level);
create index idx_error_tracking_log_category on fullbay.error_tracking_log (error_category);
create index idx_error_tracking_log_resolved on fullbay.error_tracking_log (resolved);

-- One row per check. quality_score is 0-100, unlike data_processing_log.data_quality_score (0-1).
create table fullbay.data_quality_log (
    id bigserial primary key,
    execution_id varchar(255) not null references fullbay.ingestion_metadata (execution_id) on delete cascade,
    quality_check_timestamp timestamptz default current_timestamp,
    check_type varchar(100) not null,
    check_description text,
    total_records_checked integer,
    records_passed integer,
    records_failed integer,
    quality_score numeric(5, 2),
    issues_found jsonb,
    critical_issues_count integer default 0,
    warning_issues_count integer default 0,
    recommendations text,
    created_at timestamptz default current_timestamp,
    constraint data_quality_log_score check (quality_score between 0 and 100),
    constraint data_quality_log_counts check (records_passed + records_failed = total_records_checked)
);
create index idx_data_quality_log_execution_id on fullbay.data_quality_log (execution_id);
create index idx_data_quality_log_type on fullbay.data_quality_log (check_type);
create index idx_data_quality_log_timestamp on fullbay.data_quality_log (quality_check_timestamp);

-- One row per rule run. validation_score is 0-100.
create table fullbay.business_validation_log (
    id bigserial primary key,
    execution_id varchar(255) not null references fullbay.ingestion_metadata (execution_id) on delete cascade,
    validation_timestamp timestamptz default current_timestamp,
    validation_rule varchar(100) not null,
    validation_description text,
    business_impact varchar(50),
    records_validated integer,
    records_passed integer,
    records_failed integer,
    validation_score numeric(5, 2),
    failed_records jsonb,
    failure_reasons jsonb,
    auto_corrected boolean default false,
    manual_review_required boolean default false,
    escalation_required boolean default false,
    created_at timestamptz default current_timestamp,
    constraint business_validation_log_impact check (business_impact in ('LOW', 'MEDIUM', 'HIGH', 'CRITICAL')),
    constraint business_validation_log_score check (validation_score between 0 and 100),
    constraint business_validation_log_counts check (records_passed + records_failed = records_validated)
);
create index idx_business_validation_log_execution_id on fullbay.business_validation_log (execution_id);
create index idx_business_validation_log_rule on fullbay.business_validation_log (validation_rule);
create index idx_business_validation_log_impact on fullbay.business_validation_log (business_impact);
