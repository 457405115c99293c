-- The affected AWS accounts with company, partner, salesperson and payer named: those of Odoo, then those that only APN's end users
-- know. Grain: one row per Odoo account, and one per 12-digit number that no Odoo account has. Key: source_key; account_id among
-- those that are not `suspect`. Fills the temporary table `incoming`. Of two Odoo rows with one number the one that is in use, then the
-- older one, counts; of two end users the one that started last.
create temporary table incoming on commit drop as
with numbered as (
    select a.*, btrim(a.name) as account_id,
        row_number() over (partition by btrim(a.name) order by a.active desc nulls last, a.id) as place,
        first_value(a.id) over (partition by btrim(a.name) order by a.active desc nulls last, a.id) as first_id
    from raw.odoo_c_aws_accounts as a
    where a._deleted_at is null
), end_users as (
    select distinct on (e.account_id) e.*
    from (
        select e.*, substring(btrim(e.aws_account_id) from '^[0-9]{12}$') as account_id,
            substring(btrim(e.payer_account_id) from '^[0-9]{12}$') as payer
        from raw.apn_end_user as e
        where e._deleted_at is null
    ) as e
    where e.account_id is not null and not exists (select from numbered where numbered.account_id = e.account_id)
    order by e.account_id, e.start_date desc nulls last, e.id
), resolved as (
    select a.id::text as source_key, 'raw.odoo_c_aws_accounts' as source_table,
        a.account_id, a.c_aws_account_name as account_name, a.c_aws_account_alias as account_alias,
        a.c_aws_company_id as company_id, company.name as company_name, company.website as company_website,
        coalesce(a.partner_id, a.c_aws_primary_contact_id) as partner_id, partner.name as partner_name,
        partner.email as partner_email,
        a.user_id as salesperson_id, user_partner.name as salesperson_name,
        coalesce(user_partner.email, u.login) as salesperson_email,
        coalesce(a.is_payer, false) as is_payer,
        payer.name as payer_account_id, payer.c_aws_account_name as payer_account_name,
        not coalesce(a.is_not_billable, false) as is_billable, a.c_environment as environment,
        case
            when a.account_id is null or a.account_id !~ '^[0-9]{12}$' then 'NOT_12_DIGITS'
            when a.place > 1 then 'DUPLICATE_ACCOUNT'
        end as refusal,
        case
            when a.account_id is null or a.account_id !~ '^[0-9]{12}$'
                then 'account_id: ' || coalesce(length(a.account_id), 0) || ' characters found, 12 digits needed'
            when a.place > 1 then 'account_id: Odoo account ' || a.first_id || ' has the same number'
        end as refusal_message
    from affected
    join numbered as a on a.id::text = affected.source_key
    left join raw.odoo_res_partner as company on company.id = a.c_aws_company_id
    left join raw.odoo_res_partner as partner on partner.id = coalesce(a.partner_id, a.c_aws_primary_contact_id)
    left join raw.lookup_res_users as u on u.id = a.user_id
    left join raw.odoo_res_partner as user_partner on user_partner.id = u.partner_id
    left join raw.odoo_c_aws_accounts as payer on payer.id = a.payer_id and payer.id <> a.id and a.is_payer is not true
    union all
    select 'apn_end_user ' || e.id, 'raw.apn_end_user',
        e.account_id, coalesce(core.unmasked(e.account_name), core.unmasked(e.company_name)), null,
        null, core.unmasked(e.company_name), core.unmasked(e.website), null, null, null, null, null, null,
        e.payer is not distinct from e.account_id,
        nullif(e.payer, e.account_id),
        case when e.payer <> e.account_id then coalesce(odoo_payer.c_aws_account_name, apn_payer.account_name) end,
        true, null, null, null
    from affected
    join end_users as e on 'apn_end_user ' || e.id = affected.source_key
    left join numbered as odoo_payer on odoo_payer.account_id = e.payer and odoo_payer.place = 1
    left join (select account_id, coalesce(core.unmasked(account_name), core.unmasked(company_name)) as account_name from end_users)
        as apn_payer on apn_payer.account_id = e.payer
)
select resolved.*,
    core.host_of_website(left(company_website, 255)) as website_host,
    core.host_of_email(left(partner_email, 255)) as mail_host,
    null::text as company_key,
    (refusal is not null or
    coalesce(
        octet_length(account_name) > 500 and length(account_name) > 500
        or octet_length(account_alias) > 200 and length(account_alias) > 200
        or octet_length(company_name) > 500 and length(company_name) > 500
        or octet_length(company_website) > 255 and length(company_website) > 255
        or octet_length(partner_name) > 500 and length(partner_name) > 500
        or octet_length(partner_email) > 255 and length(partner_email) > 255
        or octet_length(salesperson_name) > 500 and length(salesperson_name) > 500
        or octet_length(salesperson_email) > 255 and length(salesperson_email) > 255
        or octet_length(payer_account_id) > 20 and length(payer_account_id) > 20
        or octet_length(payer_account_name) > 500 and length(payer_account_name) > 500
        or octet_length(environment) > 50 and length(environment) > 50,
        false))
    as suspect
from resolved
