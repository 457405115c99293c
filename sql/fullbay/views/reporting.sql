-- The ten reporting views. Read only; days are UTC days. Percentages are null where there is nothing to divide by.

-- One row per UTC day on which invoices were stored.
create or replace view fullbay.v_ingestion_performance as
select
    (ingestion_timestamp at time zone 'UTC')::date as ingestion_date,
    count(*) as total_invoices,
    count(*) filter (where processed) as processed_invoices,
    count(*) filter (where not processed) as pending_invoices,
    count(processing_errors) as invoices_with_errors,
    round(100.0 * count(*) filter (where processed) / count(*), 2) as processed_percent,
    min(ingestion_timestamp) as first_ingestion,
    max(ingestion_timestamp) as last_ingestion
from fullbay.fullbay_raw_data
group by 1
order by 1 desc;

-- Exactly one row: where things stand now.
create or replace view fullbay.v_current_processing_status as
select
    invoices.*,
    (select count(*) from fullbay.fullbay_line_items) as total_line_items,
    (select count(*) from fullbay.refresh_queue) as summary_keys_queued,
    (select count(*) from fullbay.invoice_quarantine where resolved_at is null) as invoices_in_quarantine,
    last_run.execution_id as last_execution_id,
    last_run.status as last_execution_status,
    last_run.start_time as last_execution_start
from (
    select
        count(*) as total_invoices,
        count(*) filter (where processed) as processed_invoices,
        count(*) filter (where not processed) as pending_invoices,
        count(processing_errors) as invoices_with_errors,
        max(ingestion_timestamp) as last_ingestion
    from fullbay.fullbay_raw_data
) as invoices
left join (
    select execution_id, status, start_time from fullbay.ingestion_metadata order by start_time desc, id desc limit 1
) as last_run on true;

-- One row per stored invoice that carries a processing error.
create or replace view fullbay.v_processing_errors as
select fullbay_invoice_id, shop_key, invoice_date, processed, processing_errors, ingestion_timestamp, updated_at
from fullbay.fullbay_raw_data
where processing_errors is not null
order by updated_at desc;

-- One row per invoice that has lines.
create or replace view fullbay.v_invoice_summary as
select
    l.fullbay_invoice_id,
    max(l.invoice_number) as invoice_number,
    max(l.invoice_date) as invoice_date,
    max(l.shop_title) as shop_title,
    max(l.customer_id) as customer_id,
    max(l.customer_title) as customer_title,
    max(nullif(btrim(l.unit_vin), '')) as unit_vin,
    max(l.repair_order_number) as repair_order_number,
    bool_or(l.exported) as exported,
    count(*) as line_items,
    coalesce(sum(l.line_total_price), 0) as lines_total,
    coalesce(sum(l.tax_amount), 0) as lines_tax,
    max(l.invoice_total) as invoice_total,
    max(l.invoice_balance) as invoice_balance,
    max(l.invoice_total) - coalesce(sum(l.line_total_price), 0) - coalesce(sum(l.tax_amount), 0) as difference
from fullbay.fullbay_line_items as l
group by l.fullbay_invoice_id;

-- One row per customer, biggest revenue first.
create or replace view fullbay.v_customer_analysis as
select
    customer_id, customer_title, total_invoices, first_invoice_date, last_invoice_date, total_revenue,
    round(total_revenue / nullif(total_invoices, 0), 2) as average_invoice,
    total_parts_revenue, total_labor_revenue, total_supplies_revenue, total_misc_revenue, total_sublet_revenue,
    unique_vehicles, total_labor_hours, total_actual_hours,
    (current_timestamp at time zone 'UTC')::date - last_invoice_date as days_since_last_invoice
from fullbay.customer_summary
order by total_revenue desc, customer_id;

-- One row per part number and description of PART and SUPPLY lines, biggest revenue first.
create or replace view fullbay.v_parts_analysis as
select
    shop_part_number,
    part_description,
    max(part_category) as part_category,
    count(*) as times_sold,
    count(distinct fullbay_invoice_id) as invoices,
    sum(quantity) as total_quantity,
    sum(line_total_cost) as total_cost,
    sum(line_total_price) as total_revenue,
    sum(line_total_price) - sum(line_total_cost) as gross_profit,
    round(100 * (sum(line_total_price) - sum(line_total_cost)) / nullif(sum(line_total_price), 0), 2) as margin_percent,
    max(invoice_date) as last_sold
