"""ShopPulse's sample has the size, the ranges and the flaws of the published one, and is the same everywhere."""

from __future__ import annotations

import hashlib
from collections import Counter
from datetime import date, timedelta

import pytest

from sandbox import shoppulse as sample


def test_the_sample_has_the_published_counts() -> None:
    orders = sample.orders()
    assert len(sample.TENANTS) == 10
    assert len(orders) == 4610
    assert Counter(row["order_status"] for row in orders) == {
        "Delivered": 3446,
        "Shipped": 703,
        "Returned": 461,
    }
    assert min(row["order_date"] for row in orders) == date(2023, 1, 1)
    assert max(row["order_date"] for row in orders) == date(2024, 12, 31)
    assert {row["store_id"] for row in orders} == {f"ST00{n}" for n in range(1, 6)}
    assert {row["channel"] for row in orders} == {"Marketplace", "Web", "App"}
    assert {row["region"] for row in orders} == {"GCC", "APAC", "NA", "EU"}
    assert len({row["order_id"] for row in orders}) == 4610


def cents(text: str) -> int:
    return int(text.replace(".", ""))


def test_net_is_gross_less_discount_in_every_order() -> None:
    for row in sample.orders():
        assert cents(row["net_revenue"]) == cents(row["gross_revenue"]) - cents(row["discount_amount"])


def test_fulfilment_follows_its_order() -> None:
    for order, row in zip(sample.orders(), sample.fulfillment(), strict=True):
        promised, actual = row["promised_delivery_date"], row["actual_delivery_date"]
        assert row["order_id"] == order["order_id"]
        assert row["fulfillment_status"] == order["order_status"]
        assert promised == order["order_date"] + timedelta(days=3)
        assert 3 <= (actual - order["order_date"]).days <= 5
        assert row["sla_met"] == (actual <= promised)
        assert 1 <= row["days_to_ship"] <= 3
        assert row["warehouse"] == f"WH_{order['region']}_01"


def test_nine_campaign_rows_have_more_clicks_than_impressions() -> None:
    rows = sample.campaigns()
    assert len(rows) == 1094
    assert sum(row["clicks"] > row["impressions"] for row in rows) == 9
    assert {row["channel"] for row in rows} == {"Meta Ads", "Google Ads", "Email"}


def test_ops_is_operations_and_the_seeds_rows_are_among_the_visible() -> None:
    users, visibility = sample.users(), sample.visibility()
    assert len(users) == 40
    assert Counter(row["role"] for row in users) == dict.fromkeys(
        ("Finance", "Operations", "Marketing", "Admin"), 10
    )
    seeded = [row for row in visibility if row["tenant_id"] in ("T001", "T002", "T003")]
    assert len(seeded) == 48
    assert all(row["is_visible"] for row in seeded)
    assert any(not row["is_visible"] for row in visibility)


def test_the_files_are_the_same_everywhere_and_in_all_three_formats() -> None:
    first, again = dict(sample.files()), dict(sample.files())
    assert first == again
    assert Counter(key.rpartition(".")[2] for key in first) == {"csv": 19, "jsonl": 14, "parquet": 14}
    texts = b"".join(content for key, content in first.items() if not key.endswith("parquet"))
    assert hashlib.sha256(texts).hexdigest()[:16] == "ea556ccb5eec3767"


@pytest.mark.parametrize("left_out", [(), ("T007",), ("T006", "T007"), sample.TENANTS_WITH_COSTS])
def test_the_last_file_of_a_sample_is_known_without_making_it(left_out: tuple[str, ...]) -> None:
    """It stands for all of them: of an erased tenant it was never there, and all were delivered at each start."""
    keys = [key for key, _ in sample.files() if key.split("/")[1] not in left_out]
    assert sample._last_key(left_out) == keys[-1]


def test_of_nobody_there_is_no_last_file() -> None:
    assert sample._last_key([tenant.tenant_id for tenant in sample.TENANTS]) is None
