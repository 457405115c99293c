-- Held uploads whose vendor has not been told yet, oldest first.
select object_id, object_key, version_id, etag, size_bytes, last_modified, stage, vendor_id, upload_id, failure_code,
       failure_message, file_facts
from commerce.upload_objects
where stage = 'held' and not coalesce(file_facts, '{}') ? 'held_answer'
order by last_modified, object_id
limit %(most)s;
