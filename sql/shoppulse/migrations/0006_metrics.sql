-- The metrics of the tenants: what they are, their cells, which days are to be computed again. Long tables, one row per metric and
-- cell, so that row security can hide a metric. '' stands where the source names no region, store, channel or status.

-- One row per metric, written from the registry in Python. Grain and key: metric_name. `needs`: everything it is made of.
create table shoppulse.metrics (
    metric_name text primary key,
    metric_number smallint not null unique check (metric_number > 0),  -- for good: never given to another metric
    formula text not null,
    grain text not null,
    dated text not null,
    unit text not null check (unit in ('money', 'count', 'share', 'days', 'ratio')),
    null_rule text not null,
    source text not null check (source in ('orders', 'fulfillment', 'campaigns', 'none')),
    strict boolean not null,
    owner text not null,
    depends_on text[] not null,
    needs text[] not null
);

-- metric_name = first_name operator second_name: two of the three give the third. Grain and key: metric_name.
create table shoppulse.metric_identities (
    metric_name text primary key,
    first_name text not null,
    operator text not null check (operator in ('-', '/')),
    second_name text not null
);

-- metric_name can be read off source_name alone, as far as how says; reported, not hidden. Grain and key: metric_name, source_name.
create table shoppulse.metric_disclosures (
    metric_name text not null,
    source_name text not null,
    how text not null,
    primary key (metric_name, source_name)
);

-- One row per tenant, day, metric, region, store and category. Value = sum(numerator), or sum(numerator) / sum(denominator).
create table shoppulse.tenant_daily_metrics (
    tenant_id varchar(10) not null references shoppulse.tenants (tenant_id) on delete restrict,
    metric_date date not null,
    metric_name text not null,
    metric_number smallint not null,  -- of the name: what row security looks up
    region varchar(10) not null,
    store_id varchar(10) not null,
    category varchar(20) not null,  -- of fulfillment_status only
    numerator numeric not null,
    denominator numeric,  -- null: the metric is a sum
    missing bigint not null,  -- 1 when source rows could not be counted; how many, only where it depends on orders
    null_reason text,  -- why there is no value
    -- All columns: a tenant's day is read from the index alone.
    constraint tenant_daily_metrics_key unique (tenant_id, metric_date, metric_name, region, store_id, category)
        include (metric_number, numerator, denominator, missing, null_reason)
);

-- One row per tenant, day, metric and channel. The same measures.
create table shoppulse.campaign_metrics (
    tenant_id varchar(10) not null references shoppulse.tenants (tenant_id) on delete restrict,
    metric_date date not null,
    metric_name text not null,
    metric_number smallint not null,  -- of the name: what row security looks up
    channel varchar(20) not null,
    numerator numeric not null,
    denominator numeric,  -- null: the metric is a sum
    missing bigint not null,  -- source rows that could not be counted
    null_reason text,  -- why there is no value
    constraint campaign_metrics_key unique (tenant_id, metric_date, metric_name, channel)
        include (metric_number, numerator, denominator, missing, null_reason)
);

-- Days whose source rows changed since their metrics were computed. Grain and key: tenant_id, source, day. Whoever changes rows notes
-- their days in the same transaction with "on conflict do update", which waits for a refresh that is about to take the row away.
create table shoppulse.changed_days (
    tenant_id varchar(10) not null references shoppulse.tenants (tenant_id) on delete cascade,
    source text not null check (source in ('orders', 'fulfillment', 'campaigns')),
    day date not null,
    noted_at timestamptz not null default now(),
    primary key (tenant_id, source, day)
);

-- How each tenant's metrics were last counted: until which of his days, in which currency. Grain and key: tenant_id.
create table shoppulse.metric_states (
    tenant_id varchar(10) primary key references shoppulse.tenants (tenant_id) on delete cascade,
    today date not null,
    currency varchar(3) not null
);

-- Refreshed pages are read from the heap until they are vacuumed: after a fiftieth of the table, not a fifth.
alter table shoppulse.tenant_daily_metrics
    set (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.02);
alter table shoppulse.campaign_metrics
    set (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.02);

