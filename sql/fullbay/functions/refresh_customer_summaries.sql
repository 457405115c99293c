-- Brings the given customers of customer_summary up to date with the line items, or all of them when p_ids is null.
-- Grain and key: customer_id. The title is the latest invoice's (highest invoice id of the day). Re-runnable: rows that do not differ
-- are not written, created_at is kept, a customer without invoices has no row. Returns the number of rows inserted, updated and deleted.
-- A custom plan for every call: a generic one would scan the whole line table for a single customer.
create or replace function fullbay.refresh_customer_summaries(p_ids integer[] default null) returns bigint
language plpgsql
set plan_cache_mode = force_custom_plan
set jit = off
set work_mem = '64MB'
as $$
declare
    v_written bigint;
begin
    perform fullbay.lock_refresh_keys(7434, p_ids::text[]);

    with measures as materialized (
        select
            m.customer_id, m.fullbay_invoice_id, m.invoice_date, m.vin, m.customer_title, m.total_revenue, m.parts_revenue,
            m.labor_revenue, m.supplies_revenue, m.misc_revenue, m.sublet_revenue, m.labor_hours, m.actual_hours,
            m.parts_quantity, m.part_numbers
        from fullbay.invoice_measures as m
        where m.customer_id is not null and (p_ids is null or m.customer_id = any(p_ids))
    ),
    invoices as (
        select customer_id, fullbay_invoice_id, min(invoice_date) as first_date, max(invoice_date) as last_date,
            max(total_revenue) as total_revenue
        from measures
        group by customer_id, fullbay_invoice_id
    ),
    counts as (
        select customer_id, count(*) as invoices, min(first_date) as first_date, max(last_date) as last_date, sum(total_revenue) as revenue
        from invoices
        group by customer_id
    ),
    sums as (
        select
            customer_id, sum(parts_revenue) as parts, sum(labor_revenue) as labor, sum(supplies_revenue) as supplies,
            sum(misc_revenue) as misc, sum(sublet_revenue) as sublet, sum(labor_hours) as labor_hours,
            sum(actual_hours) as actual_hours, sum(parts_quantity) as quantity
        from measures
        group by customer_id
    ),
    part_counts as (
        select customer_id, count(*) as unique_parts
        from (select distinct m.customer_id, part from measures as m, unnest(m.part_numbers) as part) as used
        group by customer_id
    ),
    vehicles as (
        select customer_id, count(vin) as vehicles,
            coalesce(jsonb_agg(vin order by vin collate "C") filter (where vin is not null), '[]')::text as vehicle_list
        from (select distinct m.customer_id, m.vin from measures as m) as seen
        group by customer_id
    ),
    latest as (
        select distinct on (customer_id) customer_id, customer_title
        from measures
        order by customer_id, invoice_date desc nulls last, length(fullbay_invoice_id) desc, fullbay_invoice_id collate "C" desc,
            customer_title collate "C"
    ),
    fresh as materialized (
        select
            customer_id, customer_title, invoices, first_date, last_date, revenue, parts, labor, supplies, misc, sublet, vehicles,
            vehicle_list, labor_hours, actual_hours, quantity, coalesce(unique_parts, 0) as unique_parts
        from counts
        join sums using (customer_id)
        join vehicles using (customer_id)
        join latest using (customer_id)
        left join part_counts using (customer_id)
    ),
    written as (
        insert into fullbay.customer_summary as t (
            customer_id, customer_title, total_invoices, first_invoice_date, last_invoice_date, total_revenue,
            total_parts_revenue, total_labor_revenue, total_supplies_revenue, total_misc_revenue, total_sublet_revenue,
            unique_vehicles, vehicle_list, total_labor_hours, total_actual_hours, total_parts_quantity, unique_parts_count
        )
        select
            customer_id, customer_title, invoices, first_date, last_date, revenue, parts, labor, supplies, misc, sublet,
            vehicles, vehicle_list, labor_hours, actual_hours, quantity, unique_parts
        from fresh
        order by customer_id
        on conflict (customer_id) do update set
            customer_title = excluded.customer_title, total_invoices = excluded.total_invoices,
            first_invoice_date = excluded.first_invoice_date, last_invoice_date = excluded.last_invoice_date,
            total_revenue = excluded.total_revenue, total_parts_revenue = excluded.total_parts_revenue,
            total_labor_revenue = excluded.total_labor_revenue, total_supplies_revenue = excluded.total_supplies_revenue,
            total_misc_revenue = excluded.total_misc_revenue, total_sublet_revenue = excluded.total_sublet_revenue,
            unique_vehicles = excluded.unique_vehicles, vehicle_list = excluded.vehicle_list,
            total_labor_hours = excluded.total_labor_hours, total_actual_hours = excluded.total_actual_hours,
            total_parts_quantity = excluded.total_parts_quantity, unique_parts_count = excluded.unique_parts_count
        where (
            t.customer_title, t.total_invoices, t.first_invoice_date, t.last_invoice_date, t.total_revenue,
            t.total_parts_revenue, t.total_labor_revenue, t.total_supplies_revenue, t.total_misc_revenue,
            t.total_sublet_revenue, t.unique_vehicles, t.vehicle_list, t.total_labor_hours, t.total_actual_hours,
            t.total_parts_quantity, t.unique_parts_count
        ) is distinct from (
            excluded.customer_title, excluded.total_invoices, excluded.first_invoice_date, excluded.last_invoice_date,
            excluded.total_revenue, excluded.total_parts_revenue, excluded.total_labor_revenue, excluded.total_supplies_revenue,
            excluded.total_misc_revenue, excluded.total_sublet_revenue, excluded.unique_vehicles, excluded.vehicle_list,
            excluded.total_labor_hours, excluded.total_actual_hours, excluded.total_parts_quantity, excluded.unique_parts_count
        )
        returning 1
    ),
    gone as (
        delete from fullbay.customer_summary as t
        where (p_ids is null or t.customer_id = any(p_ids))
            and not exists (select from fresh where fresh.customer_id = t.customer_id)
        returning 1
    )
    select (select count(*) from written) + (select count(*) from gone) into v_written;
    return v_written;
end
$$;
