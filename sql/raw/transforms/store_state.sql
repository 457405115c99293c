-- How far a mirror has read, in the transaction of the rows.
insert into ops.mirror_state as s
    (raw_table, source_system, watermark, watermark_id, source_xid, source_identity, hash_method, hashed_columns, live_rows, job_id)
values (%(raw_table)s, %(source_system)s, %(watermark)s, %(watermark_id)s, %(source_xid)s, %(source_identity)s, %(hash_method)s,
        %(hashed_columns)s, %(live_rows)s, %(job_id)s)
on conflict (raw_table) do update
set source_system = excluded.source_system, watermark = excluded.watermark, watermark_id = excluded.watermark_id,
    source_xid = excluded.source_xid, source_identity = excluded.source_identity, hash_method = excluded.hash_method,
    hashed_columns = excluded.hashed_columns, live_rows = excluded.live_rows, job_id = excluded.job_id,
    synced_at = current_timestamp;
