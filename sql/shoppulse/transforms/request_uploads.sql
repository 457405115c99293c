-- Deliveries that wait for a run: new ones, and those of a run that was asked for long ago and has not finished them. Oldest first, and
-- marked as asked for. Result: ids and attempts.
with due as (
    select tenant_id, object_id
    from shoppulse.delivery_objects
    where stage = 'seen' and (requested_at is null or requested_at < current_timestamp - %(patience)s * interval '1 second')
    order by last_modified, object_key, object_id
    limit %(most)s
    for update skip locked
)
update shoppulse.delivery_objects o
set requested_at = current_timestamp, attempts = attempts + 1
from due
where o.tenant_id = due.tenant_id and o.object_id = due.object_id
returning o.object_id, o.attempts;
