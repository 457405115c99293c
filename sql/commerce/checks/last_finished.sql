-- The uploads that were finished last.
select upload_id
from commerce.upload_history
where status <> 'processing'
order by processing_completed_at desc nulls last
limit 50;
