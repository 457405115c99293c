-- The record of an upload. Result: vendor, status, valid and error records, metadata; no row when there is none. Read only.
select vendor_id, status, valid_records, error_records, coalesce(metadata, '{}')
from commerce.upload_history
where upload_id = %(upload_id)s
