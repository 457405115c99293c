-- Columns of one table (or view), with their full types. Runs at the source and in the warehouse.
select attname::text, pg_catalog.format_type(atttypid, atttypmod)
from pg_catalog.pg_attribute
where attrelid = pg_catalog.to_regclass(%(table)s) and attnum > 0 and not attisdropped
order by attnum;
