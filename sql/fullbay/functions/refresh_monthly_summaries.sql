-- Brings the given months of monthly_summary up to date with the line items, or every month when p_months is null.
-- Any day stands for its month. Grain and key: (summary_year, summary_month). Re-runnable: rows that do not differ are not written,
-- created_at is kept, a month without invoices has no row. Returns the number of rows inserted, updated and deleted.
create or replace function fullbay.refresh_monthly_summaries(p_months date[] default null) returns bigint
language plpgsql as $$
declare
    v_months date[] := array(
        select distinct date_trunc('month', m::timestamp)::date from unnest(p_months) as m where m is not null
    );
    -- All days of the months rather than a range for each: one condition that the index on invoice_date answers.
    v_days date[] := array(
        select day::date
        from unnest(v_months) as first,
            generate_series(first::timestamp, first::timestamp + interval '1 month - 1 day', interval '1 day') as day
    );
    v_written bigint;
begin
    if p_months is null then
        v_months := null;
        v_days := null;
    end if;
    perform fullbay.lock_refresh_keys(7433, case when v_months is not null then
        array(select to_char(m, 'YYYY-MM') from unnest(v_months) as m) end);

    with fresh as materialized (
        select *, extract(year from period)::integer as year, extract(month from period)::integer as month
        from fullbay.period_measures('month', v_days)
    ),
    written as (
        insert into fullbay.monthly_summary as t (
            summary_year, summary_month, total_invoices, exported_invoices, unexported_invoices, total_revenue,
            total_parts_revenue, total_labor_revenue, total_supplies_revenue, total_misc_revenue, total_sublet_revenue,
            total_labor_hours, total_actual_hours, total_parts_quantity, unique_parts_count, unique_customers, unique_vehicles,
            unique_technicians
        )
        select
            year, month, total_invoices, exported_invoices, total_invoices - exported_invoices, total_revenue, parts_revenue,
            labor_revenue, supplies_revenue, misc_revenue, sublet_revenue, labor_hours, actual_hours, parts_quantity,
            unique_parts, unique_customers, unique_vehicles, unique_technicians
        from fresh
        order by year, month
        on conflict (summary_year, summary_month) do update set
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
        delete from fullbay.monthly_summary as t
        where (v_months is null or make_date(t.summary_year, t.summary_month, 1) = any(v_months))
            and not exists (select from fresh where year = t.summary_year and month = t.summary_month)
        returning 1
    )
    select (select count(*) from written) + (select count(*) from gone) into v_written;
    return v_written;
end
$$;
