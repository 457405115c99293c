-- The snapshot for the other connections, the next transaction number, and the oldest one still running. Runs at the source,
-- first in its transaction. The txid_ functions also exist on servers older than 13.
select pg_catalog.pg_export_snapshot(),
       pg_catalog.txid_snapshot_xmax(pg_catalog.txid_current_snapshot()),
       pg_catalog.txid_snapshot_xmin(pg_catalog.txid_current_snapshot());
