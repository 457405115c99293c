-- The differences of one table that this sync found: new ones are opened, known ones seen again, vanished ones closed.
with found as (
    select *
    from unnest(%(kinds)s::text[], %(columns)s::text[], %(expecteds)s::text[], %(founds)s::text[], %(actions)s::text[])
        as f (kind, column_name, expected, found, action)
),
closed as (
    update ops.schema_drift d
    set closed_at = current_timestamp
    where d.raw_table = %(raw_table)s and d.closed_at is null
      and not exists (select from found f where f.kind = d.kind and f.column_name = d.column_name)
)
insert into ops.schema_drift as d (raw_table, column_name, kind, expected, found, action, job_id)
select %(raw_table)s, column_name, kind, expected, found, action, %(job_id)s
from found
on conflict (raw_table, column_name, kind) where closed_at is null do update
set last_seen_at = current_timestamp, expected = excluded.expected, found = excluded.found, action = excluded.action,
    job_id = excluded.job_id;
