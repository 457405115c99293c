-- Staged rows into the mirror: new ones are inserted, others touched only when they differ or had been marked as deleted.
-- Says which rows changed to the readers in CORE, in the same transaction; many changes become one line "every row".
with written as (
    insert into {mirror} as m (_sync_batch_id, _ingested_at, _row_hash, {columns})
    select %(job_id)s::uuid, current_timestamp, s._row_hash, {values}
    from mirror_stage s
    order by s.id
    on conflict (id) do update
    set _sync_batch_id = excluded._sync_batch_id, _ingested_at = excluded._ingested_at, _row_hash = excluded._row_hash,
        _deleted_at = null, {assignments}
    where {differs} or m._deleted_at is not null
    returning m.id::text as id, m.xmax = 0 as is_new
),
counted as (
    select count(*) filter (where is_new) as inserted, count(*) filter (where not is_new) as updated, count(*) as changed from written
),
noted as (
    insert into ops.raw_changes (target_table, raw_table, source_id)
    select target, %(raw_table)s, w.id
    from unnest(%(targets)s::text[]) target
    cross join written w
    cross join counted c
    where c.changed <= %(most)s
    union all
    select target, %(raw_table)s, null
    from unnest(%(targets)s::text[]) target
    cross join counted c
    where c.changed > %(most)s
)
select inserted, updated from counted;
