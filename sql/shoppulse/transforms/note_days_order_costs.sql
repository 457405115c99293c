-- The days whose metrics are to be computed again: of orders whose cost came or changed.
-- A note that is there already is written again, which waits for a refresh that is taking it away: no change is missed.
insert into shoppulse.changed_days (tenant_id, source, day)
select %(tenant_id)s, source, day
from (
    select distinct 'orders' as source, o.order_date as day
    from pg_temp.staged s
    join shoppulse.orders o on o.tenant_id = %(tenant_id)s and o.order_id = s.row_key
    where not exists (select from pg_temp.found f where f.row_number = s.row_number and not f.differs)
) d
where day is not null
order by source, day
on conflict (tenant_id, source, day) do update set noted_at = excluded.noted_at;
