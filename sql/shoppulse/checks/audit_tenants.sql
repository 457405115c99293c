-- Every tenant with an entry, a link or the head of a chain: (tenant_id, seq, hash in hexadecimal, entries) of the head, which may be
-- missing, and the link that was last anchored as the database noted it: (seq, hash, entries, time); null when none was.
-- Tenants are found by hopping along the indexes, not by reading the tables. Read-only.
with recursive named as (
    (select l.tenant_id from shoppulse.audit_logs l order by l.tenant_id limit 1)
    union all
    select (select l.tenant_id from shoppulse.audit_logs l where l.tenant_id > n.tenant_id order by l.tenant_id limit 1)
    from named n where n.tenant_id is not null
), chained as (
    (select c.tenant_id from shoppulse.audit_chain c order by c.tenant_id limit 1)
    union all
    select (select c.tenant_id from shoppulse.audit_chain c where c.tenant_id > n.tenant_id order by c.tenant_id limit 1)
    from chained n where n.tenant_id is not null
), everybody as (
    select tenant_id from named union select tenant_id from chained union select tenant_id from shoppulse.audit_heads
)
select
    e.tenant_id, h.seq, encode(h.hash, 'hex'), h.entries, h.anchored_seq, encode(h.anchored_hash, 'hex'), h.anchored_entries,
    to_char(h.anchored_at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
from everybody e
left join shoppulse.audit_heads h using (tenant_id)
where e.tenant_id is not null and (%(tenant)s::text is null or e.tenant_id = %(tenant)s)
