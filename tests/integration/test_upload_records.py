"""UploadRecords on moto's server: the published table, and that nothing is lost, doubled or decided twice."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import boto3  # type: ignore[import-untyped]
import pytest
from boto3.dynamodb.conditions import Key  # type: ignore[import-untyped]
from botocore.awsrequest import AWSResponse  # type: ignore[import-untyped]

from commerce_assets import upload_records
from commerce_assets.dynamo import (
    ERROR,
    MAX_ITEM_BYTES,
    PENDING,
    VALIDATED,
    VERDICT_BYTES,
    Decided,
    UploadRecord,
    UploadRecords,
    Verdict,
    Written,
    new_record,
    to_item,
)
from commerce_assets.resources import UploadRecordsResource
from resources.failures import PermanentError, TransientError
from resources.settings import AwsSettings
from tests.conftest import ROOT

NOW = datetime(2026, 11, 21, 12, 0, 5, tzinfo=UTC)
UPLOAD = "UPLOAD_20261121_120005_VEND001_0a1b2c3d4e5f"
_numbers = itertools.count(1)


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def table(dynamodb: Any, dynamodb_streams: Any, slept: list[float]) -> Iterator[UploadRecords]:
    """A table of the test's own."""
    records = UploadRecords(
        dynamodb, dynamodb_streams, name=f"UploadRecords_{next(_numbers)}", sleep=slept.append
    )
    records.create()
    yield records
    records.delete()


def rows(count: int, upload_id: str = UPLOAD, vendor: str = "VEND001", **data: Any) -> list[UploadRecord]:
    return [
        new_record(upload_id, vendor, n, {"sku": f"S{n}", "price": "29.990", "description": "", **data}, NOW)
        for n in range(1, count + 1)
    ]


def stored(table: UploadRecords, upload_id: str = UPLOAD) -> list[UploadRecord]:
    return list(table.of_upload(upload_id))


Answer = Callable[[dict[str, Any]], tuple[int, dict[str, Any]] | None]


class Answering:
    """Stands between the client and the server: answers the calls of one operation itself, or lets them through.

    moto throttles nothing and answers at once, so what AWS does under load is put in here.
    """

    def __init__(self, client: Any, operation: str, *answers: Answer | None) -> None:
        self.calls: list[dict[str, Any]] = []
        self._left = list(answers)
        self._lock = threading.Lock()
        service = client.meta.service_model.service_name
        client.meta.events.register(f"before-send.{service}.{operation}", self)

    def __call__(self, request: Any, **_: Any) -> AWSResponse | None:
        body = json.loads(request.body)
        with self._lock:
            self.calls.append(body)
            answer = self._left.pop(0) if self._left else None
        found = answer(body) if answer else None
        if found is None:
            return None
        status, content = found
        response = AWSResponse(request.url, status, {"Content-Type": "application/x-amz-json-1.0"}, None)
        response._content = json.dumps(content).encode()
        return response


def refusal(code: str, status: int = 400, message: str = "") -> Answer:
    return lambda body: (status, {"__type": f"com.amazonaws.dynamodb#{code}", "message": message})


