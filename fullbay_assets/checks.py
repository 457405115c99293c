"""Asset checks of the Fullbay location. Each is one statement in sql/fullbay/checks, recorded in data_quality_log too.

A check speaks of the dates of its run (of all dates when it runs alone). Blocking ones stop what would carry wrong
numbers further; the others warn.
"""

from datetime import date

import dagster as dg

from fullbay_assets.assets import asset_step
from fullbay_assets.assets.ingest import fullbay_line_items, fullbay_raw_data, fullbay_work_orders
from fullbay_assets.assets.records import ingestion_metadata, processed_invoices_tracker
from fullbay_assets.assets.summaries import customer_summary, daily_summary, monthly_summary, vehicle_summary
from fullbay_assets.journal import QualityCheck
from fullbay_assets.partitions import FIRST_DATE, dates_of_tags
from resources.postgres import PostgresResource
from resources.run_metadata import shown

ALL_DATES = (date.fromisoformat(FIRST_DATE), date(9999, 12, 31))


def check_by_sql(
    name: str,
    asset: dg.AssetsDefinition,
    description: str,
    kind: QualityCheck,
    *,
    blocking: bool = False,
    warn_only: bool = False,
    tolerated: float = 0.0,
    advice: str = "",
) -> dg.AssetChecksDefinition:
    """A check from sql/fullbay/checks/<name>.sql: one row of checked, failed, expected, actual, examples.

    It passes when at most the share `tolerated` of the rows failed.
    """
    severity = dg.AssetCheckSeverity.WARN if warn_only else dg.AssetCheckSeverity.ERROR

    @dg.asset_check(asset=asset, name=name, description=description, blocking=blocking)
    def check(context: dg.AssetCheckExecutionContext, warehouse: PostgresResource) -> dg.AssetCheckResult:
        first, last = dates_of_tags(context.run.tags) or ALL_DATES
        with asset_step(context, warehouse, name) as step:
            session = step.main
            params = {"first": first, "last": last, "execution_id": step.execution_id}
            rows = session.transaction(
                lambda: session.run(f"fullbay/checks/{name}", params, table=asset.key.to_user_string()),
                doing=name,
            )
            checked, failed, expected, actual, examples = rows[0]
            passed = failed <= tolerated * checked
            step.journal.quality_check(
                kind,
                f"{name}: {description}",
                checked=checked,
                failed=failed,
                issues=examples,
                critical=severity is dg.AssetCheckSeverity.ERROR,
                recommendations=advice or None,
            )
            if blocking and not passed:
                step.journal.failed(
                    f"{name}: {failed} of {checked} failed, such as {examples}", "CHECK_FAILED"
                )
        facts = {
            "checked": checked,
            "failed": failed,
            "expected": expected,
            "actual": actual,
            "examples": examples,
        }
        return dg.AssetCheckResult(
            passed=passed, severity=severity, description=description, metadata=shown(facts)
        )

    return check


