-- A delivery has been loaded, or refused as a whole. Result: a row, unless it was not waiting any more.
update shoppulse.delivery_objects
set stage = %(stage)s,
    columns_given = %(columns_given)s,
    rows_read = %(rows_read)s,
    rows_stored = %(rows_stored)s,
    rows_unchanged = %(rows_unchanged)s,
    rows_overtaken = %(rows_overtaken)s,
    rows_quarantined = %(rows_quarantined)s,
    flags = %(flags)s::jsonb,
    failure_code = %(failure_code)s,
    failure_message = %(failure_message)s,
    finished_at = current_timestamp
where tenant_id = %(tenant_id)s and object_id = %(object_id)s and stage = 'seen'
returning object_id;