def all_unprocessed(body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    return 200, {"UnprocessedItems": body["RequestItems"]}


# -- the table ----------------------------------------------------------------------------------------------


def test_the_table_is_the_published_one(table: UploadRecords) -> None:
    found = table.describe()
    assert found is not None
    assert found["TableStatus"] == "ACTIVE"
    assert [(key["AttributeName"], key["KeyType"]) for key in found["KeySchema"]] == [
        ("upload_id", "HASH"),
        ("record_id", "RANGE"),
    ]
    indexes = {
        index["IndexName"]: ([key["AttributeName"] for key in index["KeySchema"]], index["Projection"])
        for index in found["GlobalSecondaryIndexes"]
    }
    assert indexes == {
        "VendorIndex": (["vendor_id", "upload_id"], {"ProjectionType": "ALL"}),
        "StatusIndex": (["upload_id", "status"], {"ProjectionType": "ALL"}),
    }
    assert {one["AttributeType"] for one in found["AttributeDefinitions"]} == {"S"}
    assert found["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert found["StreamSpecification"] == {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"}


def test_a_table_that_is_there_is_taken_with_what_it_holds(table: UploadRecords) -> None:
    table.write(UPLOAD, rows(2))
    table.create()
    assert len(stored(table)) == 2


def test_a_table_that_is_not_yet_active_is_waited_for(dynamodb: Any, slept: list[float]) -> None:
    """AWS takes about ten seconds for a table, and longer for its indexes."""
    table = UploadRecords(dynamodb, name="UploadRecords_slow", sleep=slept.append)
    kept: list[dict[str, Any]] = []

    def creating(part: str) -> Answer:
        def answer(body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
            if not kept:
                other = boto3.client(
                    "dynamodb", endpoint_url=dynamodb.meta.endpoint_url, region_name="us-east-1"
                )
                found = other.describe_table(TableName=table.name)["Table"]
                kept.append(json.loads(json.dumps(found, default=lambda when: when.timestamp())))
            found = json.loads(json.dumps(kept[0]))
            if part == "table":
                found["TableStatus"] = "CREATING"
            else:
                found["GlobalSecondaryIndexes"][1]["IndexStatus"] = "CREATING"
            return 200, {"Table": found}

        return answer

    hook = Answering(dynamodb, "DescribeTable", None, creating("table"), creating("index"))
    assert table.create()["TableStatus"] == "ACTIVE"
    assert slept == [1, 1]
    assert len(hook.calls) == 5
    table.delete()


def test_a_table_that_never_gets_active_is_given_up(dynamodb: Any, slept: list[float]) -> None:
    table = UploadRecords(dynamodb, name="UploadRecords_never", sleep=slept.append)
    Answering(
        dynamodb,
        "DescribeTable",
        *[lambda body: (200, {"Table": {"TableName": "x", "TableStatus": "UPDATING"}})] * 400,
    )
    with pytest.raises(TransientError, match=r"is ACTIVE: not so after 300 s"):
        table.create()


def test_two_that_create_at_once_both_have_the_table(dynamodb: Any) -> None:
    table = UploadRecords(dynamodb, name="UploadRecords_race")
    table.create()
    nothing = refusal("ResourceNotFoundException")
    Answering(dynamodb, "DescribeTable", nothing)
    assert table.create()["TableStatus"] == "ACTIVE"
    table.delete()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"KeySchema": [{"AttributeName": "upload_id", "KeyType": "HASH"}]},
            "key is upload_id HASH instead of upload_id HASH, record_id RANGE",
        ),
        ({"GlobalSecondaryIndexes": None}, "index VendorIndex is missing; index StatusIndex is missing"),
        ({"StreamSpecification": {"StreamEnabled": False}}, "stream is off instead of NEW_IMAGE"),
        (
            {"StreamSpecification": {"StreamEnabled": True, "StreamViewType": "KEYS_ONLY"}},
            "stream is KEYS_ONLY instead of NEW_IMAGE",
        ),
    ],
)
def test_a_table_with_other_keys_is_refused_with_every_difference(
    dynamodb: Any, change: dict[str, Any], told: str
) -> None:
    from commerce_assets.dynamo import table_definition

    table = UploadRecords(dynamodb, name=f"UploadRecords_{next(_numbers)}")
    definition = {
        name: value for name, value in (table_definition(table.name) | change).items() if value is not None
    }
    used = {
        key["AttributeName"]
        for part in (definition, *definition.get("GlobalSecondaryIndexes", ()))
        for key in part["KeySchema"]
    }
    definition["AttributeDefinitions"] = [
        one for one in definition["AttributeDefinitions"] if one["AttributeName"] in used
    ]
    dynamodb.create_table(**definition)
    with pytest.raises(PermanentError) as raised:
        table.create()
    assert told in raised.value.found
    assert "upload_records delete" in raised.value.do_next
    table.delete()


def test_the_resource_makes_the_table_and_closes_what_it_opened(aws: AwsSettings) -> None:
    resource = UploadRecordsResource(table_name="UploadRecords_resource")
    with resource.table() as table:
        assert table.write(UPLOAD, rows(3)).written == 3
    with resource.table() as table:
        assert len(stored(table)) == 3
        assert table.delete()
        assert not table.delete()


# -- what the seed prints -----------------------------------------------------------------------------------


