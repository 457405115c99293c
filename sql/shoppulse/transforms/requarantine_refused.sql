-- Quarantined rows that were tried again and are still not taken, with what is wrong with them now.
update shoppulse.quarantined_rows q
set row_key = r.row_key, code = r.code, column_name = r.column_name, message = r.message
from pg_temp.refused r
where q.tenant_id = %(tenant_id)s and q.object_id = %(object_id)s and q.row_number = r.row_number
  and (q.code, q.column_name, q.message) is distinct from (r.code, r.column_name, r.message);
