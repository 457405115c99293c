"""What goes wrong around a sync, on real servers: edits meanwhile, restarts, a full disk, rights, other tables.

The servers that are restarted and filled are this module's own.
"""

from __future__ import annotations

import dataclasses
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from odoo_apn_assets import mirror as engine
from odoo_apn_assets.specs import specs_of
from resources.database import connect
from resources.failures import PermanentError
from resources.migrations import migrate
from resources.settings import DatabaseSettings
from sandbox.odoo_apn import edits
from sandbox.odoo_apn.build import build
from sandbox.postgres import PostgresServer
from tests import conftest, odoo_apn_source
from tests.odoo_apn_pipeline import Mirror, cursor_of, query
from tests.odoo_apn_source import TINY, as_reader

BIG = "(select string_agg(md5(g::text || l.id), '') from generate_series(1, 200000) g)"
"""6 MB that do not compress."""


@pytest.fixture
def odoo(
    odoo_admin: DatabaseSettings,
    odoo_source: DatabaseSettings,
    warehouse_as: Callable[[str], DatabaseSettings],
) -> Mirror:
    return Mirror("odoo", odoo_admin, odoo_source, warehouse_as("odoo_apn_etl"))


@pytest.fixture
def apn(
    apn_admin: DatabaseSettings, apn_source: DatabaseSettings, warehouse_as: Callable[[str], DatabaseSettings]
) -> Mirror:
    return Mirror("apn", apn_admin, apn_source, warehouse_as("odoo_apn_etl"))


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """A server that tests may stop, with an Odoo source and a migrated warehouse on it."""
    folder = tmp_path_factory.mktemp("victim")
    with conftest.guarded(folder):
        unsafe = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        server = PostgresServer(folder, port=25434, settings=unsafe | {"shared_buffers": "64MB"})
        server.start()
        server.ensure_login(odoo_apn_source.OWNER, odoo_apn_source.PASSWORD)
        server.ensure_login("odoo_reader", odoo_apn_source.PASSWORD)
        build(server, "odoo", "odoo_victim", TINY, odoo_apn_source.OWNER, "odoo_reader")
        server.ensure_login(conftest.OWNER, conftest.PASSWORD, create_role=True)
        server.create_database("warehouse_template", owner=conftest.OWNER)
        with server.session("warehouse_template") as connection, connection.cursor() as cursor:
            cursor.execute("create extension vector")
        migrate(conftest.settings_of(server, "warehouse_template"))
        server.ensure_login("odoo_apn_etl", conftest.PASSWORD)
        with server.session() as connection, connection.cursor() as cursor:
            cursor.execute("grant odoo_apn_writer to odoo_apn_etl")
        yield server


@pytest.fixture
def source_to_stop(
    victim: PostgresServer, warehouse_as: Callable[[str], DatabaseSettings]
) -> Iterator[Mirror]:
    """A sync whose source is on the server that may be stopped."""
    victim.create_database("odoo_stopped", owner=odoo_apn_source.OWNER, template="odoo_victim")
    admin = DatabaseSettings(
        host=victim.host, port=victim.port, name="odoo_stopped", user=odoo_apn_source.OWNER,
        password=odoo_apn_source.PASSWORD, sslmode="disable",
    )  # fmt: skip
    yield Mirror("odoo", admin, as_reader(admin), warehouse_as("odoo_apn_etl"))
    victim.drop_database("odoo_stopped")


@pytest.fixture
def target_to_stop(
    victim: PostgresServer, odoo_admin: DatabaseSettings, odoo_source: DatabaseSettings
) -> Iterator[Mirror]:
    """A sync whose warehouse is on the server that may be stopped."""
    victim.create_database("warehouse_stopped", owner=conftest.OWNER, template="warehouse_template")
    yield Mirror("odoo", odoo_admin, odoo_source, on(victim, "warehouse_stopped"))
    victim.drop_database("warehouse_stopped")


def on(server: PostgresServer, name: str) -> DatabaseSettings:
    return dataclasses.replace(conftest.settings_of(server, name), user="odoo_apn_etl")


