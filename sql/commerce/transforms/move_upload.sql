-- An upload has reached its next stage. Result: a row, unless it was not where it is said to be.
update commerce.upload_objects
set stage = %(stage)s,
    vendor_id = coalesce(%(vendor_id)s, vendor_id),
    upload_id = coalesce(%(upload_id)s, upload_id),
    failure_code = coalesce(%(failure_code)s, failure_code),
    failure_message = coalesce(%(failure_message)s, failure_message),
    file_facts = coalesce(file_facts, '{}') || coalesce(%(file_facts)s::jsonb, '{}'),
    -- One that goes back is asked for anew at once.
    requested_at = case when stage = 'recorded' and %(stage)s = 'received' then null else requested_at end,
    finished_at = case when %(stage)s in ('answered', 'refused', 'withdrawn') then current_timestamp end
where object_id = %(object_id)s and stage = %(at)s
returning object_id;
