-- The second best answer to source_identity.sql. Runs at the source.
select coalesce(host(inet_server_addr()), 'local') || ':' || coalesce(inet_server_port(), 0) || '/'
       || (select oid from pg_catalog.pg_database where datname = current_database());
