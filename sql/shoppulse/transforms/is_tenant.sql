-- Whether there is such a tenant: (true or false). Read-only.
select exists (select from shoppulse.tenants t where t.tenant_id = %(tenant)s)
