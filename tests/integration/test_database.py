"""Connecting to a real Postgres."""

from __future__ import annotations

import socket
import traceback
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from dagster import build_init_resource_context

from resources.database import connect
from resources.failures import PermanentError, TransientError
from tests.pipeline import GivenWarehouse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from resources.settings import DatabaseSettings
    from resources.sql import Session


def test_a_connection_has_the_search_path_and_the_zone_that_the_printed_queries_need(
    warehouse: DatabaseSettings,
) -> None:
    with closing(connect(warehouse, application_name="x" * 100)) as connection, connection.cursor() as cursor:
        assert not connection.autocommit
        connection.rollback()  # the settings must outlive the first transaction
        cursor.execute(
            "select current_setting('search_path'), current_setting('timezone'),"
            " current_setting('application_name')"
        )
        assert cursor.fetchone() == ("fullbay, commerce, shoppulse, public", "UTC", "x" * 63)


def test_autocommit_is_on_when_asked_for(warehouse: DatabaseSettings) -> None:
    with closing(connect(warehouse, application_name="test", autocommit=True)) as connection:
        assert connection.autocommit


@pytest.mark.parametrize("wrong", [{"password": "canary-wrong-password"}, {"name": "no_such_database"}])
def test_a_refusal_is_permanent_at_once_and_shows_no_password(
    warehouse: DatabaseSettings, wrong: dict[str, str]
) -> None:
    settings = replace(warehouse, **wrong)  # type: ignore[arg-type]
    with pytest.raises(PermanentError, match="connecting to Postgres as warehouse_owner@") as raised:
        connect(settings, application_name="test", sleep=lambda _: pytest.fail("must not wait"))
    assert "Check the DB_* settings" in str(raised.value)
    assert settings.password not in "".join(traceback.format_exception(raised.value))


def test_a_server_that_is_down_is_tried_four_times() -> None:
    from resources.settings import DatabaseSettings

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    slept: list[float] = []
    settings = DatabaseSettings("127.0.0.1", port, "x", "etl", "canary-password", "disable")
    with pytest.raises(TransientError, match=r"Connection refused \(4 attempts\)"):
        connect(settings, application_name="test", sleep=slept.append)
    assert slept == [2.0, 4.0, 8.0]


@pytest.fixture
def in_a_run(warehouse: DatabaseSettings) -> Iterator[GivenWarehouse]:
    """A warehouse as the steps of one run share it."""
    resource = GivenWarehouse.of(warehouse)
    context = build_init_resource_context()
    resource.setup_for_execution(context)
    yield resource
    resource.teardown_after_execution(context)


def backend(session: Session) -> int:
    with session.connection, session.connection.cursor() as cursor:
        cursor.execute("select pg_backend_pid()")
        return int(cursor.fetchall()[0][0])


def test_the_steps_of_a_run_use_the_same_connections_one_after_the_other(in_a_run: GivenWarehouse) -> None:
    """Opening one for each took a light step longer than its statements: a third of the time of a 30-day run."""
    opened: list[str] = []
    with in_a_run.session("first", lambda record: opened.append(record.kind)) as first:
        served = backend(first)
        with in_a_run.session("beside it") as beside:
            assert backend(beside) != served
        first.connection.rollback()
    journal = in_a_run.connection("journal", autocommit=True)
    assert journal.autocommit
    with in_a_run.session("second", lambda record: opened.append(record.kind)) as second:
        assert not second.connection.autocommit
        with second.connection, second.connection.cursor() as cursor:
            cursor.execute("select current_setting('application_name')")
            assert cursor.fetchall() == [("second",)]
    in_a_run.let_go(journal)
    assert opened == ["CONNECT"]


def test_a_connection_that_is_not_at_rest_serves_no_other_step(in_a_run: GivenWarehouse) -> None:
    with in_a_run.session("stopped within its transaction") as session:
        served = session.connection.info.backend_pid
        session.connection.cursor().execute("select 1")
    assert session.connection.closed
    with in_a_run.session("next") as session:
        assert backend(session) != served


def test_a_connection_that_was_cut_between_two_steps_is_replaced(
    in_a_run: GivenWarehouse, warehouse: DatabaseSettings
) -> None:
    with in_a_run.session("first") as session:
        served = backend(session)
    with closing(connect(warehouse, application_name="test")) as other, other.cursor() as cursor:
        cursor.execute("select pg_terminate_backend(%s, 5000)", (served,))
    with in_a_run.session("next") as session:
        assert backend(session) != served


def test_a_run_leaves_no_connection_and_outside_of_one_none_is_kept(warehouse: DatabaseSettings) -> None:
    resource = GivenWarehouse.of(warehouse)
    context = build_init_resource_context()
    resource.setup_for_execution(context)
    with resource.session("in the run") as within:
        pass
    assert not within.connection.closed
    resource.teardown_after_execution(context)
    assert within.connection.closed
    with resource.session("outside") as outside:
        pass
    assert outside.connection.closed
