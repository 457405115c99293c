-- The days whose metrics are to be computed again: of rows that came or changed, old day and new. Waits for a refresh that is taking
-- the same day's note away: a note that is there already is written again, so that no change is missed.
insert into shoppulse.changed_days (tenant_id, source, day)
select %(tenant_id)s, source, day
from (
    select 'campaigns' as source, s.date as day
    from pg_temp.staged s
    left join pg_temp.found f on f.row_number = s.row_number
    where f.differs is distinct from false
    union
    select 'campaigns', f.old_day
    from pg_temp.found f
    where f.differs
) d
where day is not null
order by source, day
on conflict (tenant_id, source, day) do update set noted_at = excluded.noted_at;
