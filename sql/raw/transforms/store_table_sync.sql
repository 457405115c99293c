-- What one sync of one table read and changed.
insert into ops.table_syncs
    (job_id, raw_table, method, source_rows, mirror_rows, rows_read, inserted, updated, revived, unchanged, deleted, quarantined, stale,
     source_hash, mirror_hash, seconds)
values (%(job_id)s, %(raw_table)s, %(method)s, %(source_rows)s, %(mirror_rows)s, %(rows_read)s, %(inserted)s, %(updated)s, %(revived)s,
        %(unchanged)s, %(deleted)s, %(quarantined)s, %(stale)s, %(source_hash)s, %(mirror_hash)s, %(seconds)s);
