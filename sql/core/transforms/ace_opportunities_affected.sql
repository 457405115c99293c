-- The APN opportunities that the changed rows of RAW (`taken`) touch. Fills `affected`. Key: source_key. When an account changed,
-- those whose account has another name in core.aws_accounts now: an old number is known there alone.
insert into affected (source_key)
select source_id from taken where raw_table = 'apn_opportunity'
union
select opportunity.source_id
from core.ace_opportunities as opportunity
left join core.aws_accounts as account on account.account_id = opportunity.aws_account
where exists (select from taken where raw_table in ('odoo_c_aws_accounts', 'apn_end_user'))
  and opportunity.aws_account_name is distinct from account.account_name
union
select opportunity.id
from raw.apn_opportunity as opportunity
where opportunity.owner_id in (select source_id from taken where raw_table = 'apn_users')
