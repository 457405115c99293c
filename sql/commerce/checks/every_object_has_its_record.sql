-- Objects that were taken up and have no record in the history, or one of another vendor. Refused ones have none: nobody knows whose
-- they are. Grain: one row. May be re-run.
with taken as (
    select o.object_key, h.upload_id is null or h.vendor_id is distinct from o.vendor_id as wrong
    from commerce.upload_objects as o
    left join commerce.upload_history as h on h.upload_id = o.upload_id
    where o.stage not in ('seen', 'refused', 'withdrawn')
)
select (select count(*) from taken), (select count(*) from taken where wrong),
       (select array_agg(object_key) from (select object_key from taken where wrong order by object_key limit 10) as l);
