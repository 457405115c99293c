-- Accounts of `incoming` into core.aws_accounts.
-- Grain: one row per source row. Key: account_id. One statement: what is new, what differs, what is gone, and the log of all three.
-- May be re-run: rows that are the same are not written. Result: one row (inserted, updated, unchanged, deleted).
with final as (
    select incoming.source_key, incoming.source_table, incoming.account_id,
        incoming.account_name, incoming.account_alias, incoming.company_id, incoming.company_name,
        incoming.company_website, incoming.partner_id, incoming.partner_name, incoming.partner_email,
        incoming.salesperson_id, incoming.salesperson_name, incoming.salesperson_email, incoming.is_payer,
        incoming.payer_account_id, incoming.payer_account_name, incoming.is_billable, incoming.environment,
        coalesce(website.normalized_domain, mail.normalized_domain) as company_domain,
        core.one_line(concat_ws(' | ', incoming.account_id, incoming.account_name, incoming.account_alias,
            incoming.company_name, coalesce(website.normalized_domain, mail.normalized_domain), incoming.partner_name,
            incoming.payer_account_name, incoming.environment), 8000) as combined_text
    from incoming
    left join core.domains as website on website.host = incoming.website_host
    left join core.domains as mail on mail.host = incoming.mail_host
    where not incoming.suspect
), compared as materialized (
    select final.*, core.account_id as known_id,
        case when core.account_id is not null then array_remove(array[
            case when final.account_name is distinct from core.account_name then 'account_name' end,
            case when final.account_alias is distinct from core.account_alias then 'account_alias' end,
            case when final.company_id is distinct from core.company_id then 'company_id' end,
            case when final.company_name is distinct from core.company_name then 'company_name' end,
            case when final.company_website is distinct from core.company_website then 'company_website' end,
            case when final.partner_id is distinct from core.partner_id then 'partner_id' end,
            case when final.partner_name is distinct from core.partner_name then 'partner_name' end,
            case when final.partner_email is distinct from core.partner_email then 'partner_email' end,
            case when final.salesperson_id is distinct from core.salesperson_id then 'salesperson_id' end,
            case when final.salesperson_name is distinct from core.salesperson_name then 'salesperson_name' end,
            case when final.salesperson_email is distinct from core.salesperson_email then 'salesperson_email' end,
            case when final.is_payer is distinct from core.is_payer then 'is_payer' end,
            case when final.payer_account_id is distinct from core.payer_account_id then 'payer_account_id' end,
            case when final.payer_account_name is distinct from core.payer_account_name then 'payer_account_name' end,
            case when final.is_billable is distinct from core.is_billable then 'is_billable' end,
            case when final.environment is distinct from core.environment then 'environment' end,
            case when final.company_domain is distinct from core.company_domain then 'company_domain' end,
            case when final.combined_text is distinct from core.combined_text then 'combined_text' end
        ]::text[], null) end as changed
    from final
    left join core.aws_accounts as core using (account_id)
), inserted as (
    insert into core.aws_accounts (account_id,
        account_name, account_alias, company_id, company_name, company_website, partner_id, partner_name,
        partner_email, salesperson_id, salesperson_name, salesperson_email, is_payer, payer_account_id,
        payer_account_name, is_billable, environment, company_domain, combined_text)
    select account_id,
        account_name, account_alias, company_id, company_name, company_website, partner_id, partner_name,
        partner_email, salesperson_id, salesperson_name, salesperson_email, is_payer, payer_account_id,
        payer_account_name, is_billable, environment, company_domain, combined_text
    from compared
    where known_id is null
    order by account_id
    returning account_id, null::uuid as opportunity_id
), updated as (
    update core.aws_accounts as core
    set (updated_at,
        account_name, account_alias, company_id, company_name, company_website, partner_id, partner_name,
        partner_email, salesperson_id, salesperson_name, salesperson_email, is_payer, payer_account_id,
        payer_account_name, is_billable, environment, company_domain, combined_text)
        = (current_timestamp,
        compared.account_name, compared.account_alias, compared.company_id, compared.company_name,
        compared.company_website, compared.partner_id, compared.partner_name, compared.partner_email,
        compared.salesperson_id, compared.salesperson_name, compared.salesperson_email, compared.is_payer,
        compared.payer_account_id, compared.payer_account_name, compared.is_billable, compared.environment,
        compared.company_domain, compared.combined_text)
    from compared
    where core.account_id = compared.known_id and compared.changed <> '{}'
    returning core.account_id, null::uuid as opportunity_id, compared.changed
), deleted as (
    delete from core.aws_accounts as core
    using affected
    where core.account_id = affected.account_id
      and not exists (select from incoming where incoming.account_id = core.account_id and not incoming.suspect)
    returning core.account_id, null::uuid as opportunity_id
), logged as (
    insert into ops.transformation_log (
        source_table, target_table, source_record_id, target_record_id, transformation_type, transformation_rules)
    select compared.source_table, 'core.aws_accounts', account_id::text, opportunity_id, 'insert', %(logged_rules)s::jsonb
    from inserted join compared using (account_id)
    union all
    select compared.source_table, 'core.aws_accounts', account_id::text, opportunity_id, 'update',
        %(logged_rules)s::jsonb || jsonb_build_object('columns', updated.changed)
    from updated join compared using (account_id)
    union all
    select 'raw.odoo_c_aws_accounts', 'core.aws_accounts', account_id::text, opportunity_id, 'delete', %(logged_rules)s::jsonb
    from deleted
), announced as (
    -- ACE opportunities take the account's name from here.
    insert into ops.raw_changes (target_table, raw_table, source_id)
    select 'ace_opportunities', 'odoo_c_aws_accounts', account_id from inserted
    union all
    select 'ace_opportunities', 'odoo_c_aws_accounts', account_id from updated where 'account_name' = any (changed)
    union all
    select 'ace_opportunities', 'odoo_c_aws_accounts', account_id from deleted
)
select
    (select count(*) from inserted),
    (select count(*) from updated),
    (select count(*) from compared where changed = '{}'),
    (select count(*) from deleted)
