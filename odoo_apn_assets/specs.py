"""One frozen spec per mirrored table, made from the catalogue: DDL, select lists, metadata and checks follow from it.

Belongs here: what a source table looks like and how its mirror in RAW is declared. Does not belong here: connections,
or what a live source really holds (`odoo_apn_assets.drift`).

`python -m odoo_apn_assets.specs` writes sql/raw/migrations/0002_tables.sql anew; a test holds the file against this
module.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from odoo_apn_assets.catalogue import source_columns

Contract = Literal["evolve", "freeze", "fixed"]
"""What becomes of a column that the catalogue lacks: it joins the mirror, is only reported, or is not looked at."""

MARKS = {"odoo": "write_date", "opportunity": "aws_last_modified_date"}
"""The column that moves when a row is edited: of every Odoo table, and of one APN table. The others have none."""

FROZEN: frozenset[str] = frozenset()
"""Mirrors (such as odoo_crm_lead) that take no new columns: the drift is reported only. All others evolve."""

LOOKUPS: dict[str, tuple[tuple[str, str, str], ...]] = {
    "res_users": (
        ("id", "integer", "Row key"),
        ("partner_id", "integer", "The partner that holds the user's name and address"),
        ("login", "character varying", "Login name, an e-mail address as a rule"),
        ("active", "boolean", "Whether the user may log in"),
        ("write_date", "timestamp without time zone", "Last change"),
    ),
    "res_country": (
        ("id", "integer", "Row key"),
        ("code", "character varying", "ISO 3166 code"),
        ("name", "character varying", "Country name"),
        ("write_date", "timestamp without time zone", "Last change"),
    ),
}
"""Odoo tables outside the 17, read with these columns only: res_users also holds passwords, TOTP secrets and tokens."""

METADATA = (
    ("_raw_id", "bigint", "Key of the mirrored row"),
    ("_ingested_at", "timestamp", "When this version of the row arrived, UTC"),
    ("_source_system", "varchar(50)", "odoo or apn"),
    ("_sync_batch_id", "uuid", "ops.sync_jobs.job_id of the sync that wrote this version"),
    ("_row_hash", "bigint", "Hash of all source columns, computed at the source"),
    (
        "_deleted_at",
        "timestamp",
        "When a sync found the row gone from the source, UTC; null while it is there",
    ),
)
"""Columns of every mirror before those of the source."""

_HEADER = """\
-- The mirrors of the Odoo and APN tables: 23 tables with the 1,321 columns of the catalogue, and two lookups.
-- Generated from odoo_apn_assets/catalogue by "python -m odoo_apn_assets.specs"; not written by hand.
-- Grain: one row per source row, also after it is gone from the source. Key: id. Names map by name, never by position.
"""
MIGRATION = Path(__file__).resolve().parent.parent / "sql/raw/migrations/0002_tables.sql"


@dataclass(frozen=True)
class Column:
    """One source column; `relation` is the catalogue's name of what it points to."""

    name: str
    type: str
    relation: str | None
    description: str | None


@dataclass(frozen=True)
class TableSpec:
    """One source table and its mirror. `mark` is the column whose value rises with each edit, if there is one."""

    system: Literal["odoo", "apn"]
    table: str
    columns: tuple[Column, ...]
    mark: str | None
    contract: Contract = "evolve"

    @property
    def is_lookup(self) -> bool:
        """Whether this is one of the two tables outside the 23."""
        return self.contract == "fixed"

    @property
    def raw_name(self) -> str:
        """Name of the mirror in schema raw."""
        return f"lookup_{self.table}" if self.is_lookup else f"{self.system}_{self.table}"

    @property
    def key_type(self) -> str:
        """Type of the column `id`."""
        return next(column.type for column in self.columns if column.name == "id")


@cache
def specs() -> tuple[TableSpec, ...]:
    """All 25: 17 Odoo tables, 6 APN tables, then the two lookups; by system and name."""
    columns: dict[tuple[str, str], list[Column]] = {}
    for known in source_columns():
        column = Column(known.column_name, known.data_type, known.relation, known.description)
        columns.setdefault((known.source_system, known.table_name), []).append(column)
    mirrored = [
        TableSpec(
            system,  # type: ignore[arg-type]
            table,
            tuple(found),
            MARKS.get(system) or MARKS.get(table),
            "freeze" if f"{system}_{table}" in FROZEN else "evolve",
        )
        for (system, table), found in columns.items()
    ]
    lookups = [
        TableSpec(
            "odoo",
            table,
            tuple(Column(name, kind, None, description) for name, kind, description in found),
            "write_date",
            "fixed",
        )
        for table, found in LOOKUPS.items()
    ]
    return (*mirrored, *lookups)


def specs_of(system: str) -> tuple[TableSpec, ...]:
    """The specs of one source system, lookups included."""
    return tuple(spec for spec in specs() if spec.system == system)


def spec_of(raw_name: str) -> TableSpec:
    """The spec whose mirror is raw.<raw_name>. Raises KeyError for an unknown name."""
    for spec in specs():
        if spec.raw_name == raw_name:
            return spec
    raise KeyError(raw_name)


def quoted(name: str) -> str:
    """An identifier as SQL takes it literally: 85 source columns have capital letters."""
    return '"' + name.replace('"', '""') + '"'


def create_statement(spec: TableSpec) -> str:
    """The mirror's CREATE TABLE and its unique index on the source's key."""
    lines = [
        "_raw_id bigint generated by default as identity primary key",
        "_ingested_at timestamp default current_timestamp",
        f"_source_system varchar(50) default '{spec.system}'",
        "_sync_batch_id uuid",
        "_row_hash bigint",
        "_deleted_at timestamp",
        *(
            f"{quoted(column.name)} {column.type}{' not null' if column.name == 'id' else ''}"
            for column in spec.columns
        ),
    ]
    body = ",\n".join(f"    {line}" for line in lines)
    return (
        f"create table raw.{spec.raw_name} (\n{body}\n);\n"
        f"create unique index uq_{spec.raw_name}_id on raw.{spec.raw_name} (id);\n"
    )


def migration_text() -> str:
    """The migration that creates all mirrors."""
    return _HEADER + "".join(f"\n{create_statement(spec)}" for spec in specs())


def main() -> int:
    """Write the migration's file."""
    MIGRATION.write_text(migration_text(), encoding="utf-8")
    sys.stdout.write(f"{MIGRATION.name}: {len(specs())} tables\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
