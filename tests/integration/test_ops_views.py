"""The run book's views say what the seed's status, report and metrics interfaces said, to analysts too."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import psycopg2
import pytest

from resources.settings import DatabaseSettings
from sandbox.postgres import PostgresServer
from tests.apn_rows import connection_to, insert
from tests.conftest import OWNER, settings_of

VIEWS = ("sync_status", "validation_report", "quality_metrics")


def ago(**span: float) -> datetime:
    """UTC without a zone, as the tables keep it; asked anew by each test, since a suite takes half an hour."""
    return datetime.now(UTC).replace(tzinfo=None) - timedelta(**span)


@pytest.fixture(scope="module")
def database(postgres: PostgresServer, warehouse_template: str) -> Iterator[DatabaseSettings]:
    name = "ops_views"
    postgres.create_database(name, owner=OWNER, template=warehouse_template)
    yield settings_of(postgres, name)
    postgres.drop_database(name)


@pytest.fixture
def connection(database: DatabaseSettings) -> Iterator[psycopg2.extensions.connection]:
    """A transaction that is rolled back, as the location's own login."""
    opened = connection_to(dataclasses.replace(database, user="odoo_apn_etl"))
    yield opened
    opened.close()


def select(connection: psycopg2.extensions.connection, text: str, **params: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(text, params)
        return cursor.fetchall()


def job(connection: psycopg2.extensions.connection, **changes: Any) -> str:
    values = {"job_id": str(uuid4()), "source_system": "odoo", "job_type": "full_sync"} | changes
    insert(connection, "ops.sync_jobs", **values)
    return str(values["job_id"])


def table_sync(connection: psycopg2.extensions.connection, job_id: str, table: str, rows_read: int) -> None:
    counts = dict.fromkeys(
        (
            *("source_rows", "mirror_rows", "inserted", "updated", "revived"),
            *("unchanged", "deleted", "quarantined", "seconds"),
        ),
        0,
    )
    insert(
        connection,
        "ops.table_syncs",
        job_id=job_id,
        raw_table=table,
        method="load",
        rows_read=rows_read,
        **counts,
    )


def check(connection: psycopg2.extensions.connection, **changes: Any) -> str:
    values = {
        "check_id": str(uuid4()),
        "table_name": "raw.odoo_crm_lead",
        "check_type": "every_id_resolves",
        "passed": True,
        "records_checked": 10,
        "records_passed": 10,
        "records_failed": 0,
    } | changes
    insert(connection, "ops.data_quality_checks", **values)
    return str(values["check_id"])


def test_the_status_of_a_sync(connection: psycopg2.extensions.connection) -> None:
    earlier = job(
        connection, status="success", started_at="2026-10-01 10:00", completed_at="2026-10-01 10:01"
    )
    later = job(
        connection,
        status="partial",
        started_at="2026-10-02 10:00",
        completed_at="2026-10-02 10:00:02.5",
        records_processed=12,
        error_message="one table failed",
        error_details={"tables": {"odoo_crm_team": "it is gone"}},
    )
    waiting = job(
        connection,
        source_system="apn",
        status="pending_retry",
        started_at="2026-10-02 10:00",
        next_attempt_at="2026-10-02 10:30",
        attempts=2,
        error_details={"tables": "not a list"},
    )
    for number, table in enumerate(("odoo_crm_lead", "odoo_crm_stage"), 1):
        table_sync(connection, later, table, number)
    found = select(
        connection,
        """
        select job_id::text, status, duration_seconds, records_processed, tables_done, tables_failed, rows_read,
            next_attempt_at, attempts, error_message, is_latest
        from ops.sync_status order by source_system desc, started_at
        """,
    )
    assert found == [
        (earlier, "success", Decimal(60), 0, 0, 0, None, None, 0, None, False),
        (later, "partial", Decimal("2.5"), 12, 2, 1, 3, None, 0, "one table failed", True),
        (waiting, "pending_retry", None, 0, 0, 0, None, datetime(2026, 10, 2, 10, 30), 2, None, True),
    ]


def test_a_running_sync_has_lasted_until_now(connection: psycopg2.extensions.connection) -> None:
    started = ago(minutes=5)
    job(connection, status="running", started_at=started)
    ((seconds,),) = select(connection, "select duration_seconds from ops.sync_status")
    assert 299 < seconds < 3600


def test_the_report_of_a_run(connection: psycopg2.extensions.connection) -> None:
    job_id = job(connection, status="success")
    old = check(connection, sync_job_id=job_id, executed_at="2026-10-01", run_id="one")
    new = check(
        connection,
        sync_job_id=job_id,
        executed_at="2026-10-02",
        run_id="two",
        passed=False,
        records_failed=1,
        records_passed=9,
        severity="WARN",
        failure_details={"examples": ["1 -> 2"]},
    )
    other = check(connection, check_type="keys_are_unique", executed_at="2026-10-01", records_checked=0)
    found = select(
        connection,
        """
        select check_id::text, run_id, source_system, job_status, severity, passed, records_failed, failed_share,
            failure_details, is_latest
        from ops.validation_report order by check_type, executed_at
        """,
    )
    details = {"examples": ["1 -> 2"]}
    assert found == [
        (old, "one", "odoo", "success", "ERROR", True, 0, Decimal(0), None, False),
        (new, "two", "odoo", "success", "WARN", False, 1, Decimal("0.1"), details, True),
        (other, None, None, None, "ERROR", True, 0, None, None, True),
    ]


def test_the_metrics_of_a_table(connection: psycopg2.extensions.connection) -> None:
    for days, passed, failed in ((0, False, 4), (3, True, 0), (20, True, 0), (50, False, 10)):
        check(
            connection,
            executed_at=ago(days=days, minutes=1),
            passed=passed,
            records_failed=failed,
            severity="WARN",
        )
    # Failed last, long ago: outside every window, but not resolved.
    check(
        connection,
        check_type="rules_hold",
        passed=False,
        executed_at=ago(days=60),
        severity="ERROR",
    )
    held = {"stage": "mirror", "reason": "X", "message": "x", "rules_version": "1"}
    insert(connection, "ops.quarantine", table_name="raw.odoo_crm_lead", source_id="1", **held)
    insert(
        connection, "ops.quarantine", table_name="raw.odoo_crm_lead", source_id="2", closed_at=ago(), **held
    )
    insert(
        connection,
        "ops.schema_drift",
        raw_table="odoo_crm_lead",
        column_name="x",
        kind="column_added",
        action="added",
    )
    insert(
        connection,
        "ops.mirror_state",
        raw_table="odoo_crm_lead",
        source_system="odoo",
        source_identity="x",
        hash_method="x",
        hashed_columns=[],
        live_rows=7,
        job_id=str(uuid4()),
        synced_at=ago(hours=2),
    )
    insert(
        connection,
        "ops.quarantine",
        table_name="core.aws_accounts",
        source_id="1",
        **held | {"stage": "core"},
    )
    core, lead = select(
        connection,
        """
        select table_name, checks_1d, checks_7d, checks_30d, pass_rate_1d, pass_rate_7d, pass_rate_30d,
            records_checked_1d, records_checked_7d, records_checked_30d, records_failed_1d, records_failed_7d,
            records_failed_30d, checks_failing, errors_failing, failing_checks, quarantine_open, drift_open, live_rows,
            last_sync_age between '1 hour 59 minutes' and '2 hours 10 minutes'
        from ops.quality_metrics order by table_name
        """,
    )
    assert lead == (
        "raw.odoo_crm_lead",
        *(1, 2, 3),
        *(Decimal(0), Decimal("0.5"), Decimal("0.6667")),
        *(10, 20, 30),
        *(4, 4, 4),
        *(2, 1, ["every_id_resolves", "rules_hold"]),
        *(1, 1, 7, True),
    )
    assert core[:2] == ("core.aws_accounts", 0)
    assert core[13:] == (0, 0, None, 1, 0, None, None)


def test_an_empty_run_book_gives_no_rows(connection: psycopg2.extensions.connection) -> None:
    for view in VIEWS:
        assert select(connection, f"select * from ops.{view}") == []


def test_analysts_read_the_views_and_nothing_else_of_the_run_book(
    warehouse_as: Callable[[str], DatabaseSettings],
) -> None:
    """Settings of jobs and refused values are none of an analyst's business."""
    connection = connection_to(warehouse_as("analyst_login"))
    try:
        for view in VIEWS:
            assert select(connection, f"select * from ops.{view}") == []
        readable = select(
            connection,
            """
            select c.relname::text from pg_class as c
            where c.relnamespace = 'ops'::regnamespace and c.relkind in ('r', 'v', 'p', 'm')
              and has_table_privilege(c.oid, 'select')
            """,
        )
        assert {name for (name,) in readable} == set(VIEWS)
    finally:
        connection.close()


@pytest.mark.parametrize("view", [*VIEWS, "latest_checks"])
def test_every_column_of_a_view_is_described(connection: psycopg2.extensions.connection, view: str) -> None:
    undescribed = select(
        connection,
        """
        select a.attname::text from pg_attribute as a
        where a.attrelid = %(view)s::regclass and a.attnum > 0 and col_description(a.attrelid, a.attnum) is null
        """,
        view=f"ops.{view}",
    )
    assert undescribed == []
    assert select(connection, "select obj_description(%(view)s::regclass)", view=f"ops.{view}")[0][0]
