"""The four summaries. Each follows the keys that the line step queued; none is a rebuild unless one is asked for."""

import dagster as dg

from fullbay_assets.assets import asset_step, described
from fullbay_assets.assets.ingest import RebuildConfig, fullbay_line_items
from fullbay_assets.ingestion import count_rows, refresh_days, refresh_summary
from fullbay_assets.partitions import DAILY, dates_of
from resources.postgres import PostgresResource
from resources.run_metadata import materialized


@dg.asset(partitions_def=DAILY, deps=[fullbay_line_items], **described("daily_summary", "summaries", "sql"))
def daily_summary(context: dg.AssetExecutionContext, warehouse: PostgresResource) -> dg.MaterializeResult:
    """One row per invoice date that has invoices. Revenue counts each invoice once and includes tax.

    Refreshes the run's dates and every date that an edit or a re-dated invoice touched.
    """
    first, last = dates_of(context)
    with asset_step(context, warehouse, "daily_summary") as step:
        refreshed = refresh_days(step, first, last)
        rows = count_rows(step, "daily_summary", first, last)
    return materialized(
        row_count=rows, dates=(first, last), keys=refreshed.keys, rows_stored=refreshed.rows_written
    )


@dg.asset(deps=[fullbay_line_items], **described("monthly_summary", "summaries", "sql"))
def monthly_summary(
    context: dg.AssetExecutionContext, config: RebuildConfig, warehouse: PostgresResource
) -> dg.MaterializeResult:
    """One row per month that has invoices. Refreshes the months that changed."""
    return _refreshed(context, config, warehouse, "monthly_summary", "MONTH")


@dg.asset(deps=[fullbay_line_items], **described("customer_summary", "summaries", "sql"))
def customer_summary(
    context: dg.AssetExecutionContext, config: RebuildConfig, warehouse: PostgresResource
) -> dg.MaterializeResult:
    """One row per customer with an id. Refreshes those that changed; title from the latest invoice."""
    return _refreshed(context, config, warehouse, "customer_summary", "CUSTOMER")


@dg.asset(deps=[fullbay_line_items], **described("vehicle_summary", "summaries", "sql"))
def vehicle_summary(
    context: dg.AssetExecutionContext, config: RebuildConfig, warehouse: PostgresResource
) -> dg.MaterializeResult:
    """One row per vehicle with a VIN. Refreshes the vehicles that changed."""
    return _refreshed(context, config, warehouse, "vehicle_summary", "VEHICLE")


def _refreshed(
    context: dg.AssetExecutionContext,
    config: RebuildConfig,
    warehouse: PostgresResource,
    table: str,
    target: str,
) -> dg.MaterializeResult:
    with asset_step(context, warehouse, table) as step:
        refreshed = refresh_summary(step, target, rebuild=config.rebuild)
        rows = count_rows(step, table)
    return materialized(row_count=rows, keys=refreshed.keys, rows_stored=refreshed.rows_written)
