-- The last sync of one mirror against what the mirror holds now. A template: the table's name is put in; parameter: raw_table, the same without schema.
-- Result: one row, or none when the table was never synced: the sync's job, method, source rows, mirror rows, both hash sums, the
-- live rows now, and the source rows that stand in quarantine with no row in the mirror. Read only.
select s.job_id::text, s.method, s.source_rows, s.mirror_rows, s.source_hash, s.mirror_hash,
    (select count(*) from {table} where _deleted_at is null),
    (select count(distinct q.source_id)
        from ops.quarantine as q
        where q.stage = 'mirror' and q.table_name = 'raw.' || %(raw_table)s and q.column_name = '' and q.closed_at is null
          and not exists (select from {table} as t where t._deleted_at is null and t.id::text = q.source_id))
from ops.table_syncs as s
where s.raw_table = %(raw_table)s
order by s.table_sync_id desc
limit 1
