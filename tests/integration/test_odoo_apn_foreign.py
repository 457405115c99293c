"""Databases whose tables follow the catalogue but that somebody else made: another order, other types, more of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from odoo_apn_assets.specs import specs_of
from resources.settings import DatabaseSettings
from sandbox.postgres import PostgresServer
from tests.conftest import settings_of
from tests.odoo_apn_pipeline import Mirror, everything, query, whole_run
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


@pytest.fixture
def usual(
    postgres: PostgresServer, warehouse_template: str, odoo: Mirror, apn: Mirror
) -> Iterator[dict[str, Any]]:
    """What the warehouse holds when the same rows come from the sandbox's own tables."""
    name = "warehouse_of_the_usual"
    postgres.create_database(name, owner="warehouse_owner", template=warehouse_template)
    target = settings_of(postgres, name)
    whole_run([Mirror(one.system, one.admin, one.reader, target) for one in (odoo, apn)])
    yield everything(target)
    postgres.drop_database(name)


def odd_sources(odoo: Mirror, apn: Mirror, server: PostgresServer) -> None:
    """The same rows in tables that an Odoo with other modules, another age and another administrator would have."""
    for name in ("crm_lead", "res_partner"):
        columns = ", ".join(
            f'"{column}"'
            for (column,) in odoo.at_source(
                "select attname::text from pg_attribute where attrelid = %s::regclass and attnum > 0"
                " and not attisdropped order by md5(attname)",
                (name,),
            )
        )
        odoo.at_source(f"alter table {name} rename to {name}_old")
        odoo.at_source(f"create table {name} as select {columns} from {name}_old; drop table {name}_old")
        odoo.at_source(f"alter table {name} add primary key (id); grant select on {name} to odoo_reader")
    odoo.at_source("create sequence lead_number; create table res_config (id integer); create schema crm")
    odoo.at_source(
        "alter table crm_lead add column x_number bigint default nextval('lead_number'),"
        " add column x_upper text generated always as (upper(name)) stored, add column x_list varchar[]"
    )
    # Of an old Odoo, of one that was changed by hand, and of one whose ids have outgrown the integer.
    odoo.at_source("alter table crm_team alter column write_date type timestamp with time zone")
    odoo.at_source("alter table crm_stage alter column write_date type timestamp(0)")
    odoo.at_source("alter table res_country_state alter column write_date type varchar")
    odoo.at_source("alter table crm_lead alter column city type varchar(60), alter column street type text")
    for table, column in [
        ("crm_lead", "id"),
        ("crm_lead", "partner_id"),
        ("res_users", "id"),
        ("res_partner", "id"),
    ]:
        odoo.at_source(f"alter table {table} alter column {column} type bigint")
    # Not in the schema public: the login's own search path leads there.
    odoo.at_source("grant usage on schema crm to odoo_reader")
    for name in ("crm_lead", "crm_stage", "res_users"):
        odoo.at_source(f"alter table {name} set schema crm")
    with server.session() as connection, connection.cursor() as cursor:
        cursor.execute(f"alter role odoo_reader in database {odoo.reader.name} set search_path = crm, public")
    apn.at_source("alter table users alter column id type varchar(30)")
    apn.at_source("alter table end_user alter column id type varchar")


def test_a_database_that_somebody_else_made_gives_the_same_core(
    odoo: Mirror, apn: Mirror, usual: dict[str, Any], source_server: SourceServer
) -> None:
    odd_sources(odoo, apn, source_server.server)
    for mirror in (odoo, apn):
        for _ in range(2):
            result = mirror.sync()
            assert result.failures == {}
            held = mirror.in_warehouse("select table_name, column_name, value, message from ops.quarantine")
            assert (result.status, held) == ("success", [])
    whole_run([odoo, apn])
    found = everything(odoo.target)
    for table, rows in usual.items():
        if table.startswith("core."):
            assert found[table] == rows, table
    before = odoo.versions() | apn.versions()
    whole_run([odoo, apn], full=True)
    assert odoo.versions() | apn.versions() == before
    for options in ({"resync": True}, {}):
        assert odoo.sync(**options).status == "success"
    whole_run([odoo, apn])
    assert {table: everything(odoo.target)[table] for table in usual if table.startswith("core.")} == {
        table: rows for table, rows in usual.items() if table.startswith("core.")
    }


def test_every_value_of_such_a_database_is_mirrored(
    odoo: Mirror, apn: Mirror, source_server: SourceServer
) -> None:
    there = {
        spec.raw_name: set(
            query(odoo.reader, f"select {_texts(spec)} from {spec.table}")  # before the types were changed
        )
        for spec in specs_of("odoo")
    }
    odd_sources(odoo, apn, source_server.server)
    odoo.sync()
    apn.sync()
    for spec in specs_of("odoo"):
        here = set(
            odoo.in_warehouse(f"select {_texts(spec)} from raw.{spec.raw_name} where _deleted_at is null")
        )
        missing, extra = sorted(there[spec.raw_name] - here), sorted(here - there[spec.raw_name])
        odd = list(zip(missing[:1], extra[:1], strict=False))
        assert not odd, (spec.table, [pair for pair in zip(*odd[0], strict=True) if pair[0] != pair[1]])
    assert apn.differences() == {}
    ((numbers, uppers),) = odoo.in_warehouse(
        "select count(distinct x_number), count(*) filter (where x_upper = upper(name)) from raw.odoo_crm_lead"
    )
    assert numbers == uppers == 300


def _texts(spec: Any) -> str:
    """All columns as text, the mark to the second: one of the tables does not keep more."""
    return ", ".join(
        f"date_trunc('second', \"{column.name}\" + interval '0.5 seconds')::text"
        if column.name == "write_date"
        else f'"{column.name}"::text'
        for column in spec.columns
    )


def test_ids_that_outgrow_the_integer_are_followed(odoo: Mirror) -> None:
    """The mirror's key grows with the source's; an incremental sync and CORE go on with it."""
    odoo.sync()
    before = odoo.in_warehouse("select id, _row_hash from raw.odoo_crm_lead order by id")
    odoo.at_source("alter table crm_lead alter column id type bigint")
    done = odoo.sync().tables["odoo_crm_lead"]
    assert [(drift.kind, drift.column) for drift in done.drifts] == [("column_retyped", "id")]
    assert (done.inserted, done.updated) == (0, 0), "the same number has the same hash in both types"
    assert odoo.in_warehouse("select id, _row_hash from raw.odoo_crm_lead order by id") == before
    odoo.at_source(
        "insert into crm_lead (id, name, write_date) values (5000000000, 'Far', now() at time zone 'utc')"
    )
    done = odoo.sync().tables["odoo_crm_lead"]
    assert (done.method, done.inserted, done.drifts) == ("incremental", 1, ())
    assert odoo.differences("odoo_crm_lead") == {}
    assert odoo.sync("odoo_crm_lead", resync=True).status == "success"
    assert odoo.differences("odoo_crm_lead") == {}


def test_a_key_that_cannot_tell_rows_apart_as_before_is_refused(odoo: Mirror) -> None:
    odoo.sync("odoo_crm_stage")
    odoo.at_source("alter table crm_stage alter column id type text using id::text || 'x'")
    failure = odoo.sync("odoo_crm_stage").failures["odoo_crm_stage"]
    assert "the key id is text, the mirror's is integer" in failure.found
