-- The leads that the changed rows of RAW (`taken`) touch, through whatever their names are resolved by. Fills `affected`.
-- Key: source_key. Partners, accounts and leads are read once each, and only when something they point to has changed.
with states as materialized (
    select source_id::integer as id from taken where raw_table = 'odoo_res_country_state'
    union
    select id from raw.odoo_res_country_state
    where country_id in (select source_id::integer from taken where raw_table = 'lookup_res_country')
), countries as materialized (
    select source_id::integer as id from taken where raw_table = 'lookup_res_country'
), changed_partners as materialized (
    select source_id::integer as id from taken where raw_table = 'odoo_res_partner'
), partners as materialized (
    select id from changed_partners
    union
    select id from raw.odoo_res_partner
    where (exists (select from changed_partners) or exists (select from states) or exists (select from countries))
      and (commercial_partner_id in (select id from changed_partners)
        or state_id in (select id from states)
        or country_id in (select id from countries))
), users as materialized (
    select source_id::integer as id from taken where raw_table = 'lookup_res_users'
    union
    select id from raw.lookup_res_users where partner_id in (select id from changed_partners)
), changed_accounts as materialized (
    select source_id::integer as id from taken where raw_table = 'odoo_c_aws_accounts'
), accounts as materialized (
    select id from changed_accounts
    union
    select id from raw.odoo_c_aws_accounts where payer_id in (select id from changed_accounts)
), teams as materialized (
    select source_id::integer as id from taken where raw_table = 'odoo_crm_team'
), stages as materialized (
    select source_id::integer as id from taken where raw_table = 'odoo_crm_stage'
)
insert into affected (source_key)
select source_id::integer from taken where raw_table = 'odoo_crm_lead'
union
select id from raw.odoo_crm_lead
where (exists (select from partners) or exists (select from users) or exists (select from accounts)
        or exists (select from teams) or exists (select from stages))
  and (partner_id in (select id from partners)
    or user_id in (select id from users)
    or team_id in (select id from teams)
    or stage_id in (select id from stages)
    or c_aws_account_id in (select id from accounts)
    or c_payer_account_id in (select id from accounts))
