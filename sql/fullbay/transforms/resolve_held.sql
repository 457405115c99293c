-- How held documents ended. Key: id. May be re-run.
update fullbay.invoice_quarantine
set resolved_at = coalesce(resolved_at, current_timestamp), resolution = %(resolution)s
where id = any(%(ids)s)
