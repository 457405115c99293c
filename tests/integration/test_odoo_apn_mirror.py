"""The mirror engine between two real servers: loads, edits, deletions, drift, bad rows, sources that go away."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg2.errors
import pytest

from odoo_apn_assets.specs import specs_of
from resources.database import connect
from resources.failures import PermanentError, TransientError
from resources.leases import lease
from resources.settings import DatabaseSettings
from tests.odoo_apn_pipeline import Mirror, cursor_of, query
from tests.odoo_apn_source import SourceServer


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


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The delays between attempts are noted, not waited for."""
    slept: list[float] = []
    monkeypatch.setattr("resources.failures.time.sleep", slept.append)
    import resources.failures as failures

    monkeypatch.setattr(
        failures.retrying, "__kwdefaults__", {**failures.retrying.__kwdefaults__, "sleep": slept.append}
    )
    return slept


def statuses(mirror: Mirror) -> list[tuple[str, int]]:
    return mirror.in_warehouse("select status, attempts from ops.sync_jobs order by created_at")  # type: ignore[return-value]


@pytest.mark.parametrize("system", ["odoo", "apn"])
def test_a_first_sync_mirrors_every_row_and_column(system: str, request: pytest.FixtureRequest) -> None:
    mirror: Mirror = request.getfixturevalue(system)
    result = mirror.sync()
    assert result.status == "success"
    assert set(result.tables) == {spec.raw_name for spec in specs_of(system)}
    assert {done.method for done in result.tables.values()} == {"load"}
    assert mirror.differences() == {}
    assert mirror.in_warehouse("select distinct _source_system from raw.lookup_res_users") in (
        [("odoo",)],
        [],
    )
    ((processed, inserted),) = mirror.in_warehouse(
        "select records_processed, records_inserted from ops.sync_jobs"
    )
    assert processed == inserted == sum(done.source_rows for done in result.tables.values()) > 0


@pytest.mark.parametrize("system", ["odoo", "apn"])
@pytest.mark.parametrize("full", [False, True])
def test_a_second_sync_writes_no_row(system: str, full: bool, request: pytest.FixtureRequest) -> None:
    mirror: Mirror = request.getfixturevalue(system)
    mirror.sync()
    before = mirror.versions()
    result = mirror.sync(full=full)
    assert result.status == "success"
    assert mirror.versions() == before
    assert {(done.inserted, done.updated, done.deleted) for done in result.tables.values()} == {(0, 0, 0)}
    if full:
        assert all(done.source_hash == done.mirror_hash for done in result.tables.values())
        assert any(done.source_hash is not None for done in result.tables.values())


def test_secrets_of_res_users_stay_at_the_source(odoo: Mirror) -> None:
    odoo.sync()
    assert odoo.at_source("select count(*) > 0 from res_users where password is not null") == [(True,)]
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        query(odoo.reader, "select password from res_users")
    columns = odoo.in_warehouse(
        "select column_name from information_schema.columns"
        " where table_schema = 'raw' and table_name = 'lookup_res_users'"
    )
    assert {name for (name,) in columns} >= {"login", "partner_id"}
    assert not {"password", "totp_secret", "oauth_access_token"} & {name for (name,) in columns}


def test_edits_insertions_and_deletions_are_followed(odoo: Mirror) -> None:
    odoo.sync()
    odoo.at_source(
        "update crm_lead set name = 'Edited', write_date = now() at time zone 'utc' where id in (3, 4)"
    )
    odoo.at_source(
        "insert into crm_lead (id, name, type, write_date)"
        " values (900001, 'New', 'opportunity', now() at time zone 'utc')"
    )
    odoo.at_source("delete from crm_lead where id in (7, 8, 9)")
    done = odoo.sync("odoo_crm_lead").tables["odoo_crm_lead"]
    assert (done.method, done.inserted, done.updated, done.deleted) == ("incremental", 1, 2, 3)
    assert done.rows_read < done.source_rows
    assert odoo.differences("odoo_crm_lead") == {}
    gone = odoo.in_warehouse("select id from raw.odoo_crm_lead where _deleted_at is not null order by id")
    assert gone == [(7,), (8,), (9,)]


