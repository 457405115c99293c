-- An entry about export or erasure of a tenant in his audit trail. Each call is an entry.
select shoppulse.audit_maintenance(%(tenant)s, %(action)s, %(details)s::jsonb)
