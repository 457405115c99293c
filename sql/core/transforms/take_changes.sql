-- The rows of RAW that changed since this table of CORE was last transformed, taken from the queue. A rollback puts them back.
-- Fills the temporary table `taken`. Result: one row, whether a whole table was announced, and how many rows there are.
create temporary table taken (raw_table text not null, source_id text) on commit drop;
with queued as (
    delete from ops.raw_changes where target_table = %(target)s returning raw_table, source_id
)
insert into taken select distinct raw_table, source_id from queued;
analyze taken;
select coalesce(bool_or(source_id is null), false), count(*) from taken
