-- The affected leads with every id resolved to a name, before their domains and company names are normalised.
-- Grain: one row per live lead that is no mere lead (type 'lead'). Key: source_id. Fills the temporary table `incoming`.
-- `suspect`: does not fit core.odoo_opportunities. Rows that names are taken from count also when they are gone at the source.
create temporary table incoming on commit drop as
with resolved as (
    select
        l.id as source_id, l.id as source_key, 'raw.odoo_crm_lead' as source_table, l.name,
        l.partner_id,
        case when l.partner_id is null then l.partner_name else p.name end as partner_name,
        case when l.partner_id is null then l.email_from else p.email end as partner_email,
        case when l.partner_id is null then l.phone else coalesce(p.phone, p.mobile) end as partner_phone,
        case when l.partner_id is null then l.website
            else coalesce(nullif(btrim(p.website), ''), company.website) end as partner_website,
        nullif(concat_ws(', ', nullif(btrim(p.street), ''), nullif(btrim(p.street2), '')), '') as partner_street,
        p.city as partner_city, state.name as partner_state, country.name as partner_country,
        p.is_company as partner_is_company,
        l.user_id, user_partner.name as user_name, coalesce(user_partner.email, u.login) as user_email,
        l.team_id, team.name as team_name,
        l.stage_id, stage.name as stage_name, stage.sequence as stage_sequence,
        account.name as aws_account_id, account.c_aws_account_name as aws_account_name,
        account.c_aws_account_alias as aws_account_alias,
        payer.name as aws_payer_account_id, payer.c_aws_account_name as aws_payer_account_name,
        round(l.probability::numeric, 2) as probability, round(l.expected_revenue, 2) as expected_revenue,
        l.origination, l.c_aws_am_name, l.c_aws_psm_name,
        l.create_date, l.date_closed as close_date, l.date_deadline,
        left(l.description, 8000) as description,
        case when l.partner_id is null then l.partner_name else coalesce(company.name, p.name) end as company_key
    from affected
    join raw.odoo_crm_lead as l on l.id = affected.source_key
    left join raw.odoo_res_partner as p on p.id = l.partner_id
    left join raw.odoo_res_partner as company on company.id = p.commercial_partner_id
    left join raw.odoo_res_country_state as state on state.id = p.state_id
    left join raw.lookup_res_country as country on country.id = coalesce(p.country_id, state.country_id)
    left join raw.lookup_res_users as u on u.id = l.user_id
    left join raw.odoo_res_partner as user_partner on user_partner.id = u.partner_id
    left join raw.odoo_crm_team as team on team.id = l.team_id
    left join raw.odoo_crm_stage as stage on stage.id = l.stage_id
    left join raw.odoo_c_aws_accounts as account on account.id = l.c_aws_account_id
    left join raw.odoo_c_aws_accounts as payer on payer.id = coalesce(account.payer_id, l.c_payer_account_id)
    where l._deleted_at is null and l.type is distinct from 'lead'
)
select resolved.*,
    core.host_of_website(left(partner_website, 255)) as website_host,
    core.host_of_email(left(partner_email, 255)) as mail_host,
    coalesce(
        name is null
        or octet_length(name) > 500 and length(name) > 500
        or octet_length(partner_name) > 500 and length(partner_name) > 500
        or octet_length(partner_email) > 255 and length(partner_email) > 255
        or octet_length(partner_phone) > 100 and length(partner_phone) > 100
        or octet_length(partner_website) > 255 and length(partner_website) > 255
        or octet_length(partner_street) > 500 and length(partner_street) > 500
        or octet_length(partner_city) > 200 and length(partner_city) > 200
        or octet_length(partner_state) > 200 and length(partner_state) > 200
        or octet_length(partner_country) > 200 and length(partner_country) > 200
        or octet_length(user_name) > 500 and length(user_name) > 500
        or octet_length(user_email) > 255 and length(user_email) > 255
        or octet_length(team_name) > 200 and length(team_name) > 200
        or octet_length(stage_name) > 200 and length(stage_name) > 200
        or octet_length(aws_account_id) > 20 and length(aws_account_id) > 20
        or octet_length(aws_account_name) > 500 and length(aws_account_name) > 500
        or octet_length(aws_account_alias) > 200 and length(aws_account_alias) > 200
        or octet_length(aws_payer_account_id) > 20 and length(aws_payer_account_id) > 20
        or octet_length(aws_payer_account_name) > 500 and length(aws_payer_account_name) > 500
        or abs(probability) >= 1000
        or abs(expected_revenue) >= 10000000000000
        or octet_length(origination) > 50 and length(origination) > 50
        or octet_length(c_aws_am_name) > 500 and length(c_aws_am_name) > 500
        or octet_length(c_aws_psm_name) > 500 and length(c_aws_psm_name) > 500,
        false)
    as suspect, null::text as refusal, null::text as refusal_message
from resolved
