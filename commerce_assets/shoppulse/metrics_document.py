"""What is written from the registry of metrics: the rows of `shoppulse.metrics`, and the list in docs/shoppulse.md.

Belongs here: the two texts. Does not belong here: the registry itself. Both are written anew by `python -m
commerce_assets.shoppulse.metrics_document`; tests hold the files against this module.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from commerce_assets.shoppulse.metrics import DISCLOSURES, IDENTITIES, METRICS, REASONS, closure

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs" / "shoppulse.md"
SQL = ROOT / "sql" / "shoppulse" / "functions" / "metric_registry.sql"
BEGIN = '<!-- metrics: written by "python -m commerce_assets.shoppulse.metrics_document", not by hand -->'
END = "<!-- end of metrics -->"

_HEAD = """\
-- The registry of metrics, commerce_assets/shoppulse/metrics.py, as rows. Written by "python -m
-- commerce_assets.shoppulse.metrics_document"; not by hand. Re-runnable: what is no metric any more goes.
delete from shoppulse.metric_disclosures;
delete from shoppulse.metric_identities;
delete from shoppulse.metrics;
insert into shoppulse.metrics
    (metric_number, metric_name, formula, grain, dated, unit, null_rule, source, strict, owner, depends_on, needs)
values
"""
_BETWEEN = """\
insert into shoppulse.metric_identities (metric_name, first_name, operator, second_name)
values
"""
_LAST = """\
insert into shoppulse.metric_disclosures (metric_name, source_name, how)
values
"""


def sql() -> str:
    """The statements that make the three tables what the registry is, whatever they were before."""
    metrics = ",\n".join(
        "    ("
        + ", ".join(
            (
                str(one.number),
                *map(
                    _text, (one.name, one.formula, one.grain, one.dated, one.unit, one.null_rule, one.source)
                ),
                str(one.strict).lower(),
                _text(one.owner),
                _array(one.depends_on),
                _array(closure(one.name)),
            )
        )
        + ")"
        for one in METRICS.values()
    )
    identities = ",\n".join(
        f"    ({', '.join(map(_text, (one.result, one.first, one.operator, one.second)))})"
        for one in IDENTITIES
    )
    disclosures = ",\n".join(
        f"    ({', '.join(map(_text, (one.metric, one.source, one.how)))})" for one in DISCLOSURES
    )
    return f"{_HEAD}{metrics};\n{_BETWEEN}{identities};\n{_LAST}{disclosures};\n"


def table() -> str:
    """The lists of metrics, identities, disclosures and reasons, as Markdown."""
    metrics = (
        (f"`{one.name}`", one.formula, f"`{one.dated}`", one.unit, one.null_rule, _names(one.depends_on))
        for one in METRICS.values()
    )
    identities = ((f"`{one.result}`", f"`{one.first}` {one.operator} `{one.second}`") for one in IDENTITIES)
    disclosures = ((f"`{one.metric}`", f"`{one.source}`", one.how) for one in DISCLOSURES)
    reasons = ((f"`{code}`", words) for code, words in REASONS.items())
    return "\n".join(
        (
            _table(("metric", "formula", "dated by", "unit", "NULL", "depends on"), metrics),
            _table(("known from two of", ""), identities),
            _table(("given away", "by", "as far as that is"), disclosures),
            _table(("reason", "said when"), reasons),
        )
    )


def page(text: str) -> str:
    """The page with its generated part made current. Raises ValueError when it has no place for it."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{PAGE.name} has no lines {BEGIN!r} and {END!r} to write between")
    return f"{before}{BEGIN}\n\n{table()}\n{END}{after}"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _array(names: Iterable[str]) -> str:
    return _text("{" + ",".join(names) + "}")


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    head, *body = ("| " + " | ".join(cells) + " |\n" for cells in (heads, *rows))
    return head + "|" + "---|" * len(heads) + "\n" + "".join(body)


def main() -> int:
    """Write both files."""
    SQL.write_text(sql(), encoding="utf-8")
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    sys.stdout.write(f"{len(METRICS)} metrics written to {SQL.name} and {PAGE.name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
