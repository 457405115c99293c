"""`shoppulse`: a tenant's day and month of metrics through row security and visibility, beside the same without them.

10,000,000 orders of 1,000 tenants, 60 days and 5 stores, each with its delivery; made by the server itself. The
metrics are computed by the pipeline's own refresh, first all, then of 1 % of the tenant-days, whose orders were
changed. What is asked is asked as the application's login in a transaction that has entered a tenant, once as a role
that sees all metrics, so that both sides give the same rows, and once as one that sees the four of the seed's Finance.
The other side is a superuser, for whom neither row security nor visibility holds, and who names the tenant. Orders are
spread over regions and stores as in the sample data. Asking is done on one core, by us and by both server processes:
a query takes a fifth of a millisecond, and waking another core as long as that, or not, as it happens.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from contextlib import closing
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from benchmarks.bench import Bench, Outcome
from benchmarks.measuring import Reading, Series
from benchmarks.report import Asked, Row
from benchmarks.server import APPLICATION, COMMERCE_WRITER, OWNER
from commerce_assets.shoppulse import tokens
from commerce_assets.shoppulse.refresh import SOURCES, Refreshed, refresh
from resources.database import connect
from resources.leases import lease
from resources.sql import Session

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

ORDERS, TENANTS, DAYS = 10_000_000, 1_000, 60
FIRST_DAY = date(2026, 9, 1)
ASKED_TENANTS = 8
DAY_QUERIES, MONTH_QUERIES = 250, 50
"""Of each of the tenants that are asked about, in each repetition."""

MAKE = """
    insert into shoppulse.tenants (tenant_id, tenant_name)
    select 'T' || lpad(n::text, 5, '0'), 'Tenant ' || n from generate_series(0, %(tenants)s - 1) n;
    insert into shoppulse.users (tenant_id, user_id, email, cognito_user_id, role, is_tenant_admin)
    select tenant_id, 'U1', 'admin@example.com', 'c1', 'Admin', true from shoppulse.tenants;
    insert into shoppulse.role_metric_visibility (tenant_id, role, metric_name)
    select tenant_id, 'Admin', metric_name from shoppulse.tenants, shoppulse.metrics;
    insert into shoppulse.users (tenant_id, user_id, email, cognito_user_id, role)
    select tenant_id, 'U2', 'finance@example.com', 'c2', 'Finance' from shoppulse.tenants;
    insert into shoppulse.role_metric_visibility (tenant_id, role, metric_name)
    select tenant_id, 'Finance', unnest(%(finance)s) from shoppulse.tenants;
    insert into shoppulse.orders (tenant_id, order_id, order_date, store_id, region, channel, order_status, items_count,
        gross_revenue, discount_amount, net_revenue)
    select 'T' || lpad((n %% %(tenants)s)::text, 5, '0'), 'O' || n,
        %(first)s::date + (n / %(tenants)s %% %(days)s)::int, 'ST00' || store,
        (array['NA', 'EU', 'GCC', 'APAC'])[1 + abs(hashint4(n + 2)) %% 4],
        (array['Web', 'App', 'Marketplace'])[1 + n %% 3],
        (array['Delivered', 'Delivered', 'Delivered', 'Shipped', 'Returned'])[1 + mixed %% 5], 1 + mixed %% 7,
        10 + mixed %% 900, mixed %% 10, 10 + mixed %% 900 - mixed %% 10
    from generate_series(0, %(orders)s - 1) n
    cross join lateral (select abs(hashint4(n)) as mixed, 1 + abs(hashint4(n + 1)) %% 5 as store) as random;
    insert into shoppulse.fulfillment (tenant_id, order_id, warehouse, carrier, promised_delivery_date,
        actual_delivery_date, fulfillment_status, sla_met, days_to_ship)
    select tenant_id, order_id, 'WH_' || region || '_01', 'DHL', order_date + 3,
        case when mixed %% 50 > 0 then order_date + 2 + mixed %% 4 end, order_status, mixed %% 4 < 2, 1 + mixed %% 3
    from shoppulse.orders cross join lateral (select abs(hashtext(order_id)) as mixed) as random;
    insert into shoppulse.marketing_campaigns (tenant_id, campaign_id, date, channel, spend, impressions, clicks,
        conversions, revenue_attributed)
    select tenant_id, 'C' || day || channel, %(first)s::date + day, channel, 100, 1000, 100, 10, 400
    from shoppulse.tenants, generate_series(0, %(days)s - 1) day,
        unnest(array['Meta Ads', 'Google Ads', 'Email']) channel;
