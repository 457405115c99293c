-- The verdict on each item of an upload in UploadRecords. Rows that no item could hold have none there.
select record_id, verdict <> 'rejected', codes[1], messages[1]
from commerce.upload_rows
where upload_id = %(upload_id)s and not (row_number = any(%(without_item)s))
order by row_number;
