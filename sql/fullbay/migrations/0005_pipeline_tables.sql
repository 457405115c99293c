-- Tables the published schema lacks and the pipeline's promises need: header facts, refresh outbox, what a run saw, quarantine.

-- One row per stored invoice: the header's facts, parsed once, so that nothing that asks for totals opens the documents.
create table fullbay.invoice_headers (
    fullbay_invoice_id varchar(50) primary key,
    raw_data_id bigint not null unique references fullbay.fullbay_raw_data (id) on delete cascade,
    shop_key varchar(50) not null,
    invoice_date date not null,
    service_order_id varchar(50),
    total_amount numeric(12, 2) not null default 0,
    subtotal_amount numeric(12, 2) not null default 0,
    tax_amount numeric(12, 2) not null default 0,
    labor_amount numeric(12, 2) not null default 0,
    parts_amount numeric(12, 2) not null default 0,
    balance numeric(12, 2) not null default 0,
    payload_hash char(64) not null,
    payload_bytes bigint not null,
    content_hash char(64) not null,
    reconciled boolean,
    shown_date date,
    shown_total numeric(12, 2),
    customer_id integer,
    unit_vin varchar(50),
    missing_since timestamptz,
    updated_at timestamptz not null default current_timestamp
);
comment on column fullbay.invoice_headers.payload_hash is 'sha256 of the bytes as received';
comment on column fullbay.invoice_headers.payload_bytes is 'size as received: batches of documents are cut by it';
comment on column fullbay.invoice_headers.content_hash is 'sha256 of the canonical JSON';
comment on column fullbay.invoice_headers.reconciled is 'lines close to the cent; null = lines not built yet';
comment on column fullbay.invoice_headers.shown_date is 'invoice_date of the version whose lines are stored; null = none yet';
comment on column fullbay.invoice_headers.shown_total is 'total_amount of the version whose lines are stored';
comment on column fullbay.invoice_headers.customer_id is 'customer that the stored lines name';
comment on column fullbay.invoice_headers.unit_vin is 'VIN that the stored lines name, blanks trimmed; null = no vehicle';
comment on column fullbay.invoice_headers.missing_since is 'when the invoice was first found gone from its date at the source; flagged, never deleted';
create index idx_invoice_headers_shop_date on fullbay.invoice_headers (shop_key, invoice_date);
create index idx_invoice_headers_service_order on fullbay.invoice_headers (service_order_id);
create index idx_invoice_headers_open_balance on fullbay.invoice_headers (invoice_date) where balance <> 0;
-- What the checks of the summaries add up, so that they open neither lines nor documents. Partial: a header enters them when its
-- lines are stored, not when it is written.
create index idx_invoice_headers_shown_date on fullbay.invoice_headers (shown_date) where shown_date is not null;
create index idx_invoice_headers_customer on fullbay.invoice_headers (customer_id) where shown_date is not null;
create index idx_invoice_headers_vin on fullbay.invoice_headers (unit_vin) where shown_date is not null;

-- Outbox of summary keys to refresh, written in the transaction that changes their lines. Keys may repeat.
create table fullbay.refresh_queue (
    queue_id bigint generated always as identity primary key,
    target varchar(20) not null,
    key text not null,
    execution_id varchar(255),
    queued_at timestamptz not null default current_timestamp,
    constraint refresh_queue_target check (target in ('WORK_ORDER', 'DAY', 'MONTH', 'CUSTOMER', 'VEHICLE')),
    -- A key that cannot be read would stop every later refresh of its target: refuse it where it is written.
    constraint refresh_queue_key check (
        case target
            when 'DAY' then key ~ '^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$'
            when 'MONTH' then key ~ '^\d{4}-(0[1-9]|1[0-2])$'
            when 'CUSTOMER' then key ~ '^-?\d{1,10}$'
            else true
        end
    )
);

-- One row per invoice and shop that a run saw it for. A document without an id has no key: it counts each time it is read.
create table fullbay.ingestion_run_invoices (
    execution_id varchar(255) not null references fullbay.ingestion_metadata (execution_id) on delete cascade,
    fullbay_invoice_id varchar(50),
    shop_key varchar(50) not null,
    invoice_date date not null,
    outcome varchar(20) not null,
    content_hash char(64),
    total_amount numeric(12, 2),
    previous_total numeric(12, 2),
    seen_at timestamptz default current_timestamp,
    constraint ingestion_run_invoices_outcome check (outcome in ('NEW', 'CHANGED', 'UNCHANGED', 'QUARANTINED', 'VANISHED'))
);
-- By invoice within the run: looking up 20,000 invoices one by one took 20 s with an index that ended at the outcome.
create unique index idx_ingestion_run_invoices_invoice
    on fullbay.ingestion_run_invoices (execution_id, fullbay_invoice_id, shop_key);

-- One row per invoice that could not be parsed or stored, kept whole; open until resolved_at is set.
create table fullbay.invoice_quarantine (
    id bigint generated always as identity primary key,
    fullbay_invoice_id varchar(50),
    shop_key varchar(50) not null,
    invoice_date date,
    stage varchar(20) not null,
    reason varchar(100) not null,
    path text,
    value text,
    message text not null,
    payload bytea not null,
    payload_hash char(64) not null,
    rule_version varchar(20) not null,
    source_position jsonb,
    execution_id varchar(255),
    first_seen_at timestamptz not null default current_timestamp,
    last_seen_at timestamptz not null default current_timestamp,
    times_seen integer not null default 1,
    resolved_at timestamptz,
    resolution varchar(50),
    constraint invoice_quarantine_stage check (stage in ('PARSE', 'STORE', 'FLATTEN')),
    constraint invoice_quarantine_resolution check (
        resolution in ('REPLAYED', 'SUPERSEDED', 'DISCARDED') and resolved_at is not null
        or resolution is null and resolved_at is null
    )
);
comment on column fullbay.invoice_quarantine.invoice_date is 'date of the window that was asked';
comment on column fullbay.invoice_quarantine.payload is 'bytes as received: jsonb could hold neither a NUL nor a duplicate key';
create unique index idx_invoice_quarantine_open on fullbay.invoice_quarantine (payload_hash, stage) where resolved_at is null;
create index idx_invoice_quarantine_invoice_id on fullbay.invoice_quarantine (fullbay_invoice_id);
