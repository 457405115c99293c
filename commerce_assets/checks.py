"""Asset checks of the commerce location."""

import dagster as dg

from commerce_assets.assets.catalogue import product_categories
from commerce_assets.assets.onboarding import (
    error_report,
    products,
    upload_records,
    validated_products,
    validation_errors,
)
from commerce_assets.resources import UploadRecordsResource
from resources.postgres import PostgresResource
from resources.run_metadata import shown


@dg.asset_check(asset=product_categories, blocking=True)
def every_parent_exists(warehouse: PostgresResource) -> dg.AssetCheckResult:
    """There are categories, and each one's parent is a category: an upload would be refused for no reason otherwise."""
    with warehouse.session("every_parent_exists") as session:
        checked, failed, examples = session.transaction(
            lambda: session.run("commerce/checks/every_parent_exists", table="product_categories"),
            doing="checking the product categories",
        )[0]
    facts = {"checked": checked, "failed": failed, "examples": examples}
    return dg.AssetCheckResult(passed=checked > 0 and failed == 0, metadata=shown(facts))


def check_by_sql(name: str, asset: dg.AssetsDefinition, description: str) -> dg.AssetChecksDefinition:
    """A check from sql/commerce/checks: one row of checked, failed, examples; it passes when nothing failed."""

    @dg.asset_check(asset=asset, name=name, description=description)
    def check(warehouse: PostgresResource) -> dg.AssetCheckResult:
        with warehouse.session(name) as session:
            checked, failed, examples = session.transaction(
                lambda: session.run(f"commerce/checks/{name}", table=asset.key.to_user_string()),
                doing=name,
            )[0]
        facts = {"checked": checked, "failed": failed, "examples": examples}
        return dg.AssetCheckResult(passed=failed == 0, metadata=shown(facts))

    return check


counts_equal_rows = check_by_sql(
    "counts_equal_rows",
    validation_errors,
    "The counts of every finished upload are the rows of its file, and its rejected rows are on record.",
)
no_upload_is_stuck = check_by_sql(
    "no_upload_is_stuck",
    error_report,
    "No upload that nobody holds back is on its way for more than an hour.",
)
every_product_has_its_upload = check_by_sql(
    "every_product_has_its_upload", products, "What an upload wrote into the catalogue is on record."
)
nothing_is_staged_without_need = check_by_sql(
    "nothing_is_staged_without_need", validated_products, "No rows are staged of uploads that are answered."
)


@dg.asset_check(asset=upload_records)
def no_item_waits(warehouse: PostgresResource, upload_records: UploadRecordsResource) -> dg.AssetCheckResult:
    """No item of the last 50 finished uploads is still pending: each got its verdict."""
    with warehouse.session("no_item_waits") as session, upload_records.table() as records:
        finished = session.transaction(
            lambda: session.run("commerce/checks/last_finished", table="upload_history"),
            doing="no_item_waits",
        )
        pending = {
            upload_id: count
            for (upload_id,) in finished
            if (count := records.count_by_status(upload_id).get("pending_validation", 0))
        }
    facts = {"checked": len(finished), "failed": len(pending), "examples": list(pending)[:10]}
    return dg.AssetCheckResult(passed=not pending, metadata=shown(facts))
