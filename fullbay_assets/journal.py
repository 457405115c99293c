"""The run's own records: its row in ingestion_metadata and the seven log tables.

Written on a connection of its own that commits at once, so the evidence of a failed step survives its rollback. A log
that cannot be written is reported and never fails the step. Statements and HTTP calls are written in bulk.

When the connection is lost it is opened again, and what could not be written is kept for the next attempt. A record
whose commit was not confirmed is written again: twice is better than never.
"""

from __future__ import annotations

import json
import logging
import resource
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal

import psycopg2

from resources.failures import PipelineError
from resources.redaction import redact
from resources.sql import QueryRecord, statement

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from fullbay_assets.client import ApiCall

logger = logging.getLogger(__name__)

ErrorCategory = Literal["API", "DATABASE", "DATA_PROCESSING", "SYSTEM"]
ProcessingStage = Literal["API_FETCH", "JSON_PARSE", "DATA_TRANSFORM", "DB_INSERT"]
QualityCheck = Literal["COMPLETENESS", "ACCURACY", "CONSISTENCY", "VALIDITY"]

_MOST_KEPT = 500
"""Statements and calls collected before they are written."""

_MOST_UNWRITTEN = 5_000
"""Records kept while there is no connection; beyond it the oldest go, so the last, which say how it ended, stay."""


