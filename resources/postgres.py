"""The warehouse as a Dagster resource: which database a location writes to, and sessions on it.

Settings are read when a run needs them, never at import and never into run config, so no password is stored with a run.
Within one run of one process a connection that a step is done with serves the next one: opening it costs both sides
more than the statements of a light step.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field, PrivateAttr

from resources.database import connect, usable_as
from resources.failures import PermanentError
from resources.settings import DatabaseSettings, Location, database_settings, forget_secrets
from resources.sql import Observer, QueryRecord, Session

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection


_IDLE = 0
"""psycopg2.extensions.TRANSACTION_STATUS_IDLE, without importing the driver with the definitions."""


class PostgresResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The PostgreSQL warehouse of one code location."""

    location: str = Field(description="Prefix of the location's own settings: FULLBAY, ODOO_APN or COMMERCE.")
    _idle: list[Any] | None = PrivateAttr(default=None)
    """Connections between two uses; None outside of a run, where every one is closed."""

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        self._idle = []

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        idle, self._idle = self._idle or [], None
        for connection in idle:
            connection.close()

    def settings(self) -> DatabaseSettings:
        """Where the warehouse is. Raises `MissingSettings` naming everything that is missing."""
        location: Location = self.location  # type: ignore[assignment]
        return database_settings(location)

    def connection(
        self, application_name: str, *, autocommit: bool = False, retry: bool = True
    ) -> Connection:
        """An open connection that the caller closes or gives to `let_go`. Connecting is retried after 2, 4 and 8 s."""
        return self._reused(application_name, autocommit) or self._opened(application_name, autocommit, retry)

    def _reused(self, application_name: str, autocommit: bool) -> Connection | None:
        while self._idle:
            idle: Connection = self._idle.pop()
            if usable_as(idle, application_name, autocommit=autocommit):
                return idle
            idle.close()
        return None

    def _opened(self, application_name: str, autocommit: bool, retry: bool) -> Connection:
        def open_once() -> Connection:
            return connect(
                self.settings(), application_name=application_name, autocommit=autocommit, retry=retry
            )

        try:
            return open_once()
        except PermanentError as refused:
            if "password authentication failed" not in refused.found:
                raise
            # Rotated since it was read: Secrets Manager is asked once more before the refusal counts.
            forget_secrets()
            return open_once()

    def let_go(self, connection: Connection) -> None:
        """Keep the connection for the next step of this run; closed outside of a run and when it is not at rest."""
        at_rest = not connection.closed and connection.get_transaction_status() == _IDLE
        if self._idle is None or not at_rest:
            connection.close()
        else:
            self._idle.append(connection)

    @contextmanager
    def session(self, application_name: str, observe: Observer = lambda record: None) -> Iterator[Session]:
        """A session for explicit transactions, over with the block. Connecting is retried after 2, 4 and 8 s."""

        def open_connection(retry: bool) -> Connection:
            reused = self._reused(application_name, autocommit=False)
            if reused is not None:
                return reused
            began = time.perf_counter()
            connection = self._opened(application_name, False, retry)
            observe(QueryRecord("CONNECT", "", "connect", round((time.perf_counter() - began) * 1000), 0))
            return connection

        session = Session(open_connection, observe)
        try:
            yield session
        finally:
            self.let_go(session.connection)
