"""Connecting to a real Postgres."""

from __future__ import annotations

import socket
import traceback
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from resources.database import connect
from resources.failures import PermanentError, TransientError

if TYPE_CHECKING:
    from resources.settings import DatabaseSettings


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
