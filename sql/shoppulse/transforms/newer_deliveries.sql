-- Deliveries of the same tenant and table that were loaded although they come after this one.
select n.object_id, n.object_key, n.version_id, n.etag, n.size_bytes, n.last_modified
from shoppulse.delivery_objects n
join shoppulse.delivery_objects d on d.tenant_id = n.tenant_id and d.object_id = %(object_id)s and d.table_name = n.table_name
where n.tenant_id = %(tenant_id)s and n.stage = 'loaded'
  and (n.last_modified, n.object_key, n.object_id) > (d.last_modified, d.object_key, d.object_id)
order by n.last_modified, n.object_key, n.object_id;
