"""Edits on top of the generated invoices: paid, corrected, re-dated, voided, or added by hand.

The generator stays a pure function; what a shop did after posting is kept here, and in a file when there is one.
"""

from __future__ import annotations

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import date
from pathlib import Path
from threading import Lock
from typing import Any

from sandbox.fullbay.invoices import InvoiceGenerator, days
from sandbox.fullbay.money import to_cents
from sandbox.fullbay.totals import change_rate, recompute
from sandbox.processes import write_private

Json = dict[str, Any]
Place = tuple[str, date, bytes]
"""Shop, date and JSON of an invoice as it is shown now."""

_SHOWN = 200
"""Characters of a row that is left out of a sum."""


class Overlay:
    """The invoices of all shops as the source would show them now; edits outlive the process in the file `kept`."""

    def __init__(self, generator: InvoiceGenerator, kept: Path | None = None) -> None:
        self.generator = generator
        self._kept = kept
        self._changed: dict[str, Place | None] = {}
        self._added: list[Place] = []
        self._lock = Lock()
        if kept is not None and kept.exists():
            saved = json.loads(kept.read_text())
            self._changed = {key: place and _from_text(place) for key, place in saved["changed"].items()}
            self._added = [_from_text(place) for place in saved["added"]]

    def _save(self) -> None:
        """Write all edits to the file, if there is one. Callers hold the lock."""
        if self._kept is not None:
            changed = {key: place and _as_text(place) for key, place in self._changed.items()}
            saved = {"changed": changed, "added": [_as_text(place) for place in self._added]}
            write_private(self._kept, json.dumps(saved))

    def rows(self, shop_key: str, first: date, last: date) -> Iterator[bytes]:
        """The invoices of a shop dated `first` to `last` (inclusive), in order of date, as JSON."""
        return iter(self.page(shop_key, first, last, 0, None)[1])

    def page(
        self, shop_key: str, first: date, last: date, start: int, size: int | None
    ) -> tuple[int, list[bytes]]:
        """How many invoices the window has, and `size` of them (None: all) from position `start` on.

        Days outside the page are counted, not generated, so a page costs the same in a window of any size.
        """
        with self._lock:
            changed, added = dict(self._changed), list(self._added)
        gone: Counter[date] = Counter()
        for primary_key in changed:
            place = self.generator.locate(primary_key)
            if place is not None and place[0] == shop_key:
                gone[place[1]] += 1
        placed: defaultdict[date, list[bytes]] = defaultdict(list)
        for entry in (*changed.values(), *added):
            if entry is not None and entry[0] == shop_key:
                placed[entry[1]].append(entry[2])
        stop = sys.maxsize if size is None else start + size
        total, shown = 0, []
        for day in days(first, last):
            before = total
            kept = self.generator.count(shop_key, day) - gone[day]
            total += kept + len(placed[day])
            if before >= stop or total <= start:
                continue
            of_day = [
                invoice.row
                for invoice in self.generator.generated(shop_key, day)
                if invoice.primary_key not in changed
            ]
            shown += (of_day + placed[day])[max(0, start - before) : stop - before]
        return total, shown

    def totals(self, first: date, last: date, shop_key: str | None = None) -> dict[str, int]:
        """`invoices` and `total_cents` of a window as the source shows it now, edits included.

        ValueError when an added row has no total to add: such a window has no right answer.
        """
        shops = self.generator.shop_keys if shop_key is None else (shop_key,)
        cents, left_out = _sorted_out(row for shop in shops for row in self.rows(shop, first, last))
        if left_out:
            raise ValueError(f"no total to add: {left_out}")
        return {"invoices": len(cents), "total_cents": sum(cents)}

    def counted(self, first: date, last: date, shop_key: str) -> Json:
        """As `totals`, of the rows of one shop that have a total; `left_out` lists the others with the reason."""
        cents, left_out = _sorted_out(self.rows(shop_key, first, last))
        counted: Json = {"invoices": len(cents), "total_cents": sum(cents)}
        return {**counted, "left_out": left_out} if left_out else counted

    def invoice(self, primary_key: str) -> Json:
        """One invoice as it is now. KeyError for one that the source does not show."""
        if primary_key in self._changed:
            place = self._changed[primary_key]
            if place is None:
                raise KeyError(primary_key)
            return dict(json.loads(place[2]))
        found = self.generator.find(primary_key)
        if found is None:
            raise KeyError(primary_key)
        return dict(json.loads(found.row))

    def edit(self, primary_key: str, change: Callable[[Json], object]) -> Json:
        """Change one invoice in place; its date decides where it is shown. Returns it as it is now."""
        invoice = self.invoice(primary_key)
        place = self.generator.locate(primary_key)
        shop_key = place[0] if place else self.generator.shop_keys[0]
        change(invoice)
        with self._lock:
            self._changed[primary_key] = (
                shop_key,
                date.fromisoformat(invoice["invoiceDate"]),
                _encode(invoice),
            )
            self._save()
        return invoice

    def pay(self, primary_key: str) -> Json:
        """Nothing is owed any more."""
        return self.edit(primary_key, lambda invoice: invoice.update(balance=0))

    def remove_part(self, primary_key: str) -> Json:
        """The first part goes, and every total follows. ValueError when the invoice has no part."""

        def change(invoice: Json) -> None:
            for complaint in invoice["ServiceOrder"]["Complaints"]:
                for correction in complaint["Corrections"]:
                    if correction["Parts"]:
                        correction["Parts"].pop(0)
                        recompute(invoice)
                        return
            raise ValueError(f"invoice {primary_key} has no part")

        return self.edit(primary_key, change)

    def change_tax(self, primary_key: str, rate: str) -> Json:
        """Another tax rate (percent), and every total follows; an exempt invoice is exempt no more."""
        return self.edit(primary_key, lambda invoice: change_rate(invoice, rate))

    def re_date(self, primary_key: str, day: date) -> Json:
        """The invoice moves to another date."""
        return self.edit(primary_key, lambda invoice: invoice.update(invoiceDate=day.isoformat()))

    def void(self, primary_key: str) -> None:
        """The invoice is gone."""
        self.invoice(primary_key)
        with self._lock:
            self._changed[primary_key] = None
            self._save()

    def restore(self, primary_key: str) -> None:
        """The invoice is again as it was generated."""
        with self._lock:
            self._changed.pop(primary_key, None)
            self._save()

    def add(self, shop_key: str, day: date, payload: Json | bytes) -> None:
        """Show a payload of the caller's own on a date, whatever it is. KeyError for an unknown shop."""
        self.generator.shop_index(shop_key)
        with self._lock:
            self._added.append((shop_key, day, payload if isinstance(payload, bytes) else _encode(payload)))
            self._save()

    def clear(self) -> None:
        """Forget every edit and everything added."""
        with self._lock:
            self._changed.clear()
            self._added.clear()
            self._save()


def _sorted_out(rows: Iterable[bytes]) -> tuple[list[int], list[dict[str, str]]]:
    """The totals in cents, and what has none: why, and how it begins. An added row may be anything at all."""
    cents: list[int] = []
    left_out: list[dict[str, str]] = []
    for row in rows:
        try:
            cents.append(to_cents(json.loads(row)["total"]))
        except (ValueError, TypeError, LookupError, ArithmeticError, RecursionError, AttributeError) as error:
            begins = row[:_SHOWN].decode(errors="backslashreplace")
            left_out.append({"reason": f"{type(error).__name__}: {error}"[:_SHOWN], "begins": begins})
    return cents, left_out


def _as_text(place: Place) -> list[str]:
    """Bytes that are no UTF-8 survive as half surrogates, which JSON can write."""
    return [place[0], place[1].isoformat(), place[2].decode("utf-8", "surrogateescape")]


def _from_text(place: list[str]) -> Place:
    return place[0], date.fromisoformat(place[1]), place[2].encode("utf-8", "surrogateescape")


def _encode(invoice: Json) -> bytes:
    return json.dumps(invoice, separators=(",", ":")).encode()
