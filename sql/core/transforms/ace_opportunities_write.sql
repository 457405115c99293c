-- Opportunities of `incoming` into core.ace_opportunities.
-- Grain: one row per source row. Key: source_id. One statement: what is new, what differs, what is gone, and the log of all three.
-- May be re-run: rows that are the same are not written. Result: one row (inserted, updated, unchanged, deleted).
with final as (
    select incoming.source_key, incoming.source_table, incoming.source_id,
        incoming.name, incoming.account_name, incoming.customer_email, incoming.customer_name, incoming.aws_account,
        incoming.aws_account_name, incoming.project_budget, incoming.opportunity_type,
        incoming.opportunity_ownership, incoming.delivery_model, incoming.use_case, incoming.industry,
        incoming.partner_sales_rep_name, incoming.partner_sales_rep_email, incoming.aws_sales_rep_name,
        incoming.aws_sales_rep_email, incoming.psm_name, incoming.psm_email, incoming.status, incoming.aws_status,
        incoming.partner_acceptance_status, incoming.close_date, incoming.aws_create_date,
        incoming.aws_last_modified_date, incoming.stage_name, incoming.aws_stage, incoming.owner_id, incoming.owner_name,
        chosen.domain,
        case chosen.domain when incoming.website_host then website.normalized_domain else mail.normalized_domain end
            as normalized_domain,
        company.normalized_name as normalized_company_name,
        core.one_line(concat_ws(' | ', incoming.name, incoming.company_key, chosen.domain, incoming.problem,
            incoming.use_case, incoming.industry, incoming.stage_name), 8000) as combined_text
    from incoming
    left join core.domains as website on website.host = incoming.website_host
    left join core.domains as mail on mail.host = incoming.mail_host
    left join core.company_names as company on company.name = incoming.company_key
    cross join lateral (
        select case
            when website.normalized_domain is not null then incoming.website_host
            when mail.normalized_domain is not null then incoming.mail_host
            else coalesce(incoming.website_host, incoming.mail_host)
        end as domain
    ) as chosen
    where not incoming.suspect
), compared as materialized (
    select final.*, core.opportunity_id as known_id,
        case when core.source_id is not null then array_remove(array[
            case when final.name is distinct from core.name then 'name' end,
            case when final.account_name is distinct from core.account_name then 'account_name' end,
            case when final.customer_email is distinct from core.customer_email then 'customer_email' end,
            case when final.customer_name is distinct from core.customer_name then 'customer_name' end,
            case when final.aws_account is distinct from core.aws_account then 'aws_account' end,
            case when final.aws_account_name is distinct from core.aws_account_name then 'aws_account_name' end,
            case when final.project_budget is distinct from core.project_budget then 'project_budget' end,
            case when final.opportunity_type is distinct from core.opportunity_type then 'opportunity_type' end,
            case when final.opportunity_ownership is distinct from core.opportunity_ownership then 'opportunity_ownership' end,
            case when final.delivery_model is distinct from core.delivery_model then 'delivery_model' end,
            case when final.use_case is distinct from core.use_case then 'use_case' end,
            case when final.industry is distinct from core.industry then 'industry' end,
            case when final.partner_sales_rep_name is distinct from core.partner_sales_rep_name then 'partner_sales_rep_name' end,
            case when final.partner_sales_rep_email is distinct from core.partner_sales_rep_email then 'partner_sales_rep_email' end,
            case when final.aws_sales_rep_name is distinct from core.aws_sales_rep_name then 'aws_sales_rep_name' end,
            case when final.aws_sales_rep_email is distinct from core.aws_sales_rep_email then 'aws_sales_rep_email' end,
            case when final.psm_name is distinct from core.psm_name then 'psm_name' end,
            case when final.psm_email is distinct from core.psm_email then 'psm_email' end,
            case when final.status is distinct from core.status then 'status' end,
            case when final.aws_status is distinct from core.aws_status then 'aws_status' end,
            case when final.partner_acceptance_status is distinct from core.partner_acceptance_status then 'partner_acceptance_status' end,
            case when final.close_date is distinct from core.close_date then 'close_date' end,
            case when final.aws_create_date is distinct from core.aws_create_date then 'aws_create_date' end,
            case when final.aws_last_modified_date is distinct from core.aws_last_modified_date then 'aws_last_modified_date' end,
            case when final.domain is distinct from core.domain then 'domain' end,
            case when final.normalized_domain is distinct from core.normalized_domain then 'normalized_domain' end,
            case when final.normalized_company_name is distinct from core.normalized_company_name then 'normalized_company_name' end,
            case when final.stage_name is distinct from core.stage_name then 'stage_name' end,
            case when final.aws_stage is distinct from core.aws_stage then 'aws_stage' end,
            case when final.owner_id is distinct from core.owner_id then 'owner_id' end,
            case when final.owner_name is distinct from core.owner_name then 'owner_name' end,
            case when final.combined_text is distinct from core.combined_text then 'combined_text' end
        ]::text[], null) end as changed
    from final
    left join core.ace_opportunities as core using (source_id)
), inserted as (
    insert into core.ace_opportunities (source_id,
        name, account_name, customer_email, customer_name, aws_account, aws_account_name, project_budget,
        opportunity_type, opportunity_ownership, delivery_model, use_case, industry, partner_sales_rep_name,
        partner_sales_rep_email, aws_sales_rep_name, aws_sales_rep_email, psm_name, psm_email, status, aws_status,
        partner_acceptance_status, close_date, aws_create_date, aws_last_modified_date, domain, normalized_domain,
        normalized_company_name, combined_text, stage_name, aws_stage, owner_id, owner_name)
    select source_id,
        name, account_name, customer_email, customer_name, aws_account, aws_account_name, project_budget,
        opportunity_type, opportunity_ownership, delivery_model, use_case, industry, partner_sales_rep_name,
        partner_sales_rep_email, aws_sales_rep_name, aws_sales_rep_email, psm_name, psm_email, status, aws_status,
        partner_acceptance_status, close_date, aws_create_date, aws_last_modified_date, domain, normalized_domain,
        normalized_company_name, combined_text, stage_name, aws_stage, owner_id, owner_name
    from compared
    where known_id is null
    order by source_id
    returning source_id, opportunity_id
), updated as (
    update core.ace_opportunities as core
    set (updated_at,
        name, account_name, customer_email, customer_name, aws_account, aws_account_name, project_budget,
        opportunity_type, opportunity_ownership, delivery_model, use_case, industry, partner_sales_rep_name,
        partner_sales_rep_email, aws_sales_rep_name, aws_sales_rep_email, psm_name, psm_email, status, aws_status,
        partner_acceptance_status, close_date, aws_create_date, aws_last_modified_date, domain, normalized_domain,
        normalized_company_name, combined_text, stage_name, aws_stage, owner_id, owner_name)
        = (current_timestamp,
        compared.name, compared.account_name, compared.customer_email, compared.customer_name, compared.aws_account,
        compared.aws_account_name, compared.project_budget, compared.opportunity_type,
        compared.opportunity_ownership, compared.delivery_model, compared.use_case, compared.industry,
        compared.partner_sales_rep_name, compared.partner_sales_rep_email, compared.aws_sales_rep_name,
        compared.aws_sales_rep_email, compared.psm_name, compared.psm_email, compared.status, compared.aws_status,
        compared.partner_acceptance_status, compared.close_date, compared.aws_create_date,
        compared.aws_last_modified_date, compared.domain, compared.normalized_domain,
        compared.normalized_company_name, compared.combined_text, compared.stage_name, compared.aws_stage,
        compared.owner_id, compared.owner_name)
    from compared
    where core.opportunity_id = compared.known_id and compared.changed <> '{}'
    returning core.source_id, core.opportunity_id, compared.changed
), deleted as (
    delete from core.ace_opportunities as core
    using affected
    where core.source_id = affected.source_key
      and not exists (select from incoming where incoming.source_id = core.source_id and not incoming.suspect)
    returning core.source_id, core.opportunity_id
), logged as (
    insert into ops.transformation_log (
        source_table, target_table, source_record_id, target_record_id, transformation_type, transformation_rules)
    select 'raw.apn_opportunity', 'core.ace_opportunities', source_id::text, opportunity_id, 'insert', %(logged_rules)s::jsonb
    from inserted
    union all
    select 'raw.apn_opportunity', 'core.ace_opportunities', source_id::text, opportunity_id, 'update',
        %(logged_rules)s::jsonb || jsonb_build_object('columns', changed)
    from updated
    union all
    select 'raw.apn_opportunity', 'core.ace_opportunities', source_id::text, opportunity_id, 'delete', %(logged_rules)s::jsonb
    from deleted
)
select
    (select count(*) from inserted),
    (select count(*) from updated),
    (select count(*) from compared where changed = '{}'),
    (select count(*) from deleted)