def test_a_row_that_returns_is_revived(odoo: Mirror) -> None:
    odoo.sync("odoo_crm_lead")
    ((keep,),) = odoo.at_source("select row_to_json(l)::text from crm_lead l where id = 7")
    odoo.at_source("delete from crm_lead where id = 7")
    assert odoo.sync("odoo_crm_lead").tables["odoo_crm_lead"].deleted == 1
    odoo.at_source(
        "insert into crm_lead select * from json_populate_record(null::crm_lead, %s::json)", (keep,)
    )
    done = odoo.sync("odoo_crm_lead").tables["odoo_crm_lead"]
    assert (done.revived, done.updated, done.inserted) == (1, 1, 0)
    assert odoo.differences("odoo_crm_lead") == {}


def test_a_row_committed_late_is_not_lost(odoo: Mirror) -> None:
    """Odoo stamps write_date when a transaction begins; one that ends after a sync is older than the watermark then."""
    late = connect(odoo.admin, application_name="late")
    with late.cursor() as cursor:
        cursor.execute("set search_path = public")
        cursor.execute(
            "update crm_lead set name = 'Late', write_date = now() at time zone 'utc' where id = 5"
        )
        time.sleep(0.02)
        odoo.at_source(
            "update crm_lead set name = 'Early', write_date = now() at time zone 'utc' where id = 6"
        )
        odoo.sync("odoo_crm_lead")
        late.commit()
    late.close()
    done = odoo.sync("odoo_crm_lead").tables["odoo_crm_lead"]
    assert (done.method, done.updated) == ("incremental", 1)
    assert odoo.differences("odoo_crm_lead") == {}


def test_an_edit_that_does_not_move_the_mark_is_found(odoo: Mirror) -> None:
    odoo.sync("odoo_crm_lead")
    odoo.at_source("update crm_lead set name = 'By hand' where id = 5")
    done = odoo.sync("odoo_crm_lead").tables["odoo_crm_lead"]
    assert (done.method, done.updated) == ("incremental", 1)
    assert odoo.differences("odoo_crm_lead") == {}


def test_a_table_without_a_mark_is_compared_by_hash(apn: Mirror) -> None:
    apn.sync()
    apn.at_source(
        "update cash_claim set status = 'Paid' || coalesce(status, '')"
        " where id in (select id from cash_claim order by id limit 2)"
    )
    done = apn.sync().tables["apn_cash_claim"]
    assert (done.method, done.updated, done.rows_read) == ("compare", 2, 2)
    assert apn.differences() == {}


def test_only_the_scale_of_a_number_changed(odoo: Mirror) -> None:
    """1.0 = 1.00 for Postgres, but an exact mirror shows what the source shows."""
    odoo.at_source("update crm_lead set expected_revenue = 1.0 where id = 5")
    odoo.sync("odoo_crm_lead")
    odoo.at_source("update crm_lead set expected_revenue = 1.00 where id = 5")
    assert odoo.sync("odoo_crm_lead", full=True).tables["odoo_crm_lead"].updated == 1
    ((value,),) = odoo.in_warehouse("select expected_revenue from raw.odoo_crm_lead where id = 5")
    assert str(value) == "1.00"
    assert value == Decimal("1.0")


def test_tables_agree_although_the_source_changes_meanwhile(odoo: Mirror) -> None:
    """Orders and their lines come from one snapshot: no line without its order."""
    stop = threading.Event()

    def write() -> None:
        number = 800_000
        while not stop.is_set():
            number += 1
            with cursor_of(odoo.admin) as cursor:
                cursor.execute(
                    "insert into sale_order (id, name, partner_id, write_date)"
                    " select %s, 'S', min(partner_id), now() at time zone 'utc' from sale_order",
                    (number,),
                )
                cursor.execute(
                    "insert into sale_order_line (id, order_id, name, write_date)"
                    " values (%s, %s, 'L', now() at time zone 'utc')",
                    (number, number),
                )

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(3):
            odoo.sync("odoo_sale_order_line", "odoo_sale_order")
            orphans = odoo.in_warehouse(
                "select count(*) from raw.odoo_sale_order_line l where l.id > 800000 and l._deleted_at is null"
                " and not exists (select from raw.odoo_sale_order o where o.id = l.order_id)"
            )
            assert orphans == [(0,)]
    finally:
        stop.set()
        writer.join()
    odoo.sync("odoo_sale_order_line", "odoo_sale_order")
    assert odoo.differences("odoo_sale_order_line", "odoo_sale_order") == {}