def test_the_third_and_fourth_test_of_the_seed(aws: AwsSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The printed Python, against the table as it is set up."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with UploadRecordsResource().table() as records:
        dynamodb = boto3.resource("dynamodb")
        table = dynamodb.Table("UploadRecords")

        # Insert test record
        table.put_item(
            Item={
                "upload_id": "TEST_UPLOAD_001",
                "record_id": "REC_001",
                "vendor_id": "VEND001",
                "row_number": 1,
                "product_data": {
                    "vendor_product_id": "PROD001",
                    "product_name": "Test Product",
                    "price": Decimal("29.99"),
                    "stock_quantity": 100,
                },
                "status": "pending_validation",
                "created_at": datetime.now(UTC).replace(tzinfo=None).isoformat(),
            }
        )
        # Query by upload_id
        response = table.query(KeyConditionExpression=Key("upload_id").eq("TEST_UPLOAD_001"))
        assert response["Count"] == 1
        assert [(item["record_id"], item["status"]) for item in response["Items"]] == [
            ("REC_001", "pending_validation")
        ]
        (record,) = records.of_upload("TEST_UPLOAD_001")
        assert (record.row_number, record.product_data["price"]) == (1, Decimal("29.99"))
        records.delete()


# -- writing ------------------------------------------------------------------------------------------------


def test_rows_come_back_as_they_came(table: UploadRecords) -> None:
    data: dict[str, Any] = {
        "text": " 1_000,50 \n=cmd\t",
        "empty": "",
        "unicode": "Größe 寸法 👍",
        "number": Decimal("-12.345"),
        "whole": 10**37,
        "small": Decimal("1E-130"),
        "nothing": None,
        "yes": True,
        "list": ["a", Decimal(1), {"b": None}],
    }
    record = new_record(UPLOAD, "VEND001", 1, data, NOW, ttl=1_800_000_000)
    assert table.write(UPLOAD, [record]) == Written(written=1)
    assert stored(table) == [record]
    assert record.created_at == "2026-11-21T12:00:05Z"


def test_many_rows_go_in_batches_of_25_and_come_back_paged_and_sorted(
    table: UploadRecords, dynamodb: Any
) -> None:
    puts, pages = Answering(dynamodb, "BatchWriteItem"), Answering(dynamodb, "Query")
    given = rows(260, description="x" * 10_000)
    assert table.write(UPLOAD, iter(given)) == Written(written=260)
    assert sorted(len(call["RequestItems"][table.name]) for call in puts.calls) == [10] + [25] * 10
    pages.calls.clear()
    assert stored(table) == given
    assert len(pages.calls) >= 3  # 2.6 MB, and a page ends at 1 MB


def test_writing_the_same_rows_again_changes_nothing(table: UploadRecords, dynamodb: Any) -> None:
    table.write(UPLOAD, rows(60))
    table.decide(UPLOAD, [Verdict("REC_000007", VALIDATED)], NOW)
    before = stored(table)
    puts = Answering(dynamodb, "BatchWriteItem")
    assert table.write(UPLOAD, rows(60)) == Written(unchanged=60)
    assert puts.calls == []
    assert table.write(UPLOAD, rows(62)) == Written(written=2, unchanged=60)
    assert stored(table)[:60] == before


def test_uploads_with_the_same_row_numbers_do_not_meet(table: UploadRecords) -> None:
    table.write(UPLOAD, rows(2))
    table.write("OTHER", rows(3, "OTHER", "VEND002"))
    assert [record.vendor_id for record in stored(table)] == ["VEND001"] * 2
    assert len(stored(table, "OTHER")) == 3


@pytest.mark.parametrize("numbers", [(2, 1), (1, 1)])
def test_rows_out_of_order_are_refused(table: UploadRecords, numbers: tuple[int, int]) -> None:
    """An id given twice in one batch would make DynamoDB refuse all 25 with a message about nobody in particular."""
    records = [new_record(UPLOAD, "VEND001", number, {}, NOW) for number in numbers]
    with pytest.raises(PermanentError, match="each once, in their order"):
        table.write(UPLOAD, records)


def test_a_row_of_another_upload_is_refused(table: UploadRecords) -> None:
    with pytest.raises(PermanentError, match="REC_000001 of OTHER"):
        table.write(UPLOAD, rows(1, "OTHER"))


@pytest.mark.parametrize(
    ("value", "code", "words"),
    [
        ("x" * MAX_ITEM_BYTES, "ITEM_TOO_LARGE", "can be stored"),
        ("é" * (MAX_ITEM_BYTES // 2), "ITEM_TOO_LARGE", "can be stored"),
        ("\ud83d", "INVALID_TEXT", "half of a UTF-16"),
        (1.5, "INVALID_VALUE", "float"),
        (Decimal("NaN"), "INVALID_VALUE", "finite"),
        (Decimal("1e5000000"), "INVALID_VALUE", "out of range"),
        (Decimal("1." + "1" * 38), "INVALID_VALUE", "39 digits"),
    ],
)
def test_a_row_that_no_item_can_hold_is_handed_back_and_the_others_are_written(
    table: UploadRecords, value: Any, code: str, words: str
) -> None:
    records = rows(30)
    records[4] = new_record(UPLOAD, "VEND001", 5, {"description": value}, NOW)
    written = table.write(UPLOAD, records)
    assert written.written == 29
    ((record, found, message),) = [(one.record, one.code, one.message) for one in written.refused]
    assert (record.row_number, found) == (5, code)
    assert words in message
    assert len(stored(table)) == 29


def test_the_largest_row_that_is_written_can_still_be_decided(table: UploadRecords) -> None:
    _, size = to_item(rows(1)[0])
    record = rows(1, more="x" * (MAX_ITEM_BYTES - VERDICT_BYTES - size - 5))[0]
    assert to_item(record)[1] == MAX_ITEM_BYTES - VERDICT_BYTES
    assert table.write(UPLOAD, [record]).written == 1
    verdict = Verdict("REC_000001", ERROR, "€" * 5_000, [{"code": "X", "message": "y" * 2_000}])
    assert table.decide(UPLOAD, [verdict], NOW).changed == 1
    (found,) = stored(table)
    assert found.error_reason == "€" * 1_000
    assert found.error_details == verdict.error_details


def test_an_item_that_dynamodb_finds_too_large_does_not_take_its_batch_with_it(
    table: UploadRecords, dynamodb: Any
) -> None:
    """It refuses all 25 for one item, and counts some bytes differently than we do."""

    def too_large(body: dict[str, Any]) -> tuple[int, dict[str, Any]] | None:
        ids = {put["PutRequest"]["Item"]["record_id"]["S"] for put in body["RequestItems"][table.name]}
        message = "Item size has exceeded the maximum allowed size"
        return refusal("ValidationException", message=message)(body) if "REC_000013" in ids else None

    Answering(dynamodb, "BatchWriteItem", *[too_large] * 50)
    written = table.write(UPLOAD, rows(40))
    assert written.written == 39
    assert [(one.record.row_number, one.code) for one in written.refused] == [(13, "ITEM_TOO_LARGE")]


def test_unprocessed_items_are_sent_again_after_2_4_and_8_seconds(
    table: UploadRecords, dynamodb: Any, slept: list[float]
) -> None:
    """They are silent: a writer that does not look loses rows without an error."""

    def half(body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        puts = body["RequestItems"][table.name]
        other = boto3.client("dynamodb", endpoint_url=dynamodb.meta.endpoint_url, region_name="us-east-1")
        other.batch_write_item(RequestItems={table.name: puts[: len(puts) // 2]})
        return 200, {"UnprocessedItems": {table.name: puts[len(puts) // 2 :]}}

    hook = Answering(dynamodb, "BatchWriteItem", half, half, half)
    assert table.write(UPLOAD, rows(20)) == Written(written=20)
    assert slept == [2, 4, 8]
    assert [len(call["RequestItems"][table.name]) for call in hook.calls] == [20, 10, 5, 3]
    assert len(stored(table)) == 20


def test_a_table_that_stays_throttled_is_given_up_after_four_attempts_and_completed_later(
    table: UploadRecords, dynamodb: Any, slept: list[float]
) -> None:
    Answering(dynamodb, "BatchWriteItem", *[all_unprocessed] * 4)
    with pytest.raises(TransientError, match=r"20 of 20 items came back unprocessed \(4 attempts\)"):
        table.write(UPLOAD, rows(20))
    assert slept == [2, 4, 8]
    assert table.write(UPLOAD, rows(20)) == Written(written=20)


@pytest.mark.parametrize(
    "answer",
    [
        refusal("ProvisionedThroughputExceededException"),
        refusal("ThrottlingException"),
        refusal("InternalServerError", 500),
        lambda body: (503, {}),
    ],
)
def test_throttling_and_failures_of_the_server_are_waited_for(
    table: UploadRecords, dynamodb: Any, slept: list[float], answer: Answer
) -> None:
    Answering(dynamodb, "BatchWriteItem", answer)
    Answering(dynamodb, "Query", answer)
    assert table.write(UPLOAD, rows(10)) == Written(written=10)
    assert slept == [2, 2]


def test_rows_whose_answer_was_lost_are_not_put_again(table: UploadRecords, dynamodb: Any) -> None:
    """A verdict that came in between was undone by the second put, and the row decided twice."""

    def stored_but_not_answered(body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        other = boto3.client("dynamodb", endpoint_url=dynamodb.meta.endpoint_url, region_name="us-east-1")
        other.batch_write_item(RequestItems={table.name: body["RequestItems"][table.name][:6]})
        assert table.decide(UPLOAD, [Verdict("REC_000002", ERROR, "no")], NOW).changed == 1
        return 500, {}

    hook = Answering(dynamodb, "BatchWriteItem", stored_but_not_answered)
    assert table.write(UPLOAD, rows(10)) == Written(written=10)
    assert len(hook.calls[1]["RequestItems"][table.name]) == 4
    assert table.count_by_status(UPLOAD) == {PENDING: 9, ERROR: 1}


def test_a_refusal_is_not_repeated_and_says_no_secret(
    table: UploadRecords, dynamodb: Any, slept: list[float]
) -> None:
    canary = "AKIACANARY/secret-key-of-the-tests"
    Answering(dynamodb, "BatchWriteItem", refusal("InvalidSignatureException", message=canary))
    with pytest.raises(
        PermanentError, match=r"InvalidSignatureException\. Renew the AWS credentials"
    ) as raised:
        table.write(UPLOAD, rows(1))
    assert canary not in str(raised.value)
    assert raised.value.__cause__ is raised.value.__context__ is None
    assert slept == []


def test_dynamodb_that_is_away_is_tried_four_times(aws: AwsSettings, slept: list[float]) -> None:
    from dataclasses import replace

    from resources.aws import aws_client

    client = aws_client("dynamodb", replace(aws, endpoint_url="http://127.0.0.1:9"))
    with pytest.raises(TransientError, match=r"EndpointConnectionError \(4 attempts\)"):
        UploadRecords(client, sleep=slept.append).write(UPLOAD, rows(1))
    assert slept == [2, 4, 8]


def test_a_failing_thread_stops_the_others(table: UploadRecords, dynamodb: Any) -> None:
    hook = Answering(dynamodb, "BatchWriteItem", refusal("AccessDeniedException"))
    with pytest.raises(PermanentError, match="Allow this action"):
        table.write(UPLOAD, rows(2_500))
    assert len(hook.calls) < 30


def test_a_new_record_is_put_once(table: UploadRecords) -> None:
    (record,) = rows(1)
    assert table.put_new(record)
    table.decide(UPLOAD, [Verdict(record.record_id, VALIDATED)], NOW)
    assert not table.put_new(record)
    assert table.count_by_status(UPLOAD) == {VALIDATED: 1}


# -- deciding -----------------------------------------------------------------------------------------------


def test_a_record_is_decided_once(table: UploadRecords) -> None:
    table.write(UPLOAD, rows(120))
    verdicts = [Verdict(f"REC_{n:06d}", ERROR if n % 10 == 0 else VALIDATED) for n in range(1, 121)]
    assert table.decide(UPLOAD, verdicts, NOW) == Decided(changed=120)
    before = stored(table)
    turned = [Verdict(one.record_id, VALIDATED if one.status == ERROR else ERROR, "late") for one in verdicts]
    again = table.decide(UPLOAD, turned, datetime(2027, 1, 1, tzinfo=UTC))
    assert again == Decided(unchanged=[one.record_id for one in verdicts])
    assert stored(table) == before
    assert table.count_by_status(UPLOAD) == {VALIDATED: 108, ERROR: 12}


def test_a_verdict_on_nothing_makes_nothing(table: UploadRecords) -> None:
    table.write(UPLOAD, rows(2))
    table.decide(UPLOAD, [Verdict("REC_000001", VALIDATED)], NOW)
    verdicts = [Verdict(f"REC_{n:06d}", ERROR, "no") for n in (1, 2, 3)]
    assert table.decide(UPLOAD, verdicts, NOW) == Decided(
        changed=1, unchanged=["REC_000001"], missing=["REC_000003"]
    )
    assert [(one.status, one.error_reason) for one in stored(table)] == [(VALIDATED, None), (ERROR, "no")]


def test_what_a_verdict_says_stands_in_the_item(table: UploadRecords) -> None:
    table.write(UPLOAD, rows(3))
    details = [{"code": "INVALID_PRICE", "field": "price"}]
    verdicts = [
        Verdict("REC_000001", ERROR, "INVALID_PRICE: no number", details),
        Verdict("REC_000002", ERROR, "half \ud83d", ["\ud83d"]),
        Verdict("REC_000003", ERROR, "long", "x" * 4_000),
    ]
    table.decide(UPLOAD, verdicts, NOW)
    assert [(one.error_reason, one.error_details, one.processed_at) for one in stored(table)] == [
        ("INVALID_PRICE: no number", details, "2026-11-21T12:00:05Z"),
        ("half ?", None, "2026-11-21T12:00:05Z"),
        ("long", None, "2026-11-21T12:00:05Z"),
    ]


@pytest.mark.parametrize("status", [PENDING, "ok"])
def test_a_verdict_is_validated_or_error(table: UploadRecords, status: str) -> None:
    with pytest.raises(PermanentError, match="A verdict is validated or error"):
        table.decide(UPLOAD, [Verdict("REC_000001", status)], NOW)


def test_a_conflict_of_transactions_is_waited_for(
    table: UploadRecords, dynamodb: Any, slept: list[float]
) -> None:
    def conflict(body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        reasons = [{"Code": "None"}, {"Code": "TransactionConflict", "Message": "busy"}]
        return 400, {
            "__type": "com.amazonaws.dynamodb#TransactionCanceledException",
            "CancellationReasons": reasons,
        }

    table.write(UPLOAD, rows(2))
    hook = Answering(dynamodb, "TransactWriteItems", conflict)
    verdicts = [Verdict(f"REC_{n:06d}", VALIDATED) for n in (1, 2)]
    assert table.decide(UPLOAD, verdicts, NOW) == Decided(changed=2)
    assert slept == [2]
    assert len({call["ClientRequestToken"] for call in hook.calls}) == 1


def test_verdicts_on_items_that_are_too_large_together_are_halved(
    table: UploadRecords, dynamodb: Any
) -> None:
    """A transaction takes 4 MB, which eleven large items exceed."""

    def too_large(body: dict[str, Any]) -> tuple[int, dict[str, Any]] | None:
        if len(body["TransactItems"]) <= 25:
            return None
        return refusal("ValidationException", message="Total size of transaction exceeds")(body)

    table.write(UPLOAD, rows(90))
    Answering(dynamodb, "TransactWriteItems", *[too_large] * 10)
    verdicts = [Verdict(f"REC_{n:06d}", VALIDATED) for n in range(1, 92)]
    assert table.decide(UPLOAD, verdicts, NOW) == Decided(changed=90, missing=["REC_000091"])


def test_a_cancelled_transaction_of_the_stand_in_changes_nothing_and_undoes_nobody(
    table: UploadRecords, dynamodb: Any
) -> None:
    """moto put a copy of the table back: verdicts of other threads were lost, and 15,000 items took 30 s a time."""
    table.write(UPLOAD, rows(400))
    table.decide(UPLOAD, [Verdict(f"REC_{n:06d}", ERROR) for n in range(1, 401, 4)], NOW)
    verdicts = [Verdict(f"REC_{n:06d}", VALIDATED) for n in range(1, 401)]
    done = table.decide(UPLOAD, verdicts, NOW)
    assert (done.changed, len(done.unchanged)) == (300, 100)
    assert table.count_by_status(UPLOAD) == {ERROR: 100, VALIDATED: 300}


# -- reading ------------------------------------------------------------------------------------------------


def test_records_are_found_by_status_and_by_vendor(table: UploadRecords) -> None:
    table.write(UPLOAD, rows(4))
    table.write("OTHER", rows(3, "OTHER"))
    table.write("THIRD", rows(2, "THIRD", "VEND002"))
    table.decide(UPLOAD, [Verdict("REC_000002", ERROR, "no"), Verdict("REC_000003", VALIDATED)], NOW)

    def ids(records: Iterator[UploadRecord]) -> list[tuple[str, str]]:
        return sorted((record.upload_id, record.record_id) for record in records)

    assert ids(table.with_status(UPLOAD, ERROR)) == [(UPLOAD, "REC_000002")]
    assert ids(table.with_status(UPLOAD, PENDING)) == [(UPLOAD, "REC_000001"), (UPLOAD, "REC_000004")]
    assert len(ids(table.of_vendor("VEND001"))) == 7
    assert ids(table.of_vendor("VEND001", "OTHER")) == [("OTHER", f"REC_{n:06d}") for n in (1, 2, 3)]
    assert ids(table.of_vendor("NOBODY")) == []
    assert table.count_by_status(UPLOAD) == {PENDING: 2, ERROR: 1, VALIDATED: 1}


def test_an_item_of_somebody_else_is_named(table: UploadRecords, dynamodb: Any) -> None:
    dynamodb.put_item(TableName=table.name, Item={"upload_id": {"S": "U"}, "record_id": {"S": "R"}})
    with pytest.raises(PermanentError, match=r"reading the item U / R: no usable attribute vendor_id"):
        stored(table, "U")


# -- the stream ---------------------------------------------------------------------------------------------


def test_the_stream_gives_pending_inserts_once_and_no_verdicts(table: UploadRecords) -> None:
    """NEW_IMAGE comes with every change: taken as new, each verdict would start validation again, for ever."""
    table.write(UPLOAD, rows(30))
    first = table.read_stream({}, [])
    assert sorted(record.row_number for record in first.records) == list(range(1, 31))
    assert first.records[0].product_data["price"] == "29.990"
    verdicts = [Verdict(record.record_id, VALIDATED) for record in first.records]
    table.decide(UPLOAD, verdicts, NOW)
    table.write(UPLOAD, rows(31))
    again = table.read_stream(first.position, [])
    assert [record.row_number for record in again.records] == [31]
    assert table.read_stream(again.position, []).records == []
    assert not again.lost


def test_a_bounded_read_goes_on_where_it_ended(table: UploadRecords) -> None:
    table.write(UPLOAD, rows(5))
    seen: list[int] = []
    position: dict[str, str] = {}
    first = table.read_stream(position, [], most=1)
    seen += [record.row_number for record in first.records]
    table.write(UPLOAD, rows(8))
    second = table.read_stream(first.position, [])
    assert sorted(seen + [record.row_number for record in second.records]) == list(range(1, 9))


def test_an_item_of_somebody_else_does_not_stop_the_stream(
    table: UploadRecords, dynamodb: Any, caplog: pytest.LogCaptureFixture
) -> None:
    strange = {"upload_id": {"S": "U"}, "record_id": {"S": "R"}, "status": {"S": PENDING}}
    dynamodb.put_item(TableName=table.name, Item=strange)
    table.write(UPLOAD, rows(1))
    assert [record.row_number for record in table.read_stream({}, []).records] == [1]
    assert "reading the item U / R" in caplog.text


@pytest.mark.parametrize("operation", ["GetRecords", "GetShardIterator"])
def test_what_the_stream_has_lost_comes_from_the_table(
    table: UploadRecords, dynamodb_streams: Any, operation: str
) -> None:
    """A stream keeps 24 hours: after a long stop the rows of open uploads would wait for ever."""
    table.write(UPLOAD, rows(3))
    position = table.read_stream({}, []).position
    table.decide(UPLOAD, [Verdict("REC_000001", VALIDATED)], NOW)
    table.write("OTHER", rows(2, "OTHER"))
    Answering(dynamodb_streams, operation, refusal("TrimmedDataAccessException"))
    read = table.read_stream(position, [UPLOAD, "OTHER"])
    assert read.lost
    assert sorted((one.upload_id, one.row_number) for one in read.records) == [
        *(("OTHER", 1), ("OTHER", 2)),
        *((UPLOAD, 2), (UPLOAD, 3)),
    ]
    assert read.position == {}
    again = table.read_stream(read.position, [])
    assert len(again.records) == 5  # twice, which is no harm: one of them is decided already


def test_a_stream_of_a_table_made_anew_is_read_from_its_beginning(
    table: UploadRecords, dynamodb: Any
) -> None:
    table.write(UPLOAD, rows(3))
    read = table.read_stream({"shardId-of-the-old-one": "123"}, [UPLOAD])
    assert read.lost
    assert len(read.records) == 3
    ended = table.read_stream({"shardId-of-the-old-one": "123/"}, [UPLOAD])
    assert ended.lost
    # A shard of the new stream may have the id of an old one, and be shorter than what was read of that.
    old = {**table.read_stream({}, []).position, "stream": "arn:of:the:old:one"}
    assert len(table.read_stream(old, [UPLOAD]).records) == 3


def test_an_expired_iterator_is_replaced(table: UploadRecords, dynamodb_streams: Any) -> None:
    """An iterator lives for 15 minutes."""
    table.write(UPLOAD, rows(3))
    expired = refusal("ExpiredIteratorException")
    Answering(dynamodb_streams, "GetRecords", expired)
    read = table.read_stream({}, [])
    assert (len(read.records), read.lost) == (3, False)
    Answering(dynamodb_streams, "GetRecords", expired, expired)
    assert table.read_stream({}, [UPLOAD]).lost


def test_a_closed_shard_is_read_to_its_end_and_not_again(table: UploadRecords, dynamodb_streams: Any) -> None:
    """moto has one shard for ever; AWS closes one after four hours and goes on in its child."""
    table.write(UPLOAD, rows(2))
    arn = (table.describe() or {})["LatestStreamArn"]
    (shard,) = dynamodb_streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    image = to_item(rows(3)[2])[0]

    def event(number: str) -> dict[str, Any]:
        return {"eventName": "INSERT", "dynamodb": {"SequenceNumber": number, "NewImage": image}}

    def shards(body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if "ExclusiveStartShardId" in body:
            found = {
                "Shards": [{"ShardId": "shardId-child-00000000000000001", "ParentShardId": shard["ShardId"]}]
            }
        else:
            found = {"Shards": [{"ShardId": shard["ShardId"]}], "LastEvaluatedShardId": shard["ShardId"]}
        return 200, {"StreamDescription": found}

    def iterator(body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        return 200, {"ShardIterator": f"{body['ShardId']} {body.get('SequenceNumber', 'begin')}"}

    def page(body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if "child" not in body["ShardIterator"]:
            return 200, {"Records": [event("1" * 21)]}  # no next iterator: closed
        if body["ShardIterator"].endswith("begin"):
            return 200, {"Records": [event("2" * 21)], "NextShardIterator": "child next"}
        return 200, {"Records": [], "NextShardIterator": "child next"}

    for operation, answer in (
        ("DescribeStream", shards),
        ("GetShardIterator", iterator),
        ("GetRecords", page),
    ):
        Answering(dynamodb_streams, operation, *[answer] * 50)
    read = table.read_stream({}, [])
    assert len(read.records) == 2
    assert read.position == {
        "stream": arn,
        shard["ShardId"]: "1" * 21 + "/",
        "shardId-child-00000000000000001": "2" * 21,
    }
    again = table.read_stream(read.position, [])
    assert again.records == []
    assert again.position == read.position


def test_a_missing_table_says_how_to_make_it(dynamodb: Any, dynamodb_streams: Any) -> None:
    table = UploadRecords(dynamodb, dynamodb_streams, name="UploadRecords_missing")
    with pytest.raises(PermanentError, match="upload_records create"):
        table.read_stream({}, [])
    with pytest.raises(PermanentError, match="ResourceNotFoundException"):
        stored(table)


# -- the command line ---------------------------------------------------------------------------------------


def test_the_commands_do_what_the_published_script_did(
    aws: AwsSettings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[str] = []
    monkeypatch.setattr("builtins.input", lambda question: answers.pop(0))

    def command(*arguments: str, given: tuple[str, ...] = ()) -> tuple[int, str]:
        answers[:] = given
        status = upload_records.main([*arguments, "--table", "UploadRecords_cli"])
        return status, capsys.readouterr().out

    status, out = command("create")
    assert status == 0
    for line in (
        "Creating DynamoDB Table: UploadRecords_cli",
        '"TableName": "UploadRecords_cli"',
        "✓ Table UploadRecords_cli is now ACTIVE!",
        "Billing Mode: PAY_PER_REQUEST",
        "Stream View Type: NEW_IMAGE",
        "- VendorIndex (ACTIVE)",
        "- StatusIndex (ACTIVE)",
    ):
        assert line in out
    assert "exists already" in command("1")[1]
    assert "✓ Sample record inserted: UPLOAD_20241221_103045 / REC_000001" in command("sample")[1]
    assert "stays as it is" in command("3")[1]
    status, out = command("queries")
    assert (status, out.count("Found 1 records"), out.count("Found 0 records")) == (0, 3, 1)
    status, out = command("delete", given=("no",))
    assert (status, "Nothing was deleted." in out) == (1, True)
    status, out = command(given=("2", "yes"))
    assert (status, "is deleted" in out) == (0, True)
    assert command("2")[0] == 1


def test_the_command_runs_by_itself_and_no_answer_deletes_nothing(
    aws: AwsSettings, table: UploadRecords
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "commerce_assets.upload_records", "delete", "--table", table.name],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert "Nothing was deleted." in done.stdout
    assert table.describe() is not None


def test_a_command_that_cannot_says_why(
    aws: AwsSettings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert upload_records.main(["queries", "--table", "UploadRecords_nowhere"]) == 2
    assert "ResourceNotFoundException" in capsys.readouterr().err
    monkeypatch.setattr("builtins.input", lambda question: "7")
    assert upload_records.main([]) == 1
    assert "'7' is none of 1 to 4" in capsys.readouterr().err
