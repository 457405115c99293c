"""The failure vocabulary: what is permanent, what is transient, and how a transient failure is retried.

Belongs here: the two error classes, their constructors, the classification of foreign errors, the retry loop.
Does not belong here: anything that knows a source system, and any Dagster type.

The delays are exactly 2, 4 and 8 seconds. Neither Dagster's RetryPolicy (2, 6, 14 s plus a process start)
nor urllib3's backoff (0, 4, 8, 16 s) gives them, which is why the loop is our own; its sleep is injectable,
so that tests prove the delays without waiting for them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from resources.redaction import redact

T = TypeVar("T")

logger = logging.getLogger(__name__)

RETRY_DELAYS: tuple[float, ...] = (2.0, 4.0, 8.0)

# Serialization failure, deadlock, lock timeout, shutdown (administrator, crash), starting up, no free slot.
_TRANSIENT_SQLSTATES = frozenset({"40001", "40P01", "55P03", "57P01", "57P02", "57P03", "53300"})
_TRANSIENT_SQLSTATE_CLASS = "08"

# psycopg2 gives connection-time errors no SQLSTATE, so the server's own words are all there is. A FATAL
# answer is permanent (wrong password, unknown database, no pg_hba entry) unless it says that waiting helps.
_SERVER_REFUSED = "FATAL:"
_WAITING_HELPS = (
    "the database system is",
    "too many clients",
    "too many connections",
    "remaining connection slots",
    "terminating connection",
)
_TLS_IS_MISCONFIGURED = (
    "certificate verify failed",
    "root certificate file",
    "does not support SSL",
    "does not match host name",
    "invalid sslmode",
    "invalid connection option",
)
_CONNECTION_LOST = (
    "server closed the connection",
    "connection already closed",
    "connection not open",
    "could not receive data from server",
    "could not send data to server",
    "SSL SYSCALL error",
    "SSL connection has been closed",
    "lost synchronization with server",
    "no message from the libpq",
)


class PipelineError(Exception):
    """An error that says what was being done, what was found and what to do next.

    The three parts are redacted when the error is made, so no registered secret can leave through it.
    `attempts` is set by `retrying` when it gives up.
    """

    def __init__(self, doing: str, found: str, do_next: str) -> None:
        self.doing = redact(doing)
        self.found = redact(found)
        self.do_next = redact(do_next)
        self.attempts = 1
        super().__init__(self.doing, self.found, self.do_next)

    def __str__(self) -> str:
        tried = f" ({self.attempts} attempts)" if self.attempts > 1 else ""
        found = self.found if self.found.endswith("...") else self.found.removesuffix(".")
        return f"{self.doing}: {found}{tried}. {self.do_next}"


class PermanentError(PipelineError):
    """Trying again without a change gives the same result: never retried."""


class TransientError(PipelineError):
    """Trying again may help. `retry_after`: the wait in seconds that the other side asked for, if it did."""

    retry_after: float | None = None


def permanent(doing: str, *, found: str, do_next: str) -> PermanentError:
    """Return (not raise) a permanent error, for `raise permanent(...) from err`."""
    return PermanentError(doing, found, do_next)


def transient(doing: str, *, found: str, do_next: str, retry_after: float | None = None) -> TransientError:
    """Return (not raise) a transient error; `retry_after` in seconds."""
    error = TransientError(doing, found, do_next)
    error.retry_after = retry_after
    return error


def is_transient(error: BaseException) -> bool:
    """Say whether repeating the work may help.

    True for TransientError, for lost or refused connections, and for the SQLSTATEs of deadlock, serialization
    failure, lock timeout, shutdown and exhausted connections. False for a wrong password (28P01), an unknown
    database (3D000), a TLS misconfiguration, and everything unknown. An SQLAlchemy error is judged by the
    driver's error inside it.
    """
    if isinstance(error, PipelineError):
        return isinstance(error, TransientError)
    if isinstance(error, ConnectionError | TimeoutError):
        return True
    driver_error = getattr(error, "orig", None)
    if isinstance(driver_error, BaseException):
        return is_transient(driver_error)

    import psycopg2  # here, so that a location without Postgres work does not pay for the import

    if not isinstance(error, psycopg2.Error):
        return False
    state = error.pgcode
    if state:
        return state in _TRANSIENT_SQLSTATES or state.startswith(_TRANSIENT_SQLSTATE_CLASS)
    text = str(error)
    if any(words in text for words in _CONNECTION_LOST):
        return True
    if not isinstance(error, psycopg2.OperationalError):
        return False
    if _SERVER_REFUSED in text:
        return any(words in text for words in _WAITING_HELPS)
    return not any(words in text for words in _TLS_IS_MISCONFIGURED)


def retrying(
    work: Callable[[], T],
    *,
    doing: str,
    sleep: Callable[[float], None] = time.sleep,
    delays: Sequence[float] = RETRY_DELAYS,
    max_retry_after: float = 120.0,
    on_retry: Callable[[int, BaseException, float], None] | None = None,
) -> T:
    """Call `work` until it succeeds, at most `1 + len(delays)` times, and return what it returns.

    Only transient failures are repeated. The wait is the given delay, or the `retry_after` of the failure
    when that is longer; a `retry_after` above `max_retry_after` seconds fails at once and says so.
    `on_retry` is told the number of the retry (from 1), the error and the wait in seconds, before the wait.

    Raises what `work` raised when that is permanent. After the last attempt a TransientError is raised
    again with the number of attempts in its text; any other error becomes the cause of a TransientError
    that names `doing`.
    """
    for attempt in range(1, len(delays) + 2):
        try:
            return work()
        except Exception as error:
            if not is_transient(error):
                raise
            asked = error.retry_after if isinstance(error, TransientError) else None
            if asked is not None and asked > max_retry_after:
                raise _too_long_a_wait(error, doing, asked, max_retry_after) from None
            if attempt > len(delays):
                if isinstance(error, PipelineError):
                    error.attempts = attempt
                    raise
                raise _gave_up(error, doing, attempt) from error
            wait = max(delays[attempt - 1], asked or 0.0)
            logger.warning("%s: %s; attempt %d failed, next in %g s", doing, _brief(error), attempt, wait)
            if on_retry is not None:
                on_retry(attempt, error, wait)
        sleep(wait)
    raise AssertionError("the loop returns or raises in its last round")


def _brief(error: BaseException) -> str:
    if isinstance(error, PipelineError):
        return error.found
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"


def _gave_up(error: BaseException, doing: str, attempts: int) -> TransientError:
    gave_up = transient(
        doing, found=_brief(error), do_next="Check that the other side is up, then run again."
    )
    gave_up.attempts = attempts
    return gave_up


def _too_long_a_wait(error: BaseException, doing: str, asked: float, allowed: float) -> TransientError:
    return transient(
        error.doing if isinstance(error, PipelineError) else doing,
        found=f"{_brief(error)}; asked to wait {asked:g} s, which is more than the {allowed:g} s allowed",
        do_next=f"Run again after {asked:g} s, or allow a longer wait in the settings.",
        retry_after=asked,
    )
