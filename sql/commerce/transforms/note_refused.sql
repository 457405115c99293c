-- Somebody ended a held upload. Result: a row when it was held and nobody had decided before.
update commerce.upload_history
set metadata = metadata || jsonb_build_object('refused_at', current_timestamp, 'refusal', %(reason)s::text)
where upload_id = %(upload_id)s and metadata ? 'held' and not metadata ? 'released_at' and not metadata ? 'refused_at'
returning upload_id
