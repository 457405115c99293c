-- The eight tables of the tenant analytics. Every unique key and every foreign key of a tenant's table leads with tenant_id: two
-- tenants may both have an order O1, nobody learns from a refused key what another tenant has, and no row points at another tenant's.
-- Deletions: fulfilment goes with its order, governance rules with their user, visibility with its tenant; all else is held back.

-- One row per tenant. Grain and key: tenant_id.
create table shoppulse.tenants (
    tenant_id varchar(10) primary key,
    tenant_name varchar(100) not null,
    industry varchar(50),
    plan_tier varchar(20),
    country varchar(50),
    created_date date,
    is_active boolean default true,
    created_at timestamp default current_timestamp,
    updated_at timestamp default current_timestamp,
    -- A setting that was reset reads '': a tenant of that name would be everybody's.
    constraint chk_tenant_id check (tenant_id <> '')
);
create index idx_tenants_active on shoppulse.tenants (is_active);

-- One row per user of a tenant; never deleted, a status takes him out. Grain: tenant_id, user_id. A login identity is one tenant's.
create table shoppulse.users (
    user_id varchar(10) not null,
    tenant_id varchar(10) not null references shoppulse.tenants (tenant_id) on delete restrict,
    email varchar(100) not null,
    cognito_user_id varchar(255) not null,
    role varchar(20) not null,
    region varchar(10),
    store_id varchar(10),
    is_tenant_admin boolean default false,
    status varchar(20) default 'Active',
    created_at timestamp default current_timestamp,
    updated_at timestamp default current_timestamp,
    primary key (tenant_id, user_id),
    unique (tenant_id, email),
    unique (tenant_id, cognito_user_id),
    constraint chk_user_role check (role in ('Admin', 'Finance', 'Operations', 'Marketing')),
    constraint chk_user_status check (status in ('Active', 'Inactive', 'Deleted'))
);
create index idx_users_tenant on shoppulse.users (tenant_id);
create index idx_users_status on shoppulse.users (tenant_id, status);
create index idx_users_email on shoppulse.users (tenant_id, email);
create index idx_users_cognito on shoppulse.users (tenant_id, cognito_user_id);

-- One row per order. Grain: tenant_id, order_id. order_date is a day of the tenant's own calendar.
create table shoppulse.orders (
    order_id varchar(20) not null,
    tenant_id varchar(10) not null references shoppulse.tenants (tenant_id) on delete restrict,
    order_date date not null,
    store_id varchar(10),
    region varchar(10),
    channel varchar(20),
    order_status varchar(20),
    items_count integer,
    gross_revenue decimal(10, 2),
    discount_amount decimal(10, 2),
    net_revenue decimal(10, 2),
    currency varchar(3) default 'USD',
    created_at timestamp default current_timestamp,
    updated_at timestamp default current_timestamp,
    primary key (tenant_id, order_id)
);
create index idx_orders_tenant on shoppulse.orders (tenant_id);
create index idx_orders_date on shoppulse.orders (tenant_id, order_date);
create index idx_orders_region on shoppulse.orders (tenant_id, region);
create index idx_orders_store on shoppulse.orders (tenant_id, store_id);

-- One row per delivery of an order. Grain: tenant_id, fulfillment_id; at most one for each order.
create table shoppulse.fulfillment (
    fulfillment_id bigserial not null,
    order_id varchar(20) not null,
    tenant_id varchar(10) not null references shoppulse.tenants (tenant_id) on delete restrict,
    warehouse varchar(20),
    carrier varchar(20),
    promised_delivery_date date,
    actual_delivery_date date,
    fulfillment_status varchar(20),
    sla_met boolean,
    days_to_ship integer,
    created_at timestamp default current_timestamp,
    updated_at timestamp default current_timestamp,
    primary key (tenant_id, fulfillment_id),
    unique (tenant_id, order_id),
    foreign key (tenant_id, order_id) references shoppulse.orders (tenant_id, order_id) on delete cascade
);
create index idx_fulfillment_tenant on shoppulse.fulfillment (tenant_id);
create index idx_fulfillment_date on shoppulse.fulfillment (tenant_id, actual_delivery_date);
create index idx_fulfillment_order on shoppulse.fulfillment (tenant_id, order_id);

-- One row per campaign and day that a tenant reports. Grain: tenant_id, campaign_id.
create table shoppulse.marketing_campaigns (
    campaign_id varchar(20) not null,
    tenant_id varchar(10) not null references shoppulse.tenants (tenant_id) on delete restrict,
    date date not null,
    channel varchar(20),
    spend decimal(10, 2),
    impressions integer,
    clicks integer,
    conversions integer,
    revenue_attributed decimal(10, 2),
    created_at timestamp default current_timestamp,
    updated_at timestamp default current_timestamp,
    primary key (tenant_id, campaign_id)
);
create index idx_campaigns_tenant on shoppulse.marketing_campaigns (tenant_id);
create index idx_campaigns_date on shoppulse.marketing_campaigns (tenant_id, date);
create index idx_campaigns_channel on shoppulse.marketing_campaigns (tenant_id, channel);

