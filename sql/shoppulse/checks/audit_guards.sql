-- What keeps the audit trail and does not stand: (guards that there must be, those missing or not ALWAYS on, ten of them). A trigger
-- that was switched off leaves no gap in the chain: what it would have written is not there to be missed. Read-only.
with guard (table_name, trigger_name) as (
    values
        ('audit_logs', 'keep_audit_trail'), ('audit_logs', 'keep_audit_entry'), ('audit_chain', 'keep_audit_trail'),
        ('audit_heads', 'keep_audit_trail'), ('audit_open', 'close_audit_links'), ('tenants', 'audit_changes'),
        ('tenants', 'refuse_truncate'), ('tenant_settings', 'audit_changes'), ('tenant_settings', 'refuse_truncate'),
        ('users', 'audit_changes'), ('users', 'refuse_truncate'), ('sql_principals', 'audit_changes'),
        ('sql_principals', 'refuse_truncate'), ('role_metric_visibility', 'audit_changes'),
        ('role_metric_visibility', 'refuse_truncate'), ('governance_rules', 'audit_changes'), ('governance_rules', 'refuse_truncate')
), standing as (
    select g.table_name || '.' || g.trigger_name as name,
           exists (
               select from pg_catalog.pg_trigger t
               where t.tgrelid = to_regclass('shoppulse.' || g.table_name) and t.tgname = g.trigger_name and t.tgenabled = 'A'
           ) as stands
    from guard g
    union all
    select c.relname || ': forced row security', c.relrowsecurity and c.relforcerowsecurity
    from pg_catalog.pg_class c
    where c.relnamespace = 'shoppulse'::regnamespace and c.relname in ('audit_logs', 'audit_chain', 'audit_heads', 'audit_open')
)
select count(*), count(*) filter (where not stands), (array_agg(name order by name) filter (where not stands))[:10]
from standing
