-- Leads of `incoming` into core.odoo_opportunities.
-- Grain: one row per source row. Key: source_id. One statement: what is new, what differs, what is gone, and the log of all three.
-- May be re-run: rows that are the same are not written. Result: one row (inserted, updated, unchanged, deleted).
with final as (
    select incoming.source_key, incoming.source_table, incoming.source_id,
        incoming.name, incoming.partner_id, incoming.partner_name, incoming.partner_email, incoming.partner_phone,
        incoming.partner_website, incoming.partner_street, incoming.partner_city, incoming.partner_state,
        incoming.partner_country, incoming.partner_is_company, incoming.user_id, incoming.user_name,
        incoming.user_email, incoming.team_id, incoming.team_name, incoming.stage_id, incoming.stage_name,
        incoming.stage_sequence, incoming.aws_account_id, incoming.aws_account_name, incoming.aws_account_alias,
        incoming.aws_payer_account_id, incoming.aws_payer_account_name, incoming.probability,
        incoming.expected_revenue, incoming.origination, incoming.c_aws_am_name, incoming.c_aws_psm_name,
        incoming.create_date, incoming.close_date, incoming.date_deadline,
        chosen.domain,
        case chosen.domain when incoming.website_host then website.normalized_domain else mail.normalized_domain end
            as normalized_domain,
        company.normalized_name as normalized_company_name,
        core.one_line(concat_ws(' | ', incoming.name, incoming.company_key, chosen.domain, incoming.stage_name,
            incoming.team_name, incoming.aws_account_name, incoming.origination, incoming.description), 8000) as combined_text
    from incoming
    left join core.domains as website on website.host = incoming.website_host
    left join core.domains as mail on mail.host = incoming.mail_host
    left join core.company_names as company on company.name = incoming.company_key
    cross join lateral (
        select case
            when website.normalized_domain is not null then incoming.website_host
            when mail.normalized_domain is not null then incoming.mail_host
            else incoming.website_host
        end as domain
    ) as chosen
    where not incoming.suspect
), compared as materialized (
    select final.*, core.opportunity_id as known_id,
        case when core.source_id is not null then array_remove(array[
            case when final.name is distinct from core.name then 'name' end,
            case when final.partner_id is distinct from core.partner_id then 'partner_id' end,
            case when final.partner_name is distinct from core.partner_name then 'partner_name' end,
            case when final.partner_email is distinct from core.partner_email then 'partner_email' end,
            case when final.partner_phone is distinct from core.partner_phone then 'partner_phone' end,
            case when final.partner_website is distinct from core.partner_website then 'partner_website' end,
            case when final.partner_street is distinct from core.partner_street then 'partner_street' end,
            case when final.partner_city is distinct from core.partner_city then 'partner_city' end,
            case when final.partner_state is distinct from core.partner_state then 'partner_state' end,
            case when final.partner_country is distinct from core.partner_country then 'partner_country' end,
            case when final.partner_is_company is distinct from core.partner_is_company then 'partner_is_company' end,
            case when final.user_id is distinct from core.user_id then 'user_id' end,
            case when final.user_name is distinct from core.user_name then 'user_name' end,
            case when final.user_email is distinct from core.user_email then 'user_email' end,
            case when final.team_id is distinct from core.team_id then 'team_id' end,
            case when final.team_name is distinct from core.team_name then 'team_name' end,
            case when final.stage_id is distinct from core.stage_id then 'stage_id' end,
            case when final.stage_name is distinct from core.stage_name then 'stage_name' end,
            case when final.stage_sequence is distinct from core.stage_sequence then 'stage_sequence' end,
            case when final.aws_account_id is distinct from core.aws_account_id then 'aws_account_id' end,
            case when final.aws_account_name is distinct from core.aws_account_name then 'aws_account_name' end,
            case when final.aws_account_alias is distinct from core.aws_account_alias then 'aws_account_alias' end,
            case when final.aws_payer_account_id is distinct from core.aws_payer_account_id then 'aws_payer_account_id' end,
            case when final.aws_payer_account_name is distinct from core.aws_payer_account_name then 'aws_payer_account_name' end,
            case when final.probability is distinct from core.probability then 'probability' end,
            case when final.expected_revenue is distinct from core.expected_revenue then 'expected_revenue' end,
            case when final.origination is distinct from core.origination then 'origination' end,
            case when final.c_aws_am_name is distinct from core.c_aws_am_name then 'c_aws_am_name' end,
            case when final.c_aws_psm_name is distinct from core.c_aws_psm_name then 'c_aws_psm_name' end,
            case when final.create_date is distinct from core.create_date then 'create_date' end,
            case when final.close_date is distinct from core.close_date then 'close_date' end,
            case when final.date_deadline is distinct from core.date_deadline then 'date_deadline' end,
            case when final.domain is distinct from core.domain then 'domain' end,
            case when final.normalized_domain is distinct from core.normalized_domain then 'normalized_domain' end,
            case when final.normalized_company_name is distinct from core.normalized_company_name then 'normalized_company_name' end,
            case when final.combined_text is distinct from core.combined_text then 'combined_text' end
        ]::text[], null) end as changed
    from final
    left join core.odoo_opportunities as core using (source_id)
), inserted as (
    insert into core.odoo_opportunities (source_id,
        name, partner_id, partner_name, partner_email, partner_phone, partner_website, partner_street, partner_city,
        partner_state, partner_country, partner_is_company, user_id, user_name, user_email, team_id, team_name,
        stage_id, stage_name, stage_sequence, aws_account_id, aws_account_name, aws_account_alias,
        aws_payer_account_id, aws_payer_account_name, probability, expected_revenue, origination, c_aws_am_name,
        c_aws_psm_name, create_date, close_date, date_deadline, domain, normalized_domain, normalized_company_name,
        combined_text)
    select source_id,
        name, partner_id, partner_name, partner_email, partner_phone, partner_website, partner_street, partner_city,
        partner_state, partner_country, partner_is_company, user_id, user_name, user_email, team_id, team_name,
        stage_id, stage_name, stage_sequence, aws_account_id, aws_account_name, aws_account_alias,
        aws_payer_account_id, aws_payer_account_name, probability, expected_revenue, origination, c_aws_am_name,
        c_aws_psm_name, create_date, close_date, date_deadline, domain, normalized_domain, normalized_company_name,
        combined_text
    from compared
    where known_id is null
    order by source_id
    returning source_id, opportunity_id
), updated as (
    update core.odoo_opportunities as core
    set (updated_at,
        name, partner_id, partner_name, partner_email, partner_phone, partner_website, partner_street, partner_city,
        partner_state, partner_country, partner_is_company, user_id, user_name, user_email, team_id, team_name,
        stage_id, stage_name, stage_sequence, aws_account_id, aws_account_name, aws_account_alias,
        aws_payer_account_id, aws_payer_account_name, probability, expected_revenue, origination, c_aws_am_name,
        c_aws_psm_name, create_date, close_date, date_deadline, domain, normalized_domain, normalized_company_name,
        combined_text)
        = (current_timestamp,
        compared.name, compared.partner_id, compared.partner_name, compared.partner_email, compared.partner_phone,
        compared.partner_website, compared.partner_street, compared.partner_city, compared.partner_state,
        compared.partner_country, compared.partner_is_company, compared.user_id, compared.user_name,
        compared.user_email, compared.team_id, compared.team_name, compared.stage_id, compared.stage_name,
        compared.stage_sequence, compared.aws_account_id, compared.aws_account_name, compared.aws_account_alias,
        compared.aws_payer_account_id, compared.aws_payer_account_name, compared.probability,
        compared.expected_revenue, compared.origination, compared.c_aws_am_name, compared.c_aws_psm_name,
        compared.create_date, compared.close_date, compared.date_deadline, compared.domain,
        compared.normalized_domain, compared.normalized_company_name, compared.combined_text)
    from compared
    where core.opportunity_id = compared.known_id and compared.changed <> '{}'
    returning core.source_id, core.opportunity_id, compared.changed
), deleted as (
    delete from core.odoo_opportunities as core
    using affected
    where core.source_id = affected.source_key
      and not exists (select from incoming where incoming.source_id = core.source_id and not incoming.suspect)
    returning core.source_id, core.opportunity_id
), logged as (
    insert into ops.transformation_log (
        source_table, target_table, source_record_id, target_record_id, transformation_type, transformation_rules)
    select 'raw.odoo_crm_lead', 'core.odoo_opportunities', source_id::text, opportunity_id, 'insert', %(logged_rules)s::jsonb
    from inserted 
    union all
    select 'raw.odoo_crm_lead', 'core.odoo_opportunities', source_id::text, opportunity_id, 'update',
        %(logged_rules)s::jsonb || jsonb_build_object('columns', changed)
    from updated 
    union all
    select 'raw.odoo_crm_lead', 'core.odoo_opportunities', source_id::text, opportunity_id, 'delete', %(logged_rules)s::jsonb
    from deleted
)
select
    (select count(*) from inserted),
    (select count(*) from updated),
    (select count(*) from compared where changed = '{}'),
    (select count(*) from deleted)
