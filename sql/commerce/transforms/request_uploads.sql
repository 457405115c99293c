-- Uploads that wait for a run: new ones, and those of a run that was asked for long ago and has not finished them. Oldest first, and
-- marked as asked for. Result: ids and attempts.
with due as (
    select object_id
    from commerce.upload_objects
    where stage in ('seen', 'received', 'recorded', 'validated', 'applied', 'completed')
      and (requested_at is null or requested_at < current_timestamp - %(patience)s * interval '1 second')
    order by last_modified, object_id
    limit %(most)s
    for update skip locked
)
update commerce.upload_objects o
set requested_at = current_timestamp, attempts = attempts + 1
from due
where o.object_id = due.object_id
returning o.object_id, o.attempts;
