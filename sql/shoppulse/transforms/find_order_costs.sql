-- Which rows of a delivery are stored already, and whether they differ from what is delivered. Gone with the transaction.
create temporary table found on commit drop as
select s.row_number,
       o.cost <> s.cost as differs
from pg_temp.staged s
join shoppulse.order_costs o on o.tenant_id = %(tenant_id)s and o.order_id = s.row_key;
