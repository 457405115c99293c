-- What the checks found. Grain: one evaluation of one check of one table; key check_id. Ask for a job (job_id) or a run (run_id).
-- Read only, for the analysts too: details hold ids and counts, and values of coded columns.
create or replace view ops.validation_report as
select
    c.check_id,
    c.sync_job_id as job_id,
    c.run_id,
    j.source_system,
    j.job_type,
    j.status as job_status,
    c.table_name,
    c.check_type,
    c.check_description,
    c.severity,
    c.passed,
    c.records_checked,
    c.records_passed,
    c.records_failed,
    round(c.records_failed::numeric / nullif(c.records_checked, 0), 6) as failed_share,
    c.failure_details,
    c.executed_at,
    l.check_id is not null as is_latest
from ops.data_quality_checks as c
left join ops.sync_jobs as j on j.job_id = c.sync_job_id
left join ops.latest_checks as l on l.check_id = c.check_id;

comment on view ops.validation_report is 'One row per evaluation of a check of a table: what was checked and what failed';
comment on column ops.validation_report.check_id is 'The evaluation';
comment on column ops.validation_report.job_id is 'The sync whose content was checked; null for entities of CORE';
comment on column ops.validation_report.run_id is 'The Dagster run that checked';
comment on column ops.validation_report.source_system is 'odoo or apn, from the job';
comment on column ops.validation_report.job_type is 'full_sync or incremental, from the job';
comment on column ops.validation_report.job_status is 'How the job ended';
comment on column ops.validation_report.table_name is 'The table with its schema';
comment on column ops.validation_report.check_type is 'Name of the check; single validation rules as "rule CODE"';
comment on column ops.validation_report.check_description is 'What holds when it passes';
comment on column ops.validation_report.severity is 'ERROR or WARN: what a failure means';
comment on column ops.validation_report.passed is 'Whether it held';
comment on column ops.validation_report.records_checked is 'Rows, cells or ids that it applied to';
comment on column ops.validation_report.records_passed is 'Those for which it held';
comment on column ops.validation_report.records_failed is 'Those for which it did not';
comment on column ops.validation_report.failed_share is 'Failed of checked, 0 to 1; null when nothing was checked';
comment on column ops.validation_report.failure_details is 'The numbers compared and the first ten keys';
comment on column ops.validation_report.executed_at is 'When it was evaluated, UTC';
comment on column ops.validation_report.is_latest is 'Whether no later evaluation of this check of this table exists';

grant usage on schema ops to analyst;
grant select on ops.validation_report to odoo_apn_writer, analyst;
