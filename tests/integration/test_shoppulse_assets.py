"""The metric assets through Dagster: run twice, checks that fire and are silent, the schedule."""

from __future__ import annotations

from datetime import date
from typing import Any

import dagster as dg
import pytest

from commerce_assets import shoppulse_checks
from commerce_assets.assets import shoppulse as assets
from commerce_assets.automation import tenant_metrics_refresh
from resources.failures import PermanentError
from resources.leases import lease
from resources.postgres import PostgresResource
from tests.integration.test_shoppulse_metrics import LOGIN, TABLES, change, pipeline, stored
from tests.shoppulse import ShopPulse, run

CHECKS = [one for one in vars(shoppulse_checks).values() if isinstance(one, dg.AssetChecksDefinition)]


@pytest.fixture
def location(shoppulse: ShopPulse, monkeypatch: pytest.MonkeyPatch) -> ShopPulse:
    """The location's settings point at the tenants' database, with every day noted."""
    warehouse = shoppulse.as_login(LOGIN)
    for name in ("host", "port", "name", "user", "password", "sslmode"):
        monkeypatch.setenv(f"COMMERCE_DB_{name.upper()}", str(getattr(warehouse, name)))
    return shoppulse


def materialize(rebuild: bool = False) -> dg.ExecuteInProcessResult:
    config = {"ops": {table: {"config": {"rebuild": rebuild}} for table in TABLES}}
    return dg.materialize(
        [assets.tenant_daily_metrics, assets.campaign_metrics, *CHECKS],
        resources={"warehouse": PostgresResource(location="COMMERCE")},
        run_config=config,
    )


