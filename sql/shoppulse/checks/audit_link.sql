-- One link of a tenant's chain: (hash in hexadecimal, chained_at). No row: there is none. Read-only.
select encode(c.hash, 'hex'), c.chained_at
from shoppulse.audit_chain c
where c.tenant_id = %(tenant)s and c.seq = %(seq)s