-- Deliveries promised for a day, and those that were due when it ended.
create index idx_fulfillment_promised on shoppulse.fulfillment (tenant_id, promised_delivery_date);

-- Stand-ins with the final signatures: nothing is left of anything. functions/metric_access.sql replaces their bodies.
create function shoppulse.access_by_metric() returns name[] language sql stable parallel restricted return null::name[];
create function shoppulse.access_narrowing() returns jsonb language sql stable parallel restricted return '{"custom": []}'::jsonb;
create function shoppulse.within_narrowing(p_narrowing jsonb, p_region text, p_store text) returns boolean
language sql strict immutable parallel safe return false;

-- Row security, forced: a tenant's own rows, of metrics that the user may see, within what he is narrowed to. The tenant leads into the
-- index; a row's metric is looked up by its number. A sub-query costs the planner and the executor as much as its question, all in all a
-- tenth to a fifth of a query for a tenant's day: so there are two, and a third that is asked for users who are narrowed.
do $$
declare
    v_table text;
begin
    foreach v_table in array array['metrics', 'metric_identities', 'metric_disclosures', 'tenant_daily_metrics', 'campaign_metrics',
                                   'changed_days', 'metric_states'] loop
        execute format('revoke all on shoppulse.%I from public, commerce_writer', v_table);
        execute format('alter table shoppulse.%I owner to shoppulse_owner', v_table);
    end loop;
    foreach v_table in array array['tenant_daily_metrics', 'campaign_metrics', 'changed_days', 'metric_states'] loop
        execute format('alter table shoppulse.%I enable row level security', v_table);
        execute format('alter table shoppulse.%I force row level security', v_table);
        execute format('create policy pipeline on shoppulse.%I to commerce_writer using (true) with check (true)', v_table);
        execute format('grant select, insert, update, delete on shoppulse.%I to commerce_writer', v_table);
    end loop;
end
$$;
create policy tenant_isolation on shoppulse.tenant_daily_metrics to shoppulse_owner, shoppulse_app, shoppulse_reader
    using (
        tenant_id = (select shoppulse.entered_tenant())
        and case ((select shoppulse.access_by_metric())::name[])[metric_number]
            when tenant_id then true
            when 'narrowed-to-' || tenant_id then shoppulse.within_narrowing((select shoppulse.access_narrowing()), region, store_id)
            else false end
    );
-- A campaign is of no region, store or team: whoever is narrowed sees none.
create policy tenant_isolation on shoppulse.campaign_metrics to shoppulse_owner, shoppulse_app, shoppulse_reader
    using (
        tenant_id = (select shoppulse.entered_tenant())
        and case ((select shoppulse.access_by_metric())::name[])[metric_number] when tenant_id then true else false end
    );
-- Export and erasure of a tenant take every cell: who maintains is in the tenant, and has no list of metrics.
create policy maintenance on shoppulse.tenant_daily_metrics to shoppulse_maintenance
    using (tenant_id = (select shoppulse.access_tenant()));
create policy maintenance on shoppulse.campaign_metrics to shoppulse_maintenance
    using (tenant_id = (select shoppulse.access_tenant()));
create policy tenant_isolation on shoppulse.changed_days to shoppulse_owner, shoppulse_maintenance
    using (tenant_id = (select shoppulse.access_tenant()));
create policy tenant_isolation on shoppulse.metric_states to shoppulse_owner, shoppulse_maintenance
    using (tenant_id = (select shoppulse.access_tenant()));

grant select on shoppulse.metrics, shoppulse.metric_identities, shoppulse.metric_disclosures
    to commerce_writer, shoppulse_app, shoppulse_reader;
grant select on shoppulse.tenant_daily_metrics, shoppulse.campaign_metrics to shoppulse_app, shoppulse_reader;
grant select, delete on shoppulse.tenant_daily_metrics, shoppulse.campaign_metrics, shoppulse.changed_days, shoppulse.metric_states
    to shoppulse_maintenance;
-- The pipeline reports which hidden metrics a tenant's visible ones give away.
grant select on shoppulse.role_metric_visibility to commerce_writer;
create policy pipeline on shoppulse.role_metric_visibility for select to commerce_writer using (true);
