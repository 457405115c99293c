-- Which cluster, timeline and database this is: a failover begins a new timeline. Runs at the source.
select system_identifier || '/' || timeline_id || '/' || (select oid from pg_catalog.pg_database where datname = current_database())
from pg_catalog.pg_control_system(), pg_catalog.pg_control_checkpoint();
