-- Every account to look at, of Odoo, of APN's end users, of CORE and of the quarantine. Fills `affected`. Key: source_key.
insert into affected (source_key, account_id)
select id::text, name from raw.odoo_c_aws_accounts where _deleted_at is null
union all
select 'apn_end_user ' || id, substring(btrim(aws_account_id) from '^[0-9]{12}$') from raw.apn_end_user where _deleted_at is null
union all
select null, account_id from core.aws_accounts
