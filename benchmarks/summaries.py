"""`summaries`: one invoice among a million lines is edited; refreshing what it touched, beside rebuilding everything.

The warehouse: 6,000 generated invoices, really loaded, and eleven copies of their lines under other invoice numbers and
dates, so that each invoice keeps its lines, totals and tax. The edit moves an invoice to another day, month, customer
and vehicle, and is stored by the same steps as any other; what is timed is the refresh of the keys that it queued.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import msgspec
from psycopg2 import sql

from benchmarks.bench import Bench, Outcome, reading
from benchmarks.documents import Documents, prepared, rows
from benchmarks.loading import Run
from benchmarks.measuring import Meter, Reading, Series
from benchmarks.report import Asked, Row
from fullbay_assets import ingestion
from fullbay_assets.execution import running_step
from resources.postgres import PostgresResource

INVOICES = 6_000
PER_DAY = 18
"""So few a day that the generator draws from its smallest set of customers, about 450 over three shops."""

FIRST_DAY = date(2024, 1, 1)
COPIES = 12
DAYS = 900
SHIFT_DAYS = 75

MULTIPLY = """
    insert into fullbay.fullbay_line_items ({columns})
    select {values}
    from fullbay.fullbay_line_items as line
    cross join (values (%(copy)s)) as number (copy)
    where line.id <= %(last)s
"""
COPIED = {
    "fullbay_invoice_id": "line.fullbay_invoice_id || '-' || copy",
    "fullbay_service_order_id": "line.fullbay_service_order_id || '-' || copy",
    "invoice_date": "%(first)s::date + (line.invoice_date - %(first)s::date + copy * %(shift)s) %% %(days)s",
    # Twice the vehicles, each customer keeping its own.
    "unit_vin": "line.unit_vin || case copy %% 2 when 1 then '-2' else '' end",
    # The document of a copy is not stored: no summary reads it.
    "raw_data_id": "null",
}
"""What a copy has of its own."""


def run(bench: Bench) -> Outcome:
    outcome = Outcome()
    documents = prepared(INVOICES, per_day=PER_DAY, first_day=FIRST_DAY, shops=3)
    with bench.server.warehouse() as database:
        bench.say("building a warehouse of 1,000,000 lines")
        bench.load(documents, database)
        facts = _multiply(bench, database, documents.first)
        bench.say("editing and rebuilding")
        measured = bench.worker(
            "benchmarks.summaries:measure",
            database,
            documents=msgspec.to_builtins(documents),
            repetitions=bench.repetitions,
        )
    outcome.rows.append(
        Row(
            "summaries",
            f"refresh after an edit among {facts['lines']:,} lines",
            "full rebuild of all four",
            Series([reading(one) for one in measured["refresh"]]),
            Series([reading(one) for one in measured["rebuild"]]),
            Asked("at most", 1 / 30),
        )
    )
    outcome.notes.append(
        "summaries: "
        + ", ".join(f"{count:,} {name}" for name, count in facts.items())
        + f"; an edit refreshes {measured['keys']}; storing the edit itself (raw + lines) takes "
        f"{Series([reading(one) for one in measured['edit']]).seconds:.2f} s"
    )
    return outcome


def _multiply(bench: Bench, database: str, first: date) -> dict[str, int]:
    with bench.server.session(database) as connection, connection.cursor() as cursor:
        cursor.execute(
            "select attname from pg_attribute where attrelid = 'fullbay.fullbay_line_items'::regclass"
            " and attnum > 0 and not attisdropped and attname <> 'id' order by attnum"
        )
        columns = [row[0] for row in cursor.fetchall()]
        values = [
            sql.SQL(COPIED[name]) if name in COPIED else sql.Identifier("line", name) for name in columns
        ]
        statement = sql.SQL(MULTIPLY).format(
            columns=sql.SQL(", ").join(map(sql.Identifier, columns)), values=sql.SQL(", ").join(values)
        )
        # Building the indexes afterwards takes a third of the time.
        cursor.execute(
            "select indexrelid::regclass::text, pg_get_indexdef(indexrelid) from pg_index"
            " where indrelid = 'fullbay.fullbay_line_items'::regclass and not indisprimary"
        )
        indexes = cursor.fetchall()
        for name, _ in indexes:
            cursor.execute(f"drop index {name}")
        cursor.execute("select max(id) from fullbay.fullbay_line_items")
        last = cursor.fetchall()[0][0]
        for copy in range(1, COPIES):
            values_of = {"copy": copy, "last": last, "first": first, "shift": SHIFT_DAYS, "days": DAYS}
            cursor.execute(statement, values_of)
        for _, definition in indexes:
            cursor.execute(definition)
        cursor.execute("analyze fullbay.fullbay_line_items")
        cursor.execute(
            "select count(*), count(distinct fullbay_invoice_id), count(distinct invoice_date),"
            " count(distinct date_trunc('month', invoice_date)), count(distinct customer_id),"
            " count(distinct unit_vin) from fullbay.fullbay_line_items"
        )
        counted = cursor.fetchall()[0]
    bench.server.checkpoint()
    return dict(zip(("lines", "invoices", "days", "months", "customers", "vehicles"), counted, strict=True))


class _Warehouse:
    """The two things that are compared, on the database of the environment."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self.edits: list[Reading] = []
        self.refreshes: list[Reading] = []
        self.rebuilds: list[Reading] = []
        self.keys: dict[str, int] = {}

    def edit(self, execution_id: str, payload: bytes, first: date, last: date) -> None:
        """Store one invoice, then refresh the keys that it queued."""
        run = Run(execution_id, first, last)

        def payloads() -> Iterator[bytes]:
            yield payload

        def store() -> None:
            counts = run.ingest(payloads)
            if counts.changed != 1:
                raise RuntimeError(f"the edit was not taken for one: {counts}")
            run.lines()
            run.close()

        def refresh() -> dict[str, int]:
            with running_step(run.warehouse, "summaries", run.execution_id) as step:
                days = ingestion.refresh_days(step, last, last)
                rest = {
                    target: ingestion.refresh_summary(step, target)
                    for target in ("MONTH", "CUSTOMER", "VEHICLE")
                }
            return {"DAY": days.keys, **{target: one.keys for target, one in rest.items()}}

        edited, _ = self._meter.run(store)
        refreshed, self.keys = self._meter.run(refresh)
        self.edits.append(edited)
        self.refreshes.append(refreshed)

    def rebuild(self) -> None:
        """Every row of the four summaries from the lines."""
        statements = (
            "select fullbay.refresh_daily_summaries(null)",
            "select fullbay.refresh_monthly_summaries(null)",
            "select fullbay.refresh_customer_summary(null)",
            "select fullbay.refresh_vehicle_summary(null)",
        )

        def work() -> None:
            with warehouse.session("rebuild") as session, session.connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
                    session.connection.commit()

        warehouse = PostgresResource(location="FULLBAY")
        rebuilt, _ = self._meter.run(work)
        self.rebuilds.append(rebuilt)


