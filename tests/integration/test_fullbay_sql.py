"""The Fullbay schema on a real server: names, migrations, rights, and what each function and view promises.

Belongs here: what can be said about `sql/` and `resources.migrations` without any Python of the location.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg2
import psycopg2.errors
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg2.extensions import connection as Connection
from psycopg2.extras import Json, RealDictCursor, execute_values

from resources import migrations
from resources.database import connect
from resources.failures import PermanentError
from resources.settings import DatabaseSettings
from sandbox.postgres import PostgresServer

ROOT = Path(__file__).resolve().parent.parent.parent
DAY = date(2026, 10, 5)
VIN = "1XSAMPLE000000001"
SUMMARIES = ("daily_summary", "monthly_summary", "customer_summary", "vehicle_summary")
TARGETS = ("WORK_ORDER", "DAY", "MONTH", "CUSTOMER", "VEHICLE")

PUBLISHED_TABLES = {
    *SUMMARIES,
    *("fullbay_raw_data", "fullbay_line_items", "ingestion_metadata", "fullbay_work_orders"),
    *("api_request_log", "database_query_log", "data_processing_log", "performance_metrics_log"),
    *("error_tracking_log", "data_quality_log", "business_validation_log", "processed_invoices_tracker"),
}
PUBLISHED_INDEXES = {
    "fullbay_raw_data": "invoice_id processed ingestion json_gin",
    "fullbay_line_items": "invoice_id invoice_date customer_id repair_order unit_vin line_type part_number "
    "technician ingestion complaint_id correction_id part_id",
    "ingestion_metadata": "execution_id start_time status environment created_at",
    "processed_invoices_tracker": "invoice_id status last_processed",
    "daily_summary": "date",
    "monthly_summary": "year_month",
    "customer_summary": "customer_id",
    "vehicle_summary": "vin",
    "api_request_log": "execution_id timestamp status_code",
    "database_query_log": "execution_id timestamp type",
    "data_processing_log": "execution_id stage timestamp",
    "performance_metrics_log": "execution_id timestamp",
    "error_tracking_log": "execution_id level category resolved",
    "data_quality_log": "execution_id type timestamp",
    "business_validation_log": "execution_id rule impact",
}
LINE_COLUMNS: list[str] = re.findall(
    r"\w+",
    """
    id raw_data_id
    fullbay_invoice_id invoice_number invoice_date due_date exported
    shop_title shop_email shop_physical_address
    customer_id customer_title customer_external_id customer_main_phone customer_secondary_phone
    customer_billing_employee customer_billing_email customer_billing_address
    fullbay_service_order_id repair_order_number service_order_created service_order_start_date
    service_order_completion_date service_order_description
    unit_id unit_number unit_nickname unit_type unit_subtype unit_year unit_make unit_model unit_vin
    unit_license_plate
    primary_technician primary_technician_number parts_manager parts_manager_number
    fullbay_complaint_id complaint_type complaint_subtype complaint_note complaint_cause complaint_cause_type
    complaint_authorized complaint_severity complaint_mileage_rate complaint_labor_rate
    fullbay_correction_id correction_title global_component global_system global_service unit_service
    recommended_correction actual_correction correction_performed correction_pre_authorized
    correction_pre_paid
    line_item_type
    fullbay_part_id part_description shop_part_number vendor_part_number part_category part_manufacturer
    labor_description labor_rate_type assigned_technician assigned_technician_number
    assigned_technician_actual_hours assigned_technician_portion
    quantity to_be_returned_quantity returned_quantity
    labor_hours actual_hours
    unit_cost unit_price line_total_cost line_total_price price_overridden
    taxable tax_rate tax_amount
    inventory_item core_type sublet
    quickbooks_account quickbooks_item quickbooks_item_type quickbooks_id
    invoice_misc_charge_total invoice_service_call_total invoice_mileage_total invoice_mileage_cost_total
    invoice_parts_total invoice_labor_hours_total invoice_labor_total invoice_sublet_labor_total
    invoice_supplies_total invoice_subtotal invoice_tax_total invoice_total invoice_balance
    so_total_parts_cost so_total_parts_price so_total_labor_hours so_total_labor_cost so_subtotal so_tax_total
    so_total_amount
    ingestion_timestamp ingestion_source created_at updated_at
""",
)
LOG_CALLS: dict[str, tuple[str, int, list[Any]]] = {
    "log_api_request": ("api_request_log", 13, ["/getInvoices.php", "GET"]),
    "log_database_query": ("database_query_log", 10, ["INSERT", "fullbay_raw_data", "insert ..."]),
    "log_data_processing": ("data_processing_log", 11, ["API_FETCH"]),
    "log_performance_metrics": ("performance_metrics_log", 10, []),
    "log_error": ("error_tracking_log", 10, ["ERROR", "API", "refused"]),
    "log_data_quality_check": ("data_quality_log", 11, ["COMPLETENESS", "numbers", 10, 9, 1, 90]),
    "log_business_validation": ("business_validation_log", 13, ["I1", "subtotal", "HIGH", 10, 9, 1, 90]),
}

Rows = list[dict[str, Any]]


@contextmanager
def database(
    server: PostgresServer, name: str, owner: str | None = None, template: str | None = None
) -> Iterator[DatabaseSettings]:
    """Yield the superuser's settings for a new database, which is dropped at the end of the block."""
    server.create_database(name, owner=owner, template=template)
    try:
        yield DatabaseSettings(server.host, server.port, name, server.user, server.password, "disable")
    finally:
        server.drop_database(name)


@pytest.fixture(scope="module")
def warehouse_settings(postgres: PostgresServer, warehouse_template: str) -> Iterator[DatabaseSettings]:
    """A migrated database of this module's own, as the superuser, who may take every role.

    Most tests roll back, which takes less time than a clone for each.
    """
    with database(postgres, "fullbay_sql", template=warehouse_template) as target:
        yield target


@pytest.fixture
def db(warehouse_settings: DatabaseSettings) -> Iterator[Connection]:
    """A connection whose transaction is rolled back after the test."""
    connection = connect(warehouse_settings, application_name="test")
    yield connection
    connection.rollback()
    connection.close()


@pytest.fixture
def committed(warehouse_settings: DatabaseSettings) -> Iterator[Callable[[], Connection]]:
    """Opens connections that may commit; the tables are emptied after the test."""
    opened: list[Connection] = []

    def open_one() -> Connection:
        opened.append(connect(warehouse_settings, application_name="test"))
        return opened[-1]

    yield open_one
    for connection in opened:
        connection.close()
    cleaner = connect(warehouse_settings, application_name="test", autocommit=True)
    with cleaner.cursor() as cursor:
        cursor.execute(
            f"truncate {', '.join(sorted(PUBLISHED_TABLES))}, refresh_queue, invoice_headers cascade"
        )
    cleaner.close()


def rows(db: Connection, query: str, parameters: Any = None) -> Rows:
    with db.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(query, parameters)
        return [dict(row) for row in cursor.fetchall()] if cursor.description else []


def value(db: Connection, query: str, parameters: Any = None) -> Any:
    with db.cursor() as cursor:
        cursor.execute(query, parameters)
        row = cursor.fetchone()
        assert row is not None, f"no row: {query}"
        return row[0]


def run(db: Connection, query: str, parameters: Any = None) -> None:
    with db.cursor() as cursor:
        cursor.execute(query, parameters)


def line(**overrides: Any) -> dict[str, Any]:
    return {
        "fullbay_invoice_id": "100",
        "invoice_date": DAY,
        "exported": True,
        "customer_id": 7,
        "customer_title": "SAMPLE HAULING LLC",
        "unit_vin": VIN,
        "unit_number": "101",
        "unit_year": "2012",
        "unit_make": "Hino",
        "unit_model": "268",
        "unit_type": "Truck",
        "line_item_type": "PART",
        "shop_part_number": "P-1",
        "assigned_technician": None,
        "quantity": 1,
        "labor_hours": None,
        "actual_hours": None,
        "line_total_price": Decimal("10.00"),
        "tax_amount": Decimal("0"),
        "invoice_total": Decimal("162.68"),
        **overrides,
    }


