-- A whole row that could not be stored.
insert into ops.quarantine as q
    (stage, table_name, source_id, column_name, reason, message, value, payload, rules_version, job_id)
values ('mirror', %(table_name)s, %(source_id)s, '', %(reason)s, %(message)s, %(value)s, %(payload)s, %(rules)s, %(job_id)s)
on conflict (stage, table_name, source_id, column_name) where closed_at is null do update
set last_seen_at = current_timestamp, reason = excluded.reason, message = excluded.message, value = excluded.value,
    payload = excluded.payload, rules_version = excluded.rules_version, job_id = excluded.job_id;