class Journal:
    """Writes the records of one execution (a Dagster run). Safe to use from the writer threads.

    `connect` opens its connection, which commits at once; told False it tries only once. `let_go` takes it at the end.
    """

    def __init__(
        self,
        connect: Callable[[bool], Connection],
        execution_id: str,
        environment: str,
        api_endpoint: str,
        let_go: Callable[[Connection], None] = lambda connection: connection.close(),
    ) -> None:
        self._connect, self._let_go = connect, let_go
        self._patient = True
        self._unwritten: deque[tuple[str, dict[str, Any]]] = deque(maxlen=_MOST_UNWRITTEN)
        self._writing = Lock()
        self.execution_id = execution_id
        self._environment, self._endpoint = environment, api_endpoint
        self._queries: list[QueryRecord] = []
        self._calls: list[ApiCall] = []
        self._lock = Lock()
        self._connection = self._opened()

    def open(self) -> None:
        """Make sure the execution has its row; the log tables refer to it. Raises when it cannot be written."""
        params = {
            "execution_id": self.execution_id,
            "environment": self._environment,
            "api_endpoint": self._endpoint[:255],
        }
        with self._connection.cursor() as cursor:
            cursor.execute(statement("fullbay/transforms/end_interrupted_executions"), params)
            cursor.execute(statement("fullbay/transforms/open_execution"), params)

    def query(self, record: QueryRecord) -> None:
        with self._lock:
            self._queries.append(record)
            full = len(self._queries) >= _MOST_KEPT
        if full:
            self.flush()

    def api_call(self, call: ApiCall) -> None:
        with self._lock:
            self._calls.append(call)
            full = len(self._calls) >= _MOST_KEPT
        if full:
            self.flush()

    def flush(self) -> None:
        """Write what was collected."""
        with self._lock:
            queries, self._queries = self._queries, []
            calls, self._calls = self._calls, []
            if queries:
                self._write(
                    "log_queries",
                    kinds=[record.kind for record in queries],
                    tables=[record.table[:100] for record in queries],
                    texts=[record.text for record in queries],
                    milliseconds=[record.milliseconds for record in queries],
                    rows=[record.rows for record in queries],
                    bytes=[record.bytes_sent for record in queries],
                    errors=[redact(record.error) if record.error else None for record in queries],
                    error_types=[record.error_type for record in queries],
                )
            for call in calls:
                self._write(
                    "log_api_request",
                    endpoint=call.endpoint[:255],
                    method=call.method,
                    params=json.dumps(
                        {"shop": call.shop_key, "requested_at": call.requested_at.isoformat(), **call.params}
                    ),
                    status_code=call.status_code,
                    headers=json.dumps(dict(call.response_headers)),
                    size=call.response_bytes,
                    milliseconds=call.milliseconds,
                    error=redact(call.error_message) if call.error_message else None,
                    error_type=call.error_type,
                    retry_count=call.retry_count,
                )

    @contextmanager
    def stage(self, stage: ProcessingStage) -> Iterator[dict[str, Any]]:
        """Time one stage; the body fills in `records`, `batch_size`, `errors` (what was wrong with how many)."""
        facts: dict[str, Any] = {}
        began = time.perf_counter()
        failure: BaseException | None = None
        try:
            yield facts
        except BaseException as error:
            failure = error
            raise
        finally:
            self.log_stage(stage, time.perf_counter() - began, failure=failure, **facts)

    def log_stage(
        self,
        stage: ProcessingStage,
        seconds: float,
        *,
        records: int | None = None,
        batch_size: int | None = None,
        errors: dict[str, int] | None = None,
        failure: BaseException | None = None,
    ) -> None:
        """Record one stage that took `seconds`; the score is the share of records without an error."""
        wrong = sum(errors.values()) if errors else 0
        self._write(
            "log_stage",
            stage=stage,
            records=records,
            batch_size=batch_size,
            milliseconds=round(seconds * 1000),
            memory=peak_memory_mb(),
            errors=json.dumps(errors) if errors else None,
            score=max(0.0, round(1 - wrong / records, 2)) if records else None,
            error=redact(str(failure))[:2000] if failure else None,
            error_type=type(failure).__name__ if failure else None,
            affected=None,
        )

    def performance(self, seconds: float, cpu_seconds: float, **custom: Any) -> None:
        """What a step took: CPU as a share of its wall time, peak memory of the process in MB."""
        share = min(100 * cpu_seconds / seconds, 999.99) if seconds else 0.0
        self._write(
            "log_performance",
            cpu=round(share, 2),
            memory=peak_memory_mb(),
            milliseconds=round(seconds * 1000),
            custom=json.dumps(custom),
        )

    def error(self, error: BaseException, *, step: str, shop: str | None = None) -> None:
        """Record an error with its place and mark the execution as failed.

        With `shop` the run goes on with the other shops, and `close_execution` fails it at its end.
        """
        trace = redact("".join(traceback.format_exception(error)))[-20_000:]
        message = redact(str(error) or type(error).__name__)[:10_000]
        self._write(
            "log_error",
            level="ERROR",
            category=_category(error),
            message=message,
            type=type(error).__name__,
            code=str(getattr(error, "pgcode", "") or "")[:50] or None,
            context=json.dumps({"step": step, "shop": shop}),
            trace=trace,
        )
        if shop is None:
            self.failed(f"{step}: {message}", type(error).__name__, trace)

    def failed(self, message: str, kind: str, trace: str | None = None) -> None:
        """Mark the execution as failed."""
        self._write("fail_execution", message=message, type=kind[:100], trace=trace)

    def quality_check(
        self,
        kind: QualityCheck,
        description: str,
        *,
        checked: int,
        failed: int,
        issues: object = None,
        critical: bool = False,
        recommendations: str | None = None,
    ) -> None:
        self._write(
            "log_quality",
            type=kind,
            description=description,
            checked=checked,
            failed=failed,
            issues=json.dumps(issues, default=str) if issues else None,
            critical=failed if critical else 0,
            warnings=0 if critical else failed,
            recommendations=recommendations if failed else None,
        )

    def close(self) -> None:
        """Let the connection go; what is unwritten by now is lost, and said."""
        if self._unwritten:
            lost = sorted({name for name, _ in self._unwritten})
            logger.warning(
                "%d records of run %s are lost: %s", len(self._unwritten), self.execution_id, ", ".join(lost)
            )
        self._let_go(self._connection)

    def _write(self, name: str, **params: Any) -> None:
        """Write one record, after those that wait for a connection; one that is lost is opened again, once."""
        with self._writing:
            self._unwritten.append((name, {"execution_id": self.execution_id, **params}))
            reopened = False
            while self._unwritten:
                if self._connection.closed:
                    if reopened or not self._reopen():
                        return
                    reopened = True
                try:
                    self._execute(*self._unwritten[0])
                except psycopg2.Error as error:
                    if self._connection.closed:
                        continue
                    waiting = self._unwritten[0][0]
                    logger.warning(
                        "could not write %s of run %s: %s", waiting, self.execution_id, type(error).__name__
                    )
                self._unwritten.popleft()

    def _execute(self, name: str, params: dict[str, Any]) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(statement(f"fullbay/transforms/{name}"), params)

    def _opened(self) -> Connection:
        """A connection that says, while it is open, that the execution is alive."""
        connection = self._connect(self._patient)
        try:
            with connection.cursor() as cursor:
                cursor.execute(
                    statement("fullbay/transforms/hold_execution"), {"execution_id": self.execution_id}
                )
        except BaseException:
            connection.close()
            raise
        return connection

    def _reopen(self) -> bool:
        """Open the connection again. Only the first attempt waits for the server: a failing step has many records."""
        try:
            self._connection = self._opened()
        except (PipelineError, psycopg2.Error) as error:
            found = error.found if isinstance(error, PipelineError) else type(error).__name__
            logger.warning("the records of run %s cannot be written: %s", self.execution_id, found)
            self._patient = False
            return False
        self._patient = True
        return True


def peak_memory_mb() -> int:
    """The largest resident size of this process so far, in MB."""
    try:
        # getrusage starts from the peak of the process that started this one.
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return int(status.partition("VmHWM:")[2].split()[0]) // 1024
    except (OSError, ValueError, IndexError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _category(error: BaseException) -> ErrorCategory:
    if isinstance(error, psycopg2.Error):
        return "DATABASE"
    if isinstance(error, PipelineError):
        if "getInvoices" in error.doing or "address" in error.doing:
            return "API"
        return "DATABASE" if "Postgres" in error.doing or "lease" in error.doing else "DATA_PROCESSING"
    return "DATA_PROCESSING" if isinstance(error, ValueError) else "SYSTEM"
