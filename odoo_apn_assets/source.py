"""Reading a source database: one snapshot that all connections share, and what its tables look like.

Belongs here: sessions on the source, its snapshot, its transaction numbers, its columns. Nothing is written there:
every session is read-only. Does not belong here: the mirror.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from odoo_apn_assets.specs import quoted
from resources.database import connect
from resources.failures import PermanentError, permanent
from resources.settings import DatabaseSettings
from resources.sql import statement

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

# Text forms must not depend on the source's own settings: retyped values and old servers' hashes are made of them. A
# snapshot that is held for hours keeps the source from cleaning up: a sync that hangs is ended by the server.
_PREPARE = """
    reset search_path;
    set datestyle = 'ISO, MDY'; set intervalstyle = 'postgres'; set bytea_output = 'hex'; set extra_float_digits = 3;
    set client_encoding = 'UTF8'; set statement_timeout = '4h'; set idle_in_transaction_session_timeout = '4h'
"""


@dataclass(frozen=True)
class LiveColumn:
    """A column as a server declares it; `type` with its length or precision."""

    name: str
    type: str


@dataclass(frozen=True)
class Position:
    """A point in the source's history: the next transaction number, and the oldest that was still running.

    `identity` says whose numbers these are; it is `exact` when the timeline is part of it: after a failover that lost
    transactions, the same server gives the same numbers to other transactions.
    """

    next_xid: int
    oldest_running_xid: int
    identity: str
    exact: bool = True


@dataclass(frozen=True)
class Snapshot:
    """One state of a source database. `reader` opens a further connection that sees the same state."""

    position: Position
    server_version: int
    connection: Connection
    reader: Callable[[], Connection]

    def columns(self, table: str) -> tuple[LiveColumn, ...]:
        """The columns of a table in their order; empty when there is no such table."""
        return live_columns(self.connection, quoted(table))

    def alive(self) -> bool:
        """Whether the snapshot still exists: its own connection answers."""
        import psycopg2

        try:
            with self.connection.cursor() as cursor:
                cursor.execute("select 1")
        except psycopg2.Error:
            return False
        return True

    def sizes(self) -> dict[str, int]:
        """Pages of each table in the search path, as the source's planner knows them: for putting the largest first."""
        with self.connection.cursor() as cursor:
            cursor.execute(statement("ops/transforms/source_sizes"))
            return dict(cursor.fetchall())


class Reader:
    """A connection in a snapshot, opened when it is needed, and again after a broken COPY closed it."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._connection: Connection | None = None

    def connection(self) -> Connection:
        """The open connection. Raises what opening it raises."""
        if self._connection is None or self._connection.closed:
            self._connection = self._snapshot.reader()
        return self._connection


def live_columns(connection: Connection, table: str) -> tuple[LiveColumn, ...]:
    """The columns of a table, named as SQL would name it, in their order; empty when there is no such table."""
    with connection.cursor() as cursor:
        cursor.execute(statement("ops/transforms/live_columns"), {"table": table})
        return tuple(LiveColumn(name, kind) for name, kind in cursor.fetchall())


@contextmanager
def source_snapshot(
    settings: DatabaseSettings, application_name: str, *, retry: bool = True
) -> Iterator[Snapshot]:
    """Hold one snapshot of the source while the body runs.

    Raises PermanentError when the source refuses the login, TransientError when it is not there.
    """
    opened: list[Connection] = []

    def open_connection(retry: bool) -> Connection:
        try:
            connection = connect(settings, application_name=application_name, autocommit=True, retry=retry)
        except PermanentError as refused:
            raise permanent(
                refused.doing,
                found=refused.found,
                do_next="Check the URL of this source (ODOO_DATABASE_URL, APN_DATABASE_URL).",
            ) from refused
        opened.append(connection)
        with connection.cursor() as cursor:
            cursor.execute(_PREPARE)
        connection.set_session(isolation_level="REPEATABLE READ", readonly=True, autocommit=False)
        return connection

    try:
        exporter = open_connection(retry)
        with exporter.cursor() as cursor:
            cursor.execute(statement("ops/transforms/source_position"))
            snapshot_id, next_xid, oldest_running_xid = cursor.fetchall()[0]
            identity, exact = _identity(exporter)

        def reader() -> Connection:
            connection = open_connection(False)
            with connection.cursor() as cursor:
                cursor.execute("set transaction snapshot %s", (snapshot_id,))
            return connection

        yield Snapshot(
            Position(next_xid, oldest_running_xid, identity, exact), exporter.server_version, exporter, reader
        )
    finally:
        for connection in opened:
            connection.close()


def _identity(connection: Connection) -> tuple[str, bool]:
    """Which server and database the transaction numbers belong to, and whether that says all.

    A restored copy counts from elsewhere.
    """
    import psycopg2

    with connection.cursor() as cursor:
        cursor.execute("savepoint identity")
        try:
            cursor.execute(statement("ops/transforms/source_identity"))
            return str(cursor.fetchall()[0][0]), True
        except psycopg2.Error:  # a server on which pg_control_system() and its like are not for everybody
            cursor.execute("rollback to savepoint identity")
            cursor.execute(statement("ops/transforms/source_address"))
            return str(cursor.fetchall()[0][0]), False
