-- An empty table beside a mirror, with its columns and defaults; rows say by themselves which sync wrote them.
-- Identifiers are composed in. Re-runnable: what an interrupted sync left is dropped.
drop table if exists {shadow};
create table {shadow} (like {mirror} including defaults including identity including comments);
alter table {shadow} alter column _sync_batch_id set default {job_id};
-- Numbers are taken a thousand at a time while it is filled: one by one they are a twentieth of the load.
alter table {shadow} alter column _raw_id set cache 1000;
