"""The metrics of the tenants, by day: two assets that follow the days that changed."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import dagster as dg
from pydantic import Field

from commerce_assets.shoppulse.charts import Point, dashboard
from commerce_assets.shoppulse.metrics import METRICS, OWNER
from commerce_assets.shoppulse.refresh import refresh
from resources.ddl import table_metadata
from resources.leases import lease
from resources.postgres import PostgresResource
from resources.run_metadata import materialized
from resources.sql import Session

FOLLOWS_DELIVERIES = dg.FreshnessPolicy.time_window(
    fail_window=timedelta(hours=6), warn_window=timedelta(hours=1)
)
"""Refreshed every 15 minutes: an hour without is worth a look."""
PLOTTED = {
    "tenant_daily_metrics": (
        *("net_revenue", "orders", "aov", "margin", "return_rate", "on_time_rate", "sla_met", "days_to_ship"),
    ),
    "campaign_metrics": (*("campaign_spend", "revenue_attributed", "roas", "cac", "ctr", "conversion_rate"),),
}
"""The charts of each asset's dashboard."""


class RefreshConfig(dg.Config):
    """Whether to compute everything again."""

    rebuild: bool = Field(default=False, description="Compute every day, not only those that changed.")
    tenants: list[str] = Field(default=[], description="Rebuild these tenants only; none: all of them.")


def described(table: str) -> dict[str, Any]:
    """What the assets of this module share."""
    return {
        "group_name": "shoppulse",
        "kinds": {"postgres", "sql"},
        "owners": [OWNER],
        "freshness_policy": FOLLOWS_DELIVERIES,
        "metadata": table_metadata("shoppulse", table),
        "code_version": "1",
        "pool": "shoppulse_writer",
    }


@dg.asset(
    deps=["tenant_orders", "tenant_fulfillment", "tenant_order_costs"], **described("tenant_daily_metrics")
)
def tenant_daily_metrics(
    context: dg.AssetExecutionContext, config: RefreshConfig, warehouse: PostgresResource
) -> dg.MaterializeResult:
    """One row per tenant, day, metric, region, store and category: numerator, denominator, what could not be counted.

    Of orders on their day and deliveries on the day they were promised for. Days of the tenant's own calendar.
    """
    return _refreshed(context, config, warehouse, "tenant_daily_metrics")


@dg.asset(deps=["tenant_campaigns"], **described("campaign_metrics"))
def campaign_metrics(
    context: dg.AssetExecutionContext, config: RefreshConfig, warehouse: PostgresResource
) -> dg.MaterializeResult:
    """One row per tenant, day, metric and channel: numerator, denominator, what could not be counted; of campaigns."""
    return _refreshed(context, config, warehouse, "campaign_metrics")


def _refreshed(
    context: dg.AssetExecutionContext, config: RefreshConfig, warehouse: PostgresResource, table: str
) -> dg.MaterializeResult:
    holder = f"{table} {context.run_id}"
    with (
        lease(
            warehouse.settings(), f"shoppulse.{table}", None, holder=holder, execution_id=context.run_id
        ) as held,
        warehouse.session(holder) as session,
    ):
        done = refresh(session, held, table, rebuild=config.rebuild, tenants=config.tenants)
        rows, series = session.transaction(
            lambda: (session.count(f"shoppulse.{table}"), _series(session, table)), doing=f"reading {table}"
        )
    units = {name: METRICS[name].unit for name in series}
    latest: dict[str, Any] = {
        name: float(value) for name, values in series.items() for _, value in values if value is not None
    }
    return materialized(
        row_count=rows,
        days=done.days,
        rows_stored=done.written,
        rows_removed=done.removed,
        transactions=done.transactions,
        dashboard=dg.MetadataValue.md(dashboard(series, units)),
        **latest,
    )


def _series(session: Session, table: str) -> dict[str, list[Point]]:
    """Metric -> its value by day, in the order of the dashboard; every day of the span, also one without a value."""
    found: dict[str, dict[date, Decimal | None]] = {name: {} for name in PLOTTED[table]}
    read = session.run(
        f"shoppulse/transforms/dashboard_{table}", {"metrics": list(PLOTTED[table])}, table=table
    )
    for name, day, numerator, denominator in read:
        found[name][day] = (
            numerator if denominator is None else numerator / denominator if denominator else None
        )
    days = sorted({day for values in found.values() for day in values})
    span = [days[0] + timedelta(days=n) for n in range((days[-1] - days[0]).days + 1)] if days else []
    return {name: [(day, values.get(day)) for day in span] for name, values in found.items() if span}
