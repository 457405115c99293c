-- Brings the given days of daily_summary up to date with the line items, or every day when p_dates is null.
-- Grain and key: summary_date. Re-runnable: rows that do not differ are not written, created_at is kept, a day without invoices has
-- no row. Returns the number of rows inserted, updated and deleted.
create or replace function fullbay.refresh_daily_summaries(p_dates date[] default null) returns bigint
language plpgsql as $$
declare
    v_written bigint;
begin
    perform fullbay.lock_refresh_keys(7432, case when p_dates is not null then
        array(select to_char(d, 'YYYY-MM-DD') from unnest(p_dates) as d) end);

    with fresh as materialized (
        select * from fullbay.period_measures('day', p_dates)
    ),
    written as (
        insert into fullbay.daily_summary as t (
            summary_date, total_invoices, exported_invoices, unexported_invoices, total_revenue, total_parts_revenue,
            total_labor_revenue, total_supplies_revenue, total_misc_revenue, total_sublet_revenue, total_labor_hours,
            total_actual_hours, total_parts_quantity, unique_parts_count, unique_customers, unique_vehicles, unique_technicians
        )
        select
            period, total_invoices, exported_invoices, total_invoices - exported_invoices, total_revenue, parts_revenue,
            labor_revenue, supplies_revenue, misc_revenue, sublet_revenue, labor_hours, actual_hours, parts_quantity,
            unique_parts, unique_customers, unique_vehicles, unique_technicians
        from fresh
        order by period
        on conflict (summary_date) do update set
            total_invoices = excluded.total_invoices, exported_invoices = excluded.exported_invoices,
            unexported_invoices = excluded.unexported_invoices, total_revenue = excluded.total_revenue,
            total_parts_revenue = excluded.total_parts_revenue, total_labor_revenue = excluded.total_labor_revenue,
            total_supplies_revenue = excluded.total_supplies_revenue, total_misc_revenue = excluded.total_misc_revenue,
            total_sublet_revenue = excluded.total_sublet_revenue, total_labor_hours = excluded.total_labor_hours,
            total_actual_hours = excluded.total_actual_hours, total_parts_quantity = excluded.total_parts_quantity,
            unique_parts_count = excluded.unique_parts_count, unique_customers = excluded.unique_customers,
            unique_vehicles = excluded.unique_vehicles, unique_technicians = excluded.unique_technicians
        where (
            t.total_invoices, t.exported_invoices, t.unexported_invoices, t.total_revenue, t.total_parts_revenue,
            t.total_labor_revenue, t.total_supplies_revenue, t.total_misc_revenue, t.total_sublet_revenue, t.total_labor_hours,
            t.total_actual_hours, t.total_parts_quantity, t.unique_parts_count, t.unique_customers, t.unique_vehicles,
            t.unique_technicians
        ) is distinct from (
            excluded.total_invoices, excluded.exported_invoices, excluded.unexported_invoices, excluded.total_revenue,
            excluded.total_parts_revenue, excluded.total_labor_revenue, excluded.total_supplies_revenue,
            excluded.total_misc_revenue, excluded.total_sublet_revenue, excluded.total_labor_hours, excluded.total_actual_hours,
            excluded.total_parts_quantity, excluded.unique_parts_count, excluded.unique_customers, excluded.unique_vehicles,
            excluded.unique_technicians
        )
        returning 1
    ),
    gone as (
        delete from fullbay.daily_summary as t
        where (p_dates is null or t.summary_date = any(p_dates))
            and not exists (select from fresh where period = t.summary_date)
        returning 1
    )
    select (select count(*) from written) + (select count(*) from gone) into v_written;
    return v_written;
end
$$;
