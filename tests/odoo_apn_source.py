"""Odoo and APN sources for tests: real databases on a server of their own, tiny, a fresh pair for each test.

`SourceServer` works without pytest. The fixtures below it are known to every test through the plugin list of conftest.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from sandbox.odoo_apn.build import SYSTEMS, build
from sandbox.odoo_apn.world import World
from sandbox.postgres import PostgresServer

if TYPE_CHECKING:
    from resources.settings import DatabaseSettings

OWNER, PASSWORD = "sources_owner", "password of the source"
READERS = {"odoo": "odoo_reader", "apn": "apn_reader"}
TINY = World.scaled(
    0.1,
    rows={
        "crm_lead": 300, "opportunity": 240, "res_partner": 250, "c_aws_accounts": 60, "funding_request": 40,
        "cash_claim": 60, "funding_request_history": 180, "end_user": 60,
    },
)  # fmt: skip
"""300 leads: the smallest in which every kind of odd row is there."""

_numbers = itertools.count(1)


class SourceServer:
    """A template of each system, and clones of them. `server` must not be the one of the warehouse."""

    def __init__(self, server: PostgresServer, world: World = TINY) -> None:
        self.server = server
        self.world = world
        server.ensure_login(OWNER, PASSWORD)
        for system in SYSTEMS:
            server.ensure_login(READERS[system], PASSWORD)
            build(server, system, f"{system}_template", world, OWNER, READERS[system])

    def clone(self, system: str) -> DatabaseSettings:
        """A fresh copy of a source, as the login that owns its tables."""
        from resources.settings import DatabaseSettings

        name = f"{system}_{next(_numbers)}"
        self.server.create_database(name, owner=OWNER, template=f"{system}_template")
        return DatabaseSettings(
            host=self.server.host, port=self.server.port, name=name, user=OWNER, password=PASSWORD, sslmode="disable"
        )  # fmt: skip

    def drop(self, database: DatabaseSettings) -> None:
        """Drop a clone, whoever is connected to it."""
        self.server.drop_database(database.name)


def as_reader(admin: DatabaseSettings) -> DatabaseSettings:
    """The same database as the login that may only read."""
    return dataclasses.replace(admin, user=READERS[admin.name.partition("_")[0]])


@pytest.fixture(scope="session")
def source_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SourceServer]:
    """The sources' own Postgres: source and warehouse never are the same server."""
    from tests.conftest import guarded

    folder = tmp_path_factory.mktemp("sources")
    with guarded(folder):
        unsafe = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        server = PostgresServer(folder, port=25433, settings=unsafe | {"shared_buffers": "128MB"})
        server.start()
        yield SourceServer(server)


@pytest.fixture
def odoo_admin(source_server: SourceServer) -> Iterator[DatabaseSettings]:
    """An Odoo source of this test, as the owner of its tables: to edit it."""
    database = source_server.clone("odoo")
    yield database
    source_server.drop(database)


@pytest.fixture
def apn_admin(source_server: SourceServer) -> Iterator[DatabaseSettings]:
    """An APN source of this test, as the owner of its tables."""
    database = source_server.clone("apn")
    yield database
    source_server.drop(database)


@pytest.fixture
def odoo_source(odoo_admin: DatabaseSettings) -> DatabaseSettings:
    """The same Odoo source as the read-only login."""
    return as_reader(odoo_admin)


@pytest.fixture
def apn_source(apn_admin: DatabaseSettings) -> DatabaseSettings:
    """The same APN source as the read-only login."""
    return as_reader(apn_admin)
