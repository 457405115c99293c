"""Edits of the sources: they do what they are named for, by the seed, and leave what they were not asked for."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest

from odoo_apn_assets.specs import quoted
from resources.settings import DatabaseSettings
from sandbox.odoo_apn import edits, schema
from tests.odoo_apn_source import SourceServer


@contextlib.contextmanager
def connected(database: DatabaseSettings) -> Iterator[Any]:
    connection = psycopg2.connect(
        host=database.host, port=database.port, dbname=database.name, user=database.user, password=database.password
    )  # fmt: skip
    try:
        yield connection
    finally:
        connection.close()


def content(connection: Any, table: str) -> dict[Any, str]:
    """Every row as text, by its key."""
    with connection.cursor() as cursor:
        cursor.execute(f"select id, t::text from {quoted(table)} t")
        return dict(cursor.fetchall())


@pytest.fixture
def admin(request: pytest.FixtureRequest) -> DatabaseSettings:
    found: DatabaseSettings = request.getfixturevalue(f"{request.param}_admin")
    return found


TABLES = [("odoo", "crm_lead"), ("odoo", "account_move_line"), ("apn", "opportunity"), ("apn", "cash_claim")]


@pytest.mark.parametrize(("admin", "table"), TABLES, indirect=["admin"])
def test_exactly_the_rows_named_are_changed(admin: DatabaseSettings, table: str) -> None:
    with connected(admin) as connection:
        before = content(connection, table)
        keys = edits.change_rows(connection, table, 7, seed=3)
        after = content(connection, table)
    assert len(keys) == 7
    assert {key for key in before if before[key] != after[key]} == set(keys)
    assert before.keys() == after.keys()


@pytest.mark.parametrize(
    ("admin", "table", "mark"),
    [("odoo", "crm_lead", "write_date"), ("apn", "opportunity", "aws_last_modified_date")],
    indirect=["admin"],
)
def test_a_change_moves_the_mark_unless_it_is_told_not_to(
    admin: DatabaseSettings, table: str, mark: str
) -> None:
    with connected(admin) as connection, connection.cursor() as cursor:
        loud = edits.change_rows(connection, table, 3, seed=1)
        quiet = edits.change_rows(connection, table, 3, seed=2, mark=False)
        cursor.execute(
            f"select id from {table} where {mark} > (now() at time zone 'UTC') - interval '1 hour' order by id"
        )
        moved = {row[0] for row in cursor.fetchall()}
    assert set(loud) <= moved
    assert not set(quiet) - set(loud) & moved


@pytest.mark.parametrize(("admin", "table"), TABLES, indirect=["admin"])
def test_rows_are_added_under_new_keys(admin: DatabaseSettings, table: str) -> None:
    with connected(admin) as connection:
        before = content(connection, table)
        first, second = (edits.insert_rows(connection, table, 5, seed=1) for _ in range(2))
        after = content(connection, table)
    assert len({*first, *second}) == 10
    assert set(after) - set(before) == {*first, *second}


def test_more_rows_can_be_added_than_there_are(odoo_admin: DatabaseSettings) -> None:
    with connected(odoo_admin) as connection:
        assert len(edits.insert_rows(connection, "crm_team", 30)) == 30


@pytest.mark.parametrize("table", [spec.table for spec in schema.tables("apn")])
def test_deleting_respects_the_foreign_keys(apn_admin: DatabaseSettings, table: str) -> None:
    with connected(apn_admin) as connection:
        before = content(connection, table)
        keys = edits.delete_rows(connection, table, 3, seed=5)
        assert set(before) - set(content(connection, table)) == set(keys)


def test_rows_of_every_table_can_be_changed(
    odoo_admin: DatabaseSettings, apn_admin: DatabaseSettings
) -> None:
    for database, system in ((odoo_admin, "odoo"), (apn_admin, "apn")):
        with connected(database) as connection:
            for spec in schema.tables(system):
                for seed in range(5):
                    assert len(edits.change_rows(connection, spec.table, 1, seed)) == 1


def test_the_same_seed_edits_the_same_rows(source_server: SourceServer) -> None:
    """Two clones, the same edits: equal but for the marks."""
    clones = [source_server.clone("odoo") for _ in range(2)]
    found = []
    for clone in clones:
        with connected(clone) as connection, connection.cursor() as cursor:
            done = edits.edit(connection, "odoo", 60, seed=9)
            assert sum(done.changed.values()) == 60
            cursor.execute("select md5(string_agg(id || name, '|' order by id)) from crm_lead")
            found.append((done, cursor.fetchone()))
        connection.close()
        source_server.drop(clone)
    assert found[0] == found[1]


def test_columns_come_go_and_change_their_type(odoo_admin: DatabaseSettings) -> None:
    with connected(odoo_admin) as connection, connection.cursor() as cursor:
        edits.add_column(connection, "crm_lead", "c_newField", "numeric(10, 2)", fill="1.5")
        edits.drop_column(connection, "crm_lead", "referred")
        edits.retype_column(connection, "crm_lead", "color", "text")
        cursor.execute(
            "select attname, format_type(atttypid, atttypmod) from pg_attribute where attrelid = 'crm_lead'::regclass"
            " and attname in ('c_newField', 'referred', 'color') order by attname"
        )
        assert cursor.fetchall() == [("c_newField", "numeric(10,2)"), ("color", "text")]
        assert len(edits.change_rows(connection, "crm_lead", 4)) == 4


@pytest.mark.parametrize("kind", ["text; drop table crm_lead", "", "varchar(1", "TEXT'"])
def test_a_type_that_is_none_is_refused(odoo_admin: DatabaseSettings, kind: str) -> None:
    with connected(odoo_admin) as connection, pytest.raises(ValueError, match="no name of a type"):
        edits.add_column(connection, "crm_lead", "x", kind)


def test_an_unknown_table_is_refused(odoo_admin: DatabaseSettings) -> None:
    with connected(odoo_admin) as connection, pytest.raises(ValueError, match="no table"):
        edits.change_rows(connection, "res_users", 1)


def test_the_reader_sees_a_column_that_was_added(odoo_admin: DatabaseSettings) -> None:
    with connected(odoo_admin) as connection:
        edits.add_column(connection, "crm_lead", "c_new", fill="here")
        connection.commit()
    with (
        connected(dataclasses.replace(odoo_admin, user="odoo_reader")) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("select distinct c_new from crm_lead")
        assert cursor.fetchall() == [("here",)]
