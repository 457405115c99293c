-- Delete the results of checks that are older than keep_days. May be re-run.
with purged as (
    delete from ops.data_quality_checks
    where executed_at < current_timestamp - %(keep_days)s * interval '1 day'
    returning 1
)
select count(*) from purged;