def store(db: Connection, *lines: dict[str, Any]) -> None:
    """Insert lines as they are, without queueing anything."""
    columns = list(line())
    with db.cursor() as cursor:
        execute_values(
            cursor,
            f"insert into fullbay_line_items ({', '.join(columns)}) values %s",
            [[row[column] for column in columns] for row in lines],
        )


def rebuild(db: Connection) -> int:
    """Rebuild all four summaries and return the number of rows written."""
    return sum(
        value(db, f"select refresh_{name}_summaries()")
        for name in ("daily", "monthly", "customer", "vehicle")
    )


def contents(db: Connection, table: str) -> Rows:
    """What a summary says, without its bookkeeping columns."""
    found = rows(db, f"select * from {table} order by 2, 3")
    return [{k: v for k, v in row.items() if k not in ("id", "created_at", "updated_at")} for row in found]


def header(db: Connection, invoice_id: str, document: dict[str, Any] | None = None, **overrides: Any) -> None:
    """Store a raw invoice and its header."""
    fields = {
        "invoice_date": DAY,
        "total_amount": Decimal(0),
        "balance": Decimal(0),
        "reconciled": True,
        **overrides,
    }
    raw_id = value(
        db,
        "insert into fullbay_raw_data (fullbay_invoice_id, raw_json_data) values (%s, %s) returning id",
        (invoice_id, Json({"primaryKey": invoice_id, **(document or {})})),
    )
    columns = [
        "fullbay_invoice_id",
        "raw_data_id",
        "shop_key",
        "payload_hash",
        "content_hash",
        "payload_bytes",
        *fields,
    ]
    values = [invoice_id, raw_id, "north", "0" * 64, "0" * 64, 2, *fields.values()]
    run(
        db,
        f"insert into invoice_headers ({', '.join(columns)}) values ({', '.join(['%s'] * len(values))})",
        values,
    )


def execution(db: Connection, execution_id: str = "run-1", **overrides: Any) -> str:
    fields = {"execution_id": execution_id, "start_time": datetime.now(UTC), "status": "SUCCESS", **overrides}
    run(
        db,
        f"insert into ingestion_metadata ({', '.join(fields)}) values ({', '.join(['%s'] * len(fields))})",
        list(fields.values()),
    )
    return execution_id


# -- names --------------------------------------------------------------------------------------------------


def test_the_line_table_has_exactly_the_116_published_columns_in_order(db: Connection) -> None:
    found = rows(
        db,
        "select column_name from information_schema.columns "
        "where table_schema = 'fullbay' and table_name = 'fullbay_line_items' order by ordinal_position",
    )
    assert [row["column_name"] for row in found] == LINE_COLUMNS
    assert len(LINE_COLUMNS) == 116


def test_every_published_table_exists(db: Connection) -> None:
    found = {
        row["tablename"] for row in rows(db, "select tablename from pg_tables where schemaname = 'fullbay'")
    }
    assert found >= PUBLISHED_TABLES
    assert len(PUBLISHED_TABLES) == 16


def test_every_published_index_exists_and_no_two_indexes_are_equal(db: Connection) -> None:
    """Seven published indexes repeated a UNIQUE constraint's index; here the constraint carries the name."""
    found = {
        row["indexname"] for row in rows(db, "select indexname from pg_indexes where schemaname = 'fullbay'")
    }
    published = {
        f"idx_{table}_{name}" for table, names in PUBLISHED_INDEXES.items() for name in names.split()
    }
    assert len(published) == 49
    assert published <= found
    equal = rows(
        db,
        """
        select indrelid::regclass, array_agg(indexrelid::regclass::text) from pg_index
        where indrelid in (select oid from pg_class where relnamespace = 'fullbay'::regnamespace)
        group by indrelid, indkey::text, coalesce(pg_get_expr(indpred, indrelid), ''),
            coalesce(pg_get_expr(indexprs, indrelid), ''), indclass::text
        having count(*) > 1
        """,
    )
    assert equal == []


def test_eight_tables_keep_updated_at(db: Connection) -> None:
    found = rows(
        db,
        "select tgrelid::regclass::text as t from pg_trigger "
        "where tgfoid = 'update_updated_at_column'::regproc",
    )
    assert {row["t"] for row in found} == {
        *SUMMARIES,
        *("fullbay_raw_data", "fullbay_line_items", "ingestion_metadata", "processed_invoices_tracker"),
    }
    store(db, line())
    run(db, "update fullbay_line_items set updated_at = '2020-01-01'")
    assert value(db, "select updated_at = now() from fullbay_line_items")


def test_the_published_functions_have_their_names_and_parameters(db: Connection) -> None:
    found = {
        row["proname"]: (row["pronargs"], row["result"])
        for row in rows(
            db,
            "select proname, pronargs, pg_get_function_result(oid) as result from pg_proc "
            "where pronamespace = 'fullbay'::regnamespace",
        )
    }
    expected: dict[str, tuple[int, str]] = {
        name: (count, "integer") for name, (_, count, _) in LOG_CALLS.items()
    }
    expected |= {"refresh_daily_summary": (1, "void"), "refresh_monthly_summary": (2, "void")}
    expected |= {"refresh_customer_summary": (1, "void"), "refresh_vehicle_summary": (1, "void")}
    expected |= {"mark_invoice_processed": (5, "integer"), "update_updated_at_column": (0, "trigger")}
    assert {name: found.get(name) for name in expected} == expected
    assert len(re.findall(r", ", found["get_execution_summary"][1])) == 18
    assert {"get_recent_executions_with_errors", "get_performance_trends"} <= set(found)
    assert "check_invoice_already_processed" in found


# -- migrations ---------------------------------------------------------------------------------------------


def test_migrating_again_applies_nothing(warehouse_settings: DatabaseSettings) -> None:
    assert migrations.migrate(warehouse_settings) == []


def test_two_processes_migrating_at_once_apply_everything_once(postgres: PostgresServer) -> None:
    with database(postgres, "fullbay_sql_race") as target:
        environment = {
            **os.environ,
            "MIGRATION_DB_HOST": target.host,
            "MIGRATION_DB_PORT": str(target.port),
            "MIGRATION_DB_NAME": target.name,
            "MIGRATION_DB_USER": target.user,
            "MIGRATION_DB_PASSWORD": target.password,
            "MIGRATION_DB_SSLMODE": "disable",
        }
        command = [sys.executable, "-m", "resources.migrations"]
        started = [
            subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
            for _ in range(2)
        ]
        outcomes = [(*process.communicate(timeout=120), process.returncode) for process in started]
        assert [code for _, _, code in outcomes] == [0, 0], outcomes
        applied = sorted(out.splitlines()[-1] for out, _, _ in outcomes)
        assert applied[1] == "the schema is up to date"
        assert applied[0] == f"{len(migrations.repeatable_files()) + len(_revisions())} applied"


