-- Files of the last week that were refused as a whole, of any table; one that was gone when it was to be read counts until the same key is
-- loaded. Result: checked, failed, first examples.
select count(*), count(*) filter (where stage = 'refused'),
       (array_agg(object_key || ' ' || failure_code order by object_id) filter (where stage = 'refused'))[1:10]
from shoppulse.delivery_objects as object
where seen_at > current_timestamp - interval '7 days'
  and not (failure_code is not distinct from 'FILE_GONE' and exists (
      select from shoppulse.delivery_objects as later
      where later.object_key = object.object_key and later.object_id > object.object_id and later.stage = 'loaded'
  ));
