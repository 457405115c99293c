"""Write leases on a real Postgres: one writer at a time, and a killed one is out of the way at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from resources.database import connect
from resources.failures import PermanentError
from resources.leases import Lease, lease

if TYPE_CHECKING:
    from resources.settings import DatabaseSettings

ROOT = Path(__file__).resolve().parents[2]
OCTOBER = (date(2026, 10, 1), date(2026, 10, 31))
LATE_OCTOBER = (date(2026, 10, 31), date(2026, 11, 30))
NOVEMBER = (date(2026, 11, 1), date(2026, 11, 30))

HOLDER = """
import sys, time
from datetime import date
from resources.leases import lease
from resources.settings import DatabaseSettings

host, port, name, user = sys.argv[1:]
settings = DatabaseSettings(host, int(port), name, user, sys.stdin.readline().rstrip("\\n"), "disable")
with lease(settings, "fullbay", (date(2026, 10, 1), date(2026, 10, 31)), holder="victim", execution_id="e-1"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def writer(warehouse_as: Callable[[str], DatabaseSettings]) -> DatabaseSettings:
    """The login of the Fullbay location: the rights it has must be enough."""
    return warehouse_as("fullbay_etl")


def taken(
    settings: DatabaseSettings,
    covers: tuple[date, date] | None = OCTOBER,
    *,
    dataset: str = "fullbay",
    wait_seconds: float = 0.0,
) -> Any:
    return lease(settings, dataset, covers, holder="rival", execution_id=None, wait_seconds=wait_seconds)


def rows(settings: DatabaseSettings) -> list[tuple[Any, ...]]:
    with closing(connect(settings, application_name="test")) as connection, connection.cursor() as cursor:
        cursor.execute("select holder from ops.write_leases order by lease_id")
        return cursor.fetchall()


def cut_lease_connections(settings: DatabaseSettings) -> None:
    """Do to the connections that hold a lease what a network failure does."""
    with closing(connect(settings, application_name="test")) as connection, connection.cursor() as cursor:
        cursor.execute(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
            " where application_name like 'lease %' and datname = current_database()"
        )


@contextmanager
def other_process(settings: DatabaseSettings) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds October as 'victim'."""
    arguments = [settings.host, str(settings.port), settings.name, settings.user]
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(settings.password + "\n")
        process.stdin.flush()
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate(timeout=10)


def test_a_second_writer_is_refused_within_five_seconds_and_told_everything(writer: DatabaseSettings) -> None:
    with other_process(writer):
        started = time.monotonic()
        with (
            pytest.raises(PermanentError) as raised,
            lease(writer, "fullbay", LATE_OCTOBER, holder="rival", execution_id="e-2"),
        ):
            pytest.fail("two writers")
        assert 3.5 < time.monotonic() - started < 5.0
    text = str(raised.value)
    for part in (
        "the write lease on fullbay, 2026-10-31 to 2026-11-30 for rival",
        "held by victim, execution e-1 since 20",
        "[2026-10-01,2026-11-01)",
        "stop it, then run again",
    ):
        assert part in text


def test_a_killed_holder_is_out_of_the_way_at_once(writer: DatabaseSettings) -> None:
    with other_process(writer) as process:
        os.kill(process.pid, signal.SIGKILL)
        process.wait(timeout=5)
        started = time.monotonic()
        with taken(writer, wait_seconds=1.0):
            assert time.monotonic() - started < 1.0
            assert rows(writer) == [("rival",)]


def test_a_holder_that_hangs_is_alive(writer: DatabaseSettings) -> None:
    """A stopped process may go on writing the moment it is continued."""
    with other_process(writer) as process:
        os.kill(process.pid, signal.SIGSTOP)
        with pytest.raises(PermanentError, match="held by victim"), taken(writer):
            pytest.fail("two writers")
        os.kill(process.pid, signal.SIGCONT)


def test_leases_that_do_not_overlap_are_held_side_by_side(writer: DatabaseSettings) -> None:
    with taken(writer, OCTOBER), taken(writer, NOVEMBER), taken(writer, OCTOBER, dataset="odoo"):
        assert len(rows(writer)) == 3
    assert rows(writer) == []


@pytest.mark.parametrize(
    ("first", "second"), [(None, OCTOBER), (OCTOBER, None), (None, None), (OCTOBER, LATE_OCTOBER)]
)
def test_leases_that_share_a_day_exclude_each_other(
    writer: DatabaseSettings, first: tuple[date, date] | None, second: tuple[date, date] | None
) -> None:
    with taken(writer, first), pytest.raises(PermanentError, match="held by rival"), taken(writer, second):
        pytest.fail("two writers")
    assert rows(writer) == []


def test_a_lease_that_ends_in_time_is_waited_for(writer: DatabaseSettings) -> None:
    first = taken(writer)
    first.__enter__()
    release = threading.Timer(0.6, lambda: first.__exit__(None, None, None))
    release.start()
    with taken(writer, wait_seconds=4.0):
        assert rows(writer) == [("rival",)]
    release.join()


def test_an_error_in_the_body_gives_the_lease_back(writer: DatabaseSettings) -> None:
    with pytest.raises(ZeroDivisionError), taken(writer):
        raise ZeroDivisionError
    assert rows(writer) == []


def test_of_many_writers_at_the_same_moment_one_gets_through(writer: DatabaseSettings) -> None:
    """The row never shows without its lock: else one of them would take the other's row for a dead one's."""
    started, finished = threading.Barrier(8), threading.Barrier(8)
    winners: list[Lease] = []

    def compete() -> None:
        started.wait(timeout=20)
        try:
            with taken(writer, wait_seconds=1.0) as won:
                winners.append(won)
                finished.wait(timeout=20)
        except PermanentError:
            finished.wait(timeout=20)

    threads = [threading.Thread(target=compete) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert len(winners) == 1
    assert rows(writer) == []


def test_a_writer_that_lost_its_lease_is_stopped_inside_its_transaction(writer: DatabaseSettings) -> None:
    """The orphan of a broken connection: it lives, and must not write after another one has taken over."""
    with (
        closing(connect(writer, application_name="orphan")) as connection,
        connection.cursor() as cursor,
        taken(writer) as old,
    ):
        old.check(cursor)
        connection.commit()
        cut_lease_connections(writer)
        old.check(cursor)  # nobody has taken over yet: the row is still its own
        connection.rollback()
        with taken(writer) as new:
            assert new.lease_id > old.lease_id
            with pytest.raises(PermanentError, match=f"lost the lease {old.lease_id}"):
                old.check(cursor)
            connection.rollback()
            new.check(cursor)
            connection.rollback()


def test_nobody_takes_over_while_a_transaction_writes_under_the_lease(writer: DatabaseSettings) -> None:
    with (
        closing(connect(writer, application_name="orphan")) as connection,
        connection.cursor() as cursor,
        taken(writer) as old,
    ):
        old.check(cursor)
        cut_lease_connections(writer)
        with pytest.raises(PermanentError, match="held by rival"), taken(writer):
            pytest.fail("two writers")
        connection.commit()
        with taken(writer):
            assert len(rows(writer)) == 1


def test_a_lease_whose_connection_broke_does_not_spoil_a_finished_body(
    writer: DatabaseSettings, caplog: pytest.LogCaptureFixture
) -> None:
    with taken(writer):
        cut_lease_connections(writer)
    assert "could not be given back" in caplog.text
    with taken(writer):
        assert rows(writer) == [("rival",)]


def test_a_process_stuck_in_taking_a_lease_delays_the_others_for_less_than_five_seconds(
    writer: DatabaseSettings,
) -> None:
    with (
        closing(connect(writer, application_name="stuck")) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("select pg_advisory_xact_lock(hashtextextended('ops.write_leases fullbay', 0))")
        started = time.monotonic()
        with pytest.raises(PermanentError, match="does not finish"), taken(writer, wait_seconds=4.0):
            pytest.fail("passed a lock")
        assert time.monotonic() - started < 5.0
