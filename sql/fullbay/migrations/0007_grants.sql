-- Analysts read the summaries, the line items, the work orders without the source's document, and the views (granted beside each).
-- Not the raw documents, the quarantine or the logs. The writer's rights come from the schema's default privileges.
grant select on fullbay.daily_summary, fullbay.monthly_summary, fullbay.customer_summary, fullbay.vehicle_summary,
    fullbay.fullbay_line_items to analyst;
grant select (
    id, fullbay_id, work_order_number, customer_id, customer_name, vehicle_info, status, created_at, updated_at,
    total_amount, labor_amount, parts_amount, tax_amount, ingestion_timestamp, ingestion_source
) on fullbay.fullbay_work_orders to analyst;
