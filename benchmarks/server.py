"""The Postgres server of one benchmark run: its own, durable, set up like production, gone at the end.

Databases are clones of one migrated template. The measured work logs in as `fullbay_etl`, `odoo_apn_etl` or
`commerce_etl`, with no more rights than in production.
"""

from __future__ import annotations

import itertools
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.worker import ROOT
from resources.settings import DatabaseSettings
from sandbox.postgres import PostgresServer

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

OWNER, WRITER, ODOO_APN_WRITER = "warehouse_owner", "fullbay_etl", "odoo_apn_etl"
COMMERCE_WRITER, APPLICATION = "commerce_etl", "shoppulse_api"
GROUPS = {
    WRITER: "fullbay_writer",
    ODOO_APN_WRITER: "odoo_apn_writer",
    COMMERCE_WRITER: "commerce_writer",
    APPLICATION: "shoppulse_app",
}
TEMPLATE = "warehouse_template"
SETTINGS = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "wal_level": "replica",
    "shared_buffers": "1GB",
    "max_wal_size": "8GB",
}
"""Beside those of the sandbox's server: jit off, work_mem 32 MB, data checksums on."""


class BenchServer:
    """A running server with a migrated template. Made by `bench_server`."""

    def __init__(self, postgres: PostgresServer, folder: Path) -> None:
        self._postgres, self.folder = postgres, folder
        self._passwords = {name: secrets.token_urlsafe(24) for name in (OWNER, *GROUPS)}
        self._numbers = itertools.count(1)

    def prepare(self) -> None:
        """Make logins and template."""
        from resources.migrations import migrate

        self._postgres.ensure_login(OWNER, self._passwords[OWNER], create_role=True)
        self._postgres.create_database(TEMPLATE, owner=OWNER)
        with self._postgres.session(TEMPLATE) as connection, connection.cursor() as cursor:
            cursor.execute("create extension if not exists vector")
        migrate(self.settings(TEMPLATE, OWNER))
        for login, group in GROUPS.items():
            self._postgres.ensure_login(login, self._passwords[login])
            with self._postgres.session() as connection, connection.cursor() as cursor:
                cursor.execute(f"grant {group} to {login}")

    @property
    def pid(self) -> int:
        """The postmaster, whose process tree is the server's CPU time; from the file that the running server keeps."""
        return int((self._postgres.cluster / "postmaster.pid").read_text().splitlines()[0])

    def settings(self, database: str, user: str = WRITER) -> DatabaseSettings:
        return DatabaseSettings(
            self._postgres.host, self._postgres.port, database, user, self._passwords[user], "disable"
        )

    def environment(self, database: str) -> dict[str, str]:
        """The settings under which the Fullbay location writes to a database."""
        settings = self.settings(database)
        return {
            "ENVIRONMENT": "benchmark",
            "FULLBAY_DB_HOST": settings.host,
            "FULLBAY_DB_PORT": str(settings.port),
            "FULLBAY_DB_NAME": settings.name,
            "FULLBAY_DB_USER": settings.user,
            "FULLBAY_DB_PASSWORD": settings.password,
            "FULLBAY_DB_SSLMODE": settings.sslmode,
        }

    @contextmanager
    def warehouse(self, *, migrated: bool = True, template: str = TEMPLATE) -> Iterator[str]:
        """The name of a new database, dropped at the end of the block, after a checkpoint. `template`: to be cloned.

        The checkpoint, so that no work pays for the pages that another left behind.
        """
        name = f"warehouse_{next(self._numbers)}"
        self._postgres.create_database(name, owner=OWNER, template=template if migrated else None)
        if not migrated:
            with self.session(name) as connection, connection.cursor() as cursor:
                cursor.execute(f"grant create on database {name} to {WRITER}")
        self.checkpoint()
        try:
            yield name
        finally:
            self._postgres.drop_database(name)

    @contextmanager
    def session(self, database: str = "postgres") -> Iterator[Connection]:
        """A superuser's connection in autocommit mode."""
        with self._postgres.session(database) as connection:
            yield connection

    def checkpoint(self) -> None:
        with self.session() as connection, connection.cursor() as cursor:
            cursor.execute("checkpoint")

    def version(self) -> str:
        with self.session() as connection, connection.cursor() as cursor:
            cursor.execute("show server_version")
            return str(cursor.fetchall()[0][0])


@contextmanager
def bench_server() -> Iterator[BenchServer]:
    """The server in a temporary folder, deleted with its data at the end of the block."""
    folder = Path(tempfile.mkdtemp(prefix="benchmarks-"))
    try:
        with guarded_server(folder / "postgres", 25500) as postgres:
            server = BenchServer(postgres, folder)
            server.prepare()
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def guarded_server(state: Path, port: int) -> Iterator[PostgresServer]:
    """A running server, deleted with its data at the end of the block, and also when we are killed.

    That is the work of a guard process, which outlives us and our Ctrl-C.
    """
    guard = subprocess.Popen(
        [sys.executable, "-m", "sandbox.postgres", "destroy-when-stdin-closes", str(state)],
        stdin=subprocess.PIPE,
        cwd=ROOT,
        start_new_session=True,
    )
    try:
        state.mkdir(mode=0o700)
        server = PostgresServer(state, port=port, settings=SETTINGS)
        server.start()
        yield server
    finally:
        guard.communicate()
