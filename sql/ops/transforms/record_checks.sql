-- Results of checks, appended: one row per check of one table (tables with schema), all of one run. Not for a second run with
-- the same results: each evaluation is a row. The job is the last one that synced the mirror; an entity of CORE has none.
insert into ops.data_quality_checks (
    sync_job_id, table_name, check_type, check_description, passed, records_checked, records_passed, records_failed,
    failure_details, severity, run_id
)
select
    (
        select s.job_id from ops.table_syncs as s
        where 'raw.' || s.raw_table = found.table_name
        order by s.table_sync_id desc
        limit 1
    ),
    found.table_name, found.check_type, found.description, found.passed,
    least(found.checked, 2147483647), least(greatest(found.checked - found.failed, 0), 2147483647), least(found.failed, 2147483647),
    found.details, found.severity, %(run_id)s
from unnest(
    %(tables)s::text[], %(checks)s::text[], %(descriptions)s::text[], %(passed)s::boolean[], %(checked)s::bigint[],
    %(failed)s::bigint[], %(details)s::jsonb[], %(severities)s::text[]
) as found (table_name, check_type, description, passed, checked, failed, details, severity)
