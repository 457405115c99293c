"""The page docs/commerce_rules.md, written from the code: a list kept by hand would lag behind.

Belongs here: the page's text. Does not belong here: what is checked. `python -m commerce_assets.rules_document` writes
the page anew; a test holds the file against this module.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from commerce_assets.reading import (
    COLUMNS,
    FILE_PROBLEMS,
    OPTIONAL_COLUMNS,
    REQUIRED,
    ROW_PROBLEMS,
    Limits,
    header_names,
)
from commerce_assets.rules import OTHER_CODES, RULES, VERSION

PAGE = Path(__file__).resolve().parent.parent / "docs" / "commerce_rules.md"

_INTRODUCTION = """\
# Rules for product files

<!-- Written by "python -m commerce_assets.rules_document"; not by hand. -->

What a vendor's product file is checked for (`commerce_assets/reading.py`, `commerce_assets/rules.py`). Codes do not
change. *fatal* ends the reading of the file, *error* rejects the row, *warning* and *info* are told and reject
nothing. All findings of a row are reported; its first error, in the order of this page, is its error type.

Text counts without the spaces around it, and is kept as it came. A number is first held against a pattern of plain
digits, so that `1e5`, `NaN`, `1_000`, fractions of a piece and digits of other scripts are refused, never converted.
Decimals have a point, or a comma where the vendor's locale is declared to write one. Thousands are parted under a
declared locale only, and where decimals follow: `1.234,56` under `de`, never `1.234`, which could be two numbers.
Where there is only one reading of what was meant, the finding suggests it (`$12.50` -> `12.50`, `12,50` -> `12.50`,
a misspelt category -> the one that is nearly spelt so, another word for one -> the one that means it).
"""

_READING = """\
A file is UTF-8 (with or without its mark), UTF-16, or Windows-1252 where the text reads well in it; cells are separated
by comma, semicolon, tab or bar and quoted by `"` or `'`; lines end with CR, LF or both; a first line `sep=;` is
understood. Lines without any character are not rows. Of a record of several lines that is broken, its first line is
refused and reading goes on with the second.
"""


def text() -> str:
    """The whole page."""
    return "\n".join((_INTRODUCTION, _files(), _rows(), _rules(), _columns()))


def _files() -> str:
    limits = Limits()
    defaults = (
        f"Unless set otherwise: {limits.file_bytes:,} bytes, {limits.rows:,} rows, {limits.columns} columns, "
        f"{limits.line_characters:,} characters a row, {limits.cell_characters:,} a cell.\n"
    )
    rows = ((f"`{code}`", "fatal", words) for code, words in FILE_PROBLEMS.items())
    return f"## The file\n\n{_READING}{defaults}\n" + _table(("code", "severity", "given when"), rows)


def _rows() -> str:
    rows = ((f"`{code}`", "error", words) for code, words in ROW_PROBLEMS.items())
    return "## Rows that cannot be read\n\n" + _table(("code", "severity", "given when"), rows)


def _rules() -> str:
    listed = [(f"`{r.code}`", r.severity, f"`{r.field}`", r.holds, r.hint, _yes(r.suggest)) for r in RULES]
    others = [
        (f"`{code}`", severity, f"`{field}`" if field else "", holds, "", "")
        for code, (severity, field, holds) in OTHER_CODES.items()
    ]
    heads = ("code", "severity", "field", "holds when it is silent", "hint", "suggests")
    return f"## The rules, version {VERSION}\n\n" + _table(heads, (*listed, *others))


def _columns() -> str:
    names = header_names()
    rows = (
        (
            f"`{column}`",
            "required" if column in REQUIRED else "",
            ", ".join(name for name, meant in names.items() if meant == column),
        )
        for column in (*COLUMNS, *OPTIONAL_COLUMNS)
    )
    text = (
        "Capitals, and whether words are parted by a space, a dash, a dot or a line below, make no difference. Other\n"
        "columns are kept with the row and read by nothing.\n\n"
    )
    return "## Columns and the names they go by\n\n" + text + _table(("column", "", "names"), rows)


def _yes(value: object) -> str:
    return "yes" if value is not None else ""


def _table(heads: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    lines = (
        "| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |\n" for line in (heads, *rows)
    )
    head, *body = lines
    return head + "|" + "---|" * len(heads) + "\n" + "".join(body)


def main() -> int:
    """Write the page."""
    PAGE.write_text(text(), encoding="utf-8")
    sys.stdout.write(f"{PAGE.name}: {len(RULES)} rules\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
