-- The seven log functions, published names and parameter order. Each inserts one row and returns its id (null beyond the range of the
-- published return type, integer; the column itself is a bigint). The run must be in ingestion_metadata already. Call them on a connection
-- of their own: a rolled back data transaction would take its log rows with it.

-- Raises foreign_key_violation with a hint for a run that is not there (the tables' foreign keys would say which key, but not what to do).
create or replace function fullbay.require_execution(p_execution_id varchar(255)) returns void
language plpgsql as $$
begin
    if not exists (select from fullbay.ingestion_metadata where execution_id = p_execution_id) then
        raise exception 'logging for the run %: ingestion_metadata has no such execution_id', coalesce(quote_literal(p_execution_id), 'null')
            using errcode = 'foreign_key_violation',
                  hint = 'Insert the run into ingestion_metadata and commit it before its first log row.';
    end if;
end
$$;

create or replace function fullbay.log_api_request(
    p_execution_id varchar(255), p_api_endpoint varchar(255), p_http_method varchar(10),
    p_request_headers jsonb default null, p_request_params jsonb default null,
    p_request_body text default null, p_response_status_code integer default null,
    p_response_headers jsonb default null, p_response_body_size integer default null,
    p_response_time_ms integer default null, p_error_message text default null,
    p_error_type varchar(100) default null, p_retry_count integer default 0
) returns integer
language plpgsql as $$
declare
    v_id bigint;
begin
    perform fullbay.require_execution(p_execution_id);
    insert into fullbay.api_request_log (
        execution_id, api_endpoint, http_method, request_headers, request_params, request_body,
        response_status_code, response_headers, response_body_size, response_time_ms, error_message,
        error_type, retry_count
    ) values (
        p_execution_id, p_api_endpoint, p_http_method, p_request_headers, p_request_params, p_request_body,
        p_response_status_code, p_response_headers, p_response_body_size, p_response_time_ms, p_error_message,
        p_error_type, coalesce(p_retry_count, 0)
    )
    returning id into v_id;
    return case when v_id <= 2147483647 then v_id end;
end
$$;

create or replace function fullbay.log_database_query(
    p_execution_id varchar(255), p_query_type varchar(50), p_table_name varchar(100), p_query_text text,
    p_query_params jsonb default null, p_execution_time_ms integer default null,
    p_rows_affected integer default null, p_query_size_bytes integer default null,
    p_error_message text default null, p_error_type varchar(100) default null
) returns integer
language plpgsql as $$
declare
    v_id bigint;
begin
    perform fullbay.require_execution(p_execution_id);
    insert into fullbay.database_query_log (
        execution_id, query_type, table_name, query_text, query_params, execution_time_ms, rows_affected,
        query_size_bytes, error_message, error_type
    ) values (
        p_execution_id, p_query_type, p_table_name, p_query_text, p_query_params, p_execution_time_ms,
        p_rows_affected, p_query_size_bytes, p_error_message, p_error_type
    )
    returning id into v_id;
    return case when v_id <= 2147483647 then v_id end;
end
$$;

create or replace function fullbay.log_data_processing(
    p_execution_id varchar(255), p_processing_stage varchar(100), p_record_count integer default null,
    p_batch_size integer default null, p_processing_time_ms integer default null,
    p_memory_usage_mb integer default null, p_validation_errors jsonb default null,
    p_data_quality_score numeric(3, 2) default null, p_error_message text default null,
    p_error_type varchar(100) default null, p_affected_records jsonb default null
) returns integer
language plpgsql as $$
declare
    v_id bigint;
begin
    perform fullbay.require_execution(p_execution_id);
    insert into fullbay.data_processing_log (
        execution_id, processing_stage, record_count, batch_size, processing_time_ms, memory_usage_mb,
        validation_errors, data_quality_score, error_message, error_type, affected_records
    ) values (
        p_execution_id, p_processing_stage, p_record_count, p_batch_size, p_processing_time_ms,
        p_memory_usage_mb, p_validation_errors, p_data_quality_score, p_error_message, p_error_type,
        p_affected_records
    )
    returning id into v_id;
    return case when v_id <= 2147483647 then v_id end;
end
$$;

create or replace function fullbay.log_performance_metrics(
    p_execution_id varchar(255), p_cpu_usage_percent numeric(5, 2) default null,
    p_memory_usage_mb integer default null, p_disk_usage_mb integer default null,
    p_network_io_mb integer default null, p_lambda_duration_ms integer default null,
    p_lambda_memory_allocated_mb integer default null, p_lambda_memory_used_mb integer default null,
    p_lambda_billed_duration_ms integer default null, p_custom_metrics jsonb default null
) returns integer
language plpgsql as $$
declare
    v_id bigint;
begin
    perform fullbay.require_execution(p_execution_id);
    insert into fullbay.performance_metrics_log (
        execution_id, cpu_usage_percent, memory_usage_mb, disk_usage_mb, network_io_mb, lambda_duration_ms,
        lambda_memory_allocated_mb, lambda_memory_used_mb, lambda_billed_duration_ms, custom_metrics
    ) values (
        p_execution_id, p_cpu_usage_percent, p_memory_usage_mb, p_disk_usage_mb, p_network_io_mb,
        p_lambda_duration_ms, p_lambda_memory_allocated_mb, p_lambda_memory_used_mb,
        p_lambda_billed_duration_ms, p_custom_metrics
    )
    returning id into v_id;
    return case when v_id <= 2147483647 then v_id end;
end
$$;

create or replace function fullbay.log_error(
    p_execution_id varchar(255), p_error_level varchar(20), p_error_category varchar(100),
    p_error_message text, p_error_type varchar(100) default null, p_error_code varchar(50) default null,
    p_context_data jsonb default null, p_stack_trace text default null,
    p_user_agent varchar(255) default null, p_ip_address inet default null
) returns integer
language plpgsql as $$
declare
    v_id bigint;
begin
    perform fullbay.require_execution(p_execution_id);
    insert into fullbay.error_tracking_log (
        execution_id, error_level, error_category, error_message, error_type, error_code, context_data,
        stack_trace, user_agent, ip_address
    ) values (
        p_execution_id, p_error_level, p_error_category, p_error_message, p_error_type, p_error_code,
        p_context_data, p_stack_trace, p_user_agent, p_ip_address
    )
    returning id into v_id;
    return case when v_id <= 2147483647 then v_id end;
end
$$;

create or replace function fullbay.log_data_quality_check(
    p_execution_id varchar(255), p_check_type varchar(100), p_check_description text,
    p_total_records_checked integer, p_records_passed integer, p_records_failed integer,
    p_quality_score numeric(5, 2), p_issues_found jsonb default null,
    p_critical_issues_count integer default 0, p_warning_issues_count integer default 0,
    p_recommendations text default null
) returns integer
language plpgsql as $$
declare
    v_id bigint;
begin
    perform fullbay.require_execution(p_execution_id);
    insert into fullbay.data_quality_log (
        execution_id, check_type, check_description, total_records_checked, records_passed, records_failed,
        quality_score, issues_found, critical_issues_count, warning_issues_count, recommendations
    ) values (
        p_execution_id, p_check_type, p_check_description, p_total_records_checked, p_records_passed,
        p_records_failed, p_quality_score, p_issues_found, coalesce(p_critical_issues_count, 0),
        coalesce(p_warning_issues_count, 0), p_recommendations
    )
    returning id into v_id;
    return case when v_id <= 2147483647 then v_id end;
end
$$;

create or replace function fullbay.log_business_validation(
    p_execution_id varchar(255), p_validation_rule varchar(100), p_validation_description text,
    p_business_impact varchar(50), p_records_validated integer, p_records_passed integer,
    p_records_failed integer, p_validation_score numeric(5, 2), p_failed_records jsonb default null,
    p_failure_reasons jsonb default null, p_auto_corrected boolean default false,
    p_manual_review_required boolean default false, p_escalation_required boolean default false
) returns integer
language plpgsql as $$
declare
    v_id bigint;
begin
    perform fullbay.require_execution(p_execution_id);
    insert into fullbay.business_validation_log (
        execution_id, validation_rule, validation_description, business_impact, records_validated,
        records_passed, records_failed, validation_score, failed_records, failure_reasons, auto_corrected,
        manual_review_required, escalation_required
    ) values (
        p_execution_id, p_validation_rule, p_validation_description, p_business_impact, p_records_validated,
        p_records_passed, p_records_failed, p_validation_score, p_failed_records, p_failure_reasons,
        coalesce(p_auto_corrected, false), coalesce(p_manual_review_required, false),
        coalesce(p_escalation_required, false)
    )
    returning id into v_id;
    return case when v_id <= 2147483647 then v_id end;
end
$$;
