-- Deliveries that wait for a run: new ones, and those that a run has not finished: after a first while, then after twice as long each
-- time, up to a last one. Oldest first, and marked as asked for. Result: ids and attempts.
with due as (
    select tenant_id, object_id
    from shoppulse.delivery_objects
    where stage = 'seen'
      and (requested_at is null
           or requested_at < current_timestamp
              - least(%(first)s * 2 ^ least(attempts - 1, 20), %(last)s) * interval '1 second')
    order by last_modified, object_key, object_id
    limit %(most)s
    for update skip locked
)
update shoppulse.delivery_objects o
set requested_at = current_timestamp, attempts = attempts + 1
from due
where o.tenant_id = due.tenant_id and o.object_id = due.object_id
returning o.object_id, o.attempts;
