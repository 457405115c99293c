"""Flattened invoices -> the rows that COPY reads into the landing tables.

A line repeats its invoice, complaint and correction: 80 of its 112 columns. Each of those is sent once and joined by
Postgres (`insert_lines.sql`); sending them with every line costs three times the bytes and twice the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from msgspec.structs import astuple

from fullbay_assets.flattening import (
    COMPLAINT_COLUMNS,
    CORRECTION_COLUMNS,
    INVOICE_COLUMNS,
    LINE_COLUMNS,
    FlatInvoice,
)

LANDING_TABLES = {
    "incoming_invoices": ("invoice_no", "raw_data_id", *INVOICE_COLUMNS),
    "incoming_complaints": ("complaint_no", *COMPLAINT_COLUMNS),
    "incoming_corrections": ("correction_no", *CORRECTION_COLUMNS),
    "incoming_lines": ("invoice_no", "complaint_no", "correction_no", *LINE_COLUMNS),
}
"""Landing table -> its columns in the order of the rows."""

_NOTHING = "\\N"
_LINE_WIDTH = len(LINE_COLUMNS)


def _text(value: str) -> str:
    if "\\" in value:
        value = value.replace("\\", "\\\\")
    if "\n" in value:
        value = value.replace("\n", "\\n")
    if "\t" in value:
        value = value.replace("\t", "\\t")
    if "\r" in value:
        value = value.replace("\r", "\\r")
    return value


_RENDER: dict[type, Callable[[Any], str]] = {
    str: _text,
    Decimal: Decimal.__str__,
    int: int.__str__,
    bool: {True: "t", False: "f"}.__getitem__,
    date: date.isoformat,
    datetime: datetime.isoformat,
}


def copy_row(values: Iterable[Any]) -> str:
    """Values of known types -> one tab-separated row of COPY's text format, without the newline."""
    return "\t".join([_NOTHING if value is None else _RENDER[type(value)](value) for value in values])


def landing_rows(flats: Iterable[tuple[int, FlatInvoice]]) -> dict[str, str]:
    """(raw_data_id, flat invoice) pairs -> the text for each landing table, numbered within the batch."""
    invoices: list[str] = []
    complaints: list[str] = []
    corrections: list[str] = []
    lines: list[str] = []
    for invoice_no, (raw_data_id, flat) in enumerate(flats):
        invoices.append(f"{invoice_no}\t{raw_data_id}\t{copy_row(flat.invoice_values)}\n")
        # Lines of one complaint share its tuple, and come one after the other.
        complaint, correction = None, None
        for line in flat.lines:
            if line.complaint is not None and line.complaint is not complaint:
                complaint = line.complaint
                complaints.append(f"{len(complaints)}\t{copy_row(complaint)}\n")
            if line.correction is not None and line.correction is not correction:
                correction = line.correction
                corrections.append(f"{len(corrections)}\t{copy_row(correction)}\n")
            lines.append(
                f"{invoice_no}\t{_NOTHING if line.complaint is None else len(complaints) - 1}"
                f"\t{_NOTHING if line.correction is None else len(corrections) - 1}"
                f"\t{copy_row(astuple(line)[:_LINE_WIDTH])}\n"
            )
    texts = ("".join(rows) for rows in (invoices, complaints, corrections, lines))
    return dict(zip(LANDING_TABLES, texts, strict=True))