def test_a_broken_file_is_named_and_leaves_the_database_as_it_was(
    postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "sql"
    shutil.copytree(ROOT / "sql", copy)
    broken = copy / "fullbay" / "views" / "zz_broken.sql"
    broken.write_text("create view fullbay.zz as select nothing_like_it from fullbay.daily_summary")
    monkeypatch.setattr(migrations, "SQL_ROOT", copy)
    with database(postgres, "fullbay_sql_broken") as target:
        with pytest.raises(
            PermanentError, match=r"sql/fullbay/views/zz_broken\.sql.*nothing_like_it"
        ) as caught:
            migrations.migrate(target)
        assert target.password not in f"{caught.value!r} {caught.value}"
        with postgres.session(target.name) as session:
            assert (
                value(session, "select count(*) from pg_namespace where nspname in ('ops', 'fullbay')") == 0
            )
        broken.write_text("create or replace view fullbay.zz as select 1 as one")
        assert "fullbay/views/zz_broken.sql" in migrations.migrate(target)
        broken.write_text("create or replace view fullbay.zz as select 1 as one, 100 % 3 as two")
        assert migrations.migrate(target) == ["fullbay/views/zz_broken.sql"]


def test_a_user_without_the_rights_is_told_which_and_what_to_do(
    postgres: PostgresServer, warehouse_template: str
) -> None:
    """The group roles are there already, made by the migrations of another database of the server."""
    postgres.ensure_login("migration_weakling", "weak-secret-4711")
    try:
        with database(postgres, "fullbay_sql_weak", owner="migration_weakling") as target:
            weak = DatabaseSettings(
                target.host, target.port, target.name, "migration_weakling", "weak-secret-4711", "disable"
            )
            with pytest.raises(PermanentError, match=r"vector.*superuser") as caught:
                migrations.migrate(weak)
            assert "weak-secret-4711" not in str(caught.value)
            with postgres.session(target.name) as session:
                run(session, "create extension vector with schema public")
            with pytest.raises(PermanentError, match=r"grant odoo_apn_writer to migration_weakling"):
                migrations.migrate(weak)
            with postgres.session() as session:
                run(session, "grant odoo_apn_writer to migration_weakling with inherit true, set true")
            with pytest.raises(PermanentError, match=r"grant shoppulse_owner to migration_weakling"):
                migrations.migrate(weak)
            with postgres.session() as session:
                run(session, "grant shoppulse_owner to migration_weakling with inherit true, set true")
            assert migrations.migrate(weak)[0] == "0001_schemas_and_roles"
            run_as_owner = connect(weak, application_name="test")
            assert value(run_as_owner, "select count(*) from product_categories") == 20
            run_as_owner.close()
    finally:
        with postgres.session() as session:
            run(session, "drop role migration_weakling")


def test_a_group_role_that_cannot_be_made_is_named(postgres: PostgresServer) -> None:
    """Group roles belong to the whole server and are in use elsewhere, so only the file itself is run."""
    text = (
        (ROOT / "sql/ops/migrations/0001_roles.sql").read_text().replace("'analyst'", "'analyst_not_there'")
    )
    with postgres.session() as session:
        run(session, "create role migration_nobody")
        run(session, "set role migration_nobody")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="analyst_not_there") as caught:
            run(session, text)
        run(session, "reset role")
        run(session, "drop role migration_nobody")
    assert "createrole" in str(caught.value.diag.message_hint)


def _revisions() -> list[Path]:
    return sorted((ROOT / "sql" / "alembic" / "versions").glob("*.py"))


def test_every_migration_file_is_named_by_exactly_one_revision() -> None:
    files = sorted(p.relative_to(ROOT / "sql").as_posix() for p in (ROOT / "sql").glob("*/migrations/*.sql"))
    named = [name for r in _revisions() for name in re.findall(r'"(\w+/migrations/\w+\.sql)"', r.read_text())]
    assert sorted(named) == files


def test_printed_queries_find_their_tables_without_a_schema(postgres: PostgresServer) -> None:
    """The search path is the database's own, for psql and BI tools that know nothing of this project.

    A clone or a dump without --create would not carry it, so this database is migrated from nothing.
    """
    with database(postgres, "fullbay_sql_path") as target:
        migrations.migrate(target)
        with postgres.session(target.name) as session:
            assert value(session, "show search_path") == "fullbay, commerce, shoppulse, public"
            assert value(session, "select count(*) from product_categories") == 20
            assert value(session, "select '[1,2]'::vector <-> '[1,2]'::vector") == 0


# -- rights -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        ("fullbay_writer", {"fullbay": True, "leases": True, "raw": False, "ops": False, "commerce": False}),
        ("odoo_apn_writer", {"fullbay": False, "leases": True, "raw": True, "ops": True, "commerce": False}),
        ("commerce_writer", {"fullbay": False, "leases": True, "raw": False, "ops": False, "commerce": True}),
        ("analyst", {"fullbay": False, "leases": False, "raw": False, "ops": False, "commerce": False}),
    ],
)
def test_each_location_writes_its_own_schemas_only(
    db: Connection, role: str, allowed: dict[str, bool]
) -> None:
    # Rights on later tables follow the owner of the schema, who runs the migrations.
    owner = value(db, "select nspowner::regrole::text from pg_namespace where nspname = 'raw'")
    run(db, f"set local role {owner}")
    run(db, "create table raw.probe (n integer)")
    run(db, "reset role")
    statements = {
        "fullbay": "insert into fullbay.refresh_queue (target, key) values ('DAY', '2026-10-05')",
        "leases": "insert into ops.write_leases (dataset, covers, holder) values ('d', '[2026-01-01,)', 'h')",
        "raw": "select * from raw.probe",
        "ops": "insert into ops.source_columns values ('odoo', 't', 1, 'c', 'text')",
        "commerce": "insert into commerce.product_categories (category_name) values ('Test')",
    }
    for name, statement in statements.items():
        assert _may(db, role, statement) is allowed[name], f"{role}: {statement}"


@pytest.mark.parametrize(
    ("statement", "allowed"),
    [
        *[(f"select * from {table}", True) for table in SUMMARIES],
        ("select * from fullbay_line_items", True),
        ("select fullbay_id, status, total_amount from fullbay_work_orders", True),
        ("select * from v_data_quality_check", True),
        ("select * from v_current_processing_status", True),
        ("select raw_data from fullbay_work_orders", False),
        ("select * from fullbay_raw_data", False),
        ("select * from invoice_quarantine", False),
        ("select * from api_request_log", False),
        ("delete from daily_summary", False),
        ("create table fullbay.t (n integer)", False),
        ("create table public.t (n integer)", False),
    ],
)
def test_analysts_read_summaries_lines_and_views_but_no_documents(
    db: Connection, statement: str, allowed: bool
) -> None:
    assert _may(db, "analyst", statement) is allowed


def _may(db: Connection, role: str, statement: str) -> bool:
    run(db, "savepoint rights")
    try:
        run(db, f"set local role {role}")
        run(db, statement)
    except psycopg2.errors.InsufficientPrivilege:
        return False
    finally:
        run(db, "rollback to savepoint rights")
    return True


def test_the_writer_role_can_call_every_function_it_needs(db: Connection) -> None:
    store(db, line())
    header(db, "100", {"ServiceOrder": {"primaryKey": "SO1"}}, service_order_id="SO1")
    run(db, "set local role fullbay_writer")
    execution(db)
    for function, (_, _, arguments) in LOG_CALLS.items():
        _log(db, function, arguments)
    assert rebuild(db) == 4
    assert value(db, "select refresh_work_orders()") == 1
    assert value(db, "select mark_invoice_processed('100')") > 0
    for target in TARGETS:
        value(db, "select keys from refresh_queued(%s)", (target,))


# -- the required semantics of the summaries ----------------------------------------------------------------


def test_s1_an_invoice_total_counts_once_however_many_lines_it_has(db: Connection) -> None:
    """The published sum over lines made 325.36 of one 162.68 invoice with two lines."""
    store(db, line(), line(line_item_type="LABOR", line_total_price=Decimal("150.00")))
    rebuild(db)
    for table in SUMMARIES:
        assert [(r["total_invoices"], r["total_revenue"]) for r in contents(db, table)] == [
            (1, Decimal("162.68"))
        ]


def test_s1_lines_that_disagree_on_the_customer_do_not_count_the_total_twice_in_a_day(db: Connection) -> None:
    store(db, line(), line(customer_id=None), line(unit_vin=None), line(customer_id=8))
    rebuild(db)
    assert contents(db, "daily_summary")[0]["total_revenue"] == Decimal("162.68")
    assert [r["total_revenue"] for r in contents(db, "customer_summary")] == [Decimal("162.68")] * 2


