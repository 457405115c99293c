"""ShopPulse's sample: ten tenants, their users and what each role sees, and two years of their deliveries.

As large, as regular and as flawed as the published sample data (reference, A6): 4,610 orders from 2023-01-01 to
2024-12-31, 1,094 campaign rows of which nine have more clicks than impressions, users whose role is called "Ops" there.
Generated, and the same in every sandbox. Does not belong here: loading, which is what the location's assets do.
"""

from __future__ import annotations

import datetime as dt
import functools
import http.client
import io
import json
import random
import uuid
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sandbox.processes import LOCALHOST, SandboxError

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class SampleTenant:
    """A tenant, the region that he sells in most, how he counts, and how his files are written."""

    tenant_id: str
    name: str
    industry: str
    plan: str
    country: str
    created: str
    region: str
    time_zone: str
    currency: str
    file_format: str


_LISTED: Final = """
T001|Fashion Boutique|Retail|Premium|USA|2024-01-01|NA|America/New_York|USD|csv
T002|Tech Gadgets Inc|Electronics|Enterprise|Canada|2024-01-15|NA|America/Toronto|CAD|jsonl
T003|Home Decor Co|Home & Garden|Standard|USA|2024-02-01|NA|America/Chicago|USD|parquet
T004|Gulf Outfitters|Retail|Enterprise|UAE|2022-06-01|GCC|Asia/Dubai|AED|csv
T005|Pearl Beauty|Beauty|Pro|Bahrain|2022-07-15|GCC|Asia/Bahrain|BHD|jsonl
T006|Harbour Books|Books|Basic|Singapore|2022-08-01|APAC|Asia/Singapore|SGD|parquet
T007|Southern Sports|Sports|Pro|Australia|2022-09-10|APAC|Australia/Sydney|AUD|csv
T008|Kiez Kontor|Food & Beverage|Basic|Germany|2022-10-01|EU|Europe/Berlin|EUR|jsonl
T009|Atelier Lumière|Home & Garden|Enterprise|France|2022-11-20|EU|Europe/Paris|EUR|parquet
T010|Nordlys Toys|Toys & Games|Pro|Denmark|2022-12-01|EU|Europe/Copenhagen|DKK|csv
"""
TENANTS: Final = tuple(SampleTenant(*line.split("|")) for line in _LISTED.strip().splitlines())
"""The first three are the published seed's own."""

PUBLISHED_ROLES: Final = ("Finance", "Ops", "Marketing", "Admin")
ROLES: Final = {"Ops": "Operations"}
"""What the table's check calls a role that the published sample calls otherwise."""
VISIBLE: Final = {
    "Finance": ("gross_revenue", "net_revenue", "discount_amount", "margin"),
    "Operations": ("fulfillment_status", "sla_met", "days_to_ship", "inventory_levels"),
    "Marketing": ("campaign_spend", "conversions", "revenue_attributed", "cac"),
    "Admin": ("gross_revenue", "net_revenue", "fulfillment_status", "campaign_spend"),
}
HIDDEN: Final = {"Operations": ("net_revenue", "margin"), "Marketing": ("net_revenue", "margin")}
"""Rows that say no in so many words, as the published sheet has them; not in the seed's three tenants."""
FIRST_DAY, LAST_DAY = dt.date(2023, 1, 1), dt.date(2024, 12, 31)
STATUSES: Final = {"Delivered": 3446, "Shipped": 703, "Returned": 461}
ORDERS_A_TENANT, CAMPAIGN_ROWS, ODD_CLICKS = 461, 1094, 9
CARRIERS: Final = ("DHL", "Aramex", "UPS", "GLS", "DPD")
TENANTS_WITH_COSTS: Final = ("T001", "T002", "T003", "T004", "T005", "T006", "T007")
"""T007 says what every other order cost: its margin is not known."""
_SEED = 20241231


# -- rows -----------------------------------------------------------------------------------------------------


