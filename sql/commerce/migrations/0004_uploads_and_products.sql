-- What vendors upload, what became of it, and the catalogue.
-- Deletions: nothing goes along with what is deleted (restrict), but that a product outlives the record of its upload.

-- One row per upload of a file. Grain and key: upload_id. The three counts are written by one UPDATE, when the upload is done
-- (sql/commerce/transforms/complete_upload.sql); until then metadata holds the number of rows that the file has.
create table commerce.upload_history (
    upload_id varchar(100) primary key,
    vendor_id varchar(50) not null,
    file_name varchar(255) not null,
    s3_key varchar(500) not null,
    total_records integer not null default 0,  -- 0 while the upload is worked on, then valid_records + error_records
    valid_records integer not null default 0,
    error_records integer not null default 0,
    status varchar(50) not null default 'processing',  -- processing, completed, failed or partial
    error_file_s3_key varchar(500),
    upload_timestamp timestamp default current_timestamp,
    processing_started_at timestamp,
    processing_completed_at timestamp,
    processing_duration_seconds integer,
    metadata jsonb,  -- expected_records: rows of the file
    constraint upload_history_vendor foreign key (vendor_id) references commerce.vendors (vendor_id)
        on delete restrict on update cascade,
    constraint upload_history_status_known check (status in ('processing', 'completed', 'failed', 'partial')),
    constraint valid_record_counts check (valid_records + error_records = total_records),
    constraint valid_error_file check (error_records > 0 or (error_records = 0 and error_file_s3_key is null))
);
create index idx_upload_history_vendor on commerce.upload_history (vendor_id);
create index idx_upload_history_status on commerce.upload_history (status);
create index idx_upload_history_timestamp on commerce.upload_history (upload_timestamp desc);
create index idx_upload_history_processing_duration on commerce.upload_history (processing_duration_seconds);

-- One row per product of a vendor. Grain: vendor_id, vendor_product_id. The key is wide: an upsert uses up a number for every row.
create table commerce.products (
    product_id bigserial primary key,
    vendor_id varchar(50) not null,
    vendor_product_id varchar(100) not null,
    product_name varchar(200) not null,
    category varchar(100) not null,  -- of product_categories; active when it is written
    subcategory varchar(100),
    description text,
    sku varchar(100) unique not null,  -- unique over all vendors
    brand varchar(100),
    -- NaN is greater than every number for Postgres, so "> 0" alone lets it in.
    price decimal(10, 2) not null check (price > 0 and price < 'NaN'),
    compare_at_price decimal(10, 2) check (compare_at_price < 'NaN'),
    stock_quantity integer not null default 0 check (stock_quantity >= 0),
    unit varchar(20) default 'piece',
    weight_kg decimal(8, 2) check (weight_kg > 0 and weight_kg < 'NaN'),
    dimensions_cm varchar(50),
    image_url text,
    status varchar(20) not null default 'active',  -- active, inactive, out_of_stock or discontinued
    upload_id varchar(100),  -- the upload that wrote the row last
    created_at timestamp default current_timestamp,
    updated_at timestamp default current_timestamp,
    constraint unique_vendor_product unique (vendor_id, vendor_product_id),
    constraint fk_vendor foreign key (vendor_id) references commerce.vendors (vendor_id)
        on delete restrict on update cascade,
    constraint fk_category foreign key (category) references commerce.product_categories (category_name)
        on delete restrict on update cascade,
    constraint fk_upload foreign key (upload_id) references commerce.upload_history (upload_id)
        on delete set null on update cascade,
    constraint products_status_known check (status in ('active', 'inactive', 'out_of_stock', 'discontinued')),
    constraint valid_price_comparison check (compare_at_price is null or compare_at_price >= price)
);
create index idx_products_vendor on commerce.products (vendor_id);
create index idx_products_category on commerce.products (category);
create index idx_products_sku on commerce.products (sku);
create index idx_products_search on commerce.products
    using gin (to_tsvector('english', product_name || ' ' || coalesce(description, '')));
create index idx_products_status on commerce.products (status);
create index idx_products_upload on commerce.products (upload_id);
create index idx_products_created_at on commerce.products (created_at desc);
create index idx_products_price on commerce.products (price);

-- One row per row of an upload that was rejected, with its first error. Key: error_id.
create table commerce.validation_errors (
    error_id bigserial primary key,
    upload_id varchar(100) not null,
    vendor_id varchar(50) not null,
    row_number integer not null,  -- of the file's data rows, from 1
    vendor_product_id varchar(100),
    error_type varchar(50) not null,  -- code of the rule
    error_field varchar(100),
    error_message text not null,
    original_data jsonb,  -- the row as it came, every value as text
    created_at timestamp default current_timestamp,
    constraint validation_errors_upload foreign key (upload_id) references commerce.upload_history (upload_id)
        on delete restrict on update cascade,
    constraint validation_errors_vendor foreign key (vendor_id) references commerce.vendors (vendor_id)
        on delete restrict on update cascade
);
create index idx_validation_errors_upload on commerce.validation_errors (upload_id);
create index idx_validation_errors_vendor on commerce.validation_errors (vendor_id);
create index idx_validation_errors_type on commerce.validation_errors (error_type);
create index idx_validation_errors_created_at on commerce.validation_errors (created_at desc);
