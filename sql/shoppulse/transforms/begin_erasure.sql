-- A tenant is no longer active, and that its erasure began is on record. Re-runnable.
with stopped as (
    update shoppulse.tenants t set is_active = false where t.tenant_id = %(tenant)s and t.is_active is distinct from false
)
select shoppulse.audit_maintenance(%(tenant)s, 'tenant.erasure_begun', null)
