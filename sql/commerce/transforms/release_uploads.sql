-- A held upload goes on. Result: a row when it was held.
update commerce.upload_objects
set stage = 'validated', released_at = current_timestamp, requested_at = null
where upload_id = %(upload_id)s and stage = 'held'
returning object_id;
