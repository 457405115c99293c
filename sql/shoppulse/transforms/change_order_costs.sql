-- Stored rows that differ from what is delivered; no other row is touched.
update shoppulse.order_costs o
set cost = s.cost,
    updated_at = current_timestamp
from pg_temp.staged s
join pg_temp.found f on f.row_number = s.row_number and f.differs
where o.tenant_id = %(tenant_id)s and o.order_id = s.row_key;
