"""What the metrics of a tenant's days are, and that they follow the days that changed, and only those."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from commerce_assets.shoppulse import refresh as refreshing
from commerce_assets.shoppulse.metrics import METRICS
from commerce_assets.shoppulse.refresh import SOURCES, Refreshed, refresh
from resources.database import connect
from resources.leases import lease
from resources.sql import Session
from tests.shoppulse import ShopPulse, rows, run

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
TABLES = tuple(SOURCES)
LOGIN = "commerce_etl"
NOTE = (
    "insert into shoppulse.changed_days (tenant_id, source, day) values (%s, %s, %s)"
    " on conflict (tenant_id, source, day) do update set noted_at = excluded.noted_at"
)


@contextmanager
def pipeline(shoppulse: ShopPulse) -> Iterator[Session]:
    """A session of the pipeline's login."""
    session = Session(lambda _: connect(shoppulse.as_login(LOGIN), application_name="test"))
    yield session
    session.close()


def refreshed(shoppulse: ShopPulse, *, at: datetime = NOON, **options: Any) -> dict[str, Refreshed]:
    """Refresh both tables as of `at`."""
    done = {}
    with pipeline(shoppulse) as session:
        for table in TABLES:
            with lease(shoppulse.as_login(LOGIN), table, None, holder="test", execution_id=None) as held:
                done[table] = refresh(session, held, table, at=at, **options)
    return done


def stored(shoppulse: ShopPulse, table: str) -> list[tuple[Any, ...]]:
    with pipeline(shoppulse) as session:
        return rows(session.connection, f"select * from shoppulse.{table} order by 1, 2, 3, 4, 5, 6, 7")


def values(shoppulse: ShopPulse, tenant: str, first: date, last: date | None = None) -> dict[str, Any]:
    """Metric -> value or reason, over a span of days; the statuses as metric:category."""
    with pipeline(shoppulse) as session:
        found = rows(
            session.connection,
            "select metric_name, category, sum(numerator), sum(denominator), sum(missing), max(null_reason) from ("
            " select tenant_id, metric_date, metric_name, category, numerator, denominator, missing, null_reason"
            " from shoppulse.tenant_daily_metrics union all"
            " select tenant_id, metric_date, metric_name, '', numerator, denominator, missing, null_reason"
            " from shoppulse.campaign_metrics) cell"
            " where tenant_id = %s and metric_date between %s and %s group by 1, 2",
            (tenant, first, last or first),
        )
    return {
        f"{name}:{category}" if category else name: reason
        or (numerator if denominator is None else denominator and numerator / denominator)
        for name, category, numerator, denominator, _missing, reason in found
    }


def change(shoppulse: ShopPulse, text: str, *noted: tuple[str, str, date]) -> None:
    """Change source rows as a load does: the days are noted in the same transaction."""
    with pipeline(shoppulse) as session, session.connection:
        run(session.connection, text)
        for one in noted:
            run(session.connection, NOTE, one)


def test_a_day_is_its_orders_its_promises_and_its_campaigns(shoppulse: ShopPulse) -> None:
    refreshed(shoppulse, rebuild=True)
    # Orders 4 to 7 of T001: gross 10 n, discount n, net 9 n, cost 1.
    assert values(shoppulse, "T001", date(2026, 3, 2)) == {
        "gross_revenue": 220,
        "discount_amount": 22,
        "net_revenue": 198,
        "margin": Decimal(194) / 198,
        "orders": 4,
        "items": 4,
        "aov": Decimal("49.5"),
        "returned_orders": 0,
        "return_rate": 0,
        "fulfillment_status:Delivered": 4,
        "sla_met": 1,
        "days_to_ship": 2,
        "inventory_levels": "NO_SOURCE",
        "campaign_spend": 10,
        "impressions": 100,
        "clicks": 10,
        "conversions": 1,
        "revenue_attributed": 20,
        "ctr": Decimal("0.1"),
        "conversion_rate": Decimal("0.1"),
        "roas": 2,
        "cac": 10,
    }
    promised = values(shoppulse, "T001", date(2026, 3, 5))
    assert {name: promised[name] for name in promised if METRICS[name].source == "fulfillment"} == {
        "deliveries_due": 4,
        "on_time_deliveries": 4,
        "on_time_rate": 1,
    }


def test_a_ratio_of_many_days_is_that_of_their_sums(shoppulse: ShopPulse) -> None:
    refreshed(shoppulse, rebuild=True)
    month = values(shoppulse, "T001", date(2026, 3, 1), date(2026, 3, 31))
    assert month["aov"] == Decimal(9 * 78) / 12
    with pipeline(shoppulse) as session:
        ((value,),) = rows(
            session.connection,
            "select sum(value) from shoppulse.period_metrics('2026-03-01', '2026-03-31') where metric_name = 'orders'",
        )
    assert value == 24, "the pipeline sees both tenants"


