"""S3 and DynamoDB throttled or away in a run: waited for, or done by the next one; nothing is lost, nothing twice."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import psycopg2
import pytest

from commerce_assets import answer_store, objects, onboarding
from commerce_assets.dynamo import PENDING, UploadRecords
from resources import failures, sql
from resources.database import connect
from resources.failures import PermanentError, PipelineError, TransientError
from resources.settings import AwsSettings, DatabaseSettings
from resources.sql import Session
from tests.integration.test_onboarding import GOOD, Marketplace

CONTENT = GOOD + "P3,C,Bookz,S3,x,1\nP4,D,Books,S1,3,1\nP5,short\n"
WAYS: dict[str, tuple[int, str]] = {
    "SlowDown": (503, "SlowDown"),
    "InternalError": (500, "InternalError"),
    "throttled": (400, "ProvisionedThroughputExceededException"),
}


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def market(
    aws: AwsSettings,
    warehouse_as: Callable[[str], DatabaseSettings],
    monkeypatch: pytest.MonkeyPatch,
    waits: list[float],
) -> Iterator[Marketplace]:
    """Whose waiting is noted instead of done."""
    patient = functools.partial(failures.retrying, sleep=waits.append)
    for module in (objects, onboarding, sql):
        monkeypatch.setattr(module, "retrying", patient)
    monkeypatch.setattr(
        onboarding, "store_answer", functools.partial(answer_store.store_answer, sleep=waits.append)
    )
    made = Marketplace(aws, warehouse_as("commerce_etl"))
    made.records = UploadRecords(made.client, name=made.records.name, sleep=waits.append)
    yield made
    made.close()


class Outage:
    """Calls `first` to `last` (from 0, all services together) are refused, or cut off."""

    def __init__(self, market: Marketplace, first: int, last: int, way: str) -> None:
        self.calls, self.first, self.last, self.way = 0, first, last, way
        for client, service in ((market.store.client, "s3"), (market.client, "dynamodb")):
            client.meta.events.register(f"before-send.{service}.*", self._refuse)

    def _refuse(self, request: Any, **_: object) -> Any:
        from botocore.awsrequest import AWSResponse
        from botocore.exceptions import EndpointConnectionError

        number, self.calls = self.calls, self.calls + 1
        if not self.first <= number <= self.last:
            return None
        if self.way == "away":
            raise EndpointConnectionError(endpoint_url="http://stand-in")
        status, code = WAYS[self.way]
        if "x-amz-target" in {name.lower() for name in request.headers}:
            body, kind = f'{{"__type": "{code}", "message": "no"}}', "application/x-amz-json-1.0"
        else:
            body, kind = f"<Error><Code>{code}</Code><Message>no</Message></Error>", "application/xml"
        return AWSResponse(request.url, status, {"content-type": kind}, _Raw(body.encode()))


class _Raw:
    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, **_: object) -> Iterator[bytes]:
        yield self._body


def assert_done_once(market: Marketplace) -> None:
    assert market.query("select stage, failure_code from commerce.upload_objects") == [("answered", None)]
    assert market.query("select sku, price::text from products order by 1") == [
        ("S1", "1.00"),
        ("S2", "2.00"),
    ]
    ((upload_id, *counts),) = market.query(
        "select upload_id, total_records, valid_records, error_records, status from upload_history"
    )
    assert counts == [5, 2, 3, "partial"]
    assert market.records.count_by_status(upload_id) == {"validated": 2, "error": 3}
    assert market.query("select count(*) from commerce.staged_rows") == [(0,)]
    assert market.query("select count(*) from validation_errors") == [(3,)]
    assert market.query("select kind, count(*) from commerce.product_changes group by 1") == [("insert", 2)]
    assert len(market.answers()) == 5


@pytest.mark.parametrize("way", [*WAYS, "away"])
def test_a_service_that_is_busy_for_a_moment_is_waited_for(
    market: Marketplace, waits: list[float], way: str
) -> None:
    """At every single call of a run, twice in a row: the run goes on by itself."""
    market.put("VEND001/a.csv", CONTENT)
    outage = Outage(market, 10**9, 0, way)
    market.run()
    calls, before = outage.calls, market.answers()
    assert_done_once(market)
    for first in range(0, calls, 4):
        another = Outage(market, first, first + 1, way)
        market.put("VEND001/a.csv", CONTENT)
        market.run()
        another.last = -1
        assert market.query("select distinct stage from commerce.upload_objects") == [("answered",)]
    assert len(market.answers()) == len(before) * (1 + len(range(0, calls, 4)))
    assert set(waits) == {2.0, 4.0}


@pytest.mark.parametrize("way", ["SlowDown", "away"])
def test_a_service_that_stays_away_ends_the_run_and_the_next_one_goes_on(
    market: Marketplace, way: str
) -> None:
    """From every single call of a run on, one after the other, until a run gets through."""
    market.put("VEND001/a.csv", CONTENT)
    ended = 0
    for first in range(100):
        outage = Outage(market, first, 10**9, way)
        try:
            market.run()
        except (TransientError, PermanentError):
            ended += 1
            market.session.connection.rollback()
        finally:
            outage.last = -1
        if outage.calls <= first:
            break
    assert ended > 5
    assert_done_once(market)


def test_a_connection_that_breaks_inside_of_a_file_is_read_anew(
    market: Marketplace, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was recorded before is not recorded twice."""
    from botocore.exceptions import ReadTimeoutError
    from botocore.response import StreamingBody

    rows = "".join(f"Q{n},A,Books,T{n},1,1\n" for n in range(3_000))
    market.put("VEND001/a.csv", GOOD + rows)
    original, reads = StreamingBody.read, 0

    def read(self: Any, amt: int | None = None) -> bytes:
        nonlocal reads
        reads += 1
        if reads == 1:
            return original(self, 70_000)
        if reads == 2:
            raise ReadTimeoutError(endpoint_url="http://stand-in")
        return original(self, amt)

    market.run(onboarding.receive)
    monkeypatch.setattr(StreamingBody, "read", read)
    market.run(onboarding.record)
    assert waits == [2.0]
    ((upload_id,),) = market.query("select upload_id from upload_history")
    assert market.records.count_by_status(upload_id) == {PENDING: 3_002}
    assert market.query("select file_facts -> 'rows' from commerce.upload_objects") == [(3_002,)]


