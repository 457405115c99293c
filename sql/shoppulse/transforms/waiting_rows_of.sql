-- The quarantined rows of a delivery that are to be tried again.
select q.row_number, q.original
from shoppulse.quarantined_rows q
where q.tenant_id = %(tenant_id)s and q.object_id = %(object_id)s and q.resolved_at is null and q.row_number > %(after)s
  and (%(by_hand)s or (q.code = 'ORDER_UNKNOWN' and exists (
      select from shoppulse.orders o where o.tenant_id = q.tenant_id and o.order_id = q.row_key)))
order by q.row_number
limit %(most)s;