def test_many_deletions_stop_and_ask(odoo: Mirror) -> None:
    odoo.sync("odoo_crm_lead", "odoo_crm_team")
    before = odoo.versions()
    odoo.at_source("delete from crm_lead where id > 100")
    result = odoo.sync("odoo_crm_lead", "odoo_crm_team")
    assert (result.status, set(result.failures)) == ("partial", {"odoo_crm_lead"})
    assert "allow_deletes: true" in str(result.failures["odoo_crm_lead"])
    assert odoo.versions() == before
    assert odoo.sync("odoo_crm_lead", allow_deletes=True).status == "success"
    assert odoo.differences("odoo_crm_lead") == {}


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_watermark_that_goes_back_stops_and_asks(odoo: Mirror, elsewhere: bool) -> None:
    """Also when the older state is on another server, as after a restore."""
    odoo.sync("odoo_crm_lead")
    if elsewhere:
        odoo.in_warehouse("update ops.mirror_state set source_identity = 'the server before'")
    odoo.at_source("update crm_lead set write_date = write_date - interval '40 days', name = 'Restored'")
    result = odoo.sync("odoo_crm_lead")
    assert "went back in time" in result.failures["odoo_crm_lead"].found
    assert odoo.in_warehouse("select count(*) from raw.odoo_crm_lead where name = 'Restored'") == [(0,)]
    assert odoo.sync("odoo_crm_lead", accept_older_source=True).status == "success"
    assert odoo.differences("odoo_crm_lead") == {}


def test_the_row_that_set_the_watermark_may_be_deleted(odoo: Mirror) -> None:
    odoo.sync("odoo_crm_lead")
    odoo.at_source("delete from crm_lead where write_date = (select max(write_date) from crm_lead)")
    done = odoo.sync("odoo_crm_lead").tables["odoo_crm_lead"]
    assert (done.method, done.deleted) == ("compare", 1)


def test_a_resync_swaps_in_a_new_table_and_keeps_what_was_deleted(odoo: Mirror) -> None:
    odoo.sync("odoo_crm_lead", "odoo_crm_team")
    odoo.at_source("delete from crm_lead where id = 7")
    odoo.sync("odoo_crm_lead")
    other = odoo.in_warehouse("select * from ops.mirror_state where raw_table = 'odoo_crm_team'")
    odoo.in_warehouse("update raw.odoo_crm_lead set name = 'Broken by hand' where id = 8")
    result = odoo.sync("odoo_crm_lead", resync=True)
    assert result.tables["odoo_crm_lead"].method == "resync"
    assert odoo.differences("odoo_crm_lead") == {}
    assert odoo.in_warehouse("select id from raw.odoo_crm_lead where _deleted_at is not null") == [(7,)]
    assert odoo.in_warehouse("select * from ops.mirror_state where raw_table = 'odoo_crm_team'") == other
    assert odoo.in_warehouse("select tableowner from pg_tables where tablename = 'odoo_crm_lead'") == [
        ("odoo_apn_writer",)
    ]
    assert odoo.in_warehouse("select count(*) from pg_class where relname like 'new\\_%'") == [(0,)]
    odoo.at_source("update crm_lead set name = 'After', write_date = now() at time zone 'utc' where id = 9")
    assert odoo.sync("odoo_crm_lead").tables["odoo_crm_lead"].updated == 1


def test_without_row_hashes_the_columns_are_compared(odoo: Mirror) -> None:
    odoo.sync("odoo_crm_lead", row_hashes=False)
    assert odoo.in_warehouse("select count(_row_hash) from raw.odoo_crm_lead") == [(0,)]
    before = odoo.versions()
    odoo.sync("odoo_crm_lead", row_hashes=False)
    odoo.sync("odoo_crm_lead", row_hashes=False, full=True)
    assert odoo.versions() == before
    odoo.at_source("update crm_lead set name = 'Edited', write_date = now() at time zone 'utc' where id = 3")
    assert odoo.sync("odoo_crm_lead", row_hashes=False).tables["odoo_crm_lead"].updated == 1


