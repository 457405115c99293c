"""The statements of a sync, with one table's identifiers put in: from SQL templates with `{named}` places.

Belongs here: what stands in those places. Identifiers are quoted by psycopg2.sql and come from the catalogue or from a
server's own catalog; values are bound, or quoted where COPY takes no parameters.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from odoo_apn_assets.drift import CopiedColumn, Layout, hash_operand

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from psycopg2.sql import Composable

Target = Literal["mirror_stage", "shadow"]
"""Where a COPY puts rows: beside the mirror, to be compared with it, or into the table that will replace it."""

# A server without an encoding hands out bytes as they are; everything else is asked for as UTF-8.
_WHOLE_ROW = """encode(convert_to(row_to_json(t)::text,
    case when getdatabaseencoding() = 'SQL_ASCII' then 'SQL_ASCII' else 'UTF8' end), 'hex')"""


class Composer:
    """Puts the names of one table's layout into statements. In those for the source the row is called t."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def for_warehouse(self, text: str, **parts: Composable) -> Composable:
        """A statement for the warehouse; `parts` are further places."""
        from psycopg2 import sql

        return sql.SQL(text).format(**self._parts, **parts)

    def for_source(
        self,
        connection: Connection,
        text: str,
        params: Mapping[str, Any] | None = None,
        *,
        where: str = "true",
        target: Target = "mirror_stage",
    ) -> str:
        """A statement for the source, or the COPY that takes its rows, with `params` as literals."""
        from psycopg2 import sql

        expressions = sql.SQL(", ").join(
            sql.SQL("t.{}::text" if column.as_text else "t.{}").format(sql.Identifier(column.name))
            for column in self._layout.columns
        )
        composed = sql.SQL(text.replace("{where}", where)).format(
            expressions=expressions,
            hash=self._hash("source_type"),
            source=sql.Identifier(self._layout.spec.table),
            mark=self._parts["mark"],
            columns=self._parts["columns"],
            target=self._parts["shadow"] if target == "shadow" else sql.Identifier(target),
            whole_row=sql.SQL(_WHOLE_ROW),
            # Texts are put in the order of their bytes, whatever the source's language.
            collate=sql.SQL("" if self._layout.spec.key_type == "integer" else ' collate "C"'),
        )
        with connection.cursor() as cursor:
            shown = composed.as_string(cursor)
            return shown if params is None else cursor.mogrify(shown, params).decode()

    def stage_columns(self) -> Composable:
        """The select list that makes the stage's columns: the mirror's, or text where the source's type differs."""
        from psycopg2 import sql

        return sql.SQL(", ").join(
            sql.SQL("null::text as {}" if column.as_text else "{}").format(sql.Identifier(column.name))
            for column in self._layout.columns
        )

    @cached_property
    def _parts(self) -> dict[str, Composable]:
        from psycopg2 import sql

        layout, raw_name = self._layout, self._layout.spec.raw_name
        settable = [column.name for column in layout.columns if column.name != "id"]
        differs: Composable = sql.SQL("m._row_hash is distinct from excluded._row_hash")
        if layout.hash_method == "none":
            differs = sql.SQL("({}) is distinct from ({})").format(
                names("m.", settable), names("excluded.", settable)
            )
        return {
            "mirror": sql.Identifier("raw", raw_name),
            "shadow": sql.Identifier("raw", f"new_{raw_name}"),
            "columns": names("", (column.name for column in layout.columns)),
            "values": sql.SQL(", ").join(_converted(column) for column in layout.columns),
            "assignments": sql.SQL(", ").join(
                sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in settable
            ),
            "differs": differs,
            "mark": sql.Identifier(layout.mark or "id"),
            "hash": self._hash("type"),
        }

    def _hash(self, side: Literal["type", "source_type"]) -> Composable:
        """The row hash over all copied columns, by the types of the mirror or of the source."""
        from psycopg2 import sql

        method = self._layout.hash_method
        if method == "none":
            return sql.SQL("null::bigint")
        row = sql.SQL("row({})").format(
            sql.SQL(", ").join(
                sql.SQL(hash_operand(method, "t.{}", getattr(column, side))).format(
                    sql.Identifier(column.name)
                )
                for column in self._layout.columns
            )
        )
        if method == "record":
            return sql.SQL("hash_record_extended({}, 0)").format(row)
        return sql.SQL("('x' || left(md5({}::text), 16))::bit(64)::bigint").format(row)


def names(prefix: str, columns: Iterable[str]) -> Composable:
    """A list of quoted column names, each with a prefix such as `m.`."""
    from psycopg2 import sql

    return sql.SQL(", ").join(sql.SQL(prefix + "{}").format(sql.Identifier(name)) for name in columns)


def _converted(column: CopiedColumn) -> Composable:
    """A staged column as the mirror's type; what does not fit is null, and stands in quarantine."""
    from psycopg2 import sql

    staged = sql.SQL("s.{}").format(sql.Identifier(column.name))
    if not column.as_text:
        return staged
    return sql.SQL("case when raw.converts({0}, {1}) then {0}::{2} end").format(
        staged, sql.Literal(column.type), sql.SQL(column.type)
    )