@functools.cache
def orders() -> Rows:
    """One row per tenant and order: 461 for each tenant, the statuses as often as published."""
    generator = random.Random(_SEED)
    statuses = [status for status, count in STATUSES.items() for _ in range(count)]
    generator.shuffle(statuses)
    span = (LAST_DAY - FIRST_DAY).days
    rows = []
    for number, (tenant, place) in enumerate((t, n) for t in TENANTS for n in range(ORDERS_A_TENANT)):
        # The first and the last day have an order of everybody.
        offset = {0: 0, ORDERS_A_TENANT - 1: span}.get(place, generator.randint(0, span))
        gross = generator.randint(1500, 90_000)
        discount = gross * generator.choice((0, 0, 5, 10, 15, 20)) // 100
        home = generator.random() < 0.7
        rows.append(
            {
                "tenant_id": tenant.tenant_id,
                "order_id": f"ORD{number + 1:05}",
                "order_date": FIRST_DAY + dt.timedelta(days=offset),
                "store_id": f"ST{generator.randint(1, 5):03}",
                "region": tenant.region if home else generator.choice(("NA", "GCC", "APAC", "EU")),
                "channel": generator.choice(("Marketplace", "Web", "App")),
                "order_status": statuses[number],
                "items_count": generator.randint(1, 6),
                "gross_revenue": _money(gross),
                "discount_amount": _money(discount),
                "net_revenue": _money(gross - discount),
                "currency": tenant.currency,
            }
        )
    return rows


def fulfillment() -> Rows:
    """One row per order: promised after three days, delivered after three to five, "Shipped" ones too."""
    generator = random.Random(_SEED + 1)
    rows = []
    for order in orders():
        promised = order["order_date"] + dt.timedelta(days=3)
        actual = promised + dt.timedelta(days=generator.randint(0, 2))
        rows.append(
            {
                "tenant_id": order["tenant_id"],
                "order_id": order["order_id"],
                "warehouse": f"WH_{order['region']}_01",
                "carrier": generator.choice(CARRIERS),
                "promised_delivery_date": promised,
                "actual_delivery_date": actual,
                "fulfillment_status": order["order_status"],
                "sla_met": actual <= promised,
                "days_to_ship": generator.randint(1, 3),
            }
        )
    return rows


def campaigns() -> Rows:
    """One row per tenant and campaign day; nine of them have more clicks than impressions."""
    generator = random.Random(_SEED + 2)
    odd = set(generator.sample(range(CAMPAIGN_ROWS), ODD_CLICKS))
    span = (LAST_DAY - FIRST_DAY).days
    rows = []
    for number in range(CAMPAIGN_ROWS):
        impressions = generator.randint(500, 50_000)
        clicks = (
            impressions + generator.randint(1, 50)
            if number in odd
            else impressions * generator.randint(1, 8) // 100
        )
        conversions = clicks * generator.randint(0, 10) // 100
        rows.append(
            {
                "tenant_id": TENANTS[number % len(TENANTS)].tenant_id,
                "campaign_id": f"CMP{number + 1:05}",
                "date": FIRST_DAY + dt.timedelta(days=generator.randint(0, span)),
                "channel": generator.choice(("Meta Ads", "Google Ads", "Email")),
                "spend": _money(generator.randint(2_000, 150_000)),
                "impressions": impressions,
                "clicks": clicks,
                "conversions": conversions,
                "revenue_attributed": _money(conversions * generator.randint(1_000, 12_000)),
            }
        )  # fmt: skip
    return rows


def order_costs() -> Rows:
    """One row per order whose tenant says what it cost."""
    generator = random.Random(_SEED + 3)
    rows = []
    for number, order in enumerate(orders()):
        cost = int(order["net_revenue"].replace(".", "")) * generator.randint(40, 75) // 100
        told = order["tenant_id"] in TENANTS_WITH_COSTS and (order["tenant_id"] != "T007" or number % 2 == 0)
        if told:
            rows.append(
                {"tenant_id": order["tenant_id"], "order_id": order["order_id"], "cost": _money(cost)}
            )
    return rows


