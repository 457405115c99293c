"""One step of a Fullbay run: its journal, its lease, its connections, and the record it leaves when it fails.

Every asset opens a step, works, and closes it. Nothing here knows what the work is.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING

from fullbay_assets.journal import Journal
from resources import redaction
from resources.failures import PipelineError
from resources.leases import Lease, lease
from resources.postgres import PostgresResource
from resources.settings import require
from resources.sql import Session

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

INVOICES = "fullbay invoices"
"""The dataset whose dates a writer leases: raw documents, headers, lines and work orders belong together."""


@dataclass
class Step:
    """What the body of an asset works with."""

    name: str
    execution_id: str
    journal: Journal
    warehouse: PostgresResource
    _exits: ExitStack
    _leases: list[Lease] = field(default_factory=list)

    @cached_property
    def main(self) -> Session:
        """The session of the step's own thread."""
        return self.session()

    def session(self) -> Session:
        """A further connection, for a thread of its own; its statements logged, closed when the step ends."""
        return self._exits.enter_context(
            self.warehouse.session(f"{self.name} {self.execution_id}", self.journal.query)
        )

    def lease(self, first: date, last: date) -> Lease:
        """The right to write the invoices of these dates (inclusive) until the step ends.

        Raises PermanentError within 5 s when another writer holds some of them.
        """
        for held in self._leases:
            if held.covers and held.covers[0] <= first and last <= held.covers[1]:
                return held
        taken = self._exits.enter_context(
            lease(
                self.warehouse.settings(),
                INVOICES,
                (first, last),
                holder=self.name,
                execution_id=self.execution_id,
            )
        )
        self._leases.append(taken)
        return taken


@contextmanager
def running_step(
    warehouse: PostgresResource,
    name: str,
    execution_id: str,
    api_endpoint: str = "",
    *,
    needs: Sequence[Callable[[], object]] = (),
) -> Iterator[Step]:
    """Open the execution's records, run the body, and record what it took or why it failed.

    `needs` reads the settings of the step besides the warehouse's. What is wrong with any is raised before the body
    runs, and recorded as the failure of the execution where the warehouse can be reached all the same.
    """
    redaction.install()
    _set_log_level()
    began, cpu_began = time.perf_counter(), time.process_time()

    def connect(retry: bool) -> Connection:
        # A run that cannot begin anyway does not wait for the warehouse to say so.
        patient = retry and unusable is None
        return warehouse.connection(f"journal {execution_id}", autocommit=True, retry=patient)

    unusable = _unusable(warehouse, needs)
    environment = os.environ.get("ENVIRONMENT") or "development"
    try:
        journal = Journal(connect, execution_id, environment, api_endpoint, warehouse.let_go)
    except PipelineError:
        if unusable is not None:
            raise unusable from None  # names the warehouse's own missing settings as well
        raise
    try:
        journal.open()
        try:
            if unusable is not None:
                raise unusable
            with ExitStack() as exits:
                yield Step(name, execution_id, journal, warehouse, exits)
        except BaseException as error:
            journal.error(error, step=name)
            raise
        finally:
            journal.flush()
            journal.performance(time.perf_counter() - began, time.process_time() - cpu_began, step=name)
    finally:
        journal.close()


def _unusable(warehouse: PostgresResource, needs: Sequence[Callable[[], object]]) -> PipelineError | None:
    """What is missing or wrong in the settings of the step; all of it at once."""
    if needs:
        try:
            require(warehouse.settings, *needs)
        except PipelineError as error:
            return error
    return None


def _set_log_level() -> None:
    """LOG_LEVEL for our own loggers; dagster.yaml takes nothing from the environment there, so INFO is the default."""
    level = logging.getLevelNamesMapping().get(os.environ.get("LOG_LEVEL", "").strip().upper())
    if level:
        for package in ("fullbay_assets", "resources"):
            logging.getLogger(package).setLevel(level)
