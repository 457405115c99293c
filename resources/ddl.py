"""What a table looks like, read from the migration that creates it: one source for columns, types and comments."""

from __future__ import annotations

import re
from functools import cache

from resources.sql import ROOT

_TABLE = re.compile(r"create table (?:if not exists )?(\S+) \(\n(.*?)\n\)", re.DOTALL)
_COLUMN = re.compile(r"    ([a-z_][a-z0-9_]*) (.+?),?\s*(?:--\s*(.*))?$")
_CONSTRAINT = ("constraint", "primary", "unique", "check", "foreign", "exclude")


@cache
def tables(schema: str) -> dict[str, tuple[tuple[str, str, str | None], ...]]:
    """Table name (without schema) -> its columns as (name, type, comment), from sql/<schema>/migrations."""
    found = {}
    for path in sorted((ROOT / schema / "migrations").glob("*.sql")):
        for name, body in _TABLE.findall(path.read_text(encoding="utf-8")):
            columns = (_COLUMN.fullmatch(line) for line in body.splitlines())
            found[name.removeprefix(f"{schema}.")] = tuple(
                (match[1], _type(match[2]), match[3])
                for match in columns
                if match and match[1] not in _CONSTRAINT
            )
    return found


def _type(definition: str) -> str:
    words = re.split(
        r" (?:not null|default|primary key|references|generated|unique|check|null)\b", definition
    )
    return words[0]


def table_metadata(schema: str, table: str) -> dict[str, object]:
    """The metadata every table asset carries: its full name and its columns."""
    import dagster as dg

    columns = [
        dg.TableColumn(name=name, type=kind, description=comment)
        for name, kind, comment in tables(schema)[table]
    ]
    return {
        "dagster/table_name": f"{schema}.{table}",
        "dagster/column_schema": dg.TableSchema(columns=columns),
    }
