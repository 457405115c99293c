-- The uploads whose items were decided last: counts, the rows that no item could hold, whether the whole file was refused, and when
-- it was received.
select h.upload_id, h.total_records, h.valid_records, h.error_records,
       jsonb_array_length(coalesce(o.file_facts -> 'without_item', '[]')), o.failure_code is not null,
       h.processing_started_at at time zone 'UTC'
from commerce.upload_history as h
join commerce.upload_objects as o on o.upload_id = h.upload_id
where o.stage in ('completed', 'answered')
order by h.processing_completed_at desc nulls last
limit 50;
