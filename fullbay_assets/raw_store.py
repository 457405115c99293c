"""Storing received invoices: raw document, header facts, what the run saw, what must be refreshed.

A batch is one transaction. Equal bytes are recognised without parsing; equal content (in another order of keys, or with
`1.50` for `1.5`) without writing. Lines are not built here: a stored document waits for them with `processed = false`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Literal

import psycopg2
from psycopg2 import errors as pg

from fullbay_assets.client import ReceivedInvoice
from fullbay_assets.document_spool import DocumentSpool
from fullbay_assets.flattening import Header, header
from fullbay_assets.line_copy import copy_row
from fullbay_assets.parsing import InvalidInvoice, content_hash, decode, payload_hash
from fullbay_assets.rules import RULE_VERSION
from resources.leases import Lease
from resources.sql import Session

Outcome = Literal["NEW", "CHANGED", "UNCHANGED", "QUARANTINED", "VANISHED"]
Stage = Literal["PARSE", "STORE", "FLATTEN"]

DATA_ERRORS = (pg.DataError, pg.IntegrityError, pg.CardinalityViolation, pg.ProgramLimitExceeded)
"""What Postgres says when a value, not the connection or the statement, is at fault."""

RAW_COLUMNS = ("fullbay_invoice_id", "raw_json_data", "content_hash", "invoice_date", "shop_key")
HEADER_COLUMNS = (
    *(
        "fullbay_invoice_id",
        "shop_key",
        "invoice_date",
        "service_order_id",
        "total_amount",
        "subtotal_amount",
    ),
    *("tax_amount", "labor_amount", "parts_amount", "balance", "payload_hash", "payload_bytes"),
    "content_hash",
)
SEEN_COLUMNS = ("ids", "shops", "dates", "outcomes", "hashes", "totals", "previous")
"""What `_run_rows` gives of each invoice, by the parameters of record_seen.sql."""

OTHER_SHOP = "OTHER_SHOP"
"""Reason of the quarantine: the invoice belongs to another shop that is read as well, and its version there differs."""


@dataclass
class RawCounts:
    """Invoices of a run by what became of them. `received` = new + changed + unchanged + quarantined."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    quarantined: int = 0
    vanished: int = 0

    @property
    def received(self) -> int:
        return self.new + self.changed + self.unchanged + self.quarantined

    def add(self, other: RawCounts) -> None:
        for name in ("new", "changed", "unchanged", "quarantined", "vanished"):
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass
class _Known:
    payload_hash: str
    content_hash: str
    invoice_date: date
    shop_key: str
    service_order_id: str | None
    total: Decimal
    was_missing: bool
    processed: bool
    is_duplicate: bool
    is_held: bool

    @property
    def settled(self) -> bool:
        """Whether the same content again changes nothing: its lines are stored, or held until something is fixed."""
        return self.is_held or (self.is_duplicate and self.processed)


@dataclass
class _Parsed:
    received: ReceivedInvoice
    head: Header
    payload_hash: str
    content_hash: str
    known: _Known | None


@dataclass
class Held:
    """An invoice for the quarantine: where it came from, what is wrong, and its bytes.

    `content_hash` takes the place of the hash of the bytes for a stored document, which has no bytes as received.
    """

    invoice_id: str | None
    shop_key: str
    asked_date: date | None
    stage: Stage
    reason: str
    path: str
    value: str
    message: str
    payload: bytes
    position: dict[str, Any] = field(default_factory=dict)
    content_hash: str | None = None


@dataclass
class _Batch:
    fresh: list[_Parsed] = field(default_factory=list)
    changed: list[_Parsed] = field(default_factory=list)
    same: list[tuple[ReceivedInvoice, _Known]] = field(default_factory=list)
    again: list[tuple[ReceivedInvoice, _Known]] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)