from fullbay.fullbay_line_items
where line_item_type in ('PART', 'SUPPLY')
group by shop_part_number, part_description
order by sum(line_total_price) desc nulls last;

-- One row per technician of LABOR lines. efficiency_percent: billed over clocked hours.
create or replace view fullbay.v_technician_performance as
select
    assigned_technician,
    max(assigned_technician_number) as assigned_technician_number,
    count(*) as labor_lines,
    count(distinct fullbay_invoice_id) as invoices,
    coalesce(sum(labor_hours), 0) as labor_hours,
    coalesce(sum(actual_hours), 0) as actual_hours,
    round(100 * sum(labor_hours) / nullif(sum(actual_hours), 0), 2) as efficiency_percent,
    coalesce(sum(line_total_price), 0) as labor_revenue,
    round(sum(line_total_price) / nullif(sum(labor_hours), 0), 2) as revenue_per_billed_hour
from fullbay.fullbay_line_items
where line_item_type = 'LABOR' and assigned_technician <> ''
group by assigned_technician
order by coalesce(sum(line_total_price), 0) desc, assigned_technician;

-- One row per VIN, biggest revenue first.
create or replace view fullbay.v_fleet_analysis as
select
    unit_vin, unit_number, unit_year, unit_make, unit_model, unit_type, primary_customer_id, primary_customer_title, total_invoices,
    first_invoice_date, last_invoice_date, total_revenue,
    round(total_revenue / nullif(total_invoices, 0), 2) as average_invoice,
    total_parts_revenue, total_labor_revenue, total_labor_hours,
    (current_timestamp at time zone 'UTC')::date - last_invoice_date as days_since_last_invoice
from fullbay.vehicle_summary
order by total_revenue desc, unit_vin;

-- Exactly six rows, one a check of the stored lines: how many have the issue, of how many that could have it.
create or replace view fullbay.v_data_quality_check as
select checks.check_name, checks.issue_count, checks.total_count,
    round(100.0 * checks.issue_count / nullif(checks.total_count, 0), 2) as issue_percent
from (
    select
        count(*) as n,
        count(*) filter (where coalesce(invoice_number, '') = '') as no_number,
        count(*) filter (where customer_id is null or customer_title is null) as no_customer,
        count(*) filter (where coalesce(unit_vin, '') = '' or coalesce(unit_make, '') = '') as no_unit,
        count(*) filter (where line_total_price = 0) as zero_price,
        count(*) filter (where line_item_type = 'LABOR') as labor,
        count(*) filter (where line_item_type = 'LABOR' and labor_hours is null) as no_hours,
        count(*) filter (where line_item_type in ('PART', 'SUPPLY')) as parts,
        count(*) filter (where line_item_type in ('PART', 'SUPPLY') and coalesce(shop_part_number, '') = '') as no_part_number
    from fullbay.fullbay_line_items
) as l
cross join lateral (
    values
        ('missing_invoice_numbers', l.no_number, l.n),
        ('missing_customer_info', l.no_customer, l.n),
        ('missing_unit_info', l.no_unit, l.n),
        ('zero_prices', l.zero_price, l.n),
        ('missing_labor_hours', l.no_hours, l.labor),
        ('missing_part_numbers', l.no_part_number, l.parts)
) as checks (check_name, issue_count, total_count);

-- One row per run of the last 7 days, newest first.
create or replace view fullbay.v_recent_activity as
select
    execution_id, status, environment, start_time, end_time, total_duration_seconds, records_processed, records_inserted,
    records_updated, records_failed, line_items_created, error_message
from fullbay.ingestion_metadata
where start_time >= current_timestamp - interval '7 days'
order by start_time desc, id desc;

grant select on
    fullbay.v_ingestion_performance, fullbay.v_current_processing_status, fullbay.v_processing_errors, fullbay.v_invoice_summary,
    fullbay.v_customer_analysis, fullbay.v_parts_analysis, fullbay.v_technician_performance, fullbay.v_fleet_analysis,
    fullbay.v_data_quality_check, fullbay.v_recent_activity
to analyst;
