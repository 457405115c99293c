"""Vendor onboarding in processes of its own: killed anywhere, two at once, and the memory that one takes.

After kill -9 at a random moment and one more run, everything equals an undisturbed run: tables, items, answer files,
but for ids and times.
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from commerce_assets.dynamo import PENDING
from commerce_assets.reading import Limits
from resources.settings import AwsSettings, DatabaseSettings
from sandbox.postgres import PostgresServer
from tests.aws_server import KEYS
from tests.conftest import OWNER, ROOT, settings_of
from tests.integration.test_onboarding import HEADER, Marketplace
from tests.onboarding_process import Place, started

KILLS = int(os.environ.get("ONBOARDING_KILLS", "4"))
"""How many random moments are tried; ONBOARDING_KILLS=20 is the long form."""

LINE_MEBIBYTES = int(os.environ.get("ONBOARDING_LINE_MEBIBYTES", "50"))
"""How long the line without end is; 1000 is the long form."""


def products(prefix: str, prices: dict[int, str], rows: int = 120) -> str:
    """A file of products with all that can happen to a row: new, changed, broken, ragged, twice, formula."""
    lines = [
        f"{prefix}{n},Lamp {n},{'Books' if n % 17 else 'Bookz'},{prefix}-{n % 110},{prices.get(n % 9, '5.00')},{n % 7}"
        for n in range(1, rows + 1)
    ]
    return HEADER + "\n".join([*lines, "ragged", f"{prefix}x,=1+1,Books,{prefix}-x,1,1"]) + "\n"


UPLOADS = {
    "VEND001/a.csv": products("A", {1: "1.00"}),
    "VEND001/b.csv": products("A", {1: "2.00", 3: "x"}),
    "VEND002/c.csv": products("C", {2: "NaN"}) + "A1,Mine,Books,A-1,1,1\n",
    "VEND002/VEND003_d.csv": products("D", {}),
    "VEND003/e.csv": "",
    "VEND404/f.csv": products("F", {}),
}


class Runs(Marketplace):
    """A marketplace whose runs are processes."""

    def place(self, **options: Any) -> Place:
        return Place(
            self.store.settings, self.warehouse, self.store.bucket, self.records.name, KEYS, **options
        )

    def upload(self) -> None:
        for name, content in UPLOADS.items():
            self.put(name, content)

    def run_through(self) -> None:
        process = started(self.place())
        process.join()
        assert process.exitcode == 0

    def everything(self) -> dict[str, Any]:
        """All that a run leaves behind, with ids by the file they belong to and without times."""
        names = dict(
            self.query(
                "select upload_id, object_key from commerce.upload_objects where upload_id is not null"
            )
        )
        pattern = re.compile("|".join(map(re.escape, names)) or "^$")

        def plain(text: str) -> str:
            text = pattern.sub(lambda found: names[found[0]], text)
            return re.sub(r'"seconds": [0-9.]+|answered in [0-9.,]+ s|OBJECT_\d+', "-", text)

        tables = {
            "products": "to_jsonb(p) - '{product_id,created_at,updated_at,last_synced_at}'::text[]"
            " from commerce.products p",
            "changes": "to_jsonb(c) - '{change_id,product_id,changed_at}'::text[] from commerce.product_changes c",
            "errors": "to_jsonb(e) - '{error_id,created_at}'::text[] from commerce.validation_errors e",
            "staged": "to_jsonb(s) from commerce.staged_rows s",
            "history": "jsonb_build_array(vendor_id, file_name, s3_key, total_records, valid_records, error_records,"
            " status, error_file_s3_key, metadata) from commerce.upload_history",
            "objects": "jsonb_build_array(object_key, stage, vendor_id, failure_code, failure_message,"
            " file_facts - 'seconds') from commerce.upload_objects",
        }
        found: dict[str, Any] = {
            name: sorted(plain(json.dumps(row)) for (row,) in self.query(f"select {columns}"))
            for name, columns in tables.items()
        }
        found["items"] = sorted(
            plain(
                json.dumps(
                    [one.upload_id, one.record_id, one.status, one.product_data, one.error_reason],
                    default=str,
                )
            )
            for upload_id in names
            for one in self.records.of_upload(upload_id)
        )
        found["answers"] = sorted(
            (plain(key), plain(content.decode("utf-8-sig"))) for key, content in self.answers().items()
        )
        return found


@pytest.fixture
def opened(aws: AwsSettings) -> Iterator[Callable[[DatabaseSettings], Runs]]:
    """Marketplaces on one stand-in for AWS, closed at the end."""
    made: list[Runs] = []

    def open_one(warehouse: DatabaseSettings) -> Runs:
        made.append(Runs(aws, warehouse))
        return made[-1]

    yield open_one
    for one in made:
        one.close()


@pytest.fixture
def warehouses(postgres: PostgresServer, warehouse_template: str) -> Iterator[Callable[[], DatabaseSettings]]:
    """Empty warehouses, as many as a test asks for."""
    import dataclasses

    names: list[str] = []

    def another() -> DatabaseSettings:
        names.append(f"killed_{time.monotonic_ns()}")
        postgres.create_database(names[-1], owner=OWNER, template=warehouse_template)
        return dataclasses.replace(settings_of(postgres, names[-1]), user="commerce_etl")

    yield another
    for name in names:
        postgres.drop_database(name)


@pytest.mark.timeout(1800)
def test_after_a_kill_at_any_moment_one_more_run_is_an_undisturbed_one(
    opened: Callable[[DatabaseSettings], Runs], warehouses: Callable[[], DatabaseSettings]
) -> None:
    undisturbed = opened(warehouses())
    undisturbed.upload()
    began = time.monotonic()
    undisturbed.run_through()
    seconds = time.monotonic() - began
    expected = undisturbed.everything()
    assert len(expected["answers"]) == 3 * 5 + 3 * 2
    moments = random.Random(4)
    killed = 0
    for number in range(KILLS):
        market = opened(warehouses())
        market.upload()
        # One moment in each part of the run.
        moment = seconds * (number + moments.random()) / KILLS
        process = started(market.place())
        process.join(moment)
        killed += process.is_alive()
        process.kill()
        process.join()
        market.run_through()
        found = market.everything()
        for name, rows in expected.items():
            assert found[name] == rows, (name, f"killed after {moment:.2f} of {seconds:.2f} s")
        market.close()
    assert killed >= KILLS // 2


def test_two_processes_with_the_same_skus_at_once_leave_one_owner_for_each(
    opened: Callable[[DatabaseSettings], Runs], warehouses: Callable[[], DatabaseSettings]
) -> None:
    """One may be refused for the other's lease; what it leaves is done by the next, and the loser gets the code."""
    market = opened(warehouses())
    rows = "".join(f"P{n},A,Books,S{n},1,1\n" for n in range(100))
    market.put("VEND001/a.csv", HEADER + rows)
    market.put("VEND002/b.csv", HEADER + rows)
    both = [started(market.place()) for _ in range(2)]
    for process in both:
        process.join()
    assert 0 in [process.exitcode for process in both]
    market.run_through()
    assert market.query("select distinct stage from commerce.upload_objects") == [("answered",)]
    assert market.query("select count(*), count(distinct sku), count(distinct vendor_id) from products") == [
        (100, 100, 1)
    ]
    assert market.query("select status, total_records, error_records from upload_history order by 1") == [
        ("completed", 100, 0),
        ("failed", 100, 100),
    ]
    assert market.query("select distinct error_type from validation_errors") == [("DUPLICATE_SKU",)]
    ((uploads,),) = market.query("select array_agg(upload_id) from upload_history")
    assert [PENDING in market.records.count_by_status(one) for one in uploads] == [False, False]


