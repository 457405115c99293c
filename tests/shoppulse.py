"""ShopPulse for tests: two tenants with users and orders, logins of every kind, the key that tokens are signed with."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest

from commerce_assets.shoppulse import tokens
from resources.database import connect
from sandbox.postgres import PostgresServer
from tests.conftest import PASSWORD
from tests.pooler import PgBouncer, TransactionPooler, closing_pooler, pgbouncer

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from resources.settings import DatabaseSettings

KEY = tokens.TokenKey("tests-1", b"the key of the tests, 32 bytes or more")
SETTINGS = ("shoppulse.access", "shoppulse.tenant", "shoppulse.access_by_metric")
"""What `enter` leaves, each signed for itself."""
LOGINS = {
    "shoppulse_api": "shoppulse_app",
    "reader_one": "shoppulse_reader",
    "reader_two": "shoppulse_reader",
    "keeper": "shoppulse_maintenance",
}
"""Login -> the group role that it is a member of."""
READERS = {"reader_one": ("T001", "U101"), "reader_two": ("T002", "U201")}

# Two tenants that use the same identifiers for everything but users and themselves, with different numbers.
TENANTS = """
insert into shoppulse.tenants (tenant_id, tenant_name) values (%(tenant)s, %(tenant)s || ' Ltd');
insert into shoppulse.tenant_settings (tenant_id, time_zone, currency) values (%(tenant)s, 'UTC', 'USD');
insert into shoppulse.users (tenant_id, user_id, email, cognito_user_id, role, is_tenant_admin, status) values
    (%(tenant)s, %(prefix)s || '01', 'finance@example.com', 'c1', 'Finance', false, 'Active'),
    (%(tenant)s, %(prefix)s || '02', 'operations@example.com', 'c2', 'Operations', false, 'Active'),
    (%(tenant)s, %(prefix)s || '03', 'marketing@example.com', 'c3', 'Marketing', false, 'Active'),
    (%(tenant)s, %(prefix)s || '04', 'admin@example.com', 'c4', 'Admin', true, 'Active'),
    (%(tenant)s, %(prefix)s || '05', 'gone@example.com', 'c5', 'Admin', true, 'Inactive');
insert into shoppulse.role_metric_visibility (tenant_id, role, metric_name)
select %(tenant)s, split_part(m, ':', 1), split_part(m, ':', 2) from unnest(array[
    'Finance:gross_revenue', 'Finance:net_revenue', 'Finance:discount_amount', 'Finance:margin',
    'Operations:fulfillment_status', 'Operations:sla_met', 'Operations:days_to_ship', 'Operations:inventory_levels',
    'Marketing:campaign_spend', 'Marketing:conversions', 'Marketing:revenue_attributed', 'Marketing:cac',
    'Admin:gross_revenue', 'Admin:net_revenue', 'Admin:fulfillment_status', 'Admin:campaign_spend']) m;
insert into shoppulse.orders (tenant_id, order_id, order_date, store_id, region, channel, order_status, items_count,
                              gross_revenue, discount_amount, net_revenue)
select %(tenant)s, 'O' || n, date '2026-03-01' + n / 4, 'ST00' || 1 + n %% 2, (array['NA', 'EU', null])[1 + n %% 3],
       'Web', 'Delivered', 1, %(unit)s * n, n, %(unit)s * n - n
from generate_series(1, 12) n;
insert into shoppulse.fulfillment (tenant_id, order_id, warehouse, carrier, promised_delivery_date,
                                   actual_delivery_date, fulfillment_status, sla_met, days_to_ship)
select tenant_id, order_id, 'W1', 'DHL', order_date + 3, order_date + 3, 'Delivered', true, 2 from shoppulse.orders;
insert into shoppulse.order_costs (tenant_id, order_id, cost) select tenant_id, order_id, 1 from shoppulse.orders;
insert into shoppulse.marketing_campaigns (tenant_id, campaign_id, date, channel, spend, impressions, clicks,
                                           conversions, revenue_attributed)
select %(tenant)s, 'C' || n, date '2026-03-01' + n, 'Email', %(unit)s, 100, 10, 1, %(unit)s * 2
from generate_series(1, 3) n;
select shoppulse.audit(%(tenant)s, %(prefix)s || '04', 'seen', 'test', null, null);
"""


@dataclass(frozen=True)
class ShopPulse:
    """A database with tenants T001 (numbers in tens) and T002 (in thousands), and how to reach it."""

    owner: DatabaseSettings

    def as_login(self, login: str) -> DatabaseSettings:
        """How `login` connects; one of LOGINS or of the other locations'."""
        return dataclasses.replace(self.owner, user=login)

    @contextmanager
    def connection(self, login: str = "shoppulse_api") -> Iterator[Connection]:
        """A connection, not pooled."""
        with closing(connect(self.as_login(login), application_name="test")) as opened:
            yield opened

    @contextmanager
    def tenant(self, tenant_id: str) -> Iterator[Connection]:
        """One transaction of the schema's owner within a tenant, for what a test arranges."""
        with self.connection(self.owner.user) as opened, opened:
            run(opened, "select shoppulse.administer(%s)", (tenant_id,))
            yield opened