@pytest.mark.parametrize(
    ("change_of_order", "expected"),
    [
        (
            "currency = 'EUR'",
            {
                "gross_revenue": "OTHER_CURRENCY",
                "aov": "OTHER_CURRENCY",
                "orders": 4,
                "margin": Decimal(159) / 162,
            },
        ),
        ("currency = null", {"net_revenue": "OTHER_CURRENCY"}),
        ("gross_revenue = null", {"gross_revenue": "NO_AMOUNT", "net_revenue": 198}),
        ("net_revenue = 'NaN'", {"net_revenue": "NO_AMOUNT", "aov": "NO_AMOUNT", "gross_revenue": 220}),
        ("items_count = null", {"items": "NO_COUNT"}),
        ("items_count = -1", {"items": "NO_COUNT"}),
        ("order_status = null", {"returned_orders": "NO_STATUS", "return_rate": "NO_STATUS"}),
        ("order_status = 'Returned'", {"returned_orders": 1, "return_rate": Decimal("0.25")}),
        ("region = null", {"orders": 4, "gross_revenue": 220}),
    ],
)
def test_what_cannot_be_counted_gives_a_reason_and_never_a_guess(
    shoppulse: ShopPulse, change_of_order: str, expected: dict[str, Any]
) -> None:
    text = f"update shoppulse.orders set {change_of_order} where tenant_id = 'T001' and order_id = 'O4'"
    change(shoppulse, text)
    refreshed(shoppulse, rebuild=True)
    found = values(shoppulse, "T001", date(2026, 3, 2))
    assert {name: found[name] for name in expected} == expected
    with pipeline(shoppulse) as session:
        other = "select count(*) from shoppulse.tenant_daily_metrics where tenant_id = 'T002'"
        assert rows(session.connection, f"{other} and null_reason <> 'NO_SOURCE'") == [(0,)]


@pytest.mark.parametrize(
    ("campaign", "expected"),
    [
        ("clicks = 101", {"ctr": "CONTRADICTORY", "clicks": 101, "conversion_rate": Decimal(1) / 101}),
        ("clicks = 0", {"conversion_rate": "CONTRADICTORY", "ctr": 0}),
        ("clicks = 0, conversions = 0", {"conversion_rate": 0, "cac": 0}),
        ("clicks = null", {"clicks": "NO_COUNT", "ctr": "NO_COUNT", "cac": 10}),
        ("spend = null", {"campaign_spend": "NO_AMOUNT", "roas": "NO_AMOUNT", "cac": "NO_AMOUNT"}),
        ("channel = null", {"campaign_spend": 10}),
    ],
)
def test_a_campaign_that_contradicts_itself_has_no_ratio(
    shoppulse: ShopPulse, campaign: str, expected: dict[str, Any]
) -> None:
    change(
        shoppulse,
        f"update shoppulse.marketing_campaigns set {campaign} where tenant_id = 'T001' and campaign_id = 'C1'",
    )
    refreshed(shoppulse, rebuild=True)
    found = values(shoppulse, "T001", date(2026, 3, 2))
    assert {name: found[name] for name in expected} == expected, "0 stands for a division by zero"


def test_no_known_cost_is_no_margin(shoppulse: ShopPulse) -> None:
    change(shoppulse, "delete from shoppulse.order_costs where tenant_id = 'T001'")
    refreshed(shoppulse, rebuild=True)
    with pipeline(shoppulse) as session:
        found = rows(
            session.connection,
            "select distinct value, null_reason, missing from shoppulse.metric_values"
            " where tenant_id = 'T001' and metric_name = 'margin'",
        )
    assert found == [(None, "NOTHING_KNOWN", 1)]


def test_undelivered_counts_as_late_once_the_promised_day_is_over_where_the_tenant_is(
    shoppulse: ShopPulse,
) -> None:
    """On 6 March at 06:00 UTC it is still the 5th in Los Angeles, and the day of the promise is not over."""
    promised = date(2026, 3, 5)
    with shoppulse.tenant("T001") as owner:
        run(owner, "update shoppulse.tenant_settings set time_zone = 'America/Los_Angeles'")
    change(
        shoppulse,
        "update shoppulse.fulfillment set actual_delivery_date = null where order_id = 'O4'",
    )
    names = ("deliveries_due", "on_time_deliveries", "on_time_rate")

    def counted(tenant: str) -> list[Any]:
        found = values(shoppulse, tenant, promised)
        return [found[name] for name in names]

    before, after = (datetime(2026, 3, 6, hour, tzinfo=UTC) for hour in (6, 9))
    refreshed(shoppulse, at=before, rebuild=True)
    assert counted("T001") == [3, 3, 1]
    assert counted("T002") == [4, 3, Decimal("0.75")], "in UTC it is over"
    done = refreshed(shoppulse, at=after)["tenant_daily_metrics"]
    assert (done.days, counted("T001")) == (1, [4, 3, Decimal("0.75")])
    assert refreshed(shoppulse, at=after)["tenant_daily_metrics"].days == 0
    refreshed(shoppulse, at=before)
    assert counted("T001") == [3, 3, 1], "a tenant who moves to the west gets his day back"


