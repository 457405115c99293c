"""Every check of the mirrors fires when what it guards is broken, is silent otherwise, and is recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import dagster as dg
import psycopg2
import pytest

from odoo_apn_assets.checks import raw_checks
from odoo_apn_assets.raw_quality import (
    RAW_CHECKS,
    Finding,
    checks_of,
    inspect,
    not_checkable,
    references,
    resolution,
)
from odoo_apn_assets.specs import Column, TableSpec, spec_of, specs
from odoo_apn_assets.value_lists import ValueList, comparison, listed_columns, value_lists
from resources.postgres import PostgresResource
from resources.settings import DatabaseSettings
from resources.sql import Session
from sandbox.postgres import PostgresServer
from tests.apn_rows import connection_to, insert, opportunity
from tests.conftest import OWNER, settings_of

CHECKS = {check.name: check for check in RAW_CHECKS}


def synced(connection: psycopg2.extensions.connection, table: str, **changes: Any) -> str:
    """A job and its record of one table: by default a load of no rows."""
    job = str(uuid4())
    insert(connection, "ops.sync_jobs", job_id=job, source_system="odoo", job_type="full_sync")
    counts = dict.fromkeys(
        ("rows_read", "inserted", "updated", "revived", "unchanged", "deleted", "quarantined"), 0
    )
    values = {"source_rows": 0, "mirror_rows": 0, "seconds": 0.1, "method": "load"} | counts | changes
    insert(connection, "ops.table_syncs", job_id=job, raw_table=table, **values)
    return job


def held(connection: psycopg2.extensions.connection, table: str, source_id: str, **changes: Any) -> None:
    values = {"stage": "mirror", "reason": "TOO_LONG", "message": "x", "rules_version": "1"} | changes
    insert(connection, "ops.quarantine", table_name=table, source_id=source_id, **values)


@pytest.fixture(scope="module")
def database(postgres: PostgresServer, warehouse_template: str) -> Iterator[DatabaseSettings]:
    name = "raw_checks"
    postgres.create_database(name, owner=OWNER, template=warehouse_template)
    yield settings_of(postgres, name)
    postgres.drop_database(name)


@pytest.fixture
def connection(database: DatabaseSettings) -> Iterator[psycopg2.extensions.connection]:
    """A transaction that is rolled back, as the location's own login."""
    import dataclasses

    opened = connection_to(dataclasses.replace(database, user="odoo_apn_etl"))
    yield opened
    opened.close()


def judge(connection: psycopg2.extensions.connection, check: str, *tables: str) -> list[Finding]:
    session = Session(lambda retry: connection)
    return CHECKS[check].judge(session, [spec_of(table) for table in tables])


def one(connection: psycopg2.extensions.connection, check: str, table: str) -> Finding:
    return judge(connection, check, table)[0]


def test_a_key_can_not_be_double_while_its_unique_index_stands(
    connection: psycopg2.extensions.connection,
) -> None:
    for found in judge(connection, "keys_are_unique", *(spec.raw_name for spec in specs())):
        assert found.passed
        assert found.facts == {"guarded by": "a valid unique index on id"}


def test_double_keys_are_counted_when_the_index_is_gone(connection: psycopg2.extensions.connection) -> None:
    """A table swapped in without its index would let rows double unseen."""
    with connection.cursor() as cursor:
        cursor.execute("drop index raw.uq_odoo_crm_stage_id")
    insert(connection, "raw.odoo_crm_stage", id=1)
    insert(connection, "raw.odoo_crm_stage", id=2)
    found = one(connection, "keys_are_unique", "odoo_crm_stage")
    assert (found.passed, found.checked, found.failed) == (True, 2, 0)
    insert(connection, "raw.odoo_crm_stage", id=2)
    found = one(connection, "keys_are_unique", "odoo_crm_stage")
    assert (found.passed, found.checked, found.failed) == (False, 3, 2)
    assert found.facts["examples"] == ["2"]


def test_an_index_on_some_rows_only_does_not_count(connection: psycopg2.extensions.connection) -> None:
    with connection.cursor() as cursor:
        cursor.execute("drop index raw.uq_odoo_crm_stage_id")
        cursor.execute("create unique index partial on raw.odoo_crm_stage (id) where _deleted_at is null")
        cursor.execute("create unique index pair on raw.odoo_crm_stage (id, _raw_id)")
    insert(connection, "raw.odoo_crm_stage", id=1)
    insert(connection, "raw.odoo_crm_stage", id=1, _deleted_at="2026-01-01")
    assert one(connection, "keys_are_unique", "odoo_crm_stage").failed == 2