def users() -> Rows:
    """Forty users, one of each role for each tenant; his admin may manage the others."""
    generator = random.Random(_SEED + 4)
    rows: Rows = []
    for tenant in TENANTS:
        for published in PUBLISHED_ROLES:
            number = len(rows) + 1
            role = ROLES.get(published, published)
            rows.append(
                {
                    "user_id": f"U{number:03}",
                    "tenant_id": tenant.tenant_id,
                    "email": f"{role.lower()}@{tenant.tenant_id.lower()}.example",
                    "cognito_user_id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"shoppulse/{number}")),
                    "role": role,
                    "region": generator.choice(("GCC", "APAC", "NA", "EU")),
                    "store_id": f"ST{generator.randint(1, 5):03}",
                    "is_tenant_admin": role == "Admin",
                    "status": "Active",
                }
            )
    return rows


def visibility() -> Rows:
    """What each role sees: the seed's 16 rows for every tenant, and explicit refusals beside them."""
    seeded = {"T001", "T002", "T003"}
    return [
        {"tenant_id": tenant.tenant_id, "role": role, "metric_name": metric, "is_visible": shown}
        for tenant in TENANTS
        for source, shown in ((VISIBLE, True), (HIDDEN, False))
        if shown or tenant.tenant_id not in seeded
        for role, metrics in source.items()
        for metric in metrics
    ]


def _money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02}"


# -- files ----------------------------------------------------------------------------------------------------

DELIVERED: Final[dict[str, Callable[[], Rows]]] = {
    "orders": orders,
    "fulfillment": fulfillment,
    "campaigns": campaigns,
    "order_costs": order_costs,
}


def files() -> Iterator[tuple[str, bytes]]:
    """Key and content of every delivery: orders by year, each tenant in his own format."""
    for table, made in DELIVERED.items():
        rows = made()
        for tenant in TENANTS:
            own = [_delivered(row, tenant) for row in rows if row["tenant_id"] == tenant.tenant_id]
            parts = {"": own}
            if table == "orders":
                years = ("2023", "2024")
                parts = {
                    f"_{year}": [row for row in own if str(row["order_date"])[:4] == year] for year in years
                }
            for suffix, part in parts.items():
                if part:
                    key = f"tenants/{tenant.tenant_id}/{table}/{table}{suffix}.{tenant.file_format}"
                    yield key, _WRITERS[tenant.file_format](part)


def _delivered(row: dict[str, Any], tenant: SampleTenant) -> dict[str, Any]:
    """The row as the tenant writes it: JSON knows no days, so there they are moments of his own noon."""
    if tenant.file_format != "jsonl":
        return row
    offset = {"T002": "-05:00", "T005": "+03:00", "T008": "+01:00"}[tenant.tenant_id]
    return {
        name: f"{value}T12:00:00{offset}" if isinstance(value, dt.date) else value for name, value in row.items()
    }  # fmt: skip


_AMOUNTS: Final = ("gross_revenue", "discount_amount", "net_revenue", "spend", "revenue_attributed", "cost")


def _csv(rows: Rows) -> bytes:
    lines = [",".join(rows[0]), *(",".join(str(value) for value in row.values()) for row in rows)]
    return ("\n".join(lines) + "\n").encode()


def _json_lines(rows: Rows) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def _parquet(rows: Rows) -> bytes:
    import polars as pl

    buffer = io.BytesIO()
    frame = pl.DataFrame(rows)
    amounts = [name for name in frame.columns if name in _AMOUNTS]
    frame.with_columns(pl.col(amounts).cast(pl.Decimal(10, 2))).write_parquet(buffer)
    return buffer.getvalue()


_WRITERS: Final[dict[str, Callable[[Rows], bytes]]] = {
    "csv": _csv,
    "jsonl": _json_lines,
    "parquet": _parquet,
}


# -- putting them in place ------------------------------------------------------------------------------------