@pytest.mark.parametrize(("start", "code"), [("P1,", "LINE_TOO_LONG"), ('P1,"', "LINE_TOO_LONG")])
def test_a_line_without_end_is_refused_in_bounded_memory(
    opened: Callable[[DatabaseSettings], Runs],
    warehouses: Callable[[], DatabaseSettings],
    start: str,
    code: str,
) -> None:
    """On S3, in parts. The limits on bytes are lifted: reading must stop at the line, not at the file."""
    market = opened(warehouses())
    place = {"Bucket": market.store.bucket, "Key": "incoming/VEND001/a.csv"}
    client, part = market.store.client, b"x" * (10 * 1024 * 1024)
    upload = client.create_multipart_upload(**place)["UploadId"]
    etags = []
    for number in range(1, LINE_MEBIBYTES // 10 + 1):
        body = (HEADER + start).encode() + part if number == 1 else part
        etags.append(client.upload_part(**place, UploadId=upload, PartNumber=number, Body=body)["ETag"])
    parts = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, 1)]
    client.complete_multipart_upload(**place, UploadId=upload, MultipartUpload={"Parts": parts})
    done = subprocess.run(
        [sys.executable, "-m", "tests.onboarding_process"],
        input=market.place(limits=Limits(file_bytes=10**12)).as_json(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert float(done.stdout) <= 300
    assert market.query("select stage, failure_code from commerce.upload_objects") == [("answered", code)]
    assert code.encode() in market.answer("summary.json")
