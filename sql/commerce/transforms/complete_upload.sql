-- The end of an upload: the three counts in one UPDATE (valid + error = total holds at every moment), status and duration.
-- completed without an error, failed without a valid row, else partial. Refuses counts that are not the rows of the file: no row is
-- updated then. May be run again with the same counts: the second time changes nothing. Result: a row when it was written.
update commerce.upload_history
set total_records = %(valid_records)s::integer + %(error_records)s::integer,
    valid_records = %(valid_records)s,
    error_records = %(error_records)s,
    status = case
        when %(error_records)s::integer = 0 and %(valid_records)s::integer > 0 then 'completed'
        when %(valid_records)s::integer = 0 then 'failed'
        else 'partial'
    end,
    error_file_s3_key = %(error_file_s3_key)s,
    processing_completed_at = current_timestamp
where upload_id = %(upload_id)s
    and status = 'processing'
    and (metadata ->> 'expected_records')::integer = %(valid_records)s::integer + %(error_records)s::integer
returning upload_id, status