class RawStore:
    """Stores batches of received invoices under a lease, for one execution, on one connection.

    An invoice belongs to the first of the `shops` that delivered it, until it is missing there.
    """

    def __init__(
        self,
        session: Session,
        lease: Lease,
        execution_id: str,
        spool: DocumentSpool | None = None,
        *,
        shops: Collection[str] = (),
    ) -> None:
        self._session, self._lease, self._execution_id = session, lease, execution_id
        self._spool, self._shops = spool, frozenset(shops)
        self.parsing_seconds = 0.0

    def store(self, batch: Sequence[ReceivedInvoice]) -> RawCounts:
        """Store one batch in one transaction; a batch with an invoice Postgres refuses is stored one by one.

        An invoice that cannot be parsed or stored goes to the quarantine and never takes another one with it.
        """
        doing = f"storing {len(batch)} invoices of shop {batch[0].shop_key}, window {batch[0].window_start}"
        try:
            return self._session.transaction(lambda: self._write(batch), doing=doing)
        except DATA_ERRORS:
            return self._session.transaction(lambda: self._write_each(batch), doing=doing)

    def flag_missing(self, shop_key: str, first: date, last: date) -> int:
        """Flag what is stored for these dates but was not seen by this execution; the number of newly flagged."""

        def work() -> int:
            with self._session.connection.cursor() as cursor:
                self._lease.check(cursor)
            gone = self._session.run(
                "fullbay/transforms/flag_missing",
                {"shop_key": shop_key, "first": first, "last": last, "execution_id": self._execution_id},
                table="invoice_headers",
            )
            self._record((row[0], shop_key, row[1], "VANISHED", None, None, row[2]) for row in gone)
            return len(gone)

        return self._session.transaction(
            work, doing=f"flagging missing invoices of shop {shop_key}, {first} to {last}"
        )

    def _write_each(self, batch: Sequence[ReceivedInvoice]) -> RawCounts:
        counts = RawCounts()
        with self._session.connection.cursor() as cursor:
            for received in batch:
                cursor.execute("savepoint one_invoice")
                try:
                    counts.add(self._write([received]))
                except DATA_ERRORS as error:
                    cursor.execute("rollback to savepoint one_invoice")
                    held = _held(received, "STORE", refusal(error), received.primary_key)
                    hold(self._session, [held], self._execution_id)
                    self._record([_run_row(received, "QUARANTINED")])
                    counts.quarantined += 1
                cursor.execute("release savepoint one_invoice")
        return counts

    def _write(self, batch: Sequence[ReceivedInvoice]) -> RawCounts:
        with self._session.connection.cursor() as cursor:
            self._lease.check(cursor)
        sorted_out = self._sort_out(batch)
        parsed = sorted_out.fresh + sorted_out.changed
        if self._spool is not None:
            for one in parsed:
                self._spool.put(one.content_hash, one.received.payload)
        if parsed:
            self._session.run("fullbay/transforms/create_incoming", table="incoming_raw")
        if sorted_out.fresh:
            self._session.copy(
                "fullbay.fullbay_raw_data", RAW_COLUMNS, b"".join(map(_raw_row, sorted_out.fresh))
            )
        if sorted_out.changed:
            self._session.copy("incoming_raw", RAW_COLUMNS, b"".join(map(_raw_row, sorted_out.changed)))
            self._session.run("fullbay/transforms/replace_raw", table="fullbay_raw_data")
        if parsed:
            rows = "".join(copy_row(_header_row(one)) + "\n" for one in parsed)
            self._session.copy("incoming_headers", HEADER_COLUMNS, rows.encode())
            self._session.run("fullbay/transforms/upsert_headers", table="invoice_headers")
            supersede(self._session, [one.head.invoice_id for one in parsed], ("PARSE", "STORE", "FLATTEN"))
            orders = {one.head.service_order_id for one in parsed} | {
                one.known.service_order_id for one in parsed if one.known
            }
            queue_refresh(
                self._session, [("WORK_ORDER", order) for order in orders if order], self._execution_id
            )
        self._touch_same(sorted_out)
        hold(self._session, sorted_out.held, self._execution_id)
        self._record(_run_rows(sorted_out))
        return RawCounts(
            new=len(sorted_out.fresh),
            changed=len(sorted_out.changed) + len(sorted_out.again),
            unchanged=len(sorted_out.same),
            quarantined=len(sorted_out.held),
        )

    def _touch_same(self, sorted_out: _Batch) -> None:
        shown = [received.primary_key for received, _ in sorted_out.again if received.primary_key]
        if shown:
            # The source shows the stored version (again): a later one that was refused is no longer there.
            supersede(self._session, shown, ("PARSE", "STORE"))
        elsewhere = [r.primary_key for r, known in sorted_out.same if r.shop_key != known.shop_key]
        if elsewhere:
            # What another shop shows of them is what is stored: a version of its own that was held is no longer there.
            shop = sorted_out.same[0][0].shop_key
            supersede(self._session, [one for one in elsewhere if one], ("STORE",), shop)
        waiting = [received.primary_key for received, known in sorted_out.again if known.processed]
        if waiting:
            self._session.run("fullbay/transforms/await_lines", {"ids": waiting}, table="fullbay_raw_data")
        back = [
            received.primary_key
            for received, known in sorted_out.same + sorted_out.again
            if known.was_missing
        ]
        if back:
            self._session.run("fullbay/transforms/found_again", {"ids": back}, table="invoice_headers")

    def _sort_out(self, batch: Sequence[ReceivedInvoice]) -> _Batch:
        ids = [received.primary_key for received in batch if received.primary_key]
        rows = self._session.run("fullbay/transforms/known_invoices", {"ids": ids}, table="invoice_headers")
        known = {row[0]: _Known(*row[1:]) for row in rows}
        began = time.perf_counter()
        result = _Batch()
        for received in batch:
            stored = known.get(received.primary_key or "")
            received_hash = payload_hash(received.payload)
            moved = stored is not None and stored.shop_key != received.shop_key
            elsewhere = moved and self._belongs_elsewhere(stored)
            if stored and stored.payload_hash == received_hash and (elsewhere or not moved):
                (result.same if elsewhere or stored.settled else result.again).append((received, stored))
                continue
            try:
                document = decode(received.payload)
                parsed = _Parsed(received, header(document), received_hash, content_hash(document), stored)
                if parsed.head.invoice_id != received.primary_key:
                    raise InvalidInvoice(
                        "UNUSABLE_KEY",
                        "primaryKey",
                        document.get("primaryKey"),
                        received.problem or "a text or a whole number was expected",
                    )
            except InvalidInvoice as error:
                result.held.append(_held(received, "PARSE", error, received.primary_key))
                continue
            differs = stored is None or stored.content_hash != parsed.content_hash
            if stored is None:
                result.fresh.append(parsed)
            elif elsewhere and differs:
                other = InvalidInvoice(
                    OTHER_SHOP,
                    "primaryKey",
                    received.primary_key,
                    f"the invoice is stored for the shop {stored.shop_key}, whose version differs",
                )
                result.held.append(_held(received, "STORE", other, received.primary_key))
            elif not elsewhere and (differs or moved):
                result.changed.append(parsed)
            else:
                (result.same if elsewhere or stored.settled else result.again).append((received, stored))
        self.parsing_seconds += time.perf_counter() - began
        return result

    def _belongs_elsewhere(self, stored: _Known | None) -> bool:
        """Whether the shop that the invoice is stored for is still read and still shows it: it then keeps it."""
        return stored is not None and stored.shop_key in self._shops and not stored.was_missing

    def _record(self, rows: Iterable[tuple[Any, ...]]) -> None:
        listed = list(rows)
        if listed:
            columns = map(list, zip(*listed, strict=True))
            self._session.run(
                "fullbay/transforms/record_seen",
                {"execution_id": self._execution_id, **dict(zip(SEEN_COLUMNS, columns, strict=True))},
                table="fullbay.ingestion_run_invoices",
            )


