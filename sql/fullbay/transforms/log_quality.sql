-- One quality check: how many rows it looked at and how many passed. Appends.
select fullbay.log_data_quality_check(
    %(execution_id)s, %(type)s, %(description)s, %(checked)s, %(checked)s - %(failed)s, %(failed)s,
    round(100.0 * (%(checked)s - %(failed)s) / greatest(%(checked)s, 1), 2), %(issues)s::jsonb, %(critical)s, %(warnings)s,
    %(recommendations)s
)
