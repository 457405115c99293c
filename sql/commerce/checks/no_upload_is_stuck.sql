-- Uploads on their way for more than an hour that nobody holds back.
with late as (
    select object_key
    from commerce.upload_objects
    where stage in ('seen', 'received', 'recorded', 'validated', 'applied', 'completed')
      and seen_at < current_timestamp - interval '1 hour'
)
select (select count(*) from commerce.upload_objects), (select count(*) from late),
       (select array_agg(object_key) from (select object_key from late limit 10) l);