def queue_refresh(session: Session, keys: Iterable[tuple[str, str]], execution_id: str) -> None:
    """Put (target, key) pairs on the refresh queue, inside the caller's transaction."""
    pairs = sorted(set(keys))
    if pairs:
        targets, names = zip(*pairs, strict=True)
        session.run(
            "fullbay/transforms/queue_refresh",
            {"targets": list(targets), "keys": list(names), "execution_id": execution_id},
            table="refresh_queue",
        )


def supersede(
    session: Session, invoice_ids: list[str], stages: tuple[Stage, ...], shop_key: str | None = None
) -> None:
    """Close the quarantine records (of one shop) that what is stored now overtakes, in the caller's transaction."""
    params = {"ids": invoice_ids, "stages": list(stages), "shop_key": shop_key}
    session.run("fullbay/transforms/supersede_quarantined", params, table="invoice_quarantine")


def hold(session: Session, held: Iterable[Held], execution_id: str) -> None:
    """Keep invoices in the quarantine and tell the tracker, inside the caller's transaction."""
    for one in held:
        session.run(
            "fullbay/transforms/quarantine",
            {
                "fullbay_invoice_id": one.invoice_id,
                "shop_key": one.shop_key,
                "invoice_date": one.asked_date,
                "stage": one.stage,
                "reason": one.reason[:100],
                "path": one.path.replace("\x00", "\\u0000"),
                "value": one.value.replace("\x00", "\\u0000"),
                "message": one.message.replace("\x00", "\\u0000"),
                "payload": psycopg2.Binary(bytes(one.payload)),
                "payload_hash": one.content_hash or payload_hash(one.payload),
                "rule_version": RULE_VERSION,
                "source_position": json.dumps(one.position),
                "execution_id": execution_id,
            },
            table="invoice_quarantine",
        )
        # The tracker speaks of the invoice as its own shop shows it.
        if one.invoice_id and one.reason != OTHER_SHOP:
            mark_processed(session, [one.invoice_id], [None], execution_id, status="ERROR", reason=one.reason)


