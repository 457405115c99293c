"""Asset checks of what tenants deliver."""

import dagster as dg

from commerce_assets.assets.tenant_data import (
    tenant_campaigns,
    tenant_fulfillment,
    tenant_order_costs,
    tenant_orders,
)
from commerce_assets.shoppulse.deliveries import TABLES
from resources.postgres import PostgresResource
from resources.run_metadata import shown


def _check(
    name: str,
    asset: dg.AssetsDefinition,
    description: str,
    statement: str,
    table: str,
    *,
    warns: bool = False,
) -> dg.AssetChecksDefinition:
    """A check from sql/shoppulse/checks: one row of checked, failed, examples; it passes when nothing failed."""

    @dg.asset_check(asset=asset, name=name, description=description)
    def check(warehouse: PostgresResource) -> dg.AssetCheckResult:
        with warehouse.session(name) as session:
            checked, failed, examples = session.transaction(
                lambda: session.run(
                    f"shoppulse/checks/{statement}", {"table_name": table}, table=TABLES[table].relation
                ),
                doing=name,
            )[0]
        severity = dg.AssetCheckSeverity.WARN if warns else dg.AssetCheckSeverity.ERROR
        facts = {"checked": checked, "failed": failed, "examples": examples}
        return dg.AssetCheckResult(passed=failed == 0, severity=severity, metadata=shown(facts))

    return check


ROWS = "Of every loaded delivery, rows read = stored + unchanged + quarantined, and the quarantined ones are there."
STUCK = "No delivery waits for more than an hour."
KEPT = "No row of the last week is in quarantine unsettled."

orders_add_up = _check("orders_add_up", tenant_orders, ROWS, "deliveries_add_up", "orders")
fulfillment_adds_up = _check(
    "fulfillment_adds_up", tenant_fulfillment, ROWS, "deliveries_add_up", "fulfillment"
)
campaigns_add_up = _check("campaigns_add_up", tenant_campaigns, ROWS, "deliveries_add_up", "campaigns")
order_costs_add_up = _check(
    "order_costs_add_up", tenant_order_costs, ROWS, "deliveries_add_up", "order_costs"
)
no_delivery_is_stuck = _check("no_delivery_is_stuck", tenant_orders, STUCK, "no_delivery_is_stuck", "orders")
no_file_was_refused = _check(
    "no_file_was_refused",
    tenant_orders,
    "No file of the last week, of any table, was refused.",
    "no_file_was_refused",
    "orders",
    warns=True,
)
orders_are_not_in_quarantine = _check(
    "orders_are_not_in_quarantine", tenant_orders, KEPT, "nothing_in_quarantine", "orders", warns=True
)
fulfillment_is_not_in_quarantine = _check(
    "fulfillment_is_not_in_quarantine", tenant_fulfillment, KEPT, "nothing_in_quarantine", "fulfillment", warns=True
)  # fmt: skip
campaigns_are_not_in_quarantine = _check(
    "campaigns_are_not_in_quarantine",
    tenant_campaigns,
    KEPT,
    "nothing_in_quarantine",
    "campaigns",
    warns=True,
)
order_costs_are_not_in_quarantine = _check(
    "order_costs_are_not_in_quarantine", tenant_order_costs, KEPT, "nothing_in_quarantine", "order_costs", warns=True
)  # fmt: skip
order_amounts_agree = _check(
    "order_amounts_agree",
    tenant_orders,
    "Net is gross less discount, the discount lies between 0 and gross, and no order has less than 0 items.",
    "order_amounts_agree",
    "orders",
    warns=True,
)
sla_agrees_with_dates = _check(
    "sla_agrees_with_dates",
    tenant_fulfillment,
    "sla_met says what the promised and the actual day say, and no order took less than 0 days to ship.",
    "sla_agrees_with_dates",
    "fulfillment",
    warns=True,
)
clicks_are_not_above_impressions = _check(
    "clicks_are_not_above_impressions",
    tenant_campaigns,
    "There are no more clicks than impressions and no more conversions than clicks.",
    "clicks_are_not_above_impressions",
    "campaigns",
    warns=True,
)