def test_another_currency_of_the_tenant_counts_everything_anew(shoppulse: ShopPulse) -> None:
    refreshed(shoppulse, rebuild=True)
    with shoppulse.tenant("T001") as owner:
        run(owner, "update shoppulse.tenant_settings set currency = 'EUR'")
    refreshed(shoppulse)
    assert values(shoppulse, "T001", date(2026, 3, 2))["gross_revenue"] == "OTHER_CURRENCY"
    assert values(shoppulse, "T002", date(2026, 3, 2))["gross_revenue"] == 22_000


def test_refreshing_again_writes_nothing(shoppulse: ShopPulse) -> None:
    first = refreshed(shoppulse, rebuild=True)
    assert all(done.written for done in first.values())
    again = refreshed(shoppulse, rebuild=True)
    assert {(done.written, done.removed) for done in again.values()} == {(0, 0)}
    assert {done.days for done in refreshed(shoppulse).values()} == {0}


def test_only_the_noted_days_are_computed_and_only_cells_that_differ_written(shoppulse: ShopPulse) -> None:
    refreshed(shoppulse, rebuild=True)
    day = date(2026, 3, 2)
    change(
        shoppulse,
        "update shoppulse.orders set items_count = 5 where tenant_id = 'T001' and order_id = 'O4'",
        ("T001", "orders", day),
    )
    assert refreshed(shoppulse)["tenant_daily_metrics"] == Refreshed(1, 1, 0, 1)
    assert values(shoppulse, "T001", day)["items"] == 8


def test_a_rebuild_of_one_tenant_leaves_the_others_alone(shoppulse: ShopPulse) -> None:
    refreshed(shoppulse, rebuild=True, tenants=["T002"])
    assert {row[0] for table in TABLES for row in stored(shoppulse, table)} == {"T002"}


def test_batches_of_any_size_give_the_same(shoppulse: ShopPulse) -> None:
    refreshed(shoppulse, rebuild=True, days=1)
    by_one = [stored(shoppulse, table) for table in TABLES]
    with pipeline(shoppulse) as session, session.connection:
        for table in TABLES:
            run(session.connection, f"delete from shoppulse.{table}")
    refreshed(shoppulse, rebuild=True)
    assert [stored(shoppulse, table) for table in TABLES] == by_one


def test_a_refresh_that_is_killed_leaves_its_days_noted(shoppulse: ShopPulse) -> None:
    change(shoppulse, "select 1", ("T001", "orders", date(2026, 3, 2)))
    table = "tenant_daily_metrics"
    settings = shoppulse.as_login(LOGIN)
    with (
        pipeline(shoppulse) as session,
        lease(settings, table, None, holder="test", execution_id=None) as held,
    ):
        refreshing._note(session, held, table, NOON, False, None)
        assert refreshing._refresh_some(session, held, table, 10).written > 0
        session.connection.rollback()
        assert rows(session.connection, "select count(*) from shoppulse.changed_days") == [(1,)]
    assert stored(shoppulse, table) == []
    assert refreshed(shoppulse)[table].days == 1


def test_a_day_that_a_load_is_changing_is_left_for_the_next_refresh(shoppulse: ShopPulse) -> None:
    """A refresh that takes the day away without seeing the load's rows would lose them for ever."""
    day = date(2026, 3, 2)
    change(shoppulse, "select 1", ("T001", "orders", day))
    with pipeline(shoppulse) as load:
        run(load.connection, NOTE, ("T001", "orders", day))
        run(load.connection, "update shoppulse.orders set items_count = 5 where tenant_id = 'T001'")
        assert refreshed(shoppulse)["tenant_daily_metrics"].days == 0
        load.connection.commit()
    assert refreshed(shoppulse)["tenant_daily_metrics"].days == 1
    assert values(shoppulse, "T001", day)["items"] == 20


