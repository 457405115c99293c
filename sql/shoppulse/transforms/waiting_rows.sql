-- Deliveries with quarantined rows to be tried again, in the order in which they count: those whose order has come, or all when asked
-- for by hand.
select d.object_id, d.tenant_id, d.table_name, d.object_key, d.version_id, d.etag, d.size_bytes, d.last_modified, t.is_active,
       coalesce(s.time_zone, 'UTC'), coalesce(s.currency, 'USD'), true, d.columns_given
from shoppulse.delivery_objects d
join shoppulse.tenants t on t.tenant_id = d.tenant_id and t.is_active
left join shoppulse.tenant_settings s on s.tenant_id = d.tenant_id
where d.table_name = %(table_name)s and d.stage = 'loaded' and d.rows_quarantined > 0
  and (%(tenant_id)s is null or d.tenant_id = %(tenant_id)s)
  and exists (
      select
      from shoppulse.quarantined_rows q
      where q.tenant_id = d.tenant_id and q.object_id = d.object_id and q.resolved_at is null
        and (%(by_hand)s or (q.code = 'ORDER_UNKNOWN' and exists (
            select from shoppulse.orders o where o.tenant_id = q.tenant_id and o.order_id = q.row_key)))
  )
order by d.last_modified, d.object_key, d.object_id;
