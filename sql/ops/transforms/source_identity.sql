-- Which cluster and database this is. Runs at the source.
select system_identifier || '/' || (select oid from pg_catalog.pg_database where datname = current_database())
from pg_catalog.pg_control_system();
