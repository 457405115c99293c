-- Uploads at some stages, oldest first; locked by nobody: the caller holds the lease on uploads.
select object_id, object_key, version_id, etag, size_bytes, last_modified, stage, vendor_id, upload_id, failure_code,
       failure_message, file_facts
from commerce.upload_objects
where stage = any(%(stages)s)
order by last_modified, object_id
limit %(most)s;
