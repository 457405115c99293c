-- Rows whose key a newer delivery has: that one's word counts. Result: their number.
with gone as (
    delete from pg_temp.staged s using (select distinct row_key from pg_temp.newer) n where n.row_key = s.row_key returning 1
)
select count(*) from gone;