# -- drift -----------------------------------------------------------------------------------------------------


def drifts(mirror: Mirror) -> list[tuple[Any, ...]]:
    return mirror.in_warehouse(
        "select raw_table, column_name, kind, closed_at is null from ops.schema_drift order by drift_id"
    )


def test_a_new_source_column_joins_the_mirror_with_all_its_values(odoo: Mirror) -> None:
    odoo.sync("odoo_crm_lead")
    odoo.at_source("""alter table crm_lead add column "x_newCase" numeric(10, 3) default 1.250""")
    done = odoo.sync("odoo_crm_lead").tables["odoo_crm_lead"]
    assert [(drift.kind, drift.column) for drift in done.drifts] == [("column_added", "x_newCase")]
    ((count, kind),) = odoo.in_warehouse(
        'select count(*) filter (where "x_newCase"::text = \'1.250\'), min(pg_typeof("x_newCase")::text)'
        " from raw.odoo_crm_lead"
    )
    assert (count, kind) == (done.source_rows, "numeric")
    before = odoo.versions()
    odoo.sync("odoo_crm_lead")
    assert odoo.versions() == before
    assert drifts(odoo) == [("odoo_crm_lead", "x_newCase", "column_added", False)]


def test_a_column_of_a_type_of_its_own_is_mirrored_as_text(odoo: Mirror) -> None:
    odoo.sync("odoo_crm_team")
    odoo.at_source(
        "create type mood as enum ('glad', 'sad'); alter table crm_team add column mood mood default 'glad'"
    )
    odoo.sync("odoo_crm_team")
    assert odoo.in_warehouse("select distinct mood from raw.odoo_crm_team") == [("glad",)]
    before = odoo.versions()
    assert odoo.sync("odoo_crm_team").tables["odoo_crm_team"].drifts == ()
    assert odoo.versions() == before


