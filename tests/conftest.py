"""What every test may ask for: a Postgres server, a migrated database of its own, the right login.

The server is a real one, in a temporary folder, made once a session and deleted at its end by a guard
process, also when pytest is killed. A test's database is a clone of a migrated template (30 ms) and is
dropped afterwards.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sandbox.postgres import PostgresServer

if TYPE_CHECKING:
    from resources.settings import DatabaseSettings

ROOT = Path(__file__).resolve().parent.parent
OWNER, PASSWORD = "warehouse_owner", "password of the tests"
LOGINS = {
    "fullbay_etl": "fullbay_writer",
    "odoo_apn_etl": "odoo_apn_writer",
    "commerce_etl": "commerce_writer",
    "analyst_login": "analyst",
}
TEMPLATE = "warehouse_template"

pytest_plugins = ["tests.odoo_apn_source", "tests.aws_server", "tests.shoppulse"]

_numbers = itertools.count(1)


@pytest.fixture(scope="session", autouse=True)
def _no_settings_of_this_machine() -> Iterator[None]:
    """Tests neither see nor touch what the developer's environment points at."""
    prefixes = (
        "DB_",
        "DAGSTER_",
        "FULLBAY_",
        "ODOO_",
        "APN_",
        "SCALE",
        "COMMERCE_",
        "SHOPPULSE_",
        "MIGRATION_",
        "ANALYST_",
        "AWS_",
        "PG",
    )
    kept = {"PGSERVER_POSTGRES_VERSION"}
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(prefixes) and name not in kept:
                patch.delenv(name)
        yield


@pytest.fixture(autouse=True)
def _nothing_of_other_tests() -> Iterator[None]:
    """A test's secrets and settings end with it: some take ordinary words for secrets, commands read an .env."""
    from resources import redaction

    known, pattern, environment = set(redaction._known), redaction._pattern, dict(os.environ)
    yield
    redaction._known.clear()
    redaction._known.update(known)
    redaction._pattern = pattern
    if os.environ != environment:
        os.environ.clear()
        os.environ.update(environment)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """A running server of the session: PostgreSQL 18, or 16 with PGSERVER_POSTGRES_VERSION=16."""
    folder = tmp_path_factory.mktemp("postgres")
    with guarded(folder):
        # Safe here only: what a crash of the machine would lose is of no use after it.
        unsafe = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        server = PostgresServer(folder, port=25432, settings=unsafe | {"shared_buffers": "256MB"})
        server.start()
        yield server


class guarded:
    """Delete the server in a folder at the end of the block, or when this process is gone."""

    def __init__(self, folder: Path) -> None:
        self._command = [sys.executable, "-m", "sandbox.postgres", "destroy-when-stdin-closes", str(folder)]

    def __enter__(self) -> None:
        self._guard = subprocess.Popen(self._command, stdin=subprocess.PIPE, cwd=ROOT, start_new_session=True)

    def __exit__(self, *_error: object) -> None:
        self._guard.communicate(timeout=60)


@pytest.fixture(scope="session")
def warehouse_template(postgres: PostgresServer) -> str:
    """The name of a migrated, empty database; connect to a clone of it, not to it."""
    from resources.migrations import migrate

    postgres.ensure_login(OWNER, PASSWORD, create_role=True)
    postgres.create_database(TEMPLATE, owner=OWNER)
    with postgres.session(TEMPLATE) as connection, connection.cursor() as cursor:
        cursor.execute("create extension if not exists vector")
        # Another test's superuser may have made the group roles of this server first.
        cursor.execute("select rolname from pg_roles where rolname in ('odoo_apn_writer', 'shoppulse_owner')")
        for (role,) in cursor.fetchall():
            cursor.execute(f"grant {role} to {OWNER} with inherit true, set true")
    migrate(settings_of(postgres, TEMPLATE))
    for login, group in LOGINS.items():
        postgres.ensure_login(login, PASSWORD)
        with postgres.session() as connection, connection.cursor() as cursor:
            cursor.execute(f"grant {group} to {login}")
    return TEMPLATE


@pytest.fixture
def warehouse(postgres: PostgresServer, warehouse_template: str) -> Iterator[DatabaseSettings]:
    """An empty migrated database for one test, as its owner."""
    name = f"warehouse_{next(_numbers)}"
    postgres.create_database(name, owner=OWNER, template=warehouse_template)
    yield settings_of(postgres, name)
    postgres.drop_database(name)


@pytest.fixture
def warehouse_as(warehouse: DatabaseSettings) -> Callable[[str], DatabaseSettings]:
    """The test's database as another login: fullbay_etl, odoo_apn_etl, commerce_etl or analyst_login."""

    def as_login(login: str) -> DatabaseSettings:
        if login not in LOGINS:
            raise ValueError(f"{login!r} is none of {', '.join(LOGINS)}")
        return dataclasses.replace(warehouse, user=login)

    return as_login


def settings_of(server: PostgresServer, database: str) -> DatabaseSettings:
    """How the owner connects to a database of the test server."""
    from resources.settings import DatabaseSettings

    return DatabaseSettings(
        host=server.host, port=server.port, name=database, user=OWNER, password=PASSWORD, sslmode="disable"
    )