"""
DAY = (
    "select metric_name, category, value, missing, null_reason from shoppulse.daily_metrics"
    " where {}metric_date = %(day)s"
)
MONTH = (
    "select metric_name, category, sum(numerator), sum(denominator), sum(missing), max(null_reason)"
    " from shoppulse.tenant_daily_metrics where {}metric_date between %(day)s and %(day)s::date + 29 group by 1, 2"
)
FINANCE = ["discount_amount", "gross_revenue", "margin", "net_revenue"]
BY_TENANT = "tenant_id = %(tenant)s and "
CHANGED = """
    with changed as (
        insert into shoppulse.changed_days (tenant_id, source, day)
        select tenant_id, 'orders', %(first)s::date + n
        from shoppulse.tenants, generate_series(0, %(days)s - 1) n
        where abs(hashtext(tenant_id || n || %(seed)s)) %% 100 = 0
        returning tenant_id, day
    )
    update shoppulse.orders as placed set items_count = placed.items_count + 1
    from changed where placed.tenant_id = changed.tenant_id and placed.order_date = changed.day
"""
INDEXES = (
    "select indexrelid::regclass::text, pg_get_indexdef(indexrelid) from pg_index join pg_constraint on"
    " conrelid = indrelid and contype = 'p' where indrelid in ('shoppulse.orders'::regclass,"
    " 'shoppulse.fulfillment'::regclass) and not indisunique"
)


def run(bench: Bench) -> Outcome:
    outcome, scale = Outcome(), bench.scale
    sizes = {"orders": round(ORDERS * scale), "tenants": max(round(TENANTS * scale), 10)}
    with bench.server.warehouse() as database:
        bench.say(f"making {sizes['orders']:,} orders of {sizes['tenants']:,} tenants")
        _make(bench, database, sizes)
        bench.say("computing all metrics, then those of 1 % of the tenant-days")
        rebuilt, first = _refreshed(bench, database, rebuild=True)
        followed = [_followed(bench, database, seed) for seed in range(bench.repetitions)]
        days = statistics.mean(done.days for _, done in followed)
        outcome.rows.append(
            Row(
                "shoppulse",
                f"refresh of {days:,.0f} changed tenant-days",
                f"computing all {first.days:,} days, {first.written:,} cells",
                Series([one for one, _ in followed]),
                Series([rebuilt]),
                Asked("at most", 1 / 20),
            )
        )
        bench.say("asking")
        _ask(bench, database, sizes["tenants"], outcome)
    return outcome


def _make(bench: Bench, database: str, sizes: dict[str, int]) -> None:
    with bench.server.session(database) as connection, connection.cursor() as cursor:
        cursor.execute(INDEXES)
        indexes = cursor.fetchall()
        for name, _ in indexes:
            cursor.execute(f"drop index {name}")
        # Keys are right by the way they are made; looking up each would take most of the time.
        cursor.execute("set session_replication_role = replica")
        for text in MAKE.split(";\n"):
            if text.strip():
                cursor.execute(text, {**sizes, "first": FIRST_DAY, "days": DAYS, "finance": FINANCE})
        cursor.execute("set session_replication_role = origin")
        for _, definition in indexes:
            cursor.execute(definition)
        cursor.execute(
            "vacuum (analyze) shoppulse.orders, shoppulse.fulfillment, shoppulse.marketing_campaigns"
        )
    bench.server.checkpoint()


def _refreshed(bench: Bench, database: str, *, rebuild: bool) -> tuple[Reading, Refreshed]:
    settings = bench.server.settings(database, COMMERCE_WRITER)

    def work() -> Refreshed:
        with closing(Session(lambda _: connect(settings, application_name="bench"))) as session:
            total = Refreshed()
            for table in SOURCES:
                with lease(settings, table, None, holder="bench", execution_id=None) as held:
                    total += refresh(session, held, table, rebuild=rebuild)
            return total

    return bench.meter.run(work)


def _followed(bench: Bench, database: str, seed: int) -> tuple[Reading, Refreshed]:
    with bench.server.session(database) as connection, connection.cursor() as cursor:
        cursor.execute(CHANGED, {"first": FIRST_DAY, "days": DAYS, "seed": str(seed)})
    bench.server.checkpoint()
    return _refreshed(bench, database, rebuild=False)


def _ask(bench: Bench, database: str, tenants: int, outcome: Outcome) -> None:
    key = tokens.new_key("bench")
    names = [f"T{n * tenants // ASKED_TENANTS % tenants:05}" for n in range(ASKED_TENANTS)]
    with closing(connect(bench.server.settings(database, OWNER), application_name="bench")) as owner:
        tokens.install_key(owner, key)
    settings = bench.server.settings(database, APPLICATION)
    with (
        closing(connect(settings, application_name="bench")) as app,
        bench.server.session(database) as superuser,
    ):
        with superuser.cursor() as cursor:
            cursor.execute("vacuum (analyze) shoppulse.tenant_daily_metrics, shoppulse.campaign_metrics")
            cursor.execute("select count(*) from shoppulse.tenant_daily_metrics")
            ((cells,),) = cursor.fetchall()
            cursor.execute("select pg_size_pretty(pg_total_relation_size('shoppulse.tenant_daily_metrics'))")
            ((size,),) = cursor.fetchall()
        asking = _Asking(bench, key, app, superuser, names)
        cores = os.sched_getaffinity(0)
        for process in (0, app.info.backend_pid, superuser.info.backend_pid):
            os.sched_setaffinity(process, {min(cores)})
        asking.once(DAY, DAY_QUERIES, prepared=False)  # warm
        for what, text, queries in (("day", DAY, DAY_QUERIES), ("month", MONTH, MONTH_QUERIES)):
            for prepared, finance in ((False, False), (False, True), (True, False)):
                rounds = [
                    asking.once(text, queries, prepared=prepared, finance=finance)
                    for _ in range(bench.repetitions)
                ]
                count = len(names) * queries
                outcome.rows.append(
                    Row(
                        "shoppulse",
                        f"{count:,} times a tenant's {what}, {'4 of 25' if finance else 'all'} metrics"
                        + (", prepared" if prepared else ""),
                        "without row security and visibility",
                        Series([ours for ours, _ in rounds], count),
                        Series([theirs for _, theirs in rounds], count),
                        Asked("at most", 1.3),
                        counts=not prepared,
                    )
                )
        plan = asking.plan(DAY)
        os.sched_setaffinity(0, cores)
    entering = statistics.median(asking.entering) * 1e6
    outcome.notes.append(
        f"shoppulse: {cells:,} cells ({size}) of {tenants:,} tenants; a tenant's day is {asking.rows_of_day} rows;"
        f" entering a tenant (challenge, token, enter: two round trips, once a transaction) takes {entering:.0f} us;"
        f" the plan of a day through row security is {'' if 'Index Only Scan' in plan else 'NOT '}index-only,"
        f" {'no row' if 'Heap Fetches: 0' in plan else 'rows'} read from the table"
    )


class _Asking:
    """The two sides, tenant by tenant in turns: the application within a tenant, the superuser naming him."""

    def __init__(
        self, bench: Bench, key: tokens.TokenKey, app: Connection, superuser: Connection, tenants: list[str]
    ) -> None:
        self._bench, self._key, self._app, self._superuser = bench, key, app, superuser
        self._tenants = tenants
        self.entering: list[float] = []
        self.rows_of_day = 0

    def once(
        self, text: str, queries: int, *, prepared: bool, finance: bool = False
    ) -> tuple[Reading, Reading]:
        ours, theirs = Reading(0, 0, 0), Reading(0, 0, 0)
        for tenant in self._tenants:
            for _ in range(20):
                began = time.perf_counter()
                with self._app:
                    tokens.enter(self._app, self._key, tenant, "U1")
                    self.entering.append(time.perf_counter() - began)
            with self._app, self._app.cursor() as cursor:
                tokens.enter(self._app, self._key, tenant, "U2" if finance else "U1")
                one, seen = self._bench.meter.run(_loop(cursor, text.format(""), tenant, queries, prepared))
                if not finance:
                    self._count(cursor)
            with self._superuser.cursor() as cursor:
                other, there = self._bench.meter.run(
                    _loop(cursor, text.format(BY_TENANT), tenant, queries, prepared)
                )
            there = [row for row in there if not finance or row[0] in FINANCE]
            if seen != there or not seen:
                raise RuntimeError(f"the two sides differ for {tenant}: {len(seen)} rows and {len(there)}")
            ours, theirs = ours + one, theirs + other
        return ours, theirs

    def _count(self, cursor: Cursor) -> None:
        text = "select count(*) from shoppulse.tenant_daily_metrics where metric_date = %s"
        cursor.execute(text, (FIRST_DAY + timedelta(days=10),))
        ((self.rows_of_day,),) = cursor.fetchall()

    def plan(self, text: str) -> str:
        with self._app, self._app.cursor() as cursor:
            tokens.enter(self._app, self._key, self._tenants[0], "U1")
            cursor.execute("explain (analyze) " + text.format(""), {"day": FIRST_DAY + timedelta(days=10)})
            return "\n".join(line for (line,) in cursor.fetchall())


def _loop(
    cursor: Cursor, text: str, tenant: str, queries: int, prepared: bool
) -> Callable[[], list[tuple[Any, ...]]]:
    """The query, `queries` times for different days; returns the rows of the last, sorted."""

    def bound(day: date) -> str:
        return cursor.mogrify(text, {"day": day, "tenant": tenant}).decode()

    days = [FIRST_DAY + timedelta(days=number % 30) for number in range(queries)]
    statements = [bound(day) for day in days]
    if prepared:
        cursor.execute("deallocate all")
        # One statement for all days; the tenant stays a constant, as it is one for the other side.
        cursor.execute(f"prepare asked (date) as {bound(FIRST_DAY).replace(repr(str(FIRST_DAY)), '$1')}")
        statements = [f"execute asked ('{day}')" for day in days]

    def work() -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = []
        for statement in statements:
            cursor.execute(statement)
            found = cursor.fetchall()
        return sorted(found, key=repr)

    return work
