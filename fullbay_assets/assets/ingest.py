"""What comes from the API and what is read out of it: raw documents, work orders, lines."""

import dagster as dg
from pydantic import Field

from fullbay_assets.assets import asset_step, described
from fullbay_assets.client import ENDPOINT
from fullbay_assets.ingestion import build_lines, count_rows, ingest, refresh_work_orders
from fullbay_assets.partitions import DAILY, dates_of
from fullbay_assets.resources import FullbayResource, SpoolResource
from resources.postgres import PostgresResource
from resources.run_metadata import materialized


class RebuildConfig(dg.Config):
    """Whether to derive everything again."""

    rebuild: bool = Field(
        default=False,
        description="Derive again what did not change at the source, as after a change of rules.",
    )


@dg.asset(partitions_def=DAILY, **described("fullbay_raw_data", "ingest", "python", "json"))
def fullbay_raw_data(
    context: dg.AssetExecutionContext,
    warehouse: PostgresResource,
    fullbay: FullbayResource,
    spool: SpoolResource,
) -> dg.MaterializeResult:
    """One row per invoice: the complete document as the Fullbay API gave it, with its content hash.

    Reads the run's dates from every shop. Unchanged invoices are not written; edited ones replace the stored document;
    one that vanished from its date is flagged in `invoice_headers`, never deleted; one that cannot be stored is kept
    whole in `invoice_quarantine`.
    """
    first, last = dates_of(context)
    needs = (fullbay.settings,)
    with asset_step(context, warehouse, "fullbay_raw_data", ENDPOINT, needs=needs) as step:
        result = ingest(step, fullbay.settings(), first, last, spool=spool.documents())
        rows = count_rows(step, "fullbay_raw_data", first, last)
    counts = result.counts
    context.log.info("%d invoices received, %d new, %d changed", counts.received, counts.new, counts.changed)
    return materialized(
        row_count=rows,
        dates=(first, last),
        rows_read=counts.received,
        rows_stored=counts.new + counts.changed,
        new=counts.new,
        changed=counts.changed,
        unchanged=counts.unchanged,
        quarantined=counts.quarantined,
        vanished=counts.vanished,
        shops=result.shops,
        api_requests=result.requests,
        api_retries=result.retries,
        repeated_in_pages=result.repeated,
        bytes_received=result.bytes_received,
    )


@dg.asset(partitions_def=DAILY, deps=[fullbay_raw_data], **described("fullbay_work_orders", "ingest", "sql"))
def fullbay_work_orders(
    context: dg.AssetExecutionContext,
    config: RebuildConfig,
    warehouse: PostgresResource,
    fullbay: FullbayResource,
) -> dg.MaterializeResult:
    """One row per service order, with the sums of its invoices.

    Written for the orders whose invoices changed. The API shows no orders that are not invoiced yet.
    """
    first, last = dates_of(context)
    with asset_step(context, warehouse, "fullbay_work_orders") as step:
        refreshed = refresh_work_orders(step, fullbay.rules(), first, last, rebuild=config.rebuild)
        rows = count_rows(step, "fullbay_work_orders", first, last)
    return materialized(
        row_count=rows, dates=(first, last), keys=refreshed.keys, rows_stored=refreshed.rows_written
    )


@dg.asset(
    partitions_def=DAILY, deps=[fullbay_raw_data], **described("fullbay_line_items", "ingest", "python")
)
def fullbay_line_items(
    context: dg.AssetExecutionContext,
    config: RebuildConfig,
    warehouse: PostgresResource,
    fullbay: FullbayResource,
    spool: SpoolResource,
) -> dg.MaterializeResult:
    """One row per line of an invoice: part, labor, supply, freight, charge, sublet, service call, mileage, rounding.

    All lines of a changed invoice are replaced in one transaction. Every identity of the invoice is checked; what does
    not hold is in `business_validation_log` with expected and actual value.
    """
    first, last = dates_of(context)
    with asset_step(context, warehouse, "fullbay_line_items") as step:
        counts = build_lines(
            step, fullbay.rules(), first, last, rebuild=config.rebuild, spool=spool.documents()
        )
        rows = count_rows(step, "fullbay_line_items", first, last)
    return materialized(
        row_count=rows,
        dates=(first, last),
        invoices_read=counts.documents,
        rows_stored=counts.lines,
        quarantined=counts.failed,
        unreconciled_invoices=counts.unreconciled,
        rounded_invoices=counts.rounded,
        invoice_total=counts.revenue,
        findings_by_rule=dict(counts.findings),
    )
