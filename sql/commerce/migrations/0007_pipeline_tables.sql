-- The rows of uploads on their way into the catalogue, and what each upload changed there.

-- One row per data row of an upload that is being worked on. Grain and key: upload_id, row_number. Filled by COPY, settled by
-- the catalogue (sql/commerce/transforms/settle_staged_rows.sql), deleted once the answer is out.
-- No foreign keys: one look-up for each of a million rows takes as long as copying them, and the catalogue checks the upload once.
create table commerce.staged_rows (
    upload_id varchar(100) not null,
    row_number integer not null,  -- of the file's data rows, from 1
    record_id varchar(50),  -- of the item in UploadRecords
    -- After the rules: valid or rejected. After the catalogue: accepted (a new product), updated, unchanged or rejected.
    verdict varchar(10) not null,
    -- As in products. Null where a rejected row has no such value; an id or SKU that it has may stand here, cut to its length.
    vendor_product_id varchar(100),
    product_name varchar(200),
    category varchar(100),
    subcategory varchar(100),
    description text,
    sku varchar(100),
    brand varchar(100),
    price decimal(10, 2),
    compare_at_price decimal(10, 2),
    stock_quantity integer,
    unit varchar(20),
    weight_kg decimal(8, 2),
    dimensions_cm varchar(50),
    image_url text,
    -- One element for each error, the first decides; null where there is none.
    codes text[],
    fields text[],
    messages text[],
    fixes text[],
    warnings jsonb,
    original_data jsonb,  -- the vendor's header -> text as it came; a ragged row is {"_cells": [...]}
    changes jsonb,  -- of an updated row: {"price": ["9.99", "10.99"]}
    constraint staged_rows_pkey primary key (upload_id, row_number),
    constraint staged_rows_verdict_known
        check (verdict in ('valid', 'accepted', 'updated', 'unchanged', 'rejected')),
    constraint staged_rows_rejected_for_a_reason
        check (verdict <> 'rejected' or cardinality(codes) > 0 and cardinality(messages) > 0)
);

-- One row per product and upload that changed it, and one more when the upload was undone. Key: change_id; a later change has a
-- greater one. No foreign keys: the change that made a product outlives it, and the upload was looked up once.
create table commerce.product_changes (
    change_id bigint generated always as identity primary key,
    upload_id varchar(100) not null,  -- the upload that made the change; of an undo: the upload that was undone
    product_id bigint not null,
    vendor_id varchar(50) not null,
    vendor_product_id varchar(100) not null,
    kind varchar(10) not null,
    before jsonb,  -- the changed columns as they were; null when there was no product
    after jsonb,  -- the changed columns as they became; null when there is no product any more
    upload_id_before varchar(100),  -- products.upload_id as it was
    changed_at timestamp not null default current_timestamp,
    constraint product_changes_kind_known check (kind in ('insert', 'update', 'undo'))
);
create index idx_product_changes_upload on commerce.product_changes (upload_id);
create index idx_product_changes_product on commerce.product_changes (product_id);
