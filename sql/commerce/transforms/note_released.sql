-- Somebody let a held upload go. Result: a row when it was held and not released before.
update commerce.upload_history
set metadata = metadata || jsonb_build_object('released_at', current_timestamp)
where upload_id = %(upload_id)s and metadata ? 'held' and not metadata ? 'released_at'
returning upload_id
