-- Deliveries of a table that wait, in the order in which they count; of tables that nobody knows when table_name is null.
-- status: true for an active tenant, false for one that is not, null when there is none of this id.
select d.object_id, d.tenant_id, d.table_name, d.object_key, d.version_id, d.etag, d.size_bytes, d.last_modified, t.is_active,
       coalesce(s.time_zone, 'UTC'), coalesce(s.currency, 'USD'), t.tenant_id is not null
from shoppulse.delivery_objects d
left join shoppulse.tenants t on t.tenant_id = d.tenant_id
left join shoppulse.tenant_settings s on s.tenant_id = d.tenant_id
where d.stage = 'seen'
  and (d.table_name = %(table_name)s or (%(others)s and d.table_name <> all (%(known)s)))
order by d.last_modified, d.object_key, d.object_id
limit %(most)s;