def test_s2_a_key_without_invoices_has_no_row(db: Connection) -> None:
    store(db, line())
    rebuild(db)
    run(db, "delete from fullbay_line_items")
    run(db, "select refresh_daily_summary(%s)", (DAY,))
    run(db, "select refresh_monthly_summary(2026, 10)")
    run(db, "select refresh_customer_summary(7)")
    run(db, "select refresh_vehicle_summary(%s)", (VIN,))
    run(db, "select refresh_daily_summary('1999-01-01')")
    assert [contents(db, table) for table in SUMMARIES] == [[], [], [], []]


def test_s3_the_vehicle_list_holds_only_vins(db: Connection) -> None:
    store(db, line(unit_vin=None), line(fullbay_invoice_id="101", customer_id=8, unit_vin="B"))
    store(db, line(fullbay_invoice_id="102", customer_id=8, unit_vin="A"))
    store(db, line(fullbay_invoice_id="103", customer_id=8, unit_vin=""))
    run(db, "select refresh_customer_summary()")
    found = [(r["unique_vehicles"], r["vehicle_list"]) for r in contents(db, "customer_summary")]
    assert found == [(0, "[]"), (2, '["A", "B"]')]


@pytest.mark.parametrize(
    ("invoices", "expected"),
    [
        ([(1, DAY, 9), (2, DAY, 7), (3, DAY - timedelta(1), 7)], 7),
        ([(1, DAY - timedelta(1), 9), (2, DAY, 7)], 7),
        ([(1, DAY, 9), (2, DAY, 7)], 7),
        ([(1, DAY, None), (2, DAY, None), (3, DAY, 9)], 9),
        ([(1, DAY, None)], None),
    ],
    ids=["most invoices", "most recent", "lowest id", "none is nobody", "nobody"],
)
def test_s4_the_primary_customer_is_one_customer_with_its_own_title(
    db: Connection, invoices: list[tuple[int, date, int | None]], expected: int | None
) -> None:
    for number, day, customer in invoices:
        store(
            db,
            line(
                fullbay_invoice_id=str(number),
                invoice_date=day,
                customer_id=customer,
                customer_title=customer and f"CUSTOMER {customer}, INVOICE {number}",
            ),
        )
    run(db, "select refresh_vehicle_summary()")
    (found,) = contents(db, "vehicle_summary")
    assert found["primary_customer_id"] == expected
    if expected is None:
        assert found["primary_customer_title"] is None
    else:
        latest = max(
            n for n, day, c in invoices if c == expected and day == max(d for _, d, k in invoices if k == c)
        )
        assert found["primary_customer_title"] == f"CUSTOMER {expected}, INVOICE {latest}"


def test_s5_descriptive_values_are_the_latest_invoices(db: Connection) -> None:
    """Invoice 1000 is later than 999 on the same day: ids are compared as numbers."""
    store(
        db,
        line(fullbay_invoice_id="2000", invoice_date=DAY - timedelta(1), customer_title="Z", unit_make="Z"),
    )
    store(db, line(fullbay_invoice_id="999", customer_title="Y", unit_make="Y", unit_number="9"))
    store(
        db,
        line(fullbay_invoice_id="1000", customer_title="A", unit_make="A", unit_number="1", unit_year="1999"),
    )
    rebuild(db)
    assert contents(db, "customer_summary")[0]["customer_title"] == "A"
    vehicle = contents(db, "vehicle_summary")[0]
    assert (vehicle["unit_make"], vehicle["unit_number"], vehicle["unit_year"]) == ("A", "1", "1999")
    assert (vehicle["first_invoice_date"], vehicle["last_invoice_date"]) == (DAY - timedelta(1), DAY)


def test_s6_and_s10_kinds_and_tax_add_up_to_the_revenue(db: Connection) -> None:
    kinds = ["PART", "LABOR", "SUPPLY", "FREIGHT", "MISC", "SUBLET", "SERVICE_CALL", "MILEAGE", "ROUNDING"]
    amounts = {
        k: Decimal(a)
        for k, a in zip(kinds, ("10", "20", "30", "4", "5", "60", "7", "8", "-0.01"), strict=True)
    }
    total = sum(amounts.values(), Decimal("1.50"))
    store(
        db,
        *(line(line_item_type=k, line_total_price=a, invoice_total=total) for k, a in amounts.items()),
        line(line_total_price=None, tax_amount=Decimal("1.50"), invoice_total=total),
    )
    rebuild(db)
    tax = value(db, "select sum(tax_amount) from fullbay_line_items")
    for table in SUMMARIES:
        (found,) = contents(db, table)
        by_kind = {k: found[f"total_{k}_revenue"] for k in ("parts", "labor", "supplies", "misc", "sublet")}
        assert by_kind == {
            "parts": 10,
            "labor": 20,
            "supplies": 30,
            "misc": sum(amounts[k] for k in kinds[3:5] + kinds[6:]),
            "sublet": 60,
        }
        assert sum(by_kind.values()) + tax == found["total_revenue"] == total


def test_s7_a_blank_vin_is_no_vehicle_and_blanks_around_one_do_not_count(db: Connection) -> None:
    store(
        db,
        *(
            line(fullbay_invoice_id=str(n), unit_vin=v)
            for n, v in enumerate(["", "   ", None, VIN, f" {VIN} "])
        ),
    )
    rebuild(db)
    assert contents(db, "daily_summary")[0]["unique_vehicles"] == 1
    assert [(r["unit_vin"], r["total_invoices"]) for r in contents(db, "vehicle_summary")] == [(VIN, 2)]
    run(db, "delete from vehicle_summary")
    run(db, "select refresh_vehicle_summary(%s)", (f" {VIN}",))
    assert [(r["unit_vin"], r["total_invoices"]) for r in contents(db, "vehicle_summary")] == [(VIN, 2)]


