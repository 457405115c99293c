"""Vendor onboarding: an asset for each stage that an upload goes through. Each takes what the stage before left."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import dagster as dg
from pydantic import Field

from commerce_assets import onboarding
from commerce_assets.catalogue_store import Applied, HoldPolicy
from commerce_assets.categories import suggestion_embedder
from commerce_assets.displays import answer_links, bar_chart, summary_key, table
from commerce_assets.dynamo import MAX_ROW_NUMBER
from commerce_assets.ledger import scan
from commerce_assets.onboarding import APPLIED, Onboarding, Waiting
from commerce_assets.reading import Limits
from commerce_assets.resources import UploadRecordsResource, UploadsResource
from resources.ddl import table_metadata
from resources.leases import lease
from resources.notification import notify
from resources.postgres import PostgresResource
from resources.run_metadata import materialized

FOLLOWS_UPLOADS = dg.FreshnessPolicy.time_window(
    fail_window=timedelta(days=14), warn_window=timedelta(days=7)
)
"""Vendors upload when they want to: a week without anything is worth a look."""
SAMPLE = 10
SCORECARD = (
    *("vendor", "uploads", "rows", "first pass %", "commonest codes"),
    *("products to correct", "time to fix", "seconds to answer"),
)
ITEM_COLUMNS = dg.TableSchema(
    columns=[
        dg.TableColumn("upload_id", "S", "Partition key"),
        dg.TableColumn("record_id", "S", "Sort key, REC_000001"),
        dg.TableColumn("vendor_id", "S", "Whose row it is"),
        dg.TableColumn("row_number", "N", "Of the file's data rows, from 1"),
        dg.TableColumn("product_data", "M", "The row, text as it came"),
        dg.TableColumn("status", "S", "pending_validation, validated or error"),
    ]
)


class LimitsConfig(dg.Config):
    """What a vendor's file may have; for one vendor otherwise in commerce.vendor_settings."""

    rows: int = Field(default=10_000, ge=1, le=MAX_ROW_NUMBER, description="Most data rows of a file.")
    file_bytes: int = Field(default=10 * 1024 * 1024, ge=1, description="Most bytes of a file.")
    columns: int = Field(default=100, ge=1, description="Most columns of the header.")
    cell_characters: int = Field(default=32_767, ge=1, description="Most characters of a cell.")


class HoldConfig(dg.Config):
    """When an upload waits for release; for one vendor otherwise in commerce.vendor_settings."""

    prices_share: float = Field(
        default=0.2, ge=0, le=1, description="Most of a vendor's prices that may move far."
    )
    price_change: float = Field(default=0.5, ge=0, description="How far is far: 0.5 is by half.")
    stock_share: float = Field(
        default=0.3, ge=0, le=1, description="Most of a vendor's stock that may be zeroed."
    )
    minimum_products: int = Field(default=20, ge=1, description="Fewer products are never held for.")


def described(table: str) -> dict[str, Any]:
    """What the assets of this module share."""
    return {
        "group_name": "onboarding",
        "kinds": {"postgres"},
        "owners": ["team:commerce-data"],
        "freshness_policy": FOLLOWS_UPLOADS,
        "metadata": table_metadata("commerce", table),
        "code_version": "1",
        "pool": "commerce_writer",
    }


@contextmanager
def stage(
    context: dg.AssetExecutionContext,
    warehouse: PostgresResource,
    uploads: UploadsResource,
    upload_records: UploadRecordsResource,
    **options: Any,
) -> Iterator[Onboarding]:
    """Everything that a stage works with, under the lease on uploads."""
    holder = f"{context.asset_key.to_user_string()} {context.run_id}"
    with (
        lease(
            warehouse.settings(), onboarding.DATASET, None, holder=holder, execution_id=context.run_id
        ) as held,
        warehouse.session(holder) as session,
        uploads.opened() as store,
        upload_records.table() as records,
    ):
        yield Onboarding(session, store, records, held, embedder=suggestion_embedder, tell=_tell, **options)


def _tell(subject: str, text: str) -> None:
    notify(subject, text)


def _done(
    run: Onboarding, table: str, uploads: Collection[Waiting | str], **facts: Any
) -> dg.MaterializeResult:
    rows = run.session.transaction(lambda: run.session.count(f"commerce.{table}"), doing=f"counting {table}")
    ids = [one if isinstance(one, str) else one.upload_id for one in uploads]
    return materialized(row_count=rows, uploads=len(uploads), upload_ids=ids[:50], **facts)


def _applied(run: Onboarding, applied: Mapping[str, Applied]) -> dict[str, Any]:
    """What became of the rows of the uploads of a run, as metadata."""
    ids = list(applied)
    codes = dict(_asked(run, "count_staged_codes", upload_ids=ids))
    counts = [
        [upload_id, *(getattr(one, name) for name in APPLIED), one.held] for upload_id, one in applied.items()
    ]
    vendors = dict(_asked(run, "vendors_of_uploads", upload_ids=ids))
    summaries = {one: {"summary": summary_key(vendors[one], one)} for one in ids}
    return {
        **{name: sum(getattr(one, name) for one in applied.values() if not one.held) for name in APPLIED},
        "held": {upload_id: one.held for upload_id, one in applied.items() if one.held},
        "rows_by_upload": _markdown(table(("upload", *APPLIED, "held"), counts)),
        "codes": _markdown(bar_chart(codes, "code")),
        "answer_files": _markdown(answer_links(summaries, run.store.link)),
        "products_in_catalogue": _markdown(_sample(run, ids)),
    }


