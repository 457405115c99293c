-- One line of a tenant's audit trail; returns its id. For functions of shoppulse_owner, and for pipelines and maintenance.
create or replace function shoppulse.audit(
    p_tenant_id text, p_user_id text, p_action text, p_resource_type text, p_resource_id text, p_details jsonb, p_ip inet default null
) returns uuid
language plpgsql volatile parallel unsafe security definer set search_path = pg_catalog, pg_temp as $$
declare
    v_before text := shoppulse.assume_tenant(p_tenant_id);
    v_log_id uuid;
begin
    insert into shoppulse.audit_logs (tenant_id, user_id, action, resource_type, resource_id, details, ip_address)
    values (p_tenant_id, p_user_id, p_action, p_resource_type, p_resource_id, p_details, p_ip)
    returning log_id into v_log_id;
    perform set_config('shoppulse.access', v_before, true);
    return v_log_id;
end
$$;
alter function shoppulse.audit(text, text, text, text, text, jsonb, inet) owner to shoppulse_owner;
revoke all on function shoppulse.audit(text, text, text, text, text, jsonb, inet) from public;
grant execute on function shoppulse.audit(text, text, text, text, text, jsonb, inet) to commerce_writer, shoppulse_maintenance;
