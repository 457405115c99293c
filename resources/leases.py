"""Write leases: at most one writer for a dataset and a range of dates, whoever started it.

Dagster's limits and pools are no mutual exclusion: a killed run frees its slot while its step may still be
writing. Belongs here: taking, checking and giving back a lease in `ops.write_leases`. Does not belong here:
what is written.

How it holds:
- A lease is a row, and a session advisory lock (7421, lease_id) on a connection that does nothing else. The
  row says who writes what; the lock says whether the holder is alive. Both appear in one transaction, so no
  row is ever seen without its lock. When the holder is killed, the server drops the connection and with it
  the lock, at once.
- Taking a lease deletes overlapping rows whose lock is free, that is, of dead holders.
- `Lease.check` in the write transaction locks the own row until that transaction ends. A writer whose lease
  was taken over (it lost its lease connection but lives on) finds no row and stops; a row that is being
  written under is not taken over before that transaction has ended.

The session lock needs a connection of its own to the server: a pooler in transaction mode must not stand
between. Roles need select, insert, update and delete on `ops.write_leases` (a row lock needs the update
right).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from resources.database import connect
from resources.failures import permanent
from resources.settings import DatabaseSettings

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

logger = logging.getLogger(__name__)

LOCK_CLASS = 7421
_POLL_SECONDS = 0.2
# The dataset's own short transaction may be held up by a stopped process; asking again is the remedy.
_LOCK_TIMEOUT_MS = 500

_PREPARE_SESSION = """
    set idle_session_timeout = 0;
    set tcp_keepalives_idle = 30;
    set tcp_keepalives_interval = 10;
    set tcp_keepalives_count = 3
"""
_SERIALISE = "select pg_advisory_xact_lock(hashtextextended('ops.write_leases ' || %(dataset)s, 0))"
_OVERLAPPING = """
    select lease_id, covers::text, holder, execution_id, acquired_at, now()
    from ops.write_leases
    where dataset = %(dataset)s and covers && daterange(%(first)s, %(last)s, '[]')
    order by lease_id
"""
_DELETE_IF_DEAD = """
    delete from ops.write_leases
    where lease_id = (
        select lease_id from ops.write_leases where lease_id = %(lease_id)s for update skip locked
    )
"""
_IS_DEAD = "select pg_try_advisory_xact_lock(%(lock_class)s, %(lease_id)s::bigint::int)"
_INSERT = """
    insert into ops.write_leases (dataset, covers, holder, execution_id, acquired_at)
    values (%(dataset)s, daterange(%(first)s, %(last)s, '[]'), %(holder)s, %(execution_id)s, now())
    returning lease_id
