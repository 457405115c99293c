"""The eight tables themselves: a superuser, for whom no row security holds, meets their keys, checks and triggers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import psycopg2.errors
import pytest

from tests.shoppulse import ShopPulse, refusal, rows, run

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from sandbox.postgres import PostgresServer


@pytest.fixture
def superuser(shoppulse: ShopPulse, postgres: PostgresServer) -> Iterator[Connection]:
    """One transaction on the test's database with two tenants, rolled back."""
    with postgres.session(shoppulse.owner.name) as connection:
        connection.autocommit = False
        # T002's own: nothing of these names is in T001.
        run(
            connection,
            "insert into shoppulse.orders (tenant_id, order_id, order_date) values ('T002', 'THEIRS', '2026-01-01')",
        )
        yield connection
        connection.rollback()


CROSSING = {
    "fulfillment -> orders": "insert into shoppulse.fulfillment (tenant_id, order_id) values ('T001', 'THEIRS')",
    "order_costs -> orders": "insert into shoppulse.order_costs (tenant_id, order_id, cost)"
    " values ('T001', 'THEIRS', 1)",
    "governance_rules -> users": 'insert into shoppulse.governance_rules (tenant_id, user_id, dimension, "values")'
    " values ('T001', 'U201', 'region', '{NA}')",
    "sql_principals -> users": "insert into shoppulse.sql_principals (login, tenant_id, user_id)"
    " values ('somebody', 'T001', 'U201')",
    "moved to another tenant": "update shoppulse.fulfillment"
    " set tenant_id = 'T001', fulfillment_id = 99, order_id = 'X' where tenant_id = 'T002' and order_id = 'O1'",
    "order moved away from its delivery": "update shoppulse.orders set tenant_id = 'T001', order_id = 'moved'"
    " where tenant_id = 'T002' and order_id = 'O1'",
    "users -> tenants": "insert into shoppulse.users (tenant_id, user_id, email, cognito_user_id, role)"
    " values ('T009', 'x', 'x', 'x', 'Admin')",
    "orders -> tenants": "insert into shoppulse.orders (tenant_id, order_id, order_date)"
    " values ('T009', 'x', '2026-01-01')",
    "marketing_campaigns -> tenants": "insert into shoppulse.marketing_campaigns (tenant_id, campaign_id, date)"
    " values ('T009', 'x', '2026-01-01')",
    "role_metric_visibility -> tenants": "insert into shoppulse.role_metric_visibility (tenant_id, role, metric_name)"
    " values ('T009', 'Admin', 'x')",
}


@pytest.mark.parametrize("key", CROSSING)
def test_a_row_that_crosses_tenants_is_refused_by_its_key(superuser: Connection, key: str) -> None:
    error = refusal(superuser, CROSSING[key])
    assert isinstance(error, psycopg2.errors.ForeignKeyViolation)


def test_an_entry_of_the_trail_names_no_user_of_another_tenant(superuser: Connection) -> None:
    """By its key; or, where the trail takes entries from its own functions only, by them before."""
    error = refusal(
        superuser,
        "insert into shoppulse.audit_logs (tenant_id, user_id, action, resource_type)"
        " values ('T001', 'U201', 'x', 'x')",
    )
    assert isinstance(error, (psycopg2.errors.ForeignKeyViolation, psycopg2.errors.InsufficientPrivilege))


def test_tenants_may_use_the_same_identifiers_and_one_tenant_may_not_twice(superuser: Connection) -> None:
    both = rows(superuser, "select count(*) from shoppulse.orders where order_id = 'O1'")
    assert both == [(2,)]
    for text in (
        "insert into shoppulse.orders (tenant_id, order_id, order_date) values ('T001', 'O1', '2026-01-01')",
        "insert into shoppulse.fulfillment (tenant_id, order_id) values ('T001', 'O1')",
        "insert into shoppulse.marketing_campaigns (tenant_id, campaign_id, date) values ('T001', 'C1', '2026-01-01')",
        "insert into shoppulse.role_metric_visibility (tenant_id, role, metric_name)"
        " values ('T001', 'Finance', 'margin')",
        "insert into shoppulse.users (tenant_id, user_id, email, cognito_user_id, role)"
        " values ('T001', 'new', 'finance@example.com', 'new', 'Admin')",
        "insert into shoppulse.users (tenant_id, user_id, email, cognito_user_id, role)"
        " values ('T001', 'new', 'new@example.com', 'c1', 'Admin')",
    ):
        assert isinstance(refusal(superuser, text), psycopg2.errors.UniqueViolation), text


