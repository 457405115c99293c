-- Which of the mirrors tables (without schema) have a valid unique index on id alone, and id not null: in those no key can be
-- missing or double, whatever the number of rows. Result: one row per such table, its name and its estimated rows. Read only.
select c.relname::text, greatest(c.reltuples, 0)::bigint
from pg_catalog.pg_class as c
join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
join pg_catalog.pg_attribute as a on a.attrelid = c.oid and a.attname = 'id'
where n.nspname = 'raw'
  and c.relkind in ('r', 'p')
  and c.relname = any (%(tables)s)
  and a.attnotnull
  and exists (
      select from pg_catalog.pg_index as i
      where i.indrelid = c.oid and i.indisunique and i.indisvalid and i.indislive and i.indpred is null
        and i.indnkeyatts = 1 and i.indkey[0] = a.attnum
  )
