"""Bringing a warehouse's schema up to date: versioned revisions, then functions and views.

Belongs here: the order, the lock, the transaction and the ledger. Does not belong here: SQL of any table,
which is in plain files under `sql/`.

Two kinds of files:
- `sql/<schema>/migrations/NNNN_*.sql` run once, named by a revision in `sql/alembic/versions`. Forward only.
- `sql/<schema>/functions/*.sql` and `sql/<schema>/views/*.sql` are repeatable (`create or replace`) and run
  whenever their sha256 differs from the one in `ops.schema_repeatables`.

Everything happens in one transaction under one advisory lock: a second process waits, then finds nothing to
do; a failure leaves the database as it was.

Command: `python -m resources.migrations`, on the database of MIGRATION_DB_* or DB_*.
"""

from __future__ import annotations

import hashlib
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resources.database import connect
from resources.failures import PipelineError, is_transient, permanent, transient
from resources.settings import DatabaseSettings, database_settings, read_env_file

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from sqlalchemy.engine import Connection as EngineConnection

logger = logging.getLogger(__name__)

SQL_ROOT = Path(__file__).resolve().parent.parent / "sql"
REPEATABLE_FOLDERS = ("functions", "views")  # in this order: views may call functions
OLDEST_SERVER = 160000
VERSION_TABLE = "alembic_version"
VERSION_TABLE_SCHEMA = "ops"

# Any constant will do; 7421 is taken by the write leases.
_LOCK_CLASS, _LOCK_ID = 7420, 0
_LOCK_WAIT = "10min"


def migrate(settings: DatabaseSettings) -> list[str]:
    """Bring the database up to date and return what was applied, in order: revisions, then repeatable files.

    An empty list means that there was nothing to do. Safe to run twice and by several processes at once.

    Raises PermanentError when a file cannot be applied, when the server is too old, or when another migration
    holds the lock for more than ten minutes; TransientError when the connection or a lock is lost. Nothing is
    changed then.
    """
    from sqlalchemy import create_engine
    from sqlalchemy.pool import NullPool

    # creator= hands over open connections, so no URL with a password exists that an error could print.
    engine = create_engine(
        "postgresql+psycopg2://",
        creator=lambda: connect(settings, application_name="migrations"),
        poolclass=NullPool,
        hide_parameters=True,
    )
    try:
        with engine.begin() as connection:
            session = _driver_connection(connection)
            _require_server(session)
            _lock(session)
            # Alembic makes its version table before the first revision, so the schema cannot come from one.
            _execute(
                session, "create schema if not exists ops", doing=f"creating the schema ops in {settings}"
            )
            return [*_upgrade(connection), *_apply_repeatables(session)]
    finally:
        engine.dispose()


def run_sql_files(connection: EngineConnection, *paths: str) -> None:
    """Execute SQL files, given relative to `sql/`, in the connection's transaction.

    The text goes to the server as it stands: no parameters, no percent signs to double, many statements.
    """
    session = _driver_connection(connection)
    for path in paths:
        _execute(session, (SQL_ROOT / path).read_text(encoding="utf-8"), doing=f"applying sql/{path}")


def repeatable_files() -> list[Path]:
    """Return the functions, then the views, of all schemas: the order of application."""
    return [path for folder in REPEATABLE_FOLDERS for path in sorted(SQL_ROOT.glob(f"*/{folder}/*.sql"))]


def _upgrade(connection: EngineConnection) -> list[str]:
    from alembic import command
    from alembic.config import Config

    applied: list[str] = []

    def remember(*, step: Any, **_: Any) -> None:
        applied.append(str(step.up_revision_id))

    config = Config()
    config.set_main_option("script_location", str(SQL_ROOT / "alembic").replace("%", "%%"))
    config.attributes["connection"] = connection
    config.attributes["on_version_apply"] = remember
    command.upgrade(config, "head")
    return applied


def _apply_repeatables(session: Connection) -> list[str]:
    with session.cursor() as cursor:
        cursor.execute("select path, sha256 from ops.schema_repeatables")
        known: dict[str, str] = dict(cursor.fetchall())
    applied = []
    for file in repeatable_files():
        path = file.relative_to(SQL_ROOT).as_posix()
        text = file.read_text(encoding="utf-8")
        digest = hashlib.sha256(text.encode()).hexdigest()
        if known.get(path) == digest:
            continue
        _execute(session, text, doing=f"applying sql/{path}")
        with session.cursor() as cursor:
            cursor.execute(
                """
                insert into ops.schema_repeatables (path, sha256) values (%s, %s)
                on conflict (path) do update set sha256 = excluded.sha256, applied_at = current_timestamp
                """,
                (path, digest),
            )
        applied.append(path)
    return applied


def _lock(session: Connection) -> None:
    import psycopg2.errors

    try:
        with session.cursor() as cursor:
            cursor.execute(f"set local lock_timeout = '{_LOCK_WAIT}'")
            cursor.execute("select pg_advisory_xact_lock(%s, %s)", (_LOCK_CLASS, _LOCK_ID))
    except psycopg2.errors.LockNotAvailable as error:
        raise permanent(
            "waiting for the migration lock",
            found=f"another migration has held it for {_LOCK_WAIT}",
            do_next="Look for application_name = 'migrations' in pg_stat_activity, then migrate again.",
        ) from error


def _require_server(session: Connection) -> None:
    if session.server_version < OLDEST_SERVER:
        raise permanent(
            "migrating the warehouse",
            found=f"the server is PostgreSQL {session.server_version // 10000}",
            do_next=f"Use PostgreSQL {OLDEST_SERVER // 10000} or newer with pgvector 0.7 or newer.",
        )


def _execute(session: Connection, text: str, *, doing: str) -> None:
    import psycopg2

    try:
        with session.cursor() as cursor:
            cursor.execute(text)
    except psycopg2.Error as error:
        found = str(error).strip() or type(error).__name__
        if is_transient(error):
            raise transient(doing, found=found, do_next="Nothing was changed: migrate again.") from error
        raise permanent(
            doing,
            found=found,
            do_next="Nothing was changed: put right what the server names, then migrate again.",
        ) from error


def _driver_connection(connection: EngineConnection) -> Connection:
    opened: Connection = connection.connection.driver_connection  # type: ignore[assignment]
    return opened


def main() -> int:
    """Migrate the configured database, print what was applied, and return the exit status."""
    read_env_file()
    try:
        applied = migrate(database_settings("MIGRATION"))
    except PipelineError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for name in applied:
        sys.stdout.write(f"applied {name}\n")
    sys.stdout.write(f"{len(applied)} applied\n" if applied else "the schema is up to date\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
