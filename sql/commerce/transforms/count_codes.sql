-- Rejected rows of some uploads by their first code, the commonest first.
select error_type, count(*) from commerce.validation_errors where upload_id = any(%(upload_ids)s) group by 1 order by 2 desc, 1;
