"""The metrics of the tenant analytics: what each one is, in one place.

Belongs here: names, formulas, rules for NULL, what a metric is made of. Does not belong here: how they are computed
(sql/shoppulse/transforms) and who may see them (sql/shoppulse/functions/visibility.sql). The rows of
`shoppulse.metrics`, `metric_identities` and `metric_disclosures` and the list in docs/shoppulse.md are written from
here: `python -m commerce_assets.shoppulse.metrics_document`; tests hold both against this module.

A stored cell has a numerator and, for a ratio, a denominator; a value is sum(numerator) / sum(denominator) over the
cells asked for, so that a month's ratio is that of the month and not a mean of its days. A strict metric has no value,
but a reason, where a source row could not be counted; the others are of the rows that say something. `missing` is 1 for
a cell that lacks something, and 0 for one that does not: how many orders it lacks would be the number of orders, where
none says anything or together with the denominator, and that not everybody may see. It counts the rows where nobody
learns anything by it: in `aov` and `return_rate`, which show `orders` as well, and in the metrics of campaigns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Source = Literal["orders", "fulfillment", "campaigns", "none"]
Unit = Literal["money", "count", "share", "days", "ratio"]

OWNER = "team:commerce-data"

REASONS: dict[str, str] = {
    "OTHER_CURRENCY": "an order is in another currency than the tenant's, and there is no rate to turn it with",
    "NO_AMOUNT": "the source row has no amount",
    "NO_COUNT": "the source row has no count, or one below zero",
    "NO_STATUS": "the source row has no status",
    "CONTRADICTORY": "the source row has more clicks than impressions, or more conversions than clicks",
    "NO_SOURCE": "nothing that tenants deliver says this",
    "NOTHING_KNOWN": "no source row has what the metric needs",
    "ZERO_DENOMINATOR": "there is nothing to divide by",
}
"""Why a value is NULL. Where several hold, the last by the alphabet is told."""


@dataclass(frozen=True)
class Metric:
    """One metric. `depends_on`: whoever sees this one can read those off it, so it is hidden when one of them is.

    `number` is the metric's for good: row security looks up by it who sees a stored cell. A new metric gets a new one.
    """

    number: int
    name: str
    formula: str
    dated: str
    unit: Unit
    null_rule: str
    source: Source
    depends_on: tuple[str, ...] = ()
    strict: bool = True
    owner: str = OWNER

    @property
    def dimensions(self) -> tuple[str, ...]:
        """What it can be broken down by, beside the day."""
        if self.source == "campaigns":
            return ("channel",)
        places = ("region", "store_id")
        return (*places, "category") if self.name == "fulfillment_status" else places

    @property
    def grain(self) -> str:
        """The cell that is stored."""
        return ", ".join(("tenant", "day", *self.dimensions))


@dataclass(frozen=True)
class Identity:
    """`result` = `first` `operator` `second`: whoever knows two of the three knows the third."""

    result: str
    first: str
    operator: Literal["-", "/"]
    second: str


@dataclass(frozen=True)
class Disclosure:
    """Whoever knows `source` alone knows `metric`, as far as `how` says. It hides nothing; it is reported."""

    metric: str
    source: str
    how: str


_MONEY = "NULL when an order is in another currency than the tenant's (OTHER_CURRENCY) or has no amount (NO_AMOUNT)"
_DIVISION = "NULL when there is nothing to divide by (ZERO_DENOMINATOR)"
_ORDER_DAY, _PROMISED, _CAMPAIGN_DAY = "order_date", "promised_delivery_date", "date"

_ALL = (
    Metric(1, "gross_revenue", "sum of gross_revenue of the orders", _ORDER_DAY, "money", _MONEY, "orders"),
    Metric(
        2, "discount_amount", "sum of discount_amount of the orders", _ORDER_DAY, "money", _MONEY, "orders"
    ),
    Metric(3, "net_revenue", "sum of net_revenue of the orders", _ORDER_DAY, "money", _MONEY, "orders"),
    Metric(
        4,
        "margin",
        "(net revenue - cost) / net revenue, over the orders whose cost is known",
        _ORDER_DAY,
        "share",
        "NULL when no order's cost is known (NOTHING_KNOWN); missing = 1 for a cell with an order without a known cost",
        "orders",
        ("net_revenue",),
        strict=False,
    ),
    Metric(5, "orders", "number of orders", _ORDER_DAY, "count", "never NULL where there is a row", "orders"),
    Metric(
        6,
        "items",
        "sum of items_count of the orders",
        _ORDER_DAY,
        "count",
        "NULL when an order does not say how many (NO_COUNT)",
        "orders",
    ),
    Metric(
        7,
        "aov",
        "net revenue / orders",
        _ORDER_DAY,
        "money",
        f"{_MONEY}; {_DIVISION}",
        "orders",
        ("net_revenue", "orders"),
    ),
    Metric(
        8,
        "returned_orders",
        "number of orders with the status Returned",
        _ORDER_DAY,
        "count",
        "NULL when an order has no status (NO_STATUS)",
        "orders",
    ),
    Metric(
        9,
        "return_rate",
        "returned orders / orders",
        _ORDER_DAY,
        "share",
        f"NULL when an order has no status (NO_STATUS); {_DIVISION}",
        "orders",
        ("returned_orders", "orders"),
    ),
    Metric(
        10,
        "fulfillment_status",
        "number of the orders' deliveries, by fulfillment_status (the category)",
        _ORDER_DAY,
        "count",
        "NULL for deliveries without a status (NO_STATUS)",
        "orders",
    ),
    Metric(
        11,
        "sla_met",
        "deliveries whose sla_met is true / deliveries that say whether it is, as the tenant reports it",
        _ORDER_DAY,
        "share",
        "NULL when none says so (NOTHING_KNOWN); missing = 1 for a cell with an order whose delivery does not say",
        "orders",
        strict=False,
    ),
    Metric(
        12,
        "days_to_ship",
        "mean days_to_ship of the orders' deliveries",
        _ORDER_DAY,
        "days",
        "NULL when none says so (NOTHING_KNOWN); missing = 1 for a cell with an order whose delivery does not say",
        "orders",
        strict=False,
    ),
    Metric(
        13,
        "inventory_levels",
        "none: no table of the tenants has stock",
        _ORDER_DAY,
        "count",
        "always NULL (NO_SOURCE)",
        "none",
    ),
    Metric(
        14,
        "deliveries_due",
        "number of deliveries promised for the day that were made, or whose day is over where the tenant is",
        _PROMISED,
        "count",
        "never NULL where there is a row; a delivery without a promise has no day",
        "fulfillment",
    ),
    Metric(
        15,
        "on_time_deliveries",
        "number of them with actual_delivery_date <= promised_delivery_date",
        _PROMISED,
        "count",
        "never NULL where there is a row",
        "fulfillment",
    ),
    Metric(
        16,
        "on_time_rate",
        "on-time deliveries / deliveries due; undelivered past the promise counts as late",
        _PROMISED,
        "share",
        _DIVISION,
        "fulfillment",
        ("on_time_deliveries", "deliveries_due"),
    ),
    Metric(
        17,
        "campaign_spend",
        "sum of spend",
        _CAMPAIGN_DAY,
        "money",
        "NULL when a row has none (NO_AMOUNT)",
        "campaigns",
    ),
    Metric(
        18,
        "impressions",
        "sum of impressions",
        _CAMPAIGN_DAY,
        "count",
        "NULL when a row has none (NO_COUNT)",
        "campaigns",
    ),
    Metric(
        19,
        "clicks",
        "sum of clicks",
        _CAMPAIGN_DAY,
        "count",
        "NULL when a row has none (NO_COUNT)",
        "campaigns",
    ),
    Metric(
        20,
        "conversions",
        "sum of conversions",
        _CAMPAIGN_DAY,
        "count",
        "NULL when a row has none (NO_COUNT)",
        "campaigns",
    ),
    Metric(
        21,
        "revenue_attributed",
        "sum of revenue_attributed",
        _CAMPAIGN_DAY,
        "money",
        "NULL when a row has none (NO_AMOUNT)",
        "campaigns",
    ),
    Metric(
        22,
        "ctr",
        "clicks / impressions",
        _CAMPAIGN_DAY,
        "share",
        f"NULL when a row lacks one (NO_COUNT) or has more clicks than impressions (CONTRADICTORY); {_DIVISION}",
        "campaigns",
        ("clicks", "impressions"),
    ),
    Metric(
        23,
        "conversion_rate",
        "conversions / clicks",
        _CAMPAIGN_DAY,
        "share",
        f"NULL when a row lacks one (NO_COUNT) or has more conversions than clicks (CONTRADICTORY); {_DIVISION}",
        "campaigns",
        ("conversions", "clicks"),
    ),
    Metric(
        24,
        "roas",
        "revenue attributed / spend",
        _CAMPAIGN_DAY,
        "ratio",
        f"NULL when a row lacks one (NO_AMOUNT); {_DIVISION}",
        "campaigns",
        ("revenue_attributed", "campaign_spend"),
    ),
    Metric(
        25,
        "cac",
        "spend / conversions",
        _CAMPAIGN_DAY,
        "money",
        f"NULL when a row lacks one (NO_AMOUNT, NO_COUNT); {_DIVISION}",
        "campaigns",
        ("campaign_spend", "conversions"),
    ),
)

METRICS: dict[str, Metric] = {metric.name: metric for metric in _ALL}

IDENTITIES: tuple[Identity, ...] = (
    Identity("net_revenue", "gross_revenue", "-", "discount_amount"),
    Identity("aov", "net_revenue", "/", "orders"),
    Identity("return_rate", "returned_orders", "/", "orders"),
    Identity("on_time_rate", "on_time_deliveries", "/", "deliveries_due"),
    Identity("ctr", "clicks", "/", "impressions"),
    Identity("conversion_rate", "conversions", "/", "clicks"),
    Identity("roas", "revenue_attributed", "/", "campaign_spend"),
    Identity("cac", "campaign_spend", "/", "conversions"),
)

DISCLOSURES: tuple[Disclosure, ...] = (
    Disclosure("net_revenue", "margin", "its denominator: of the orders whose cost is known"),
    Disclosure("orders", "days_to_ship", "its denominator: the orders whose delivery says how long it took"),
    Disclosure(
        "orders", "fulfillment_status", "the sum over its categories: the orders whose delivery has a status"
    ),
    Disclosure("orders", "sla_met", "its denominator: the orders whose delivery says whether it was"),
    Disclosure("returned_orders", "fulfillment_status", "its category Returned"),
)


def closure(name: str) -> tuple[str, ...]:
    """Every metric that `name` is made of, near and far, in the order of the alphabet; without itself.

    Raises KeyError for a name that is no metric's.
    """
    found: set[str] = set()
    waiting = list(METRICS[name].depends_on)
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting.extend(METRICS[one].depends_on)
    return tuple(sorted(found))


def visible(whitelisted: set[str]) -> set[str]:
    """What a role sees that has these names on its list: those whose whole closure is on it too."""
    return {name for name in METRICS if {name, *closure(name)} <= whitelisted}


def inferable(seen: set[str]) -> dict[str, tuple[str, ...]]:
    """Hidden metrics that known ones give away -> the one or the two that do, in the order of the alphabet.

    What was inferred is known for the next.
    """
    known, found = set(seen), dict[str, tuple[str, ...]]()
    changed = True
    while changed:
        changed = False
        for one in sorted(DISCLOSURES, key=lambda one: (one.metric, one.source)):
            if one.source in known and one.metric not in known:
                found[one.metric] = (one.source,)
                known.add(one.metric)
                changed = True
        for identity in sorted(IDENTITIES, key=lambda one: one.result):
            names = sorted((identity.result, identity.first, identity.second))
            hidden = [name for name in names if name not in known]
            if len(hidden) == 1:
                first, second = (name for name in names if name in known)
                found[hidden[0]] = (first, second)
                known.add(hidden[0])
                changed = True
    return found
