-- Put a filled shadow in the place of its mirror, with the mirror's names and rights. One transaction; readers wait for its end.
alter table {shadow} alter column _sync_batch_id drop default;
alter table {shadow} alter column _raw_id set cache 1;
alter table {shadow} add primary key (_raw_id);
create unique index {shadow_key} on {shadow} (id);
set local lock_timeout = '30s';
drop table {mirror};
alter table {shadow} rename to {mirror_name};
alter index {shadow_key_qualified} rename to {key_name};
alter index {shadow_primary_qualified} rename to {primary_name};
alter sequence {shadow_sequence_qualified} rename to {sequence_name};
alter table {mirror} owner to odoo_apn_writer;
-- A sample of 3,000 rows: one of 30,000 takes a fifth of the load of a wide table. Maintenance takes that one later.
set local default_statistics_target = 10;
analyze {mirror};
reset default_statistics_target;
