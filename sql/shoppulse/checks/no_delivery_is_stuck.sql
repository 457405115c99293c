-- Deliveries of any table that wait for more than an hour. Result: checked, failed, first examples.
select count(*), count(*) filter (where stage = 'seen' and seen_at < current_timestamp - interval '1 hour'),
       (array_agg(object_key order by last_modified)
           filter (where stage = 'seen' and seen_at < current_timestamp - interval '1 hour'))[1:10]
from shoppulse.delivery_objects;
