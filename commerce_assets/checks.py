"""Asset checks of vendor onboarding, and how a check by a statement is made, for the modules of ShopPulse's too."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
from pydantic import Field

from commerce_assets.assets.catalogue import product_categories
from commerce_assets.assets.onboarding import (
    error_report,
    products,
    upload_history,
    upload_records,
    validated_products,
    validation_errors,
)
from commerce_assets.dynamo import ERROR, PENDING, VALIDATED
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


def check_by_sql(
    statement: str,
    asset: dg.AssetsDefinition,
    description: str,
    *,
    name: str = "",
    params: dict[str, Any] | None = None,
    warns: bool = False,
) -> dg.AssetChecksDefinition:
    """A check by a statement that gives one row of checked, failed, examples; it passes when nothing failed.

    `statement`: its path under `sql/`; the check has its last part as name unless another `name` is given. `warns`: a
    failure is told and is no error.
    """
    name = name or statement.rpartition("/")[2]
    severity = dg.AssetCheckSeverity.WARN if warns else dg.AssetCheckSeverity.ERROR

    @dg.asset_check(asset=asset, name=name, description=description)
    def check(warehouse: PostgresResource) -> dg.AssetCheckResult:
        with warehouse.session(name) as session:
            checked, failed, examples = session.transaction(
                lambda: session.run(statement, params, table=asset.key.to_user_string()), doing=name
            )[0]
        facts = {"checked": checked, "failed": failed, "examples": examples}
        return dg.AssetCheckResult(passed=failed == 0, severity=severity, metadata=shown(facts))

    return check


every_object_has_its_record = check_by_sql(
    "commerce/checks/every_object_has_its_record",
    upload_history,
    "Every object that was taken up has its record in the history, of the same vendor; refused ones have none.",
)
counts_equal_rows = check_by_sql(
    "commerce/checks/counts_equal_rows",
    validation_errors,
    "The counts of every finished upload are the rows of its file, and its rejected rows are on record.",
)
no_upload_is_stuck = check_by_sql(
    "commerce/checks/no_upload_is_stuck",
    error_report,
    "No upload that nobody holds back is on its way for more than an hour.",
)
no_upload_failed_inside = check_by_sql(
    "commerce/checks/no_upload_failed_inside",
    error_report,
    "No upload of the last week was closed because our own work failed on it: the log of its run has the reason.",
)
every_product_has_its_upload = check_by_sql(
    "commerce/checks/every_product_has_its_upload",
    products,
    "What an upload wrote into the catalogue is on record.",
)
nothing_is_staged_without_need = check_by_sql(
    "commerce/checks/nothing_is_staged_without_need",
    validated_products,
    "No rows are staged of uploads that are answered.",
)


_ITEMS = upload_records.key


class SlaConfig(dg.Config):
    """What vendors are promised."""

    seconds: float = Field(
        default=60, gt=0, description="From the file's arrival in the bucket to its answer."
    )
    hours: float = Field(default=24, gt=0, description="Uploads that arrived before are not looked at.")


@dg.asset_check(asset=error_report)
def answered_in_time(config: SlaConfig, warehouse: PostgresResource) -> dg.AssetCheckResult:
    """Every upload was answered within a minute of its arrival; one that is held was told that it waits."""
    with warehouse.session("answered_in_time") as session:
        params = {"seconds": config.seconds, "hours": config.hours}
        checked, failed, examples, slowest = session.transaction(
            lambda: session.run("commerce/checks/answered_in_time", params, table="upload_objects"),
            doing="answered_in_time",
        )[0]
    facts = {"checked": checked, "failed": failed, "examples": examples, "slowest_seconds": slowest}
    # The run that answered late has done its work: told, and nothing stopped.
    return dg.AssetCheckResult(
        passed=failed == 0,
        severity=dg.AssetCheckSeverity.WARN,
        metadata=shown(facts | {"promised_seconds": config.seconds}),
    )


@dg.multi_asset_check(
    specs=[
        dg.AssetCheckSpec(
            "no_item_waits",
            asset=upload_records,
            description="No item of the last 50 finished uploads is still pending: each got its verdict.",
        ),
        dg.AssetCheckSpec(
            "items_equal_rows",
            asset=upload_records,
            description="Rows of the file = items = valid + error, for the last 50 finished uploads.",
        ),
    ]
)
def items_of_finished_uploads(
    warehouse: PostgresResource, upload_records: UploadRecordsResource
) -> Iterator[dg.AssetCheckResult]:
    """Both checks count the same items, so they count them once."""
    waiting, wrong, compared = [], [], 0
    with warehouse.session("items_of_finished_uploads") as session, upload_records.table() as records:
        finished = session.transaction(
            lambda: session.run("commerce/checks/last_finished", table="upload_history"),
            doing="items_of_finished_uploads",
        )
        made = (records.describe() or {}).get("CreationDateTime")
        for upload_id, total, valid, errors, without_item, refused, received in finished:
            items = records.count_by_status(upload_id)
            if items.get(PENDING):
                waiting.append(upload_id)
            # A refused file has counts of 0 and the items of what was read before. Items of an older table are gone.
            if refused or (made is not None and made > received):
                continue
            compared += 1
            found = (sum(items.values()), items.get(VALIDATED, 0), items.get(ERROR, 0))
            expected = (total - without_item, valid, errors - without_item)
            if found != expected:
                wrong.append(f"{upload_id}: {found} items in all, valid, wrong, where {expected} belong")
    for name, checked, failed in (
        ("no_item_waits", len(finished), waiting),
        ("items_equal_rows", compared, wrong),
    ):
        facts = {"checked": checked, "failed": len(failed), "examples": failed[:10]}
        yield dg.AssetCheckResult(passed=not failed, check_name=name, asset_key=_ITEMS, metadata=shown(facts))
