"""The work of the Fullbay assets, step by step: fetch and store, build lines, refresh what follows from them.

Orchestration only, and free of dagster: batches, threads and counts. How one batch is stored is in `raw_store` and
`line_store`, what a line is in `flattening`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby
from typing import Any, TypeVar

from fullbay_assets.client import ENDPOINT, ClientStats, FullbayClient, ReceivedInvoice
from fullbay_assets.document_spool import DocumentSpool
from fullbay_assets.execution import Step
from fullbay_assets.flattening import FlatteningRules
from fullbay_assets.line_store import (
    Flattened,
    LineCounts,
    LineStore,
    flatten_documents,
    log_validation,
    read_documents,
)
from fullbay_assets.raw_store import RawCounts, RawStore
from fullbay_assets.rules import RULES
from resources.failures import PermanentError, PipelineError, TransientError
from resources.pipelining import Writers, fewer_collections, prefetched
from resources.settings import FullbaySettings, Shop
from resources.sql import Session

T = TypeVar("T")

BATCH_INVOICES = 250
BATCH_BYTES = 4 << 20
"""A batch is one transaction: 250 invoices of 13 KB, or fewer large ones: memory does not follow their size."""

WRITERS = 2
"""Connections that store batches side by side. Postgres needs about twice our own CPU time for the same invoice."""


@dataclass
class Ingested:
    """What the reading of all shops brought, and what it took.

    `delivered` is the client's own count; `counts` is what the store made of it, and a check compares the two.
    """

    counts: RawCounts = field(default_factory=RawCounts)
    delivered: int = 0
    requests: int = 0
    retries: int = 0
    repeated: int = 0
    bytes_received: int = 0
    shops: list[str] = field(default_factory=list)

    def add(self, shop: Shop, stats: ClientStats) -> None:
        self.shops.append(shop.name or shop.key)
        self.delivered += stats.invoices
        self.requests += stats.requests
        self.retries += stats.retries
        self.repeated += stats.repeated
        self.bytes_received += stats.bytes


def batches(invoices: Iterable[ReceivedInvoice]) -> Iterator[list[ReceivedInvoice]]:
    """Invoices in order, cut where a window ends and where the number or the bytes of a batch are reached."""
    for _, window in groupby(invoices, lambda invoice: invoice.window_start):
        yield from _cut((invoice, len(invoice.payload)) for invoice in window)


def _cut(sized: Iterable[tuple[T, int]]) -> Iterator[list[T]]:
    """(item, bytes) pairs -> items in batches; the last item of a batch may be larger than what was left of it."""
    batch: list[T] = []
    size = 0
    for item, length in sized:
        batch.append(item)
        size += length
        if len(batch) >= BATCH_INVOICES or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def ingest(
    step: Step, settings: FullbaySettings, first: date, last: date, *, spool: DocumentSpool | None = None
) -> Ingested:
    """Read the invoices dated `first` to `last` of every shop and store what is new or changed.

    A window is stored only when the source delivered it whole. When no shop could be read, raises what the client
    raised, in one error that names every shop. Batches that were stored before stay, and the next run of the same dates
    completes them.
    """
    result = Ingested()
    with step.journal.stage("API_FETCH") as facts, fewer_collections():
        lease = step.lease(first, last)
        shops = [shop.key for shop in settings.shops]
        stores = [
            RawStore(step.session(), lease, step.execution_id, spool, shops=shops) for _ in range(WRITERS)
        ]
        failures: dict[str, PipelineError] = {}
        for shop in settings.shops:
            try:
                with FullbayClient(settings, shop, on_request=step.journal.api_call) as client:
                    _store_all(stores, prefetched(batches(client.invoices(first, last))), result.counts)
                    result.add(shop, client.stats)
                result.counts.vanished += stores[0].flag_missing(shop.key, first, last)
            except PipelineError as failure:
                failures[shop.key] = failure
                if len(failures) == len(settings.shops):
                    raise _no_shop_read(failures) from failure
                # The other shops' invoices go on to lines and summaries; the run fails when they are there.
                step.journal.error(failure, step=step.name, shop=shop.key)
        facts.update(records=result.delivered, batch_size=BATCH_INVOICES)
    step.journal.log_stage(
        "JSON_PARSE",
        sum(store.parsing_seconds for store in stores),
        records=result.counts.received,
        errors=_held(result.counts.quarantined),
    )
    return result


def _no_shop_read(failures: dict[str, PipelineError]) -> PipelineError:
    """The error of the only shop, or one that names every shop."""
    if len(failures) == 1:
        return next(iter(failures.values()))
    return _unread_shops(
        [(shop, str(failure), isinstance(failure, TransientError)) for shop, failure in failures.items()],
        "Put right what it names and run the same dates again.",
    )


def _unread_shops(shops: Sequence[tuple[str, str, bool]], do_next: str) -> PipelineError:
    """One error for shops given as (key, message, whether it was transient); transient when all of them were."""
    passing = all(transient for _, _, transient in shops)
    return (TransientError if passing else PermanentError)(
        f"reading {len(shops)} of the shops from Fullbay ({ENDPOINT})",
        "; ".join(f"shop {shop}: {message}" for shop, message, _ in shops),
        "Run the same dates again later." if passing else do_next,
    )


def _store_all(stores: list[RawStore], source: Iterator[list[ReceivedInvoice]], counts: RawCounts) -> None:
    stored: list[RawCounts] = []

    def writing(batch: list[ReceivedInvoice]) -> Callable[[RawStore], None]:
        return lambda store: stored.append(store.store(batch))

    # A later window counts more: an invoice that was re-dated while we read may stand in two.
    for _, window in groupby(source, lambda batch: batch[0].window_start):
        with Writers(stores) as writers:
            for batch in window:
                writers.submit(writing(batch))
    for one in stored:
        counts.add(one)


def build_lines(
    step: Step,
    rules: FlatteningRules,
    first: date,
    last: date,
    *,
    rebuild: bool = False,
    spool: DocumentSpool | None = None,
) -> LineCounts:
    """Build and store the lines of each document that waits for them (of all of the dates' with `rebuild`)."""
    counts = LineCounts()
    lease = step.lease(first, last)
    reader = step.main
    params = {"first": first, "last": last, "rebuild": rebuild, "execution_id": step.execution_id}

    def waiting() -> list[list[int]]:
        return list(
            _cut(reader.run("fullbay/transforms/waiting_for_lines", params, table="fullbay_raw_data"))
        )

    chunks = reader.transaction(waiting, doing="listing the documents that wait for their lines")
    if not chunks:
        return counts
    transforming = 0.0
    with step.journal.stage("DB_INSERT") as facts, fewer_collections():
        stores = [LineStore(step.session(), lease, step.execution_id) for _ in range(WRITERS)]
        with Writers(stores) as writers:
            for documents in prefetched(read_documents(reader, chunks, spool)):
                began = time.perf_counter()
                flattened = flatten_documents(documents, rules)
                transforming += time.perf_counter() - began
                writers.submit(_storing(flattened, counts))
        facts.update(records=counts.lines, batch_size=BATCH_INVOICES, errors=_held(counts.failed))
    step.journal.log_stage(
        "DATA_TRANSFORM",
        transforming,
        records=counts.documents,
        errors=dict(counts.findings) or _held(counts.failed),
    )
    reader.transaction(
        lambda: _record_what_held(reader, step.execution_id, counts), doing="recording the validation"
    )
    return counts


def _storing(flattened: Flattened, counts: LineCounts) -> Callable[[LineStore], None]:
    return lambda store: store.store(flattened, counts)


def _record_what_held(session: Session, execution_id: str, counts: LineCounts) -> None:
    """One validation row for each rule, for the invoices that no row of a batch speaks of: the numbers add up."""
    validated = counts.documents - counts.failed
    for rule in RULES:
        held = validated - counts.reported[rule]
        if held > 0:
            log_validation(session, execution_id, rule, held, 0)


def _held(number: int) -> dict[str, int] | None:
    return {"quarantined": number} if number else None


@dataclass
class Refreshed:
    """Keys (days, months, customers, ...) looked at, and summary rows written because they differed."""

    keys: int = 0
    rows_written: int = 0

    def add(self, keys: int | None, rows_written: int | None) -> None:
        self.keys += keys or 0
        self.rows_written += rows_written or 0


def refresh_work_orders(
    step: Step, rules: FlatteningRules, first: date, last: date, *, rebuild: bool = False
) -> Refreshed:
    """Bring the service orders whose invoices changed up to date (all of the dates' with `rebuild`)."""
    lease = step.lease(first, last)
    session = step.main
    result = Refreshed()

    def work() -> list[tuple[int, int]]:
        with session.connection.cursor() as cursor:
            lease.check(cursor)
        session.run("fullbay/transforms/set_time_zone", {"time_zone": rules.time_zone}, table="")
        if rebuild:
            params = {"first": first, "last": last, "execution_id": step.execution_id}
            session.run("fullbay/transforms/queue_orders", params, table="refresh_queue")
        return session.run(
            "fullbay/transforms/refresh_queued", {"target": "WORK_ORDER"}, table="fullbay_work_orders"
        )

    for row in session.transaction(work, doing="refreshing the work orders"):
        result.add(*row)
    return result


def refresh_days(step: Step, first: date, last: date) -> Refreshed:
    """Bring the days of the run, and all days that changes touched, up to date with their lines."""
    session = step.main
    result = Refreshed()

    def work() -> list[tuple[int, int]]:
        params = {"first": first, "last": last, "execution_id": step.execution_id}
        session.run("fullbay/transforms/queue_days", params, table="refresh_queue")
        return session.run("fullbay/transforms/refresh_queued", {"target": "DAY"}, table="daily_summary")

    for row in session.transaction(work, doing=f"refreshing the days {first} to {last}"):
        result.add(*row)
    return result


def refresh_summary(step: Step, target: str, *, rebuild: bool = False) -> Refreshed:
    """Bring the queued keys of MONTH, CUSTOMER or VEHICLE up to date (every key with `rebuild`)."""
    session = step.main
    table = {"MONTH": "monthly_summary", "CUSTOMER": "customer_summary", "VEHICLE": "vehicle_summary"}[target]
    name = f"rebuild_{table}" if rebuild else "refresh_queued"
    result = Refreshed()

    def work() -> list[tuple[int, int]]:
        return session.run(f"fullbay/transforms/{name}", {"target": target}, table=table)

    for row in session.transaction(work, doing=f"refreshing {table}"):
        result.add(*row)
    return result


def track_unchanged(step: Step) -> int:
    """Give the unchanged invoices of the run their SKIPPED, UNCHANGED; how many there were."""
    session = step.main
    params = {"execution_id": step.execution_id}

    def work() -> int:
        return len(
            session.run("fullbay/transforms/track_unchanged", params, table="processed_invoices_tracker")
        )

    return session.transaction(work, doing="tracking the unchanged invoices")


def close_execution(step: Step) -> dict[str, Any]:
    """Close the run's row with what its steps logged; the facts in it.

    Raises, after all else is done, when a shop could not be read: TransientError when trying again may help with all.
    """
    step.journal.flush()
    session = step.main
    params = {"execution_id": step.execution_id}

    def work() -> list[tuple[object, ...]]:
        return session.run("fullbay/transforms/close_execution", params, table="ingestion_metadata")

    names = (
        "status",
        "processed",
        "inserted",
        "updated",
        "failed",
        "lines",
        "seconds",
        "queries",
        "api_errors",
    )
    rows = session.transaction(work, doing="closing the run's record")
    unread = session.transaction(
        lambda: session.run("fullbay/transforms/unread_shops", params, table="error_tracking_log"),
        doing="looking for shops that were not read",
    )
    if unread:
        raise _unread_shops(
            [(shop, message, kind == TransientError.__name__) for shop, message, kind in unread],
            "Put right what it names and run the same dates again; the other shops are complete.",
        )
    return dict(zip(names, rows[0], strict=True)) if rows else {"status": "ERROR"}


DATE_COLUMNS = {
    "fullbay_raw_data": "invoice_date",
    "fullbay_line_items": "invoice_date",
    "daily_summary": "summary_date",
}


def count_rows(step: Step, table: str, first: date | None = None, last: date | None = None) -> int:
    """Rows of a table, or of its dates where it has any."""
    session = step.main
    column = DATE_COLUMNS.get(table) if first else None
    return session.transaction(
        lambda: session.count(f"fullbay.{table}", column, first, last), doing=f"counting {table}"
    )
