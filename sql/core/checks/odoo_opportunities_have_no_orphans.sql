-- Opportunities that point to a partner, user, team or stage that the mirror never saw or that is gone at the source.
-- Result: one row. Read only.
with missing as (
    select opportunity.source_id, reference.name
    from core.odoo_opportunities as opportunity
    left join raw.odoo_res_partner as partner on partner.id = opportunity.partner_id and partner._deleted_at is null
    left join raw.lookup_res_users as owner on owner.id = opportunity.user_id and owner._deleted_at is null
    left join raw.odoo_crm_team as team on team.id = opportunity.team_id and team._deleted_at is null
    left join raw.odoo_crm_stage as stage on stage.id = opportunity.stage_id and stage._deleted_at is null
    cross join lateral (values
        ('partner', opportunity.partner_id is not null and partner.id is null),
        ('user', opportunity.user_id is not null and owner.id is null),
        ('team', opportunity.team_id is not null and team.id is null),
        ('stage', opportunity.stage_id is not null and stage.id is null)
    ) as reference (name, lost)
    where reference.lost
)
select (select count(*) from core.odoo_opportunities), (select count(distinct source_id) from missing), 0, (select count(*) from missing),
    (select (array_agg(source_id || ' ' || name order by source_id, name))[1:10] from missing)
