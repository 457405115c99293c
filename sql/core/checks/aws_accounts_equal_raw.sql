-- Each live Odoo account, and each 12-digit number that only APN's end users have, is in CORE or in quarantine, and nothing else is.
-- Result: one row. Read only.
with odoo as (
    select id::text as source_id, btrim(name) as account_id from raw.odoo_c_aws_accounts where _deleted_at is null
), apn as (
    select distinct substring(btrim(aws_account_id) from '^[0-9]{12}$') as account_id
    from raw.apn_end_user where _deleted_at is null
), wanted as (
    select account_id from odoo
    union all
    select account_id from apn where account_id is not null and account_id not in (select account_id from odoo where account_id is not null)
), held as (
    select quarantine.source_id, quarantine.payload ->> 'account_id' as account_id
    from ops.quarantine where stage = 'core' and table_name = 'core.aws_accounts' and closed_at is null
), found as (
    select account_id from core.aws_accounts union all select account_id from held
), compared as (
    select coalesce(account_id, 'none') as account_id, sum(wanted) as wanted, sum(found) as found
    from (select account_id, 1 as wanted, 0 as found from wanted union all select account_id, 0, 1 from found) as both_sides
    group by account_id
), wrong as (
    select account_id from compared
    where wanted <> found and not exists (select from ops.raw_changes where target_table = 'aws_accounts')
)
select (select count(*) from compared), (select count(*) from wrong), (select count(*) from wanted), (select count(*) from found),
    (select (array_agg(account_id order by account_id))[1:10] from wrong)
