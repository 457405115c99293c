-- How each vendor's uploads are read, limited and held; and which rejected rows were corrected later.

-- One row per vendor who differs from the defaults of the deployment. Grain and key: vendor_id. A null: the default.
create table commerce.vendor_settings (
    vendor_id varchar(50) primary key references commerce.vendors (vendor_id) on delete cascade on update cascade,
    -- How amounts are written, such as de or de-CH (commerce_assets/vendor_settings.py has the list); null: 12.50.
    locale varchar(10) check (locale ~ '^[a-z]{2}(-[A-Z]{2})?$'),
    duplicates varchar(10) check (duplicates in ('first', 'last', 'reject')),  -- which of two rows of a file with one key is taken
    max_rows integer check (max_rows >= 1),
    max_bytes bigint check (max_bytes >= 1),
    answer_within_seconds integer check (answer_within_seconds >= 1),  -- from arrival to answer; what the check holds against
    -- When an upload is held: shares of the catalogue from 0 to 1, and how far a price has to move (0.5: by half).
    hold_prices_share numeric(4, 3) check (hold_prices_share between 0 and 1),
    hold_price_change numeric(8, 3) check (hold_price_change >= 0 and hold_price_change < 'NaN'),
    hold_stock_share numeric(4, 3) check (hold_stock_share between 0 and 1),
    hold_minimum_products integer check (hold_minimum_products >= 1)
);

-- One row per rejected row whose product came again and was taken. Grain and key: error_id. What time to fix is counted from.
create table commerce.corrected_errors (
    error_id bigint primary key references commerce.validation_errors (error_id) on delete cascade,
    vendor_id varchar(50) not null,
    upload_id varchar(100) not null references commerce.upload_history (upload_id) on delete cascade on update cascade,
    corrected_at timestamp not null default current_timestamp
);
create index idx_corrected_errors_vendor on commerce.corrected_errors (vendor_id);
create index idx_corrected_errors_upload on commerce.corrected_errors (upload_id);
