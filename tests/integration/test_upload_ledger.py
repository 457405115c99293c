"""The ledger of uploads on a stand-in for S3 and a real Postgres: nothing missed, nothing twice, one version read."""

from __future__ import annotations

import dataclasses
import time
import tracemalloc
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from commerce_assets.ledger import PAGES_A_TICK, Scan, request_work, scan
from commerce_assets.objects import ObjectVersion, Page, UploadStore
from resources.aws import AwsRefusal
from resources.database import connect
from resources.settings import AwsSettings, DatabaseSettings
from resources.sql import Session
from sandbox.aws import ensure_bucket


@pytest.fixture(params=[True, False], ids=["versions", "no versions"])
def store(aws: AwsSettings, request: pytest.FixtureRequest) -> Iterator[UploadStore]:
    bucket = f"uploads-{uuid.uuid4().hex[:12]}"
    made = UploadStore(bucket, aws)
    if request.param:
        assert aws.endpoint_url is not None
        ensure_bucket(int(aws.endpoint_url.rpartition(":")[2]), bucket)
    else:
        made.client.create_bucket(Bucket=bucket)
    yield made
    made.close()


@pytest.fixture
def session(warehouse_as: Callable[[str], DatabaseSettings]) -> Iterator[Session]:
    settings = warehouse_as("commerce_etl")
    opened = Session(lambda retry: connect(settings, application_name="test", retry=retry))
    yield opened
    opened.close()


def put(store: UploadStore, name: str, content: bytes = b"sku\nA\n") -> None:
    store.put(f"incoming/{name}", content, "text/csv")


def stages(session: Session) -> list[tuple[str, str]]:
    with session.connection, session.connection.cursor() as cursor:
        cursor.execute("select object_key, stage from commerce.upload_objects order by object_id")
        return cursor.fetchall()  # type: ignore[no-any-return]


def test_each_object_is_noted_once_however_often_it_is_listed(store: UploadStore, session: Session) -> None:
    put(store, "VEND001/a.csv")
    put(store, "VEND001/b.csv")
    store.put("results/VEND001/x.json", b"{}", "application/json")
    assert scan(session, store) == Scan(listed=2, new=2, withdrawn=0, complete=True)
    assert scan(session, store) == Scan(listed=2, new=0, withdrawn=0, complete=True)
    assert stages(session) == [("incoming/VEND001/a.csv", "seen"), ("incoming/VEND001/b.csv", "seen")]


def test_an_overwritten_object_is_another_upload(store: UploadStore, session: Session) -> None:
    put(store, "a.csv", b"sku\nA\n")
    scan(session, store)
    put(store, "a.csv", b"sku\nB\n")
    assert scan(session, store).new == 1
    assert len(stages(session)) == 2


def test_what_is_deleted_before_anybody_looked_is_withdrawn(store: UploadStore, session: Session) -> None:
    put(store, "a.csv")
    scan(session, store)
    store.client.delete_object(Bucket=store.bucket, Key="incoming/a.csv")
    scan(session, store)
    versioned = store.client.get_bucket_versioning(Bucket=store.bucket).get("Status") == "Enabled"
    assert stages(session) == [("incoming/a.csv", "withdrawn" if versioned else "seen")]


def test_a_version_is_read_although_it_was_overwritten_or_refused(store: UploadStore) -> None:
    """Never the bytes of another version than the one that was noted."""
    put(store, "a.csv", b"first")
    (noted,) = store.versions("incoming/").objects
    put(store, "a.csv", b"second")
    if noted.version_id == "null":
        with pytest.raises(AwsRefusal), store.reading(noted):
            pass
    else:
        with store.reading(noted) as stream:
            assert stream.read() == b"first"