def statuses(mirror: Mirror) -> list[Any]:
    return [
        status for (status,) in mirror.in_warehouse("select status from ops.sync_jobs order by created_at")
    ]


def assert_exact(mirror: Mirror) -> None:
    """Every column that the source has now, those that the catalogue lacks too, in every row."""
    assert mirror.differences() == {}
    for spec in specs_of(mirror.system):
        if spec.is_lookup:
            continue
        columns = ", ".join(
            f'"{name}"'
            for (name,) in mirror.at_source(
                "select attname::text from pg_attribute"
                " where attrelid = %s::regclass and attnum > 0 and not attisdropped order by 1",
                (f'"{spec.table}"',),
            )
        )
        there = query(mirror.reader, f'select row({columns})::text from "{spec.table}" order by 1')
        here = query(
            mirror.target,
            f"select row({columns})::text from raw.{spec.raw_name} where _deleted_at is null order by 1",
        )
        assert {row for (row,) in there} == {row for (row,) in here}, spec.table
    assert mirror.in_warehouse("select relname from pg_class where relname like 'new\\_%'") == []


# -- the source changes while it is read ---------------------------------------------------------------------------


@contextmanager
def writing(mirror: Mirror, table: str) -> Iterator[list[int]]:
    """Users at work until the block ends: edits, new rows, deletions and now and then a new column, each committed."""
    stop = threading.Event()
    rounds = [0]

    def work() -> None:
        connection = connect(mirror.admin, application_name="users")
        try:
            with connection.cursor() as cursor:
                cursor.execute("set search_path = public")
            connection.commit()
            while not stop.is_set():
                number = rounds[0]
                with connection:
                    edits.change_rows(connection, table, 5, number, mark=number % 3 > 0)
                    edits.insert_rows(connection, table, 3, number)
                    edits.delete_rows(connection, table, 2, number)
                if number % 10 == 5:
                    with connection:
                        edits.add_column(connection, table, f"x_{number}", "integer", str(number))
                rounds[0] += 1
                time.sleep(0.005)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        users = pool.submit(work)
        try:
            yield rounds
        finally:
            stop.set()
        users.result(timeout=60)


@pytest.mark.parametrize(("system", "table"), [("odoo", "crm_lead"), ("apn", "opportunity")])
def test_what_changes_during_a_sync_is_right_after_the_next_one(
    system: str, table: str, request: pytest.FixtureRequest
) -> None:
    mirror: Mirror = request.getfixturevalue(system)
    with writing(mirror, table) as rounds:
        for options in ({}, {}, {"full": True}, {}, {"resync": True}, {}):
            before = rounds[0]
            # More than a tenth may be gone: it is the users that are fast here.
            assert mirror.sync(allow_deletes=True, **options).failures == {}
            while rounds[0] < before + 4:
                time.sleep(0.01)
    assert rounds[0] > 15
    result = mirror.sync()
    assert result.status == "success"
    assert result.tables[f"{system}_{table}"].method in ("incremental", "compare")
    assert_exact(mirror)
    before_versions = mirror.versions()
    mirror.sync()
    assert mirror.versions() == before_versions


def test_a_long_transaction_that_ends_after_two_syncs_is_not_lost(odoo: Mirror) -> None:
    """Its rows carry the oldest marks of all, some written in a subtransaction, whose number is another."""
    late = connect(odoo.admin, application_name="late")
    with late.cursor() as cursor:
        cursor.execute("set search_path = public; set time zone 'UTC'")
        cursor.execute("update crm_lead set name = 'Late', write_date = now() where id = 5")
        cursor.execute("savepoint inner_one; delete from crm_lead where id = 9")
        cursor.execute("insert into crm_lead (id, name, write_date) values (900001, 'Late', '2020-01-01')")
        cursor.execute("update crm_lead set name = 'Late', write_date = null where id = 6")
        cursor.execute("release inner_one")
        odoo.sync()
        for number in (7, 8):
            odoo.at_source(
                "update crm_lead set name = 'Early', write_date = now() at time zone 'utc' where id = %s",
                (number,),
            )
            assert odoo.sync().tables["odoo_crm_lead"].updated == 1
        late.commit()
    late.close()
    done = odoo.sync().tables["odoo_crm_lead"]
    assert (done.method, done.inserted, done.updated, done.deleted) == ("incremental", 1, 2, 1)
    assert_exact(odoo)


