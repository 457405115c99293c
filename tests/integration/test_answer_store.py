"""Answer files on moto's S3: stored in order, once, whole, and with failures in our words."""

from __future__ import annotations

import csv
import io
import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from commerce_assets.answer_store import store_answer
from commerce_assets.answers import (
    Answer,
    AnswerFile,
    FileProblem,
    RowResult,
    Summary,
    Upload,
    VendorFile,
    write_answer,
    write_refusal,
)
from commerce_assets.objects import PART_BYTES
from resources.aws import _descriptions, aws_client
from resources.failures import PermanentError, TransientError
from resources.settings import AwsSettings

UPLOAD = Upload("UPLOAD_1", "VEND001", "f.csv")
FILE = VendorFile(("sku", "price"), ("sku", "price"))
ROWS = (
    RowResult(1, "accepted", ("S1", "1")),
    RowResult(2, "rejected", ("S2", "x"), ["INVALID_PRICE"], ["price"], ["no price"], [None]),
)


@pytest.fixture
def s3(aws: AwsSettings) -> Iterator[Any]:
    client = aws_client("s3", aws)
    yield client
    client.close()


@pytest.fixture
def bucket(s3: Any, request: pytest.FixtureRequest) -> str:
    name = f"answers-{abs(hash(request.node.name)) % 10**9}"
    s3.create_bucket(Bucket=name)
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


def versions(s3: Any, bucket: str) -> list[str]:
    return sorted(found["Key"] for found in s3.list_object_versions(Bucket=bucket).get("Versions", []))


def failing(s3: Any, operation: str, status: int, code: str, times: int = 1) -> list[str]:
    """Let the next calls of an operation be refused; returns the list that names each refusal."""
    from botocore.awsrequest import AWSResponse

    refused: list[str] = []
    body = f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()

    class Raw:
        def stream(self, **_: object) -> Iterator[bytes]:
            yield body

    def refuse(request: Any, **_: object) -> AWSResponse | None:
        if len(refused) >= times:
            return None
        refused.append(operation)
        return AWSResponse(request.url, status, {"content-type": "application/xml"}, Raw())

    s3.meta.events.register(f"before-send.s3.{operation}", refuse)
    return refused


def test_the_files_are_where_the_summary_says(s3: Any, bucket: str, tmp_path: Path) -> None:
    answer = write_answer(tmp_path, UPLOAD, FILE, ROWS)
    keys = store_answer(s3, bucket, answer)
    assert versions(s3, bucket) == [
        "errors/VEND001/UPLOAD_1_errors.csv",
        "results/VEND001/UPLOAD_1/annotated.csv",
        "results/VEND001/UPLOAD_1/failed_rows.csv",
        "results/VEND001/UPLOAD_1/summary.html",
        "results/VEND001/UPLOAD_1/summary.json",
    ]
    stored = s3.get_object(Bucket=bucket, Key=keys["summary_json"])
    assert json.load(stored["Body"])["files"] == keys
    failed = s3.get_object(Bucket=bucket, Key=keys["failed_rows"])["Body"].read().decode()
    assert list(csv.reader(io.StringIO(failed))) == [["sku", "price"], ["S2", "x"]]


def test_each_file_says_what_it_is(s3: Any, bucket: str, tmp_path: Path) -> None:
    file = VendorFile(FILE.columns, FILE.fields, encoding="cp1252")
    keys = store_answer(s3, bucket, write_answer(tmp_path, UPLOAD, file, ROWS))
    heads = {kind: s3.head_object(Bucket=bucket, Key=key) for kind, key in keys.items()}
    assert {kind: head["ContentType"] for kind, head in heads.items()} == {
        "annotated": "text/csv; charset=windows-1252",
        "failed_rows": "text/csv; charset=windows-1252",
        "errors": "text/csv; charset=utf-8",
        "summary_html": "text/html; charset=utf-8",
        "summary_json": "application/json",
    }
    assert heads["errors"]["ContentDisposition"] == 'attachment; filename="UPLOAD_1_errors.csv"'
    assert heads["summary_html"]["ContentDisposition"].startswith("inline")


