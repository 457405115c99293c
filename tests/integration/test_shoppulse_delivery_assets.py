"""Tenants' deliveries through Dagster: assets and checks, run twice; the sensor; the commands."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from commerce_assets import tenant_data_checks
from commerce_assets.assets import tenant_data
from commerce_assets.automation import tenant_deliveries
from commerce_assets.objects import UploadStore
from commerce_assets.resources import UploadsResource
from commerce_assets.shoppulse import deliver, replay
from resources.aws import aws_client
from resources.postgres import PostgresResource
from resources.settings import AwsSettings, DatabaseSettings
from sandbox import shoppulse as sample
from sandbox.aws import ensure_bucket
from sandbox.postgres import PostgresServer
from tests.odoo_apn_pipeline import query

ORDERS = "order_id,order_date,net_revenue\nO1,2024-01-01,5\nO2,2024-01-02,6\n"


class Location:
    """The assets of what tenants deliver, on a bucket and a warehouse of their own."""

    def __init__(self, aws: AwsSettings, warehouse: DatabaseSettings, bucket: str) -> None:
        self.warehouse, self.store = warehouse, UploadStore(bucket, aws)
        self.resources: dict[str, Any] = {
            "warehouse": PostgresResource(location="COMMERCE"),
            "uploads": UploadsResource(),
        }
        self.assets = dg.load_assets_from_modules([tenant_data])
        self.checks = dg.load_asset_checks_from_modules([tenant_data_checks])

    def put(self, place: str, content: str) -> None:
        self.store.put(f"tenants/{place}", content.encode(), "text/csv")

    def materialize(self) -> dg.ExecuteInProcessResult:
        return dg.materialize([*self.assets, *self.checks], resources=self.resources)  # type: ignore[list-item]

    def failed_checks(self) -> set[str]:
        result = dg.materialize(
            [*self.checks],
            resources=self.resources,
            selection=dg.AssetSelection.all_asset_checks(),
        )
        return {check.check_name for check in result.get_asset_check_evaluations() if not check.passed}

    def tick(self) -> list[Any]:
        with dg.build_sensor_context(resources=self.resources) as context:
            return list(tenant_deliveries(context))


@pytest.fixture
def location(
    aws: AwsSettings,
    postgres: PostgresServer,
    warehouse: DatabaseSettings,
    warehouse_as: Callable[[str], DatabaseSettings],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Location]:
    bucket = f"tenants-{uuid.uuid4().hex[:12]}"
    assert aws.endpoint_url is not None
    ensure_bucket(int(aws.endpoint_url.rpartition(":")[2]), bucket)
    monkeypatch.setenv("UPLOAD_BUCKET", bucket)
    with postgres.session(warehouse.name) as superuser, superuser.cursor() as cursor:
        cursor.execute("insert into shoppulse.tenants (tenant_id, tenant_name) values ('T001', 'One')")
    login = warehouse_as("commerce_etl")
    for name in ("host", "port", "name", "user", "password", "sslmode"):
        monkeypatch.setenv(f"COMMERCE_DB_{name.upper()}", str(getattr(login, name)))
    made = Location(aws, login, bucket)
    yield made
    made.store.close()


def test_delivered_files_are_loaded_and_a_second_run_changes_nothing(location: Location) -> None:
    location.put("T001/orders/a.csv", ORDERS)
    location.put("T001/fulfillment/a.csv", "order_id,carrier\nO1,DHL\n")
    location.put("T001/campaigns/a.csv", "campaign_id,date\nC1,2024-01-01\n")
    location.put("T001/order_costs/a.csv", "order_id,cost\nO1,1\n")
    result = location.materialize()
    assert result.success
    assert all(check.passed for check in result.get_asset_check_evaluations())
    (orders,) = result.asset_materializations_for_node("tenant_orders")
    facts = {name: value.value for name, value in orders.metadata.items()}
    assert (facts["dagster/row_count"], facts["rows_read"], facts["rows_stored"]) == (2, 2, 2)
    places = "select ctid, xmin from shoppulse.orders union all select ctid, xmin from shoppulse.fulfillment"
    before = query(location.warehouse, places)
    assert location.materialize().success
    assert query(location.warehouse, places) == before


def test_the_sensor_asks_once_for_each_delivery(location: Location) -> None:
    (skipped,) = location.tick()
    assert isinstance(skipped, dg.SkipReason)
    location.put("T001/orders/a.csv", ORDERS)
    location.put("T001/orders/b.csv", ORDERS)
    (request,) = location.tick()
    assert isinstance(request, dg.RunRequest)
    assert request.tags["commerce/deliveries"] == "2"
    assert re.fullmatch(r"deliveries-[0-9]+-[0-9]+:1", str(request.run_key))
    assert isinstance(location.tick()[0], dg.SkipReason)
    location.put("T001/orders/a.csv", ORDERS)
    (overwritten,) = location.tick()
    assert isinstance(overwritten, dg.RunRequest)
    assert overwritten.run_key != request.run_key


def test_a_file_that_was_gone_and_came_again_is_no_warning(location: Location, aws: AwsSettings) -> None:
    """Interrupted and started again, the sandbox delivers the same keys; thirty were a warning for a week."""
    location.put("T001/orders/a.csv", ORDERS)
    location.tick()
    (version,) = location.store.versions("tenants/").objects
    client = aws_client("s3", aws)
    client.delete_object(Bucket=location.store.bucket, Key=version.key, VersionId=version.version_id)
    location.materialize()
    assert location.failed_checks() == {"no_file_was_refused"}
    location.put("T001/orders/a.csv", ORDERS)
    location.materialize()
    assert location.failed_checks() == set()


def test_checks_name_what_is_wrong_and_odd_numbers_only_warn(location: Location) -> None:
    location.put(
        "T001/orders/a.csv",
        "order_id,order_date,gross_revenue,discount_amount,net_revenue\nO1,2024-01-01,9,1,9\nO2,x,1,1,0\n",
    )
    location.put(
        "T001/fulfillment/a.csv",
        "order_id,promised_delivery_date,actual_delivery_date,sla_met\nO1,2024-01-03,2024-01-04,true\nO7,,,\n",
    )
    location.put(
        "T001/campaigns/a.csv", "campaign_id,date,impressions,clicks\nC1,2024-01-01,5,9\nC2,no,1,1\n"
    )
    location.put("T001/order_costs/a.csv", "order_id,cost\nO1,-1\n")
    location.put("T009/orders/a.csv", ORDERS)
    result = location.materialize()
    assert result.success
    warned = {check.check_name: check for check in result.get_asset_check_evaluations() if not check.passed}
    assert set(warned) == {
        "order_amounts_agree",
        "sla_agrees_with_dates",
        "clicks_are_not_above_impressions",
        "no_file_was_refused",
        "orders_are_not_in_quarantine",
        "fulfillment_is_not_in_quarantine",
        "campaigns_are_not_in_quarantine",
        "order_costs_are_not_in_quarantine",
    }
    assert all(check.severity == dg.AssetCheckSeverity.WARN for check in warned.values())
    assert warned["clicks_are_not_above_impressions"].metadata["examples"].value == ["T001 C1"]
    assert warned["no_file_was_refused"].metadata["examples"].value == [
        "tenants/T009/orders/a.csv UNKNOWN_TENANT"
    ]
    assert warned["fulfillment_is_not_in_quarantine"].metadata["examples"].value == ["T001 O7 ORDER_UNKNOWN"]


def test_checks_fire_when_rows_are_missing_or_a_delivery_waits(location: Location) -> None:
    for table, key in (("orders", "order_id"), ("campaigns", "campaign_id")):
        location.put(f"T001/{table}/a.csv", f"{key},{'order_date' if key == 'order_id' else 'date'}\nA,x\n")
    location.put("T001/fulfillment/a.csv", "order_id,carrier\nO9,DHL\n")
    location.put("T001/order_costs/a.csv", "order_id,cost\nO9,1\n")
    location.materialize()
    query(location.warehouse, "delete from shoppulse.quarantined_rows")
    location.put("T001/orders/late.csv", ORDERS)
    location.tick()
    query(
        location.warehouse,
        "update shoppulse.delivery_objects set seen_at = now() - interval '2 hours' where stage = 'seen'",
    )
    assert location.failed_checks() == {
        "orders_add_up",
        "fulfillment_adds_up",
        "campaigns_add_up",
        "order_costs_add_up",
        "no_delivery_is_stuck",
    }


def test_a_file_is_delivered_tried_and_replayed_by_command(
    location: Location, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(deliver, "read_env_file", lambda: [])
    monkeypatch.setattr(replay, "read_env_file", lambda: [])
    file = tmp_path / "orders.csv"
    file.write_text(ORDERS + "O3,someday,7\n")
    there = ["--tenant", "T001", "--table", "orders"]
    assert deliver.main([str(file), *there, "--dry-run"]) == 2
    assert "INVALID_DATE: 1" in capsys.readouterr().out
    assert deliver.main([str(tmp_path / "none.csv"), *there]) == 1
    assert "No such file" in capsys.readouterr().err
    assert deliver.main([str(file), *there]) == 0
    key = deliver.upload(location.store, file, "T009", "orders", datetime(2026, 11, 21, tzinfo=UTC))
    assert key == "tenants/T009/orders/20261121_000000_orders.csv"
    location.materialize()
    assert query(location.warehouse, "select count(*) from shoppulse.orders") == [(2,)]
    assert replay.main(["--tenant", "T001"]) == 0
    assert "0 rows were taken" in capsys.readouterr().out
    assert replay.main(["--files"]) == 0
    assert "1 refused files are read again" in capsys.readouterr().out
    stages = "select stage from shoppulse.delivery_objects where tenant_id = 'T009'"
    assert query(location.warehouse, stages) == [("seen",)]


@pytest.mark.parametrize(
    ("tenant", "found"),
    [("T009", "There is no tenant 'T009'."), ("T002", "not active"), ("T003", "no IANA name")],
)
@pytest.mark.parametrize("trial", [[], ["--dry-run"]])
def test_nothing_is_delivered_for_a_tenant_of_whom_nothing_is_loaded(
    location: Location,
    postgres: PostgresServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tenant: str,
    found: str,
    trial: list[str],
) -> None:
    """The file was uploaded with exit status 0, also for a tenant whose data had just been erased from the bucket."""
    monkeypatch.setattr(deliver, "read_env_file", lambda: [])
    with postgres.session(location.warehouse.name) as superuser, superuser.cursor() as cursor:
        cursor.execute(
            "insert into shoppulse.tenants (tenant_id, tenant_name, is_active)"
            " values ('T002', '', false), ('T003', '', true);"
            "insert into shoppulse.tenant_settings (tenant_id, time_zone) values ('T003', 'EST5EDT4')"
        )
    file = tmp_path / "orders.csv"
    file.write_text(ORDERS)
    assert deliver.main([str(file), "--tenant", tenant, "--table", "orders", *trial]) == 1
    told = capsys.readouterr().err
    assert found in told
    assert f"delivering for the tenant {tenant}" in told
    assert "shoppulse.tenant" in told, "what to do next"
    assert location.store.versions("tenants/").objects == ()


def test_without_a_warehouse_to_ask_a_file_is_delivered_all_the_same(
    location: Location, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliver, "read_env_file", lambda: [])
    for name in ("COMMERCE_DB_HOST", "DB_HOST"):
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / "orders.csv"
    file.write_text(ORDERS)
    assert deliver.main([str(file), "--tenant", "T009", "--table", "orders"]) == 0
    assert len(location.store.versions("tenants/T009/").objects) == 1


def test_a_dry_run_counts_what_the_load_puts_into_quarantine(
    location: Location, tmp_path: Path, postgres: PostgresServer
) -> None:
    """A key that came twice passed the dry run, and its earlier row was in quarantine after the load; days were told
    by the clock of UTC, unless the tenant's was given.
    """
    with postgres.session(location.warehouse.name) as superuser, superuser.cursor() as cursor:
        cursor.execute("insert into shoppulse.tenant_settings values ('T001', 'Asia/Tokyo', 'JPY')")
    text = (
        "order_id,order_date,net_revenue\n"
        + "".join(f"O{number},2024-01-01,1\n" for number in range(30_000))
        + "O1,2024-01-02,2\nO1 ,2024-01-02,3\nO2,never,1\nO3,1969-12-31T20:00:00Z,1\n,2024-01-01,1\n"
    )
    file = tmp_path / "orders.csv"
    file.write_text(text)
    tenant = deliver.delivering_tenant(location.warehouse, "T001")
    assert (tenant.time_zone, tenant.currency) == ("Asia/Tokyo", "JPY")
    trial = deliver.dry_run(file, tenant, "orders")
    assert (trial.rows, trial.problem) == (30_005, None)
    assert trial.codes == {"DUPLICATE_KEY": 3, "INVALID_DATE": 1, "MISSING_KEY": 1}
    assert [example.partition(": ")[2].partition(":")[0] for example in trial.examples] == [
        "INVALID_DATE",
        "MISSING_KEY",
    ]
    location.put("T001/orders/a.csv", text)
    location.materialize()
    quarantined = query(
        location.warehouse, "select code, count(*) from shoppulse.quarantined_rows group by 1"
    )
    assert dict(quarantined) == trial.codes


def test_a_dry_run_with_a_time_zone_that_there_is_not_is_refused(
    location: Location, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It ended with a traceback of the library that reads times, or not at all."""
    file = tmp_path / "orders.csv"
    file.write_text("order_id,order_date\nO1,2024-01-01T00:00:00Z\n")
    arguments = [str(file), "--tenant", "T001", "--table", "orders", "--dry-run", "--time-zone"]
    assert deliver.main([*arguments, "Mars/Base"]) == 1
    assert "'Mars/Base' is no IANA name" in capsys.readouterr().err
    assert deliver.main([*arguments, "Asia/Tokyo"]) == 0