def test_a_database_that_cuts_the_connection_at_any_statement_costs_nothing(
    market: Marketplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At every second statement of a run, one run after the other; most of them go on by themselves."""
    original, calls, at = Session.run, 0, -1
    watcher = connect(market.warehouse, application_name="watcher", autocommit=True)

    def cutting(self: Session, *args: Any, **facts: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == at:
            with watcher.cursor() as cursor:
                cursor.execute("select pg_terminate_backend(%s)", (self.connection.get_backend_pid(),))
        return original(self, *args, **facts)

    monkeypatch.setattr(Session, "run", cutting)
    through = ended = 0
    for at in range(1, 1000, 2):
        calls = 0
        market.put("VEND001/a.csv", CONTENT)
        try:
            market.run()
        except (psycopg2.Error, PipelineError):
            ended += 1
            if market.session.connection.closed:
                market.session.connection = connect(market.warehouse, application_name="test")
        else:
            through += 1
            if calls < at:
                break
    watcher.close()
    assert through > 20
    assert through > ended
    assert market.query("select distinct stage, failure_code from commerce.upload_objects") == [
        ("answered", None)
    ]
    assert market.query(
        "select distinct total_records, valid_records, error_records, status from upload_history"
    ) == [(5, 2, 3, "partial")]
    assert market.query("select count(*) from commerce.staged_rows") == [(0,)]
    assert market.query("select kind, count(*) from commerce.product_changes group by 1") == [("insert", 2)]
