-- The core tables of the seed: raw invoices, line items, runs, tracker, work orders.
--
-- Index names. All 49 published names exist. Seven of them repeat the index that a UNIQUE constraint makes anyway; here the
-- constraint itself carries the published name (constraint idx_fullbay_raw_data_invoice_id unique ...), so the name is there and no
-- row pays for two equal indexes.
-- Keys printed as SERIAL are bigserial: an upsert burns a number even when it updates, and 2^31 attempts are reachable.

-- One row per invoice, the complete document. Key: fullbay_invoice_id (the payload's primaryKey).
-- raw_json_data keeps the default storage (compressed out of line): lz4 is used where the server offers it as its
-- default_toast_compression, the sandbox's build has pglz only.
create table fullbay.fullbay_raw_data (
    id bigserial primary key,
    fullbay_invoice_id varchar(50) not null,
    raw_json_data jsonb not null,
    ingestion_timestamp timestamptz default current_timestamp,
    processed boolean default false,
    processing_errors text,
    created_at timestamptz default current_timestamp,
    updated_at timestamptz default current_timestamp,
    content_hash char(64),
    invoice_date date,
    shop_key varchar(50),
    version integer not null default 1,
    constraint idx_fullbay_raw_data_invoice_id unique (fullbay_invoice_id)
)
-- Half of each page stays free: every document is marked processed once, and that update then stays in its page and leaves
-- all indexes alone (the GIN index would otherwise take the whole document apart a second time). The document itself is
-- stored out of line, so this costs about 150 bytes an invoice.
with (fillfactor = 45);
comment on column fullbay.fullbay_raw_data.content_hash is 'sha256 of the canonical JSON: equal hash = unchanged invoice';
comment on column fullbay.fullbay_raw_data.version is 'grows by one with every stored edit of the invoice';
-- BRIN, because an update of a column that a B-tree holds could not stay in its page.
create index idx_fullbay_raw_data_processed on fullbay.fullbay_raw_data using brin ((processed::integer));
create index idx_fullbay_raw_data_ingestion on fullbay.fullbay_raw_data (ingestion_timestamp);
-- jsonb_path_ops: answers @> (the queries people write) at a fraction of the default class's size and load cost.
-- New entries wait in a list of up to 256 MB, which autovacuum merges soon after; merging at 4 MB doubles the time of a load.
create index idx_fullbay_raw_data_json_gin on fullbay.fullbay_raw_data using gin (raw_json_data jsonb_path_ops)
    with (gin_pending_list_limit = 262144);
create index idx_fullbay_raw_data_invoice_date on fullbay.fullbay_raw_data (invoice_date);

-- One row per line of an invoice, 116 columns. No natural key: an invoice's lines are deleted and inserted together, in one transaction.
-- Every line repeats its invoice's and service order's facts, as published.
-- "Partitioning-ready" needs (id, invoice_date) as the key; until a table of this size exists, the plain key is the published one.
create table fullbay.fullbay_line_items (
    id bigserial primary key,
    raw_data_id bigint references fullbay.fullbay_raw_data (id) on delete cascade,
    -- invoice
    fullbay_invoice_id varchar(50) not null,
    invoice_number varchar(50),
    invoice_date date,
    due_date date,
    exported boolean default false,
    -- shop
    shop_title varchar(255),
    shop_email varchar(255),
    shop_physical_address text,
    -- customer
    customer_id integer,
    customer_title varchar(255),
    customer_external_id varchar(50),
    customer_main_phone varchar(50),
    customer_secondary_phone varchar(50),
    customer_billing_employee varchar(255),
    customer_billing_email varchar(255),
    customer_billing_address text,
    -- service order
    fullbay_service_order_id varchar(50),
    repair_order_number varchar(50),
    service_order_created timestamptz,
    service_order_start_date timestamptz,
    service_order_completion_date timestamptz,
    service_order_description text,
    -- unit
    unit_id varchar(50),
    unit_number varchar(50),
    unit_nickname varchar(100),
    unit_type varchar(100),
    unit_subtype varchar(100),
    unit_year varchar(10),
    unit_make varchar(100),
    unit_model varchar(100),
    unit_vin varchar(50),
    unit_license_plate varchar(20),
    -- people
    primary_technician varchar(255),
    primary_technician_number varchar(50),
    parts_manager varchar(255),
    parts_manager_number varchar(50),
    -- complaint
    fullbay_complaint_id integer,
    complaint_type varchar(100),
    complaint_subtype varchar(100),
    complaint_note text,
    complaint_cause text,
    complaint_cause_type varchar(100),
    complaint_authorized boolean,
    complaint_severity varchar(50),
    complaint_mileage_rate varchar(50),
    complaint_labor_rate varchar(50),
    -- correction
    fullbay_correction_id integer,
    correction_title varchar(255),
    global_component varchar(255),
    global_system varchar(255),
    global_service varchar(255),
    unit_service varchar(255),
    recommended_correction text,
    actual_correction text,
    correction_performed varchar(50),
    correction_pre_authorized boolean,
    correction_pre_paid boolean,
    -- kind
    line_item_type varchar(20) not null,
    -- part
    fullbay_part_id integer,
    part_description text,
    shop_part_number varchar(100),
    vendor_part_number varchar(100),
    part_category varchar(255),
    part_manufacturer varchar(255),
    -- labor
    labor_description text,
    labor_rate_type varchar(50),
    assigned_technician varchar(255),
    assigned_technician_number varchar(50),
    assigned_technician_actual_hours numeric(8, 4),
    assigned_technician_portion integer,
    -- quantity
    quantity numeric(10, 3),
    to_be_returned_quantity numeric(10, 3),
    returned_quantity numeric(10, 3),
    -- hours: billed, clocked
    labor_hours numeric(8, 2),
    actual_hours numeric(8, 2),
    -- money
    unit_cost numeric(10, 2),
    unit_price numeric(10, 2),
    line_total_cost numeric(10, 2),
    line_total_price numeric(10, 2),
    price_overridden boolean default false,
    -- tax
    taxable boolean default true,
    tax_rate numeric(5, 2),
    tax_amount numeric(10, 2),
    -- class
    inventory_item boolean default false,
    core_type varchar(50),
    sublet boolean default false,
    -- QuickBooks
    quickbooks_account varchar(255),
    quickbooks_item varchar(255),
    quickbooks_item_type varchar(100),
    quickbooks_id varchar(50),
    -- invoice totals, repeated on each line
    invoice_misc_charge_total numeric(10, 2),
    invoice_service_call_total numeric(10, 2),
    invoice_mileage_total numeric(10, 2),
    invoice_mileage_cost_total numeric(10, 2),
    invoice_parts_total numeric(10, 2),
    invoice_labor_hours_total numeric(8, 2),
    invoice_labor_total numeric(10, 2),
    invoice_sublet_labor_total numeric(10, 2),
    invoice_supplies_total numeric(10, 2),
    invoice_subtotal numeric(10, 2),
    invoice_tax_total numeric(10, 2),
    invoice_total numeric(10, 2),
    invoice_balance numeric(10, 2),
    -- service order totals, repeated on each line
    so_total_parts_cost numeric(10, 2),
    so_total_parts_price numeric(10, 2),
    so_total_labor_hours numeric(8, 2),
    so_total_labor_cost numeric(10, 2),
    so_subtotal numeric(10, 2),
    so_tax_total numeric(10, 2),
    so_total_amount numeric(10, 2),
    -- metadata
    ingestion_timestamp timestamptz default current_timestamp,
    ingestion_source varchar(100) default 'fullbay_api',
    created_at timestamptz default current_timestamp,
    updated_at timestamptz default current_timestamp,
    constraint fullbay_line_items_kind check (
        line_item_type in ('PART', 'LABOR', 'SUPPLY', 'FREIGHT', 'MISC', 'SUBLET', 'SERVICE_CALL', 'MILEAGE', 'ROUNDING')
    ),
    constraint fullbay_line_items_portion check (assigned_technician_portion between 0 and 100)
);
create index idx_fullbay_line_items_invoice_id on fullbay.fullbay_line_items (fullbay_invoice_id);
create index idx_fullbay_line_items_invoice_date on fullbay.fullbay_line_items (invoice_date);
create index idx_fullbay_line_items_customer_id on fullbay.fullbay_line_items (customer_id);
create index idx_fullbay_line_items_repair_order on fullbay.fullbay_line_items (repair_order_number);
create index idx_fullbay_line_items_unit_vin on fullbay.fullbay_line_items (unit_vin);
create index idx_fullbay_line_items_line_type on fullbay.fullbay_line_items (line_item_type);
create index idx_fullbay_line_items_part_number on fullbay.fullbay_line_items (shop_part_number);
create index idx_fullbay_line_items_technician on fullbay.fullbay_line_items (assigned_technician);
create index idx_fullbay_line_items_ingestion on fullbay.fullbay_line_items (ingestion_timestamp);
create index idx_fullbay_line_items_complaint_id on fullbay.fullbay_line_items (fullbay_complaint_id);
create index idx_fullbay_line_items_correction_id on fullbay.fullbay_line_items (fullbay_correction_id);
create index idx_fullbay_line_items_part_id on fullbay.fullbay_line_items (fullbay_part_id);
-- Ours, empty in practice: finds a VIN stored with blanks around it, which the summaries trim. Costs a load one comparison a row.
create index idx_fullbay_line_items_padded_vin on fullbay.fullbay_line_items (btrim(unit_vin)) where unit_vin <> btrim(unit_vin);

-- One row per run. Written and committed before any log row: the logs refer to it, and a rollback must not erase a failed run.
create table fullbay.ingestion_metadata (
    id bigserial primary key,
    execution_id varchar(255) not null,
    start_time timestamptz not null,
    end_time timestamptz,
    status varchar(50) not null,
    records_processed integer default 0,
    records_inserted integer default 0,
    records_updated integer default 0,
    records_failed integer default 0,
    raw_records_stored integer default 0,
    line_items_created integer default 0,
    api_endpoint varchar(255),
    api_response_time_ms integer,
    api_status_code integer,
    api_error_count integer default 0,
    db_connection_time_ms integer,
    db_query_count integer default 0,
    db_error_count integer default 0,
    error_message text,
    error_type varchar(100),
    error_stack_trace text,
    environment varchar(50) not null default 'development',
    lambda_function_name varchar(255),
    lambda_function_version varchar(50),
    aws_request_id varchar(255),
    total_duration_seconds numeric(10, 2),
    memory_usage_mb integer,
    created_at timestamptz default current_timestamp,
    updated_at timestamptz default current_timestamp,
    constraint idx_ingestion_metadata_execution_id unique (execution_id),
    constraint ingestion_metadata_status check (status in ('RUNNING', 'SUCCESS', 'ERROR', 'PARTIAL')),
    constraint ingestion_metadata_times check (end_time >= start_time)
);
create index idx_ingestion_metadata_start_time on fullbay.ingestion_metadata (start_time);
create index idx_ingestion_metadata_status on fullbay.ingestion_metadata (status);
create index idx_ingestion_metadata_environment on fullbay.ingestion_metadata (environment);
create index idx_ingestion_metadata_created_at on fullbay.ingestion_metadata (created_at);

-- One row per invoice ever seen. Key: fullbay_invoice_id.
create table fullbay.processed_invoices_tracker (
    id bigserial primary key,
    fullbay_invoice_id varchar(50) not null,
    first_processed_at timestamptz default current_timestamp,
    last_processed_at timestamptz default current_timestamp,
    processing_count integer default 1,
    status varchar(50) default 'PROCESSED',
    skip_reason text,
    created_at timestamptz default current_timestamp,
    updated_at timestamptz default current_timestamp,
    last_content_hash char(64),
    last_execution_id varchar(255),
    constraint idx_processed_invoices_tracker_invoice_id unique (fullbay_invoice_id),
    constraint processed_invoices_tracker_status check (status in ('PROCESSED', 'SKIPPED', 'ERROR'))
);
create index idx_processed_invoices_tracker_status on fullbay.processed_invoices_tracker (status);
create index idx_processed_invoices_tracker_last_processed on fullbay.processed_invoices_tracker (last_processed_at);

-- One row per service order, over all its invoices. Key: fullbay_id. created_at is the source's time, updated_at the time our row's
-- content last changed (set by refresh_work_orders), so this table has no updated_at trigger.
create table fullbay.fullbay_work_orders (
    id bigserial primary key,
    fullbay_id varchar(255) not null unique,
    work_order_number varchar(255),
    customer_id varchar(255),
    customer_name text,
    vehicle_info jsonb,
    status varchar(50),
    created_at timestamptz,
    updated_at timestamptz default current_timestamp,
    total_amount numeric(12, 2),
    labor_amount numeric(12, 2),
    parts_amount numeric(12, 2),
    tax_amount numeric(12, 2),
    raw_data jsonb,
    ingestion_timestamp timestamptz default current_timestamp,
    ingestion_source varchar(100) default 'fullbay_api'
);
create index idx_fullbay_work_orders_customer_id on fullbay.fullbay_work_orders (customer_id);
create index idx_fullbay_work_orders_status on fullbay.fullbay_work_orders (status);
create index idx_fullbay_work_orders_created_at on fullbay.fullbay_work_orders (created_at);
create index idx_fullbay_work_orders_work_order_number on fullbay.fullbay_work_orders (work_order_number);
