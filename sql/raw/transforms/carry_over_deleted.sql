-- Rows of the mirror that the shadow does not have: gone from the source, kept and marked as such.
with gone as (
    insert into {shadow} (_ingested_at, _source_system, _sync_batch_id, _row_hash, _deleted_at, {all_columns})
    select m._ingested_at, m._source_system, m._sync_batch_id, m._row_hash, coalesce(m._deleted_at, current_timestamp), {mirror_columns}
    from {mirror} m
    left join {shadow} s on s.id = m.id
    where s.id is null and (m._deleted_at is not null or m.id::text <> all (%(refused)s))
    returning 1
)
select count(*) from gone;
