-- Rows and values of the mirrors or entities tables (with schema) that are held in quarantine. Read only.
-- Result: one row per table with any: its name, rows concerned, how many by reason, the first ten source ids.
with held as (
    select table_name, source_id, reason from ops.quarantine where closed_at is null and table_name = any (%(tables)s)
), reasons as (
    select table_name, jsonb_object_agg(reason, uses) as uses
    from (select table_name, reason, count(*) as uses from held group by table_name, reason) as counted
    group by table_name
)
select held.table_name, count(distinct held.source_id), reasons.uses,
    (array_agg(distinct held.source_id order by held.source_id))[1:10]
from held
join reasons on reasons.table_name = held.table_name
group by held.table_name, reasons.uses
