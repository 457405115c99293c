"""Killed anywhere, right afterwards: after kill -9 and one more run the warehouse equals that of an undisturbed run.

A run is both syncs and the tables of CORE, forked from this process, so that a kill costs no import. It kills itself
with SIGKILL at a chosen statement or commit, or is killed from outside after a random time. Whoever is killed may also
be half-way through one table while the other thread commits another.
"""

from __future__ import annotations

import dataclasses
import os
import random
import re
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
import psycopg2.extensions
import pytest

from resources.database import connect
from resources.settings import DatabaseSettings
from sandbox.odoo_apn import edits
from sandbox.postgres import PostgresServer
from tests.conftest import settings_of
from tests.odoo_apn_pipeline import Mirror, everything, query, whole_run
from tests.odoo_apn_source import SourceServer, as_reader

RANDOM_KILLS = 10
"""Of each, a run is killed twice before one gets through: 20 points, and half of them begin at what the first left."""

AT = {
    "first": [
        "insert into ops.sync_jobs",
        'create table "raw"."new_odoo_crm_lead"',
        'copy "raw"."new_apn_opportunity"',
        'create unique index "uq_new_odoo_crm_lead_id"',
        "records_processed",
    ],
    "edited": [
        'alter table "raw"."odoo_crm_lead" add column',
        "copy mirror_keys",
        'insert into "raw"."odoo_crm_lead" as m',
        'update "raw"."odoo_crm_lead" m',
        "records_processed",
        "delete from ops.raw_changes",
        "insert into core.odoo_opportunities",
        "insert into ops.core_state",
    ],
    "resync": ['drop table "raw"."odoo_crm_lead"', "insert into ops.raw_changes"],
}
"""Statements before which a run dies, by the kind of run; with the commits after them, every boundary that matters."""

COMMITS = {
    "first": ["insert into ops.sync_jobs", "insert into ops.mirror_state", "insert into ops.core_state"],
    "edited": ["insert into ops.mirror_state", "insert into ops.core_state", "records_processed"],
    "resync": ["insert into ops.mirror_state"],
}
"""A run dies right after the commit that follows the statement."""


@dataclasses.dataclass
class Case:
    """A warehouse to begin with, sources, and what an undisturbed run makes of them."""

    template: str
    sources: dict[str, DatabaseSettings]
    options: dict[str, bool]
    undisturbed: dict[str, Counter[str]]

    def mirrors(self, target: DatabaseSettings) -> list[Mirror]:
        return [
            Mirror(system, admin, as_reader(admin), target)  # type: ignore[arg-type]
            for system, admin in self.sources.items()
        ]

    def run(self, target: DatabaseSettings) -> None:
        whole_run(self.mirrors(target), **self.options)


def as_etl(settings: DatabaseSettings) -> DatabaseSettings:
    return dataclasses.replace(settings, user="odoo_apn_etl")


def edit(admin: DatabaseSettings, system: edits.System) -> None:
    """A busy hour, a new column, and a value that its column's old type cannot hold."""
    connection = connect(admin, application_name="edit")
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("set local search_path = public")
            edits.edit(connection, system, 60, seed=7)
            table = "crm_lead" if system == "odoo" else "opportunity"
            edits.add_column(connection, table, "c_new", "numeric", "1.50")
            if system == "odoo":
                edits.retype_column(connection, "crm_lead", "color", "text")
                edits.change_rows(connection, "crm_lead", 3, 5, columns=["color"])
    finally:
        connection.close()


@contextmanager
def clone(postgres: PostgresServer, template: str) -> Iterator[DatabaseSettings]:
    name = f"warehouse_kill_{time.monotonic_ns()}"
    postgres.create_database(name, owner="warehouse_owner", template=template)
    try:
        yield as_etl(settings_of(postgres, name))
    finally:
        postgres.drop_database(name)


@pytest.fixture(scope="module")
def cases(
    postgres: PostgresServer, warehouse_template: str, source_server: SourceServer
) -> Iterator[dict[str, Case]]:
    """first: an empty warehouse. edited: a loaded one, and sources that changed since. resync: all of it anew."""
    systems: tuple[edits.System, ...] = ("odoo", "apn")
    sources = {system: source_server.clone(system) for system in systems}
    loaded = "warehouse_kill_loaded"
    found = {"first": Case(warehouse_template, sources, {}, {})}
    postgres.create_database(loaded, owner="warehouse_owner", template=warehouse_template)
    found["first"].run(as_etl(settings_of(postgres, loaded)))
    for system in systems:
        edit(sources[system], system)
    found["edited"] = Case(loaded, sources, {}, {})
    found["resync"] = Case(loaded, sources, {"resync": True}, {})
    for case in found.values():
        with clone(postgres, case.template) as target:
            case.run(target)
            case.undisturbed = everything(target)
    yield found
    postgres.drop_database(loaded)
    for admin in sources.values():
        source_server.drop(admin)


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


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def killing(pattern: str, *, after_commit: bool) -> None:
    """Make this process kill itself before a statement of the warehouse, or right after the commit that follows it."""
    wanted = re.compile(re.escape(pattern))

    class Cursor(psycopg2.extensions.cursor):
        def _look(self, text: Any) -> None:
            shown = text if isinstance(text, str) else text.as_string(self)
            if wanted.search(shown):
                if not after_commit:
                    die()
                self.connection.armed = True  # type: ignore[attr-defined]

        def execute(self, text: Any, params: Any = None) -> None:
            self._look(text)
            super().execute(text, params)

        def copy_expert(self, text: Any, *args: Any) -> None:
            self._look(text)
            super().copy_expert(text, *args)

    class Connection(psycopg2.extensions.connection):
        armed = False

        def cursor(self, *args: Any, **facts: Any) -> Any:
            return super().cursor(*args, **{"cursor_factory": Cursor, **facts})

        def commit(self) -> None:
            super().commit()
            if self.armed:
                die()

    original = psycopg2.connect

    def connecting(*args: Any, **facts: Any) -> Any:
        if str(facts.get("dbname", "")).startswith("warehouse"):
            facts["connection_factory"] = Connection
        return original(*args, **facts)

    psycopg2.connect = connecting