def test_the_mirror_equals_its_source(connection: psycopg2.extensions.connection) -> None:
    insert(connection, "raw.odoo_crm_stage", id=1)
    insert(connection, "raw.odoo_crm_stage", id=2, _deleted_at="2026-01-01")
    synced(connection, "odoo_crm_stage", source_rows=9, mirror_rows=9)
    synced(connection, "odoo_crm_stage", source_rows=1, mirror_rows=1, source_hash=5, mirror_hash=5)
    found = one(connection, "mirror_equals_source", "odoo_crm_stage")
    assert (found.passed, found.checked, found.failed) == (True, 1, 0)


def test_a_row_in_quarantine_is_no_missing_row(connection: psycopg2.extensions.connection) -> None:
    """Counted only while the mirror has no row with that key: a refused edit leaves the version before it."""
    insert(connection, "raw.odoo_crm_stage", id=1)
    synced(connection, "odoo_crm_stage", source_rows=2, mirror_rows=1)
    assert not one(connection, "mirror_equals_source", "odoo_crm_stage").passed
    held(connection, "raw.odoo_crm_stage", "1")
    held(connection, "raw.odoo_crm_stage", "3", column_name="name")
    assert not one(connection, "mirror_equals_source", "odoo_crm_stage").passed
    held(connection, "raw.odoo_crm_stage", "2")
    assert one(connection, "mirror_equals_source", "odoo_crm_stage").passed


@pytest.mark.parametrize(
    ("counts", "problem"),
    [
        ({"source_rows": 2, "mirror_rows": 1}, "the source had 2 rows, the mirror got 1 and quarantine 0"),
        ({"source_rows": 3, "mirror_rows": 3}, "the sync left 3 live rows, now there are 1"),
        (
            {"source_rows": 1, "mirror_rows": 1, "source_hash": 5, "mirror_hash": 6},
            "the sums of the row hashes differ",
        ),
    ],
)
def test_a_difference_to_the_source_is_named(
    connection: psycopg2.extensions.connection, counts: dict[str, int], problem: str
) -> None:
    insert(connection, "raw.odoo_crm_stage", id=1)
    synced(connection, "odoo_crm_stage", **counts)
    found = one(connection, "mirror_equals_source", "odoo_crm_stage")
    assert not found.passed
    assert found.failed > 0
    assert found.facts["problems"] == [problem]


def test_a_mirror_that_was_never_synced_does_not_pass(connection: psycopg2.extensions.connection) -> None:
    found = one(connection, "mirror_equals_source", "odoo_crm_stage")
    assert not found.passed
    assert "no sync" in found.facts["problem"]


def test_drift_is_reported_until_it_is_closed(connection: psycopg2.extensions.connection) -> None:
    assert one(connection, "no_open_drift", "odoo_crm_stage").passed
    drift = {"raw_table": "odoo_crm_stage", "kind": "column_dropped", "expected": "integer", "action": "kept"}
    insert(connection, "ops.schema_drift", column_name="fold", **drift)
    insert(connection, "ops.schema_drift", column_name="gone", closed_at="2026-01-01", **drift)
    found, other = judge(connection, "no_open_drift", "odoo_crm_stage", "odoo_crm_team")
    assert (found.passed, found.failed, found.severity) == (False, 1, "WARN")
    assert found.facts["examples"] == ["column_dropped fold: expected integer, found nothing"]
    assert other.passed


def test_what_is_held_in_quarantine_is_reported(connection: psycopg2.extensions.connection) -> None:
    assert one(connection, "nothing_is_quarantined", "odoo_crm_stage").passed
    held(connection, "raw.odoo_crm_stage", "7", column_name="name")
    held(connection, "raw.odoo_crm_stage", "7", column_name="sequence", reason="OUT_OF_RANGE")
    held(connection, "raw.odoo_crm_stage", "8", closed_at="2026-01-01")
    held(connection, "raw.odoo_crm_team", "9")
    found = one(connection, "nothing_is_quarantined", "odoo_crm_stage")
    assert (found.passed, found.failed, found.severity) == (False, 1, "WARN")
    assert found.facts["reasons"] == {"TOO_LONG": 1, "OUT_OF_RANGE": 1}
    assert found.facts["examples"] == ["7"]


