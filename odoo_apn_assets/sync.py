"""Syncing a source system: one job, one snapshot, its tables side by side, and what is written down about it.

Belongs here: the job's life (running, success, partial, failed, pending_retry), retries, threads. Does not belong here:
how a table gets across (`odoo_apn_assets.mirror`), and any Dagster type.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any, Literal

from odoo_apn_assets.drift import Drift
from odoo_apn_assets.mirror import SyncOptions, TableMissing, TableResult, store_drift, sync_table
from odoo_apn_assets.piping import SourceError
from odoo_apn_assets.source import Reader, Snapshot, source_snapshot
from odoo_apn_assets.specs import TableSpec
from resources.failures import (
    PermanentError,
    PipelineError,
    TransientError,
    is_transient,
    permanent,
    retrying,
    transient,
)
from resources.leases import Lease, lease
from resources.postgres import PostgresResource
from resources.settings import DatabaseSettings
from resources.sql import Session

logger = logging.getLogger(__name__)

JobType = Literal["full_sync", "incremental"]
Notify = Callable[[str, str], None]
"""Tells operations: subject and text."""

RETRY_AFTER_SECONDS = 30 * 60
NOTIFY_AFTER_ATTEMPTS = 3
LEASE_WAIT_SECONDS = 4.0
PARALLEL_TABLES = 2


@dataclass(frozen=True)
class Source:
    """One source system: its name, where it is (read when needed), and the tables that are mirrored."""

    system: Literal["odoo", "apn"]
    settings: Callable[[], DatabaseSettings]


@dataclass
class SyncResult:
    """What a sync did. `failures`: raw table -> why it stayed as it was."""

    job_id: str
    tables: dict[str, TableResult] = field(default_factory=dict)
    failures: dict[str, PipelineError] = field(default_factory=dict)

    @property
    def status(self) -> str:
        """success, partial (some tables failed, or rows or values are in quarantine) or failed."""
        if self.failures and not self.tables:
            return "failed"
        refused = any(result.quarantined or result.refused_values for result in self.tables.values())
        return "partial" if self.failures or refused else "success"

    def complaint(self) -> PermanentError | None:
        """One error for all tables that failed, or None."""
        if not self.failures:
            return None
        if len(self.failures) == 1:
            (only,) = self.failures.values()
            return permanent(only.doing, found=only.found, do_next=only.do_next)
        found = "; ".join(f"{name}: {error.found}" for name, error in list(self.failures.items())[:10])
        hints = dict.fromkeys(error.do_next for error in self.failures.values())
        return permanent(
            f"mirroring {len(self.failures) + len(self.tables)} tables",
            found=f"{len(self.failures)} failed: {found}",
            do_next=" ".join(list(hints)[:3]),
        )


def sync(
    source: Source,
    tables: Sequence[TableSpec],
    warehouse: PostgresResource,
    options: SyncOptions,
    *,
    run_id: str,
    notify: Notify = lambda subject, text: None,
    parallel: int = PARALLEL_TABLES,
) -> SyncResult:
    """Mirror `tables` of one source from one snapshot; each table commits by itself.

    A failed table leaves the others alone and stands in `failures`. Raises PermanentError when the source refuses us or
    another sync of it is running, TransientError when it stays away; the job then waits as pending_retry.
    """
    name = f"mirror {source.system}"
    job_type: JobType = "full_sync" if options.full or options.resync else "incremental"
    with (
        lease(
            warehouse.settings(), name, None, holder=f"sync of {source.system}", execution_id=run_id,
            wait_seconds=LEASE_WAIT_SECONDS,
        ) as held,
        warehouse.session(name) as session,
    ):  # fmt: skip
        job = _Job(session, source.system, notify)
        job.open(job_type, options, tables, run_id)
        result = SyncResult(job.job_id)
        try:
            _attempts(source, tables, warehouse, held, options, result, parallel)
        except TransientError as error:
            job.wait_for_source(error)
            raise
        except BaseException as error:
            job.fail(error)
            raise
        job.close(result)
        return result


def _attempts(
    source: Source,
    tables: Sequence[TableSpec],
    warehouse: PostgresResource,
    held: Lease,
    options: SyncOptions,
    result: SyncResult,
    parallel: int,
) -> None:
    """Sync from a snapshot; when the source goes away meanwhile, from a new one: all tables, so that they agree."""
    doing = f"reading the {source.system} database"

    def attempt() -> None:
        with source_snapshot(source.settings(), f"mirror {source.system}", retry=False) as snapshot:
            ordered = _largest_first(snapshot, tables)
            _sync_tables(ordered, snapshot, warehouse, held, options, result, parallel)

    retrying(attempt, doing=doing)


def _largest_first(snapshot: Snapshot, specs: Iterable[TableSpec]) -> list[TableSpec]:
    """The largest table first: the shortest time in all when the tables are shared between connections."""
    sizes = snapshot.sizes()
    return sorted(specs, key=lambda spec: -sizes.get(spec.table, 0))


def _sync_tables(
    specs: Sequence[TableSpec],
    snapshot: Snapshot,
    warehouse: PostgresResource,
    held: Lease,
    options: SyncOptions,
    result: SyncResult,
    parallel: int,
) -> None:
    """Share the tables between threads, each with its own two connections."""
    import psycopg2

    waiting: SimpleQueue[TableSpec] = SimpleQueue()
    for spec in specs:
        waiting.put(spec)
    broken: list[BaseException] = []
    sessions: list[Session] = []

    def work() -> None:
        try:
            reader = Reader(snapshot)
            with warehouse.session(held.dataset) as session:
                sessions.append(session)
                while not broken:
                    try:
                        spec = waiting.get_nowait()
                    except Empty:
                        return
                    _sync_one(spec, snapshot, reader, session, held, options, result)
        except BaseException as error:
            broken.append(error)

    threads = [
        threading.Thread(target=work, name=f"mirror {number}") for number in range(min(parallel, len(specs)))
    ]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    except BaseException as error:
        # Ctrl-C, or Dagster ends the run: nothing may be written once the lease is given back.
        broken.append(error)
        for session in sessions:
            with suppress(psycopg2.Error):  # it may just have ended by itself
                session.connection.cancel()
        for thread in threads:
            thread.join()
        raise
    if broken:
        raise broken[0]


def _sync_one(
    spec: TableSpec,
    snapshot: Snapshot,
    reader: Reader,
    session: Session,
    held: Lease,
    options: SyncOptions,
    result: SyncResult,
) -> None:
    import psycopg2

    doing = f"mirroring {spec.system}.{spec.table}"
    try:
        done = sync_table(spec, snapshot, reader, session, held, result.job_id, options)
    except SourceError as error:
        cause = error.error
        if isinstance(cause, PipelineError):
            raise cause from error
        if is_transient(cause) or not snapshot.alive():
            found = (str(cause).splitlines() or [type(cause).__name__])[0]
            raise transient(doing, found=f"the source went away: {found}", do_next="Run again.") from error
        failure: PipelineError = permanent(
            doing,
            found=f"the source refused: {(str(cause).splitlines() or [''])[0]}",
            do_next="Check the rights of the source's login on this table.",
        )
    except PipelineError as error:
        failure = error
    except psycopg2.Error as error:
        failure = permanent(
            doing,
            found=(str(error).splitlines() or [type(error).__name__])[0],
            do_next="Nothing of this table was changed.",
        )
    else:
        result.failures.pop(spec.raw_name, None)
        result.tables[spec.raw_name] = done
        logger.info(
            "%s: %s, %d rows at the source, %d new, %d changed, %d deleted, %d refused, %.1f s",
            spec.raw_name, done.method, done.source_rows, done.inserted, done.updated, done.deleted,
            done.quarantined + done.refused_values, done.seconds,
        )  # fmt: skip
        return
    logger.warning("%s", failure)
    result.failures[spec.raw_name] = failure
    if isinstance(failure, TableMissing):
        drift = Drift("table_missing", "", spec.table, None, "the mirror stays as it is")
        session.transaction(
            lambda: store_drift(session, spec.raw_name, [drift], result.job_id),
            doing=f"recording {failure.found}",
        )


class _Job:
    """The row of ops.sync_jobs."""

    def __init__(self, session: Session, system: str, notify: Notify) -> None:
        self._session, self._system, self._notify = session, system, notify
        self.job_id = ""
        self.attempts = 0
        self.notified = False

    def open(self, job_type: JobType, options: SyncOptions, tables: Sequence[TableSpec], run_id: str) -> None:
        """Begin, or go on with the job that waits for this source."""
        config = {**dataclasses.asdict(options), "tables": sorted(spec.raw_name for spec in tables)}
        rows = self._write(
            "ops/transforms/open_sync_job",
            source_system=self._system,
            job_type=job_type,
            config=json.dumps(config),
            run_id=run_id,
        )
        self.job_id, self.attempts, self.notified = rows[0]

    def close(self, result: SyncResult) -> None:
        """All tables were tried."""
        details = {
            "tables": {name: str(error) for name, error in result.failures.items()},
            "quarantined": {
                name: {"rows": done.quarantined, "values": done.refused_values}
                for name, done in result.tables.items()
                if done.quarantined or done.refused_values
            },
        }
        complaint = result.complaint()
        values = sum(done.refused_values for done in result.tables.values())
        self._end(result.status, str(complaint) if complaint else None, details, refused_values=values)
        if self.notified and result.status != "failed":
            self._notify(
                f"{self._system}: the source is back",
                f"The sync {self.job_id} of {self._system} has succeeded after {self.attempts} attempts.",
            )

    def wait_for_source(self, error: PipelineError) -> None:
        """The source stays away: try again later, and say so after the third time."""
        tell = self.attempts >= NOTIFY_AFTER_ATTEMPTS and not self.notified
        if tell:
            self._notify(
                f"{self._system}: source unavailable",
                f"The sync {self.job_id} of {self._system} has failed {self.attempts} times. {error} "
                f"It is tried again every {RETRY_AFTER_SECONDS // 60} minutes.",
            )
        self._end("pending_retry", str(error), {"attempts": self.attempts}, notified=tell)

    def fail(self, error: BaseException) -> None:
        """The sync cannot go on; when the warehouse is what failed, the next sync closes the row."""
        text = str(error) if isinstance(error, PipelineError) else f"{type(error).__name__} while syncing"
        try:
            self._end("failed", text, {"error": type(error).__name__})
        except PipelineError as second:
            logger.warning("the job %s could not be closed: %s", self.job_id, second.found)

    def _end(
        self,
        status: str,
        message: str | None,
        details: dict[str, Any],
        *,
        notified: bool = False,
        refused_values: int = 0,
    ) -> None:
        self._write(
            "ops/transforms/close_sync_job",
            job_id=self.job_id,
            status=status,
            retry_after=RETRY_AFTER_SECONDS,
            notified=notified,
            refused_values=refused_values,
            error_message=message,
            error_details=json.dumps(details) if message or any(details.values()) else None,
        )

    def _write(self, name: str, **params: Any) -> list[tuple[Any, ...]]:
        return self._session.transaction(
            lambda: self._session.run(name, params, table="ops.sync_jobs"),
            doing=f"recording the sync of {self._system}",
        )