every_received_invoice_is_stored = check_by_sql(
    "every_received_invoice_is_stored",
    fullbay_raw_data,
    "What the source delivered in this run is stored, with the same content and the same sum of totals.",
    "COMPLETENESS",
    blocking=True,
    advice="Run the same dates again; if it stays, look at data_processing_log and error_tracking_log of the run.",
)
no_invoice_is_quarantined = check_by_sql(
    "no_invoice_is_quarantined",
    fullbay_raw_data,
    "No invoice of these dates is held in fullbay.invoice_quarantine.",
    "VALIDITY",
    warn_only=True,
    advice="Read reason, path and value in fullbay.invoice_quarantine; after a fix: python -m fullbay_assets.replay.",
)
no_invoice_vanished = check_by_sql(
    "no_invoice_vanished",
    fullbay_raw_data,
    "No stored invoice of these dates has disappeared from the source.",
    "CONSISTENCY",
    warn_only=True,
    advice="Ask the shop whether the invoice was voided or re-dated; see invoice_headers.missing_since.",
)
every_invoice_has_one_shop = check_by_sql(
    "every_invoice_has_one_shop",
    fullbay_raw_data,
    "No invoice of this run came with the keys of two shops.",
    "CONSISTENCY",
    warn_only=True,
    advice="Two keys read the same invoices: take one out of the settings. The first shop keeps them meanwhile.",
)
lines_equal_invoices = check_by_sql(
    "lines_equal_invoices",
    fullbay_line_items,
    "Each document has its lines, and lines plus tax are its total to the cent unless it is marked.",
    "ACCURACY",
    blocking=True,
    advice="Materialize fullbay_line_items for these dates with rebuild: true.",
)
every_invoice_reconciles = check_by_sql(
    "every_invoice_reconciles",
    fullbay_line_items,
    "Every identity of every invoice holds within five cents.",
    "ACCURACY",
    warn_only=True,
    advice="See processing_errors of fullbay_raw_data and failed_records of business_validation_log.",
)
missing_invoice_numbers = check_by_sql(
    "missing_invoice_numbers",
    fullbay_line_items,
    "Lines have an invoice number.",
    "COMPLETENESS",
    warn_only=True,
)
missing_customer_info = check_by_sql(
    "missing_customer_info",
    fullbay_line_items,
    "Lines have a customer id and title (15% may lack them).",
    "COMPLETENESS",
    warn_only=True,
    tolerated=0.15,
)
missing_unit_info = check_by_sql(
    "missing_unit_info",
    fullbay_line_items,
    "Lines have a VIN and a make (15% may lack them: counter work, trailers).",
    "COMPLETENESS",
    warn_only=True,
    tolerated=0.15,
)
zero_prices = check_by_sql(
    "zero_prices",
    fullbay_line_items,
    "Lines have a price (5% may be free), but for labor without billed hours such as quality control.",
    "VALIDITY",
    warn_only=True,
    tolerated=0.05,
)
missing_labor_hours = check_by_sql(
    "missing_labor_hours",
    fullbay_line_items,
    "Labor lines have billed hours.",
    "COMPLETENESS",
    warn_only=True,
)
missing_part_numbers = check_by_sql(
    "missing_part_numbers",
    fullbay_line_items,
    "Part lines have the shop's part number (15% may lack it).",
    "COMPLETENESS",
    warn_only=True,
    tolerated=0.15,
)
work_orders_equal_invoices = check_by_sql(
    "work_orders_equal_invoices",
    fullbay_work_orders,
    "Each service order has its work order, with the sum of its invoices.",
    "ACCURACY",
)
daily_revenue_equals_invoices = check_by_sql(
    "daily_revenue_equals_invoices",
    daily_summary,
    "Each date's revenue is the sum of its invoices' totals, each counted once.",
    "ACCURACY",
)
daily_kinds_and_tax_equal_revenue = check_by_sql(
    "daily_kinds_and_tax_equal_revenue",
    daily_summary,
    "Parts, labor, supplies, misc and sublet plus tax are the revenue.",
    "CONSISTENCY",
)
months_equal_days = check_by_sql(
    "months_equal_days", monthly_summary, "Each month is the sum of its days.", "CONSISTENCY"
)
customers_equal_invoices = check_by_sql(
    "customers_equal_invoices",
    customer_summary,
    "Customers changed by this run have the revenue of their invoices, and all together that of all days.",
    "ACCURACY",
)
vehicles_equal_invoices = check_by_sql(
    "vehicles_equal_invoices",
    vehicle_summary,
    "Vehicles changed by this run have the revenue of their invoices, and all together that of all days.",
    "ACCURACY",
)
every_processed_invoice_is_tracked = check_by_sql(
    "every_processed_invoice_is_tracked",
    processed_invoices_tracker,
    "Each processed document has its line in the tracker, with the same content.",
    "CONSISTENCY",
)
rows_in_equal_rows_out = check_by_sql(
    "rows_in_equal_rows_out",
    ingestion_metadata,
    "What the client delivered = stored + unchanged + quarantined, and the run's record says so.",
    "CONSISTENCY",
)
