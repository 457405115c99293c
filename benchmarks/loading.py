"""The Fullbay pipeline step by step, as its assets run it, on prepared invoices. Runs in a worker.

Every step opens and closes its own `running_step`, so journal, lease and connections are paid for as in production. The
spool between the first two steps is there as in every run that has one process for all of its steps.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any
from unittest import mock

import msgspec

from benchmarks.documents import Documents, PreparedClient, rows, settings
from benchmarks.measuring import Meter, Reading, peak_rss_mib
from fullbay_assets import ingestion
from fullbay_assets.client import ENDPOINT
from fullbay_assets.document_spool import DocumentSpool
from fullbay_assets.execution import Step, running_step
from fullbay_assets.flattening import FlatteningRules
from fullbay_assets.line_store import LineCounts
from fullbay_assets.raw_store import RawCounts
from resources.database import connect
from resources.postgres import PostgresResource

RULES = FlatteningRules()
WATCHED = (
    *("fullbay_raw_data", "invoice_headers", "fullbay_line_items", "fullbay_work_orders"),
    *("daily_summary", "monthly_summary", "customer_summary", "vehicle_summary"),
)
"""The tables in which a run that finds nothing new writes no row."""


class Run:
    """One execution of the pipeline over prepared payloads."""

    def __init__(self, execution_id: str, first: date, last: date) -> None:
        self.warehouse = PostgresResource(location="FULLBAY")
        self.execution_id, self.first, self.last = execution_id, first, last
        self.spool = DocumentSpool()

    def ingest(self, payloads: Callable[[], Iterator[bytes]]) -> RawCounts:
        """fullbay_raw_data, with the client's network replaced."""

        def client(*_: object, **__: object) -> PreparedClient:
            return PreparedClient(payloads())

        with (
            mock.patch.object(ingestion, "FullbayClient", client),
            running_step(self.warehouse, "fullbay_raw_data", self.execution_id, ENDPOINT) as step,
        ):
            return ingestion.ingest(step, settings(), self.first, self.last, spool=self.spool).counts

    def lines(self) -> LineCounts:
        """fullbay_line_items."""
        with running_step(self.warehouse, "fullbay_line_items", self.execution_id) as step:
            return ingestion.build_lines(step, RULES, self.first, self.last, spool=self.spool)

    def close(self) -> None:
        """What a run leaves is in the warehouse alone."""
        self.spool.close()

    def derive(self) -> None:
        """Work orders, summaries, tracker."""
        steps: dict[str, Callable[[Step], object]] = {
            "fullbay_work_orders": lambda step: ingestion.refresh_work_orders(
                step, RULES, self.first, self.last
            ),
            "daily_summary": lambda step: ingestion.refresh_days(step, self.first, self.last),
            "monthly_summary": lambda step: ingestion.refresh_summary(step, "MONTH"),
            "customer_summary": lambda step: ingestion.refresh_summary(step, "CUSTOMER"),
            "vehicle_summary": lambda step: ingestion.refresh_summary(step, "VEHICLE"),
            "processed_invoices_tracker": ingestion.track_unchanged,
        }
        for name, work in steps.items():
            with running_step(self.warehouse, name, self.execution_id) as step:
                work(step)


def load(documents: dict[str, Any], server_pid: int, reread: bool = False) -> dict[str, Any]:
    """Load the documents into the database of the environment; with `reread`, a second time unchanged.

    Result: readings by step ("ingest", "lines", "derive", "again ingest", ...), "rss" in MiB after raw and lines, what
    was counted, and with `reread` the rows that the second time wrote by table (`WATCHED`).
    """
    source = msgspec.convert(documents, Documents)
    meter = Meter(server_pid)
    first = Run("first", source.first, source.last)
    readings: dict[str, Reading] = {}
    readings["ingest"], raw = meter.run(lambda: first.ingest(lambda: rows(source)))
    readings["lines"], lines = meter.run(first.lines)
    first.close()
    if raw.new != source.count or lines.documents != source.count:
        raise RuntimeError(f"{source.count} documents were given, stored were {raw} and {lines}")
    result: dict[str, Any] = {
        "rss": peak_rss_mib(),
        "lines": lines.lines,
        "unreconciled": lines.unreconciled,
        "quarantined": raw.quarantined + lines.failed,
    }
    if reread:
        again = Run("again", source.first, source.last)
        readings["derive"], _ = meter.run(first.derive)
        before = rows_written(first.warehouse)
        if not all(before[table] for table in WATCHED):
            raise RuntimeError(f"the load left a watched table empty: {before}")
        readings["again ingest"], raw = meter.run(lambda: again.ingest(lambda: rows(source)))
        readings["again lines"], _ = meter.run(again.lines)
        again.close()
        readings["again derive"], _ = meter.run(again.derive)
        after = rows_written(first.warehouse)
        result["unchanged"] = raw.unchanged
        result["written"] = {table: after[table] - before[table] for table in WATCHED}
    result["readings"] = msgspec.to_builtins(readings)
    return result


def rows_written(warehouse: PostgresResource) -> dict[str, int]:
    """Rows inserted, updated and deleted so far by table, as Postgres counts them (rolled back ones included)."""
    connection = connect(warehouse.settings(), application_name="counting", autocommit=True)
    try:
        with connection.cursor() as cursor:
            # A backend reports its counts when it ends, a moment after its client has gone.
            for _ in range(200):
                cursor.execute(
                    "select count(*) from pg_stat_activity where datname = current_database()"
                    " and pid <> pg_backend_pid() and backend_type = 'client backend'"
                )
                if cursor.fetchall() == [(0,)]:
                    break
                time.sleep(0.02)
            cursor.execute(
                "select relname, n_tup_ins + n_tup_upd + n_tup_del from pg_stat_user_tables"
                " where schemaname = 'fullbay'"
            )
            return dict(cursor.fetchall())
    finally:
        connection.close()
