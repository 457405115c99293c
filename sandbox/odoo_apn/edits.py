"""Changing a source after it was built, as its users would: rows edited, added and deleted, columns added, dropped, retyped.

Each function works on an open connection and leaves the transaction to its caller, so that a test decides what is seen
when. Which rows are met follows from the seed and the rows that are there; only the marks (`write_date`,
`aws_last_modified_date`) come from the clock, as in a real source.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from odoo_apn_assets.specs import MARKS, TableSpec, quoted
from sandbox.odoo_apn import schema

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

System = Literal["odoo", "apn"]
Keys = list[int] | list[str]
NOW = "(clock_timestamp() at time zone 'UTC')"


@dataclass(frozen=True)
class Edits:
    """What `edit` did: how many rows by table."""

    changed: dict[str, int]
    inserted: dict[str, int]
    deleted: dict[str, int]


def table_of(table: str) -> TableSpec:
    """The spec of a table of either source. Raises ValueError for a name that the catalogue does not have."""
    for system in ("odoo", "apn"):
        for spec in schema.tables(system):
            if spec.table == table:
                return spec
    raise ValueError(f"{table!r} is no table of the catalogue.")


def change_rows(
    connection: Connection,
    table: str,
    count: int,
    seed: int = 0,
    *,
    mark: bool = True,
    columns: Sequence[str] = (),
) -> Keys:
    """Give up to `count` rows another text, number or date in two columns (or in `columns`), and their mark the time.

    Without `mark` the change is one that the source did not write down. Returns the keys of the rows.
    """
    spec = table_of(table)
    with connection.cursor() as cursor:
        present = _columns(cursor, table)
        wanted = list(columns) or _changeable(spec, present, seed)
        assignments = [f"{quoted(name)} = {_other_value(name, present[name], seed)}" for name in wanted]
        if mark and (moved := _mark(spec)) in present:
            assignments.append(f"{quoted(str(moved))} = {NOW}")
        keys = _some_keys(cursor, spec, count, seed, "true")
        cursor.execute(
            f"update {quoted(table)} set {', '.join(assignments)} where id = any(%s{_array(spec)})", (keys,)
        )
    return keys


def insert_rows(connection: Connection, table: str, count: int, seed: int = 0) -> Keys:
    """Add `count` rows that are like rows already there, under new keys. Returns the keys."""
    spec = table_of(table)
    with connection.cursor() as cursor:
        present = _columns(cursor, table)
        moments = {"create_date", "aws_create_date", _mark(spec)} & set(present)
        others = [name for name in present if name != "id" and name not in moments]
        if spec.system == "odoo":
            key = f"nextval(pg_get_serial_sequence('{table}', 'id'))"
        else:
            # Above every number that was given out; the prefix is that of the row it is like.
            cursor.execute(
                f"select coalesce(max(nullif(substring(id from '[0-9]+$'), '')::bigint), 0) from {quoted(table)}"
            )
            row = cursor.fetchone()
            last = max(int(row[0]) if row else 0, 90_000_000)
            key = f"regexp_replace(id, '[0-9]+$', '') || ({last} + row_number() over (order by place, id))"
        names = ", ".join(quoted(name) for name in ("id", *others, *sorted(filter(None, moments))))
        listed = ", ".join([key, *(quoted(name) for name in others), *(NOW for _ in moments)])
        cursor.execute(f"select count(*) from {quoted(table)}")
        row = cursor.fetchone()
        rounds = -(-count // max(int(row[0]) if row else 1, 1))
        cursor.execute(
            f"insert into {quoted(table)} ({names}) select {listed} from {quoted(table)},"
            f" generate_series(1, %s) as place order by place, hashtextextended(id::text, %s), id limit %s returning id",
            (rounds, seed, count),
        )
        return [row[0] for row in cursor.fetchall()]


def delete_rows(connection: Connection, table: str, count: int, seed: int = 0) -> Keys:
    """Delete up to `count` rows that nothing in the database points to by a foreign key. Returns the keys."""
    spec = table_of(table)
    unused = "true"
    if spec.system == "apn":
        pointing = [
            f"not exists (select from {quoted(other.table)} o where o.{quoted(column.name)} = t.id)"
            for other in schema.tables("apn")
            for column in other.columns
            if (column.relation or "").partition(".")[0] == table
        ]
        unused = " and ".join(pointing) or "true"
    with connection.cursor() as cursor:
        keys = _some_keys(cursor, spec, count, seed, unused)
        cursor.execute(f"delete from {quoted(table)} where id = any(%s{_array(spec)})", (keys,))
    return keys


def add_column(
    connection: Connection, table: str, column: str, kind: str = "character varying", fill: str | None = None
) -> None:
    """Add a column; `fill` is a text that every row gets, cast to the type. Filling does not move the mark."""
    table_of(table)
    with connection.cursor() as cursor:
        cursor.execute(f"alter table {quoted(table)} add column {quoted(column)} {_type(kind)}")
        if fill is not None:
            cursor.execute(f"update {quoted(table)} set {quoted(column)} = %s::{_type(kind)}", (fill,))


def drop_column(connection: Connection, table: str, column: str) -> None:
    """Drop a column."""
    table_of(table)
    with connection.cursor() as cursor:
        cursor.execute(f"alter table {quoted(table)} drop column {quoted(column)}")


def retype_column(connection: Connection, table: str, column: str, kind: str) -> None:
    """Give a column another type; a value that cannot be cast fails as it would by hand."""
    table_of(table)
    with connection.cursor() as cursor:
        cursor.execute(
            f"alter table {quoted(table)} alter column {quoted(column)} type {_type(kind)}"
            f" using {quoted(column)}::text::{_type(kind)}"
        )


def edit(connection: Connection, system: System, count: int, seed: int = 0) -> Edits:
    """A busy hour: `count` rows changed in all, a fifth as many added, a tenth deleted; most in the largest tables."""
    tables = [spec.table for spec in schema.tables(system)]
    first = "crm_lead" if system == "odoo" else "opportunity"
    shares = {table: count // (2 * len(tables)) for table in tables}
    shares[first] += count - sum(shares.values())
    changed, inserted, deleted = {}, {}, {}
    for table, share in shares.items():
        changed[table] = len(change_rows(connection, table, share, seed))
    inserted[first] = len(insert_rows(connection, first, -(-count // 5), seed))
    deleted[first] = len(delete_rows(connection, first, count // 10, seed + 1))
    return Edits({table: n for table, n in changed.items() if n}, inserted, deleted)


def _mark(spec: TableSpec) -> str | None:
    return spec.mark or MARKS.get(spec.system)


def _columns(cursor: Cursor, table: str) -> dict[str, str]:
    """The columns that the table has now, with their types."""
    cursor.execute(
        "select attname, format_type(atttypid, atttypmod) from pg_attribute"
        " where attrelid = %s::regclass and attnum > 0 and not attisdropped order by attnum",
        (quoted(table),),
    )
    return dict(cursor.fetchall())


def _changeable(spec: TableSpec, present: dict[str, str], seed: int) -> list[str]:
    """Two columns that are no key, no reference and no mark; which ones depends on the seed."""
    fixed = {"id", "create_date", "aws_create_date", _mark(spec)}
    fixed |= {column.name for column in spec.columns if column.relation}
    free = [
        name
        for name, kind in present.items()
        if name not in fixed
        and re.match(r"character varying$|character varying\(\d{3}\)|text$|numeric|date$", kind)
    ]
    if not free:
        raise ValueError(f"{spec.table} has no column left that could be changed.")
    return sorted({free[seed % len(free)], free[(seed * 7 + 3) % len(free)]})


def _other_value(name: str, kind: str, seed: int) -> str:
    """A value of the column's type that is not the one it has."""
    old = quoted(name)
    if kind.startswith(("numeric", "integer", "bigint", "double precision")):
        return f"coalesce({old}, 0) + 1"
    if kind == "date" or kind.startswith("timestamp"):
        return f"coalesce({old}, date '2026-01-01') + interval '1 day'"
    if kind == "boolean":
        return f"not coalesce({old}, false)"
    if kind == "jsonb":
        return f"jsonb_build_array({old})"
    if kind == "text[]":
        return f"array_append({old}, 'edited')"
    length = re.search(r"\((\d+)\)", kind)
    edited = f"left(coalesce({old}, ''), {max(int(length[1]) - 12, 0) if length else 60}) || ' e' || (hashtext(coalesce({old}, '')) & 65535)"
    return f"left({edited}, {length[1]})" if length else edited


def _some_keys(cursor: Cursor, spec: TableSpec, count: int, seed: int, condition: str) -> Keys:
    cursor.execute(
        f"select id from {quoted(spec.table)} t where {condition} order by hashtextextended(id::text, %s), id limit %s",
        (seed, count),
    )
    return [row[0] for row in cursor.fetchall()]


def _array(spec: TableSpec) -> str:
    return "::integer[]" if spec.system == "odoo" else "::varchar[]"


def _type(kind: str) -> str:
    if not re.fullmatch(r"[a-z][a-z ]*(\(\d+(, ?\d+)?\))?( [a-z ]+)?(\[\])?", kind):
        raise ValueError(f"{kind!r} is no name of a type.")
    return kind
