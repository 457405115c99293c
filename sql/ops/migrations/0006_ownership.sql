-- The Odoo/APN location owns its tables: it vacuums them, adds the columns that appear at the source, and swaps a reloaded mirror in.
do $$
declare
    v_table regclass;
begin
    if not pg_has_role(current_user, 'odoo_apn_writer', 'set') then
        execute format('grant odoo_apn_writer to %I with inherit true, set true', current_user);
    end if;
    grant create on schema raw, core, ops to odoo_apn_writer;
    for v_table in
        select c.oid
        from pg_class c
        join pg_namespace n on n.oid = c.relnamespace
        where c.relkind = 'r'
          and (n.nspname in ('raw', 'core')
               or n.nspname = 'ops' and c.relname in (
                   'sync_jobs', 'data_quality_checks', 'transformation_log', 'mirror_state', 'table_syncs', 'schema_drift',
                   'quarantine', 'raw_changes', 'core_state'))
    loop
        execute format('alter table %s owner to odoo_apn_writer', v_table);
    end loop;
    revoke create on schema core, ops from odoo_apn_writer;
exception
    when insufficient_privilege then
        raise exception 'giving the mirrors to the role odoo_apn_writer: the user % may not', current_user
            using errcode = 'insufficient_privilege',
                  hint = format('Let an administrator run "grant odoo_apn_writer to %I with inherit true, set true", then migrate again.',
                                current_user);
end
$$;
