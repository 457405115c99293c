-- Objects that were deleted before anybody looked at them. Result: their number.
with withdrawn as (
    update shoppulse.delivery_objects
    set stage = 'withdrawn', finished_at = current_timestamp
    where bucket = %(bucket)s and object_key = any(%(keys)s) and stage = 'seen'
    returning 1
)
select count(*) from withdrawn;
