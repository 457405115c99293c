-- Delivered rows: all of them, those stored already, and of these the ones that differ.
select (select count(*) from pg_temp.staged), count(*), count(*) filter (where differs) from pg_temp.found;
