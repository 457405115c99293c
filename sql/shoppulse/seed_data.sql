-- Three sample tenants and what each role of theirs sees: 48 rows of visibility. May be run again: what is there already stays as it is.
-- Row security holds for the owner too, so each tenant is entered before it is written.
do $$
declare
    v_tenant record;
begin
    for v_tenant in
        select * from (values
            ('T001', 'Fashion Boutique', 'Retail', 'Premium', 'USA', date '2024-01-01'),
            ('T002', 'Tech Gadgets Inc', 'Electronics', 'Enterprise', 'Canada', date '2024-01-15'),
            ('T003', 'Home Decor Co', 'Home & Garden', 'Standard', 'USA', date '2024-02-01')
        ) t (tenant_id, tenant_name, industry, plan_tier, country, created_date)
    loop
        perform shoppulse.administer(v_tenant.tenant_id);
        -- One who was erased gets nothing back.
        continue when exists (select from shoppulse.tenants t where t.tenant_id = v_tenant.tenant_id and not t.is_active);
        insert into shoppulse.tenants (tenant_id, tenant_name, industry, plan_tier, country, created_date)
        values (v_tenant.tenant_id, v_tenant.tenant_name, v_tenant.industry, v_tenant.plan_tier, v_tenant.country,
                v_tenant.created_date)
        on conflict (tenant_id) do nothing;
        insert into shoppulse.role_metric_visibility (tenant_id, role, metric_name)
        select v_tenant.tenant_id, v.role, v.metric_name
        from (values
            ('Finance', 'gross_revenue'), ('Finance', 'net_revenue'), ('Finance', 'discount_amount'), ('Finance', 'margin'),
            ('Operations', 'fulfillment_status'), ('Operations', 'sla_met'), ('Operations', 'days_to_ship'),
            ('Operations', 'inventory_levels'),
            ('Marketing', 'campaign_spend'), ('Marketing', 'conversions'), ('Marketing', 'revenue_attributed'), ('Marketing', 'cac'),
            ('Admin', 'gross_revenue'), ('Admin', 'net_revenue'), ('Admin', 'fulfillment_status'), ('Admin', 'campaign_spend')
        ) v (role, metric_name)
        on conflict (tenant_id, role, metric_name) do nothing;
    end loop;
    perform set_config(name, '', true) from unnest(array['shoppulse.access', 'shoppulse.tenant', 'shoppulse.access_by_metric']) name;
end
$$;
