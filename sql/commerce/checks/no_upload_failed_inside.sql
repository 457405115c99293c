-- Uploads of the last week that were closed because our own work failed on them.
with recent as (
    select upload_id, failure_code
    from commerce.upload_objects
    where seen_at > current_timestamp - interval '7 days'
),
failed as (
    select upload_id from recent where failure_code = 'PROCESSING_FAILED'
)
select (select count(*) from recent), (select count(*) from failed),
       (select array_agg(upload_id) from (select upload_id from failed order by upload_id limit 10) f);
