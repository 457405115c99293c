-- Mark the live rows that are no longer at the source, and tell the readers in CORE. Which ones is composed in.
with gone as (
    update {mirror} m
    set _deleted_at = current_timestamp, _sync_batch_id = %(job_id)s::uuid
    where m._deleted_at is null and {which}
    returning m.id::text as id
),
noted as (
    insert into ops.raw_changes (target_table, raw_table, source_id)
    select target, %(raw_table)s, gone.id from unnest(%(targets)s::text[]) target cross join gone
)
select count(*) from gone;