def test_ids_that_lead_nowhere_are_counted_by_column(connection: psycopg2.extensions.connection) -> None:
    insert(connection, "raw.odoo_crm_stage", id=1)
    insert(connection, "raw.odoo_crm_stage", id=2, _deleted_at="2026-01-01")
    insert(connection, "raw.lookup_res_users", id=5)
    for number, stage in enumerate((1, 2, 3, None), 10):
        insert(connection, "raw.odoo_crm_lead", id=number, stage_id=stage, user_id=5, company_id=77)
    insert(connection, "raw.odoo_crm_lead", id=20, stage_id=99, _deleted_at="2026-01-01")
    found = one(connection, "every_id_resolves", "odoo_crm_lead")
    assert (found.passed, found.checked, found.failed, found.severity) == (False, 3 + 4, 2, "WARN")
    assert found.facts["columns"] == {
        "stage_id": {
            "checked": 3,
            "unresolved": 2,
            "of those marked deleted": 1,
            "examples": ["11 -> 2", "12 -> 3"],
        }
    }
    assert found.facts["not checkable"]["company_id"] == "res.company"


def test_ids_of_apn_are_text(connection: psycopg2.extensions.connection) -> None:
    insert(connection, "raw.apn_users", id="U1")
    insert(connection, "raw.apn_opportunity", id="O1", owner_id="U1", parent_opportunity_id="O1")
    assert one(connection, "every_id_resolves", "apn_opportunity").passed
    insert(connection, "raw.apn_opportunity", id="O2", owner_id="U2")
    found = one(connection, "every_id_resolves", "apn_opportunity")
    assert found.facts["columns"]["owner_id"]["examples"] == ["O2 -> U2"]


@pytest.mark.parametrize("spec", [spec for spec in specs() if references(spec)], ids=lambda s: s.raw_name)
def test_every_reference_of_every_mirror_can_be_followed(
    connection: psycopg2.extensions.connection, spec: TableSpec
) -> None:
    """One dangling id in each column, capital letters in its name or not, is found."""
    columns = [column.name for found in references(spec).values() for column in found]
    number = -1 if spec.key_type == "integer" else "?"
    insert(
        connection, f"raw.{spec.raw_name}", id=1 if number == -1 else "O1", **dict.fromkeys(columns, number)
    )
    found = one(connection, "every_id_resolves", spec.raw_name)
    assert set(found.facts["columns"]) == set(columns)


def test_the_references_are_those_of_the_catalogue() -> None:
    relations = sum(column.relation is not None for spec in specs() for column in spec.columns)
    followed = sum(len(columns) for spec in specs() for columns in references(spec).values())
    outside = sum(len(not_checkable(spec)) for spec in specs())
    assert followed + outside == relations + 1, "and the partner of a user, which the catalogue does not know"
    assert (followed, outside) == (177, 112)
    assert references(spec_of("odoo_crm_lead"))["lookup_res_users"][0].name == "user_id"
    assert not_checkable(spec_of("apn_opportunity")) == {}


def test_a_name_that_needs_quoting_is_quoted(connection: psycopg2.extensions.connection) -> None:
    spec = TableSpec("apn", "users", (Column('own"Er', "varchar(100)", "users.id", None),), None)
    assert '"own""Er"' in resolution(spec).as_string(connection)


def test_values_outside_their_list_are_told_from_other_spellings(
    connection: psycopg2.extensions.connection,
) -> None:
    good = {"id": "O1", "industry": "Healthcare", "delivery_model": "SaaS or PaaS; Resell", "stage_name": ""}
    insert(connection, "raw.apn_opportunity", **good)
    assert one(connection, "values_are_listed", "apn_opportunity").passed
    insert(connection, "raw.apn_opportunity", id="O2", industry="Software & Internet")
    found = one(connection, "values_are_listed", "apn_opportunity")
    assert (found.passed, found.facts["other spelling"]) == (True, 1)
    insert(connection, "raw.apn_opportunity", id="O3", industry="Wizardry", delivery_model="Resell;Barter;")
    found = one(connection, "values_are_listed", "apn_opportunity")
    assert (found.passed, found.failed, found.severity) == (False, 2, "WARN")
    assert found.facts["columns"]["industry"] == {
        "checked": 3,
        "unknown": 1,
        "other spelling": 1,
        "unknown values": ["Wizardry"],
        "spellings": ["Software & Internet"],
        "examples": ["O3"],
    }
    assert found.facts["columns"]["delivery_model"]["unknown values"] == ["Barter"]