def mark_processed(
    session: Session,
    ids: list[str],
    hashes: Sequence[str | None],
    execution_id: str,
    *,
    status: str = "PROCESSED",
    reason: str | None = None,
) -> None:
    """Write the tracker's line of each invoice, inside the caller's transaction."""
    params = {
        "ids": ids,
        "hashes": list(hashes),
        "status": status,
        "reason": reason,
        "execution_id": execution_id,
    }
    session.run("fullbay/transforms/mark_processed", params, table="processed_invoices_tracker")


def refusal(error: psycopg2.Error) -> InvalidInvoice:
    """What Postgres refused, as a reason with path and value, taken from the COPY context it gives."""
    context = (error.diag.context or "").splitlines()[0] if error.diag.context else ""
    column = context.partition(", column ")[2]
    return InvalidInvoice(
        f"POSTGRES_{error.pgcode}",
        column.partition(":")[0],
        column.partition(": ")[2],
        error.diag.message_primary or "",
    )


def _held(received: ReceivedInvoice, stage: Stage, error: InvalidInvoice, invoice_id: str | None) -> Held:
    position = {
        "window": [received.window_start.isoformat(), received.window_end.isoformat()],
        "page": received.page,
        "index": received.index,
    }
    return Held(
        invoice_id=invoice_id if invoice_id and len(invoice_id) <= 50 else None,
        shop_key=received.shop_key,
        asked_date=received.invoice_date or received.window_start,
        stage=stage,
        reason=error.reason,
        path=error.path,
        value=error.value,
        message=str(error),
        payload=received.payload,
        position=position,
    )


def _raw_row(one: _Parsed) -> bytes:
    payload = bytes(one.received.payload).replace(b"\\", b"\\\\")
    for raw, escaped in ((b"\n", b"\\n"), (b"\t", b"\\t"), (b"\r", b"\\r")):
        if raw in payload:
            payload = payload.replace(raw, escaped)
    after = f"\t{one.content_hash}\t{one.head.invoice_date}\t{one.received.shop_key}\n"
    return b"%b\t%b%b" % (one.head.invoice_id.encode(), payload, after.encode())


def _header_row(one: _Parsed) -> tuple[Any, ...]:
    head = one.head
    return (
        *(
            head.invoice_id,
            one.received.shop_key,
            head.invoice_date,
            head.service_order_id,
            head.total,
            head.subtotal,
        ),
        *(head.tax, head.labor, head.parts, head.balance, one.payload_hash),
        *(len(one.received.payload), one.content_hash),
    )


def _run_row(received: ReceivedInvoice, outcome: Outcome, known: _Known | None = None) -> tuple[Any, ...]:
    asked = received.invoice_date or received.window_start
    invoice_id = received.primary_key if received.primary_key and len(received.primary_key) <= 50 else None
    if known is None:
        return (invoice_id, received.shop_key, asked, outcome, None, None, None)
    return (
        invoice_id,
        received.shop_key,
        known.invoice_date,
        outcome,
        known.content_hash,
        known.total,
        known.total,
    )


def _run_rows(sorted_out: _Batch) -> Iterable[tuple[Any, ...]]:
    outcomes: tuple[tuple[Outcome, list[_Parsed]], ...] = (
        ("NEW", sorted_out.fresh),
        ("CHANGED", sorted_out.changed),
    )
    for outcome, group in outcomes:
        for one in group:
            head, previous = one.head, one.known.total if one.known else None
            shop = one.received.shop_key
            yield (head.invoice_id, shop, head.invoice_date, outcome, one.content_hash, head.total, previous)
    for received, known in sorted_out.again:
        yield _run_row(received, "CHANGED", known)
    for received, known in sorted_out.same:
        yield _run_row(received, "UNCHANGED", known)
    for held in sorted_out.held:
        yield (held.invoice_id, held.shop_key, held.asked_date, "QUARANTINED", None, None, None)
