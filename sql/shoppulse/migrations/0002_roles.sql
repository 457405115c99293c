-- Roles of the tenant analytics. None may log in; logins are made outside and granted one of them.
--   shoppulse_owner        owns tables and functions; no superuser and no BYPASSRLS, so forced row security holds for it too
--   shoppulse_app          the application: enters one tenant and user for one transaction, reads metrics, manages through functions
--   shoppulse_reader       people with SQL access: their login decides tenant and role
--   shoppulse_maintenance  the only one who may take anything out of the audit trail
-- Re-runnable, and safe beside another database's migration: roles belong to the whole server.
do $$
declare
    v_role text;
begin
    foreach v_role in array array['shoppulse_owner', 'shoppulse_app', 'shoppulse_reader', 'shoppulse_maintenance'] loop
        if not exists (select from pg_catalog.pg_roles where rolname = v_role) then
            begin
                execute format('create role %I nologin', v_role);
            exception
                when duplicate_object or unique_violation then
                    null;
                when insufficient_privilege then
                    raise exception 'creating the group role %: the user % may not create roles', v_role, current_user
                        using errcode = 'insufficient_privilege',
                              hint = format('Let an administrator run "alter role %I createrole", or create role %I nologin beforehand.',
                                            current_user, v_role);
            end;
        end if;
    end loop;
    -- Giving a table away takes membership; a superuser needs none.
    if not pg_catalog.pg_has_role(current_user, 'shoppulse_owner', 'usage') then
        begin
            execute format('grant shoppulse_owner to %I with inherit true, set true', current_user);
        exception
            when insufficient_privilege then
                raise exception 'preparing shoppulse: the user % may not grant itself shoppulse_owner', current_user
                    using errcode = 'insufficient_privilege',
                          hint = format('Let an administrator run "grant shoppulse_owner to %I with inherit true, set true".',
                                            current_user);
        end;
    end if;
end
$$;
grant usage, create on schema shoppulse to shoppulse_owner;
grant usage on schema shoppulse to shoppulse_app, shoppulse_reader, shoppulse_maintenance;
-- The rights that 0001 gave in advance would reach keys and audit trail: from here on each table names its own.
alter default privileges in schema shoppulse revoke select, insert, update, delete on tables from commerce_writer;
alter default privileges in schema shoppulse revoke usage on sequences from commerce_writer;
