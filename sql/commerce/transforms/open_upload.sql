-- The record of an upload that begins. The counts stay 0 until it is done; the number of rows of the file stands in metadata.
-- Key: upload_id; may be run again: a record that is there stays as it is. Result: a row when one was written.
insert into commerce.upload_history (upload_id, vendor_id, file_name, s3_key, processing_started_at, metadata)
values (
    %(upload_id)s, %(vendor_id)s, %(file_name)s, %(s3_key)s, current_timestamp,
    jsonb_build_object('expected_records', %(expected_records)s::integer)
)
on conflict (upload_id) do nothing
returning upload_id