DAYS = [date(2026, 3, 1) + timedelta(days=n) for n in range(4)]
ORDERS = st.fixed_dictionaries(
    {
        "order_date": st.sampled_from(DAYS),
        "region": st.sampled_from(["NA", "EU", None]),
        "store_id": st.sampled_from(["ST001", "ST002"]),
        "order_status": st.sampled_from(["Delivered", "Returned", None]),
        "items_count": st.sampled_from([1, 3, None]),
        "gross_revenue": st.sampled_from([Decimal("10.10"), Decimal("99.99"), None]),
        "net_revenue": st.sampled_from([Decimal("9.05"), Decimal(0), None]),
        "currency": st.sampled_from(["USD", "USD", "EUR"]),
    }
)
DELIVERIES = st.fixed_dictionaries(
    {
        "promised_delivery_date": st.sampled_from([*DAYS, None]),
        "actual_delivery_date": st.sampled_from([*DAYS, None]),
        "fulfillment_status": st.sampled_from(["Shipped", "Delivered", None]),
        "sla_met": st.sampled_from([True, False, None]),
        "days_to_ship": st.sampled_from([1, 4, None]),
    }
)
CAMPAIGNS = st.fixed_dictionaries(
    {
        "date": st.sampled_from(DAYS),
        "channel": st.sampled_from(["Email", "Web", None]),
        "spend": st.sampled_from([Decimal("5.55"), Decimal(0), None]),
        "clicks": st.sampled_from([0, 5, 200, None]),
        "conversions": st.sampled_from([0, 3, None]),
    }
)
NUMBERS = st.sampled_from([1, 2, 3])
EDITS = st.one_of(
    st.tuples(st.just("orders"), NUMBERS, ORDERS),
    st.tuples(st.just("fulfillment"), NUMBERS, DELIVERIES),
    st.tuples(st.just("campaigns"), NUMBERS, CAMPAIGNS),
    st.tuples(st.just("cost"), NUMBERS, st.sampled_from([None, Decimal("4.40")])),
    st.tuples(st.just("gone"), NUMBERS, st.none()),
    st.tuples(st.just("time"), st.integers(0, 5), st.none()),
)


class Load:
    """Edits as deliveries make them, with the days that they have to note."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.at = datetime(2026, 3, 2, 12, tzinfo=UTC)

    def apply(self, kind: str, number: int, what: Any) -> None:
        if kind == "time":
            self.at = datetime(2026, 3, 1 + number, 12, tzinfo=UTC)
            return
        connection, key = self.session.connection, f"{'C' if kind == 'campaigns' else 'O'}{number}"
        with connection:
            noted = self.days(key)
            if kind == "cost":
                run(
                    connection,
                    "delete from shoppulse.order_costs where tenant_id = 'T001' and order_id = %s",
                    (key,),
                )
                if what is not None:
                    run(
                        connection,
                        "insert into shoppulse.order_costs select tenant_id, order_id, %s from shoppulse.orders"
                        " where tenant_id = 'T001' and order_id = %s",
                        (what, key),
                    )
            elif kind == "gone":
                run(
                    connection,
                    "delete from shoppulse.orders where tenant_id = 'T001' and order_id = %s",
                    (key,),
                )
            else:
                self._update(kind, key, what)
            for source, day in noted | self.days(key):
                run(connection, NOTE, ("T001", source, day))

    def days(self, key: str) -> set[tuple[str, date]]:
        """The days that a row of this key counts on."""
        found = rows(
            self.session.connection,
            "select 'orders', order_date from shoppulse.orders where tenant_id = 'T001' and order_id = %(key)s"
            " union select 'fulfillment', promised_delivery_date from shoppulse.fulfillment"
            " where tenant_id = 'T001' and order_id = %(key)s and promised_delivery_date is not null"
            " union select 'campaigns', date from shoppulse.marketing_campaigns"
            " where tenant_id = 'T001' and campaign_id = %(key)s",
            {"key": key},
        )
        return {(source, day) for source, day in found}

    def _update(self, kind: str, key: str, what: dict[str, Any]) -> None:
        table, column = {
            "orders": ("orders", "order_id"),
            "fulfillment": ("fulfillment", "order_id"),
            "campaigns": ("marketing_campaigns", "campaign_id"),
        }[kind]
        sets = ", ".join(f"{name} = %({name})s" for name in what)
        run(
            self.session.connection,
            f"update shoppulse.{table} set {sets} where tenant_id = 'T001' and {column} = %(key)s",
            {**what, "key": key},
        )


def test_following_the_changes_gives_what_a_rebuild_gives(shoppulse: ShopPulse) -> None:
    refreshed(shoppulse, rebuild=True)

    @settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(EDITS, min_size=1, max_size=6))
    def holds(edits: list[tuple[str, int, Any]]) -> None:
        with pipeline(shoppulse) as session:
            load = Load(session)
            for edit in edits:
                load.apply(*edit)
            refreshed(shoppulse, at=load.at)
            followed = [stored(shoppulse, table) for table in TABLES]
            with session.connection:
                for table in TABLES:
                    run(session.connection, f"delete from shoppulse.{table}")
            refreshed(shoppulse, at=load.at, rebuild=True)
        assert [stored(shoppulse, table) for table in TABLES] == followed

    holds()