def test_a_tick_lists_some_pages_and_the_next_goes_on(
    store: UploadStore, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("commerce_assets.objects.PAGE", 10)
    for number in range(25):
        put(store, f"{number:03d}.csv", b"x")
    first, second = scan(session, store, pages=2), scan(session, store, pages=2)
    assert (first.listed, first.complete, second.complete) == (20, False, True)
    assert len(stages(session)) == 25
    put(store, "000-earlier.csv", b"x")
    assert sum(scan(session, store, pages=2).new for _ in range(2)) == 1


def test_work_is_given_out_once_until_it_is_overdue_and_then_more_and_more_seldom(
    store: UploadStore, session: Session
) -> None:
    for number in range(3):
        put(store, f"{number}.csv", b"x")
    scan(session, store)
    assert [attempt for _, attempt in request_work(session, most=2)] == [1, 1]
    assert len(request_work(session)) == 1
    assert request_work(session) == []
    for attempt, minutes in enumerate((2, 4, 8, 16, 30, 30), 2):
        for since, due in ((minutes - 1, []), (minutes + 1, [(1, attempt)])):
            with session.connection, session.connection.cursor() as cursor:
                cursor.execute(
                    "update commerce.upload_objects set requested_at = now() - %s * interval '1 minute'"
                    " where object_id = 1",
                    (since,),
                )
            assert request_work(session) == due


def test_large_objects_go_up_in_parts_and_come_back_whole(store: UploadStore) -> None:
    content = bytes(range(256)) * (80 * 1024)
    put(store, "large.bin", content)
    (noted,) = store.versions("incoming/").objects
    assert isinstance(noted, ObjectVersion)
    assert noted.size == len(content)
    with store.reading(noted) as stream:
        assert stream.read() == content


NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


class WholeSeconds(UploadStore):
    """S3 tells times in whole seconds; its stand-in is more exact. Here all of them are one second."""

    def versions(self, prefix: str, key_marker: str | None = None, version_marker: str | None = None) -> Page:
        page = super().versions(prefix, key_marker, version_marker)
        objects = tuple(dataclasses.replace(one, last_modified=NOON) for one in page.objects)
        return dataclasses.replace(page, objects=objects)


def test_versions_of_one_second_are_uploads_in_their_order(aws: AwsSettings, session: Session) -> None:
    """They were taken in the order of their version ids, which are random: an older price came over a newer one."""
    bucket = f"uploads-{uuid.uuid4().hex[:12]}"
    assert aws.endpoint_url is not None
    ensure_bucket(int(aws.endpoint_url.rpartition(":")[2]), bucket)
    store = WholeSeconds(bucket, aws)
    for number in range(12):
        put(store, "a.csv", b"x" * (number + 1))
        put(store, f"other {number}.csv")
    scan(session, store)
    with session.connection, session.connection.cursor() as cursor:
        cursor.execute(
            "select size_bytes from commerce.upload_objects where object_key = 'incoming/a.csv'"
            " order by last_modified, object_id"
        )
        assert cursor.fetchall() == [(number + 1,) for number in range(12)]
        cursor.execute("select count(*) from commerce.upload_objects")
        assert cursor.fetchall() == [(24,)]
    store.close()


class Crowded(UploadStore):
    """A listing of very many keys without the memory of a server that holds them."""

    keys = 100_000
    later: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()

    def versions(self, prefix: str, key_marker: str | None = None, version_marker: str | None = None) -> Page:
        first = int(key_marker) if key_marker else 0
        numbers = range(first, min(first + 1000, self.keys))
        objects = [
            ObjectVersion(
                f"{prefix}VEND001/{number:06d}.csv",
                f"v{number}",
                f"e{number}",
                100,
                NOON + timedelta(0, number // 500),
            )
            for number in numbers
        ]
        more = numbers.stop < self.keys
        if not more:
            objects += [ObjectVersion(key, "v", "e", 1, NOON + timedelta(1)) for key in self.later]
        gone = self.deleted if not more else ()
        return Page(tuple(objects), gone, str(numbers.stop) if more else None, None)


def test_a_hundred_thousand_keys_are_noted_once_in_bounded_ticks(aws: AwsSettings, session: Session) -> None:
    """First and later listings: two ticks see all of it, each in seconds and some megabytes."""
    store = Crowded("crowded", aws)
    longest = 0.0
    found = []
    tracemalloc.start()
    for tick in range(4):
        if tick == 2:
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            store.later = ("incoming/VEND001/zz late.csv",)
            store.deleted = ("incoming/VEND001/000777.csv",)
        began = time.monotonic()
        found.append(scan(session, store))
        assert len(request_work(session)) == 50
        longest = max(longest, time.monotonic() - began)
    half = PAGES_A_TICK * 1000
    assert found == [
        Scan(listed=half, new=half, withdrawn=0, complete=False),
        Scan(listed=half, new=half, withdrawn=0, complete=True),
        Scan(listed=half, new=0, withdrawn=0, complete=False),
        Scan(listed=half + 1, new=1, withdrawn=1, complete=True),
    ]
    assert longest < 20
    assert peak < 32 * 1024 * 1024
    with session.connection, session.connection.cursor() as cursor:
        cursor.execute(
            "select count(*), count(distinct object_key), count(*) filter (where stage = 'withdrawn')"
            " from commerce.upload_objects"
        )
        assert cursor.fetchall() == [(100_001, 100_001, 1)]


def test_a_slow_listing_ends_the_tick_and_goes_on_at_the_next(aws: AwsSettings, session: Session) -> None:
    """A tick over its time would be stopped before it asks for any run."""
    ticking = iter(range(0, 10_000, 8))
    seen = scan(session, Crowded("crowded", aws), seconds=20, clock=lambda: float(next(ticking)))
    assert (seen.listed, seen.complete) == (3_000, False)
    assert scan(session, Crowded("crowded", aws), pages=1).new == 1_000
    assert len(request_work(session)) == 50
