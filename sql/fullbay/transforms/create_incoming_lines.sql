-- Landing tables of one connection for the lines of a batch, each level once; emptied at every commit. May be re-run.
-- Their types are those of the line table, so what fits here fits there.
create temporary table if not exists incoming_invoices on commit delete rows as
select
    null::integer as invoice_no,
    raw_data_id, fullbay_invoice_id, invoice_number, invoice_date, due_date, exported, shop_title, shop_email,
    shop_physical_address, customer_id, customer_title, customer_external_id, customer_main_phone,
    customer_secondary_phone, customer_billing_employee, customer_billing_email, customer_billing_address,
    fullbay_service_order_id, repair_order_number, service_order_created, service_order_start_date,
    service_order_completion_date, service_order_description, unit_id, unit_number, unit_nickname, unit_type,
    unit_subtype, unit_year, unit_make, unit_model, unit_vin, unit_license_plate, primary_technician,
    primary_technician_number, parts_manager, parts_manager_number, quickbooks_id, invoice_misc_charge_total,
    invoice_service_call_total, invoice_mileage_total, invoice_mileage_cost_total, invoice_parts_total,
    invoice_labor_hours_total, invoice_labor_total, invoice_sublet_labor_total, invoice_supplies_total,
    invoice_subtotal, invoice_tax_total, invoice_total, invoice_balance, so_total_parts_cost,
    so_total_parts_price, so_total_labor_hours, so_total_labor_cost, so_subtotal, so_tax_total, so_total_amount,
    ingestion_source
from fullbay.fullbay_line_items
with no data;
create temporary table if not exists incoming_complaints on commit delete rows as
select
    null::integer as complaint_no,
    fullbay_complaint_id, complaint_type, complaint_subtype, complaint_note, complaint_cause,
    complaint_cause_type, complaint_authorized, complaint_severity, complaint_mileage_rate, complaint_labor_rate
from fullbay.fullbay_line_items
with no data;
create temporary table if not exists incoming_corrections on commit delete rows as
select
    null::integer as correction_no,
    fullbay_correction_id, correction_title, global_component, global_system, global_service, unit_service,
    recommended_correction, actual_correction, correction_performed, correction_pre_authorized,
    correction_pre_paid
from fullbay.fullbay_line_items
with no data;
create temporary table if not exists incoming_lines on commit delete rows as
select
    null::integer as invoice_no, null::integer as complaint_no, null::integer as correction_no,
    line_item_type, fullbay_part_id, part_description, shop_part_number, vendor_part_number, part_category,
    part_manufacturer, labor_description, labor_rate_type, assigned_technician, assigned_technician_number,
    assigned_technician_actual_hours, assigned_technician_portion, quantity, to_be_returned_quantity,
    returned_quantity, labor_hours, actual_hours, unit_cost, unit_price, line_total_cost, line_total_price,
    price_overridden, taxable, tax_rate, tax_amount, inventory_item, core_type, sublet, quickbooks_account,
    quickbooks_item, quickbooks_item_type
from fullbay.fullbay_line_items
with no data;
-- Invoices that are stored one by one share a transaction, so each starts from empty landing tables.
delete from incoming_invoices;
delete from incoming_complaints;
delete from incoming_corrections;
delete from incoming_lines
