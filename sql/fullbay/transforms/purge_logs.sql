-- Runs recorded more than so many days ago go, with all their log rows. Result: one row per table. May be re-run.
select table_name, rows_deleted from fullbay.purge_logs(make_interval(days => %(days)s))