@pytest.mark.parametrize(
    ("table", "column"),
    [(f"apn_{table}", column) for table, column in value_lists()],
    ids=lambda name: str(name),
)
def test_every_coded_column_is_compared(
    connection: psycopg2.extensions.connection, table: str, column: str
) -> None:
    """A listed value passes, its other spellings pass but count, an unknown value fails."""
    listed = listed_columns(spec_of(table))[column]
    elsewhere = {"country": "United States"} if column == "state" else {}
    for number, value in enumerate((listed.values[0], *listed.aliases)):
        insert(connection, f"raw.{table}", **({"id": f"X{number}"} | elsewhere | {column: value}))
    found = one(connection, "values_are_listed", table)
    assert found.passed
    assert found.facts["other spelling"] == len(listed.aliases)
    insert(connection, f"raw.{table}", **({"id": "Y"} | elsewhere | {column: "?"}))
    found = one(connection, "values_are_listed", table)
    assert found.facts["columns"][column]["unknown values"] == ["?"]
    assert found.failed == 1


def test_a_state_is_free_text_outside_the_united_states(connection: psycopg2.extensions.connection) -> None:
    insert(connection, "raw.apn_opportunity", id="O1", country="Germany", state="Bayern")
    insert(connection, "raw.apn_opportunity", id="O2", state="Bayern")
    assert one(connection, "values_are_listed", "apn_opportunity").passed


def test_a_list_may_bind_a_column_of_arrays(connection: psycopg2.extensions.connection) -> None:
    insert(connection, "raw.apn_opportunity", id="O1", aws_products=["A", "B", "a", None])
    text, params = comparison(
        spec_of("apn_opportunity"), {"aws_products": ValueList("products", ("A",), {"a": "A"}, None)}
    )
    with connection.cursor() as cursor:
        cursor.execute(text, params)
        assert cursor.fetchall() == [("aws_products", 1, 1, 0, ["B"], ["a"], ["O1"])]


def test_rules_are_one_check_and_one_record_each(connection: psycopg2.extensions.connection) -> None:
    """A customer's funding fault is found by its code, not by reading metadata."""
    insert(connection, "raw.apn_opportunity", **opportunity())
    insert(connection, "raw.apn_opportunity", **opportunity(id="O2", customer_phone="x"))
    found = one(connection, "rules_hold", "apn_opportunity")
    assert (found.passed, found.severity) == (False, "WARN")
    assert set(found.facts["broken"]) == {"OPP_PHONE", "OPP_CRM_ID_UNIQUE"}
    insert(connection, "raw.apn_opportunity", **opportunity(id="3", partner_crm_unique_identifier=None))
    found = one(connection, "rules_hold", "apn_opportunity")
    assert found.severity == "WARN", "the mirror is right, its source is not"
    assert {(part.check, part.severity) for part in found.parts if not part.passed} == {
        ("rule OPP_PHONE", "WARN"),
        ("rule OPP_CRM_ID_UNIQUE", "WARN"),
        ("rule OPP_ID", "ERROR"),
    }


class Given(PostgresResource):
    """The database of the test."""

    name: str

    def settings(self) -> DatabaseSettings:
        return GIVEN[self.name]


GIVEN: dict[str, DatabaseSettings] = {}