-- Which metrics a role of a tenant sees: a whitelist. Grain: tenant_id, role, metric_name. No row, or is_visible not true: hidden.
create table shoppulse.role_metric_visibility (
    id bigserial not null,
    tenant_id varchar(10) not null references shoppulse.tenants (tenant_id) on delete cascade,
    role varchar(20) not null,
    metric_name varchar(50) not null,
    is_visible boolean default true,
    created_at timestamp default current_timestamp,
    updated_at timestamp default current_timestamp,
    primary key (tenant_id, id),
    unique (tenant_id, role, metric_name),
    constraint chk_role check (role in ('Admin', 'Finance', 'Operations', 'Marketing'))
);
create index idx_role_visibility_tenant on shoppulse.role_metric_visibility (tenant_id, role);

-- What a user is narrowed to. Grain: tenant_id, rule_id. Values of one rule: any of them; several dimensions: all; none: nothing.
create table shoppulse.governance_rules (
    rule_id uuid not null default gen_random_uuid(),
    tenant_id varchar(10) not null references shoppulse.tenants (tenant_id) on delete restrict,
    user_id varchar(10) not null,
    dimension varchar(50) not null,
    "values" text[] not null,
    created_at timestamp default current_timestamp,
    updated_at timestamp default current_timestamp,
    primary key (tenant_id, rule_id),
    constraint chk_governance_dimension check (dimension in ('region', 'store', 'team', 'custom')),
    foreign key (tenant_id, user_id) references shoppulse.users (tenant_id, user_id) on delete cascade
);
create index idx_governance_tenant on shoppulse.governance_rules (tenant_id);
create index idx_governance_user on shoppulse.governance_rules (tenant_id, user_id);

-- Who did what, or was refused it. Grain: tenant_id, log_id. Only ever appended to.
create table shoppulse.audit_logs (
    log_id uuid not null default gen_random_uuid(),
    tenant_id varchar(10) not null references shoppulse.tenants (tenant_id) on delete restrict,
    user_id varchar(10),
    action varchar(100) not null,
    resource_type varchar(50) not null,
    resource_id varchar(255),
    details jsonb,
    ip_address inet,
    created_at timestamp default current_timestamp,
    primary key (tenant_id, log_id),
    foreign key (tenant_id, user_id) references shoppulse.users (tenant_id, user_id) on delete restrict
);
create index idx_audit_tenant on shoppulse.audit_logs (tenant_id);
create index idx_audit_user on shoppulse.audit_logs (tenant_id, user_id);
create index idx_audit_created on shoppulse.audit_logs (tenant_id, created_at);
create index idx_audit_action on shoppulse.audit_logs (tenant_id, action);

-- How a tenant counts its days and money, and whether each entry of a user is on record (audit_entries). Grain and key: tenant_id; a
-- tenant without a row counts in UTC and USD, and its entries are.
create table shoppulse.tenant_settings (
    tenant_id varchar(10) primary key references shoppulse.tenants (tenant_id) on delete cascade,
    time_zone text not null default 'UTC',
    currency varchar(3) not null default 'USD',
    audit_entries boolean not null default true,
    constraint chk_time_zone check (now() at time zone time_zone is not null),  -- an unknown zone raises
    constraint chk_currency check (currency ~ '^[A-Z]{3}$')
);

-- What an order cost its tenant, where he says so; without it there is no margin. Grain: tenant_id, order_id.
create table shoppulse.order_costs (
    tenant_id varchar(10) not null,
    order_id varchar(20) not null,
    cost decimal(10, 2) not null check (cost >= 0 and cost < 'NaN'),
    created_at timestamp default current_timestamp,
    updated_at timestamp default current_timestamp,
    primary key (tenant_id, order_id),
    foreign key (tenant_id, order_id) references shoppulse.orders (tenant_id, order_id) on delete cascade
);

-- The tables belong to a role that row security holds for. The pipelines write what tenants deliver and read the rest.
do $$
declare
    v_table text;
begin
    foreach v_table in array array['tenants', 'users', 'orders', 'fulfillment', 'marketing_campaigns', 'role_metric_visibility',
                                   'governance_rules', 'audit_logs', 'tenant_settings', 'order_costs'] loop
        execute format('revoke all on shoppulse.%I from public, commerce_writer', v_table);
        execute format('alter table shoppulse.%I owner to shoppulse_owner', v_table);
    end loop;
end
$$;
grant select on shoppulse.tenants, shoppulse.tenant_settings to commerce_writer;
grant select, insert, update, delete on shoppulse.orders, shoppulse.fulfillment, shoppulse.marketing_campaigns, shoppulse.order_costs
    to commerce_writer;
revoke all on all sequences in schema shoppulse from commerce_writer;
grant usage on sequence shoppulse.fulfillment_fulfillment_id_seq to commerce_writer;
