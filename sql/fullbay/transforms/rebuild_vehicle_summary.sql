-- Every row of vehicle_summary up to date with the lines, and its queue emptied. Result: one row, keys and rows written.
-- May be re-run: only rows that differ are written.
with emptied as (delete from fullbay.refresh_queue where target = 'VEHICLE' returning key)
select (select count(distinct key) from emptied), fullbay.refresh_vehicle_summaries(null::text[])