def test_storing_again_makes_no_new_version(s3: Any, bucket: str, tmp_path: Path) -> None:
    """The bucket keeps versions: each rerun would leave another copy of each file for as long as they are kept."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        store_answer(s3, bucket, write_answer(tmp_path / name, UPLOAD, FILE, ROWS))
    assert len(versions(s3, bucket)) == 5
    (tmp_path / "three").mkdir()
    store_answer(s3, bucket, write_answer(tmp_path / "three", UPLOAD, FILE, ROWS[:1]))
    assert versions(s3, bucket).count("results/VEND001/UPLOAD_1/annotated.csv") == 2


def test_a_refusal_is_stored_as_a_summary(s3: Any, bucket: str, tmp_path: Path) -> None:
    answer = write_refusal(tmp_path, UPLOAD, FileProblem("EMPTY_FILE", "The file has no text at all."))
    assert set(store_answer(s3, bucket, answer)) == {"summary_html", "summary_json"}


def test_a_large_file_goes_in_parts_within_bounded_memory(s3: Any, bucket: str, tmp_path: Path) -> None:
    """Of 128 MB no part is held: by an open file the library would read ten parts ahead, 97 MB as measured."""
    import psutil

    path = tmp_path / "large.csv"
    with path.open("wb") as file:
        for _ in range(128):
            file.write(os.urandom(1024) * 1024)
    answer = Answer(
        (AnswerFile("annotated", path, "results/large.csv", "text/csv"),), Summary(UPLOAD, "completed", {})
    )
    operations: list[str] = []
    s3.meta.events.register("before-call.s3.*", lambda model, **_: operations.append(model.name))
    before = psutil.Process().memory_info().rss
    peaks, done = [before], threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            peaks.append(psutil.Process().memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        store_answer(s3, bucket, answer)
    finally:
        done.set()
        watcher.join()
    assert operations.count("UploadPart") == path.stat().st_size // PART_BYTES
    assert s3.head_object(Bucket=bucket, Key="results/large.csv")["ContentLength"] == path.stat().st_size
    assert max(peaks) - before < 40 * 1024 * 1024


@pytest.mark.parametrize(("status", "code"), [(503, "SlowDown"), (500, "InternalError")])
def test_a_busy_s3_is_asked_again(s3: Any, bucket: str, tmp_path: Path, status: int, code: str) -> None:
    refused, waits = failing(s3, "PutObject", status, code, times=2), list[float]()
    store_answer(s3, bucket, write_answer(tmp_path, UPLOAD, FILE, ROWS), sleep=waits.append)
    assert len(refused) == 2
    assert waits == [2.0, 4.0]
    assert len(versions(s3, bucket)) == 5


def test_a_summary_is_there_only_when_all_else_is(s3: Any, bucket: str, tmp_path: Path) -> None:
    failing(s3, "PutObject", 503, "SlowDown", times=10**6)
    waits: list[float] = []
    with pytest.raises(TransientError, match=r"annotated\.csv: SlowDown \(4 attempts\)"):
        store_answer(s3, bucket, write_answer(tmp_path, UPLOAD, FILE, ROWS), sleep=waits.append)
    assert waits == [2.0, 4.0, 8.0]
    assert versions(s3, bucket) == []


def test_a_missing_bucket_or_right_is_permanent_and_named(s3: Any, bucket: str, tmp_path: Path) -> None:
    answer = write_answer(tmp_path, UPLOAD, FILE, ROWS)
    with pytest.raises(PermanentError, match="NoSuchBucket"):
        store_answer(s3, "no-such-bucket-here", answer)
    failing(s3, "PutObject", 403, "AccessDenied")
    with pytest.raises(PermanentError, match="Allow this action"):
        store_answer(s3, bucket, answer)


def test_without_the_right_to_look_the_files_are_stored_all_the_same(
    s3: Any, bucket: str, tmp_path: Path
) -> None:
    failing(s3, "HeadObject", 403, "AccessDenied", times=5)
    store_answer(s3, bucket, write_answer(tmp_path, UPLOAD, FILE, ROWS))
    assert len(versions(s3, bucket)) == 5


def test_a_second_client_costs_little_and_leaves_nothing_behind(aws: AwsSettings) -> None:
    """Each stage of a run has its own clients; reading botocore's descriptions for each took 4 of the 5 s of CPU of a
    run with 100 rows."""
    aws_client("s3", aws).close()
    kept = list(_descriptions().search_paths)
    began = time.process_time()
    for _ in range(5):
        aws_client("s3", aws).close()
    assert time.process_time() - began < 0.5
    assert _descriptions().search_paths == kept
