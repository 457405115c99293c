-- Uploads of a vendor, or one by its id or the key of its object, the newest first: (upload_id, stage, bucket, object_key, keys of the
-- answer's files by kind, failure_code, failure_message). No keys: it is not answered yet. The answer of a held upload counts while it is
-- held. A vendor's upload has no vendor_id before a run has taken it, and is found by its folder until then. Read-only.
select
    o.upload_id, o.stage, o.bucket, o.object_key,
    case o.stage when 'answered' then o.file_facts -> 'answer' when 'held' then o.file_facts -> 'held_answer' end,
    o.failure_code, o.failure_message
from commerce.upload_objects as o
where o.stage <> 'withdrawn'
    and (
        o.upload_id = %(upload)s
        or o.object_key = %(upload)s
        or o.vendor_id = %(vendor)s
        or o.vendor_id is null and split_part(o.object_key, '/', 2) = %(vendor)s
    )
order by o.last_modified desc, o.object_id desc
limit 100;
