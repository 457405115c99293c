"""Text that a spreadsheet would calculate: made harmless in what we write, and taken back in what we read.

Belongs here: the characters, and both directions. Does not belong here: files. Why it is done so, and why signed
numbers stay as they are where a vendor corrects them: docs/decisions/0015-formulas-in-answer-files.md.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

# ASVS 1.2.10 and OWASP's list: tab and line breaks are skipped by spreadsheets before they look for a formula, and
# those of East Asia take the full-width signs for the others.
FORMULA_STARTS = frozenset("=+-@\t\r\n\0＝＋－＠")

_SIGNED_NUMBER = re.compile(r"[+-][0-9]+(?:[.,][0-9]+)*")
_NEUTRALISED = re.compile(r"^'[=+@\t\r\n\x00＝＋－＠-]")  # read by re and by Polars


def neutralised(text: str) -> str:
    """The text with an apostrophe in front when a spreadsheet would take it for a formula, else as it is."""
    return "'" + text if text[:1] in FORMULA_STARTS else text


def neutralised_but_numbers(text: str) -> str:
    """As `neutralised`, except that -5 and +1.20 stay: no spreadsheet calculates them, and vendors correct them."""
    if text[:1] not in FORMULA_STARTS or _SIGNED_NUMBER.fullmatch(text):
        return text
    return "'" + text


def restored(text: str) -> str:
    """What a cell of an uploaded file means: without the apostrophe that keeps a formula from being one."""
    return text[1:] if _NEUTRALISED.match(text) else text


def restored_expr(column: pl.Expr) -> pl.Expr:
    """`restored` for a column of text."""
    import polars as pl

    return (
        pl.when(column.str.contains(_NEUTRALISED.pattern))
        .then(column.str.strip_prefix("'"))
        .otherwise(column)
    )
