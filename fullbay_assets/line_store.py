"""Building and storing the lines of stored documents, and saying what did not reconcile.

A batch is one transaction: its old lines go, its new lines come, the documents are marked, the tracker is told, the
keys whose summaries changed are queued, and every identity that failed is on record.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from threading import Lock

import msgspec

from fullbay_assets.document_spool import DocumentSpool
from fullbay_assets.flattening import FlatInvoice, FlatteningRules
from fullbay_assets.line_copy import LANDING_TABLES, landing_rows
from fullbay_assets.parsing import InvalidInvoice, decode
from fullbay_assets.raw_store import (
    DATA_ERRORS,
    Held,
    hold,
    mark_processed,
    queue_refresh,
    refusal,
    supersede,
)
from fullbay_assets.reconciliation import reconcile
from fullbay_assets.rules import RULE_VERSION, RULES, Finding
from resources.leases import Lease
from resources.sql import Session


class Document(msgspec.Struct):
    """A stored document: what `document_heads.sql` gives, and its JSON."""

    raw_data_id: int
    invoice_id: str
    shop_key: str
    invoice_date: date
    content_hash: str
    payload: bytes = b""


@dataclass
class LineCounts:
    """What became of the documents of a run. `documents` = flattened + failed; `findings` counts invoices by rule.

    `reported` counts, by rule, the invoices of the batches for which that rule has a validation row already.
    """

    documents: int = 0
    failed: int = 0
    lines: int = 0
    unreconciled: int = 0
    rounded: int = 0
    findings: Counter[str] = field(default_factory=Counter)
    reported: Counter[str] = field(default_factory=Counter)
    revenue: Decimal = Decimal(0)
    _lock: Lock = field(default_factory=Lock, repr=False)

    def add(self, flats: Sequence[FlatInvoice], failed: int, reported: Counter[str]) -> None:
        with self._lock:
            self.reported.update(reported)
            self.documents += len(flats) + failed
            self.failed += failed
            for flat in flats:
                self.lines += len(flat.lines)
                self.revenue += flat.total
                self.unreconciled += not flat.reconciled
                self.rounded += any(line.source == "ROUNDING" for line in flat.lines)
                self.findings.update({finding.rule for finding in flat.findings})


@dataclass
class Flattened:
    """Documents turned into lines, beside those that could not be."""

    built: list[tuple[Document, FlatInvoice]]
    failed: list[tuple[Document, InvalidInvoice]]


_Stored = tuple[list[FlatInvoice], int, Counter[str]]
"""What a transaction stored: invoices, the number of failed ones, and the rules its validation rows speak of."""


def flatten_documents(documents: Iterable[Document], rules: FlatteningRules) -> Flattened:
    """Parse, flatten and reconcile; a document that cannot be read is set aside with its reason."""
    result = Flattened([], [])
    for document in documents:
        try:
            result.built.append((document, reconcile(decode(document.payload), rules)))
        except InvalidInvoice as error:
            result.failed.append((document, error))
    return result


def read_documents(
    session: Session, chunks: Iterable[list[int]], spool: DocumentSpool | None = None
) -> Iterator[list[Document]]:
    """Stored documents by id. Each chunk is a query of its own, so a lost connection costs one."""
    for chunk in chunks:

        def read(chunk: list[int] = chunk) -> list[Document]:
            return _read(session, chunk, spool)

        yield session.transaction(read, doing=f"reading {len(chunk)} stored documents")


def _read(session: Session, ids: list[int], spool: DocumentSpool | None) -> list[Document]:
    heads = session.run("fullbay/transforms/document_heads", {"ids": ids}, table="fullbay_raw_data")
    documents = [Document(*row) for row in heads]
    if spool is not None:
        for document in documents:
            document.payload = spool.get(document.content_hash) or b""
    missing = {document.raw_data_id: document for document in documents if not document.payload}
    if missing:
        rows = session.run("fullbay/transforms/documents", {"ids": list(missing)}, table="fullbay_raw_data")
        for raw_data_id, payload in rows:
            missing[raw_data_id].payload = payload.encode()
    return documents


class LineStore:
    """Stores the lines of flattened documents under a lease, for one execution, on one connection."""

    def __init__(self, session: Session, lease: Lease, execution_id: str) -> None:
        self._session, self._lease, self._execution_id = session, lease, execution_id

    def store(self, flattened: Flattened, counts: LineCounts) -> None:
        """Store one batch in one transaction; one that Postgres refuses is stored invoice by invoice."""
        number = len(flattened.built) + len(flattened.failed)

        def whole() -> _Stored:
            return self._write(flattened)

        doing = f"storing the lines of {number} invoices"
        try:
            outcome = self._session.transaction(whole, doing=doing)
        except DATA_ERRORS:
            outcome = self._session.transaction(lambda: self._write_each(flattened), doing=doing)
        counts.add(*outcome)

    def _write_each(self, flattened: Flattened) -> _Stored:
        stored: list[FlatInvoice] = []
        failed = list(flattened.failed)
        reported: Counter[str] = Counter()
        with self._session.connection.cursor() as cursor:
            for document, flat in flattened.built:
                cursor.execute("savepoint one_invoice")
                try:
                    kept, _, rules = self._write(Flattened([(document, flat)], []))
                    stored += kept
                    reported.update(rules)
                except DATA_ERRORS as error:
                    cursor.execute("rollback to savepoint one_invoice")
                    failed.append((document, refusal(error)))
                cursor.execute("release savepoint one_invoice")
        self._write(Flattened([], failed))
        return stored, len(failed), reported

    def _write(self, flattened: Flattened) -> _Stored:
        reported: Counter[str] = Counter()
        with self._session.connection.cursor() as cursor:
            self._lease.check(cursor)
        built = self._still_current(flattened.built)
        if built:
            self._replace_lines(built)
            reported = self._record_findings(built)
        for document, error in flattened.failed:
            self._fail(document, error)
        return [flat for _, flat in built], len(flattened.failed), reported

    def _still_current(self, built: list[tuple[Document, FlatInvoice]]) -> list[tuple[Document, FlatInvoice]]:
        """Without the documents that another run has replaced since they were read: their lines are its business."""
        if not built:
            return []
        params = {
            "ids": [document.raw_data_id for document, _ in built],
            "hashes": [document.content_hash for document, _ in built],
        }
        current = {
            row[0]
            for row in self._session.run(
                "fullbay/transforms/lock_documents", params, table="fullbay_raw_data"
            )
        }
        return [(document, flat) for document, flat in built if document.raw_data_id in current]

    def _replace_lines(self, built: list[tuple[Document, FlatInvoice]]) -> None:
        session, ids = self._session, [flat.invoice_id for _, flat in built]
        touched = set(
            session.run("fullbay/transforms/remove_lines", {"ids": ids}, table="fullbay_line_items")
        )
        session.run("fullbay/transforms/create_incoming_lines", table="incoming_lines")
        for table, rows in landing_rows((document.raw_data_id, flat) for document, flat in built).items():
            session.copy(table, LANDING_TABLES[table], rows.encode())
        session.run("fullbay/transforms/insert_lines", table="fullbay_line_items")
        touched.update((flat.invoice_date, flat.customer_id, flat.unit_vin) for _, flat in built)
        queue_refresh(session, _summary_keys(touched), self._execution_id)
        hashes = [document.content_hash for document, _ in built]
        session.run(
            "fullbay/transforms/lines_stored",
            {
                "ids": [document.raw_data_id for document, _ in built],
                "hashes": hashes,
                "errors": [_processing_errors(flat) for _, flat in built],
                "customers": [flat.customer_id for _, flat in built],
                "vins": [flat.unit_vin for _, flat in built],
            },
            table="fullbay_raw_data",
        )
        mark_processed(session, ids, hashes, self._execution_id)
        supersede(session, ids, ("FLATTEN",))

    def _record_findings(self, built: list[tuple[Document, FlatInvoice]]) -> Counter[str]:
        """One validation row for each rule that failed in this batch; the rules that held are summed up by the step."""
        by_rule: dict[str, list[tuple[str, Finding]]] = {}
        for _, flat in built:
            for finding in flat.findings:
                by_rule.setdefault(finding.rule, []).append((flat.invoice_id, finding))
        for rule, found in sorted(by_rule.items()):
            invoices = {invoice_id for invoice_id, _ in found}
            log_validation(self._session, self._execution_id, rule, len(built), len(invoices), found)
        return Counter(dict.fromkeys(by_rule, len(built)))

    def _fail(self, document: Document, error: InvalidInvoice) -> None:
        self._session.run(
            "fullbay/transforms/lines_failed",
            {"id": document.raw_data_id, "error": str(error)},
            table="fullbay_raw_data",
        )
        held = Held(
            invoice_id=document.invoice_id,
            shop_key=document.shop_key,
            asked_date=document.invoice_date,
            stage="FLATTEN",
            reason=error.reason,
            path=error.path,
            value=error.value,
            message=str(error),
            payload=document.payload,
            position={"raw_data_id": document.raw_data_id},
            content_hash=document.content_hash,
        )
        hold(self._session, [held], self._execution_id)


def log_validation(
    session: Session,
    execution_id: str,
    rule: str,
    validated: int,
    failed: int,
    found: Sequence[tuple[str, Finding]] = (),
) -> None:
    """One row of business_validation_log: a rule, how many invoices it was held against, and which it failed for."""
    corrected = bool(found) and all(finding.corrected for _, finding in found)
    breaks = any(finding.breaks_reconciliation for _, finding in found)
    session.run(
        "fullbay/transforms/log_validation",
        {
            "execution_id": execution_id,
            "rule": rule,
            "description": f"{RULES[rule].description} (rules version {RULE_VERSION})",
            "impact": RULES[rule].impact if breaks or not found else "LOW",
            "validated": validated,
            "failed": failed,
            "records": json.dumps([_record(invoice_id, finding) for invoice_id, finding in found])
            if found
            else None,
            "reasons": json.dumps(sorted({finding.note for _, finding in found if finding.note}))
            if found
            else None,
            "corrected": corrected,
            "review": breaks,
        },
        table="business_validation_log",
    )


def _record(invoice_id: str, finding: Finding) -> dict[str, str]:
    record = {
        "invoice_id": invoice_id,
        "expected": finding.expected,
        "actual": finding.actual,
        "path": finding.path,
        "handled": finding.handled,
    }
    if finding.difference is not None:
        record["difference"] = str(finding.difference)
    if finding.note:
        record["note"] = finding.note
    return record


def _processing_errors(flat: FlatInvoice) -> str | None:
    broken = [finding for finding in flat.findings if finding.breaks_reconciliation]
    if not broken:
        return None
    return "; ".join(f"{f.rule}: expected {f.expected}, found {f.actual} ({f.path})" for f in broken)


def _summary_keys(touched: set[tuple[date | None, int | None, str | None]]) -> Iterator[tuple[str, str]]:
    for invoice_date, customer_id, vin in touched:
        if invoice_date is not None:
            yield "DAY", invoice_date.isoformat()
            yield "MONTH", f"{invoice_date:%Y-%m}"
        if customer_id is not None:
            yield "CUSTOMER", str(customer_id)
        if vin is not None:
            yield "VEHICLE", vin
