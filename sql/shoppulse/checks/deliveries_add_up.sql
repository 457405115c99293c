-- Loaded deliveries whose counts do not add up, or whose quarantined rows are not there. Result: checked, failed, first examples.
with counted as (
    select d.object_key,
           d.rows_read = d.rows_stored + d.rows_unchanged + d.rows_quarantined
           and d.rows_quarantined = (
               select count(*) from shoppulse.quarantined_rows q where q.tenant_id = d.tenant_id and q.object_id = d.object_id
           ) as adds_up
    from shoppulse.delivery_objects d
    where d.table_name = %(table_name)s and d.stage = 'loaded'
)
select count(*), count(*) filter (where adds_up is not true),
       (array_agg(object_key order by object_key) filter (where adds_up is not true))[1:10]
from counted;
