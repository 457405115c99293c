-- Staged rows of uploads that are answered already.
with wrong as (
    select distinct s.upload_id
    from commerce.staged_rows s
    left join commerce.upload_objects o on o.upload_id = s.upload_id
    where o.stage is null or o.stage in ('answered', 'refused')
)
select (select count(distinct upload_id) from commerce.staged_rows), (select count(*) from wrong),
       (select array_agg(upload_id) from (select upload_id from wrong limit 10) w);
