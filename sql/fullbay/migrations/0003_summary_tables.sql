-- The four summaries. Always derivable from the line items: refresh_*_summaries() brings the given keys, or all of them, up to date.
-- total_revenue includes tax (the invoices' totals, each counted once), the revenues by kind exclude it:
-- sum of kinds + sum of the lines' tax_amount = total_revenue for reconciled invoices.

-- One row per invoice date that has an invoice.
create table fullbay.daily_summary (
    id bigserial primary key,
    summary_date date not null,
    total_invoices integer default 0,
    exported_invoices integer default 0,
    unexported_invoices integer default 0,
    total_revenue numeric(12, 2) default 0,
    total_parts_revenue numeric(12, 2) default 0,
    total_labor_revenue numeric(12, 2) default 0,
    total_supplies_revenue numeric(12, 2) default 0,
    total_misc_revenue numeric(12, 2) default 0,
    total_sublet_revenue numeric(12, 2) default 0,
    total_labor_hours numeric(10, 2) default 0,
    total_actual_hours numeric(10, 2) default 0,
    total_parts_quantity numeric(10, 2) default 0,
    unique_parts_count integer default 0,
    unique_customers integer default 0,
    unique_vehicles integer default 0,
    unique_technicians integer default 0,
    created_at timestamptz default current_timestamp,
    updated_at timestamptz default current_timestamp,
    constraint idx_daily_summary_date unique (summary_date)
);

-- One row per month that has an invoice.
create table fullbay.monthly_summary (
    id bigserial primary key,
    summary_year integer not null,
    summary_month integer not null,
    total_invoices integer default 0,
    exported_invoices integer default 0,
    unexported_invoices integer default 0,
    total_revenue numeric(12, 2) default 0,
    total_parts_revenue numeric(12, 2) default 0,
    total_labor_revenue numeric(12, 2) default 0,
    total_supplies_revenue numeric(12, 2) default 0,
    total_misc_revenue numeric(12, 2) default 0,
    total_sublet_revenue numeric(12, 2) default 0,
    total_labor_hours numeric(10, 2) default 0,
    total_actual_hours numeric(10, 2) default 0,
    total_parts_quantity numeric(10, 2) default 0,
    unique_parts_count integer default 0,
    unique_customers integer default 0,
    unique_vehicles integer default 0,
    unique_technicians integer default 0,
    created_at timestamptz default current_timestamp,
    updated_at timestamptz default current_timestamp,
    constraint idx_monthly_summary_year_month unique (summary_year, summary_month),
    constraint monthly_summary_month check (summary_month between 1 and 12)
);

-- One row per customer of an invoice.
create table fullbay.customer_summary (
    id bigserial primary key,
    customer_id integer not null,
    customer_title varchar(255),
    total_invoices integer default 0,
    first_invoice_date date,
    last_invoice_date date,
    total_revenue numeric(12, 2) default 0,
    total_parts_revenue numeric(12, 2) default 0,
    total_labor_revenue numeric(12, 2) default 0,
    total_supplies_revenue numeric(12, 2) default 0,
    total_misc_revenue numeric(12, 2) default 0,
    total_sublet_revenue numeric(12, 2) default 0,
    unique_vehicles integer default 0,
    vehicle_list text,
    total_labor_hours numeric(10, 2) default 0,
    total_actual_hours numeric(10, 2) default 0,
    total_parts_quantity numeric(10, 2) default 0,
    unique_parts_count integer default 0,
    created_at timestamptz default current_timestamp,
    updated_at timestamptz default current_timestamp,
    constraint idx_customer_summary_customer_id unique (customer_id)
);
comment on column fullbay.customer_summary.vehicle_list is 'JSON array of the VINs, sorted; [] when none';

-- One row per VIN (blanks trimmed) of an invoice.
create table fullbay.vehicle_summary (
    id bigserial primary key,
    unit_vin varchar(50) not null,
    unit_number varchar(50),
    unit_year varchar(10),
    unit_make varchar(100),
    unit_model varchar(100),
    unit_type varchar(100),
    total_invoices integer default 0,
    first_invoice_date date,
    last_invoice_date date,
    total_revenue numeric(12, 2) default 0,
    total_parts_revenue numeric(12, 2) default 0,
    total_labor_revenue numeric(12, 2) default 0,
    total_supplies_revenue numeric(12, 2) default 0,
    total_misc_revenue numeric(12, 2) default 0,
    total_sublet_revenue numeric(12, 2) default 0,
    total_labor_hours numeric(10, 2) default 0,
    total_actual_hours numeric(10, 2) default 0,
    total_parts_quantity numeric(10, 2) default 0,
    unique_parts_count integer default 0,
    primary_customer_id integer,
    primary_customer_title varchar(255),
    created_at timestamptz default current_timestamp,
    updated_at timestamptz default current_timestamp,
    constraint idx_vehicle_summary_vin unique (unit_vin)
);
