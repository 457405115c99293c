-- Size of each table of a source, in pages as last counted by its vacuum. Runs at the source.
select relname::text, relpages
from pg_catalog.pg_class
where relkind in ('r', 'p') and pg_catalog.pg_table_is_visible(oid);
