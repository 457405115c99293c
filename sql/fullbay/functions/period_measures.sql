-- One row per day or month (its first day) that has an invoice on one of the given days; null = all days.
-- Key: period. Reads only; the days' lines are found through the index on invoice_date.
-- A custom plan for every call: a generic one would scan the whole line table for a single day.
create or replace function fullbay.period_measures(p_unit text, p_days date[])
returns table (
    period date, total_invoices bigint, exported_invoices bigint, total_revenue numeric, parts_revenue numeric, labor_revenue numeric,
    supplies_revenue numeric, misc_revenue numeric, sublet_revenue numeric, labor_hours numeric, actual_hours numeric,
    parts_quantity numeric, unique_parts bigint, unique_customers bigint, unique_vehicles bigint, unique_technicians bigint
)
language plpgsql stable
set plan_cache_mode = force_custom_plan
set jit = off
set work_mem = '64MB'
as $$
#variable_conflict use_column
begin
    return query
    with measures as materialized (
        select
            date_trunc(p_unit, m.invoice_date::timestamp)::date as period, m.fullbay_invoice_id, m.customer_id, m.vin, m.exported,
            m.total_revenue, m.parts_revenue, m.labor_revenue, m.supplies_revenue, m.misc_revenue, m.sublet_revenue,
            m.labor_hours, m.actual_hours, m.parts_quantity, m.part_numbers, m.technicians
        from fullbay.invoice_measures as m
        where m.invoice_date is not null and (p_days is null or m.invoice_date = any(p_days))
    ),
    invoices as (
        select period, fullbay_invoice_id, bool_or(exported) as exported, max(total_revenue) as total_revenue
        from measures
        group by period, fullbay_invoice_id
    ),
    counts as (
        select period, count(*) as invoices, count(*) filter (where exported) as exported, sum(total_revenue) as revenue
        from invoices
        group by period
    ),
    sums as (
        select
            period, sum(parts_revenue) as parts, sum(labor_revenue) as labor, sum(supplies_revenue) as supplies,
            sum(misc_revenue) as misc, sum(sublet_revenue) as sublet, sum(labor_hours) as labor_hours,
            sum(actual_hours) as actual_hours, sum(parts_quantity) as quantity
        from measures
        group by period
    ),
    parts as (
        select period, count(*) as n
        from (select distinct m.period, part from measures as m, unnest(m.part_numbers) as part) as used
        group by period
    ),
    customers as (
        select period, count(customer_id) as n from (select distinct m.period, m.customer_id from measures as m) as billed group by period
    ),
    vehicles as (
        select period, count(vin) as n from (select distinct m.period, m.vin from measures as m) as seen group by period
    ),
    technicians as (
        select period, count(*) as n
        from (select distinct m.period, technician from measures as m, unnest(m.technicians) as technician) as assigned
        group by period
    )
    select
        period, c.invoices, c.exported, c.revenue, s.parts, s.labor, s.supplies, s.misc, s.sublet, s.labor_hours, s.actual_hours,
        s.quantity, coalesce(parts.n, 0), customers.n, vehicles.n, coalesce(technicians.n, 0)
    from counts as c
    join sums as s using (period)
    join customers using (period)
    join vehicles using (period)
    left join parts using (period)
    left join technicians using (period);
end
$$;
