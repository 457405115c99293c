-- One row per invoice: what the four summaries add up. The one place that says what each measure is.
-- Key: (fullbay_invoice_id, invoice_date, customer_id, unit_vin), which is one row an invoice as long as its lines agree; an invoice
-- whose lines do not agree has one row for each combination, and counts, once, at every date, customer and VIN that its lines name.
--
-- * total_revenue: the invoice's total, tax included. Not a sum over lines: a two-line invoice of 162.68 is 162.68.
-- * kinds, tax excluded: supplies = SUPPLY; misc = MISC, FREIGHT, SERVICE_CALL, MILEAGE, ROUNDING. So kinds + tax = total_revenue.
-- * hours: billed and clocked, of all lines. parts_quantity and part_numbers: of PART lines.
-- Every stored invoice has a line (one of zero when nothing was billed), so none is missed here.
-- Conditions on the key columns reach the line table's indexes through the GROUP BY, and unused columns are not computed.
create or replace view fullbay.invoice_measures as
select
    l.fullbay_invoice_id,
    l.invoice_date,
    l.customer_id,
    l.unit_vin,
    nullif(btrim(l.unit_vin), '') as vin,
    coalesce(bool_or(l.exported), false) as exported,
    coalesce(max(l.invoice_total), 0) as total_revenue,
    coalesce(sum(l.line_total_price) filter (where l.line_item_type = 'PART'), 0) as parts_revenue,
    coalesce(sum(l.line_total_price) filter (where l.line_item_type = 'LABOR'), 0) as labor_revenue,
    coalesce(sum(l.line_total_price) filter (where l.line_item_type = 'SUPPLY'), 0) as supplies_revenue,
    coalesce(
        sum(l.line_total_price) filter (where l.line_item_type in ('MISC', 'FREIGHT', 'SERVICE_CALL', 'MILEAGE', 'ROUNDING')), 0
    ) as misc_revenue,
    coalesce(sum(l.line_total_price) filter (where l.line_item_type = 'SUBLET'), 0) as sublet_revenue,
    coalesce(sum(l.labor_hours), 0) as labor_hours,
    coalesce(sum(l.actual_hours), 0) as actual_hours,
    coalesce(sum(l.quantity) filter (where l.line_item_type = 'PART'), 0) as parts_quantity,
    array_agg(l.shop_part_number) filter (where l.line_item_type = 'PART' and l.shop_part_number <> '') as part_numbers,
    array_agg(l.assigned_technician) filter (where l.assigned_technician <> '') as technicians,
    max(l.customer_title) as customer_title,
    max(l.unit_number) as unit_number,
    max(l.unit_year) as unit_year,
    max(l.unit_make) as unit_make,
    max(l.unit_model) as unit_model,
    max(l.unit_type) as unit_type
from fullbay.fullbay_line_items as l
group by l.fullbay_invoice_id, l.invoice_date, l.customer_id, l.unit_vin;
