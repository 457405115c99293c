"""`python -m fullbay_assets.replay`: store quarantined invoices after a fix.

A fix is a new version of our rules, or of the document itself (`--payload`). The invoice then takes the way of a first
load: raw document, lines, work order, tracker, summaries. What is still refused stays held, with its new reason.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from uuid import uuid4

import msgspec

from fullbay_assets.client import ReceivedInvoice
from fullbay_assets.execution import Step, running_step
from fullbay_assets.ingestion import (
    build_lines,
    close_execution,
    refresh_days,
    refresh_summary,
    refresh_work_orders,
)
from fullbay_assets.protocol import record_of
from fullbay_assets.raw_store import RawStore
from fullbay_assets.resources import FullbayResource
from resources import redaction
from resources.failures import PipelineError, permanent
from resources.postgres import PostgresResource
from resources.settings import read_env_file
from resources.sql import Session


class Held(msgspec.Struct):
    """What `held_invoices.sql` says of a quarantined document; its bytes are read when it is its turn."""

    id: int
    invoice_id: str | None
    shop_key: str
    invoice_date: date | None
    stage: str
    reason: str
    path: str | None
    value: str | None
    message: str
    times_seen: int
    newer: bool | None


@dataclass
class Replayed:
    """Ids of held documents by how the replay ended."""

    stored: list[int]
    superseded: list[int]
    held: list[int]


def held_invoices(session: Session, ids: Sequence[int] | None, invoice_id: str | None) -> list[Held]:
    """Open quarantine records, oldest first."""
    params = {"ids": list(ids) if ids else None, "invoice_id": invoice_id}
    rows = session.transaction(
        lambda: session.run("fullbay/transforms/held_invoices", params, table="invoice_quarantine"),
        doing="reading the quarantine",
    )
    return [Held(*row) for row in rows]


def replay(
    step: Step, fullbay: FullbayResource, held: Sequence[Held], payload: bytes | None = None
) -> Replayed:
    """Store what can be stored now; `payload` replaces the document of the only one given.

    A document that an even later version of its invoice has overtaken is closed, not stored.
    """
    session = step.main
    shops = [shop.key for shop in fullbay.settings().shops]
    result = Replayed([], [one.id for one in held if one.newer], [])
    current = [one for one in held if not one.newer]
    keys: dict[int, tuple[str, date]] = {}
    refused: set[int] = set()
    for one in current:
        received = _received(session, one, payload)
        keys[one.id] = received.primary_key or "", _date(received)
    ids = {number: invoice_id for number, (invoice_id, _) in keys.items()}
    for dates in sorted({dated for _, dated in keys.values()}):
        group = [one for one in current if keys[one.id][1] == dates]
        lease = step.lease(dates, dates)
        store = RawStore(session, lease, step.execution_id, shops=shops)
        for one in group:
            if one.stage == "FLATTEN" and payload is None:
                continue
            if store.store([_received(session, one, payload)]).quarantined:
                refused.add(one.id)
    for dates in sorted({dated for _, dated in keys.values()}):
        build_lines(step, fullbay.rules(), dates, dates)
        refresh_work_orders(step, fullbay.rules(), dates, dates)
        refresh_days(step, dates, dates)
    for target in ("MONTH", "CUSTOMER", "VEHICLE"):
        refresh_summary(step, target)
    complete = _complete(session, list(ids.values()))
    # An older version may be stored completely while this one was refused again.
    result.stored = [one.id for one in current if ids[one.id] in complete and one.id not in refused]
    result.held = [one.id for one in current if one.id not in result.stored]
    _resolve(session, result.stored, "REPLAYED")
    _resolve(session, result.superseded, "SUPERSEDED")
    return result


def _received(session: Session, one: Held, payload: bytes | None) -> ReceivedInvoice:
    """The document as a load would deliver it: read by the same judge, so that nothing passes here and not there."""
    record = record_of(_payload(session, one.id) if payload is None else payload)
    asked = record.invoice_date or one.invoice_date or date.today()
    return ReceivedInvoice(
        *(one.shop_key, asked, asked, 1, 0, bytes(record.payload)),
        *(record.primary_key, record.invoice_date, record.repaired, record.problem),
    )


def _payload(session: Session, quarantine_id: int) -> bytes:
    rows = session.transaction(
        lambda: session.run(
            "fullbay/transforms/held_payload", {"id": quarantine_id}, table="invoice_quarantine"
        ),
        doing=f"reading the held document {quarantine_id}",
    )
    return bytes(rows[0][0])


def _date(received: ReceivedInvoice) -> date:
    return received.invoice_date or received.window_start


def _complete(session: Session, ids: list[str]) -> set[str]:
    rows = session.transaction(
        lambda: session.run("fullbay/transforms/stored_completely", {"ids": ids}, table="fullbay_raw_data"),
        doing="looking what is stored",
    )
    return {row[0] for row in rows}


def _resolve(session: Session, ids: list[int], resolution: str) -> None:
    params = {"ids": ids, "resolution": resolution}
    session.transaction(
        lambda: session.run("fullbay/transforms/resolve_held", params, table="invoice_quarantine"),
        doing="closing quarantine records",
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0 when nothing asked for is held any more, 1 when something is, 2 for an error."""
    parser = argparse.ArgumentParser(
        prog="python -m fullbay_assets.replay", description=__doc__.split("\n")[0]
    )
    parser.add_argument(
        "--id", type=int, action="append", help="quarantine id; may be repeated; default: all open"
    )
    parser.add_argument("--invoice", help="invoice id (primaryKey)")
    parser.add_argument("--payload", type=Path, help="file with the corrected document of the one --id given")
    parser.add_argument("--list", action="store_true", help="show what is held and store nothing")
    options = parser.parse_args(arguments)
    read_env_file()
    redaction.install()
    try:
        return _run(options)
    except PipelineError as error:
        print(error, file=sys.stderr)
        return 2


def _run(options: argparse.Namespace) -> int:
    warehouse, fullbay = PostgresResource(location="FULLBAY"), FullbayResource()
    with warehouse.session("replay") as session:
        held = held_invoices(session, options.id, options.invoice)
    if options.list or not held:
        _show(held)
        return 1 if held and not options.list else 0
    payload = None
    if options.payload:
        if len(held) != 1:
            raise permanent(
                f"replaying with {options.payload}",
                found=f"{len(held)} held documents match",
                do_next="Name exactly one of them with --id.",
            )
        payload = options.payload.read_bytes()
    with running_step(warehouse, "replay", f"replay-{uuid4()}", "replay") as step:
        result = replay(step, fullbay, held, payload)
        close_execution(step)
    _say(f"{len(result.stored)} stored, {len(result.superseded)} superseded, {len(result.held)} still held")
    if result.held:
        with warehouse.session("replay") as session:
            _show(held_invoices(session, None, None))
    return 1 if result.held else 0


def _show(held: Sequence[Held]) -> None:
    if not held:
        _say("Nothing is held in the quarantine.")
    for one in held:
        facts = (one.id, one.invoice_id or "no id", one.shop_key, one.invoice_date, one.stage, one.message)
        _say("\t".join(map(str, facts)))


def _say(line: str) -> None:
    """Print a line now. A reader that has seen enough (`| head -1`) changes neither the work nor the exit status."""
    try:
        print(line, flush=True)
    except BrokenPipeError:
        # What is buffered still, and what Python flushes at its end, needs somewhere to go.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


if __name__ == "__main__":
    sys.exit(main())