def results(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    return {
        f"{one.asset_key.to_user_string()}.{one.check_name}": one
        for one in result.get_asset_check_evaluations()
    }


def failing(result: dg.ExecuteInProcessResult) -> set[str]:
    return {name.partition(".")[2] for name, one in results(result).items() if not one.passed}


def metadata(result: dg.ExecuteInProcessResult, table: str) -> dict[str, Any]:
    (event,) = result.asset_materializations_for_node(table)
    return {name: value.value for name, value in event.metadata.items()}


def test_a_second_run_writes_nothing_and_says_so(location: ShopPulse) -> None:
    first = materialize(rebuild=True)
    before = [stored(location, table) for table in TABLES]
    facts = metadata(first, "tenant_daily_metrics")
    assert facts["dagster/row_count"] == facts["rows_stored"] == len(before[0]) > 0
    assert facts["orders"] == 2, "of both tenants, on the last day that has any"
    assert facts["dashboard"].startswith("![metrics by day](data:image/svg+xml;base64,")
    again = metadata(materialize(), "tenant_daily_metrics")
    assert (again["days"], again["rows_stored"], again["rows_removed"]) == (0, 0, 0)
    assert [stored(location, table) for table in TABLES] == before


def test_without_tenants_there_is_nothing_and_it_is_said(location: ShopPulse) -> None:
    result = materialize()
    assert metadata(result, "campaign_metrics")["dashboard"] == "No metrics yet."
    assert failing(result) == {
        "no_hidden_metric_is_inferable",
        "metrics_equal_orders",
        "metrics_equal_campaigns",
    }


def test_the_checks_are_silent_but_for_what_the_shipped_lists_give_away(location: ShopPulse) -> None:
    result = materialize(rebuild=True)
    assert failing(result) == {"no_hidden_metric_is_inferable"}
    warned = results(result)["tenant_daily_metrics.no_hidden_metric_is_inferable"]
    assert warned.severity == dg.AssetCheckSeverity.WARN
    assert warned.metadata["failed"].value == 6
    assert warned.metadata["examples"].value[:9] == [
        "T001 Admin: aov from net_revenue and orders",
        "T001 Admin: discount_amount from gross_revenue and net_revenue",
        "T001 Admin: orders from fulfillment_status",
        "T001 Admin: return_rate from orders and returned_orders",
        "T001 Admin: returned_orders from fulfillment_status",
        "T001 Marketing: roas from campaign_spend and revenue_attributed",
        "T001 Operations: orders from days_to_ship",
        "T001 Operations: return_rate from orders and returned_orders",
        "T001 Operations: returned_orders from fulfillment_status",
    ]


def test_a_list_that_gives_nothing_away_is_not_warned_of(location: ShopPulse) -> None:
    for tenant in ("T001", "T002"):
        with location.tenant(tenant) as owner:
            run(owner, "delete from shoppulse.role_metric_visibility where role <> 'Finance'")
    assert failing(materialize(rebuild=True)) == set()


@pytest.mark.parametrize(
    ("text", "check"),
    [
        ("update shoppulse.tenant_daily_metrics set numerator = numerator + 0.01 where tenant_id = 'T001'"
         " and metric_date = '2026-03-02' and metric_name = 'net_revenue' and region = 'NA'", "metrics_equal_orders"),
        ("delete from shoppulse.tenant_daily_metrics where metric_name = 'deliveries_due'", "metrics_equal_orders"),
        ("update shoppulse.tenant_daily_metrics set missing = 1 where tenant_id = 'T001' and metric_date = '2026-03-02'"
         " and metric_name = 'gross_revenue' and region = 'NA'", "metrics_equal_orders"),
        ("update shoppulse.tenant_daily_metrics set missing = 1 where tenant_id = 'T001' and metric_date = '2026-03-02'"
         " and metric_name = 'aov' and region = 'NA'", "metrics_equal_orders"),
        ("update shoppulse.orders set gross_revenue = gross_revenue + 1 where order_id = 'O3'", "metrics_equal_orders"),
        ("update shoppulse.orders set currency = 'EUR', gross_revenue = 0, net_revenue = 0, discount_amount = 0"
         " where order_id = 'O3'", "metrics_equal_orders"),
        ("update shoppulse.marketing_campaigns set spend = 0 where campaign_id = 'C1'", "metrics_equal_campaigns"),
        ("delete from shoppulse.campaign_metrics where tenant_id = 'T002'", "metrics_equal_campaigns"),
        ("update shoppulse.campaign_metrics set metric_name = 'renamed' where metric_name = 'ctr'",
         "every_metric_is_known"),
        ("update shoppulse.tenant_daily_metrics set metric_name = 'renamed' where metric_name = 'margin'",
         "every_metric_is_known"),
        ("update shoppulse.tenant_daily_metrics set metric_number = 2 where metric_name = 'margin'",
         "every_metric_is_known"),
    ],
)  # fmt: skip
def test_a_difference_of_a_cent_is_found(location: ShopPulse, text: str, check: str) -> None:
    """Rows that changed without their days being noted: nothing else would ever tell."""
    materialize(rebuild=True)
    change(location, text)
    result = materialize()
    assert failing(result) == {"no_hidden_metric_is_inferable", check}


def test_days_that_wait_for_their_refresh_are_no_difference(location: ShopPulse) -> None:
    materialize(rebuild=True)
    change(
        location,
        "update shoppulse.orders set gross_revenue = 0 where tenant_id = 'T001'",
        ("T001", "orders", date(2026, 3, 1)),
    )
    with pipeline(location) as session:
        ((checked, failed, _),) = session.run("shoppulse/checks/metrics_equal_orders", table="")
    assert (checked, failed) == (1, 0)


def test_a_changed_registry_and_a_name_that_is_no_metric_are_found(location: ShopPulse) -> None:
    with location.tenant("T001") as owner:
        run(owner, "update shoppulse.metrics set needs = '{}' where metric_name = 'cac'")
        run(
            owner,
            "update shoppulse.role_metric_visibility set metric_name = 'Campaign_ROI' where metric_name = 'cac'",
        )
    found = results(materialize(rebuild=True))
    registry = found["tenant_daily_metrics.the_registry_is_the_table"]
    names = found["tenant_daily_metrics.every_listed_metric_is_known"]
    assert (registry.passed, registry.metadata["examples"].value) == (False, ["cac"])
    assert (names.passed, names.metadata["examples"].value) == (False, ["T001 Marketing: Campaign_ROI"])


@pytest.mark.parametrize(
    ("text", "example"),
    [
        ("update shoppulse.metrics set null_rule = '' where metric_name = 'orders'", "orders"),
        ("update shoppulse.metric_identities set second_name = 'items' where metric_name = 'aov'",
         "aov = net_revenue / items"),
        ("delete from shoppulse.metric_disclosures where source_name = 'sla_met'", "orders from sla_met"),
    ],
)  # fmt: skip
def test_what_metrics_give_away_is_compared_with_the_registry_too(
    location: ShopPulse, text: str, example: str
) -> None:
    """Only the metrics were: without its rows of what they give away, the database warned of nothing, unnoticed."""
    with location.tenant("T001") as owner:
        run(owner, text)
    registry = results(materialize(rebuild=True))["tenant_daily_metrics.the_registry_is_the_table"]
    assert not registry.passed
    assert example in registry.metadata["examples"].value  # type: ignore[operator]


def test_one_writer_at_a_time(location: ShopPulse) -> None:
    with (
        lease(
            location.as_login(LOGIN),
            "shoppulse.tenant_daily_metrics",
            None,
            holder="another",
            execution_id=None,
        ),
        pytest.raises(PermanentError, match="another"),
    ):
        materialize()


def test_metrics_are_refreshed_at_every_midnight_there_is() -> None:
    assert tenant_metrics_refresh.cron_schedule == "*/15 * * * *"
    assert tenant_metrics_refresh.execution_timezone == "UTC"
