-- The audit trail as its heads count it: (tenants, links, entries). Read-only.
select count(*), coalesce(sum(h.seq), 0)::bigint, coalesce(sum(h.entries), 0)::bigint
from shoppulse.audit_heads h
