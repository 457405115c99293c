-- One evaluation of a check, into the run book. Each run adds a row.
insert into ops.data_quality_checks (
    table_name, check_type, check_description, passed, records_checked, records_passed, records_failed, failure_details)
values (
    %(table)s, %(name)s, %(description)s, %(passed)s, %(checked)s, greatest(%(checked)s - %(failed)s, 0), %(failed)s,
    %(details)s::jsonb)
