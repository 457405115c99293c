-- Quarantined rows whose key this delivery brings again: theirs is an older word. Rows of this very delivery, and of newer ones, stay.
update shoppulse.quarantined_rows q
set resolved_at = current_timestamp, resolution = 'overtaken'
from pg_temp.staged s, shoppulse.delivery_objects o, shoppulse.delivery_objects mine
where q.tenant_id = %(tenant_id)s and q.table_name = %(table_name)s and q.resolved_at is null and q.row_key = s.row_key
  and o.tenant_id = q.tenant_id and o.object_id = q.object_id
  and mine.tenant_id = q.tenant_id and mine.object_id = %(object_id)s
  and (o.last_modified, o.object_key, o.object_id) < (mine.last_modified, mine.object_key, mine.object_id);
