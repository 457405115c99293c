-- Whether a tenant is active, and how he counts; no row when there is none of this id. Read-only.
select t.is_active, coalesce(s.time_zone, 'UTC'), coalesce(s.currency, 'USD')
from shoppulse.tenants t
left join shoppulse.tenant_settings s on s.tenant_id = t.tenant_id
where t.tenant_id = %(tenant_id)s;
