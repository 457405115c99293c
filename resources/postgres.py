"""The warehouse as a Dagster resource: which database a location writes to, and sessions on it.

Settings are read when a run needs them, never at import and never into run config, so no password is stored with a run.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from resources.database import connect
from resources.failures import PermanentError
from resources.settings import DatabaseSettings, Location, database_settings, forget_secrets
from resources.sql import Observer, QueryRecord, Session

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection


class PostgresResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The PostgreSQL warehouse of one code location."""

    location: str = Field(description="Prefix of the location's own settings: FULLBAY, ODOO_APN or COMMERCE.")

    def settings(self) -> DatabaseSettings:
        """Where the warehouse is. Raises `MissingSettings` naming everything that is missing."""
        location: Location = self.location  # type: ignore[assignment]
        return database_settings(location)

    def connection(
        self, application_name: str, *, autocommit: bool = False, retry: bool = True
    ) -> Connection:
        """An open connection that the caller closes. `retry`: connecting is retried after 2, 4 and 8 s."""

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

    @contextmanager
    def session(self, application_name: str, observe: Observer = lambda record: None) -> Iterator[Session]:
        """A session for explicit transactions, closed at the end. Connecting is retried after 2, 4 and 8 s."""

        def open_connection(retry: bool) -> Connection:
            began = time.perf_counter()
            connection = self.connection(application_name, retry=retry)
            observe(QueryRecord("CONNECT", "", "connect", round((time.perf_counter() - began) * 1000), 0))
            return connection

        session = Session(open_connection, observe)
        try:
            yield session
        finally:
            session.close()
