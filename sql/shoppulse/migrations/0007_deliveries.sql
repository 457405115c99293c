-- What tenants delivered, how far each file has come, and the rows that could not be taken.

-- One row per version of an object under tenants/. Grain and key: tenant_id (the second part of the object's key, which may name no
-- tenant at all), object_id. The stage moves in the transaction that stores the rows, so a killed run is taken up where it was.
-- Deliveries of a tenant and table count in the order of last_modified, object_key, object_id.
create table shoppulse.delivery_objects (
    object_id bigint generated always as identity,
    tenant_id text not null,
    table_name text not null,  -- the third part of the object's key
    bucket text not null,
    object_key text not null,
    version_id text not null,
    etag text not null,
    size_bytes bigint not null,
    last_modified timestamptz not null,
    stage text not null default 'seen',
    columns_given text[],  -- of ours, those that the file has; others stay as they are
    rows_read bigint,
    rows_stored bigint,
    rows_unchanged bigint,
    rows_overtaken bigint,  -- of the unchanged: a newer delivery had said otherwise
    rows_quarantined bigint,
    flags jsonb,  -- code -> rows that were stored although something about them is odd
    failure_code text,  -- why the whole file was refused
    failure_message text,
    attempts integer not null default 0,  -- runs that were asked for
    requested_at timestamptz,  -- when the last one was
    seen_at timestamptz not null default current_timestamp,
    finished_at timestamptz,
    primary key (tenant_id, object_id),
    unique (tenant_id, bucket, object_key, version_id, etag, last_modified),
    constraint delivery_stage_known check (stage in ('seen', 'loaded', 'refused', 'withdrawn')),
    constraint delivery_rows_add_up check (
        stage <> 'loaded' or coalesce(rows_read = rows_stored + rows_unchanged + rows_quarantined, false)
    )
);
create index idx_delivery_objects_open on shoppulse.delivery_objects (tenant_id, table_name, last_modified) where stage = 'seen';
create index idx_delivery_objects_order on shoppulse.delivery_objects (tenant_id, table_name, last_modified, object_key, object_id);

-- One row per delivered row that could not be taken, text as it came. Grain and key: tenant_id, quarantine_id. Resolved when it was
-- taken after all, or a newer delivery brought its key.
create table shoppulse.quarantined_rows (
    quarantine_id bigint generated always as identity,
    tenant_id text not null,
    table_name text not null,
    object_id bigint not null,
    row_number bigint not null,  -- of the file's data rows, from 1
    row_key text,
    code text not null,
    column_name text,
    message text not null,
    original jsonb not null,  -- our columns; {"_line": ...} or {"_cells": [...]} where the row could not be taken apart
    quarantined_at timestamptz not null default current_timestamp,
    resolved_at timestamptz,
    resolution text check (resolution in ('stored', 'unchanged', 'overtaken')),
    primary key (tenant_id, quarantine_id),
    unique (tenant_id, object_id, row_number),
    foreign key (tenant_id, object_id) references shoppulse.delivery_objects (tenant_id, object_id) on delete cascade,
    constraint quarantine_resolution_complete check ((resolved_at is null) = (resolution is null))
);
create index idx_quarantined_rows_open on shoppulse.quarantined_rows (tenant_id, table_name, row_key) where resolved_at is null;

-- Row security, forced: the loads alone reach these tables; whoever is let in later sees his own tenant's.
do $$
declare
    v_table text;
begin
    foreach v_table in array array['delivery_objects', 'quarantined_rows'] loop
        execute format('revoke all on shoppulse.%I from public, commerce_writer', v_table);
        execute format('alter table shoppulse.%I owner to shoppulse_owner', v_table);
        execute format('alter table shoppulse.%I enable row level security', v_table);
        execute format('alter table shoppulse.%I force row level security', v_table);
        execute format('create policy pipeline on shoppulse.%I to commerce_writer using (true) with check (true)', v_table);
        execute format('create policy tenant_isolation on shoppulse.%I'
                       ' to shoppulse_owner, shoppulse_app, shoppulse_reader, shoppulse_maintenance'
                       ' using (tenant_id = (select shoppulse.access_tenant()))'
                       ' with check (tenant_id = (select shoppulse.access_tenant()))', v_table);
        execute format('grant select, insert, update, delete on shoppulse.%I to commerce_writer', v_table);
    end loop;
end
$$;
