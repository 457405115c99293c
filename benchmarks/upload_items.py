"""`upload_items`: rows of a vendor's file as items of UploadRecords, beside a bare batch writer of the same items.

Bare: `batch_write_item` with 25 items that are encoded already, by as many threads, nothing looked at but unprocessed
items. Ours makes the items of the records, measures their size, looks for those that are there already, and retries.
Against the sandbox's stand-in for AWS, which is one process of Python: an empty table for each, in turns, as its pace
wavers. On DynamoDB itself waiting for the network would weigh more on both sides.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import msgspec

from benchmarks.bench import Bench, Outcome, reading
from benchmarks.measuring import Meter, Series
from benchmarks.report import Asked, Row
from sandbox.aws import REGION, aws_server

ITEMS = 3_000
FEWEST_TURNS = 5
WRITERS = 4
UPLOAD = "UPLOAD_20261121_120000_VEND001_0123abcd"


def run(bench: Bench) -> Outcome:
    folder = bench.server.folder / "aws"
    folder.mkdir()
    server = aws_server(folder)
    server.launch()
    try:
        server.wait()
        turns = max(FEWEST_TURNS, bench.repetitions)
        bench.say(f"{ITEMS:,} items, {turns} turns")
        found = bench.worker(
            "benchmarks.upload_items:measure",
            None,
            environment={
                "AWS_ACCESS_KEY_ID": "benchmark",
                "AWS_SECRET_ACCESS_KEY": "benchmark",
                "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.port}",
            },
            server_pid=server.pid,
            turns=turns,
        )
    finally:
        server.stop()
    series = {name: Series([reading(one) for one in readings], ITEMS) for name, readings in found.items()}
    outcome = Outcome()
    for name, against, counts in (
        ("bare", f"bare batch_write_item, {WRITERS} threads", True),
        ("boto3", "boto3's batch_writer, one thread", False),
    ):
        outcome.rows.append(
            Row("upload_items", f"{ITEMS:,} rows into UploadRecords", against, series["ours"], series[name],
                Asked("at least", 0.8), counts=counts)
        )  # fmt: skip
    outcome.notes.append(
        "upload_items: "
        + ", ".join(f"{name} {ITEMS / one.seconds:,.0f} items/s" for name, one in series.items())
    )
    return outcome


def measure(server_pid: int, turns: int) -> dict[str, list[Any]]:
    """All of them in turns, each with an empty table, after one of each that does not count. Runs in a worker."""
    import boto3  # type: ignore[import-untyped]

    from commerce_assets.dynamo import UploadRecord, UploadRecords, new_record, to_item
    from resources.aws import aws_client
    from resources.settings import AwsSettings

    settings = AwsSettings(region=REGION, endpoint_url=os.environ["AWS_ENDPOINT_URL"])
    client = aws_client("dynamodb", settings)
    table = UploadRecords(client, writers=WRITERS, sleep=lambda seconds: None)
    now = datetime(2026, 11, 21, 12, tzinfo=UTC)

    def records() -> Iterator[UploadRecord]:
        for number in range(1, ITEMS + 1):
            product = {
                "vendor_product_id": f"P{number:07}", "product_name": f"Product number {number}", "category": "Books",
                "subcategory": "", "description": f"Made to last: model {number} of ours", "sku": f"SKU-{number:07}",
                "brand": f"Brand {number % 500}", "price": "19.99", "compare_at_price": "", "stock_quantity": "12",
                "unit": "piece", "weight_kg": "1.25", "dimensions_cm": "10x20x30",
                "image_url": f"https://cdn.example.com/images/{number}.jpg",
            }  # fmt: skip
            yield new_record(UPLOAD, "VEND001", number, product, now)

    items = [to_item(record)[0] for record in records()]
    batches = [items[place : place + 25] for place in range(0, ITEMS, 25)]
    plain = [{name: _plain(value) for name, value in item.items()} for item in items]

    def ours() -> None:
        written = table.write(UPLOAD, records())
        assert written.written == ITEMS, written

    def bare() -> None:
        def put(batch: list[dict[str, Any]]) -> None:
            answer = client.batch_write_item(
                RequestItems={table.name: [{"PutRequest": {"Item": item}} for item in batch]}
            )
            assert not answer.get("UnprocessedItems")

        with ThreadPoolExecutor(WRITERS) as pool:
            for _ in pool.map(put, batches):
                pass

    def by_boto3() -> None:
        resource = boto3.resource("dynamodb", region_name=REGION, endpoint_url=settings.endpoint_url)
        with resource.Table(table.name).batch_writer() as writer:
            for item in plain:
                writer.put_item(Item=item)

    sides: dict[str, Callable[[], None]] = {"ours": ours, "bare": bare, "boto3": by_boto3}
    meter = Meter(server_pid)
    readings: dict[str, list[Any]] = {name: [] for name in sides}
    for turn in range(turns + 1):
        for name, work in sides.items():
            table.create()
            took, _ = meter.run(work)
            table.delete()
            if turn:
                readings[name].append(msgspec.to_builtins(took))
    client.close()
    return readings


def _plain(value: dict[str, Any]) -> Any:
    """An encoded value as boto3's resource takes it."""
    ((kind, content),) = value.items()
    if kind == "M":
        return {name: _plain(one) for name, one in content.items()}
    return int(content) if kind == "N" else content
