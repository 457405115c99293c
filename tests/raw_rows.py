"""Rows of RAW for tests of CORE, put there as the mirror would: changed, announced to the tables that read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg2
from psycopg2 import sql

from odoo_apn_assets.core import CORE_READERS, Transformed, transform
from resources.leases import lease
from resources.sql import Session

if TYPE_CHECKING:
    from resources.settings import DatabaseSettings


class Raw:
    """RAW of one warehouse, and CORE made from it."""

    def __init__(self, settings: DatabaseSettings) -> None:
        self.settings = settings
        self.connection = self._connect()
        self.connection.autocommit = True

    def _connect(self, retry: bool = True) -> Any:
        given = self.settings
        return psycopg2.connect(
            host=given.host, port=given.port, dbname=given.name, user=given.user, password=given.password
        )

    def put(self, table: str, id: int | str, /, **columns: Any) -> None:
        """Insert or change one row of raw.<table>; a row that was deleted is there again."""
        names = ["id", *columns]
        statement = sql.SQL(
            "insert into raw.{table} ({names}) values ({values}) on conflict (id) do update set {sets}"
        ).format(
            table=sql.Identifier(table),
            names=sql.SQL(", ").join(map(sql.Identifier, names)),
            values=sql.SQL(", ").join(sql.Placeholder() for _ in names),
            sets=sql.SQL(", ").join(
                [
                    sql.SQL("_deleted_at = null"),
                    *(sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in columns),
                ]
            ),
        )
        self.query(statement, [id, *columns.values()])
        self.announce(table, id)

    def delete(self, table: str, id: int | str) -> None:
        """Mark one row as gone from the source."""
        self.query(
            sql.SQL("update raw.{} set _deleted_at = now() where id = %s").format(sql.Identifier(table)), [id]
        )
        self.announce(table, id)

    def announce(self, table: str, id: int | str | None) -> None:
        for target, readers in CORE_READERS.items():
            if table in readers:
                self.query(
                    "insert into ops.raw_changes values (%s, %s, %s)",
                    [target, table, None if id is None else str(id)],
                )

    def transform(self, target: str, *, full: bool = False) -> Transformed:
        """Bring core.<target> in line, as the asset does."""
        session = Session(self._connect)
        try:
            with lease(self.settings, "core", None, holder="test", execution_id=None) as taken:
                return transform(session, target, taken, full=full)
        finally:
            session.close()

    def transform_all(self, *, full: bool = False) -> dict[str, Transformed]:
        return {target: self.transform(target, full=full) for target in CORE_READERS}

    def empty(self) -> None:
        """RAW, CORE and what is remembered of both, as in a new warehouse."""
        tables = {f"raw.{name}" for readers in CORE_READERS.values() for name in readers}
        tables |= {f"core.{target}" for target in CORE_READERS}
        self.query(f"truncate {', '.join(sorted(tables))}, ops.raw_changes, ops.quarantine, ops.core_state")

    def query(self, text: Any, params: Any = None) -> list[tuple[Any, ...]]:
        with self.connection.cursor() as cursor:
            cursor.execute(text, params)
            return cursor.fetchall() if cursor.description else []

    def rows(self, text: str, params: Any = None) -> list[dict[str, Any]]:
        with self.connection.cursor() as cursor:
            cursor.execute(text, params)
            assert cursor.description is not None
            names = [column.name for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def row(self, text: str, params: Any = None) -> dict[str, Any]:
        (found,) = self.rows(text, params)
        return found
