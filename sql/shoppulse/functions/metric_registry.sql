-- The registry of metrics, commerce_assets/shoppulse/metrics.py, as rows. Written by "python -m
-- commerce_assets.shoppulse.metrics_document"; not by hand. Re-runnable: what is no metric any more goes.
delete from shoppulse.metric_disclosures;
delete from shoppulse.metric_identities;
delete from shoppulse.metrics;
insert into shoppulse.metrics
    (metric_number, metric_name, formula, grain, dated, unit, null_rule, source, strict, owner, depends_on, needs)
values
    (1, 'gross_revenue', 'sum of gross_revenue of the orders', 'tenant, day, region, store_id', 'order_date', 'money', 'NULL when an order is in another currency than the tenant''s (OTHER_CURRENCY) or has no amount (NO_AMOUNT)', 'orders', true, 'team:commerce-data', '{}', '{}'),
    (2, 'discount_amount', 'sum of discount_amount of the orders', 'tenant, day, region, store_id', 'order_date', 'money', 'NULL when an order is in another currency than the tenant''s (OTHER_CURRENCY) or has no amount (NO_AMOUNT)', 'orders', true, 'team:commerce-data', '{}', '{}'),
    (3, 'net_revenue', 'sum of net_revenue of the orders', 'tenant, day, region, store_id', 'order_date', 'money', 'NULL when an order is in another currency than the tenant''s (OTHER_CURRENCY) or has no amount (NO_AMOUNT)', 'orders', true, 'team:commerce-data', '{}', '{}'),
    (4, 'margin', '(net revenue - cost) / net revenue, over the orders whose cost is known', 'tenant, day, region, store_id', 'order_date', 'share', 'NULL when no order''s cost is known (NOTHING_KNOWN); missing = 1 for a cell with an order without a known cost', 'orders', false, 'team:commerce-data', '{net_revenue}', '{net_revenue}'),
    (5, 'orders', 'number of orders', 'tenant, day, region, store_id', 'order_date', 'count', 'never NULL where there is a row', 'orders', true, 'team:commerce-data', '{}', '{}'),
    (6, 'items', 'sum of items_count of the orders', 'tenant, day, region, store_id', 'order_date', 'count', 'NULL when an order does not say how many (NO_COUNT)', 'orders', true, 'team:commerce-data', '{}', '{}'),
    (7, 'aov', 'net revenue / orders', 'tenant, day, region, store_id', 'order_date', 'money', 'NULL when an order is in another currency than the tenant''s (OTHER_CURRENCY) or has no amount (NO_AMOUNT); NULL when there is nothing to divide by (ZERO_DENOMINATOR)', 'orders', true, 'team:commerce-data', '{net_revenue,orders}', '{net_revenue,orders}'),
    (8, 'returned_orders', 'number of orders with the status Returned', 'tenant, day, region, store_id', 'order_date', 'count', 'NULL when an order has no status (NO_STATUS)', 'orders', true, 'team:commerce-data', '{}', '{}'),
    (9, 'return_rate', 'returned orders / orders', 'tenant, day, region, store_id', 'order_date', 'share', 'NULL when an order has no status (NO_STATUS); NULL when there is nothing to divide by (ZERO_DENOMINATOR)', 'orders', true, 'team:commerce-data', '{returned_orders,orders}', '{orders,returned_orders}'),
    (10, 'fulfillment_status', 'number of the orders'' deliveries, by fulfillment_status (the category)', 'tenant, day, region, store_id, category', 'order_date', 'count', 'NULL for deliveries without a status (NO_STATUS)', 'orders', true, 'team:commerce-data', '{}', '{}'),
    (11, 'sla_met', 'deliveries whose sla_met is true / deliveries that say whether it is, as the tenant reports it', 'tenant, day, region, store_id', 'order_date', 'share', 'NULL when none says so (NOTHING_KNOWN); missing = 1 for a cell with an order whose delivery does not say', 'orders', false, 'team:commerce-data', '{}', '{}'),
    (12, 'days_to_ship', 'mean days_to_ship of the orders'' deliveries', 'tenant, day, region, store_id', 'order_date', 'days', 'NULL when none says so (NOTHING_KNOWN); missing = 1 for a cell with an order whose delivery does not say', 'orders', false, 'team:commerce-data', '{}', '{}'),
    (13, 'inventory_levels', 'none: no table of the tenants has stock', 'tenant, day, region, store_id', 'order_date', 'count', 'always NULL (NO_SOURCE)', 'none', true, 'team:commerce-data', '{}', '{}'),
    (14, 'deliveries_due', 'number of deliveries promised for the day that were made, or whose day is over where the tenant is', 'tenant, day, region, store_id', 'promised_delivery_date', 'count', 'never NULL where there is a row; a delivery without a promise has no day', 'fulfillment', true, 'team:commerce-data', '{}', '{}'),
    (15, 'on_time_deliveries', 'number of them with actual_delivery_date <= promised_delivery_date', 'tenant, day, region, store_id', 'promised_delivery_date', 'count', 'never NULL where there is a row', 'fulfillment', true, 'team:commerce-data', '{}', '{}'),
    (16, 'on_time_rate', 'on-time deliveries / deliveries due; undelivered past the promise counts as late', 'tenant, day, region, store_id', 'promised_delivery_date', 'share', 'NULL when there is nothing to divide by (ZERO_DENOMINATOR)', 'fulfillment', true, 'team:commerce-data', '{on_time_deliveries,deliveries_due}', '{deliveries_due,on_time_deliveries}'),
    (17, 'campaign_spend', 'sum of spend', 'tenant, day, channel', 'date', 'money', 'NULL when a row has none (NO_AMOUNT)', 'campaigns', true, 'team:commerce-data', '{}', '{}'),
    (18, 'impressions', 'sum of impressions', 'tenant, day, channel', 'date', 'count', 'NULL when a row has none (NO_COUNT)', 'campaigns', true, 'team:commerce-data', '{}', '{}'),
    (19, 'clicks', 'sum of clicks', 'tenant, day, channel', 'date', 'count', 'NULL when a row has none (NO_COUNT)', 'campaigns', true, 'team:commerce-data', '{}', '{}'),
    (20, 'conversions', 'sum of conversions', 'tenant, day, channel', 'date', 'count', 'NULL when a row has none (NO_COUNT)', 'campaigns', true, 'team:commerce-data', '{}', '{}'),
    (21, 'revenue_attributed', 'sum of revenue_attributed', 'tenant, day, channel', 'date', 'money', 'NULL when a row has none (NO_AMOUNT)', 'campaigns', true, 'team:commerce-data', '{}', '{}'),
    (22, 'ctr', 'clicks / impressions', 'tenant, day, channel', 'date', 'share', 'NULL when a row lacks one (NO_COUNT) or has more clicks than impressions (CONTRADICTORY); NULL when there is nothing to divide by (ZERO_DENOMINATOR)', 'campaigns', true, 'team:commerce-data', '{clicks,impressions}', '{clicks,impressions}'),
    (23, 'conversion_rate', 'conversions / clicks', 'tenant, day, channel', 'date', 'share', 'NULL when a row lacks one (NO_COUNT) or has more conversions than clicks (CONTRADICTORY); NULL when there is nothing to divide by (ZERO_DENOMINATOR)', 'campaigns', true, 'team:commerce-data', '{conversions,clicks}', '{clicks,conversions}'),
    (24, 'roas', 'revenue attributed / spend', 'tenant, day, channel', 'date', 'ratio', 'NULL when a row lacks one (NO_AMOUNT); NULL when there is nothing to divide by (ZERO_DENOMINATOR)', 'campaigns', true, 'team:commerce-data', '{revenue_attributed,campaign_spend}', '{campaign_spend,revenue_attributed}'),
    (25, 'cac', 'spend / conversions', 'tenant, day, channel', 'date', 'money', 'NULL when a row lacks one (NO_AMOUNT, NO_COUNT); NULL when there is nothing to divide by (ZERO_DENOMINATOR)', 'campaigns', true, 'team:commerce-data', '{campaign_spend,conversions}', '{campaign_spend,conversions}');
insert into shoppulse.metric_identities (metric_name, first_name, operator, second_name)
values
    ('net_revenue', 'gross_revenue', '-', 'discount_amount'),
    ('aov', 'net_revenue', '/', 'orders'),
    ('return_rate', 'returned_orders', '/', 'orders'),
    ('on_time_rate', 'on_time_deliveries', '/', 'deliveries_due'),
    ('ctr', 'clicks', '/', 'impressions'),
    ('conversion_rate', 'conversions', '/', 'clicks'),
    ('roas', 'revenue_attributed', '/', 'campaign_spend'),
    ('cac', 'campaign_spend', '/', 'conversions');
insert into shoppulse.metric_disclosures (metric_name, source_name, how)
values
    ('net_revenue', 'margin', 'its denominator: of the orders whose cost is known'),
    ('orders', 'days_to_ship', 'its denominator: the orders whose delivery says how long it took'),
    ('orders', 'fulfillment_status', 'the sum over its categories: the orders whose delivery has a status'),
    ('orders', 'sla_met', 'its denominator: the orders whose delivery says whether it was'),
    ('returned_orders', 'fulfillment_status', 'its category Returned');
