"""Prepared invoices: generated once, kept in a file, and read from it as a stream.

One line an invoice: primaryKey, tab, the JSON as the source sends it. JSON holds no raw tab or newline, so the same
bytes are a COPY of the documents (`COPY_OPTIONS`) and the pages that our client decodes; no side pays for the other's
format.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path

import msgspec

from benchmarks.worker import ROOT
from fullbay_assets.client import FullbayClient, ReceivedInvoice
from fullbay_assets.protocol import PageAnswer, decode_page
from resources.settings import FullbaySettings, Shop

FOLDER = ROOT / ".sandbox" / "bench"
COPY_OPTIONS = r"format csv, delimiter e'\t', quote e'\x01'"
PAGE_INVOICES = 250
SHOP = Shop("default", "key of the benchmarks")


class Documents(msgspec.Struct, frozen=True):
    """A file of invoices and what is in it: how many, how many bytes of JSON, and the dates they span."""

    path: str
    count: int
    size: int
    first: date
    last: date


def prepared(count: int, *, per_day: int, first_day: date, shops: int = 1, seed: int = 7) -> Documents:
    """`count` invoices from `first_day` on, `per_day` in the mean; generated when there is no file of them yet."""
    FOLDER.parent.mkdir(mode=0o700, exist_ok=True)
    FOLDER.mkdir(mode=0o700, exist_ok=True)
    name = f"{count}-{per_day}-{first_day}-{shops}-{seed}"
    path = FOLDER / f"invoices-{name}-{_generator_version()}.csv"
    facts = path.with_suffix(".json")
    with suppress(FileNotFoundError):
        return msgspec.json.decode(facts.read_bytes(), type=Documents)
    for outdated in FOLDER.glob(f"invoices-{name}-*"):
        outdated.unlink()
    partial = path.with_suffix(f".{os.getpid()}.partial")
    size, last = _generate(partial, count, per_day, first_day, shops, seed)
    partial.replace(path)
    documents = Documents(str(path), count, size, first_day, last)
    facts.write_bytes(msgspec.json.encode(documents))
    return documents


def _generate(
    path: Path, count: int, per_day: int, first_day: date, shops: int, seed: int
) -> tuple[int, date]:
    from sandbox.fullbay.invoices import InvoiceGenerator
    from sandbox.fullbay.parties import DEFAULT_SHOPS

    generator = InvoiceGenerator(seed, per_day, first_day, DEFAULT_SHOPS[:shops])
    left, size, day = count, 0, first_day
    with path.open("wb") as file:
        while True:
            for shop in generator.shop_keys:
                for invoice in generator.generated(shop, day)[:left]:
                    file.write(b"%b\t%b\n" % (invoice.primary_key.encode(), invoice.row))
                    size += len(invoice.row)
                    left -= 1
            if not left:
                return size, day
            day += timedelta(days=1)


def _generator_version() -> str:
    digest = hashlib.sha256()
    for source in sorted((ROOT / "sandbox" / "fullbay").glob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:12]


def rows(documents: Documents) -> Iterator[bytes]:
    """The JSON of each invoice, in order."""
    with open(documents.path, "rb") as file:
        for line in file:
            yield line[line.index(b"\t") + 1 : -1]


def pages(payloads: Iterator[bytes]) -> Iterator[bytes]:
    """Bodies as the API answers them."""
    page: list[bytes] = []
    for payload in payloads:
        page.append(payload)
        if len(page) == PAGE_INVOICES:
            yield _body(page)
            page = []
    if page:
        yield _body(page)


def _body(page: Sequence[bytes]) -> bytes:
    return b'{"status":"SUCCESS","totalCount":%d,"totalPages":1,"resultSet":[%b]}' % (
        len(page),
        b",".join(page),
    )


def settings() -> FullbaySettings:
    """Settings of one shop whose source is never asked."""
    return FullbaySettings(
        base_url="http://127.0.0.1:9/services/", api_version="v1", shops=(SHOP,), public_ip="127.0.0.1"
    )


class PreparedClient(FullbayClient):
    """The client with its network replaced: pages are made of `payloads`, and decoded as if they had been received."""

    def __init__(self, payloads: Iterator[bytes]) -> None:
        super().__init__(settings(), SHOP)
        self._payloads = payloads

    def invoices(self, start: date, end: date) -> Iterator[ReceivedInvoice]:
        for number, body in enumerate(pages(self._payloads), 1):
            answer = decode_page(body, doing="reading a prepared page")
            if not isinstance(answer, PageAnswer):
                raise RuntimeError(f"a prepared page was refused: {answer.message}")
            for index, record in enumerate(answer.records):
                yield ReceivedInvoice(SHOP.key, start, end, number, index, bytes(record.payload), *record[1:])
