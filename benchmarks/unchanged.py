"""`unchanged`: reading the same invoices again beside loading them, all steps of a run; and that it writes nothing."""

from __future__ import annotations

from typing import Any

from benchmarks.bench import Bench, Outcome
from benchmarks.invoices import measured_loads
from benchmarks.loading import WATCHED
from benchmarks.measuring import Reading, Series
from benchmarks.report import Asked, Row

STORING = ("ingest", "lines")
ALL = (*STORING, "derive")


def run(bench: Bench) -> Outcome:
    documents = bench.documents()
    loads = measured_loads(bench, documents)
    outcome = Outcome()
    for what, steps, counts in (
        ("all steps", ALL, True),
        ("raw + lines", STORING, False),
    ):
        again = Series([_sum(one, steps, "again ") for one in loads], documents.count)
        first = Series([_sum(one, steps) for one in loads], documents.count)
        outcome.rows.append(
            Row(
                "unchanged",
                f"{documents.count:,} invoices read again, {what}",
                f"loading them, {what}",
                again,
                first,
                Asked("at least", 3.0),
                counts=counts,
            )
        )
    written = {table: max(one["written"][table] for one in loads) for table in WATCHED}
    unchanged = min(one["unchanged"] for one in loads)
    rows = ", ".join(f"{table} {count}" for table, count in written.items())
    verdict = "as asked" if not any(written.values()) else "NOT as asked"
    outcome.notes.append(
        f"unchanged: {unchanged:,} recognised; rows inserted, updated and deleted by it: {rows} ({verdict})"
    )
    return outcome


def _sum(one: dict[str, Any], steps: tuple[str, ...], prefix: str = "") -> Reading:
    first, *others = (one["readings"][prefix + step] for step in steps)
    total: Reading = first
    for other in others:
        total += other
    return total
