"""Killed anywhere, right afterwards: after kill -9 and one more run the tables equal those of an undisturbed run.

The run is forked from this process, so that a kill costs no import. It kills itself with SIGKILL at a chosen statement
(before or after it ran) or is killed from outside after a random time.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from fullbay_assets.execution import running_step
from resources.settings import DatabaseSettings
from resources.sql import Session
from sandbox.fullbay.server import FullbayServer
from sandbox.postgres import PostgresServer
from tests.conftest import settings_of
from tests.pipeline import FIRST, LAST, Pipeline, contents, query, small_source

KILL_AT = [
    *("incoming_raw", "fullbay.fullbay_raw_data", "invoice_headers", "refresh_queue"),
    *("fullbay.ingestion_run_invoices", "incoming_lines", "fullbay_line_items", "fullbay_raw_data"),
    *("processed_invoices_tracker", "business_validation_log", "fullbay_work_orders", "daily_summary"),
    *("monthly_summary", "customer_summary", "vehicle_summary", "ingestion_metadata"),
]
"""Tables: the run dies at the first statement on each of them, which covers every boundary between stages."""

RANDOM_KILLS = 10


@pytest.fixture(scope="module")
def source() -> Iterator[FullbayServer]:
    """A source that has edits to offer: the second reading finds paid, corrected, moved and vanished invoices."""
    with small_source(invoices_per_day=8) as server:
        yield server


@pytest.fixture(scope="module")
def loaded(
    postgres: PostgresServer, warehouse_template: str, source: FullbayServer
) -> Iterator[tuple[str, dict[str, list[str]]]]:
    """A warehouse that has read the source once, before edits; and what an undisturbed second run gives."""
    before, after = "kill_before", "kill_after"
    postgres.create_database(before, owner="warehouse_owner", template=warehouse_template)
    Pipeline(as_etl(settings_of(postgres, before)), source).run()
    edit(source)
    postgres.create_database(after, owner="warehouse_owner", template=before)
    Pipeline(as_etl(settings_of(postgres, after)), source).run()
    undisturbed = contents(settings_of(postgres, after))
    yield before, undisturbed
    postgres.drop_database(before)
    postgres.drop_database(after)


def as_etl(settings: DatabaseSettings) -> DatabaseSettings:
    import dataclasses

    return dataclasses.replace(settings, user="fullbay_etl")


def edit(source: FullbayServer) -> None:
    """One of everything that can happen to a posted invoice, and a new one."""
    shop = source.generator.shop_keys[0]
    keys = [invoice.primary_key for invoice in source.generator.generated(shop, FIRST)]
    source.overlay.pay(keys[0])
    source.overlay.edit(keys[1], lambda invoice: invoice.update(customerTitle="RENAMED"))
    source.overlay.re_date(keys[2], LAST)
    source.overlay.void(keys[3])
    held = source.overlay.invoice(keys[0]) | {"primaryKey": "99000001", "total": "n/a"}
    source.overlay.add(shop, FIRST, held)
    source.overlay.add(shop, FIRST, source.overlay.invoice(keys[1]) | {"primaryKey": "99000002"})


@contextmanager
def clone(postgres: PostgresServer, template: str) -> Iterator[DatabaseSettings]:
    name = f"{template}_{time.monotonic_ns()}"
    postgres.create_database(name, owner="warehouse_owner", template=template)
    try:
        yield as_etl(settings_of(postgres, name))
    finally:
        postgres.drop_database(name)


def forked(work: Callable[[], object]) -> int:
    """Run in a child process; its pid."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
            os._exit(0)
        except BaseException:
            os._exit(1)
    return pid


def wait_for_backends(settings: DatabaseSettings) -> None:
    """The server needs a moment to notice that a killed client is gone and to roll back."""
    for _ in range(200):
        left = query(settings, "select count(*) from pg_stat_activity where datname = current_database()")[0][
            0
        ]
        if left == 1:
            return
        time.sleep(0.01)


def killing_session(table: str, *, afterwards: bool, occurrence: int = 1) -> None:
    """Make this process kill itself at the given statement on a table."""
    seen = 0
    run, copy = Session.run, Session.copy

    def wrapped(original: Callable[..., object]) -> Callable[..., object]:
        def call(self: Session, *args: object, **facts: object) -> object:
            nonlocal seen
            on = facts.get("table") or args[0]
            seen += on == table
            hit = on == table and seen == occurrence
            if hit and not afterwards:
                os.kill(os.getpid(), signal.SIGKILL)
            result = original(self, *args, **facts)
            if hit:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return call

    Session.run = wrapped(run)  # type: ignore[method-assign, assignment]
    Session.copy = wrapped(copy)  # type: ignore[method-assign, assignment]