def test_the_sample_of_the_sandbox_is_loaded_with_its_flaws(
    location: Location, aws: AwsSettings, postgres: PostgresServer
) -> None:
    """What `make run` shows: every published count, nothing in quarantine, the nine odd campaign rows named."""
    assert aws.endpoint_url is not None
    port = int(aws.endpoint_url.rpartition(":")[2])
    with postgres.session(location.warehouse.name) as superuser:
        assert sample.place_tenants(superuser)
        assert not sample.place_tenants(superuser)
    assert sample.place_files(port, location.store.bucket)
    assert not sample.place_files(port, location.store.bucket)
    result = location.materialize()
    assert result.success
    (warned,) = [check for check in result.get_asset_check_evaluations() if not check.passed]
    assert warned.check_name == "clicks_are_not_above_impressions"
    assert warned.metadata["failed"].value == 9
    counts = "select count(*) from shoppulse.{}"
    for table, rows in (
        ("orders", 4610),
        ("fulfillment", 4610),
        ("marketing_campaigns", 1094),
        ("order_costs", len(sample.order_costs())),
        ("quarantined_rows", 0),
    ):
        assert query(location.warehouse, counts.format(table)) == [(rows,)], table
    assert query(
        location.warehouse, "select order_status, count(*) from shoppulse.orders group by 1 order by 2 desc"
    ) == list(sample.STATUSES.items())
    stored = "select tenant_id, order_id, order_date, net_revenue::text, currency from shoppulse.orders order by 1, 2"
    assert query(location.warehouse, stored) == [
        tuple(row[name] for name in ("tenant_id", "order_id", "order_date", "net_revenue", "currency"))
        for row in sorted(sample.orders(), key=lambda row: (row["tenant_id"], row["order_id"]))
    ]
    with postgres.session(location.warehouse.name) as superuser, superuser.cursor() as cursor:
        cursor.execute(
            "select role, count(*) from shoppulse.users where user_id like 'U0%' group by 1 order by 1"
        )
        assert cursor.fetchall() == [("Admin", 10), ("Finance", 10), ("Marketing", 10), ("Operations", 10)]


def test_the_sandbox_does_not_deliver_again_what_was_erased(
    location: Location, aws: AwsSettings, postgres: PostgresServer
) -> None:
    """After `make down` the stand-in for S3 is empty, and `make up` put the files of an erased tenant back."""
    assert aws.endpoint_url is not None
    port = int(aws.endpoint_url.rpartition(":")[2])
    with postgres.session(location.warehouse.name) as superuser, superuser.cursor() as cursor:
        sample.place_tenants(superuser)
        assert sample.left_out(superuser) == set()
        # The last one of the files is his.
        cursor.execute(
            "begin; select shoppulse.administer('T007'); set local role shoppulse_maintenance;"
            " select count(*) from shoppulse.erase_tenant('T007'); commit"
        )
        assert not sample.place_tenants(superuser)
        without = sample.left_out(superuser)
    assert without == {"T007"}
    assert sample.place_files(port, location.store.bucket, without)
    assert not sample.place_files(port, location.store.bucket, without)
    delivered = {one.key.split("/")[1] for one in location.store.versions("tenants/").objects}
    assert delivered == {tenant.tenant_id for tenant in sample.TENANTS} - {"T007"}