def wait_for_backends(settings: DatabaseSettings) -> None:
    """The server needs a moment to notice that a killed client is gone and to roll back."""
    for _ in range(500):
        ((left,),) = query(
            settings,
            "select count(*) from pg_stat_activity"
            " where datname = current_database() and backend_type = 'client backend'",
        )
        if left == 1:
            return
        time.sleep(0.01)


def assert_one_more_run_is_exact(case: Case, target: DatabaseSettings) -> None:
    case.run(target)
    found = everything(target)
    assert found.keys() == case.undisturbed.keys(), "a shadow was left, or a table is gone"
    for table, rows in case.undisturbed.items():
        missing, extra = rows - found[table], found[table] - rows
        assert not missing, (table, sorted(missing)[:3])
        assert not extra, (table, sorted(extra)[:3])
    assert query(target, "select * from ops.raw_changes") == []
    assert query(target, "select * from ops.write_leases") == []
    assert query(
        target, "select count(*) from ops.sync_jobs where status not in ('success', 'partial', 'failed')"
    ) == [(0,)]
    # What the run book counts is what the tables hold.
    assert (
        query(
            target,
            "select s.raw_table from ops.mirror_state s join lateral (select * from ops.table_syncs t"
            " where t.raw_table = s.raw_table order by table_sync_id desc limit 1) t on true"
            " where t.mirror_rows <> s.live_rows or t.source_rows <> t.mirror_rows + t.quarantined - t.stale"
            " or t.source_rows <> t.inserted + t.updated + t.unchanged + t.quarantined",
        )
        == []
    )


def all_of(kinds: dict[str, list[str]]) -> list[Any]:
    return [
        pytest.param(kind, pattern, id=f"{kind}: {pattern}")
        for kind, patterns in kinds.items()
        for pattern in patterns
    ]


@pytest.mark.parametrize(("kind", "pattern"), all_of(AT))
def test_killed_before_a_statement(
    postgres: PostgresServer, cases: dict[str, Case], kind: str, pattern: str
) -> None:
    killed_and_run_again(postgres, cases[kind], pattern, after_commit=False)


@pytest.mark.parametrize(("kind", "pattern"), all_of(COMMITS))
def test_killed_after_a_commit(
    postgres: PostgresServer, cases: dict[str, Case], kind: str, pattern: str
) -> None:
    killed_and_run_again(postgres, cases[kind], pattern, after_commit=True)


def killed_and_run_again(postgres: PostgresServer, case: Case, pattern: str, *, after_commit: bool) -> None:
    with clone(postgres, case.template) as target:

        def work() -> None:
            killing(pattern, after_commit=after_commit)
            case.run(target)

        _, status = os.waitpid(forked(work), 0)
        assert os.WIFSIGNALED(status), "the run never came to this statement"
        wait_for_backends(target)
        assert_one_more_run_is_exact(case, target)


@pytest.mark.parametrize("seed", range(RANDOM_KILLS))
def test_killed_at_a_random_moment(postgres: PostgresServer, cases: dict[str, Case], seed: int) -> None:
    case = list(cases.values())[seed % len(cases)]
    moments = random.Random(seed)
    with clone(postgres, case.template) as target:
        for _ in range(2):
            killed_after(moments.uniform(0.02, 0.9), case, target)
        assert_one_more_run_is_exact(case, target)


def killed_after(seconds: float, case: Case, target: DatabaseSettings) -> None:
    pid = forked(lambda: case.run(target))
    time.sleep(seconds)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    wait_for_backends(target)


def test_killed_again_and_again_until_a_run_gets_through(
    postgres: PostgresServer, cases: dict[str, Case]
) -> None:
    case = cases["edited"]
    with clone(postgres, case.template) as target:
        for moment in (0.05, 0.1, 0.2, 0.3, 0.4, 0.5):
            killed_after(moment, case, target)
        assert_one_more_run_is_exact(case, target)
