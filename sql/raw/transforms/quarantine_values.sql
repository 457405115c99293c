-- Values of one retyped column that the mirror's type cannot hold: kept here, null in the mirror.
insert into ops.quarantine as q
    (stage, table_name, source_id, column_name, reason, message, value, rules_version, job_id)
select 'mirror', %(table_name)s, s.id::text, %(column)s, 'NOT_CONVERTIBLE',
       format('The source''s column is now %%s; this value is no %%s.', %(found)s, %(expected)s), s.{column}, %(rules)s, %(job_id)s
from mirror_stage s
where not raw.converts(s.{column}, %(expected)s)
on conflict (stage, table_name, source_id, column_name) where closed_at is null do update
set last_seen_at = current_timestamp, reason = excluded.reason, message = excluded.message, value = excluded.value,
    rules_version = excluded.rules_version, job_id = excluded.job_id;
