-- How many rows the file of an upload has, and which optional columns it lacks: known once it was read.
update commerce.upload_history
set metadata = coalesce(metadata, '{}')
    || jsonb_build_object('expected_records', %(expected_records)s::integer, 'absent_columns', %(absent_columns)s::text[])
where upload_id = %(upload_id)s and status = 'processing';
