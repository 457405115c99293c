-- The days whose metrics are to be computed again: of rows that came or changed, old day and new.
-- A note that is there already is written again, which waits for a refresh that is taking it away: no change is missed.
insert into shoppulse.changed_days (tenant_id, source, day)
select %(tenant_id)s, source, day
from (
    select 'campaigns' as source, day
    from (
        select distinct s.date as day
        from pg_temp.staged s
        where not exists (select from pg_temp.found f where f.row_number = s.row_number and not f.differs)
    ) n
    union
    select 'campaigns', f.old_day
    from pg_temp.found f
    where f.differs
) d
where day is not null
order by source, day
on conflict (tenant_id, source, day) do update set noted_at = excluded.noted_at;
