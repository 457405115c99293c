-- Uploads that wait for a run: new ones, and those that a run has not finished: after a first while, then after twice as long each time,
-- up to a last one. Oldest first, and marked as asked for. Result: ids and attempts.
with due as (
    select object_id
    from commerce.upload_objects
    where stage in ('seen', 'received', 'recorded', 'validated', 'applied', 'completed')
      and (requested_at is null
           or requested_at < current_timestamp
              - least(%(first)s * 2 ^ least(attempts - 1, 20), %(last)s) * interval '1 second')
    order by last_modified, object_id
    limit %(most)s
    for update skip locked
)
update commerce.upload_objects o
set requested_at = current_timestamp, attempts = attempts + 1
from due
where o.object_id = due.object_id
returning o.object_id, o.attempts;
