"""The registry of metrics: whole, closed, and the source of what is written from it."""

from __future__ import annotations

import re

import pytest

from commerce_assets.shoppulse.metrics import (
    DISCLOSURES,
    IDENTITIES,
    METRICS,
    REASONS,
    closure,
    inferable,
    visible,
)
from commerce_assets.shoppulse.metrics_document import PAGE, SQL, page, sql

SEED = {
    "Finance": {"gross_revenue", "net_revenue", "discount_amount", "margin"},
    "Operations": {"fulfillment_status", "sla_met", "days_to_ship", "inventory_levels"},
    "Marketing": {"campaign_spend", "conversions", "revenue_attributed", "cac"},
    "Admin": {"gross_revenue", "net_revenue", "fulfillment_status", "campaign_spend"},
}


NUMBERS = {
    "gross_revenue": 1,
    "discount_amount": 2,
    "net_revenue": 3,
    "margin": 4,
    "orders": 5,
    "items": 6,
    "aov": 7,
    "returned_orders": 8,
    "return_rate": 9,
    "fulfillment_status": 10,
    "sla_met": 11,
    "days_to_ship": 12,
    "inventory_levels": 13,
    "deliveries_due": 14,
    "on_time_deliveries": 15,
    "on_time_rate": 16,
    "campaign_spend": 17,
    "impressions": 18,
    "clicks": 19,
    "conversions": 20,
    "revenue_attributed": 21,
    "ctr": 22,
    "conversion_rate": 23,
    "roas": 24,
    "cac": 25,
}


def test_the_list_in_the_document_and_the_rows_of_the_table_are_the_registry() -> None:
    """Otherwise: python -m commerce_assets.shoppulse.metrics_document."""
    text = PAGE.read_text(encoding="utf-8")
    assert page(text) == text
    assert SQL.read_text(encoding="utf-8") == sql()


def test_a_page_without_a_place_for_the_list_is_refused() -> None:
    with pytest.raises(ValueError, match="no lines"):
        page("# ShopPulse\n")


def test_every_name_is_one_that_sql_and_json_need_not_quote() -> None:
    assert [name for name in METRICS if not re.fullmatch(r"[a-z][a-z_]{0,49}", name)] == []


def test_a_metric_keeps_its_number() -> None:
    """Cells are stored under it, and shown by it. A new metric is added here with a number that none has had."""
    assert {name: one.number for name, one in METRICS.items()} == NUMBERS
    assert len(set(NUMBERS.values())) == len(NUMBERS)


def test_every_metric_that_another_is_made_of_exists_and_nothing_is_made_of_itself() -> None:
    for name in METRICS:
        assert set(closure(name)) <= set(METRICS)
        assert name not in closure(name)
    used = {part for one in IDENTITIES for part in (one.result, one.first, one.second)}
    used |= {part for one in DISCLOSURES for part in (one.metric, one.source)}
    assert used <= set(METRICS)


def test_whoever_sees_a_quotient_is_allowed_both_of_its_parts() -> None:
    """Its numerator and denominator stand beside it: a list that names the quotient alone would show them."""
    for one in IDENTITIES:
        if one.operator == "/":
            assert {one.first, one.second} <= set(closure(one.result)), one.result


def test_every_reason_of_a_null_rule_is_explained() -> None:
    for metric in METRICS.values():
        assert set(re.findall(r"\b[A-Z]+_[A-Z]+\b|CONTRADICTORY", metric.null_rule)) <= set(REASONS)


def test_a_mean_over_some_of_the_orders_gives_them_away_or_closes_them_off() -> None:
    """Its denominator is a part of the orders: whoever adds a metric that is not strict says what that tells."""
    told = {one.source for one in DISCLOSURES}
    assert {name for name, one in METRICS.items() if not one.strict} <= told


@pytest.mark.parametrize("role", SEED)
def test_the_roles_of_the_seed_see_all_that_they_list(role: str) -> None:
    assert visible(SEED[role]) == SEED[role]


def test_a_quotient_without_its_parts_is_hidden() -> None:
    assert visible({"cac", "campaign_spend"}) == {"campaign_spend"}
    assert visible({"aov"}) == set()


def test_what_visible_metrics_give_away_is_found_also_over_two_steps() -> None:
    """Operations was said to give away nothing, and read orders and returned orders off its own metrics every day."""
    deliveries = {
        "orders": ("fulfillment_status",),
        "returned_orders": ("fulfillment_status",),
        "return_rate": ("orders", "returned_orders"),
    }
    assert inferable(SEED["Operations"]) == deliveries | {"orders": ("days_to_ship",)}
    assert inferable(SEED["Admin"]) == deliveries | {
        "discount_amount": ("gross_revenue", "net_revenue"),
        "aov": ("net_revenue", "orders"),
    }
    assert inferable(SEED["Marketing"]) == {"roas": ("campaign_spend", "revenue_attributed")}
    assert inferable(SEED["Finance"]) == {}
    assert inferable({"net_revenue", "sla_met"}) == {
        "orders": ("sla_met",),
        "aov": ("net_revenue", "orders"),
    }
    found = inferable({"gross_revenue", "discount_amount", "orders"})
    assert set(found) == {"net_revenue", "aov"}
