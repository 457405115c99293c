-- Brings the given service orders of fullbay_work_orders up to date with the invoice headers, or all when p_ids is null.
-- Grain and key: fullbay_id, the service order's id. Amounts are sums over the order's invoices, an invoice that vanished at the source
-- included (it is flagged, not deleted); descriptive values and the document are the latest invoice's (highest invoice id of the day).
-- status: CREDIT when the total is negative, else OPEN, PAID or CREDIT by the sign of the open balance.
-- Re-runnable: rows that do not differ are not written, an order without invoices has no row. Returns the number of rows inserted,
-- updated and deleted.
-- A custom plan for every call: a generic one would read every header for a single order.
create or replace function fullbay.refresh_work_orders(p_ids text[] default null) returns bigint
language plpgsql
set plan_cache_mode = force_custom_plan
set jit = off
as $$
declare
    v_written bigint;
begin
    perform fullbay.lock_refresh_keys(7431, p_ids);

    with headers as materialized (
        select h.*
        from fullbay.invoice_headers as h
        where h.service_order_id <> '' and (p_ids is null or h.service_order_id = any(p_ids))
    ),
    sums as (
        select
            service_order_id, sum(total_amount) as total, sum(labor_amount) as labor, sum(parts_amount) as parts,
            sum(tax_amount) as tax, sum(balance) as balance
        from headers
        group by service_order_id
    ),
    latest as (
        select distinct on (service_order_id) service_order_id, raw_data_id
        from headers
        order by service_order_id, invoice_date desc, length(fullbay_invoice_id) desc, fullbay_invoice_id collate "C" desc
    ),
    documents as (
        -- Each document is unpacked once: jsonb_to_record takes both objects in one go, and offset 0 keeps the planner from
        -- repeating it for every column below.
        select latest.service_order_id, document.service_order, document.billing_customer
        from latest
        cross join lateral (
            select invoice."ServiceOrder" as service_order, invoice."Customer" as billing_customer
            from fullbay.fullbay_raw_data as r
            cross join lateral jsonb_to_record(r.raw_json_data) as invoice ("ServiceOrder" jsonb, "Customer" jsonb)
            where r.id = latest.raw_data_id
            offset 0
        ) as document
    ),
    fresh as materialized (
        select
            sums.service_order_id as id,
            left(d.service_order ->> 'repairOrderNumber', 255) as work_order_number,
            left(coalesce(d.service_order #>> '{Customer,customerId}', d.billing_customer ->> 'customerId'), 255) as customer_id,
            coalesce(d.service_order #>> '{Customer,title}', d.billing_customer ->> 'title') as customer_name,
            d.service_order -> 'Unit' as vehicle_info,
            case
                when sums.total < 0 then 'CREDIT'
                when sums.balance > 0 then 'OPEN'
                when sums.balance = 0 then 'PAID'
                else 'CREDIT'
            end as status,
            fullbay.shop_timestamp(d.service_order ->> 'created') as created_at,
            sums.total as total_amount,
            sums.labor as labor_amount,
            sums.parts as parts_amount,
            sums.tax as tax_amount,
            d.service_order as raw_data,
            'fullbay_api' as ingestion_source
        from sums
        join documents as d using (service_order_id)
    ),
    written as (
        insert into fullbay.fullbay_work_orders as t (
            fullbay_id,
            work_order_number, customer_id, customer_name, vehicle_info, status, created_at, total_amount,
            labor_amount, parts_amount, tax_amount, raw_data, ingestion_source
        )
        select
            id,
            work_order_number, customer_id, customer_name, vehicle_info, status, created_at, total_amount,
            labor_amount, parts_amount, tax_amount, raw_data, ingestion_source
        from fresh
        order by id
        on conflict (fullbay_id) do update set
            work_order_number = excluded.work_order_number, customer_id = excluded.customer_id,
            customer_name = excluded.customer_name, vehicle_info = excluded.vehicle_info,
            status = excluded.status, created_at = excluded.created_at, total_amount = excluded.total_amount,
            labor_amount = excluded.labor_amount, parts_amount = excluded.parts_amount,
            tax_amount = excluded.tax_amount, raw_data = excluded.raw_data,
            ingestion_source = excluded.ingestion_source, updated_at = current_timestamp,
            ingestion_timestamp = current_timestamp
        where (
            t.work_order_number, t.customer_id, t.customer_name, t.vehicle_info, t.status, t.created_at,
            t.total_amount, t.labor_amount, t.parts_amount, t.tax_amount, t.raw_data, t.ingestion_source
        ) is distinct from (
            excluded.work_order_number, excluded.customer_id, excluded.customer_name, excluded.vehicle_info,
            excluded.status, excluded.created_at, excluded.total_amount, excluded.labor_amount,
            excluded.parts_amount, excluded.tax_amount, excluded.raw_data, excluded.ingestion_source
        )
        returning 1
    ),
    gone as (
        delete from fullbay.fullbay_work_orders as t
        where (p_ids is null or t.fullbay_id = any(p_ids))
            and not exists (select from fresh where fresh.id = t.fullbay_id)
        returning 1
    )
    select (select count(*) from written) + (select count(*) from gone) into v_written;
    return v_written;
end
$$;
