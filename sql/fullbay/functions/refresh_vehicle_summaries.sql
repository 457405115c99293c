-- Brings the given vehicles of vehicle_summary up to date with the line items, or all of them when p_vins is null.
-- Grain and key: unit_vin, blanks trimmed; a blank VIN is no vehicle. Number, year, make, model and type are the latest invoice's. The
-- primary customer has the most invoices on the VIN (ties: most recent invoice, then lowest id), with the title of its latest one there.
-- Re-runnable: rows that do not differ are not written, created_at is kept, a VIN without invoices has no row. Returns the number of
-- rows inserted, updated and deleted.
-- A custom plan for every call: a generic one would scan the whole line table for a single VIN.
create or replace function fullbay.refresh_vehicle_summaries(p_vins text[] default null) returns bigint
language plpgsql
set plan_cache_mode = force_custom_plan
set jit = off
set work_mem = '64MB'
as $$
declare
    v_vins text[] := case when p_vins is not null then
        array(select distinct btrim(vin) from unnest(p_vins) as vin where btrim(vin) <> '') end;
    v_written bigint;
begin
    perform fullbay.lock_refresh_keys(7435, v_vins);

    with measures as materialized (
        select
            m.vin, m.fullbay_invoice_id, m.invoice_date, m.customer_id, m.customer_title, m.unit_number, m.unit_year, m.unit_make,
            m.unit_model, m.unit_type, m.total_revenue, m.parts_revenue, m.labor_revenue, m.supplies_revenue, m.misc_revenue,
            m.sublet_revenue, m.labor_hours, m.actual_hours, m.parts_quantity, m.part_numbers
        from fullbay.invoice_measures as m
        where m.vin is not null
            and (
                v_vins is null
                or m.unit_vin = any(v_vins)
                -- a VIN stored with blanks around it; has an index of its own, empty in practice
                or (m.unit_vin <> btrim(m.unit_vin) and btrim(m.unit_vin) = any(v_vins))
            )
    ),
    invoices as (
        select vin, fullbay_invoice_id, min(invoice_date) as first_date, max(invoice_date) as last_date,
            max(total_revenue) as total_revenue
        from measures
        group by vin, fullbay_invoice_id
    ),
    counts as (
        select vin, count(*) as invoices, min(first_date) as first_date, max(last_date) as last_date, sum(total_revenue) as revenue
        from invoices
        group by vin
    ),
    sums as (
        select
            vin, sum(parts_revenue) as parts, sum(labor_revenue) as labor, sum(supplies_revenue) as supplies,
            sum(misc_revenue) as misc, sum(sublet_revenue) as sublet, sum(labor_hours) as labor_hours,
            sum(actual_hours) as actual_hours, sum(parts_quantity) as quantity
        from measures
        group by vin
    ),
    part_counts as (
        select vin, count(*) as unique_parts
        from (select distinct m.vin, part from measures as m, unnest(m.part_numbers) as part) as used
        group by vin
    ),
    latest as (
        select distinct on (vin) vin, unit_number, unit_year, unit_make, unit_model, unit_type
        from measures
        order by vin, invoice_date desc nulls last, length(fullbay_invoice_id) desc, fullbay_invoice_id collate "C" desc,
            unit_number collate "C", customer_id
    ),
    customers as (
        select vin, customer_id, count(distinct fullbay_invoice_id) as invoices, max(invoice_date) as last_date,
            (array_agg(customer_title order by invoice_date desc nulls last, length(fullbay_invoice_id) desc,
                fullbay_invoice_id collate "C" desc, customer_title collate "C"))[1] as title
        from measures
        where customer_id is not null
        group by vin, customer_id
    ),
    primary_customers as (
        select distinct on (vin) vin, customer_id as primary_id, title as primary_title
        from customers
        order by vin, invoices desc, last_date desc nulls last, customer_id
    ),
    fresh as materialized (
        select
            vin, unit_number, unit_year, unit_make, unit_model, unit_type, invoices, first_date, last_date, revenue, parts, labor,
            supplies, misc, sublet, labor_hours, actual_hours, quantity, coalesce(unique_parts, 0) as unique_parts, primary_id,
            primary_title
        from counts
        join sums using (vin)
        join latest using (vin)
        left join part_counts using (vin)
        left join primary_customers using (vin)
    ),
    written as (
        insert into fullbay.vehicle_summary as t (
            unit_vin, unit_number, unit_year, unit_make, unit_model, unit_type, total_invoices, first_invoice_date,
            last_invoice_date, total_revenue, total_parts_revenue, total_labor_revenue, total_supplies_revenue,
            total_misc_revenue, total_sublet_revenue, total_labor_hours, total_actual_hours, total_parts_quantity,
            unique_parts_count, primary_customer_id, primary_customer_title
        )
        select
            vin, unit_number, unit_year, unit_make, unit_model, unit_type, invoices, first_date, last_date, revenue, parts,
            labor, supplies, misc, sublet, labor_hours, actual_hours, quantity, unique_parts, primary_id, primary_title
        from fresh
        order by vin
        on conflict (unit_vin) do update set
            unit_number = excluded.unit_number, unit_year = excluded.unit_year, unit_make = excluded.unit_make,
            unit_model = excluded.unit_model, unit_type = excluded.unit_type, total_invoices = excluded.total_invoices,
            first_invoice_date = excluded.first_invoice_date, last_invoice_date = excluded.last_invoice_date,
            total_revenue = excluded.total_revenue, total_parts_revenue = excluded.total_parts_revenue,
            total_labor_revenue = excluded.total_labor_revenue, total_supplies_revenue = excluded.total_supplies_revenue,
            total_misc_revenue = excluded.total_misc_revenue, total_sublet_revenue = excluded.total_sublet_revenue,
            total_labor_hours = excluded.total_labor_hours, total_actual_hours = excluded.total_actual_hours,
            total_parts_quantity = excluded.total_parts_quantity, unique_parts_count = excluded.unique_parts_count,
            primary_customer_id = excluded.primary_customer_id, primary_customer_title = excluded.primary_customer_title
        where (
            t.unit_number, t.unit_year, t.unit_make, t.unit_model, t.unit_type, t.total_invoices, t.first_invoice_date,
            t.last_invoice_date, t.total_revenue, t.total_parts_revenue, t.total_labor_revenue, t.total_supplies_revenue,
            t.total_misc_revenue, t.total_sublet_revenue, t.total_labor_hours, t.total_actual_hours, t.total_parts_quantity,
            t.unique_parts_count, t.primary_customer_id, t.primary_customer_title
        ) is distinct from (
            excluded.unit_number, excluded.unit_year, excluded.unit_make, excluded.unit_model, excluded.unit_type,
            excluded.total_invoices, excluded.first_invoice_date, excluded.last_invoice_date, excluded.total_revenue,
            excluded.total_parts_revenue, excluded.total_labor_revenue, excluded.total_supplies_revenue,
            excluded.total_misc_revenue, excluded.total_sublet_revenue, excluded.total_labor_hours, excluded.total_actual_hours,
            excluded.total_parts_quantity, excluded.unique_parts_count, excluded.primary_customer_id,
            excluded.primary_customer_title
        )
        returning 1
    ),
    gone as (
        delete from fullbay.vehicle_summary as t
        where (v_vins is null or t.unit_vin = any(v_vins))
            and not exists (select from fresh where fresh.vin = t.unit_vin)
        returning 1
    )
    select (select count(*) from written) + (select count(*) from gone) into v_written;
    return v_written;
end
$$;