def test_a_frozen_table_only_reports_a_new_column(odoo: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    odoo.sync("odoo_crm_team")
    odoo.at_source("alter table crm_team add column x_extra text default 'x'")
    monkeypatch.setattr(
        "tests.odoo_apn_pipeline.spec_of",
        lambda name: next(
            dataclasses.replace(spec, contract="freeze") for spec in specs_of("odoo") if spec.raw_name == name
        ),
    )
    done = odoo.sync("odoo_crm_team").tables["odoo_crm_team"]
    assert [drift.action for drift in done.drifts] == ["not mirrored: the table is frozen"]
    columns = odoo.in_warehouse(
        "select count(*) from information_schema.columns where column_name = 'x_extra'"
    )
    assert columns == [(0,)]


def test_a_dropped_column_keeps_its_last_values(odoo: Mirror) -> None:
    odoo.sync("odoo_crm_lead")
    before = odoo.in_warehouse("select id, name, city from raw.odoo_crm_lead order by id")
    odoo.at_source("alter table crm_lead drop column city")
    for options in ({}, {"full": True}, {"resync": True}):
        done = odoo.sync("odoo_crm_lead", **options).tables["odoo_crm_lead"]
        assert [(drift.kind, drift.column) for drift in done.drifts] == [("column_dropped", "city")]
        assert odoo.in_warehouse("select id, name, city from raw.odoo_crm_lead order by id") == before
    assert drifts(odoo) == [("odoo_crm_lead", "city", "column_dropped", True)]


def test_values_of_a_retyped_column_that_do_not_convert_are_quarantined(odoo: Mirror) -> None:
    odoo.sync("odoo_crm_lead")
    odoo.at_source("alter table crm_lead alter column color type text using color::text")
    odoo.at_source(
        "update crm_lead set color = 'dark red', write_date = now() at time zone 'utc' where id = 5"
    )
    odoo.at_source("update crm_lead set color = '1.5', write_date = now() at time zone 'utc' where id = 6")
    odoo.at_source("update crm_lead set color = '11', write_date = now() at time zone 'utc' where id = 7")
    result = odoo.sync("odoo_crm_lead")
    assert result.status == "partial"
    assert result.tables["odoo_crm_lead"].refused_values == 2
    assert odoo.in_warehouse("select id, color from raw.odoo_crm_lead where id in (5, 6, 7) order by id") == [
        (5, None),
        (6, None),
        (7, 11),
    ]
    held = odoo.in_warehouse(
        "select source_id, column_name, value, reason from ops.quarantine where closed_at is null order by 1"
    )
    assert held == [("5", "color", "dark red", "NOT_CONVERTIBLE"), ("6", "color", "1.5", "NOT_CONVERTIBLE")]
    odoo.at_source(
        "update crm_lead set color = '3', write_date = now() at time zone 'utc' where id in (5, 6)"
    )
    assert odoo.sync("odoo_crm_lead").status == "success"
    assert odoo.in_warehouse("select count(*) from ops.quarantine where closed_at is null") == [(0,)]


def test_a_narrower_type_is_taken_as_it_is(odoo: Mirror) -> None:
    odoo.at_source("alter table crm_team alter column name type varchar(40)")
    done = odoo.sync("odoo_crm_team").tables["odoo_crm_team"]
    assert [(drift.kind, drift.action) for drift in done.drifts] == [
        ("column_retyped", "taken as it is: every value fits")
    ]
    assert odoo.differences("odoo_crm_team") == {}
    assert odoo.sync("lookup_res_country").tables["lookup_res_country"].drifts == ()


def test_several_retyped_columns_are_each_converted_by_their_own_type(odoo: Mirror) -> None:
    """Cost: every street of a table was refused as "no integer", because a column before it had been one."""
    odoo.sync("odoo_crm_lead")
    odoo.at_source(
        "alter table crm_lead alter column color type text, alter column street type text,"
        " alter column expected_revenue type text, alter column date_deadline type text"
    )
    odoo.at_source("update crm_lead set date_deadline = 'soon', color = '4' where id = 5")
    assert odoo.sync("odoo_crm_lead").tables["odoo_crm_lead"].refused_values == 1
    assert odoo.in_warehouse("select source_id, column_name from ops.quarantine") == [("5", "date_deadline")]
    assert odoo.in_warehouse("select color, date_deadline from raw.odoo_crm_lead where id = 5") == [(4, None)]


def test_a_missing_table_leaves_the_others_alone(odoo: Mirror) -> None:
    odoo.sync("odoo_crm_team", "odoo_crm_stage")
    odoo.at_source("alter table crm_team rename to crm_team_old")
    odoo.at_source("update crm_stage set name = 'Edited', write_date = now() at time zone 'utc' where id = 1")
    result = odoo.sync("odoo_crm_team", "odoo_crm_stage")
    assert (result.status, set(result.failures)) == ("partial", {"odoo_crm_team"})
    assert odoo.differences("odoo_crm_stage") == {}
    assert drifts(odoo) == [("odoo_crm_team", "", "table_missing", True)]
    odoo.at_source("alter table crm_team_old rename to crm_team")
    assert odoo.sync("odoo_crm_team").status == "success"
    assert drifts(odoo) == [("odoo_crm_team", "", "table_missing", False)]


def test_a_table_without_its_key_is_refused(odoo: Mirror) -> None:
    odoo.sync("odoo_crm_team")
    odoo.at_source("alter table crm_team rename column id to old_id")
    assert "the key id is gone" in odoo.sync("odoo_crm_team").failures["odoo_crm_team"].found


# -- bad rows ----------------------------------------------------------------------------------------------------


def test_infinities_nan_and_far_dates_are_mirrored_as_they_are(odoo: Mirror) -> None:
    odoo.at_source(
        "update crm_lead set expected_revenue = 'NaN', probability = 'Infinity', date_closed = 'infinity',"
        " date_deadline = '4713-01-01 BC' where id = 5"
    )
    odoo.at_source(
        "update crm_lead set expected_revenue = '-Infinity', date_deadline = '5874897-12-31' where id = 6"
    )
    odoo.sync("odoo_crm_lead")
    assert odoo.differences("odoo_crm_lead") == {}


def test_a_value_of_100_mb_is_mirrored(odoo: Mirror) -> None:
    odoo.at_source("update crm_lead set description = repeat('0123456789', 10000000) where id = 5")
    odoo.sync("odoo_crm_lead")
    assert odoo.in_warehouse("select length(description) from raw.odoo_crm_lead where id = 5") == [
        (100_000_000,)
    ]


def test_rows_in_an_unknown_encoding_are_kept_whole_in_quarantine(
    odoo: Mirror, source_server: SourceServer
) -> None:
    """A source without an encoding (SQL_ASCII) hands out any bytes; the warehouse takes only UTF-8."""
    name = "odoo_ascii"
    server = source_server.server
    with server.session() as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(
                f"create database {name} template template0 encoding 'SQL_ASCII' locale_provider libc locale 'C'"
            )
    mirror = Mirror(
        "odoo", *(dataclasses.replace(one, name=name) for one in (odoo.admin, odoo.reader)), odoo.target
    )
    try:
        columns = ", ".join(
            f'"{c.name}" {c.type}'
            for c in next(s for s in specs_of("odoo") if s.table == "crm_stage").columns
        )
        with server.session(name) as connection, connection.cursor() as cursor:
            cursor.execute(f"create table crm_stage ({columns}, primary key (id))")
            cursor.execute("grant select on crm_stage to odoo_reader")
            cursor.execute("set client_encoding = 'SQL_ASCII'")
            cursor.execute(
                "insert into crm_stage (id, name) select g, 'Stage ' || g from generate_series(1, 500) g"
            )
            cursor.execute(
                r"update crm_stage set name = convert_from('\x436166e9'::bytea, 'SQL_ASCII') where id in (123, 456)"
            )
        result = mirror.sync("odoo_crm_stage")
        done = result.tables["odoo_crm_stage"]
        assert (result.status, done.source_rows, done.mirror_rows, done.quarantined) == (
            "partial",
            500,
            498,
            2,
        )
        held = mirror.in_warehouse(
            "select source_id, reason, value, payload ->> 'id' from ops.quarantine order by 1"
        )
        assert [(row[0], row[1], row[3]) for row in held] == [
            ("123", "INVALID_ENCODING", "123"),
            ("456", "INVALID_ENCODING", "456"),
        ]
        assert b"Caf\xe9" in bytes.fromhex(held[0][2])
        assert mirror.sync("odoo_crm_stage").tables["odoo_crm_stage"].quarantined == 2
        with server.session(name) as connection, connection.cursor() as cursor:
            cursor.execute("update crm_stage set name = 'Cafe' where id = 123")
        assert mirror.sync("odoo_crm_stage").tables["odoo_crm_stage"].quarantined == 1
        assert mirror.in_warehouse("select source_id from ops.quarantine where closed_at is null") == [
            ("456",)
        ]
    finally:
        server.drop_database(name)


def test_a_source_with_one_id_twice_is_refused(odoo: Mirror) -> None:
    odoo.at_source("alter table crm_stage drop constraint crm_stage_pkey cascade")
    odoo.at_source("insert into crm_stage (id, name) select id, name from crm_stage where id = 1")
    failure = odoo.sync("odoo_crm_stage").failures["odoo_crm_stage"]
    assert "more than once" in failure.found


# -- jobs, and sources that go away ------------------------------------------------------------------------------


def test_a_source_that_is_down_is_tried_four_times_then_waits(odoo: Mirror, no_waiting: list[float]) -> None:
    up = odoo.reader
    odoo.reader = dataclasses.replace(up, port=1)
    told: list[str] = []
    for attempt in range(1, 5):
        no_waiting.clear()
        with pytest.raises(TransientError, match=r"\(4 attempts\)"):
            odoo.sync(notify=lambda subject, text: told.append(subject))
        assert no_waiting == [2.0, 4.0, 8.0]
        assert statuses(odoo) == [("pending_retry", attempt)]
        assert len(told) == (1 if attempt >= 3 else 0)
    ((minutes,),) = odoo.in_warehouse(
        "select extract(epoch from next_attempt_at - current_timestamp::timestamp) / 60 from ops.sync_jobs"
    )
    assert 29 < minutes <= 30
    odoo.reader = up
    assert odoo.sync(notify=lambda subject, text: told.append(subject)).status == "success"
    assert statuses(odoo) == [("success", 5)]
    assert told == ["odoo: source unavailable", "odoo: the source is back"]


def test_a_wrong_password_is_refused_at_once_and_not_shown(odoo: Mirror, no_waiting: list[float]) -> None:
    odoo.reader = dataclasses.replace(odoo.reader, password="not-the-password-at-all")
    with pytest.raises(PermanentError, match="password authentication failed") as refused:
        odoo.sync()
    assert no_waiting == []
    assert "ODOO_DATABASE_URL" in str(refused.value)
    assert "not-the-password-at-all" not in str(refused.value)
    assert statuses(odoo) == [("failed", 1)]


def test_a_source_that_drops_its_connections_in_mid_copy_is_read_again(
    odoo: Mirror, source_server: SourceServer, no_waiting: list[float]
) -> None:
    cut: list[int] = []
    done = threading.Event()

    def cut_once() -> None:
        with source_server.server.session() as connection, connection.cursor() as cursor:
            connection.autocommit = True
            while not cut and not done.is_set():
                cursor.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity"
                    " where usename = 'odoo_reader' and query like 'copy%%' and datname = %s",
                    (odoo.reader.name,),
                )
                cut.extend(row[0] for row in cursor.fetchall())

    cutter = threading.Thread(target=cut_once)
    cutter.start()
    try:
        result = odoo.sync()
    finally:
        done.set()
        cutter.join()
    assert cut
    assert no_waiting == [2.0]
    assert result.status == "success"
    assert odoo.differences() == {}


