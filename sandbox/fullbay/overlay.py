"""Edits on top of the generated invoices: paid, corrected, re-dated, voided, or added by hand.

The generator stays a pure function; what a shop did after posting is kept here, in memory only.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from threading import Lock
from typing import Any

from sandbox.fullbay.invoices import InvoiceGenerator
from sandbox.fullbay.totals import recompute

Json = dict[str, Any]


class Overlay:
    """The invoices of all shops as the source would show them now."""

    def __init__(self, generator: InvoiceGenerator) -> None:
        self.generator = generator
        self._changed: dict[str, tuple[str, date, bytes] | None] = {}
        self._added: list[tuple[str, date, bytes]] = []
        self._lock = Lock()

    def rows(self, shop_key: str, first: date, last: date) -> Iterator[bytes]:
        """The invoices of a shop dated `first` to `last` (inclusive), in order of date, as JSON."""
        with self._lock:
            changed, added = dict(self._changed), list(self._added)
        day = first
        while day <= last:
            for invoice in self.generator.generated(shop_key, day):
                if invoice.primary_key not in changed:
                    yield invoice.row
            for place in (*changed.values(), *added):
                if place is not None and place[0] == shop_key and place[1] == day:
                    yield place[2]
            day += timedelta(days=1)

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
        """Another tax rate (percent), and every total follows."""

        def change(invoice: Json) -> None:
            invoice["taxRate"] = invoice["TaxInformation"]["taxRate"] = rate
            invoice["TaxInformation"]["TaxLineInformation"] = [
                {"taxTitle": "Changed", "taxRate": 0, "taxTotal": "0"}
            ]
            invoice["taxTotal"] = 0.01  # not exempt
            recompute(invoice)

        return self.edit(primary_key, change)

    def re_date(self, primary_key: str, day: date) -> Json:
        """The invoice moves to another date."""
        return self.edit(primary_key, lambda invoice: invoice.update(invoiceDate=day.isoformat()))

    def void(self, primary_key: str) -> None:
        """The invoice is gone."""
        self.invoice(primary_key)
        with self._lock:
            self._changed[primary_key] = None

    def restore(self, primary_key: str) -> None:
        """The invoice is again as it was generated."""
        with self._lock:
            self._changed.pop(primary_key, None)

    def add(self, shop_key: str, day: date, payload: Json | bytes) -> None:
        """Show a payload of the caller's own on a date, whatever it is."""
        with self._lock:
            self._added.append((shop_key, day, payload if isinstance(payload, bytes) else _encode(payload)))


def _encode(invoice: Json) -> bytes:
    return json.dumps(invoice, separators=(",", ":")).encode()
