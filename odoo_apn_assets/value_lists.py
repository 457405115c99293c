"""The lists of values that coded APN columns may hold, and the statement that compares a mirror with them.

Belongs here: reading catalogue/apn_enums.json and composing sql/raw/checks/value_lists.sql from it. Does not belong
here: running it, or what other rules say of the same columns (`odoo_apn_assets.apn_rules`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from odoo_apn_assets.specs import TableSpec
from resources.sql import statement

if TYPE_CHECKING:
    from psycopg2.sql import Composable

_FILE = Path(__file__).resolve().parent / "catalogue" / "apn_enums.json"

ONLY_WHERE: dict[str, str] = {"us_state": "raw/checks/value_lists_us_state"}
"""Lists that bind some rows only, and the condition: states are free text outside the United States."""


class ValueList(NamedTuple):
    """One list: `aliases` maps another spelling to the listed one; `separator` splits cells that hold several."""

    name: str
    values: tuple[str, ...]
    aliases: Mapping[str, str]
    separator: str | None


@cache
def value_lists() -> dict[tuple[str, str], ValueList]:
    """(APN table without prefix, column) -> its list."""
    found = {}
    for name, entry in json.loads(_FILE.read_text(encoding="utf-8")).items():
        if name.startswith("_"):
            continue
        listed = ValueList(name, tuple(entry["values"]), entry.get("aliases", {}), entry.get("multi"))
        for place in entry["columns"]:
            table, column = place.split(".")
            found[table, column] = listed
    return found


def listed_columns(spec: TableSpec) -> dict[str, ValueList]:
    """The coded columns of one mirror; none for a table of Odoo."""
    if spec.system != "apn":
        return {}
    return {column: listed for (table, column), listed in value_lists().items() if table == spec.table}


def comparison(spec: TableSpec, lists: Mapping[str, ValueList]) -> tuple[Composable, dict[str, Any]]:
    """The statement that compares the columns in `lists` with their lists, and its parameters."""
    from psycopg2 import sql

    types = {column.name: column.type for column in spec.columns}
    cells = sql.SQL(", ").join(
        sql.SQL("({}, {})").format(sql.Literal(name), _cell(name, types[name], listed))
        for name, listed in lists.items()
    )
    text = sql.SQL(statement("raw/checks/value_lists")).format(
        table=sql.Identifier("raw", spec.raw_name), cells=cells
    )
    rows = [
        (column, value, value_listed)
        for column, listed in lists.items()
        for value, value_listed in {**listed.aliases, **{value: value for value in listed.values}}.items()
    ]
    columns, values, targets = (list(part) for part in zip(*rows, strict=True))
    return text, {"columns": columns, "values": values, "listed": targets}


def _cell(name: str, kind: str, listed: ValueList) -> Composable:
    """The column as an array of text: null where the list does not apply."""
    from psycopg2 import sql

    column = sql.Identifier("t", name)
    if kind == "text[]":
        cell: Composable = column
    elif listed.separator is not None:
        cell = sql.SQL("string_to_array({}, {})").format(column, sql.Literal(listed.separator))
    else:
        cell = sql.SQL("case when {0} is not null then array[{0}::text] end").format(column)
    if listed.name in ONLY_WHERE:
        cell = sql.SQL("case when {} then {} end").format(
            sql.SQL(statement(ONLY_WHERE[listed.name]).strip()), cell
        )
    return cell
