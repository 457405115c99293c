-- Uploads of the last hours that were not answered in time, or are late already. A held upload is answered when its vendor is told
-- that it waits. Result: one row: uploads, late ones, the latest examples with their seconds. Read only.
with timed as (
    select
        coalesce(upload_id, object_key) as upload,
        extract(epoch from coalesce((file_facts ->> 'held_answered_at')::timestamptz, finished_at, clock_timestamp()) - last_modified)
            as seconds
    from commerce.upload_objects
    where stage <> 'withdrawn' and last_modified > clock_timestamp() - %(hours)s * interval '1 hour'
)
select count(*), count(*) filter (where seconds > %(seconds)s),
    (array_agg(upload || ' (' || round(seconds) || ' s)' order by seconds desc) filter (where seconds > %(seconds)s))[1:10],
    coalesce(round(max(seconds), 1), 0)::float8
from timed;
