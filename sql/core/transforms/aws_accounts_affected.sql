-- The accounts to look at after a change in RAW (`taken`). Fills `affected`. All of them: which of two rows with one number counts,
-- and who pays for whom, depends on other rows, and there are some thousands of them. Only rows that differ are written.
insert into affected (source_key, account_id)
select source_key, account_id
from (
    select id::text, name from raw.odoo_c_aws_accounts where _deleted_at is null
    union all
    select 'apn_end_user ' || id, substring(btrim(aws_account_id) from '^[0-9]{12}$')
    from raw.apn_end_user where _deleted_at is null
    union all
    select null, account_id from core.aws_accounts
) as every (source_key, account_id)
where exists (select from taken)
