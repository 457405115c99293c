-- Takes noted days, whole tenant-days of any of the sources, in the order of tenant and day; a day that is being noted right now
-- is left for the next time. They stay deleted only if what is computed from them is committed. Parameters: sources, days (at most).
with taken as (
    delete from shoppulse.changed_days
    where (tenant_id, source, day) in (
        select tenant_id, source, day
        from shoppulse.changed_days
        where source = any (%(sources)s) and tenant_id in (select tenant_id from shoppulse.metric_states)
        order by tenant_id, day, source
        limit %(days)s
        for update skip locked
    )
    returning tenant_id, day
)
insert into refreshing (tenant_id, day, today, currency)
select distinct taken.tenant_id, taken.day, state.today, state.currency
from taken
join shoppulse.metric_states as state using (tenant_id)
