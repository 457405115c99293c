-- Every lead to look at: those in RAW, in CORE and in quarantine. Fills `affected`. Key: source_key.
insert into affected (source_key)
select id from raw.odoo_crm_lead where _deleted_at is null
union select source_id from core.odoo_opportunities
union select source_id::integer from ops.quarantine
where stage = 'core' and table_name = 'core.odoo_opportunities' and closed_at is null
