"""Tenants' deliveries on a stand-in for S3 and a real Postgres: every row once, no tenant's row in another's table."""

from __future__ import annotations

import gzip
import io
import json
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from commerce_assets.ledger import scan
from commerce_assets.objects import UploadStore
from commerce_assets.shoppulse import loading
from commerce_assets.shoppulse.deliveries import TABLES
from commerce_assets.shoppulse.loading import DELIVERIES, Loaded, Loading
from resources.database import connect
from resources.leases import lease
from resources.settings import AwsSettings, DatabaseSettings
from resources.sql import QueryRecord, Session
from sandbox.aws import ensure_bucket
from sandbox.postgres import PostgresServer

ORDERS = "order_id,order_date,gross_revenue,discount_amount,net_revenue\n"
GOOD = ORDERS + "O1,2024-01-01,10.00,1.00,9.00\nO2,2024-01-02,20.00,0,20.00\n"
CONTENTS = ("orders", "fulfillment", "marketing_campaigns", "order_costs", "changed_days", "quarantined_rows")


class Tenants:
    """Two active tenants and one that is not, one bucket, one warehouse."""

    def __init__(self, aws: AwsSettings, owner: DatabaseSettings, warehouse: DatabaseSettings) -> None:
        assert aws.endpoint_url is not None
        self.store = UploadStore(f"tenants-{uuid.uuid4().hex[:12]}", aws)
        ensure_bucket(int(aws.endpoint_url.rpartition(":")[2]), self.store.bucket)
        self.warehouse = warehouse
        self.statements: list[str] = []
        self.session = Session(
            lambda retry: connect(warehouse, application_name="test", retry=retry), self._observe
        )
        self.fail_after: int | None = None

    def _observe(self, record: QueryRecord) -> None:
        self.statements.append(record.text)
        if self.fail_after is not None and len(self.statements) >= self.fail_after:
            self.fail_after = None
            raise KeyboardInterrupt

    def put(self, place: str, content: str | bytes) -> None:
        raw = content.encode() if isinstance(content, str) else content
        self.store.put(f"tenants/{place}", raw, "text/csv")

    def load(self, *tables: str) -> Loaded:
        scan(self.session, self.store, ledger=DELIVERIES)
        return self._work(tables, loading.load)

    def replay(self, *tables: str) -> Loaded:
        return self._work(tables, lambda run: loading.replay(run, by_hand=True))

    def _work(self, tables: tuple[str, ...], work: Callable[[Loading], Loaded]) -> Loaded:
        total = Loaded()
        for name in tables or TABLES:
            table = TABLES[name]
            with lease(
                self.warehouse, loading.dataset(table), None, holder="test", execution_id=None
            ) as held:
                total.add(work(Loading(self.session, self.store, held, table)))
        return total

    def query(self, text: str) -> list[tuple[Any, ...]]:
        if self.session.connection.closed:
            self.session = Session(
                lambda retry: connect(self.warehouse, application_name="test", retry=retry)
            )
        with self.session.connection, self.session.connection.cursor() as cursor:
            cursor.execute(text)
            return cursor.fetchall() if cursor.description else []

    def codes(self) -> list[tuple[Any, ...]]:
        return self.query("select row_number, code, resolution from shoppulse.quarantined_rows order by 1")

    def stage(self) -> list[tuple[Any, ...]]:
        return self.query("select stage, failure_code from shoppulse.delivery_objects order by object_id")

    def days(self) -> list[tuple[str, str]]:
        found = self.query("select source, day::text from shoppulse.changed_days order by 1, 2")
        self.query("delete from shoppulse.changed_days")
        return found  # type: ignore[return-value]

    def contents(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of every table without what the clock or a sequence gave."""
        left_out = "{fulfillment_id,created_at,updated_at,noted_at,quarantine_id,quarantined_at,resolved_at,object_id}"
        return {
            table: self.query(
                f"select (to_jsonb(t) - '{left_out}'::text[])::text from shoppulse.{table} as t order by 1"
            )
            for table in CONTENTS
        }

    def places(self) -> list[tuple[Any, ...]]:
        tables = [table for table in CONTENTS if table not in ("changed_days", "quarantined_rows")]
        return [row for table in tables for row in self.query(f"select ctid, xmin from shoppulse.{table}")]

    def close(self) -> None:
        self.session.close()
        self.store.close()


@pytest.fixture
def tenants(
    aws: AwsSettings,
    postgres: PostgresServer,
    warehouse: DatabaseSettings,
    warehouse_as: Callable[[str], DatabaseSettings],
) -> Iterator[Tenants]:
    with postgres.session(warehouse.name) as superuser, superuser.cursor() as cursor:
        cursor.execute(
            "insert into shoppulse.tenants (tenant_id, tenant_name, is_active)"
            " values ('T001', 'One', true), ('T002', 'Two', true), ('T003', 'Three', false)"
        )
        cursor.execute(
            "insert into shoppulse.tenant_settings values ('T001', 'America/New_York', 'USD'), ('T002', 'UTC', 'EUR')"
        )
    made = Tenants(aws, warehouse, warehouse_as("commerce_etl"))
    yield made
    made.close()


def parquet(**columns: list[Any]) -> bytes:
    buffer = io.BytesIO()
    pl.DataFrame(columns).write_parquet(buffer)
    return buffer.getvalue()


# -- what is loaded -------------------------------------------------------------------------------------------


def test_all_formats_give_the_same_rows(tenants: Tenants) -> None:
    tenants.put("T001/orders/a.csv", GOOD)
    tenants.load()
    rows = tenants.query("select * from shoppulse.orders order by order_id")
    before = tenants.places()
    lines = [
        {"order_id": "O1", "order_date": "2024-01-01", "gross_revenue": 10.0, "discount_amount": 1, "net_revenue": "9"},
        {"Order ID": "O2", "order_date": "2024-01-02", "gross_revenue": 20, "discount_amount": 0, "net_revenue": 20.00},
    ]  # fmt: skip
    tenants.put("T001/orders/b.jsonl", "\n".join(map(json.dumps, lines)))
    tenants.put(
        "T001/orders/c.parquet",
        parquet(
            order_id=["O1", "O2"],
            order_date=[datetime(2024, 1, 1, 12), datetime(2024, 1, 2)],
            gross_revenue=[10.0, 20.0],
            discount_amount=[1, 0],
            net_revenue=["9.00", "20"],
            tenant_id=["T001", None],
        ),
    )
    tenants.put("T001/orders/d.csv.gz", gzip.compress(GOOD.encode()))
    loaded = tenants.load()
    assert (loaded.files, loaded.rows, loaded.unchanged, loaded.stored, loaded.quarantined) == (3, 6, 6, 0, 0)
    assert tenants.query("select * from shoppulse.orders order by order_id") == rows
    assert tenants.places() == before


def test_a_moment_with_a_zone_is_the_tenants_own_day(tenants: Tenants) -> None:
    """An order of 2 in the morning UTC is yesterday's in New York: counted on the wrong day, two days are wrong."""
    tenants.put("T001/orders/a.csv", "order_id,order_date\nO1,2024-01-02T02:00:00Z\nO2,2024-01-02 23:59\n")
    tenants.put("T002/orders/a.csv", "order_id,order_date\nO1,2024-01-02T02:00:00Z\n")
    tenants.load()
    assert tenants.query(
        "select tenant_id, order_id, order_date::text, currency from shoppulse.orders order by 1, 2"
    ) == [
        ("T001", "O1", "2024-01-01", "USD"),
        ("T001", "O2", "2024-01-02", "USD"),
        ("T002", "O1", "2024-01-02", "EUR"),
    ]


def test_only_rows_that_differ_are_written_and_columns_that_are_absent_stay(tenants: Tenants) -> None:
    tenants.put(
        "T001/orders/a.csv",
        "order_id,order_date,region,currency\nO1,2024-01-01,NA,CAD\nO2,2024-01-01,EU,CAD\n",
    )
    tenants.load()
    before = tenants.query("select order_id, ctid, xmin from shoppulse.orders order by 1")
    tenants.put("T001/orders/b.csv", "order_id,order_date,store_id\nO1,2024-01-01,\nO2,2024-01-01,ST1\n")
    loaded = tenants.load()
    assert (loaded.stored, loaded.unchanged) == (1, 1)
    after = tenants.query("select order_id, ctid, xmin from shoppulse.orders order by 1")
    assert after[0] == before[0]
    assert after[1] != before[1]
    assert tenants.query("select region, store_id, currency from shoppulse.orders order by order_id") == [
        ("NA", None, "CAD"),
        ("EU", "ST1", "CAD"),
    ]
    tenants.put("T001/orders/c.csv", "order_id,order_date,region\nO1,2024-01-01,\n")
    tenants.load()
    assert tenants.query("select region from shoppulse.orders where order_id = 'O1'") == [(None,)]


def test_late_rows_name_the_days_to_be_computed_again(tenants: Tenants) -> None:
    tenants.put("T001/orders/a.csv", "order_id,order_date,region\nO1,2024-01-01,NA\nO2,2024-01-05,NA\n")
    tenants.put("T001/fulfillment/a.csv", "order_id,promised_delivery_date\nO1,2024-01-04\n")
    tenants.put("T001/campaigns/a.csv", "campaign_id,date,spend\nC1,2024-01-09,5\n")
    tenants.load()
    assert tenants.days() == [
        ("campaigns", "2024-01-09"),
        ("fulfillment", "2024-01-04"),
        ("orders", "2024-01-01"),
        ("orders", "2024-01-05"),
    ]
    tenants.put("T001/orders/a.csv", "order_id,order_date,region\nO1,2024-01-02,NA\nO2,2024-01-05,NA\n")
    tenants.load()
    assert tenants.days() == [("orders", "2024-01-01"), ("orders", "2024-01-02")]
    tenants.put("T001/orders/a.csv", "order_id,order_date,region\nO1,2024-01-02,EU\n")
    tenants.load()
    assert tenants.days() == [("fulfillment", "2024-01-04"), ("orders", "2024-01-02")]
    tenants.put("T001/fulfillment/b.csv", "order_id,promised_delivery_date\nO1,2024-01-07\n")
    tenants.put("T001/order_costs/b.csv", "order_id,cost\nO2,3.5\n")
    tenants.put("T001/campaigns/b.csv", "campaign_id,date,spend\nC1,2024-01-08,5\n")
    tenants.load()
    assert tenants.days() == [
        ("campaigns", "2024-01-08"),
        ("campaigns", "2024-01-09"),
        ("fulfillment", "2024-01-04"),
        ("fulfillment", "2024-01-07"),
        ("orders", "2024-01-02"),
        ("orders", "2024-01-05"),
    ]
    tenants.load()
    assert tenants.days() == []


# -- what is not ----------------------------------------------------------------------------------------------


def test_a_row_of_another_tenant_is_refused_by_each_key(tenants: Tenants) -> None:
    """Named in the row, or through another tenant's order: neither reaches a table, and the other's row stays."""
    tenants.put("T002/orders/a.csv", GOOD)
    tenants.load()
    theirs = tenants.places()
    tenants.put(
        "T001/orders/a.csv", "order_id,order_date,tenant_id\nO1,2024-02-01,T002\nO9,2024-02-01,T001\n"
    )
    tenants.put("T001/fulfillment/a.csv", "order_id,carrier,tenant_id\nO1,DHL,\nO2,DHL,T002\n")
    tenants.put("T001/campaigns/a.csv", "campaign_id,date,tenant_id\nC1,2024-02-01,T002\n")
    tenants.put("T001/order_costs/a.csv", "order_id,cost\nO2,1\n")
    loaded = tenants.load()
    assert loaded.codes == {"CROSS_TENANT_ROW": 3, "ORDER_UNKNOWN": 2}
    assert tenants.query("select tenant_id, order_id from shoppulse.orders order by 1, 2") == [
        ("T001", "O9"),
        ("T002", "O1"),
        ("T002", "O2"),
    ]
    assert set(theirs) < set(tenants.places())
    assert tenants.query("select count(*) from shoppulse.fulfillment") == [(0,)]


@pytest.mark.parametrize(
    ("place", "content", "code"),
    [
        ("T009/orders/a.csv", GOOD, "UNKNOWN_TENANT"),
        ("t001/orders/a.csv", GOOD, "UNKNOWN_TENANT"),
        ("T'001/orders/a.csv", GOOD, "UNKNOWN_TENANT"),
        ("T001%/orders/a.csv", GOOD, "UNKNOWN_TENANT"),
        (f"{'T' * 500}/orders/a.csv", GOOD, "UNKNOWN_TENANT"),
        ("/orders/a.csv", GOOD, "UNKNOWN_TENANT"),
        ("T003/orders/a.csv", GOOD, "INACTIVE_TENANT"),
        ("T001/refunds/a.csv", GOOD, "UNKNOWN_TABLE"),
        ("T001/orders.csv", GOOD, "UNKNOWN_TABLE"),
        ("T001/orders/a.csv", "", "EMPTY_FILE"),
        ("T001/orders/a.csv", ORDERS, "HEADER_ONLY"),
        ("T001/orders/a.csv", "1,2,3\n4,5,6\n", "NO_HEADER"),
        ("T001/orders/a.csv", "order_id,net_revenue\nO1,1\n", "MISSING_COLUMNS"),
        ("T001/orders/a.csv", "order_id,order_date,Order-ID\nO1,2024-01-01,O1\n", "DUPLICATE_COLUMNS"),
        ("T001/orders/a.csv", "order_id,order_date,discount_ammount\nO1,2024-01-01,1\n", "UNKNOWN_COLUMNS"),
        ("T001/orders/a.json", '[{"order_id": "O1"}]', "JSON_ARRAY"),
        ("T001/orders/a.jsonl", '{"order_id": "O1", "day": 1}', "UNKNOWN_COLUMNS"),
        ("T001/orders/a.jsonl", '{"order_id": "O1"}', "MISSING_COLUMNS"),
        ("T001/orders/a.parquet", b"PAR1 and nothing more", "BROKEN_PARQUET"),
        ("T001/orders/a.parquet", parquet(order_id=["O1"], order_date=["2024-01-01"])[:-9], "BROKEN_PARQUET"),
        ("T001/orders/a.parquet", parquet(order_id=[["O1"]], order_date=["2024-01-01"]), "UNSUPPORTED_TYPE"),
        ("T001/orders/a.csv.gz", gzip.compress(GOOD.encode(), mtime=0)[:-12], "BROKEN_GZIP"),
        ("T001/orders/a.xlsx", b"PK\x03\x04 xl/ [Content_Types].xml", "XLSX_FILE"),
    ],
)
def test_a_file_that_cannot_be_loaded_is_refused_with_a_code(
    tenants: Tenants, place: str, content: str | bytes, code: str
) -> None:
    tenants.put(place, content)
    tenants.put("T002/orders/good.csv", GOOD)
    loaded = tenants.load()
    assert (loaded.files, loaded.refused_files) == (1, 1)
    assert sorted(tenants.stage()) == [("loaded", None), ("refused", code)]
    assert tenants.query("select distinct tenant_id from shoppulse.orders") == [("T002",)]
    assert tenants.load().refused_files == 0


def test_a_file_of_a_tenant_that_becomes_active_later_is_loaded_then(
    tenants: Tenants, postgres: PostgresServer
) -> None:
    tenants.put("T003/orders/a.csv", GOOD)
    tenants.load()
    assert tenants.stage() == [("refused", "INACTIVE_TENANT")]
    with postgres.session(tenants.warehouse.name) as superuser, superuser.cursor() as cursor:
        cursor.execute("update shoppulse.tenants set is_active = true where tenant_id = 'T003'")
    assert tenants.load().stored == 2


def test_each_refused_row_has_a_code_and_its_text_as_it_came(tenants: Tenants) -> None:
    rows = [
        ("O1,2024-01-01, 1.50 ,2", None),
        (",2024-01-01,1,2", "MISSING_KEY"),
        ("O2,,1,2", "MISSING_VALUE"),
        ("O3,01/02/2024,1,2", "INVALID_DATE"),
        ("O4,2024-02-30,1,2", "INVALID_DATE"),
        ("O5,0024-02-03,1,2", "INVALID_DATE"),
        ("O6,2024-01-01,1.005,2", "INVALID_NUMBER"),
        ("O7,2024-01-01,\"1,000\",2", "INVALID_NUMBER"),
        ("O8,2024-01-01,123456789.00,2", "INVALID_NUMBER"),
        ("O9,2024-01-01,NaN,2", "INVALID_NUMBER"),
        ("OA,2024-01-01,1,2.5", "INVALID_NUMBER"),
        ("OB,2024-01-01,1,2147483648", "INVALID_NUMBER"),
        (f"{'O' * 21},2024-01-01,1,2", "TOO_LONG"),
        ("OC,2024-01-01,1", "TOO_FEW_CELLS"),
        ("OD,2024-01-01,1e3,2", "INVALID_NUMBER"),
        ("O1,2024-01-01,2.50,3", None),
    ]  # fmt: skip
    header = "order_id,order_date,gross_revenue,items_count\n"
    tenants.put("T001/orders/a.csv", header + "\n".join(row for row, _ in rows) + "\n")
    loaded = tenants.load()
    expected = [(1, "DUPLICATE_KEY", "overtaken")]
    expected += [(place, code, None) for place, (_, code) in enumerate(rows, 1) if code]  # type: ignore[misc]
    assert tenants.codes() == expected
    assert loaded.rows == loaded.stored + loaded.unchanged + loaded.quarantined == len(rows)
    assert tenants.query("select order_id, gross_revenue::text, items_count from shoppulse.orders") == [
        ("O1", "2.50", 3)
    ]
    kept = (
        "select original from shoppulse.quarantined_rows where row_number in (1, 8, 14) order by row_number"
    )
    assert tenants.query(kept) == [
        ({"order_id": "O1", "order_date": "2024-01-01", "gross_revenue": " 1.50 ", "items_count": "2"},),
        ({"order_id": "O7", "order_date": "2024-01-01", "gross_revenue": "1,000", "items_count": "2"},),
        ({"_cells": ["OC", "2024-01-01", "1"]},),
    ]  # fmt: skip


def test_repeated_keys_are_found_also_when_they_are_too_many_to_remember(
    tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading._Keys, "MOST", 1)
    tenants.put(
        "T001/campaigns/a.csv", "campaign_id,date,clicks\nC1,2024-01-01,1\nC2,2024-01-01,1\nC1,2024-01-01,2\n"
    )
    loaded = tenants.load("campaigns")
    assert (loaded.rows, loaded.stored, loaded.codes) == (3, 2, {"DUPLICATE_KEY": 1})
    assert tenants.query("select campaign_id, clicks from shoppulse.marketing_campaigns order by 1") == [
        ("C1", 2),
        ("C2", 1),
    ]


def test_what_is_odd_but_possible_is_stored_and_counted(tenants: Tenants) -> None:
    tenants.put(
        "T001/orders/a.csv", ORDERS + "O1,2024-01-01,10,1,8\nO2,2024-01-01,10,11,-1\nO3,2024-01-01,10,,\n"
    )
    tenants.put(
        "T001/fulfillment/a.csv",
        "order_id,promised_delivery_date,actual_delivery_date,sla_met\nO1,2024-01-03,2024-01-04,true\nO2,2024-01-03,,no\n",
    )
    tenants.put(
        "T001/campaigns/a.csv", "campaign_id,date,impressions,clicks,conversions\nC1,2024-01-01,5,9,1\n"
    )
    loaded = tenants.load()
    assert loaded.stored == 6
    assert loaded.flags == {
        "NET_IS_NOT_GROSS_LESS_DISCOUNT": 1,
        "DISCOUNT_OUTSIDE_GROSS": 1,
        "SLA_CONTRADICTS_DATES": 1,
        "CLICKS_ABOVE_IMPRESSIONS": 1,
    }


# -- order of deliveries, waiting rows ------------------------------------------------------------------------


def test_rows_that_came_before_their_order_are_stored_once_it_is_there(tenants: Tenants) -> None:
    tenants.put("T001/fulfillment/a.csv", "order_id,carrier\nO1,DHL\nO2,UPS\nO7,GLS\n")
    tenants.put("T001/order_costs/a.csv", "order_id,cost\nO1,4\n")
    assert tenants.load().codes == {"ORDER_UNKNOWN": 4}
    tenants.put("T001/orders/a.csv", GOOD)
    loaded = tenants.load()
    assert loaded.replayed == 3
    assert tenants.query("select order_id, carrier from shoppulse.fulfillment order by 1") == [
        ("O1", "DHL"),
        ("O2", "UPS"),
    ]
    assert tenants.query(
        "select row_key, resolution from shoppulse.quarantined_rows where table_name = 'fulfillment' order by 1"
    ) == [("O1", "stored"), ("O2", "stored"), ("O7", None)]
    before = tenants.contents()
    assert tenants.load().replayed == 0
    assert tenants.contents() == before


def test_a_waiting_row_never_overwrites_what_was_delivered_after_it(tenants: Tenants) -> None:
    tenants.put("T001/fulfillment/a.csv", "order_id,carrier\nO1,DHL\nO2,DHL\n")
    tenants.load()
    tenants.put("T001/fulfillment/b.csv", "order_id,carrier\nO1,UPS\n")
    tenants.load()
    tenants.put("T001/orders/a.csv", GOOD)
    tenants.load()
    assert tenants.query("select order_id, carrier from shoppulse.fulfillment order by 1") == [
        ("O1", "UPS"),
        ("O2", "DHL"),
    ]
    assert tenants.query(
        "select resolution, count(*) from shoppulse.quarantined_rows group by 1 order by 1"
    ) == [
        ("overtaken", 1),
        ("stored", 2),
    ]


def test_an_older_delivery_that_is_found_later_gives_way_to_the_newer(tenants: Tenants) -> None:
    """Seen late, as after a large upload in parts, whose time is that of its beginning."""
    tenants.put("T001/orders/a.csv", "order_id,order_date,net_revenue\nO1,2024-01-01,1\nO2,2024-01-01,1\n")
    tenants.load()
    tenants.put("T001/orders/c.csv", "order_id,order_date,net_revenue\nO1,2024-01-01,1\nO3,2024-01-01,3\n")
    tenants.load()
    tenants.put(
        "T001/orders/b.csv",
        "order_id,order_date,net_revenue\nO1,2024-01-01,2\nO2,2024-01-01,2\nO3,x,2\nO4,2024-01-01,2\n",
    )
    scan(tenants.session, tenants.store, ledger=DELIVERIES)
    for name, day in (("a", 1), ("b", 2), ("c", 3)):
        tenants.query(
            f"update shoppulse.delivery_objects set last_modified = '2024-01-0{day}'"
            f" where object_key like '%{name}.csv'"
        )
    loaded = tenants._work(("orders",), loading.load)
    assert (loaded.stored, loaded.unchanged, loaded.overtaken, loaded.quarantined) == (2, 1, 1, 1)
    assert tenants.query("select order_id, net_revenue::integer from shoppulse.orders order by 1") == [
        ("O1", 1),
        ("O2", 2),
        ("O3", 3),
        ("O4", 2),
    ]
    assert tenants.codes() == [(3, "INVALID_DATE", "overtaken")]


def test_a_late_delivery_is_refused_when_the_newer_one_cannot_be_read_again(tenants: Tenants) -> None:
    tenants.put("T001/orders/b.csv", GOOD)
    tenants.load()
    version = tenants.store.versions("tenants/").objects[0]
    tenants.store.client.delete_object(
        Bucket=tenants.store.bucket, Key=version.key, VersionId=version.version_id
    )
    tenants.put("T001/orders/a.csv", "order_id,order_date\nO1,2023-01-01\n")
    scan(tenants.session, tenants.store, ledger=DELIVERIES)
    tenants.query("update shoppulse.delivery_objects set last_modified = '2020-01-01' where stage = 'seen'")
    tenants._work(("orders",), loading.load)
    assert tenants.stage() == [("loaded", None), ("refused", "OVERTAKEN")]


def test_overwritten_files_count_in_the_order_in_which_they_came(tenants: Tenants) -> None:
    for amount in (1, 2, 3):
        tenants.put("T001/orders/a.csv", f"order_id,order_date,net_revenue\nO1,2024-01-01,{amount}\n")
    assert tenants.load().files == 3
    assert tenants.query("select net_revenue::integer from shoppulse.orders") == [(3,)]


def test_a_corrected_row_settles_the_refused_one(tenants: Tenants) -> None:
    tenants.put("T001/orders/a.csv", "order_id,order_date\nO1,soon\nO2,2024-01-01\n")
    tenants.load()
    tenants.put("T001/orders/b.csv", "order_id,order_date\nO1,2024-01-03\n")
    tenants.load()
    assert tenants.codes() == [(1, "INVALID_DATE", "overtaken")]


def test_a_replay_by_hand_stores_what_a_first_load_would(
    tenants: Tenants, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a rule was mended: the same rows as if they came now, and what is still wrong stays with its code."""
    tenants.put(
        "T001/orders/a.csv",
        "order_id,order_date,net_revenue\nO1,2124-01-01,5\nO2,2024-13-01,5\nO3,2024-01-01,5,\n",
    )
    tenants.load()
    monkeypatch.setattr("commerce_assets.shoppulse.deliveries.LAST_DAY", "2199-12-31")
    assert tenants.replay("orders").replayed == 1
    assert tenants.query("select order_id, order_date::text, net_revenue::text from shoppulse.orders") == [
        ("O1", "2124-01-01", "5.00")
    ]
    assert tenants.codes() == [
        (1, "INVALID_DATE", "stored"),
        (2, "INVALID_DATE", None),
        (3, "TOO_MANY_CELLS", None),
    ]


# -- promises -------------------------------------------------------------------------------------------------


def a_mixed_lot(tenants: Tenants) -> None:
    tenants.put(
        "T001/fulfillment/a.csv",
        "order_id,carrier,promised_delivery_date\nO1,DHL,2024-01-05\nO8,UPS,2024-01-05\n",
    )
    tenants.load()
    tenants.put("T001/orders/a.csv", GOOD + "O3,nope,1,1,1\nO1,2024-01-03,1,1,1\n")
    tenants.put("T002/orders/a.jsonl", '{"order_id": "O1", "order_date": "2024-01-01"}\n{nope}\n')
    tenants.put("T001/orders/b.parquet", parquet(order_id=["O2"], order_date=["2024-01-09"]))
    tenants.put("T001/order_costs/a.csv", "order_id,cost\nO2,4\nO5,1\n")
    tenants.put("T001/campaigns/a.csv", "campaign_id,date\nC1,2024-01-01\n")
    tenants.put("T001/campaigns/broken.csv", "campaign_id\nC1\n")
    scan(tenants.session, tenants.store, ledger=DELIVERIES)


def test_killed_at_every_statement_it_ends_as_if_undisturbed(
    aws: AwsSettings, tenants: Tenants, warehouse: DatabaseSettings, postgres: PostgresServer
) -> None:
    a_mixed_lot(tenants)
    tenants.statements.clear()
    # The undisturbed run is on a copy of the database, which starts from the same place.
    template = f"{warehouse.name}_before"
    tenants.session.close()
    postgres.create_database(template, owner=warehouse.user, template=warehouse.name)
    try:
        tenants.query("select 1")
        tenants.session.close()
        tenants.session = Session(
            lambda retry: connect(tenants.warehouse, application_name="test", retry=retry), tenants._observe
        )
        tenants._work((), loading.load)
        count, undisturbed = len(tenants.statements), tenants.contents()
        assert count > 60
        for place in range(1, count, 4):
            tenants.session.close()
            postgres.drop_database(warehouse.name)
            postgres.create_database(warehouse.name, owner=warehouse.user, template=template)
            tenants.session = Session(
                lambda retry: connect(tenants.warehouse, application_name="test", retry=retry),
                tenants._observe,
            )
            tenants.statements.clear()
            tenants.fail_after = place
            with pytest.raises(KeyboardInterrupt):
                tenants._work((), loading.load)
            tenants.session.close()
            tenants.query("select 1")
            tenants._work((), loading.load)
            assert tenants.contents() == undisturbed, place
    finally:
        tenants.session.close()
        postgres.drop_database(template)


@pytest.mark.parametrize("gone", [False, True], ids=["deactivated", "taken out of the ledger"])
def test_nothing_follows_the_erasure_of_a_tenant(
    tenants: Tenants, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch, gone: bool
) -> None:
    """It may run while a delivery is loaded: rows that come after it are of somebody who was to be forgotten."""
    tenants.put("T001/orders/a.csv", GOOD)

    def erase(record: QueryRecord) -> None:
        if "stored yet" in record.text.partition("\n")[0]:
            with postgres.session(tenants.warehouse.name) as superuser, superuser.cursor() as cursor:
                cursor.execute("update shoppulse.tenants set is_active = false where tenant_id = 'T001'")
                if gone:
                    cursor.execute("delete from shoppulse.delivery_objects")

    monkeypatch.setattr(tenants.session, "_observe", erase)
    assert tenants.load("orders").refused_files == 1
    assert tenants.query("select count(*) from shoppulse.orders") == [(0,)]
    assert tenants.stage() == ([] if gone else [("refused", "INACTIVE_TENANT")])


def test_a_run_that_lost_its_lease_stores_nothing(tenants: Tenants) -> None:
    tenants.put("T001/orders/a.csv", GOOD)
    scan(tenants.session, tenants.store, ledger=DELIVERIES)
    table = TABLES["orders"]
    with lease(tenants.warehouse, loading.dataset(table), None, holder="test", execution_id=None) as held:
        tenants.query("delete from ops.write_leases")
        with pytest.raises(Exception, match="lost the lease"):
            loading.load(Loading(tenants.session, tenants.store, held, table))
    assert tenants.query("select count(*) from shoppulse.orders") == [(0,)]


CELL = st.sampled_from(["O1", "O2", "O3", "O4", "", "x" * 30])
DAY = st.sampled_from(["2024-01-01", "2024-01-02", "2024-02-30", "", "2024-01-03T23:00:00-05:00"])
AMOUNT = st.sampled_from(["1", "2.50", "", "1.234", "-3", "one"])
TENANT = st.sampled_from(["", "T001", "T002"])
FILES = st.lists(
    st.lists(st.tuples(CELL, DAY, AMOUNT, TENANT), min_size=1, max_size=8), min_size=1, max_size=3
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=FILES)
def test_rows_in_are_stored_unchanged_or_quarantined_and_the_last_word_counts(
    tenants: Tenants, files: list[list[tuple[str, str, str, str]]]
) -> None:
    tenants.query("delete from shoppulse.delivery_objects")
    tenants.query("delete from shoppulse.orders")
    name = uuid.uuid4().hex
    expected: dict[str, str] = {}
    for number, rows in enumerate(files):
        lines = "".join(",".join(row) + "\n" for row in rows)
        tenants.put(f"T001/orders/{name}-{number}.csv", "order_id,order_date,net_revenue,tenant_id\n" + lines)
        for order, day, amount, tenant in rows:
            good = order in ("O1", "O2", "O3", "O4") and day not in ("", "2024-02-30")
            if good and amount not in ("1.234", "one") and tenant != "T002":
                expected[order] = amount
    scan(tenants.session, tenants.store, ledger=DELIVERIES)
    tenants.query(f"delete from shoppulse.delivery_objects where object_key not like '%{name}%'")
    loaded = tenants._work(("orders",), loading.load)
    assert loaded.rows == sum(map(len, files)) == loaded.stored + loaded.unchanged + loaded.quarantined
    found = tenants.query("select order_id, net_revenue from shoppulse.orders order by 1")
    assert {order: None if amount is None else float(amount) for order, amount in found} == {
        order: float(amount) if amount else None for order, amount in expected.items()
    }
    assert tenants.query("select count(*) from shoppulse.quarantined_rows") == [(loaded.quarantined,)]
