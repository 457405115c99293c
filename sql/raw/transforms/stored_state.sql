-- How far a mirror has read; locked, so that a second sync of the table waits for the end of the first.
select watermark, watermark_id, source_xid, source_identity, hash_method, hashed_columns, live_rows
from ops.mirror_state
where raw_table = %(raw_table)s
for update;
