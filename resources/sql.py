"""Running the statements that live in `sql/`, timed and counted.

`statement("fullbay/transforms/remove_lines")` reads a file; `Session` runs it and tells an observer what it cost. That
is how every query is logged without a log call beside each. Knows no table of its own.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from resources.failures import is_transient, retrying

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

T = TypeVar("T")

ROOT = Path(__file__).resolve().parent.parent / "sql"


@cache
def statement(name: str) -> str:
    """The text of `sql/<name>.sql`."""
    return (ROOT / f"{name}.sql").read_text(encoding="utf-8")


class QueryRecord(msgspec.Struct, frozen=True):
    """What one statement was and cost. `text` holds the statement with its placeholders, never a value."""

    kind: str
    table: str
    text: str
    milliseconds: int
    rows: int
    bytes_sent: int | None = None
    error: str | None = None
    error_type: str | None = None


Observer = Callable[[QueryRecord], None]


class Session:
    """One connection and what is run on it. Not for use by two threads at once.

    `connect` opens the connection, and opens it again when a transaction is retried after the server went away. It is
    told whether to retry by itself: not then, or four attempts would be sixteen.
    """

    def __init__(
        self, connect: Callable[[bool], Connection], observe: Observer = lambda record: None
    ) -> None:
        self._connect = connect
        self.connection = connect(True)
        self._observe = observe

    def transaction(self, work: Callable[[], T], *, doing: str) -> T:
        """Run `work` in one transaction and return its result; transient failures are retried after 2, 4 and 8 s.

        A failed attempt is rolled back whole, so `work` may run again from its beginning.
        """

        def attempt() -> T:
            if self.connection.closed:
                self.connection = self._connect(False)
            try:
                with self.connection:
                    return work()
            except Exception as error:
                if is_transient(error) and not self.connection.closed and not self._alive():
                    self.connection.close()
                raise

        return retrying(attempt, doing=doing)

    def _alive(self) -> bool:
        import psycopg2

        try:
            with self.connection, self.connection.cursor() as cursor:
                cursor.execute("select 1")
        except psycopg2.Error:
            return False
        return True

    def close(self) -> None:
        self.connection.close()

    def run(
        self, name: str, params: dict[str, Any] | None = None, *, table: str, cursor: Cursor | None = None
    ) -> list[tuple[Any, ...]]:
        """Run the statement file `name`; its rows, or an empty list when it gives none."""
        text = statement(name)
        cursor = cursor or self.connection.cursor()
        with self._timed(text, table, cursor):
            cursor.execute(text, params)
        return cursor.fetchall() if cursor.description else []

    def copy(self, table: str, columns: Sequence[str], rows: bytes, *, csv: bool = False) -> int:
        """COPY rows, in text format or CSV, into a table; the number stored. Names come from our code, never input."""
        from psycopg2 import sql

        cursor = self.connection.cursor()
        text = (
            sql.SQL("copy {} ({}) from stdin (format {})")
            .format(
                sql.Identifier(*table.split(".")),
                sql.SQL(", ").join(map(sql.Identifier, columns)),
                sql.SQL("csv" if csv else "text"),
            )
            .as_string(cursor)
        )
        with self._timed(text, table, cursor, len(rows)):
            cursor.copy_expert(text, io.BytesIO(rows), 1 << 20)
        return int(cursor.rowcount)

    def count(self, table: str, column: str | None = None, first: object = None, last: object = None) -> int:
        """The rows of a table, or those whose `column` lies between `first` and `last`."""
        from psycopg2 import sql

        text = sql.SQL("select count(*) from {}").format(sql.Identifier(*table.split(".")))
        if column is not None:
            text += sql.SQL(" where {} between %s and %s").format(sql.Identifier(column))
        with self.connection.cursor() as cursor:
            shown = text.as_string(cursor)
            with self._timed(shown, table, cursor):
                cursor.execute(text, None if column is None else (first, last))
            return int(cursor.fetchall()[0][0])

    @contextmanager
    def _timed(self, text: str, table: str, cursor: Cursor, size: int | None = None) -> Iterator[None]:
        kind = _kind(text)
        began = time.perf_counter()
        try:
            yield
        except BaseException as error:
            spent = round((time.perf_counter() - began) * 1000)
            # The message's first line only: the lines after it quote the values of the failing row.
            found = (str(error).splitlines() or [""])[0][:500]
            self._observe(QueryRecord(kind, table, text, spent, 0, size, found, type(error).__name__))
            raise
        spent = round((time.perf_counter() - began) * 1000)
        self._observe(QueryRecord(kind, table, text, spent, max(cursor.rowcount, 0), size))


def _kind(text: str) -> str:
    for line in text.splitlines():
        words = line.split("--")[0].split()
        if words:
            return words[0].upper()[:50]
    return "NOTHING"
