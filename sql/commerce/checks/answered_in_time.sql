-- Uploads of the last hours that were not answered in time, or are late already. A held upload is answered when its vendor is told
-- that it waits. Result: one row: uploads, late ones, the latest of them with their seconds, the most seconds. Read only.
with timed as (
    select
        coalesce(o.upload_id, o.object_key) as upload,
        extract(epoch from
            coalesce((o.file_facts ->> 'held_answered_at')::timestamptz, o.finished_at, clock_timestamp()) - o.last_modified
        ) as seconds,
        coalesce(s.answer_within_seconds, %(seconds)s) as promised
    from commerce.upload_objects as o
    left join commerce.vendor_settings as s on s.vendor_id = o.vendor_id
    where o.stage <> 'withdrawn' and o.last_modified > clock_timestamp() - %(hours)s * interval '1 hour'
)
select count(*), count(*) filter (where seconds > promised),
    (array_agg(upload || ' (' || round(seconds) || ' s)' order by seconds desc) filter (where seconds > promised))[1:10],
    coalesce(round(max(seconds), 1), 0)::float8
from timed;
