"""Attacks on what a role may see of its own tenant, and on other tenants' metrics, through a transaction pooler.

The attacker is Operations of T001 (U102): on its list are fulfilment metrics; revenue and margin are hidden from it.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import psycopg2.errors
import pytest

from tests.integration.test_shoppulse_metrics import pipeline, refreshed
from tests.shoppulse import SETTINGS, Pooled, ShopPulse, entered, refusal, rows, run

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

ME = ("T001", "U102")
HIDDEN = ("gross_revenue", "net_revenue", "margin", "campaign_spend", "orders")
RELATIONS = (
    "tenant_daily_metrics",
    "campaign_metrics",
    "daily_metrics",
    "channel_performance",
    "metric_values",
)


@pytest.fixture
def filled(pooled: Pooled) -> Pooled:
    """Both tenants with their metrics computed; and every right on the metric tables that row security governs."""
    refreshed(pooled.direct, rebuild=True)
    with pooled.direct.connection(pooled.owner.user) as owner, owner:
        for table in ("tenant_daily_metrics", "campaign_metrics"):
            run(owner, f"grant insert, update, delete on shoppulse.{table} to shoppulse_app")
    return pooled


def seen(app: Connection, text: str) -> set[str]:
    """The first column of an answer, as text."""
    return {str(row[0]) for row in rows(app, text)}


def test_the_metrics_are_there_for_those_who_may_see_them(filled: Pooled) -> None:
    """Otherwise the attacks below would find nothing for another reason."""
    with filled.connection() as app:
        with entered(app, "T001", "U101"):
            assert seen(app, "select metric_name from shoppulse.metric_values") >= {
                "gross_revenue",
                "net_revenue",
            }
        with entered(app, "T001", "U103"):
            assert seen(app, "select metric_name from shoppulse.metric_values") >= {
                "campaign_spend",
                "conversions",
            }
        with entered(app, *ME):
            assert seen(app, "select metric_name from shoppulse.metric_values") >= {
                "fulfillment_status",
                "sla_met",
            }


WAYS = {
    "where": "select metric_name from shoppulse.{r} where metric_name = any (%(hidden)s)",
    "where or": "select metric_name from shoppulse.{r} where metric_name = any (%(hidden)s) or true",
    "order by": "select metric_name from shoppulse.{r} order by (metric_name = any (%(hidden)s)) desc, numerator desc",
    "order by limit": "select metric_name from shoppulse.{r}"
    " order by (select max(x.numerator) from shoppulse.{r} x where x.metric_name = any (%(hidden)s)) nulls first"
    " limit 9",
    "having": "select min(metric_name) from shoppulse.{r}"
    " group by tenant_id having bool_or(metric_name = any (%(hidden)s))",
    "having sum": "select 'gross_revenue' from shoppulse.{r} where metric_name = any (%(hidden)s)"
    " group by tenant_id having sum(numerator) > 0",
    "aggregate": "select unnest(array_agg(metric_name)) from shoppulse.{r}",
    "aggregate filter": "select unnest(array_agg(metric_name) filter (where metric_name = any (%(hidden)s)))"
    " from shoppulse.{r}",
    "rollup": "select metric_name from shoppulse.{r} group by rollup (metric_name, metric_date)",
    "window": "select first_value(metric_name) over (order by metric_name = any (%(hidden)s) desc) from shoppulse.{r}",
    "distinct on": "select distinct on (metric_date) metric_name from shoppulse.{r}"
    " order by metric_date, (metric_name = any (%(hidden)s)) desc",
    "join": "select b.metric_name from shoppulse.{r} a join shoppulse.{r} b"
    " on b.metric_date = a.metric_date and b.metric_name <> a.metric_name",
    "registry": "select m.metric_name from shoppulse.metrics m"
    " where exists (select from shoppulse.{r} v where v.metric_name = m.metric_name)",
    "registry, left": "select m.metric_name from shoppulse.metrics m"
    " left join shoppulse.{r} v using (metric_name) where v.metric_date is not null",
    "cte": "with all_of_it as materialized (select * from shoppulse.{r}) select metric_name from all_of_it",
    "division": "select metric_name from shoppulse.{r} where 1 / (metric_name <> all (%(hidden)s))::int = 1",
    **{
        f"{name} set": "select metric_name from shoppulse.{r}"
        f" where set_config('{name}', 'x', true) = 'x' and metric_name = any (%(hidden)s)"
        for name in SETTINGS
    },
    "period": "select metric_name from shoppulse.period_metrics('2000-01-01', '2100-01-01')",
}


def test_a_hidden_metric_shows_in_no_clause_of_a_query(filled: Pooled) -> None:
    with filled.connection() as victim, filled.connection() as app:
        for way, text in WAYS.items():
            for relation in RELATIONS:
                with entered(victim, "T001", "U101"):
                    assert rows(victim, "select count(*) > 0 from shoppulse.tenant_daily_metrics") == [
                        (True,)
                    ]
                with entered(app, *ME):
                    found = rows(app, text.format(r=relation), {"hidden": list(HIDDEN)})
                assert {str(row[0]) for row in found}.isdisjoint(HIDDEN), (way, relation)


def test_totals_of_everything_are_totals_of_what_is_visible(filled: Pooled) -> None:
    """A sum over all metrics would give a hidden one away by subtraction."""
    with filled.connection() as app, entered(app, *ME):
        for relation in RELATIONS:
            whole, visible = rows(
                app,
                f"select sum(numerator), sum(numerator) filter (where metric_name = any (shoppulse.access_metrics()))"
                f" from shoppulse.{relation}",
            )[0]
            assert whole == visible


EVERYTHING = (
    "select metric_name, metric_date, region, store_id, category, value, numerator, denominator, missing, null_reason"
    " from shoppulse.metric_values order by 1, 2, 3, 4, 5"
)


@pytest.mark.parametrize("user", ["U101", "U102"])
def test_how_many_orders_are_left_out_of_a_mean_is_not_seen(filled: Pooled, user: str) -> None:
    """`denominator + missing` of sla_met was the hidden number of orders every day, and Finance divided its revenue by
    the `missing` of the margin, which was all orders where no cost is known. Orders without amount, cost and delivery
    now change nothing that either sees, however many they are, once there is one.
    """
    order = (
        "insert into shoppulse.orders (tenant_id, order_id, order_date, store_id, region, order_status, items_count,"
        " currency, gross_revenue, discount_amount, net_revenue)"
        " select 'T001', 'N' || n, '2026-03-02', 'ST009', 'NA', 'Shipped', 1, 'USD', 0, 0, 0"
        " from generate_series({}, {}) n"
    )
    found = []
    for first, last in ((1, 1), (2, 8)):
        with filled.direct.tenant("T001") as owner:
            run(owner, order.format(first, last))
        refreshed(filled.direct, rebuild=True)
        with filled.connection() as app, entered(app, "T001", user):
            found.append(rows(app, EVERYTHING))
    assert found[0] == found[1]
    metric = "margin" if user == "U101" else "sla_met"
    ours = [row[5:] for row in found[1] if row[0] == metric and row[3] == "ST009"]
    assert ours == [(None, 0, 0, 1, "NOTHING_KNOWN")]


def test_how_many_orders_could_not_be_counted_is_not_seen(filled: Pooled) -> None:
    """Of a cell in which no order has amounts, items or a status, `missing` of the revenue was the hidden number of
    orders, and so it was where all deliveries are without one.
    """
    with filled.direct.tenant("T001") as owner:
        run(
            owner,
            "insert into shoppulse.role_metric_visibility (tenant_id, role, metric_name)"
            " values ('T001', 'Finance', 'items'), ('T001', 'Finance', 'returned_orders'),"
            " ('T001', 'Finance', 'fulfillment_status')",
        )
    found = []
    for first, last in ((1, 1), (2, 8)):
        with filled.direct.tenant("T001") as owner:
            run(
                owner,
                "with placed as (insert into shoppulse.orders (tenant_id, order_id, order_date, store_id, region)"
                f" select 'T001', 'N' || n, '2026-03-02', 'ST009', 'NA' from generate_series({first}, {last}) n"
                " returning tenant_id, order_id)"
                " insert into shoppulse.fulfillment (tenant_id, order_id) select tenant_id, order_id from placed",
            )
        refreshed(filled.direct, rebuild=True)
        with filled.connection() as app, entered(app, "T001", "U101"):
            found.append(rows(app, EVERYTHING))
    assert found[0] == found[1]
    ours = {(row[0], *row[5:]) for row in found[1] if row[3] == "ST009"}
    assert ours == {
        ("gross_revenue", None, 0, None, 1, "NO_AMOUNT"),
        ("discount_amount", None, 0, None, 1, "NO_AMOUNT"),
        ("net_revenue", None, 0, None, 1, "NO_AMOUNT"),
        ("margin", None, 0, 0, 1, "NOTHING_KNOWN"),
        ("items", None, 0, None, 1, "NO_COUNT"),
        ("returned_orders", None, 0, None, 1, "NO_STATUS"),
        ("fulfillment_status", None, 0, None, 1, "NO_STATUS"),
    }


def test_what_operations_still_reads_off_its_metrics_is_reported(filled: Pooled) -> None:
    """The category Returned is the hidden returned orders, the denominator of sla_met the orders that say; both are
    Operations' own metrics, so the administrator is told.
    """
    with filled.direct.tenant("T001") as owner:
        run(
            owner,
            "update shoppulse.fulfillment set fulfillment_status = 'Returned' where order_id in ('O4', 'O5')",
        )
        run(owner, "update shoppulse.orders set order_status = 'Returned' where order_id in ('O4', 'O5')")
    refreshed(filled.direct, rebuild=True)
    with filled.direct.tenant("T001") as owner:
        ((orders, returned),) = rows(
            owner,
            "select count(*), count(*) filter (where order_status = 'Returned') from shoppulse.orders"
            " where tenant_id = 'T001'",
        )
        told = rows(owner, "select * from shoppulse.inferable_metrics('T001', 'Operations')")
    with filled.connection() as app, entered(app, *ME):
        text = "select sum({}) from shoppulse.daily_metrics where metric_name = '{}' and category ~ '{}'"
        assert rows(app, text.format("denominator", "sla_met", "")) == [(orders,)]
        assert rows(app, text.format("numerator", "fulfillment_status", "")) == [(orders,)]
        assert rows(app, text.format("numerator", "fulfillment_status", "Returned")) == [(returned,)]
    assert returned == 2
    assert told == [
        ("orders", "days_to_ship", None),
        ("returned_orders", "fulfillment_status", None),
        ("return_rate", "orders", "returned_orders"),
    ]


def test_raw_tables_and_who_decides_are_out_of_reach(filled: Pooled) -> None:
    with filled.connection() as app, entered(app, *ME):
        for text in (
            "select sum(gross_revenue) from shoppulse.orders",
            "select sum(spend) from shoppulse.marketing_campaigns",
            "select * from shoppulse.order_costs",
            "select * from shoppulse.changed_days",
            "select * from shoppulse.metric_states",
            "update shoppulse.role_metric_visibility set is_visible = true",
            "insert into shoppulse.role_metric_visibility (tenant_id, role, metric_name)"
            " values ('T001', 'Operations', 'margin')",
            "update shoppulse.metrics set needs = '{}'",
            "delete from shoppulse.metric_identities",
            "delete from shoppulse.metric_disclosures",
            "select shoppulse.visible_metrics('T001', 'Finance')",
            "select shoppulse.inferable_metrics('T002', 'Finance')",
            "select shoppulse.note_decision('a', 'b', 'c', null, '{}')",
        ):
            assert isinstance(refusal(app, text), psycopg2.errors.InsufficientPrivilege), text


def test_who_is_no_administrator_cannot_make_himself_see_more(filled: Pooled) -> None:
    with filled.connection() as app:
        for call in (
            "add_metrics('Operations', '{margin,gross_revenue}')",
            "create_role('Operations', '{margin}')",
            "set_user_role('U102', 'Finance')",
            "set_user_status('U105', 'Active')",
            "set_governance('U102', 'region', null)",
            "create_user('U199', 'new@example.com', 'c99', 'Finance', null, null, true)",
        ):
            with entered(app, *ME):
                assert rows(app, f"select allowed, reason from shoppulse.{call}") == [(False, "NOT_ADMIN")], (
                    call
                )
            with entered(app, *ME):
                assert seen(app, "select metric_name from shoppulse.metric_values").isdisjoint(HIDDEN), call


def test_an_administrator_manages_his_tenant_and_no_other(filled: Pooled) -> None:
    """Users and roles of T002 do not exist for him, by id, by address, by anything that is taken there."""
    with filled.direct.tenant("T002") as owner:
        before = rows(owner, "select u::text from shoppulse.users u order by 1") + rows(
            owner, "select v::text from shoppulse.role_metric_visibility v order by 1"
        )
        run(
            owner,
            "update shoppulse.users set email = 'only@there.com', cognito_user_id = 'there' where user_id = 'U201'",
        )
    with filled.connection() as app, entered(app, "T001", "U104"):
        for call in (
            "set_user_role('U201', 'Admin')",
            "set_user_status('U201', 'Inactive')",
            "set_governance('U201', 'region', '{}')",
        ):
            assert rows(app, f"select allowed, reason from shoppulse.{call}") == [(False, "UNKNOWN_USER")], (
                call
            )
        assert rows(app, "select reason from shoppulse.explain_access('U201', 'gross_revenue')") == [
            ("UNKNOWN_USER",)
        ]
        taken = "select allowed from shoppulse.create_user('U201', 'only@there.com', 'there', 'Admin')"
        assert rows(app, taken) == [(True,)]
        users = seen(app, "select user_id from shoppulse.list_users()")
        assert users == {"U101", "U102", "U103", "U104", "U105", "U201"}
    with filled.direct.tenant("T002") as owner:
        run(
            owner,
            "update shoppulse.users set email = 'finance@example.com', cognito_user_id = 'c1' where user_id = 'U201'",
        )
        after = rows(owner, "select u::text from shoppulse.users u order by 1") + rows(
            owner, "select v::text from shoppulse.role_metric_visibility v order by 1"
        )
    strip = [text.rsplit(",", 1)[0] for (text,) in before]
    assert [text.rsplit(",", 1)[0] for (text,) in after] == strip


def test_no_tenants_name_passes_for_what_is_visible(shoppulse: ShopPulse) -> None:
    """Who sees what is an array by metric; read with array_nulls off, its nulls would be the name of this tenant."""
    for tenant_id in ("NULL", "hidden-met"):
        with shoppulse.tenant(tenant_id) as owner:
            run(
                owner, "insert into shoppulse.tenants (tenant_id, tenant_name) values (%s, 'x')", (tenant_id,)
            )
            run(
                owner,
                "insert into shoppulse.users (tenant_id, user_id, email, cognito_user_id, role)"
                " values (%(t)s, 'U1' || left(%(t)s, 1), %(t)s || '@example.com', %(t)s, 'Finance')",
                {"t": tenant_id},
            )
            run(
                owner,
                "insert into shoppulse.role_metric_visibility (tenant_id, role, metric_name)"
                " values (%s, 'Finance', 'clicks')",
                (tenant_id,),
            )
        with pipeline(shoppulse) as session, session.connection:
            run(
                session.connection,
                "insert into shoppulse.campaign_metrics"
                " (tenant_id, metric_date, metric_name, metric_number, channel, numerator, missing)"
                " select %s, '2026-03-01', metric_name, metric_number, '', 1, 0 from shoppulse.metrics",
                (tenant_id,),
            )
        for setting in ("off", "on"):
            with shoppulse.connection() as app, entered(app, tenant_id, f"U1{tenant_id[0]}"):
                run(app, f"set local array_nulls = {setting}")
                assert rows(app, "select metric_name from shoppulse.campaign_metrics") == [("clicks",)]


def test_no_query_on_metrics_shows_another_tenant(filled: Pooled) -> None:
    ways = (
        "select tenant_id from shoppulse.{r} where tenant_id = 'T002'",
        "select tenant_id from shoppulse.{r} where tenant_id <> 'T001' or numerator > 1000",
        "select b.tenant_id from shoppulse.{r} a join shoppulse.{r} b on b.tenant_id <> a.tenant_id",
        "select (select max(tenant_id) from shoppulse.{r} where tenant_id > 'T001')"
        " where exists (select from shoppulse.{r} where tenant_id > 'T001')",
        "select tenant_id from shoppulse.{r} group by 1 having tenant_id > 'T001'",
        *(
            "select tenant_id from shoppulse.{r}"
            f" where set_config('{name}', '', true) = '' and tenant_id > 'T001'"
            for name in SETTINGS
        ),
    )
    with filled.connection() as victim, filled.connection() as app:
        for relation in RELATIONS:
            for text in ways:
                with entered(victim, "T002", "U201"):
                    run(victim, "select 1")
                with entered(app, "T001", "U104"):
                    assert rows(app, text.format(r=relation)) == [], (relation, text)
            with app:
                assert rows(app, f"select count(*) from shoppulse.{relation}") == [(0,)]


def test_prepared_statements_and_copy_keep_to_the_user(filled: Pooled) -> None:
    with filled.connection() as finance, filled.connection() as app:
        with entered(finance, "T001", "U101"):
            run(finance, "set plan_cache_mode = force_generic_plan")
            run(finance, "prepare names as select distinct metric_name from shoppulse.metric_values")
            for _ in range(6):
                assert seen(finance, "execute names") >= {"gross_revenue"}
        with entered(app, *ME):
            for _ in range(6):
                assert seen(app, "execute names").isdisjoint(HIDDEN)
            out = io.StringIO()
            with app.cursor() as cursor:
                cursor.copy_expert(
                    "copy (select tenant_id, metric_name from shoppulse.tenant_daily_metrics) to stdout", out
                )
            lines = {tuple(line.split("\t")) for line in out.getvalue().splitlines()}
            assert {tenant_id for tenant_id, _ in lines} == {"T001"}
            assert {name for _, name in lines}.isdisjoint(HIDDEN)


def test_a_leaky_function_sees_only_visible_metrics(filled: Pooled) -> None:
    with filled.direct.connection(filled.owner.user) as owner, owner:
        run(
            owner,
            """
            create function public.peek(p_tenant text, p_metric text) returns boolean
            language plpgsql cost 0.0000001 as $f$
            begin
                raise notice '% %', p_tenant, p_metric;
                return true;
            end $f$
            """,
        )
    with filled.connection() as app, entered(app, *ME):
        visible = {name for (name,) in rows(app, "select unnest(shoppulse.access_metrics())")}
        for relation in RELATIONS:
            del app.notices[:]
            run(app, f"select from shoppulse.{relation} where public.peek(tenant_id, metric_name)")
            words = [notice.split() for notice in app.notices]
            assert {tenant_id for _, tenant_id, _ in words} <= {"T001"}
            assert {name for *_, name in words} <= visible


def test_writing_a_metric_that_one_cannot_see_is_refused(filled: Pooled) -> None:
    cell = (
        "insert into shoppulse.tenant_daily_metrics"
        " (tenant_id, metric_date, metric_name, metric_number, region, store_id, category, numerator, missing)"
        " select '{}', '2026-03-01', metric_name, metric_number, '', '', '', 1, 0 from shoppulse.metrics"
        " where metric_name = '{}'"
    )
    with filled.connection() as app, entered(app, *ME):
        for tenant_id, metric in (("T001", "gross_revenue"), ("T002", "sla_met"), ("T002", "gross_revenue")):
            assert isinstance(
                refusal(app, cell.format(tenant_id, metric)), psycopg2.errors.InsufficientPrivilege
            )
        with app.cursor() as cursor:
            cursor.execute(
                "delete from shoppulse.tenant_daily_metrics where metric_name = any (%s)", (list(HIDDEN),)
            )
            assert cursor.rowcount == 0


@pytest.mark.parametrize("name", SETTINGS)
def test_a_context_taken_away_within_a_query_lifts_no_narrowing_of_metrics(filled: Pooled, name: str) -> None:
    with filled.direct.tenant("T001") as owner:
        run(
            owner,
            'insert into shoppulse.governance_rules (tenant_id, user_id, dimension, "values")'
            " values ('T001', 'U102', 'region', '{NA}')",
        )
    gone = f"set_config('{name}', '', true)"
    with filled.connection() as app:
        for text in (
            "select distinct region from shoppulse.tenant_daily_metrics",
            f"select distinct m.region from (select {gone}) s, shoppulse.tenant_daily_metrics m",
            f"with s as materialized (select {gone} x) select distinct region from s, shoppulse.tenant_daily_metrics"
            " where s.x = ''",
            "select distinct m.region from shoppulse.tenant_daily_metrics a,"
            f" lateral (select {gone} || a.region) s (x), shoppulse.tenant_daily_metrics m",
        ):
            with entered(app, *ME):
                assert seen(app, text) <= {"NA"}, text
        with entered(app, *ME):
            assert seen(app, "select distinct region from shoppulse.tenant_daily_metrics") == {"NA"}
            assert rows(app, "select count(*) from shoppulse.campaign_metrics") == [(0,)]
