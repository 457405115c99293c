-- How many rows the file of an upload has: known once it was read.
update commerce.upload_history
set metadata = coalesce(metadata, '{}') || jsonb_build_object('expected_records', %(expected_records)s::integer)
where upload_id = %(upload_id)s and status = 'processing';
