-- Landing tables of one connection for raw documents and their header facts; emptied at every commit. May be re-run.
create temporary table if not exists incoming_raw (
    fullbay_invoice_id varchar(50) not null,
    raw_json_data jsonb not null,
    content_hash char(64) not null,
    invoice_date date not null,
    shop_key varchar(50) not null
) on commit delete rows;
create temporary table if not exists incoming_headers (
    fullbay_invoice_id varchar(50) not null,
    shop_key varchar(50) not null,
    invoice_date date not null,
    service_order_id varchar(50),
    total_amount numeric(12, 2) not null,
    subtotal_amount numeric(12, 2) not null,
    tax_amount numeric(12, 2) not null,
    labor_amount numeric(12, 2) not null,
    parts_amount numeric(12, 2) not null,
    balance numeric(12, 2) not null,
    payload_hash char(64) not null,
    payload_bytes bigint not null,
    content_hash char(64) not null
) on commit delete rows;
-- Invoices that are stored one by one share a transaction, so each starts from empty landing tables.
delete from incoming_raw;
delete from incoming_headers