def _sample(run: Onboarding, upload_ids: list[str]) -> str:
    head = ("vendor", "vendor_product_id", "product_name", "category", "sku", "price", "stock_quantity")
    return table(head, _asked(run, "sample_products", upload_ids=upload_ids, most=SAMPLE))


def _asked(run: Onboarding, name: str, **params: Any) -> list[tuple[Any, ...]]:
    return run.session.transaction(
        lambda: run.session.run(f"commerce/transforms/{name}", params, table="commerce.upload_history"),
        doing=f"asking for {name}",
    )


def _markdown(text: str) -> dg.MarkdownMetadataValue | None:
    return dg.MetadataValue.md(text) if text else None


@dg.asset(**described("upload_history"))
def upload_history(
    context: dg.AssetExecutionContext,
    warehouse: PostgresResource,
    uploads: UploadsResource,
    upload_records: UploadRecordsResource,
) -> dg.MaterializeResult:
    """One row per upload: its file, counts, status and duration. New objects under `incoming/` get their row here.

    A file of no vendor that we know is refused and answered under `results/_unknown/`.
    """
    with stage(context, warehouse, uploads, upload_records) as run:
        listed = scan(run.session, run.store)
        received = onboarding.receive(run)
        return _done(run, "upload_history", received, listed=listed.listed, new_objects=listed.new)


@dg.asset(
    deps=[upload_history],
    **{
        **described("staged_rows"),
        "kinds": {"dynamodb"},
        "metadata": {"dagster/table_name": "dynamodb.UploadRecords", "dagster/column_schema": ITEM_COLUMNS},
    },
)
def upload_records(
    context: dg.AssetExecutionContext,
    config: LimitsConfig,
    warehouse: PostgresResource,
    uploads: UploadsResource,
    upload_records: UploadRecordsResource,
) -> dg.MaterializeResult:
    """One row per row of a file, as an item of UploadRecords, text as it came. A file that cannot be read has none."""
    limits = Limits(config.file_bytes, config.rows, config.columns, config.cell_characters)
    with stage(context, warehouse, uploads, upload_records, limits=limits) as run:
        recorded = onboarding.record(run)
        items = sum(run.records.count_by_status(one.id).get("pending_validation", 0) for one in recorded)
        return materialized(row_count=items, uploads=len(recorded))


def _stage_asset(
    name: str,
    table: str,
    work: Callable[[Onboarding], list[Waiting]],
    description: str,
    dep: dg.AssetsDefinition,
) -> dg.AssetsDefinition:
    @dg.asset(name=name, description=description, deps=[dep], **described(table))
    def asset(
        context: dg.AssetExecutionContext,
        warehouse: PostgresResource,
        uploads: UploadsResource,
        upload_records: UploadRecordsResource,
    ) -> dg.MaterializeResult:
        with stage(context, warehouse, uploads, upload_records) as run:
            return _done(run, table, work(run))

    return asset  # type: ignore[no-any-return]


validated_products = _stage_asset(
    "validated_products",
    "staged_rows",
    onboarding.validate,
    "One row per row of an upload that is being worked on, with the verdict of all rules; gone once the answer is out.",
    upload_records,
)


@dg.asset(deps=[validated_products], **described("products"))
def products(
    context: dg.AssetExecutionContext,
    config: HoldConfig,
    warehouse: PostgresResource,
    uploads: UploadsResource,
    upload_records: UploadRecordsResource,
) -> dg.MaterializeResult:
    """One row per product of a vendor: the catalogue. Only products that differ are written.

    An upload that moves too many prices too far, or zeroes too much stock, is held until
    `python -m commerce_assets.release UPLOAD_ID`.
    """
    hold = HoldPolicy(config.prices_share, config.price_change, config.stock_share, config.minimum_products)
    with stage(context, warehouse, uploads, upload_records, hold=hold) as run:
        applied = onboarding.apply(run)
        return _done(run, "products", applied, **_applied(run, applied))


validation_errors = _stage_asset(
    "validation_errors",
    "validation_errors",
    onboarding.complete,
    "One row per rejected row of an upload, with its first error and the row as it came; the counts come with it.",
    products,
)


@dg.asset(deps=[validation_errors], **{**described("upload_objects"), "kinds": {"s3", "postgres"}})
def error_report(
    context: dg.AssetExecutionContext,
    warehouse: PostgresResource,
    uploads: UploadsResource,
    upload_records: UploadRecordsResource,
) -> dg.MaterializeResult:
    """One row per uploaded object and version, answered: the vendor's files on S3 under `results/` and `errors/`."""
    with stage(context, warehouse, uploads, upload_records) as run:
        answers = onboarding.answer(run)
        ids = list(answers)
        codes = dict(_asked(run, "count_codes", upload_ids=ids))
        files = answer_links(answers, run.store.link)
        return materialized(
            row_count=run.session.transaction(
                lambda: run.session.count("commerce.upload_objects"), doing="counting the uploads"
            ),
            answered=len(answers),
            answers=answers,
            rejected_rows_by_code=codes,
            codes=_markdown(bar_chart(codes, "code")),
            answer_files=_markdown(files),
            products_in_catalogue=_markdown(_sample(run, ids)),
            scorecard=_markdown(table(SCORECARD, _asked(run, "read_scorecard"))),
        )
