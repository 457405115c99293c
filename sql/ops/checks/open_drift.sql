-- Differences between the sources and the mirrors tables (without schema) that are still there. Read only.
-- Result: one row per table with any: its name, how many, the first ten as "kind column: expected, found".
select raw_table, count(*),
    (array_agg(
        concat(kind, ' ', nullif(column_name, ''), ': expected ', coalesce(expected, 'nothing'), ', found ', coalesce(found, 'nothing'))
        order by column_name, kind
    ))[1:10]
from ops.schema_drift
where closed_at is null and raw_table = any (%(tables)s)
group by raw_table
