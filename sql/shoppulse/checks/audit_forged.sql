-- An entry that belongs to no link: (log_id, link_id) of the first, of those made since a time or of all. Read-only. The link is
-- looked up by key for each entry: as a join, a plan made before the first ANALYZE took 5 s for 16,000 entries.
select l.log_id::text, l.link_id::text
from shoppulse.audit_logs l
where l.tenant_id = %(tenant)s
    and (%(since)s::timestamp is null or l.created_at >= %(since)s::timestamp)
    and (select c.seq from shoppulse.audit_chain c where c.tenant_id = l.tenant_id and c.link_id = l.link_id) is null
order by l.created_at, l.log_id
limit 1