def test_of_two_syncs_at_once_the_second_is_told_who_is_at_work(odoo: Mirror) -> None:
    """The first is held up at the source; the second neither waits for it nor writes."""
    blocker = connect(odoo.admin, application_name="blocker")
    with blocker.cursor() as cursor, ThreadPoolExecutor(1) as pool:
        cursor.execute("lock table public.crm_lead in access exclusive mode")
        first = pool.submit(odoo.sync)
        try:
            while not odoo.in_warehouse("select 1 from ops.sync_jobs where status = 'running'"):
                time.sleep(0.02)
            began = time.monotonic()
            with pytest.raises(PermanentError, match="held by sync of odoo, execution test"):
                odoo.sync()
            assert time.monotonic() - began < 5
            assert statuses(odoo) == ["running"]
        finally:
            blocker.rollback()
            blocker.close()
        assert first.result(timeout=30).status == "success"
    assert_exact(odoo)


def test_a_table_that_the_source_rewrites_meanwhile_is_not_taken_for_empty(
    odoo: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To an older snapshot a rewritten table has no rows: every one of them would be marked as deleted."""
    odoo.sync()

    def rewritten(*args: Any) -> Any:
        monkeypatch.undo()
        odoo.at_source("alter table crm_lead alter column color type bigint")
        odoo.at_source("alter table crm_lead alter column color type integer")
        return sync_table(*args)

    sync_table = engine.sync_table
    monkeypatch.setattr("odoo_apn_assets.sync.sync_table", rewritten)
    result = odoo.sync("odoo_crm_lead")
    assert odoo.in_warehouse("select count(*) from raw.odoo_crm_lead where _deleted_at is not null") == [(0,)]
    assert "are no longer at the source" in result.failures["odoo_crm_lead"].found
    assert odoo.sync().status == "success"
    assert_exact(odoo)


# -- servers that go away ------------------------------------------------------------------------------------------


def in_mid_copy(monkeypatch: pytest.MonkeyPatch, happen: Callable[[], None]) -> list[str]:
    """Have something happen when the first block of crm_lead has arrived; the list then names what was copied."""
    seen: list[str] = []
    original = engine.copy_across

    def copying(source: Any, copy_out: str, target: Any, copy_in: str, **others: Any) -> int:
        if '"crm_lead"' in copy_out and "description" in copy_out and not seen:
            seen.append(copy_out)
            timer = threading.Timer(0.02, happen)
            timer.start()
            try:
                return original(source, copy_out, target, copy_in, **others)
            finally:
                timer.join()
        return original(source, copy_out, target, copy_in, **others)

    monkeypatch.setattr(engine, "copy_across", copying)
    return seen


@pytest.mark.parametrize("loaded", [False, True], ids=["first load", "incremental"])
def test_a_source_that_is_restarted_in_mid_copy_is_read_again(
    source_to_stop: Mirror,
    victim: PostgresServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    loaded: bool,
) -> None:
    mirror = source_to_stop
    if loaded:
        mirror.sync()
    mirror.at_source(
        f"update crm_lead l set description = {BIG}, write_date = now() at time zone 'utc' where id <= 8"
    )

    def restart() -> None:
        victim.stop()
        victim.start()

    copied = in_mid_copy(monkeypatch, restart)
    result = mirror.sync()
    assert copied
    assert "reading the odoo database" in caplog.text, "the COPY was over before the source went away"
    assert result.status == "success"
    assert statuses(mirror) == ["success"] * (1 + loaded)
    assert_exact(mirror)


@pytest.mark.parametrize("loaded", [False, True], ids=["first load", "incremental"])
def test_a_warehouse_that_is_restarted_in_mid_copy_gets_the_table_again(
    target_to_stop: Mirror,
    victim: PostgresServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    loaded: bool,
) -> None:
    mirror = target_to_stop
    if loaded:
        mirror.sync()
    mirror.at_source(
        f"update crm_lead l set description = {BIG}, write_date = now() at time zone 'utc' where id <= 8"
    )

    def restart() -> None:
        victim.stop()
        victim.start()

    copied = in_mid_copy(monkeypatch, restart)
    result = mirror.sync()
    assert copied
    assert "mirroring crm_lead into raw.odoo_crm_lead" in caplog.text, "the COPY was over before the restart"
    assert result.failures == {}
    assert statuses(mirror) == ["success"] * (1 + loaded)
    assert_exact(mirror)
    assert mirror.sync().status == "success"
    assert mirror.in_warehouse("select count(*) from ops.write_leases") == [(0,)]


@pytest.fixture
def small_disk(victim: PostgresServer, tmp_path: Path) -> Iterator[Path]:
    """A file system of 48 MB that the server may write to."""
    folder = Path("/var/tmp") / f"small_disk_{os.getpid()}"
    folder.mkdir()
    try:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(folder)], capture_output=True, text=True
        )
        if mounted.returncode:
            pytest.skip(f"no small file system can be mounted here: {mounted.stderr.strip()}")
        try:
            space = folder / "space"
            space.mkdir()
            with victim.session() as connection, connection.cursor() as cursor:
                cursor.execute("select current_setting('data_directory')")
                ((data,),) = cursor.fetchall()
            of_the_server = os.stat(data)
            os.chown(space, of_the_server.st_uid, of_the_server.st_gid)
            yield space
        finally:
            subprocess.run(["umount", "-l", str(folder)], check=True)
    finally:
        folder.rmdir()


def test_a_full_disk_is_named_and_nothing_is_half_written(
    victim: PostgresServer, small_disk: Path, odoo_admin: DatabaseSettings, odoo_source: DatabaseSettings
) -> None:
    with victim.session() as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(f"create tablespace small location '{small_disk}'")
        cursor.execute("create database warehouse_small template warehouse_template tablespace small")
        cursor.execute(f"alter database warehouse_small owner to {conftest.OWNER}")
    mirror = Mirror("odoo", odoo_admin, odoo_source, on(victim, "warehouse_small"))
    try:
        mirror.sync()
        mirror.at_source(
            f"update crm_lead l set description = {BIG}, write_date = now() at time zone 'utc' where id <= 12"
        )
        mirror.at_source(
            "update crm_stage set name = 'New', write_date = now() at time zone 'utc' where id = 1"
        )
        for options in ({}, {"resync": True}):
            before = mirror.in_warehouse("select * from raw.odoo_crm_lead order by id")
            result = mirror.sync("odoo_crm_lead", "odoo_crm_stage", **options)
            assert (result.status, set(result.failures)) == ("partial", {"odoo_crm_lead"})
            assert "No space left on device" in str(result.failures["odoo_crm_lead"])
            assert mirror.in_warehouse("select * from raw.odoo_crm_lead order by id") == before
            assert mirror.differences("odoo_crm_stage") == {}
        assert statuses(mirror) == ["success", "partial", "partial"]
        mirror.at_source(
            "update crm_lead set description = 'short', write_date = now() at time zone 'utc' where id <= 12"
        )
        assert mirror.sync().status == "success"
        assert_exact(mirror)
    finally:
        victim.drop_database("warehouse_small")
        with victim.session() as connection, connection.cursor() as cursor:
            connection.autocommit = True
            cursor.execute("drop tablespace small")


# -- tables that are others than they were --------------------------------------------------------------------------


def test_a_table_that_may_not_be_read_leaves_the_others_alone(odoo: Mirror) -> None:
    odoo.at_source("revoke select on crm_team from odoo_reader")
    result = odoo.sync()
    assert (result.status, set(result.failures)) == ("partial", {"odoo_crm_team"})
    assert "permission denied for table crm_team" in str(result.failures["odoo_crm_team"])
    assert "rights of the source's login" in str(result.failures["odoo_crm_team"])
    odoo.at_source("grant select on crm_team to odoo_reader")
    assert odoo.sync().status == "success"
    assert_exact(odoo)


def test_a_right_that_is_taken_away_leaves_the_mirror_as_it_was(odoo: Mirror) -> None:
    odoo.sync()
    odoo.at_source("revoke select on crm_team from odoo_reader")
    before = odoo.versions()
    assert set(odoo.sync().failures) == {"odoo_crm_team"}
    assert odoo.versions() == before


def test_a_view_in_the_place_of_a_table_is_mirrored(odoo: Mirror) -> None:
    """It has no transaction numbers to go by: rows are compared."""
    odoo.sync()
    odoo.at_source("alter table crm_stage rename to crm_stage_table")
    odoo.at_source(
        "create view crm_stage as select * from crm_stage_table; grant select on crm_stage to odoo_reader"
    )
    odoo.at_source("update crm_stage_table set name = 'Edited' where id = 1")
    result = odoo.sync()
    assert result.status == "success"
    done = result.tables["odoo_crm_stage"]
    assert (done.method, done.updated) == ("compare", 1)
    assert odoo.differences() == {}
    before = odoo.versions()
    assert odoo.sync().status == "success"
    assert odoo.versions() == before
    assert odoo.sync("odoo_crm_stage", resync=True).status == "success"
    assert odoo.differences() == {}


def test_a_table_without_rows_is_mirrored_and_fills_later(odoo: Mirror) -> None:
    odoo.at_source("create table kept as table crm_team; delete from crm_team")
    first = odoo.sync("odoo_crm_team").tables["odoo_crm_team"]
    assert (first.method, first.source_rows, first.mirror_rows) == ("load", 0, 0)
    assert odoo.sync("odoo_crm_team").status == "success"
    odoo.at_source("insert into crm_team select * from kept")
    done = odoo.sync("odoo_crm_team").tables["odoo_crm_team"]
    assert done.inserted == done.source_rows > 0
    assert odoo.differences("odoo_crm_team") == {}


@pytest.mark.parametrize("options", [{}, {"full": True}, {"resync": True}])
def test_a_table_that_became_empty_stops_and_asks(odoo: Mirror, options: dict[str, bool]) -> None:
    odoo.sync("odoo_crm_team")
    odoo.at_source("truncate crm_team")
    before = odoo.versions()
    result = odoo.sync("odoo_crm_team", **options)
    assert "are no longer at the source" in result.failures["odoo_crm_team"].found
    assert odoo.versions() == before
    assert odoo.sync("odoo_crm_team", allow_deletes=True, **options).status == "success"
    assert odoo.in_warehouse("select count(*) from raw.odoo_crm_team where _deleted_at is null") == [(0,)]
    assert odoo.differences("odoo_crm_team") == {}


def test_odd_values_that_change_are_followed(odoo: Mirror) -> None:
    """NaN and infinity are equal to themselves, unlike in most languages: unchanged ones are not written again."""
    odd = [
        ("NaN", "Infinity", "infinity", "4713-01-01 BC"),
        ("-Infinity", "-Infinity", "-infinity", "5874897-12-31"),
    ]
    for number, values in enumerate([*odd, *odd]):
        odoo.at_source(
            "update crm_lead set expected_revenue = %s, probability = %s, date_closed = %s, date_deadline = %s,"
            " write_date = now() at time zone 'utc' where id = 5",
            values,
        )
        done = odoo.sync("odoo_crm_lead").tables["odoo_crm_lead"]
        assert done.inserted + done.updated == (done.source_rows if number == 0 else 1)
        assert odoo.differences("odoo_crm_lead") == {}
        assert odoo.sync("odoo_crm_lead", full=True).tables["odoo_crm_lead"].updated == 0


def test_a_value_of_100_mb_is_followed_when_it_changes(odoo: Mirror) -> None:
    odoo.sync("odoo_crm_lead")
    odoo.at_source(
        "update crm_lead set description = repeat('0123456789', 10000000), write_date = now() at time zone 'utc'"
        " where id = 5"
    )
    assert odoo.sync("odoo_crm_lead").tables["odoo_crm_lead"].updated == 1
    with cursor_of(odoo.target) as cursor:
        cursor.execute("select length(description) from raw.odoo_crm_lead where id = 5")
        assert cursor.fetchall() == [(100_000_000,)]
