-- A tenant's chain after a link, each link once for each of its entries, in order. Times and hashes as the texts that are hashed.
-- Grain: seq, link_position. Read-only, for a server-side cursor.
select
    c.seq, c.link_id::text as link_id, c.entries, encode(c.entries_hash, 'hex') as entries_hash,
    to_char(c.chained_at, 'YYYY-MM-DD"T"HH24:MI:SS.US') as chained_at, encode(c.prev_hash, 'hex') as prev_hash,
    encode(c.hash, 'hex') as hash, l.link_position, l.log_id::text as log_id,
    to_char(l.created_at, 'YYYY-MM-DD"T"HH24:MI:SS.US') as created_at, l.user_id, l.login, l.action, l.resource_type, l.resource_id,
    l.ip_address::text as ip_address, l.details::text as details, encode(l.content_salt, 'hex') as content_salt,
    encode(l.content_hash, 'hex') as content_hash, encode(l.entry_hash, 'hex') as entry_hash
from shoppulse.audit_chain c
left join shoppulse.audit_logs l on l.tenant_id = c.tenant_id and l.link_id = c.link_id
where c.tenant_id = %(tenant)s and c.seq > %(after)s
order by c.seq, l.link_position
