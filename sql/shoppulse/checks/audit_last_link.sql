-- The last link of a tenant's chain: (seq). No row: there is none. Read-only.
select c.seq from shoppulse.audit_chain c where c.tenant_id = %(tenant)s order by c.seq desc limit 1