@dataclass(frozen=True)
class Pooled(ShopPulse):
    """The database through a transaction pooler; `direct` goes around it."""

    direct: ShopPulse


POOLERS = [TransactionPooler.name] + ([PgBouncer.name] if pgbouncer() else [])
"""Ours always, PgBouncer where it is installed; the test's name says which it was."""


def pytest_report_header() -> str:
    """Which pooler the attacks go through."""
    return f"transaction poolers of the ShopPulse tests: {', '.join(POOLERS)}"


@pytest.fixture(scope="session")
def shoppulse_logins(postgres: PostgresServer, warehouse_template: str) -> None:
    """The logins of LOGINS, made once a session: roles belong to the server."""
    for login, group in LOGINS.items():
        postgres.ensure_login(login, PASSWORD)
        with postgres.session() as connection, connection.cursor() as cursor:
            cursor.execute(f"grant {group} to {login}")


@pytest.fixture
def shoppulse(warehouse: DatabaseSettings, shoppulse_logins: None) -> ShopPulse:
    """Two tenants in a database of the test's own."""
    made = ShopPulse(warehouse)
    with made.connection(warehouse.user) as connection:
        tokens.install_key(connection, KEY)
        with connection:
            # Rights on a database are not cloned with it.
            run(connection, "select shoppulse.close_to_temporary_tables()")
            for login, (tenant_id, user_id) in READERS.items():
                add_tenant(connection, tenant_id)
                run(
                    connection,
                    "insert into shoppulse.sql_principals (login, tenant_id, user_id) values (%s, %s, %s)",
                    (login, tenant_id, user_id),
                )
    return made


@pytest.fixture(params=POOLERS)
def pooled(
    shoppulse: ShopPulse, postgres: PostgresServer, request: pytest.FixtureRequest
) -> Iterator[Pooled]:
    """The same database behind a transaction pooler with one server connection: every client gets everybody's."""
    pooler: TransactionPooler | PgBouncer
    with tempfile.TemporaryDirectory() as folder:
        if request.param == PgBouncer.name:
            pooler = PgBouncer(
                Path(folder), postgres.port, dict.fromkeys([*LOGINS, shoppulse.owner.user], PASSWORD)
            )
        else:
            pooler = TransactionPooler(postgres.port)
        with closing_pooler(pooler):
            yield Pooled(dataclasses.replace(shoppulse.owner, port=pooler.port), shoppulse)


def add_tenant(connection: Connection, tenant_id: str) -> None:
    """The tenant T00n: users Un01 ... Un05 (the last inactive), 12 orders with deliveries and costs, 3 campaigns."""
    number = int(tenant_id[1:])
    run(connection, "select shoppulse.administer(%s)", (tenant_id,))
    unit = {1: 10, 2: 1000}.get(number, number)
    run(connection, TENANTS, {"tenant": tenant_id, "prefix": f"U{number}", "unit": unit})


@contextmanager
def entered(connection: Connection, tenant_id: str, user_id: str) -> Iterator[Connection]:
    """One transaction of an application's connection as a user of a tenant; committed, or rolled back by an error."""
    with tokens.entered(connection, KEY, tenant_id, user_id) as opened:
        yield opened


def token_for(connection: Connection, tenant_id: str, user_id: str, lifetime: float = 60) -> str:
    """A token for the connection's current transaction."""
    (challenge,) = rows(connection, "select shoppulse.challenge()")[0]
    return tokens.issue(KEY, tenant_id, user_id, challenge, lifetime)


def run(connection: Connection, text: str, params: Any = None) -> None:
    """Execute in the connection's transaction."""
    with connection.cursor() as cursor:
        cursor.execute(text, params)


def rows(connection: Connection, text: str, params: Any = None) -> list[tuple[Any, ...]]:
    """Execute in the connection's transaction and return the rows."""
    with connection.cursor() as cursor:
        cursor.execute(text, params)
        return cursor.fetchall()


def refusal(connection: Connection, text: str, params: Any = None) -> psycopg2.Error:
    """The error that a statement must end in; the transaction goes on as before it."""
    run(connection, "savepoint refusal")
    try:
        run(connection, text, params)
    except psycopg2.Error as error:
        run(connection, "rollback to savepoint refusal")
        return error
    raise AssertionError(f"not refused: {text}")