def place_tenants(connection: Connection) -> bool:
    """Tenants, settings, users and visibility, as a superuser; False when they are there already."""
    with connection.cursor() as cursor:
        cursor.execute("select count(*) from shoppulse.tenants where tenant_id = any(%s)", (_ids(),))
        if cursor.fetchall() == [(len(TENANTS),)]:
            return False
        for tenant in TENANTS:
            cursor.execute("begin")
            cursor.execute("select shoppulse.administer(%s)", (tenant.tenant_id,))
            cursor.execute(
                "insert into shoppulse.tenants (tenant_id, tenant_name, industry, plan_tier, country, created_date)"
                " values (%s, %s, %s, %s, %s, %s) on conflict do nothing",
                (tenant.tenant_id, tenant.name, tenant.industry, tenant.plan, tenant.country, tenant.created),
            )
            cursor.execute(
                "insert into shoppulse.tenant_settings (tenant_id, time_zone, currency) values (%s, %s, %s)"
                " on conflict do nothing",
                (tenant.tenant_id, tenant.time_zone, tenant.currency),
            )
            for table, rows in (("users", users()), ("role_metric_visibility", visibility())):
                for row in rows:
                    if row["tenant_id"] == tenant.tenant_id:
                        cursor.execute(_insert(table, list(row)), list(row.values()))
            cursor.execute("commit")
    return True


def left_out(connection: Connection) -> set[str]:
    """Tenants of the sample who deliver nothing any more: they were deactivated or erased."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select tenant_id from shoppulse.tenants where tenant_id = any(%s) and is_active is not true",
            (_ids(),),
        )
        return {tenant_id for (tenant_id,) in cursor.fetchall()}


def place_files(port: int, bucket: str, without: Collection[str] = ()) -> bool:
    """Every delivery into the bucket, but those of the tenants `without`; False when the last is there already.

    Plain PUTs, as for the bucket itself. The stand-in for AWS forgets them when it stops: then they are delivered
    again, and loading them again changes nothing.
    """
    last = _last_key(without)
    if last is None:
        return False
    connection = http.client.HTTPConnection(LOCALHOST, port, timeout=10)
    try:
        if _ask(connection, port, "HEAD", f"/{bucket}/{last}") == http.client.OK:
            return False
        for key, content in files():
            if key.split("/")[1] in without:
                continue
            status = _ask(connection, port, "PUT", f"/{bucket}/{key}", content)
            if status != http.client.OK:
                raise SandboxError(f"The AWS stand-in refused {key}: {status}")
    finally:
        connection.close()
    return True


def _last_key(without: Collection[str]) -> str | None:
    """The key of the last of `files()` that is not of one of these tenants, without making any of them."""
    formats = {tenant.tenant_id: tenant.file_format for tenant in TENANTS}
    for table, tenants in (("order_costs", TENANTS_WITH_COSTS), ("campaigns", tuple(formats))):
        left = [tenant for tenant in tenants if tenant not in without]
        if left:
            return f"tenants/{left[-1]}/{table}/{table}.{formats[left[-1]]}"
    return None


def _insert(table: str, columns: list[str]) -> Any:
    from psycopg2 import sql

    return sql.SQL("insert into {} ({}) values ({}) on conflict do nothing").format(
        sql.Identifier("shoppulse", table),
        sql.SQL(", ").join(map(sql.Identifier, columns)),
        sql.SQL(", ").join(sql.Placeholder() * len(columns)),
    )


def _ask(
    connection: http.client.HTTPConnection, port: int, method: str, path: str, content: bytes | None = None
) -> int:
    # The stand-in stores no object of somebody anonymous, and checks no signature.
    signed = "AWS4-HMAC-SHA256 Credential=sandbox/20240101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
    headers = {"Host": f"{LOCALHOST}:{port}", "Authorization": signed}
    connection.request(method, path, content, headers=headers)
    response = connection.getresponse()
    response.read()
    return response.status


def _ids() -> Sequence[str]:
    return [tenant.tenant_id for tenant in TENANTS]
