-- Each live row of RAW that belongs into CORE is there or in quarantine, and nothing else is. Result: one row. Read only.
with wanted as (
    select l.id::text as source_id from raw.apn_opportunity as l where l._deleted_at is null
), found as (
    select source_id::text as source_id from core.ace_opportunities
    union all
    select source_id from ops.quarantine
    where stage = 'core' and table_name = 'core.ace_opportunities' and closed_at is null
), compared as (
    select source_id, count(wanted.source_id) as wanted, count(found.source_id) as found
    from wanted full join found using (source_id)
    group by source_id
), waiting as (
    -- Announced and not yet looked at: no fault of CORE's.
    select source_id from ops.raw_changes where target_table = 'ace_opportunities' and raw_table = 'apn_opportunity'
), wrong as (
    select source_id from compared
    where (wanted <> 1 or found <> 1)
      and not exists (select from waiting where waiting.source_id is null or waiting.source_id = compared.source_id)
)
select (select count(*) from compared), (select count(*) from wrong),
    (select count(*) from wanted), (select count(*) from found),
    (select (array_agg(source_id order by source_id))[1:10] from wrong)
