"""The catalogue of source columns: what the Odoo and APN databases hold, 23 tables and 1,321 columns.

Two CSV files beside this module are the source; the tables of RAW follow from them.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

_FOLDER = Path(__file__).resolve().parent


class SourceColumn(NamedTuple):
    """One column of a source table; `relation` names the Odoo model or table that it refers to."""

    source_system: str
    table_name: str
    position: int
    column_name: str
    data_type: str
    relation: str | None
    description: str | None


def source_columns() -> list[SourceColumn]:
    """All columns of both systems, ordered by system, table and position."""
    found = []
    for system in ("odoo", "apn"):
        with (_FOLDER / f"{system}_fields.csv").open(encoding="utf-8", newline="") as file:
            found += [
                SourceColumn(
                    system,
                    row["table"],
                    int(row["position"]),
                    row["column"],
                    row["pg_type"],
                    row["relation"] or None,
                    row["description"] or None,
                )
                for row in csv.DictReader(file, strict=True)
            ]
    return sorted(found, key=lambda column: (column.source_system, column.table_name, column.position))
