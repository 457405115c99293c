-- The days whose metrics are to be computed again: of orders that came or changed, old day and new; of an order
-- that moved to another region or store also the day that its delivery was promised for.
-- A note that is there already is written again, which waits for a refresh that is taking it away: no change is missed.
insert into shoppulse.changed_days (tenant_id, source, day)
select %(tenant_id)s, source, day
from (
    select 'orders' as source, day
    from (
        select distinct s.order_date as day
        from pg_temp.staged s
        where not exists (select from pg_temp.found f where f.row_number = s.row_number and not f.differs)
    ) n
    union
    select 'orders', f.old_day
    from pg_temp.found f
    where f.differs
    union
    select 'fulfillment', d.promised_delivery_date
    from pg_temp.found f
    join pg_temp.staged s on s.row_number = f.row_number
    join shoppulse.fulfillment d on d.tenant_id = %(tenant_id)s and d.order_id = s.row_key
    where f.moved
) d
where day is not null
order by source, day
on conflict (tenant_id, source, day) do update set noted_at = excluded.noted_at;
