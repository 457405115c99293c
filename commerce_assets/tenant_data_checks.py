"""Asset checks of what tenants deliver."""

from commerce_assets.assets.tenant_data import (
    tenant_campaigns,
    tenant_fulfillment,
    tenant_order_costs,
    tenant_orders,
)
from commerce_assets.checks import check_by_sql

ROWS = "Of every loaded delivery, rows read = stored + unchanged + quarantined, and the quarantined ones are there."
STUCK = "No delivery waits for more than an hour."
KEPT = "No row of the last week is in quarantine unsettled."

orders_add_up = check_by_sql(
    "shoppulse/checks/deliveries_add_up",
    tenant_orders,
    ROWS,
    name="orders_add_up",
    params={"table_name": "orders"},
)
fulfillment_adds_up = check_by_sql(
    "shoppulse/checks/deliveries_add_up",
    tenant_fulfillment,
    ROWS,
    name="fulfillment_adds_up",
    params={"table_name": "fulfillment"},
)
campaigns_add_up = check_by_sql(
    "shoppulse/checks/deliveries_add_up",
    tenant_campaigns,
    ROWS,
    name="campaigns_add_up",
    params={"table_name": "campaigns"},
)
order_costs_add_up = check_by_sql(
    "shoppulse/checks/deliveries_add_up",
    tenant_order_costs,
    ROWS,
    name="order_costs_add_up",
    params={"table_name": "order_costs"},
)
no_delivery_is_stuck = check_by_sql(
    "shoppulse/checks/no_delivery_is_stuck",
    tenant_orders,
    STUCK,
)
no_file_was_refused = check_by_sql(
    "shoppulse/checks/no_file_was_refused",
    tenant_orders,
    "No file of the last week, of any table, was refused.",
    warns=True,
)
orders_are_not_in_quarantine = check_by_sql(
    "shoppulse/checks/nothing_in_quarantine",
    tenant_orders,
    KEPT,
    name="orders_are_not_in_quarantine",
    params={"table_name": "orders"},
    warns=True,
)
fulfillment_is_not_in_quarantine = check_by_sql(
    "shoppulse/checks/nothing_in_quarantine",
    tenant_fulfillment,
    KEPT,
    name="fulfillment_is_not_in_quarantine",
    params={"table_name": "fulfillment"},
    warns=True,
)
campaigns_are_not_in_quarantine = check_by_sql(
    "shoppulse/checks/nothing_in_quarantine",
    tenant_campaigns,
    KEPT,
    name="campaigns_are_not_in_quarantine",
    params={"table_name": "campaigns"},
    warns=True,
)
order_costs_are_not_in_quarantine = check_by_sql(
    "shoppulse/checks/nothing_in_quarantine",
    tenant_order_costs,
    KEPT,
    name="order_costs_are_not_in_quarantine",
    params={"table_name": "order_costs"},
    warns=True,
)
order_amounts_agree = check_by_sql(
    "shoppulse/checks/order_amounts_agree",
    tenant_orders,
    "Net is gross less discount, the discount lies between 0 and gross, and no order has less than 0 items.",
    warns=True,
)
sla_agrees_with_dates = check_by_sql(
    "shoppulse/checks/sla_agrees_with_dates",
    tenant_fulfillment,
    "sla_met says what the promised and the actual day say, and no order took less than 0 days to ship.",
    warns=True,
)
clicks_are_not_above_impressions = check_by_sql(
    "shoppulse/checks/clicks_are_not_above_impressions",
    tenant_campaigns,
    "There are no more clicks than impressions and no more conversions than clicks.",
    warns=True,
)
