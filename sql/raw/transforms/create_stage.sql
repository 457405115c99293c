-- Where rows and keys of the source land before they are compared with the mirror. Temporary, per transaction.
create temporary table mirror_stage on commit drop as select {stage_columns}, null::bigint as _row_hash from {mirror} with no data;
