-- Delivered rows that are not stored yet. One writer at a time holds the lease: no row comes in between.
insert into shoppulse.order_costs
    (tenant_id, order_id, cost)
select %(tenant_id)s, s.row_key, s.cost
from pg_temp.staged s
where not exists (select from pg_temp.found f where f.row_number = s.row_number);
