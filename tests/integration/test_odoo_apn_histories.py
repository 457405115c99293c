"""Any history of a table, any order of syncs: mirror = source after each, and without changes nothing is written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from odoo_apn_assets.specs import spec_of
from resources.settings import DatabaseSettings
from tests.odoo_apn_pipeline import Mirror, cursor_of, query

IDS = st.integers(1, 130)
"""Three blocks of a key sweep, so that keys meet, return and share a block."""
TEXTS = st.sampled_from(["", "a", "A", "é", "\\N", "\t", "x" * 3000, None])
MARKS = st.sampled_from(["moved", "kept", "null", "old", "infinity"])
EDITS = st.one_of(
    st.tuples(st.just("put"), IDS, TEXTS, MARKS),
    st.tuples(st.just("put"), IDS, TEXTS, MARKS),
    st.tuples(st.just("delete"), IDS),
    st.tuples(st.just("delete from"), IDS),
)
OPTIONS = st.sampled_from(
    [{}, {}, {}, {"full": True}, {"resync": True}, {"row_hashes": False}, {"row_hashes": False, "full": True}]
)
HISTORIES = st.lists(st.tuples(st.lists(EDITS, max_size=6), OPTIONS), min_size=2, max_size=6)
NOW = "clock_timestamp() at time zone 'utc'"
MARK = {"moved": NOW, "kept": "{mark}", "null": "null", "old": "'2001-01-01'", "infinity": "'infinity'"}


def apply(mirror: Mirror, table: str, edit: tuple[Any, ...], seen: set[str]) -> None:
    """One edit in a transaction of its own: a row put in or changed, a row deleted, all rows from one on deleted."""
    text_key = mirror.system == "apn"
    key = f"K{edit[1]:03}" if text_key else edit[1]
    with cursor_of(mirror.admin) as cursor:
        if edit[0] != "put":
            cursor.execute(f"delete from {table} where id {'=' if edit[0] == 'delete' else '>='} %s", (key,))
            return
        seen.add(str(key))
        if text_key:
            cursor.execute(
                f"insert into {table} (id, email) values (%s, left(%s, 80))"
                " on conflict (id) do update set email = excluded.email",
                (key, edit[2]),
            )
            return
        kept = MARK[edit[3]].format(mark="t.write_date")
        new = NOW if edit[3] == "kept" else kept
        cursor.execute(
            f"insert into {table} as t (id, name, write_date) values (%s, %s, {new})"
            f" on conflict (id) do update set name = excluded.name, write_date = {kept}",
            (key, edit[2]),
        )


def rows(database: DatabaseSettings, text: str) -> list[str]:
    return [row for (row,) in query(database, text)]


def check_history(
    mirror: Mirror, raw_name: str, history: list[tuple[list[tuple[Any, ...]], dict[str, bool]]]
) -> None:
    table = spec_of(raw_name).table
    mirror.at_source(f"truncate {table} cascade")
    mirror.in_warehouse(
        f"delete from raw.{raw_name}; delete from ops.mirror_state; delete from ops.raw_changes"
    )
    seen: set[str] = set()
    for edits, options in history:
        for edit in edits:
            apply(mirror, table, edit, seen)
        going_back = {"allow_deletes": True, "accept_older_source": True}
        done = mirror.sync(raw_name, **going_back, **options).tables[raw_name]
        assert mirror.differences(raw_name) == {}, (done, options)
        assert done.source_rows == done.mirror_rows == done.unchanged + done.inserted + done.updated
        here = set(rows(mirror.target, f"select id::text from raw.{raw_name}"))
        there = set(rows(mirror.admin, f"select id::text from {table}"))
        assert there <= here <= seen | there, "rows that went stay, as gone"
        before = rows(mirror.target, f"select (ctid, xmin)::text from raw.{raw_name} order by 1")
        mirror.in_warehouse("delete from ops.raw_changes")
        again = mirror.sync(
            raw_name, **{name: on for name, on in options.items() if name != "resync"}
        ).tables[raw_name]
        assert (again.inserted, again.updated, again.deleted) == (0, 0, 0)
        assert rows(mirror.target, f"select (ctid, xmin)::text from raw.{raw_name} order by 1") == before
        assert mirror.in_warehouse("select * from ops.raw_changes") == []


quickly = settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


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


@quickly
@given(history=HISTORIES)
def test_any_history_of_a_table_with_a_mark(odoo: Mirror, history: list[Any]) -> None:
    check_history(odoo, "odoo_crm_stage", history)


@quickly
@given(history=HISTORIES)
def test_any_history_of_a_table_without_a_mark(apn: Mirror, history: list[Any]) -> None:
    check_history(apn, "apn_users", history)