def assert_one_more_run_is_exact(
    settings: DatabaseSettings, source: FullbayServer, undisturbed: dict[str, list[str]]
) -> None:
    wait_for_backends(settings)
    Pipeline(settings, source).run()
    found = contents(settings)
    for table, rows in undisturbed.items():
        missing, extra = set(rows) - set(found[table]), set(found[table]) - set(rows)
        assert not missing, (table, sorted(missing)[:3])
        assert not extra, (table, sorted(extra)[:3])
        assert len(rows) == len(found[table]), table
    assert query(settings, "select count(*) from refresh_queue")[0][0] == 0
    assert query(settings, "select count(*) from ops.write_leases")[0][0] == 0


@pytest.mark.parametrize("afterwards", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("table", KILL_AT)
def test_killed_at_a_boundary(
    postgres: PostgresServer,
    source: FullbayServer,
    loaded: tuple[str, dict[str, list[str]]],
    table: str,
    afterwards: bool,
) -> None:
    template, undisturbed = loaded
    with clone(postgres, template) as settings:

        def work() -> None:
            killing_session(table, afterwards=afterwards)
            Pipeline(settings, source).run()

        _, status = os.waitpid(forked(work), 0)
        assert os.WIFSIGNALED(status), "the run never came to this statement"
        assert_one_more_run_is_exact(settings, source, undisturbed)


@pytest.mark.parametrize("seed", range(RANDOM_KILLS))
def test_killed_at_a_random_moment(
    postgres: PostgresServer, source: FullbayServer, loaded: tuple[str, dict[str, list[str]]], seed: int
) -> None:
    template, undisturbed = loaded
    with clone(postgres, template) as settings:
        pid = forked(lambda: Pipeline(settings, source).run())
        time.sleep(random.Random(seed).uniform(0.01, 0.6))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        assert_one_more_run_is_exact(settings, source, undisturbed)


def test_killed_in_a_first_load(
    postgres: PostgresServer,
    source: FullbayServer,
    loaded: tuple[str, dict[str, list[str]]],
    warehouse_template: str,
) -> None:
    """Into an empty warehouse, killed again and again until a run gets through."""
    with clone(postgres, warehouse_template) as settings:
        Pipeline(settings, source).run()
        undisturbed = contents(settings)
    with clone(postgres, warehouse_template) as settings:
        for moment in (0.02, 0.1, 0.2, 0.3, 0.4, 0.5):
            pid = forked(lambda: Pipeline(settings, source).run())
            time.sleep(moment)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        assert_one_more_run_is_exact(settings, source, undisturbed)


def test_two_schedulers_at_once_write_nothing_twice(
    postgres: PostgresServer, source: FullbayServer, loaded: tuple[str, dict[str, list[str]]]
) -> None:
    """Both run the same dates at the same moment: one may be refused, none may write what the other has written."""
    template, undisturbed = loaded
    with clone(postgres, template) as settings:
        pids = [forked(lambda: Pipeline(settings, source).run()) for _ in range(2)]
        statuses = [os.waitpid(pid, 0)[1] for pid in pids]
        assert 0 in statuses
        found = contents(settings)
        assert found == undisturbed
        versions = query(settings, "select version, count(*) from fullbay_raw_data group by 1 order by 1")
        assert dict(versions)[2] == 3, "each of the three edited documents was replaced once"


def test_a_writer_that_lost_its_lease_is_refused_at_its_next_transaction(
    postgres: PostgresServer, source: FullbayServer, loaded: tuple[str, dict[str, list[str]]]
) -> None:
    """An orphan: its lease connection is cut, another run takes over and finishes, then the orphan tries to write."""
    from fullbay_assets.raw_store import RawStore
    from resources.failures import PermanentError

    template, undisturbed = loaded
    with clone(postgres, template) as settings:
        pipeline = Pipeline(settings, source)
        with running_step(pipeline.warehouse, "orphan", "orphan") as step:
            lease = step.lease(FIRST, LAST)
            store = RawStore(step.session(), lease, "orphan")
            query(
                settings,
                """select pg_terminate_backend(pid) from pg_locks
                   where locktype = 'advisory' and classid = 7421 and objid = %s and granted""",
                (lease.lease_id,),
            )
            pipeline.run()
            with pytest.raises(PermanentError, match="lost the lease"):
                store.flag_missing("default", FIRST - timedelta(days=1), LAST)
        assert contents(settings) == undisturbed
