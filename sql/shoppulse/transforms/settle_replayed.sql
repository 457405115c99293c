-- Quarantined rows that were taken after all.
update shoppulse.quarantined_rows q
set resolved_at = current_timestamp, resolution = case when f.differs is false then 'unchanged' else 'stored' end
from pg_temp.staged s
left join pg_temp.found f on f.row_number = s.row_number
where q.tenant_id = %(tenant_id)s and q.object_id = %(object_id)s and q.row_number = s.row_number and q.resolved_at is null;