def test_what_is_deleted_takes_along_what_belongs_to_it_and_nothing_else(superuser: Connection) -> None:
    def left(table: str, condition: str) -> int:
        return int(rows(superuser, f"select count(*) from shoppulse.{table} where {condition}")[0][0])

    mine = "tenant_id = 'T001' and order_id = 'O1'"
    assert (left("fulfillment", mine), left("order_costs", mine)) == (1, 1)
    run(superuser, f"delete from shoppulse.orders where {mine}")
    assert (left("fulfillment", mine), left("order_costs", mine)) == (0, 0)
    assert left("fulfillment", "tenant_id = 'T002' and order_id = 'O1'") == 1
    # The rest by the catalogue: c takes along, r holds back.
    assert dict(
        rows(
            superuser,
            "select format('%s -> %s', conrelid::regclass, confrelid::regclass), confdeltype from pg_constraint"
            " where contype = 'f' and conrelid = any ('{shoppulse.users, shoppulse.orders, shoppulse.fulfillment,"
            " shoppulse.marketing_campaigns, shoppulse.role_metric_visibility, shoppulse.governance_rules,"
            " shoppulse.audit_logs}'::regclass[])",
        )
    ) == {
        "shoppulse.users -> shoppulse.tenants": "r",
        "shoppulse.orders -> shoppulse.tenants": "r",
        "shoppulse.fulfillment -> shoppulse.tenants": "r",
        "shoppulse.fulfillment -> shoppulse.orders": "c",
        "shoppulse.marketing_campaigns -> shoppulse.tenants": "r",
        "shoppulse.role_metric_visibility -> shoppulse.tenants": "c",
        "shoppulse.governance_rules -> shoppulse.tenants": "r",
        "shoppulse.governance_rules -> shoppulse.users": "c",
        "shoppulse.audit_logs -> shoppulse.tenants": "r",
        "shoppulse.audit_logs -> shoppulse.users": "r",
    }
    assert isinstance(
        refusal(superuser, "delete from shoppulse.tenants where tenant_id = 'T001'"),
        psycopg2.errors.IntegrityError,
    )


def test_a_users_tenant_cannot_be_changed(superuser: Connection) -> None:
    error = refusal(superuser, "update shoppulse.users set tenant_id = 'T002' where user_id = 'U105'")
    assert error.diag.message_primary == "a user's tenant cannot be changed"
    assert isinstance(error, psycopg2.errors.IntegrityConstraintViolation)
    run(superuser, "update shoppulse.users set tenant_id = 'T001' where user_id = 'U105'")  # no change


@pytest.mark.parametrize(
    "text",
    [
        "update shoppulse.users set role = 'Ops'",
        "update shoppulse.users set status = 'Gone'",
        "update shoppulse.role_metric_visibility set role = 'Ops'",
        'insert into shoppulse.governance_rules (tenant_id, user_id, dimension, "values")'
        " values ('T001', 'U101', 'country', '{}')",
        "insert into shoppulse.tenants (tenant_id, tenant_name) values ('', 'the tenant of an unset setting')",
    ],
)
def test_values_outside_of_a_list_are_refused(superuser: Connection, text: str) -> None:
    assert isinstance(refusal(superuser, text), psycopg2.errors.CheckViolation)


def test_every_update_moves_updated_at_to_its_transaction(shoppulse: ShopPulse) -> None:
    """Seven tables; now() is the transaction's, so a second update within it gives the same value."""
    changes = {
        "tenants": "industry = 'x'",
        "users": "region = 'x'",
        "orders": "channel = 'x'",
        "fulfillment": "carrier = 'x'",
        "marketing_campaigns": "channel = 'x'",
        "role_metric_visibility": "is_visible = true",
        "governance_rules": "dimension = 'store'",
    }
    with shoppulse.tenant("T001") as owner:
        run(
            owner,
            'insert into shoppulse.governance_rules (tenant_id, user_id, dimension, "values")'
            " values ('T001', 'U101', 'region', '{}')",
        )
    with shoppulse.tenant("T001") as owner:
        for table, change in changes.items():
            changed = rows(
                owner,
                f"update shoppulse.{table} set {change}, updated_at = '2000-01-01'"
                " returning updated_at = current_timestamp::timestamp, created_at < updated_at",
            )
            assert set(changed) == {(True, True)}, table
