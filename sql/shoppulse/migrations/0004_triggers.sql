-- updated_at = now (the transaction's) on every UPDATE: the seven published triggers. tenant_id of a user never changes.
create function shoppulse.update_updated_at_column() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    new.updated_at = current_timestamp;
    return new;
end
$$;
alter function shoppulse.update_updated_at_column() owner to shoppulse_owner;
create trigger update_tenants_updated_at before update on shoppulse.tenants
    for each row execute function shoppulse.update_updated_at_column();
create trigger update_users_updated_at before update on shoppulse.users
    for each row execute function shoppulse.update_updated_at_column();
create trigger update_orders_updated_at before update on shoppulse.orders
    for each row execute function shoppulse.update_updated_at_column();
create trigger update_fulfillment_updated_at before update on shoppulse.fulfillment
    for each row execute function shoppulse.update_updated_at_column();
create trigger update_campaigns_updated_at before update on shoppulse.marketing_campaigns
    for each row execute function shoppulse.update_updated_at_column();
create trigger update_role_visibility_updated_at before update on shoppulse.role_metric_visibility
    for each row execute function shoppulse.update_updated_at_column();
create trigger update_governance_updated_at before update on shoppulse.governance_rules
    for each row execute function shoppulse.update_updated_at_column();

-- A user who moved would take his audit trail and his rules into another tenant.
create function shoppulse.refuse_another_tenant() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    raise exception 'a user''s tenant cannot be changed'
        using errcode = 'integrity_constraint_violation', schema = 'shoppulse', table = 'users', column = 'tenant_id',
              hint = 'Set the user''s status to Deleted here, and create a user in the other tenant.';
end
$$;
alter function shoppulse.refuse_another_tenant() owner to shoppulse_owner;
create trigger keep_users_tenant before update on shoppulse.users
    for each row when (new.tenant_id is distinct from old.tenant_id) execute function shoppulse.refuse_another_tenant();
