"""The run's bookkeeping as assets: which invoices were processed, and how the run went."""

import dagster as dg

from fullbay_assets.assets import asset_step, described
from fullbay_assets.assets.ingest import fullbay_line_items, fullbay_raw_data, fullbay_work_orders
from fullbay_assets.assets.summaries import customer_summary, daily_summary, monthly_summary, vehicle_summary
from fullbay_assets.ingestion import close_execution, count_rows, track_unchanged
from resources.postgres import PostgresResource
from resources.run_metadata import materialized


@dg.asset(
    deps=[fullbay_raw_data, fullbay_line_items], **described("processed_invoices_tracker", "records", "sql")
)
def processed_invoices_tracker(
    context: dg.AssetExecutionContext, warehouse: PostgresResource
) -> dg.MaterializeResult:
    """One row per invoice ever seen: when it was processed, how often, and why it was skipped the last time.

    Processed and quarantined invoices are marked in the transaction that stores them; here the unchanged ones of the
    run get their SKIPPED, UNCHANGED.
    """
    with asset_step(context, warehouse, "processed_invoices_tracker") as step:
        skipped = track_unchanged(step)
        rows = count_rows(step, "processed_invoices_tracker")
    return materialized(row_count=rows, skipped=skipped)


@dg.asset(
    deps=[
        *(fullbay_raw_data, fullbay_line_items, fullbay_work_orders, processed_invoices_tracker),
        *(daily_summary, monthly_summary, customer_summary, vehicle_summary),
    ],
    **described("ingestion_metadata", "records", "sql"),
)
def ingestion_metadata(
    context: dg.AssetExecutionContext, warehouse: PostgresResource
) -> dg.MaterializeResult:
    """One row per run: when, how it ended, what it read, stored, skipped and held back, and what it cost.

    The row is opened by the run's first step and closed here; a step that fails closes it with its error.
    """
    with asset_step(context, warehouse, "ingestion_metadata") as step:
        summary = close_execution(step)
        rows = count_rows(step, "ingestion_metadata")
    return materialized(row_count=rows, **summary)
