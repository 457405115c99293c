-- Group roles of the warehouse: one writer per code location, one reader for analysts. Logins are made outside and granted a group.
-- Re-runnable: a role that exists is left alone. Roles belong to the whole server, so another database's migration may make them
-- at the same moment; that race is swallowed, a missing right is not.
do $$
declare
    v_role text;
begin
    foreach v_role in array array['fullbay_writer', 'odoo_apn_writer', 'commerce_writer', 'analyst'] loop
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
end
$$;