def test_two_syncs_of_one_source_do_not_run_at_once(odoo: Mirror) -> None:
    with (
        lease(odoo.target, "mirror odoo", None, holder="the first sync", execution_id="run-1"),
        pytest.raises(PermanentError, match=r"held by the first sync, execution run-1"),
    ):
        odoo.sync("odoo_crm_team")


def test_a_job_whose_process_died_is_closed_by_the_next(odoo: Mirror) -> None:
    odoo.in_warehouse(
        "insert into ops.sync_jobs (source_system, job_type, status) values ('odoo', 'incremental', 'running')"
    )
    odoo.sync("odoo_crm_team")
    assert [status for status, _ in statuses(odoo)] == ["failed", "success"]


def test_changes_are_announced_to_core_in_the_same_transaction(odoo: Mirror) -> None:
    odoo.sync("odoo_crm_stage")
    odoo.in_warehouse("delete from ops.raw_changes")
    odoo.at_source("update crm_stage set name = 'Edited', write_date = now() at time zone 'utc' where id = 2")
    odoo.sync("odoo_crm_stage")
    assert odoo.in_warehouse("select * from ops.raw_changes") == [
        ("odoo_opportunities", "odoo_crm_stage", "2")
    ]


def test_the_state_says_how_far_the_mirror_has_read(odoo: Mirror) -> None:
    odoo.sync("odoo_crm_lead")
    ((expected,),) = odoo.at_source("select max(write_date) from crm_lead")
    ((watermark, live),) = odoo.in_warehouse("select watermark, live_rows from ops.mirror_state")
    assert watermark == expected
    assert odoo.at_source("select count(*) from crm_lead") == [(live,)]
    assert watermark <= datetime.now(UTC).replace(tzinfo=None)


