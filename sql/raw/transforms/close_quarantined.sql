-- What this sync could store, or what is gone from the source, is no longer in quarantine.
update ops.quarantine q
set closed_at = current_timestamp
where q.stage = 'mirror' and q.table_name = %(table_name)s and q.closed_at is null and q.job_id is distinct from %(job_id)s::uuid
  and ({stored});
