"""COPY from one server to another: what arrives is what was sent, and a failure on either side fails the whole."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from typing import Any

import psycopg2
import psycopg2.errors
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from odoo_apn_assets.piping import SourceError, copy_across
from resources.database import connect
from resources.settings import DatabaseSettings

OUT = "copy (select n, t from kept order by n) to stdout (format binary)"
INTO = "copy arrived from stdin (format binary)"


@pytest.fixture
def ends(odoo_admin: DatabaseSettings, warehouse: DatabaseSettings) -> Iterator[tuple[Any, Any]]:
    """Two connections to two servers, each with a table of a number and a text."""
    source, target = connect(odoo_admin, application_name="out"), connect(warehouse, application_name="in")
    with source.cursor() as cursor:
        cursor.execute("create temporary table kept (n integer, t text)")
    with target.cursor() as cursor:
        cursor.execute("create temporary table arrived (n integer, t text)")
    source.commit()
    target.commit()
    yield source, target
    source.close()
    target.close()


def fill(source: Any, rows: int, size: int = 3200) -> None:
    with source.cursor() as cursor:
        cursor.execute(
            "insert into kept select g, repeat(md5(g::text), %s) from generate_series(1, %s) g",
            (size // 32, rows),
        )


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.tuples(
            st.integers(-(2**31), 2**31 - 1),
            st.text(st.characters(codec="utf-8", exclude_characters="\0")) | st.none(),
        )
    )
)
def test_what_arrives_is_what_was_sent(ends: tuple[Any, Any], rows: list[tuple[int, str | None]]) -> None:
    source, target = ends
    with source.cursor() as out, target.cursor() as into:
        out.execute("truncate kept")
        into.execute("truncate arrived")
        for row in rows:
            out.execute("insert into kept values (%s, %s)", row)
        assert copy_across(source, OUT, into, INTO) == len(rows)
        into.execute("select n, t from arrived")
        assert sorted(into.fetchall(), key=repr) == sorted(rows, key=repr)


def test_many_blocks_arrive(ends: tuple[Any, Any]) -> None:
    source, target = ends
    fill(source, 5000)
    with target.cursor() as cursor:
        assert copy_across(source, OUT, cursor, INTO) == 5000
        cursor.execute("select count(*), sum(length(t)) from arrived")
        assert cursor.fetchall() == [(5000, 5000 * 3200)]
    assert not source.closed, "the source goes on after a success"


def test_a_source_that_fails_in_the_middle_is_not_taken_for_one_that_has_ended(ends: tuple[Any, Any]) -> None:
    """A binary COPY that simply stops would be an error too; one of text would be a short table."""
    source, target = ends
    fill(source, 3000)
    out = "copy (select n, case when n = 2900 then (1 / (n - 2900))::text else t end from kept order by n) to stdout"
    with target.cursor() as cursor:
        with pytest.raises(SourceError) as failed:
            copy_across(source, out, cursor, "copy arrived from stdin")
        assert isinstance(failed.value.error, psycopg2.errors.DivisionByZero)
        target.rollback()
        cursor.execute("select count(*) from arrived")
        assert cursor.fetchall() == [(0,)]


@pytest.mark.parametrize("rows", [1, 5000], ids=["short", "many blocks"])
def test_a_target_that_fails_raises_its_own_error_and_closes_the_source(
    ends: tuple[Any, Any], rows: int
) -> None:
    """Half a COPY is left in the source's connection: whoever used it next would read old rows."""
    source, target = ends
    fill(source, rows)
    with target.cursor() as cursor:
        cursor.execute("alter table arrived add check (n <> 1)")
        with pytest.raises(psycopg2.errors.CheckViolation):
            copy_across(source, OUT, cursor, INTO)
    assert source.closed
    assert [thread for thread in threading.enumerate() if thread.name == "copy out"] == []


def test_a_statement_that_the_source_refuses_is_its_error(ends: tuple[Any, Any]) -> None:
    source, target = ends
    with target.cursor() as cursor, pytest.raises(SourceError) as failed:
        copy_across(source, "copy (select * from nowhere) to stdout (format binary)", cursor, INTO)
    assert isinstance(failed.value.error, psycopg2.errors.UndefinedTable)


def test_no_file_stays_open_after_successes_and_failures(ends: tuple[Any, Any]) -> None:
    source, target = ends
    before = len(os.listdir("/proc/self/fd"))
    with target.cursor() as cursor:
        for _ in range(5):
            copy_across(source, OUT, cursor, INTO)
        source.commit()
        assert len(os.listdir("/proc/self/fd")) == before
        with pytest.raises(SourceError):
            copy_across(source, "copy (select 1 / 0) to stdout", cursor, INTO)
    assert len(os.listdir("/proc/self/fd")) <= before