@contextmanager
def graph(
    settings: DatabaseSettings,
) -> Iterator[Callable[..., dg.ExecuteInProcessResult]]:
    """The checks of all mirrors over assets that do nothing, in a run without a server of Dagster."""

    def asset(spec: TableSpec) -> dg.AssetsDefinition:
        @dg.asset(key=["raw", spec.raw_name], name=None)
        def mirror() -> None: ...

        return mirror

    @dg.asset(deps=[dg.AssetKey(["raw", "odoo_crm_stage"])])
    def downstream() -> None: ...

    GIVEN[settings.name] = settings
    defs = dg.Definitions(
        assets=[*(asset(spec) for spec in specs()), downstream],
        asset_checks=raw_checks(),
        resources={"warehouse": Given(location="ODOO_APN", name=settings.name)},
        executor=dg.in_process_executor,
    )
    job = defs.resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.ephemeral() as instance:

        def run(selection: Any = None) -> dg.ExecuteInProcessResult:
            chosen = {} if selection is None else {"asset_selection": selection}
            return job.execute_in_process(instance=instance, raise_on_error=False, **chosen)

        yield run


def everything_synced(settings: DatabaseSettings) -> None:
    connection = connection_to(settings)
    for spec in specs():
        synced(connection, spec.raw_name)
    connection.commit()
    connection.close()


def rows(settings: DatabaseSettings, text: str) -> list[tuple[Any, ...]]:
    connection = connection_to(settings)
    try:
        with connection.cursor() as cursor:
            cursor.execute(text)
            return cursor.fetchall()
    finally:
        connection.close()


def test_all_checks_of_empty_mirrors_pass_and_are_recorded(
    warehouse_as: Callable[[str], DatabaseSettings], warehouse: DatabaseSettings
) -> None:
    everything_synced(warehouse)
    settings = warehouse_as("odoo_apn_etl")
    with graph(settings) as run:
        result = run()
    assert result.success
    evaluations = result.get_asset_check_evaluations()
    assert len(evaluations) == sum(len(checks_of(system)) for system in ("odoo", "apn"))
    assert all(found.passed for found in evaluations)
    recorded = rows(warehouse, "select table_name, check_type, passed, run_id from ops.data_quality_checks")
    names = {(table, check) for table, check, _, _ in recorded}
    assert len(names) == len(recorded)
    assert {
        (found.asset_key.to_user_string().replace("/", "."), found.check_name)
        for found in evaluations
        if found.check_name != "rules_hold"
    } == {name for name in names if not name[1].startswith("rule ")}
    assert {run_id for _, _, _, run_id in recorded} == {result.run_id}
    assert all(passed for _, _, passed, _ in recorded)
    unlinked = "select count(*) from ops.data_quality_checks where sync_job_id is null"
    assert rows(warehouse, unlinked) == [(0,)]


def test_a_blocking_check_stops_what_reads_the_mirror_and_all_are_recorded(
    warehouse_as: Callable[[str], DatabaseSettings], warehouse: DatabaseSettings
) -> None:
    everything_synced(warehouse)
    connection = connection_to(warehouse)
    insert(connection, "raw.odoo_crm_stage", id=1)
    connection.commit()
    connection.close()
    with graph(warehouse_as("odoo_apn_etl")) as run:
        result = run()
    assert not result.success
    assert "downstream" not in {event.step_key for event in result.get_step_success_events()}
    (failed,) = [found for found in result.get_asset_check_evaluations() if not found.passed]
    assert (failed.check_name, failed.metadata["live rows now"].value) == ("mirror_equals_source", 1)
    assert len(result.get_asset_check_evaluations()) > 100
    failing = "select table_name, check_type from ops.data_quality_checks where not passed"
    assert rows(warehouse, failing) == [("raw.odoo_crm_stage", "mirror_equals_source")]


def test_a_selection_checks_its_tables_only(
    warehouse_as: Callable[[str], DatabaseSettings], warehouse: DatabaseSettings
) -> None:
    everything_synced(warehouse)
    with graph(warehouse_as("odoo_apn_etl")) as run:
        result = run([dg.AssetKey(["raw", "odoo_crm_stage"])])
    assert {found.asset_key.path[1] for found in result.get_asset_check_evaluations()} == {"odoo_crm_stage"}
    assert rows(warehouse, "select distinct table_name from ops.data_quality_checks") == [
        ("raw.odoo_crm_stage",)
    ]


def test_a_check_of_nothing_selected_records_nothing(connection: psycopg2.extensions.connection) -> None:
    assert inspect(Session(lambda retry: connection), [], "run") == []


def test_only_what_would_carry_wrong_rows_on_blocks() -> None:
    blocking = {spec.name for definition in raw_checks() for spec in definition.check_specs if spec.blocking}
    assert blocking == {"keys_are_unique", "mirror_equals_source"}
