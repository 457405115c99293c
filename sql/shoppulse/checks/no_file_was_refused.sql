-- Files of the last week that were refused as a whole, of any table. Result: checked, failed, first examples.
select count(*), count(*) filter (where stage = 'refused'),
       (array_agg(object_key || ' ' || failure_code order by object_id) filter (where stage = 'refused'))[1:10]
from shoppulse.delivery_objects
where seen_at > current_timestamp - interval '7 days';