def test_s8_concurrent_refreshes_of_the_same_keys_lose_nothing(committed: Callable[[], Connection]) -> None:
    """Published: DELETE then INSERT, which raises unique violations and can leave an old result behind."""
    workers, each, failures = 6, 8, []

    def work(worker: int, db: Connection) -> None:
        try:
            for n in range(each):
                store(db, line(fullbay_invoice_id=f"{worker}-{n}", invoice_total=Decimal("1.00")))
                if (worker + n) % 5 == 0:
                    rebuild(db)
                else:
                    run(db, "select refresh_daily_summary(%s)", (DAY,))
                    run(db, "select refresh_monthly_summary(2026, 10)")
                    run(db, "select refresh_customer_summary(7)")
                    run(db, "select refresh_vehicle_summary(%s)", (VIN,))
                db.commit()
        except Exception as error:  # reported by the main thread
            failures.append(error)

    threads = [threading.Thread(target=work, args=(n, committed())) for n in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert failures == []
    db = committed()
    for table in SUMMARIES:
        assert [(r["total_invoices"], r["total_revenue"]) for r in contents(db, table)] == [
            (48, Decimal("48.00"))
        ]
    assert rebuild(db) == 0


def test_s9_a_refresh_keeps_created_at_and_writes_only_rows_that_differ(db: Connection) -> None:
    store(db, line())
    assert rebuild(db) == 4
    for table in SUMMARIES:
        run(db, f"alter table {table} disable trigger user")
        run(db, f"update {table} set created_at = '2020-01-01', updated_at = '2020-01-01'")
        run(db, f"alter table {table} enable trigger user")
    assert rebuild(db) == 0
    for table in SUMMARIES:
        assert value(db, f"select updated_at from {table}").year == 2020
    run(db, "update fullbay_line_items set line_total_price = 11")
    assert rebuild(db) == 4
    for table in SUMMARIES:
        (found,) = rows(db, f"select * from {table}")
        assert found["created_at"].year == 2020
        assert found["updated_at"].year > 2020
        assert found["total_parts_revenue"] == 11


def test_s11_a_moved_invoice_leaves_its_old_keys_and_appears_under_its_new_ones(db: Connection) -> None:
    store(db, line())
    rebuild(db)
    run(db, "update fullbay_line_items set invoice_date = '2026-11-02', customer_id = 8, unit_vin = 'OTHER'")
    keys = ["DAY 2026-10-05", "DAY 2026-11-02", "MONTH 2026-10", "MONTH 2026-11", "CUSTOMER 7", "CUSTOMER 8"]
    _queue(db, *(tuple(k.split()) for k in [*keys, f"VEHICLE {VIN}", "VEHICLE OTHER"]))
    done = {target: rows(db, "select * from refresh_queued(%s)", (target,)) for target in TARGETS}
    assert done.pop("WORK_ORDER") == [{"keys": 0, "rows_written": 0}]
    assert all(found == [{"keys": 2, "rows_written": 2}] for found in done.values())
    assert contents(db, "daily_summary")[0]["summary_date"] == date(2026, 11, 2)
    assert contents(db, "monthly_summary")[0]["summary_month"] == 11
    assert contents(db, "customer_summary")[0]["customer_id"] == 8
    assert contents(db, "vehicle_summary")[0]["unit_vin"] == "OTHER"
    assert rebuild(db) == 0


@pytest.mark.parametrize(("year", "month"), [(2025, 13), (2025, 0), (2025, None), (0, 1), (None, 1)])
def test_s12_a_month_that_does_not_exist_is_refused(
    db: Connection, year: int | None, month: int | None
) -> None:
    with pytest.raises(psycopg2.DataError, match="there is no month") as caught:
        run(db, "select refresh_monthly_summary(%s, %s)", (year, month))
    assert "1 to 12" in str(caught.value.diag.message_hint)


def test_s12_no_month_13_can_be_stored_at_all(db: Connection) -> None:
    with pytest.raises(psycopg2.errors.CheckViolation):
        run(db, "insert into monthly_summary (summary_year, summary_month) values (2025, 13)")


@pytest.mark.parametrize(
    ("call", "found"),
    [("refresh_daily_summary(null)", "no date"), ("refresh_vehicle_summary(' ')", "VIN is blank")],
)
def test_a_refresh_of_nothing_says_what_to_give(db: Connection, call: str, found: str) -> None:
    with pytest.raises(psycopg2.DataError, match=found) as caught:
        run(db, f"select {call}")
    assert "none at all" in str(caught.value.diag.message_hint)


def test_the_measures_are_counted_as_published(db: Connection) -> None:
    labor = {"line_item_type": "LABOR", "shop_part_number": None, "quantity": 3}
    store(
        db,
        line(quantity=Decimal("2.5")),
        line(quantity=1, shop_part_number="P-2"),
        line(line_item_type="SUPPLY", shop_part_number="S-1", quantity=9),
        line(**labor, assigned_technician="SAM", labor_hours=Decimal("1.50"), actual_hours=Decimal("1.75")),
        line(**labor, assigned_technician="ROBIN", labor_hours=2, fullbay_invoice_id="101", exported=False),
        line(fullbay_invoice_id="102", customer_id=8, unit_vin="OTHER", invoice_total=None, exported=None),
    )
    rebuild(db)
    day = contents(db, "daily_summary")[0]
    expected = {
        "total_invoices": 3,
        "exported_invoices": 1,
        "unexported_invoices": 2,
        "total_revenue": Decimal("325.36"),
        "total_labor_hours": Decimal("3.50"),
        "total_actual_hours": Decimal("1.75"),
        "total_parts_quantity": Decimal("4.50"),
        "unique_parts_count": 2,
        "unique_customers": 2,
        "unique_vehicles": 2,
        "unique_technicians": 2,
    }
    assert {name: day[name] for name in expected} == expected
    (month,) = contents(db, "monthly_summary")
    assert {name: month[name] for name in expected} == expected


_KEY_TYPE = {"daily": "date", "monthly": "date", "customer": "integer", "vehicle": "text"}


@pytest.mark.parametrize("name", list(_KEY_TYPE))
def test_empty_and_null_keys_refresh_nothing(db: Connection, name: str) -> None:
    store(db, line())
    for keys in ("'{}'", "array[null]"):
        assert value(db, f"select refresh_{name}_summaries({keys}::{_KEY_TYPE[name]}[])") == 0


def test_refreshing_one_key_never_scans_the_line_table(db: Connection) -> None:
    """A generic plan would: cost must follow the change, so every call plans for its own keys."""
    run(
        db,
        """
        insert into fullbay_line_items
            (fullbay_invoice_id, invoice_date, customer_id, unit_vin, line_item_type, invoice_total,
            line_total_price)
        select n / 10, date '2024-01-01' + n / 60, n / 10 % 200, 'VIN' || n / 10 % 600, 'PART', 10, 1
        from generate_series(0, 29999) as n
        """,
    )
    run(db, "analyze fullbay_line_items")
    rebuild(db)
    scans = "select seq_scan from pg_stat_xact_user_tables where relname = 'fullbay_line_items'"
    before = value(db, scans)
    for _ in range(7):  # a prepared plan turns generic after five
        run(db, "select refresh_daily_summaries(array[date '2024-03-01'])")
        run(db, "select refresh_monthly_summaries(array[date '2024-03-01'])")
        run(db, "select refresh_customer_summaries(array[17])")
        run(db, "select refresh_vehicle_summaries(array['VIN17'])")
    assert value(db, scans) == before


# -- the queue ----------------------------------------------------------------------------------------------


def _queue(db: Connection, *keys: tuple[str, ...]) -> None:
    with db.cursor() as cursor:
        execute_values(cursor, "insert into refresh_queue (target, key) values %s", keys)


def test_a_queued_key_is_refreshed_once_and_the_queue_is_empty_then(db: Connection) -> None:
    store(db, line())
    header(db, "100", {"ServiceOrder": {"primaryKey": "SO1"}}, service_order_id="SO1")
    keys = {"WORK_ORDER": "SO1", "DAY": "2026-10-05", "MONTH": "2026-10", "CUSTOMER": "7", "VEHICLE": VIN}
    _queue(db, *keys.items(), *keys.items())
    for target in TARGETS:
        assert rows(db, "select * from refresh_queued(%s)", (target,)) == [{"keys": 1, "rows_written": 1}]
        assert rows(db, "select * from refresh_queued(%s)", (target,)) == [{"keys": 0, "rows_written": 0}]
    assert value(db, "select count(*) from refresh_queue") == 0
    assert rebuild(db) == 0


def test_keys_held_by_another_refresh_are_left_to_it(committed: Callable[[], Connection]) -> None:
    first, second = committed(), committed()
    store(first, line())
    _queue(first, ("DAY", "2026-10-05"))
    first.commit()
    assert value(first, "select keys from refresh_queued('DAY')") == 1
    assert value(second, "select keys from refresh_queued('DAY')") == 0
    second.rollback()
    first.rollback()  # killed: the key is back
    assert rows(second, "select * from refresh_queued('DAY')") == [{"keys": 1, "rows_written": 1}]


@pytest.mark.parametrize(
    ("target", "key"),
    [
        ("DAY", "2026-10"),
        ("DAY", "2026-13-01"),
        ("MONTH", "2026-10-01"),
        ("CUSTOMER", "seven"),
        ("YEAR", "2026"),
    ],
)
def test_a_key_that_cannot_be_read_is_refused_where_it_is_queued(
    db: Connection, target: str, key: str
) -> None:
    with pytest.raises(psycopg2.errors.CheckViolation):
        _queue(db, (target, key))


def test_an_unknown_target_is_refused(db: Connection) -> None:
    with pytest.raises(psycopg2.DataError, match="no target 'YEAR'"):
        run(db, "select * from refresh_queued('YEAR')")


EDITS = st.lists(
    st.fixed_dictionaries(
        {
            "invoice": st.sampled_from(["1", "2", "3", "10"]),
            "date": st.sampled_from([DAY, DAY + timedelta(1), date(2026, 11, 1), None]),
            "lines": st.lists(
                st.tuples(
                    st.sampled_from(["PART", "LABOR", "SUPPLY", "MISC", "SUBLET", "FREIGHT", "ROUNDING"]),
                    st.sampled_from([7, 7, 8, None]),
                    st.sampled_from(["V1", "V1", "V2", " V1 ", "", None]),
                    st.integers(-500, 5000),
                ),
                max_size=4,
            ),
            "total": st.integers(-1000, 100000),
            "refresh": st.sets(st.sampled_from(TARGETS)),
        }
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits=EDITS)
def test_incremental_refreshes_equal_a_full_rebuild_after_any_edits(
    db: Connection, edits: list[dict[str, Any]]
) -> None:
    """Each edit replaces an invoice's lines and queues old and new keys, worked off at odd moments."""
    run(db, "truncate fullbay_line_items, refresh_queue, " + ", ".join(SUMMARIES))
    invoices: dict[str, tuple[date | None, int]] = {}
    for edit in edits:
        _queue_lines_of(db, edit["invoice"])
        run(db, "delete from fullbay_line_items where fullbay_invoice_id = %s", (edit["invoice"],))
        new = [
            line(
                fullbay_invoice_id=edit["invoice"],
                invoice_date=edit["date"],
                line_item_type=kind,
                customer_id=customer,
                customer_title=f"TITLE {edit['total']}",
                unit_vin=vin,
                unit_number=f"{cents}",
                shop_part_number=f"P{cents % 3}",
                line_total_price=Decimal(cents) / 100,
                invoice_total=Decimal(edit["total"]) / 100,
            )
            for kind, customer, vin, cents in edit["lines"]
        ]
        invoices.pop(edit["invoice"], None)
        if new:
            store(db, *new)
            invoices[edit["invoice"]] = (edit["date"], edit["total"])
        _queue_lines_of(db, edit["invoice"])
        for target in edit["refresh"]:
            run(db, "select * from refresh_queued(%s)", (target,))
    for target in TARGETS:
        run(db, "select * from refresh_queued(%s)", (target,))
    incremental = {table: contents(db, table) for table in SUMMARIES}
    run(db, "truncate " + ", ".join(SUMMARIES))
    rebuild(db)
    assert incremental == {table: contents(db, table) for table in SUMMARIES}
    dated = sum(total for day, total in invoices.values() if day is not None)
    assert sum(r["total_revenue"] for r in incremental["daily_summary"]) == Decimal(dated) / 100
    assert sum(r["total_revenue"] for r in incremental["monthly_summary"]) == Decimal(dated) / 100


def _queue_lines_of(db: Connection, invoice_id: str) -> None:
    run(
        db,
        """
        insert into refresh_queue (target, key)
        select distinct keys.target, keys.key
        from fullbay_line_items as l, lateral (
            values ('DAY', l.invoice_date::text), ('MONTH', left(l.invoice_date::text, 7)),
                ('CUSTOMER', l.customer_id::text), ('VEHICLE', l.unit_vin)
        ) as keys (target, key)
        where l.fullbay_invoice_id = %s and keys.key is not null
        """,
        (invoice_id,),
    )


# -- work orders --------------------------------------------------------------------------------------------


def service_order(**overrides: Any) -> dict[str, Any]:
    return {
        "Customer": {"customerId": 1, "title": "PAYER"},
        "ServiceOrder": {
            "primaryKey": "SO1",
            "repairOrderNumber": "16025",
            "created": "2026-07-05 12:26:29",
            "Customer": {"customerId": 7, "title": "OWNER"},
            "Unit": {"vin": VIN, "year": "2012"},
            **overrides,
        },
    }


def work_order(db: Connection) -> dict[str, Any]:
    run(db, "select refresh_work_orders(array['SO1'])")
    (found,) = rows(db, "select * from fullbay_work_orders")
    return found


def test_a_work_order_sums_its_invoices_and_describes_the_latest(db: Connection) -> None:
    money = {
        "total_amount": Decimal("10.10"),
        "labor_amount": 5,
        "parts_amount": 4,
        "tax_amount": Decimal("1.10"),
    }
    header(db, "999", service_order(repairOrderNumber="old"), service_order_id="SO1", **money)
    header(db, "1000", service_order(), service_order_id="SO1", missing_since=datetime.now(UTC), **money)
    found = work_order(db)
    assert (found["work_order_number"], found["customer_id"], found["customer_name"]) == (
        "16025",
        "7",
        "OWNER",
    )
    assert (found["total_amount"], found["labor_amount"], found["parts_amount"]) == (Decimal("20.20"), 10, 8)
    assert (found["tax_amount"], found["status"]) == (Decimal("2.20"), "PAID")
    assert found["vehicle_info"] == {"vin": VIN, "year": "2012"}
    assert found["raw_data"] == service_order()["ServiceOrder"]
    assert found["created_at"] == datetime(2026, 7, 5, 16, 26, 29, tzinfo=UTC)
    assert found["ingestion_source"] == "fullbay_api"


@pytest.mark.parametrize(
    ("total", "balance", "status"),
    [
        (100, 0, "PAID"),
        (100, 40, "OPEN"),
        (0, 0, "PAID"),
        (-50, 0, "CREDIT"),
        (-50, -50, "CREDIT"),
        (100, -5, "CREDIT"),
    ],
)
def test_the_status_follows_total_and_open_balance(
    db: Connection, total: int, balance: int, status: str
) -> None:
    header(db, "1", service_order(), service_order_id="SO1", total_amount=total, balance=balance)
    assert work_order(db)["status"] == status


@pytest.mark.parametrize(
    "created", ["0000-00-00 00:00:00", "2026-02-30 10:00:00", "", None, "soon", 5, "infinity"]
)
def test_a_creation_time_that_is_none_is_null(db: Connection, created: Any) -> None:
    header(db, "1", service_order(created=created), service_order_id="SO1")
    assert work_order(db)["created_at"] is None


def test_the_shops_zone_is_a_setting_of_the_session(db: Connection) -> None:
    run(db, "set fullbay.time_zone = 'America/Los_Angeles'")
    header(db, "1", service_order(), service_order_id="SO1")
    assert work_order(db)["created_at"] == datetime(2026, 7, 5, 19, 26, 29, tzinfo=UTC)


def test_missing_parts_of_a_document_are_null_and_the_billing_customer_stands_in(db: Connection) -> None:
    header(
        db,
        "1",
        {"Customer": {"customerId": "1", "title": "PAYER"}, "ServiceOrder": {}},
        service_order_id="SO1",
    )
    found = work_order(db)
    assert (found["customer_id"], found["customer_name"], found["vehicle_info"]) == ("1", "PAYER", None)
    assert found["work_order_number"] is None


def test_a_work_order_is_written_only_when_it_differs_and_goes_with_its_last_invoice(db: Connection) -> None:
    header(db, "1", service_order(), service_order_id="SO1", total_amount=10)
    header(db, "2", service_order(), service_order_id=None)
    assert value(db, "select refresh_work_orders()") == 1
    assert value(db, "select refresh_work_orders()") == 0
    run(db, "update invoice_headers set balance = 10 where fullbay_invoice_id = '1'")
    run(db, "update fullbay_work_orders set updated_at = '2020-01-01', ingestion_timestamp = '2020-01-01'")
    assert value(db, "select refresh_work_orders(array['SO1', 'unknown'])") == 1
    found = rows(
        db,
        "select status, updated_at = now() as u, ingestion_timestamp = now() as i from fullbay_work_orders",
    )
    assert found == [{"status": "OPEN", "u": True, "i": True}]
    run(db, "update invoice_headers set service_order_id = 'SO2' where fullbay_invoice_id = '1'")
    assert value(db, "select refresh_work_orders(array['SO1', 'SO2'])") == 2
    assert value(db, "select string_agg(fullbay_id, ',') from fullbay_work_orders") == "SO2"


# -- logs and reports ---------------------------------------------------------------------------------------


def _log(db: Connection, function: str, arguments: list[Any], execution_id: str = "run-1") -> int:
    placeholders = ", ".join(["%s"] * (1 + len(arguments)))
    return int(value(db, f"select {function}({placeholders})", [execution_id, *arguments]))


@pytest.mark.parametrize("function", LOG_CALLS)
def test_a_log_function_stores_its_row_and_returns_its_id(db: Connection, function: str) -> None:
    table, parameters, required = LOG_CALLS[function]
    execution(db)
    new_id = _log(db, function, required)
    assert value(db, f"select count(*) from {table} where id = %s and execution_id = 'run-1'", (new_id,)) == 1
    rest = [None] * (parameters - 1 - len(required))
    assert _log(db, function, [*required, *rest]) > new_id
    columns = [
        key
        for key in rows(db, f"select * from {table} order by id")[0]
        if not key.endswith(("id", "timestamp"))
    ]
    first, second = rows(db, f"select {', '.join(columns)} from {table} order by id")
    assert first == second, "null for a defaulted parameter must mean its default"


def test_log_parameters_are_in_the_published_order(db: Connection) -> None:
    execution(db)
    _log(
        db,
        "log_api_request",
        [
            "/e",
            "GET",
            Json({"h": 1}),
            Json({"p": 1}),
            "body",
            429,
            Json({"r": 1}),
            10,
            20,
            "slow",
            "Throttled",
            2,
        ],
    )
    (found,) = rows(db, "select * from api_request_log")
    assert (found["request_headers"], found["request_params"], found["request_body"]) == (
        {"h": 1},
        {"p": 1},
        "body",
    )
    assert (found["response_status_code"], found["response_headers"], found["retry_count"]) == (
        429,
        {"r": 1},
        2,
    )
    assert (found["response_body_size"], found["response_time_ms"]) == (10, 20)
    assert (found["error_message"], found["error_type"]) == ("slow", "Throttled")


@pytest.mark.parametrize("function", LOG_CALLS)
def test_logging_for_an_unknown_run_is_a_clean_error(db: Connection, function: str) -> None:
    with pytest.raises(psycopg2.errors.ForeignKeyViolation, match="run 'nobody'") as caught:
        _log(db, function, LOG_CALLS[function][2], "nobody")
    assert "commit it before" in str(caught.value.diag.message_hint)


@pytest.mark.parametrize(
    "statement",
    [
        "insert into ingestion_metadata (execution_id, start_time, status) values ('x', now(), 'DONE')",
        "insert into ingestion_metadata (execution_id, start_time, end_time, status) "
        "values ('x', now(), now() - interval '1 s', 'SUCCESS')",
        "select log_data_processing('run-1', 'S', 1, 1, 1, 1, null, 1.01)",
        "select log_data_processing('run-1', 'S', 1, 1, 1, 1, null, 'NaN')",
        "select log_data_quality_check('run-1', 'VALIDITY', 'd', 10, 9, 1, 100.5)",
        "select log_data_quality_check('run-1', 'VALIDITY', 'd', 10, 9, 2, 90)",
        "select log_business_validation('run-1', 'I1', 'd', 'HUGE', 10, 9, 1, 90)",
        "select log_error('run-1', 'FATAL', 'API', 'm')",
        "select log_error('run-1', 'ERROR', 'WEATHER', 'm')",
        "insert into error_tracking_log (execution_id, error_level, error_message, resolved) "
        "values ('run-1', 'ERROR', 'm', true)",
        "insert into fullbay_line_items (fullbay_invoice_id, line_item_type) values ('1', 'SHOP SUPPLIES')",
        "insert into fullbay_line_items (fullbay_invoice_id, line_item_type, assigned_technician_portion) "
        "values ('1', 'LABOR', 101)",
        "select mark_invoice_processed('1', 'DONE')",
    ],
)
def test_values_that_cannot_be_are_refused(db: Connection, statement: str) -> None:
    execution(db)
    with pytest.raises((psycopg2.errors.CheckViolation, psycopg2.errors.NumericValueOutOfRange)):
        run(db, statement)


def test_the_environment_of_a_run_has_a_default(db: Connection) -> None:
    """The published writer left it out, and its NOT NULL without default refused every run."""
    execution(db)
    assert value(db, "select environment from ingestion_metadata") == "development"


def test_the_seeds_sample_queries_run_as_printed(db: Connection) -> None:
    seed = """
    -- Get recent executions with errors
    SELECT * FROM get_recent_executions_with_errors(24);

    -- Get performance trends for last 7 days
    SELECT * FROM get_performance_trends(7);

    -- Get execution summary for specific run
    SELECT * FROM get_execution_summary('your-execution-id');

    -- Find slow database queries
    SELECT * FROM database_query_log
    WHERE execution_time_ms > 1000
    ORDER BY execution_time_ms DESC;

    -- Check data quality issues
    SELECT * FROM data_quality_log
    WHERE quality_score < 90
    ORDER BY quality_check_timestamp DESC;
    """
    execution(db, "your-execution-id", status="ERROR", error_message="refused")
    _log(db, "log_database_query", ["INSERT", "t", "q", None, 1500], "your-execution-id")
    _log(db, "log_data_quality_check", ["VALIDITY", "d", 10, 8, 2, 80], "your-execution-id")
    for query in seed.split(";")[:-1]:
        assert len(rows(db, query)) == 1, query


def test_an_execution_summary_counts_each_log_on_its_own(db: Connection) -> None:
    """Joined before counting, three calls, two queries and two errors were twelve rows of everything."""
    execution(db, records_processed=30, total_duration_seconds=Decimal("1.50"))
    for milliseconds in (100, 200, 301):
        _log(db, "log_api_request", ["/e", "GET", None, None, None, 200, None, 1, milliseconds])
    _log(db, "log_api_request", ["/e", "GET", None, None, None, 500, None, None, None, "boom"])
    for milliseconds in (10, 20):
        _log(db, "log_database_query", ["INSERT", "t", "q", None, milliseconds])
    for _ in range(2):
        _log(db, "log_error", ["ERROR", "API", "boom"])
    _log(db, "log_data_processing", ["API_FETCH", 1, 1, 7])
    (found,) = rows(db, "select * from get_execution_summary('run-1')")
    assert len(found) == 19
    expected = {
        "execution_id": "run-1",
        "status": "SUCCESS",
        "total_duration_seconds": Decimal("1.50"),
        "records_processed": 30,
        "api_requests_count": 4,
        "api_errors_count": 1,
        "db_queries_count": 2,
        "db_errors_count": 0,
        "processing_stages_count": 1,
        "errors_count": 2,
        "quality_checks_count": 0,
        "validations_count": 0,
        "avg_api_response_time_ms": 200,
        "avg_db_query_time_ms": 15,
        "avg_processing_time_ms": 7,
    }
    assert {name: found[name] for name in expected} == expected
    assert rows(db, "select * from get_execution_summary('unknown')") == []


def test_recent_executions_with_errors_are_newest_first_with_their_messages(db: Connection) -> None:
    now = datetime.now(UTC)
    execution(db, "clean")
    execution(db, "partial", status="PARTIAL", start_time=now - timedelta(hours=1))
    for level, message in (("ERROR", "b"), ("CRITICAL", "a"), ("WARNING", "b")):
        _log(db, "log_error", [level, "API", message], "partial")
    execution(db, "dead", status="ERROR", start_time=now - timedelta(hours=2), error_message="no rows")
    execution(db, "old", status="ERROR", start_time=now - timedelta(hours=25))
    found = rows(db, "select * from get_recent_executions_with_errors()")
    summary = [(r["execution_id"], r["error_count"], r["critical_errors"], r["error_summary"]) for r in found]
    assert summary == [("partial", 3, 1, "a; b"), ("dead", 0, 0, "no rows")]


def test_performance_trends_count_each_run_once_whatever_it_logged(db: Connection) -> None:
    today = datetime.now(UTC).replace(hour=12, minute=0)
    run(db, "set local time zone 'Pacific/Kiritimati'")  # 14 hours ahead: the day must not follow the session
    for n, status in enumerate(["SUCCESS", "SUCCESS", "PARTIAL", "ERROR"]):
        execution(db, f"run-{n}", status=status, start_time=today, total_duration_seconds=n)
        for milliseconds in (100, 300):
            _log(
                db, "log_api_request", ["/e", "GET", None, None, None, 200, None, 1, milliseconds], f"run-{n}"
            )
        for _ in range(3):
            _log(db, "log_database_query", ["INSERT", "t", "q", None, 10], f"run-{n}")
    execution(db, "yesterday", start_time=today - timedelta(days=1))
    execution(db, "long ago", start_time=today - timedelta(days=9))
    found = rows(db, "select * from get_performance_trends()")
    assert found == [
        {
            "execution_date": today.date(),
            "total_executions": 4,
            "avg_duration_seconds": Decimal("1.50"),
            "avg_api_response_time_ms": 200,
            "avg_db_query_time_ms": 10,
            "success_rate": Decimal("50.00"),
            "error_rate": Decimal("25.00"),
        },
        {
            "execution_date": today.date() - timedelta(days=1),
            "total_executions": 1,
            "avg_duration_seconds": None,
            "avg_api_response_time_ms": None,
            "avg_db_query_time_ms": None,
            "success_rate": Decimal("100.00"),
            "error_rate": Decimal("0.00"),
        },
    ]


def test_purging_takes_old_runs_with_their_logs_and_nothing_else(db: Connection) -> None:
    long_ago = datetime.now(UTC) - timedelta(days=100)
    execution(db, "old", created_at=long_ago)
    execution(db, "stuck", created_at=long_ago, status="RUNNING")
    execution(db, "new")
    for run_id in ("old", "new"):
        _log(db, "log_error", ["ERROR", "API", "m"], run_id)
        _log(db, "log_api_request", ["/e", "GET"], run_id)
        run(
            db,
            "insert into ingestion_run_invoices (execution_id, shop_key, invoice_date, outcome) "
            "values (%s, 'north', %s, 'NEW')",
            (run_id, DAY),
        )
    found = {
        r["table_name"]: r["rows_deleted"] for r in rows(db, "select * from purge_logs(interval '90 days')")
    }
    assert {name for name, count in found.items() if count} == {
        "error_tracking_log",
        "api_request_log",
        "ingestion_run_invoices",
        "ingestion_metadata",
    }
    assert set(found.values()) == {0, 1}
    assert len(found) == 9
    kept = rows(db, "select execution_id from ingestion_metadata order by 1")
    assert [r["execution_id"] for r in kept] == ["new", "stuck"]


@pytest.mark.parametrize("age", ["null", "interval '-1 day'"])
def test_purging_without_an_age_is_refused(db: Connection, age: str) -> None:
    with pytest.raises(psycopg2.DataError, match="is no age"):
        run(db, f"select purge_logs({age})")


# -- the duplicate check ------------------------------------------------------------------------------------

HASH, OTHER_HASH = (hashlib.sha256(text).hexdigest() for text in (b"one", b"two"))


def _check(db: Connection, *arguments: str) -> dict[str, Any]:
    placeholders = ", ".join(["%s"] * len(arguments))
    (found,) = rows(db, f"select * from check_invoice_already_processed({placeholders})", arguments)
    return found


def test_an_unknown_invoice_is_exactly_one_row_of_nothing(db: Connection) -> None:
    nothing = {"is_duplicate": False, "last_processed_at": None, "processing_count": 0, "skip_reason": None}
    assert _check(db, "1") == nothing
    assert _check(db, "1", HASH) == nothing


def test_marking_counts_and_the_check_tells_what_was_marked(db: Connection) -> None:
    first = value(db, "select mark_invoice_processed('1')")
    assert value(db, "select mark_invoice_processed('1', 'SKIPPED', 'UNCHANGED')") == first
    found = _check(db, "1")
    assert (found["is_duplicate"], found["processing_count"], found["skip_reason"]) == (True, 2, "UNCHANGED")
    run(db, "select mark_invoice_processed('1')")
    assert _check(db, "1")["skip_reason"] is None


def test_with_a_hash_only_the_same_content_that_did_not_fail_is_a_duplicate(db: Connection) -> None:
    run(db, "select mark_invoice_processed('1', 'PROCESSED', null, %s, 'run-1')", (HASH,))
    assert _check(db, "1", HASH)["is_duplicate"] is True
    assert _check(db, "1", OTHER_HASH)["is_duplicate"] is False
    run(db, "select mark_invoice_processed('1', 'SKIPPED', 'UNCHANGED')")
    assert _check(db, "1", HASH)["is_duplicate"] is True, "no hash given keeps the old one"
    run(db, "select mark_invoice_processed('1', 'ERROR', 'no id', %s)", (HASH,))
    assert _check(db, "1", HASH)["is_duplicate"] is False
    assert _check(db, "1")["is_duplicate"] is True
    (found,) = rows(db, "select * from processed_invoices_tracker")
    assert (found["last_content_hash"], found["last_execution_id"]) == (HASH, "run-1")
    run(db, "insert into processed_invoices_tracker (fullbay_invoice_id) values ('2')")
    assert _check(db, "2", HASH)["is_duplicate"] is False


def test_the_check_is_inlined_so_that_a_batch_is_one_join(db: Connection) -> None:
    plan = rows(
        db,
        "explain select c.* from unnest(array['1', '2']) as i, "
        "lateral check_invoice_already_processed(i, %s) as c",
        (HASH,),
    )
    text = "\n".join(row["QUERY PLAN"] for row in plan)
    assert "processed_invoices_tracker" in text
    assert "Function Scan on check_invoice_already_processed" not in text


# -- views --------------------------------------------------------------------------------------------------

VIEWS = (
    "v_ingestion_performance", "v_current_processing_status", "v_processing_errors", "v_invoice_summary",
    "v_customer_analysis", "v_parts_analysis", "v_technician_performance", "v_fleet_analysis",
    "v_data_quality_check", "v_recent_activity",
)  # fmt: skip


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_works_on_empty_tables_and_has_a_row_for_data(db: Connection, view: str) -> None:
    """The published quality view divided by the row count, so a new database failed."""
    rows(db, f"select * from {view}")
    header(db, "100", {})
    run(db, "update fullbay_raw_data set processing_errors = 'I7'")
    store(db, line(), line(line_item_type="LABOR", assigned_technician="SAM", labor_hours=0, actual_hours=0))
    store(db, line(line_total_price=0, invoice_total=0, fullbay_invoice_id="101"))
    execution(db)
    rebuild(db)
    assert rows(db, f"select * from {view}")


def test_the_quality_view_has_six_checks_with_count_and_percent(db: Connection) -> None:
    store(db, line(), line(line_total_price=0), line(customer_id=None), line(unit_make=None))
    store(db, line(line_item_type="LABOR"), line(line_item_type="SUPPLY", shop_part_number=None))
    found = {
        r["check_name"]: (r["issue_count"], r["issue_percent"])
        for r in rows(db, "select * from v_data_quality_check")
    }
    assert found == {
        "missing_invoice_numbers": (6, Decimal("100.00")),
        "missing_customer_info": (1, Decimal("16.67")),
        "missing_unit_info": (1, Decimal("16.67")),
        "zero_prices": (1, Decimal("16.67")),
        "missing_labor_hours": (1, Decimal("100.00")),
        "missing_part_numbers": (1, Decimal("20.00")),
    }
