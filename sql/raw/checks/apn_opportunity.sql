-- Validation rules of raw.apn_opportunity, in one scan. Result: one row per rule that applied to any live row:
-- rule, checked, failed, the first ten ids. Read only.
-- Each condition is true for a good row, false for a bad one, null where the rule does not apply: "checked" counts the others.
-- What AWS masks until a referral is accepted ("Accept To View") counts as null, and such a row need not be complete.
-- Codes and their meaning: odoo_apn_assets/apn_rules.py.
with live as (
    select
        o.id,
        o.parent_opportunity_id,
        o.partner_crm_unique_identifier as crm_id,
        count(*) over (partition by o.partner_crm_unique_identifier) as rows_with_crm_id,
        nullif(o.account_name, 'Accept To View') as company,
        nullif(o.partner_project_title, 'Accept To View') as title,
        nullif(o.project_description_business_need, 'Accept To View') as problem,
        nullif(o.customer_email, 'Accept To View') as customer_email,
        nullif(o.customer_phone, 'Accept To View') as customer_phone,
        nullif(o.customer_website, 'Accept To View') as website,
        nullif(o.customer_duns, 'Accept To View') as duns,
        nullif(o.aws_account, 'Accept To View') as account,
        nullif(o.state, 'Accept To View') as state,
        nullif(o.postal_code, 'Accept To View') as postal_code,
        o.industry,
        o.industry_other,
        o.country,
        coalesce(o.national_security, false) as national_security,
        o.opportunity_type,
        o.project_budget,
        o.use_case,
        o.delivery_model,
        o.sales_activities,
        o.partner_primary_need_from_aws as need,
        coalesce(cardinality(o.solution_offered), 0) as solutions,
        o.solution_offered,
        o.other_solution_offered,
        o.stage_name,
        o.closed_lost_reason,
        o.rejection_reason,
        o.close_date,
        o.aws_create_date,
        coalesce(o.aws_last_modified_date, o.aws_create_date) as written,
        o.is_opp_from_marketing_activity as from_marketing,
        o.marketing_campaign_name,
        o.is_marketing_development_funded,
        array[o.partner_sales_rep_email, o.aws_sales_rep_email, o.psm_email, o.pdm_email] as team,
        upper(o.partner_acceptance_status) as answer,
        -- The whole record is there: written by the partner, or unmasked by acceptance.
        coalesce(o.opportunity_ownership in ('Partner Referral', 'Partner Originated'), true)
        or coalesce(upper(o.partner_acceptance_status) = 'ACCEPTED', false) as is_visible,
        coalesce(o.opportunity_ownership in ('Partner Referral', 'Partner Originated'), false)
        and coalesce(o.aws_status, o.status) not in ('Pending Submission', 'Draft') as is_submitted
    from raw.apn_opportunity as o
    where o._deleted_at is null
), judged as (
    select rule.code, rule.good, live.id
    from live
    cross join lateral (values
        ('OPP_ID', id ~ '^O[0-9]{1,19}$'),
        ('OPP_PARENT_ID', parent_opportunity_id ~ '^O[0-9]{1,19}$'),
        ('OPP_SOLUTION_ID', case when solutions > 0
            then not exists (select from unnest(solution_offered) as s (id) where s.id is null or s.id !~ '^S-[0-9]{1,19}$') end),
        ('OPP_ACCOUNT', account ~ '^[0-9]{12}$'),
        ('OPP_DUNS', duns ~ '^[0-9]{9}$'),
        ('OPP_CUSTOMER_EMAIL', customer_email ~ %(email)s and length(customer_email) <= 80),
        ('OPP_TEAM_EMAIL', case when cardinality(array_remove(team, null)) > 0
            then not exists (select from unnest(team) as m (email) where m.email !~ %(email)s or length(m.email) > 80) end),
        ('OPP_PHONE', customer_phone ~ '^[+][1-9][0-9]{1,14}$'),
        ('OPP_WEBSITE', website ~ %(website)s and length(website) between 4 and 255),
        ('OPP_COMPANY_LENGTH', length(company) <= 120),
        ('OPP_PROBLEM_LENGTH', length(problem) between 20 and 2000),
        ('OPP_POSTAL_CODE', case
            when country = any (%(countries_with_format)s)
                then postal_code ~ (%(postal_formats)s)[array_position(%(countries_with_format)s, country::text)]
            when country = any (%(countries_without_codes)s) and postal_code is not null
                then postal_code = %(postal_placeholder)s
        end),
        ('OPP_CRM_ID_UNIQUE', case when crm_id <> '' then rows_with_crm_id = 1 end),
        ('OPP_SPEND', project_budget > 0 and project_budget < 'NaN'),
        ('OPP_CLOSE_DATE', case when close_date is not null and written is not null
            then close_date >= coalesce(aws_create_date, written)::date and close_date <= written::date + interval '60 years' end),
        ('OPP_NEEDS_COMPANY', case when is_visible then coalesce(company, '') <> '' end),
        ('OPP_NEEDS_INDUSTRY', case when is_visible then coalesce(industry, '') <> '' end),
        ('OPP_NEEDS_COUNTRY', case when is_visible then coalesce(country, '') <> '' end),
        ('OPP_NEEDS_TITLE', case when is_visible then coalesce(title, '') <> '' end),
        ('OPP_NEEDS_PROBLEM', case when is_visible then coalesce(problem, '') <> '' end),
        ('OPP_NEEDS_CLOSE_DATE', case when is_visible then close_date is not null end),
        ('OPP_NEEDS_SPEND', case when is_visible then project_budget is not null end),
        ('OPP_NEEDS_WEBSITE', case when is_visible and not national_security then coalesce(website, '') <> '' end),
        ('OPP_NEEDS_POSTAL_CODE', case when is_visible and not national_security
            and not coalesce(country = any (%(countries_without_codes)s), false) then coalesce(postal_code, '') <> '' end),
        ('OPP_SUBMITTED_USE_CASE', case when is_submitted then coalesce(use_case, '') <> '' end),
        ('OPP_SUBMITTED_DELIVERY_MODEL', case when is_submitted then coalesce(delivery_model, '') <> '' end),
        ('OPP_SUBMITTED_SALES_ACTIVITIES', case when is_submitted then coalesce(sales_activities, '') <> '' end),
        ('OPP_SUBMITTED_PRIMARY_NEED', case when is_submitted then coalesce(need, '') <> '' end),
        ('OPP_SUBMITTED_SOLUTION', case when is_submitted then solutions > 0 or coalesce(other_solution_offered, '') <> '' end),
        ('OPP_INDUSTRY_OTHER', case when industry = 'Other' then coalesce(industry_other, '') <> '' end),
        ('OPP_STATE_OF_US', case when is_visible and country = 'United States' then coalesce(state, '') <> '' end),
        ('OPP_CLOSED_LOST_REASON', case when stage_name = 'Closed Lost' then coalesce(closed_lost_reason, '') <> '' end),
        ('OPP_REJECTION_REASON', case when answer = 'REJECTED' then coalesce(rejection_reason, '') <> '' end),
        ('OPP_LAUNCHED_ACCOUNT', case when stage_name = 'Launched' then coalesce(account, '') <> '' end),
        ('OPP_COMMITTED_SOLUTION', case when stage_name in ('Committed', 'Launched') then solutions > 0 end),
        ('OPP_RENEWAL_PARENT', case when opportunity_type = 'Flat Renewal' then coalesce(parent_opportunity_id, '') <> '' end),
        ('OPP_MDF_FLAG', case when from_marketing then is_marketing_development_funded is not null end),
        ('OPP_NO_MARKETING', case when not from_marketing
            then coalesce(marketing_campaign_name, '') = '' and is_marketing_development_funded is null end),
        ('OPP_NATIONAL_SECURITY', case when national_security then coalesce(industry = 'Government', false) end),
        ('OPP_NEED_EXCLUSIVE', case when position('Do Not Need Support from AWS Sales Rep' in need) > 0
            then position('Co-Sell' in need) = 0 end)
    ) as rule (code, good)
    where rule.good is not null
)
select code, count(*), count(*) filter (where not good),
    (select array_agg(f.id order by f.id) from (
        select e.id from unnest(array_agg(judged.id) filter (where not good)) as e (id) order by e.id limit 10
    ) as f)
from judged
group by code
order by code
