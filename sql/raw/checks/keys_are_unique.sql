-- Missing and double keys of one mirror without a unique index: every row is counted. A template: the table's name is put in. Read only.
-- Result: one row: rows, rows whose key is missing or stands on another row too, the first ten such keys.
with keys as (
    select id, count(*) as uses from {table} group by id
)
select coalesce(sum(uses), 0)::bigint,
    coalesce(sum(uses) filter (where id is null or uses > 1), 0)::bigint,
    (array_agg(coalesce(id::text, 'null') order by id) filter (where id is null or uses > 1))[1:10]
from keys