"""
_LOCK = "select pg_advisory_lock(%(lock_class)s, %(lease_id)s::bigint::int)"
_DELETE = "delete from ops.write_leases where lease_id = %(lease_id)s"
_CHECK = "select 1 from ops.write_leases where lease_id = %(lease_id)s for share"


@dataclass(frozen=True)
class Lease:
    """The right to write `dataset` for the dates `covers` (inclusive; None: all); `lease_id` is its token."""

    lease_id: int
    dataset: str
    covers: tuple[date, date] | None
    holder: str

    def check(self, cursor: Cursor) -> None:
        """Make sure, in the write transaction, that the lease is ours, and keep it so until its end.

        Raises PermanentError "lost the lease" when the row is gone; the transaction must then be rolled back.
        """
        cursor.execute(_CHECK, {"lease_id": self.lease_id})
        if cursor.fetchone() is None:
            raise permanent(
                f"writing {_scope(self.dataset, self.covers)} as {self.holder}",
                found=f"lost the lease {self.lease_id}: its connection broke, and another writer took over",
                do_next="Nothing of this transaction was kept. Let the other writer finish, then run again.",
            )


@dataclass(frozen=True)
class _Rival:
    """A live lease that stands in the way."""

    covers: str
    holder: str
    execution_id: str | None
    since: datetime
    age_seconds: float


@contextmanager
def lease(
    settings: DatabaseSettings,
    dataset: str,
    covers: tuple[date, date] | None,
    *,
    holder: str,
    execution_id: str | None,
    wait_seconds: float = 4.0,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Lease]:
    """Hold the write lease on `dataset` for the inclusive dates `covers` (None: all) while the body runs.

    `holder` and `execution_id` are what a refused rival is told. A live overlapping lease is waited for up to
    `wait_seconds`, then PermanentError names the dataset, the dates, who holds it, since when and what to do.
    """
    connection = connect(settings, application_name=f"lease {dataset}", autocommit=True)
    try:
        with connection.cursor() as cursor:
            cursor.execute(_PREPARE_SESSION)
        taken = _acquire(connection, dataset, covers, holder, execution_id, wait_seconds, sleep)
        logger.info("lease %d on %s taken by %s", taken.lease_id, _scope(dataset, covers), holder)
        try:
            yield taken
        finally:
            _release(connection, taken)
    finally:
        connection.close()


def _acquire(
    connection: Connection,
    dataset: str,
    covers: tuple[date, date] | None,
    holder: str,
    execution_id: str | None,
    wait_seconds: float,
    sleep: Callable[[float], None],
) -> Lease:
    first, last = covers if covers is not None else (None, None)
    values = {
        "dataset": dataset,
        "first": first,
        "last": last,
        "holder": holder,
        "execution_id": execution_id,
        "lock_class": LOCK_CLASS,
    }
    started, slept = time.monotonic(), 0.0
    while True:
        outcome = _try_once(connection, values)
        if isinstance(outcome, int):
            return Lease(lease_id=outcome, dataset=dataset, covers=covers, holder=holder)
        # The slept time is counted too, so that an injected sleep ends the wait as a real one does.
        if max(slept, time.monotonic() - started) + _POLL_SECONDS > wait_seconds:
            raise permanent(
                f"taking the write lease on {_scope(dataset, covers)} for {holder}",
                found=_describe(outcome),
                do_next="Wait until that run has ended, or stop it, then run again; "
                "the lease of a killed process is free at once.",
            )
        sleep(_POLL_SECONDS)
        slept += _POLL_SECONDS


def _try_once(connection: Connection, values: Mapping[str, object]) -> int | _Rival | None:
    """Take the lease in one short transaction: the new lease_id, or who is in the way (None: not known)."""
    import psycopg2.errors

    connection.autocommit = False
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(f"set local lock_timeout = {_LOCK_TIMEOUT_MS}")
            cursor.execute(_SERIALISE, values)
            cursor.execute(_OVERLAPPING, values)
            for lease_id, scope, holder, execution_id, since, now in cursor.fetchall():
                if not _removed_because_dead(cursor, lease_id):
                    return _Rival(scope, holder, execution_id, since, (now - since).total_seconds())
            cursor.execute(_INSERT, values)
            row = cursor.fetchone()
            assert row is not None
            lease_id = int(row[0])
            cursor.execute(_LOCK, {**values, "lease_id": lease_id})
            return lease_id
    except psycopg2.errors.LockNotAvailable:
        return None
    finally:
        if not connection.closed:
            connection.autocommit = True


def _removed_because_dead(cursor: Cursor, lease_id: int) -> bool:
    """Delete the lease if its holder is dead and no transaction is being written under it."""
    cursor.execute(_IS_DEAD, {"lock_class": LOCK_CLASS, "lease_id": lease_id})
    row = cursor.fetchone()
    if row is None or not row[0]:
        return False
    cursor.execute(_DELETE_IF_DEAD, {"lease_id": lease_id})
    if cursor.rowcount == 1:
        logger.warning("lease %d was left by a dead holder and has been removed", lease_id)
        return True
    return False


def _release(connection: Connection, taken: Lease) -> None:
    """Delete the row. A failure is only logged: the lock goes with the connection anyway."""
    import psycopg2

    try:
        with connection.cursor() as cursor:
            cursor.execute(_DELETE, {"lease_id": taken.lease_id})
    except psycopg2.Error as error:
        logger.warning(
            "lease %d could not be given back (%s); the next writer removes it",
            taken.lease_id,
            type(error).__name__,
        )


def _scope(dataset: str, covers: tuple[date, date] | None) -> str:
    return f"{dataset}, all dates" if covers is None else f"{dataset}, {covers[0]} to {covers[1]}"


def _describe(rival: _Rival | None) -> str:
    if rival is None:
        return "another process is taking a lease on the same dataset and does not finish"
    run = f", execution {rival.execution_id}" if rival.execution_id else ""
    return (
        f"held by {rival.holder}{run} since {rival.since:%Y-%m-%d %H:%M:%S} UTC"
        f" ({rival.age_seconds:.0f} s) for {'all dates' if rival.covers == '(,)' else f'the dates {rival.covers}'}"
    )