def measure(documents: dict[str, Any], server_pid: int, repetitions: int) -> dict[str, Any]:
    """Edit and rebuild in turns, after a warm-up of both. Runs in a worker."""
    source = msgspec.convert(documents, Documents)
    original, moved, dates = _an_edit(source)
    warehouse = _Warehouse(Meter(server_pid))
    warehouse.rebuild()  # fills the summaries
    warehouse.edit("warm-up", moved, min(dates), max(dates))
    for number in range(repetitions):
        payload = moved if number % 2 else original
        warehouse.edit(f"edit {number}", payload, min(dates), max(dates))
        warehouse.rebuild()
    return {
        "refresh": msgspec.to_builtins(warehouse.refreshes[1:]),
        "rebuild": msgspec.to_builtins(warehouse.rebuilds[1:]),
        "edit": msgspec.to_builtins(warehouse.edits[1:]),
        "keys": ", ".join(f"{count} {target.lower()}" for target, count in warehouse.keys.items()),
    }


def _an_edit(documents: Documents) -> tuple[bytes, bytes, tuple[date, date]]:
    """An invoice, the same on another date, for another customer and vehicle, and both dates."""
    whole = [
        payload
        for number, payload in enumerate(rows(documents))
        if number in (documents.count // 3, 2 * documents.count // 3)
    ]
    invoice, other = (msgspec.json.decode(payload) for payload in whole)
    dates = date.fromisoformat(invoice["invoiceDate"]), date.fromisoformat(other["invoiceDate"])
    invoice["invoiceDate"], invoice["Customer"] = other["invoiceDate"], other["Customer"]
    for part in ("Customer", "Unit"):
        invoice["ServiceOrder"][part] = other["ServiceOrder"][part]
    return whole[0], msgspec.json.encode(invoice), dates
