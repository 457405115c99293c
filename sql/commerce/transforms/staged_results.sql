-- What became of each row of an upload, in the order of the file.
select row_number, verdict, original_data, coalesce(codes, '{}'), coalesce(fields, '{}'), coalesce(messages, '{}'),
       coalesce(fixes, '{}'), coalesce(warnings, '[]')
from commerce.upload_rows
where upload_id = %(upload_id)s
order by row_number;
