"""The Fullbay pipeline over a sandbox server and a warehouse of the test: run it, then look at the tables."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any
from uuid import uuid4

import dagster as dg
import psycopg2

from fullbay_assets import automation, checks
from fullbay_assets.assets import ingest as ingest_assets
from fullbay_assets.assets import records, summaries
from fullbay_assets.document_spool import DocumentSpool
from fullbay_assets.execution import running_step
from fullbay_assets.ingestion import (
    build_lines,
    close_execution,
    ingest,
    refresh_days,
    refresh_summary,
    refresh_work_orders,
    track_unchanged,
)
from fullbay_assets.resources import FullbayResource, SpoolResource
from resources.postgres import PostgresResource
from resources.settings import DatabaseSettings, FullbaySettings, Shop
from sandbox.fullbay.invoices import InvoiceGenerator
from sandbox.fullbay.server import FullbayServer

FIRST, LAST = date(2026, 10, 5), date(2026, 10, 7)

VOLATILE = {
    *(
        "id",
        "raw_data_id",
        "created_at",
        "updated_at",
        "ingestion_timestamp",
        "version",
        "queue_id",
        "execution_id",
    ),
    *(
        "first_processed_at",
        "last_processed_at",
        "processing_count",
        "last_execution_id",
        "status",
        "skip_reason",
    ),
    *("first_seen_at", "last_seen_at", "times_seen", "seen_at"),
}
"""Columns that say when and by which run a row was written: they differ between two ways to the same content."""

TABLES = {
    **dict.fromkeys(
        (
            *(
                "fullbay_raw_data",
                "invoice_headers",
                "fullbay_line_items",
                "daily_summary",
                "monthly_summary",
            ),
            *("customer_summary", "vehicle_summary", "processed_invoices_tracker", "invoice_quarantine"),
        ),
        (),
    ),
    # created_at of a work order is the source's, so it counts.
    "fullbay_work_orders": ("created_at",),
}


_GIVEN: dict[str, Any] = {}
"""Settings by the name that a test resource carries: Dagster makes its own copy of a resource from its fields."""


class GivenWarehouse(PostgresResource):
    """A warehouse whose settings are handed over."""

    given: str

    @classmethod
    def of(cls, settings: DatabaseSettings) -> GivenWarehouse:
        _GIVEN[settings.name] = settings
        return cls(location="FULLBAY", given=settings.name)

    def settings(self) -> DatabaseSettings:
        return _GIVEN[self.given]  # type: ignore[no-any-return]


class GivenFullbay(FullbayResource):
    """A source whose settings are handed over."""

    given: str

    @classmethod
    def of(cls, settings: FullbaySettings) -> GivenFullbay:
        _GIVEN[settings.base_url] = settings
        return cls(given=settings.base_url)

    def settings(self) -> FullbaySettings:
        return _GIVEN[self.given]  # type: ignore[no-any-return]


def source_settings(server: FullbayServer) -> FullbaySettings:
    shops = tuple(Shop(shop.lower(), api_key) for api_key, shop in server.keys.items())
    return FullbaySettings(
        server.base_url, "v1", shops, public_ip="127.0.0.1", connect_timeout=2, read_timeout=5
    )


@contextmanager
def small_source(invoices_per_day: int = 12, **facts: Any) -> Iterator[FullbayServer]:
    """A sandbox server with three shops and a dozen invoices a day."""
    generator = InvoiceGenerator(seed=11, invoices_per_day=invoices_per_day)
    keys = {f"key-of-{shop.lower()}": shop for shop in generator.shop_keys}
    with FullbayServer(generator, keys, page_size=7, **facts) as server:
        yield server


class Pipeline:
    """All steps of the location in their order, without Dagster or with it."""

    def __init__(self, settings: DatabaseSettings, server: FullbayServer) -> None:
        self.settings, self.server = settings, server
        self.warehouse = GivenWarehouse.of(settings)
        self.fullbay = GivenFullbay.of(source_settings(server))

    def run(self, first: date = FIRST, last: date = LAST, execution_id: str | None = None) -> dict[str, Any]:
        """What the graph does, step by step; the facts of the closed run."""
        execution_id = execution_id or str(uuid4())
        rules, spool = self.fullbay.rules(), DocumentSpool()

        def step(name: str) -> Any:
            return running_step(self.warehouse, name, execution_id)

        with step("fullbay_raw_data") as running:
            ingest(running, self.fullbay.settings(), first, last, spool=spool)
        with step("fullbay_line_items") as running:
            build_lines(running, rules, first, last, spool=spool)
        with step("fullbay_work_orders") as running:
            refresh_work_orders(running, rules, first, last)
        with step("daily_summary") as running:
            refresh_days(running, first, last)
        for table, target in (("monthly", "MONTH"), ("customer", "CUSTOMER"), ("vehicle", "VEHICLE")):
            with step(f"{table}_summary") as running:
                refresh_summary(running, target)
        with step("processed_invoices_tracker") as running:
            track_unchanged(running)
        with step("ingestion_metadata") as running:
            return {"execution_id": execution_id, **close_execution(running)}

    def definitions(self) -> dg.Definitions:
        return dg.Definitions(
            assets=dg.load_assets_from_modules([ingest_assets, summaries, records]),
            asset_checks=dg.load_asset_checks_from_modules([checks]),
            jobs=[automation.fullbay_range, automation.fullbay_purge_logs],
            resources={"warehouse": self.warehouse, "fullbay": self.fullbay, "spool": SpoolResource()},
            executor=dg.in_process_executor,
        )

    def materialize(
        self,
        first: date = FIRST,
        last: date = LAST,
        *,
        instance: dg.DagsterInstance | None = None,
        **options: Any,
    ) -> dg.ExecuteInProcessResult:
        """The whole graph as Dagster runs it, with its checks."""
        tags = {
            "dagster/asset_partition_range_start": first.isoformat(),
            "dagster/asset_partition_range_end": last.isoformat(),
        }
        job = self.definitions().resolve_job_def("fullbay_range")
        return job.execute_in_process(tags=tags, instance=instance, **options)

    def query(self, text: str, params: Any = None) -> list[tuple[Any, ...]]:
        return query(self.settings, text, params)

    def value(self, text: str, params: Any = None) -> Any:
        return self.query(text, params)[0][0]


def query(settings: DatabaseSettings, text: str, params: Any = None) -> list[tuple[Any, ...]]:
    """Run one statement and commit; its rows, if it gives any."""
    connection = psycopg2.connect(
        host=settings.host,
        port=settings.port,
        dbname=settings.name,
        user=settings.user,
        password=settings.password,
        options="-c search_path=fullbay,public",
    )
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(text, params)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


def contents(settings: DatabaseSettings) -> dict[str, list[str]]:
    """Every table the pipeline fills, as sorted rows without the columns that say when a row was written."""
    found = {}
    for table, kept in TABLES.items():
        columns = query(
            settings,
            "select column_name from information_schema.columns where table_schema = 'fullbay' and table_name = %s"
            " order by ordinal_position",
            (table,),
        )
        names = [name for (name,) in columns if name not in VOLATILE - set(kept)]
        listed = ", ".join(
            "missing_since is not null" if name == "missing_since" else f'"{name}"' for name in names
        )
        found[table] = [
            row[0] for row in query(settings, f"select row({listed})::text from {table} order by 1")
        ]
    return found


def writes(settings: DatabaseSettings) -> dict[str, str]:
    """A fingerprint of the row versions of each content table: a row that is written again, even equal, changes it."""
    found = {}
    for table in TABLES:
        if table not in ("processed_invoices_tracker", "invoice_quarantine"):
            versions = f"select md5(string_agg(ctid::text || xmin::text, ',' order by ctid)) from {table}"
            found[table] = query(settings, versions)[0][0]
    return found
