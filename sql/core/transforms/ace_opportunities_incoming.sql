-- The affected APN opportunities with their account's name, before domains and company names are normalised. Grain: one row per live
-- opportunity. Key: source_id. Fills the temporary table `incoming`. What AWS masks is null. `suspect`: does not fit the table.
create temporary table incoming on commit drop as
with unmasked as (
    select o.id,
        nullif(btrim(core.unmasked(o.partner_project_title)), '') as title,
        nullif(btrim(core.unmasked(o.name)), '') as name,
        nullif(btrim(core.unmasked(o.account_name)), '') as account_name,
        nullif(btrim(core.unmasked(o.customer_name)), '') as customer_name,
        nullif(btrim(concat_ws(' ', core.unmasked(o.customer_first_name), core.unmasked(o.customer_last_name))), '') as full_name,
        lower(core.unmasked(o.customer_email)) as customer_email,
        core.unmasked(o.customer_website) as website,
        substring(btrim(o.aws_account) from '^[0-9]{12}$') as aws_account,
        o.project_budget,
        core.unmasked(o.opportunity_type) as opportunity_type,
        core.unmasked(o.opportunity_ownership) as opportunity_ownership,
        core.unmasked(o.delivery_model) as delivery_model,
        core.unmasked(o.use_case) as use_case,
        core.unmasked(o.industry) as industry,
        core.unmasked(o.partner_sales_rep_name) as partner_sales_rep_name,
        core.unmasked(o.partner_sales_rep_email) as partner_sales_rep_email,
        core.unmasked(o.aws_sales_rep_name) as aws_sales_rep_name,
        core.unmasked(o.aws_sales_rep_email) as aws_sales_rep_email,
        core.unmasked(o.psm_name) as psm_name,
        core.unmasked(o.psm_email) as psm_email,
        core.unmasked(o.status) as status,
        core.unmasked(o.aws_status) as aws_status,
        core.unmasked(o.partner_acceptance_status) as partner_acceptance_status,
        o.close_date, o.aws_create_date, o.aws_last_modified_date,
        core.unmasked(left(o.project_description_business_need, 8000)) as problem,
        core.unmasked(o.stage_name) as stage_name,
        core.unmasked(o.aws_stage) as aws_stage,
        o.owner_id
    from affected
    join raw.apn_opportunity as o on o.id = affected.source_key
    where o._deleted_at is null
), resolved as (
    select o.id as source_id, o.id as source_key, 'raw.apn_opportunity' as source_table,
        coalesce(o.title, o.name, o.id) as name,
        coalesce(o.account_name, o.name) as account_name,
        o.customer_email, coalesce(o.customer_name, o.full_name) as customer_name,
        o.aws_account, account.account_name as aws_account_name,
        round(o.project_budget, 2) as project_budget, o.opportunity_type, o.opportunity_ownership, o.delivery_model, o.use_case,
        o.industry, o.partner_sales_rep_name, o.partner_sales_rep_email, o.aws_sales_rep_name, o.aws_sales_rep_email,
        o.psm_name, o.psm_email, o.status, o.aws_status, o.partner_acceptance_status,
        o.close_date, o.aws_create_date, o.aws_last_modified_date,
        o.problem, o.stage_name, o.aws_stage, o.owner_id, owner.name as owner_name, o.website, coalesce(o.account_name, o.name) as company_key
    from unmasked as o
    left join core.aws_accounts as account on account.account_id = o.aws_account
    left join raw.apn_users as owner on owner.id = o.owner_id
)
select resolved.*,
    core.host_of_website(left(website, 255)) as website_host,
    core.host_of_email(left(customer_email, 255)) as mail_host,
    coalesce(
        name is null
        or octet_length(name) > 500 and length(name) > 500
        or octet_length(account_name) > 500 and length(account_name) > 500
        or octet_length(customer_email) > 255 and length(customer_email) > 255
        or octet_length(customer_name) > 500 and length(customer_name) > 500
        or octet_length(aws_account) > 20 and length(aws_account) > 20
        or octet_length(aws_account_name) > 500 and length(aws_account_name) > 500
        or abs(project_budget) >= 10000000000000
        or octet_length(opportunity_type) > 100 and length(opportunity_type) > 100
        or octet_length(opportunity_ownership) > 100 and length(opportunity_ownership) > 100
        or octet_length(delivery_model) > 100 and length(delivery_model) > 100
        or octet_length(use_case) > 200 and length(use_case) > 200
        or octet_length(industry) > 100 and length(industry) > 100
        or octet_length(partner_sales_rep_name) > 500 and length(partner_sales_rep_name) > 500
        or octet_length(partner_sales_rep_email) > 255 and length(partner_sales_rep_email) > 255
        or octet_length(aws_sales_rep_name) > 500 and length(aws_sales_rep_name) > 500
        or octet_length(aws_sales_rep_email) > 255 and length(aws_sales_rep_email) > 255
        or octet_length(psm_name) > 500 and length(psm_name) > 500
        or octet_length(psm_email) > 255 and length(psm_email) > 255
        or octet_length(status) > 100 and length(status) > 100
        or octet_length(aws_status) > 100 and length(aws_status) > 100
        or octet_length(partner_acceptance_status) > 100 and length(partner_acceptance_status) > 100,
        false)
    as suspect, null::text as refusal, null::text as refusal_message
from resolved