def test_an_interrupted_sync_writes_nothing_after_it_gave_its_lease_back(
    odoo: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C reaches the main thread only; the threads that copy must have ended before the lease is free."""
    odoo.at_source(
        "create function slow(integer) returns integer language sql as 'select 1 from pg_sleep(0.2)'"
    )
    odoo.at_source(
        "alter table crm_lead rename to leads; create view crm_lead as select * from leads where slow(id) = 1"
    )
    odoo.at_source("grant select on crm_lead to odoo_reader; grant select on leads to odoo_reader")
    joined: list[float | None] = []
    join = threading.Thread.join

    def interrupted(self: threading.Thread, timeout: float | None = None) -> None:
        if self.name.startswith("mirror") and not joined:
            joined.append(timeout)
            time.sleep(1)
            raise KeyboardInterrupt
        join(self, timeout)

    monkeypatch.setattr(threading.Thread, "join", interrupted)
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        odoo.sync("odoo_crm_lead")
    assert time.monotonic() - began < 10
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("mirror")]
    assert odoo.in_warehouse("select count(*) from raw.odoo_crm_lead") == [(0,)]
    assert odoo.in_warehouse("select count(*) from ops.write_leases") == [(0,)]
    assert [status for status, _ in statuses(odoo)] == ["failed"]
