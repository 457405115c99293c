"""The commerce location through Dagster: assets and checks, run twice; the sensor; release."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import requests

from commerce_assets import release, submit, undo
from commerce_assets.automation import incoming_uploads
from commerce_assets.definitions import defs
from commerce_assets.dynamo import new_record
from commerce_assets.objects import UploadStore
from commerce_assets.resources import AuditAnchorsResource, UploadRecordsResource, UploadsResource
from resources.postgres import PostgresResource
from resources.settings import AwsSettings, DatabaseSettings
from sandbox.aws import ensure_bucket
from tests.odoo_apn_pipeline import query

CONTENT = "vendor_product_id,name,category,sku,price,stock\nP1,A,Books,S1,1,1\nP2,B,Books,S2,x,1\n"


class Location:
    """The location on a bucket, a table of items and a warehouse of its own."""

    def __init__(self, aws: AwsSettings, warehouse: DatabaseSettings, bucket: str) -> None:
        self.warehouse, self.store = warehouse, UploadStore(bucket, aws)
        self.resources: dict[str, Any] = {
            "warehouse": PostgresResource(location="COMMERCE"),
            "uploads": UploadsResource(),
            "upload_records": UploadRecordsResource(table_name=f"UploadRecords-{bucket}"),
            "audit_store": AuditAnchorsResource(),
        }

    def materialize(self) -> dg.ExecuteInProcessResult:
        loaded = defs() if callable(defs) else defs
        every = [*(loaded.assets or []), *(loaded.asset_checks or [])]
        return dg.materialize(every, resources=self.resources)  # type: ignore[arg-type]

    def tick(self) -> list[Any]:
        with dg.build_sensor_context(
            resources={name: self.resources[name] for name in ("warehouse", "uploads")}
        ) as context:
            return list(incoming_uploads(context))


@pytest.fixture
def location(
    aws: AwsSettings, warehouse_as: Callable[[str], DatabaseSettings], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Location]:
    bucket = f"uploads-{uuid.uuid4().hex[:12]}"
    assert aws.endpoint_url is not None
    ensure_bucket(int(aws.endpoint_url.rpartition(":")[2]), bucket)
    monkeypatch.setenv("UPLOAD_BUCKET", bucket)
    warehouse = warehouse_as("commerce_etl")
    for name in ("host", "port", "name", "user", "password", "sslmode"):
        monkeypatch.setenv(f"COMMERCE_DB_{name.upper()}", str(getattr(warehouse, name)))
    made = Location(aws, warehouse, bucket)
    yield made
    made.store.close()


def test_a_submitted_file_goes_all_the_way_and_a_second_run_changes_nothing(
    location: Location, tmp_path: Path
) -> None:
    file = tmp_path / "products.csv"
    file.write_text(CONTENT)
    submit.upload(location.store, file, "VEND001", datetime(2026, 11, 21, tzinfo=UTC))
    result = location.materialize()
    assert result.success
    # But for the promise of a minute, which a busy machine may break.
    wrong = {check.check_name for check in result.get_asset_check_evaluations() if not check.passed}
    assert wrong <= {"answered_in_time"}
    assert query(location.warehouse, "select sku from product_catalog") == [("S1",)]
    before = query(location.warehouse, "select ctid, xmin from commerce.products")
    assert location.materialize().success
    assert query(location.warehouse, "select ctid, xmin from commerce.products") == before
    (report,) = result.asset_materializations_for_node("error_report")
    assert report.metadata["answered"].value == 1
    assert report.metadata["rejected_rows_by_code"].value == {"INVALID_PRICE": 1}
    (catalogue,) = result.asset_materializations_for_node("products")
    assert [catalogue.metadata[name].value for name in ("accepted", "updated", "unchanged", "rejected")] == [
        1,
        0,
        0,
        1,
    ]
    for shown in (report.metadata, catalogue.metadata):
        assert "| VEND001 | P1 | A | Books | S1 | 1.00 | 1 |" in str(shown["products_in_catalogue"].value)
        assert "data:image/svg+xml;base64," in str(shown["codes"].value)
        assert "| INVALID\\_PRICE | 1 |" in str(shown["codes"].value)
        (address,) = re.findall(r"\((http[^)]*summary\.html[^)]*)\)", str(shown["answer_files"].value))
        assert "Some rows were taken" in requests.get(address, timeout=10).text
    assert "| TechGear | 1 | 2 | 50.00 | INVALID\\_PRICE 1 | 1 |" in str(report.metadata["scorecard"].value)


def test_the_sensor_asks_once_for_each_upload(location: Location) -> None:
    (skipped,) = location.tick()
    assert isinstance(skipped, dg.SkipReason)
    location.store.put("incoming/VEND001/a.csv", CONTENT.encode(), "text/csv")
    location.store.put("incoming/VEND001/b.csv", CONTENT.encode(), "text/csv")
    (request,) = location.tick()
    assert isinstance(request, dg.RunRequest)
    assert request.tags["commerce/uploads"] == "2"
    # Dagster forgets no run key: in another form, every upload that waits would be asked for once more.
    assert re.fullmatch(r"[0-9]+-[0-9]+:1", str(request.run_key))
    (again,) = location.tick()
    assert isinstance(again, dg.SkipReason)
    location.store.put("incoming/VEND001/a.csv", CONTENT.encode(), "text/csv")
    (overwritten,) = location.tick()
    assert isinstance(overwritten, dg.RunRequest)
    assert overwritten.run_key != request.run_key


def test_a_check_fires_when_counts_are_wrong(location: Location) -> None:
    location.store.put("incoming/VEND001/a.csv", CONTENT.encode(), "text/csv")
    location.materialize()
    query(
        location.warehouse, "update commerce.upload_objects set last_modified = finished_at - interval '61 s'"
    )
    assert failing(location) == {"answered_in_time"}
    assert failing(location, seconds=120) == set()
    query(
        location.warehouse,
        "insert into commerce.vendor_settings (vendor_id, answer_within_seconds) values ('VEND001', 60)",
    )
    assert failing(location, seconds=120) == {"answered_in_time"}
    with location.resources["upload_records"].table() as records:
        ((upload_id,),) = query(location.warehouse, "select upload_id from upload_history")
        records.put_new(new_record(upload_id, "VEND001", 3, {"sku": "S3"}, datetime.now(UTC)))
    query(location.warehouse, "delete from commerce.validation_errors")
    query(location.warehouse, "delete from commerce.product_changes")
    assert {"no_item_waits", "items_equal_rows"} <= failing(location)
    query(
        location.warehouse,
        "update commerce.upload_objects set stage = 'seen', seen_at = now() - interval '2 hours',"
        " failure_code = 'PROCESSING_FAILED'",
    )
    assert failing(location) == {
        "answered_in_time",
        "counts_equal_rows",
        "every_product_has_its_upload",
        "no_upload_is_stuck",
        "no_upload_failed_inside",
    }


def test_an_object_without_its_record_is_named(location: Location) -> None:
    location.store.put("incoming/VEND001/a.csv", CONTENT.encode(), "text/csv")
    location.materialize()
    query(location.warehouse, "update commerce.upload_objects set vendor_id = 'VEND002'")
    assert failing(location, seconds=3600) == {"every_object_has_its_record"}


def failing(location: Location, **promise: float) -> set[str]:
    return {check.check_name for check in location_checks(location, **promise) if not check.passed}


def location_checks(location: Location, **promise: float) -> list[Any]:
    loaded = defs() if callable(defs) else defs
    result = dg.materialize(
        [*(loaded.asset_checks or [])],  # type: ignore[list-item]
        resources=location.resources,
        selection=dg.AssetSelection.all_asset_checks(),
        run_config={"ops": {"error_report_answered_in_time": {"config": promise}}},
    )
    return list(result.get_asset_check_evaluations())


def test_an_upload_that_is_not_held_is_not_released(
    location: Location, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(release, "database_settings", lambda name: location.warehouse)
    monkeypatch.setattr(release, "read_env_file", lambda: [])
    assert release.main(["UPLOAD_X"]) == 1
    assert "there is no such upload" in capsys.readouterr().err
    location.store.put("incoming/VEND001/a.csv", CONTENT.encode(), "text/csv")
    location.materialize()
    ((upload_id,),) = query(location.warehouse, "select upload_id from upload_history")
    assert release.main([upload_id]) == 2
    assert release.main([upload_id, "--refuse", "prices in cents"]) == 2
    assert release.main([upload_id, "--refuse", " "]) == 1
    assert "what the vendor should put right" in capsys.readouterr().err
    query(location.warehouse, "update commerce.upload_objects set stage = 'held'")
    assert release.main([upload_id]) == 0
    assert query(location.warehouse, "select stage from commerce.upload_objects") == [("validated",)]


def test_an_upload_is_undone_by_a_command_once_and_not_under_a_later_one(
    location: Location, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(undo, "database_settings", lambda name: location.warehouse)
    monkeypatch.setattr(undo, "read_env_file", lambda: [])
    assert undo.main(["UPLOAD_X"]) == 1
    assert "Look for its id in commerce.upload_history" in capsys.readouterr().err
    for name, price in (("a", "1"), ("b", "2")):
        location.store.put(f"incoming/VEND001/{name}.csv", priced(price), "text/csv")
        location.materialize()
    first, second = (
        upload_id
        for (upload_id,) in query(location.warehouse, "select upload_id from upload_history order by 1")
    )
    if query(location.warehouse, f"select file_name from upload_history where upload_id = '{first}'") != [
        ("a.csv",)
    ]:
        first, second = second, first
    assert undo.main([first]) == 1
    refused = capsys.readouterr().err
    assert "P1" in refused
    assert "Undo the later upload first" in refused
    assert undo.main([second]) == 0
    assert "1 products restored, 0 removed" in capsys.readouterr().out
    assert query(location.warehouse, "select price::text from products") == [("1.00",)]
    assert undo.main([second]) == 2
    assert "nothing to undo" in capsys.readouterr().out
    assert undo.main([first]) == 0
    assert query(location.warehouse, "select count(*) from products") == [(0,)]


def priced(price: str) -> bytes:
    return f"vendor_product_id,name,category,sku,price,stock\nP1,A,Books,S1,{price},1\n".encode()
