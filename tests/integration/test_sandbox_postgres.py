"""The launcher of the embedded Postgres: whatever happened before, `start()` gives a server with its data."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg2
import pytest

from sandbox import postgres as launcher
from sandbox.postgres import PostgresServer
from sandbox.processes import LOCALHOST, SandboxError
from tests.conftest import ROOT, guarded

MARK = "kept over everything"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    with guarded(tmp_path / "server"):
        yield tmp_path / "server"


@pytest.fixture
def server(folder: Path) -> PostgresServer:
    """A running server with a row in it, durable as in the sandbox."""
    server = PostgresServer(folder, port=26432, settings={"shared_buffers": "128MB"})
    server.start()
    with server.session() as connection, connection.cursor() as cursor:
        cursor.execute("create table kept (mark text)")
        cursor.execute("insert into kept values (%s)", (MARK,))
    return server


def mark_in(server: PostgresServer) -> str:
    with server.session() as connection, connection.cursor() as cursor:
        cursor.execute("select mark from kept")
        row = cursor.fetchone()
    assert row is not None
    return str(row[0])


def kill_postmaster(server: PostgresServer) -> int:
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    return pid


def pid_file(server: PostgresServer) -> Path:
    return server.cluster / "postmaster.pid"


def test_starting_twice_keeps_the_same_server(server: PostgresServer) -> None:
    before = server.pid
    server.start()
    assert server.pid == before


def test_the_data_survives_a_killed_postmaster(server: PostgresServer) -> None:
    """The killed child of this process is a zombie, which a check of pids takes for a running server."""
    killed = kill_postmaster(server)
    server.start()
    assert server.pid != killed
    assert mark_in(server) == MARK


def test_a_killed_postmaster_with_a_busy_session_is_replaced_at_once(server: PostgresServer) -> None:
    """Its backends live on for a moment, and a second postmaster beside them would destroy data."""
    with server.session() as connection, connection.cursor() as cursor:
        kill_postmaster(server)
        server.start()
        with pytest.raises(psycopg2.OperationalError):
            cursor.execute("insert into kept values ('lost')")
    assert mark_in(server) == MARK


@pytest.mark.parametrize(
    "content", ["", "1\n", "{pid}\n/elsewhere\n0\n5432\n\n\n\nready\n"], ids=["empty", "init", "recycled"]
)
def test_a_pid_file_that_means_nobody_is_no_obstacle(server: PostgresServer, content: str) -> None:
    """ "recycled": the pid in it belongs to another program by now, here to this test."""
    server.stop()
    pid_file(server).write_text(content.format(pid=os.getpid()))
    server.start()
    assert mark_in(server) == MARK


def test_a_hanging_server_is_replaced(server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launcher, "SILENT_SECONDS", 0.5)
    before = server.pid
    assert before is not None
    for process in [psutil.Process(before), *psutil.Process(before).children()]:
        process.suspend()
    server.start()
    assert server.pid != before
    assert mark_in(server) == MARK


def test_a_taken_port_is_left_to_its_owner(server: PostgresServer) -> None:
    port = server.port
    server.stop()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind((LOCALHOST, port))
        other.listen()
        server.start()
        assert server.port != port
        assert mark_in(server) == MARK
    moved = server.port
    server.stop()
    server.start()
    assert server.port == moved, "the new port is remembered"


def test_another_server_on_our_port_is_not_taken_for_ours(server: PostgresServer, tmp_path: Path) -> None:
    """The same password even: only the data folder tells them apart, as after copying a checkout."""
    twin_folder = tmp_path / "twin"
    twin_folder.mkdir()
    for name in ("process.json", "superuser_password"):
        (twin_folder / name).write_text((server.state_dir / name).read_text())
    with guarded(twin_folder):
        twin = PostgresServer(twin_folder, settings={"shared_buffers": "128MB"})
        assert not twin.is_running()
        twin.start()
        assert twin.port != server.port
        assert mark_in(server) == MARK


def test_two_starters_at_once_start_one_server(folder: Path) -> None:
    code = (
        "import sys; from sandbox.postgres import PostgresServer;"
        f"s = PostgresServer({str(folder)!r}, port=26432); s.start(); print(s.pid, s.port)"
    )
    starters = [
        subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    said = [starter.communicate(timeout=60)[0].split() for starter in starters]
    assert [starter.returncode for starter in starters] == [0] * 4
    assert len({tuple(line) for line in said}) == 1
    assert PostgresServer(folder).is_running(), "the server outlives its starters"


def test_a_starter_killed_half_way_leaves_nothing_in_the_way(folder: Path) -> None:
    code = f"from sandbox.postgres import PostgresServer; PostgresServer({str(folder)!r}, port=26432).start()"
    for seconds in (0.15, 0.3, 0.45):
        starter = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
        time.sleep(seconds)
        starter.kill()
        starter.wait()
    server = PostgresServer(folder, port=26432)
    server.start()
    assert server.is_running()


def test_stopping_keeps_the_data_and_is_repeatable(server: PostgresServer) -> None:
    server.stop()
    server.stop()
    assert not server.is_running()
    assert server.pid is None
    server.start()
    assert mark_in(server) == MARK


def test_only_the_right_password_is_let_in(server: PostgresServer) -> None:
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(
            host=server.host, port=server.port, user=server.user, password="wrong", dbname="postgres"
        )


def test_passwords_and_statements_stay_out_of_the_log(server: PostgresServer) -> None:
    server.ensure_login("somebody", "canary-password-17")
    with server.session() as connection, connection.cursor() as cursor:
        with pytest.raises(psycopg2.Error):
            cursor.execute("select 'canary-literal-18' from nowhere")
        with pytest.raises(psycopg2.Error):
            cursor.execute("create role somebody password 'canary-literal-19'")
        cursor.execute("create table once (word text primary key)")
        cursor.execute("insert into once values ('canary-value-20')")
        with pytest.raises(psycopg2.Error):
            cursor.execute("insert into once values ('canary-value-20')")
    assert "canary" not in server.log.read_text()


def test_secrets_and_data_are_closed_to_others(server: PostgresServer) -> None:
    assert (server.state_dir / "superuser_password").stat().st_mode & 0o777 == 0o600
    assert server.log.stat().st_mode & 0o777 == 0o600
    assert server.state_dir.stat().st_mode & 0o777 == 0o700
    assert server.cluster.stat().st_mode & 0o777 == 0o700


def test_it_runs_durably_and_not_as_root(server: PostgresServer) -> None:
    assert server.pid is not None
    assert psutil.Process(server.pid).uids().effective != 0
    with server.session() as connection, connection.cursor() as cursor:
        for name in ("fsync", "full_page_writes", "synchronous_commit", "data_checksums"):
            cursor.execute(f"show {name}")
            assert cursor.fetchone() == ("on",), name


def test_databases_are_made_once_cloned_and_dropped(server: PostgresServer) -> None:
    server.ensure_login("keeper", "secret")
    assert server.create_database("first", owner="keeper")
    assert not server.create_database("first", owner="keeper")
    with server.session("first") as connection, connection.cursor() as cursor:
        cursor.execute("create table seen (n integer)")
    assert server.create_database("second", template="first")
    with server.session("second") as connection, connection.cursor() as cursor:
        cursor.execute("select count(*) from seen")
        assert cursor.fetchone() == (0,)
        server.drop_database("first")
    server.drop_database("never there")


def test_another_version_than_that_of_the_data_is_refused(server: PostgresServer) -> None:
    other = 16 if server.version == 18 else 18
    server.stop()
    with pytest.raises(SandboxError, match=f"made by PostgreSQL {server.version}"):
        PostgresServer(server.state_dir, version=other).start()
