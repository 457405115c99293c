"""Files that no vendor should send, all the way: each is answered with a code, none is stuck or stops another."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import polars as pl
import pytest

from commerce_assets import onboarding, rules
from commerce_assets.dynamo import PENDING
from commerce_assets.ledger import scan
from commerce_assets.reading import Limits
from commerce_assets.rules import RULES, Rule
from resources.aws import AwsRefusal
from resources.failures import PermanentError, permanent, transient
from resources.settings import AwsSettings, DatabaseSettings
from tests.integration.test_onboarding import GOOD, HEADER, Marketplace


@pytest.fixture
def market(aws: AwsSettings, warehouse_as: Callable[[str], DatabaseSettings]) -> Iterator[Marketplace]:
    made = Marketplace(aws, warehouse_as("commerce_etl"))
    yield made
    made.close()


OTHER = HEADER + "P1,A,Books,T1,1.00,5\nP2,B,Books,T2,2.00,6\n"


def workbook() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/worksheets/sheet1.xml", "<worksheet/>" * 1000)
    return buffer.getvalue()


def archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        made.writestr("products.csv", GOOD)
    return buffer.getvalue()


FILES: dict[str, tuple[bytes | str, str]] = {
    "nothing": (b"", "EMPTY_FILE"),
    "spaces": (" \r\n\t\n", "EMPTY_FILE"),
    "a mark only": (b"\xef\xbb\xbf", "EMPTY_FILE"),
    "header only": (HEADER, "HEADER_ONLY"),
    "header without line end": (HEADER.strip(), "HEADER_ONLY"),
    "no header": ("P1,A,Books,S1,1.00,5\n", "NO_HEADER"),
    "wrong columns": ("sku,price\n1,2\n", "MISSING_COLUMNS"),
    "a column twice": (HEADER.strip() + ",sku\n", "DUPLICATE_COLUMNS"),
    "a column twice with a NUL": (HEADER.strip() + ",a\0,a\0\n", "DUPLICATE_COLUMNS"),
    "an open quote in the header": ('"' + HEADER, "MALFORMED_HEADER"),
    "101 columns": (HEADER.strip() + "".join(f",c{n}" for n in range(95)) + "\n", "TOO_MANY_COLUMNS"),
    "xlsx": (workbook(), "XLSX_FILE"),
    "zip": (archive(), "ZIP_FILE"),
    "gzip": (b"\x1f\x8b\x08\0" + bytes(range(256)), "COMPRESSED_FILE"),
    "web page": ("<!DOCTYPE html><html>", "HTML_OR_XML_FILE"),
    "bytes": (bytes(range(256)) * 20, "BINARY_FILE"),
    "utf-32": (GOOD.encode("utf-32"), "UNKNOWN_ENCODING"),
    "10,001 rows": (HEADER + "P,A,Books,S,1,1\n" * 10_001, "TOO_MANY_ROWS"),
    "11 MB": (HEADER + f"P,{'A' * 10_000},Books,S,1,1\n" * 1_100, "FILE_TOO_LARGE"),
    "a long line": (HEADER + "P," + "A" * 2_000_000, "LINE_TOO_LONG"),
}
"""What is refused as a whole: content and code."""


def test_what_cannot_be_read_is_answered_with_its_code_and_closed(market: Marketplace) -> None:
    """In one run, with a good file behind them: none stops another."""
    for name, (content, _) in FILES.items():
        market.put(f"VEND001/{name}.csv", content)
    market.put("VEND002/good.csv", GOOD)
    market.run()
    found = dict(market.query("select object_key, failure_code from commerce.upload_objects"))
    assert found.pop("incoming/VEND002/good.csv") is None
    assert found == {f"incoming/VEND001/{name}.csv": code for name, (_, code) in FILES.items()}
    assert_all_answered(market)
    summaries = [
        json.loads(content)
        for key, content in market.answers().items()
        if key.endswith(".json") and "VEND001" in key
    ]
    assert {one["file_name"]: one["problem"]["code"] for one in summaries} == {
        f"{name}.csv": code for name, (_, code) in FILES.items()
    }
    assert all(one["problem"]["do_next"] for one in summaries)
    assert market.query("select distinct status from upload_history where vendor_id = 'VEND001'") == [
        ("failed",)
    ]
    assert market.query("select count(*) from products") == [(2,)]


def assert_all_answered(market: Marketplace) -> None:
    """Nothing is on its way any more, nothing pending, nothing left behind."""
    assert market.query("select stage from commerce.upload_objects where stage <> 'answered'") == []
    assert market.query("select upload_id from upload_history where status = 'processing'") == []
    assert market.query("select count(*) from commerce.staged_rows") == [(0,)]
    for (upload_id,) in market.query("select upload_id from upload_history"):
        assert PENDING not in market.records.count_by_status(upload_id)


ROWS: dict[str, tuple[bytes | str, dict[int, str]]] = {
    "ragged": ("P1,A\nP2,A,Books,S2,1,1,7,8\nP3,A,Books,S3,1,1\n", {1: "TOO_FEW_CELLS", 2: "TOO_MANY_CELLS"}),
    "unbalanced quotes": ('P1,"A,Books,S1,1,1\nP2,A,Books,S2,1,1\n', {1: "UNBALANCED_QUOTES"}),
    "a quote to the end": ('P1,A,Books,S1,1,1\nP2,A,Books,S2,1,"1\n', {2: "UNBALANCED_QUOTES"}),
    "NUL": ("P1,A\0,Books,S1,1,1\nP2,A,Books,S2,1,1\n", {1: "NUL_BYTE"}),
    "half a character": (
        b"P1,A\xc3,Books,S1,1,1\nP2,\xc3\xa4\xc3\xb6\xc3\xbc,Books,S2,1,1\n",
        {1: "UNDECODABLE_TEXT"},
    ),
    "a long cell": (f"P1,{'A' * 40_000},Books,S1,1,1\nP2,A,Books,S2,1,1\n", {1: "CELL_TOO_LONG"}),
    "numbers": (
        "P1,A,Books,S1,1e5000000,1\nP2,A,Books,S2,NaN,1\nP3,A,Books,S3,1,1_000\nP4,A,Books,S4,1,٣\n"
        "P5,A,Books,S5,1,1.5\nP6,A,Books,S6,1,0\n",
        {1: "INVALID_PRICE", 2: "INVALID_PRICE", 3: "INVALID_STOCK", 4: "INVALID_STOCK", 5: "INVALID_STOCK"},
    ),
    "only blanks": (",,,,,\nP2,A,Books,S2,1,1\n", {1: "MISSING_REQUIRED_FIELDS"}),
}
"""What costs single rows: the rows below the header, and code by row number; all others are taken."""


@pytest.mark.parametrize("name", ROWS)
def test_a_broken_row_costs_itself_and_comes_back_with_its_code(market: Marketplace, name: str) -> None:
    content, codes = ROWS[name]
    market.put("VEND001/a.csv", HEADER.encode() + (content.encode() if isinstance(content, str) else content))
    market.run()
    assert_all_answered(market)
    assert dict(market.query("select row_number, error_type from validation_errors")) == codes
    ((total, valid, errors),) = market.query(
        "select total_records, valid_records, error_records from upload_history"
    )
    assert (total, errors) == (valid + errors, len(codes))
    annotated = list(csv.reader(io.StringIO(market.answer("annotated").decode("utf-8-sig"))))
    status = annotated[0].index("status")
    rejected = {n: row[status + 1] for n, row in enumerate(annotated[1:], 1) if row[status] == "rejected"}
    assert rejected == codes


HEADERS = {
    "two columns without a name": (",,", ["", ""]),
    "names that we use inside": (",_code,_cells,_message,_row", ["1", "2", "3", "4"]),
    "names of our added columns": (",row,status,codes,messages,suggestion", ["1", "2", "3", "4", "5"]),
    "a name with everything": (',"a""b\'c\n{}\\%s$1"', ["x"]),
    "names of columns of the pipeline": (",row_number,upload_id,verdict,kept.sku,record_id", list("abcde")),
    "names that a frame would take": (",extra.1,extra.7,literal", list("abc")),
    "the name of another alphabet": (",Ünïcödé 价格", ["x"]),
}


@pytest.mark.parametrize("name", HEADERS)
def test_columns_that_nothing_reads_come_back_as_they_came(market: Marketplace, name: str) -> None:
    """A vendor's own columns may have any name; one that stopped the run would stop every vendor's upload behind it."""
    more, cells = HEADERS[name]
    header = HEADER.strip() + more
    rows = [["P1", "A", "Books", "S1", "1", "1", *cells], ["P2", "A", "Bookz", "S2", "1", "1", *cells]]
    lines = "".join(",".join(row) + "\n" for row in [*rows, ["P3", "short"]])
    market.put("VEND001/a.csv", f"{header}\n{lines}")
    market.put("VEND002/b.csv", OTHER)
    market.run()
    assert_all_answered(market)
    assert market.query("select sku from products order by 1") == [("S1",), ("T1",), ("T2",)]
    (annotated,) = [
        list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
        for key, content in market.answers().items()
        if key.endswith("annotated.csv") and "VEND001" in key
    ]
    (given,) = csv.reader(io.StringIO(header))
    assert annotated[0][: len(given)] == given
    assert [row[: len(given)] for row in annotated[1:3]] == rows
    assert annotated[3][:2] == ["P3", "short"]


@pytest.mark.parametrize(("rows", "code"), [(1, "TOO_MANY_ROWS"), (2, None)])
def test_the_limits_are_settings(market: Marketplace, rows: int, code: str | None) -> None:
    market.put("VEND001/a.csv", GOOD)
    market.run(limits=Limits(rows=rows))
    assert_all_answered(market)
    assert market.query("select failure_code from commerce.upload_objects") == [(code,)]


@pytest.mark.parametrize(
    ("key", "code"),
    [
        ("VEND001/VENDOR_list.csv", None),
        ("VEND001/VEND001_list.csv", None),
        ("VEND001_list.csv", None),
        ("VEND001/2026/11/list.csv", None),
        ("VEND001/" + "n" * 900 + ".csv", None),
        ("VEND001/näme 价格 'a' \"b\" %2F+&.csv", None),
        ("VEND001/VEND999_list.csv", "VENDOR_MISMATCH"),
        ("VEND003/list.csv", "INACTIVE_VENDOR"),
        ("VEND404/list.csv", "UNKNOWN_VENDOR"),
        ("x" * 200 + "/list.csv", "UNKNOWN_VENDOR"),
        ("list.csv", "UNKNOWN_VENDOR"),
    ],
)
def test_whose_file_it_is_comes_from_folder_and_name(market: Marketplace, key: str, code: str | None) -> None:
    """A file called VENDOR_list.csv was refused: its name was taken for another vendor's."""
    market.query("update commerce.vendors set status = 'suspended' where vendor_id = 'VEND003' returning 1")
    market.put(key, GOOD)
    market.run()
    ((stage, found),) = market.query("select stage, failure_code from commerce.upload_objects")
    assert (stage, found) == ("refused" if code == "UNKNOWN_VENDOR" else "answered", code)
    assert code is None or code.encode() in market.answer("summary.json")
    assert market.query("select count(*) from products") == [(0 if code else 2,)]


def test_a_row_that_raises_inside_a_rule_costs_itself_all_the_way(
    market: Marketplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode(sku: str) -> bool:
        if sku == "POISON":
            raise ValueError(sku)
        return False

    def broken(settings: rules.Settings) -> pl.Expr:
        return pl.col("sku").map_elements(explode, return_dtype=pl.Boolean)

    monkeypatch.setattr(rules, "RULES", (*RULES, Rule("POISON", "error", "sku", "", "", "", broken)))
    market.put("VEND001/a.csv", GOOD + "P3,C,Books,POISON,1,1\nP4,D,Books,S4,1,1\n")
    market.run()
    assert_all_answered(market)
    assert market.query("select row_number, error_type from validation_errors") == [(3, "VALIDATION_ERROR")]
    assert market.query("select sku from products order by 1") == [("S1",), ("S2",), ("S4",)]


@pytest.mark.parametrize("stage", ["ProductFile", "stage_chunks", "apply_upload"])
def test_a_fault_of_ours_stops_one_upload_and_not_those_behind_it(
    market: Marketplace, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    """Uploads go through a stage in one run: what raised for one of them was raised in every run after it."""
    original, first = getattr(onboarding, stage), True

    def failing(*args: Any, **options: Any) -> Any:
        nonlocal first
        if first:
            first = False
            raise KeyError("a mistake")
        return original(*args, **options)

    market.put("VEND001/a.csv", GOOD)
    scan(market.session, market.store)
    market.put("VEND002/b.csv", OTHER)
    monkeypatch.setattr(onboarding, stage, failing)
    market.run()
    assert_all_answered(market)
    assert market.query("select object_key, failure_code from commerce.upload_objects order by 1") == [
        ("incoming/VEND001/a.csv", "PROCESSING_FAILED"),
        ("incoming/VEND002/b.csv", None),
    ]
    assert market.query("select distinct vendor_id from products") == [("VEND002",)]
    # As the runbook says.
    market.query(
        "insert into commerce.upload_objects (bucket, object_key, version_id, etag, size_bytes, last_modified)"
        " select bucket, object_key, version_id, etag, size_bytes, current_timestamp"
        " from commerce.upload_objects where failure_code = 'PROCESSING_FAILED' returning 1"
    )
    market.run()
    assert_all_answered(market)
    assert market.query("select count(*) from products") == [(4,)]


@pytest.mark.parametrize("name", ["complete_upload", "write_answer"])
@pytest.mark.parametrize("error", [KeyError("a mistake"), permanent("x", found="y", do_next="z")])
def test_what_fails_after_the_catalogue_was_written_is_done_by_the_next_run(
    market: Marketplace, monkeypatch: pytest.MonkeyPatch, name: str, error: Exception
) -> None:
    market.put("VEND001/a.csv", GOOD)
    scan(market.session, market.store)
    market.put("VEND002/b.csv", OTHER)
    original, first = getattr(onboarding, name), True

    def failing(*args: Any, **options: Any) -> Any:
        nonlocal first
        if first:
            first = False
            raise error
        return original(*args, **options)

    monkeypatch.setattr(onboarding, name, failing)
    market.run()
    assert market.query("select object_key from commerce.upload_objects where stage = 'answered'") == [
        ("incoming/VEND002/b.csv",)
    ]
    market.run()
    assert_all_answered(market)
    assert market.query("select count(*) from products") == [(4,)]


@pytest.mark.parametrize(
    "error", [transient("x", found="y", do_next="z"), AwsRefusal("x", "AccessDenied", "z")]
)
def test_what_every_upload_would_meet_ends_the_run_and_costs_no_vendor_his_file(
    market: Marketplace, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def failing(*args: Any, **options: Any) -> Any:
        raise error

    market.put("VEND001/a.csv", GOOD)
    with monkeypatch.context() as patch:
        patch.setattr(onboarding, "retrying", lambda work, doing: work())
        patch.setattr("resources.sql.retrying", lambda work, doing: work())
        patch.setattr(onboarding, "ProductFile", failing)
        with pytest.raises(type(error)):
            market.run()
    assert market.query("select stage, failure_code from commerce.upload_objects") == [("received", None)]
    market.run()
    assert_all_answered(market)
    assert market.query("select count(*) from products") == [(2,)]


def test_a_run_that_lost_its_lease_closes_nothing(
    market: Marketplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*args: Any, **options: Any) -> Any:
        market.query("delete from ops.write_leases returning 1")
        raise KeyError("a mistake")

    market.put("VEND001/a.csv", GOOD)
    with monkeypatch.context() as patch:
        patch.setattr(onboarding, "ProductFile", failing)
        with pytest.raises(PermanentError, match="lost the lease"):
            market.run()
    market.run()
    assert_all_answered(market)
    assert market.query("select count(*) from products") == [(2,)]


@pytest.mark.parametrize("more", ["", ",surplus"])
def test_a_row_that_no_item_can_hold_comes_back_whole(market: Marketplace, more: str) -> None:
    """DynamoDB takes 400 KB. Such a row was answered empty, so the vendor had nothing to correct."""
    large = ["価" * 32_000] * 5
    row = ["P3", "C", "Books", "S3", "1.00", "1", *large]
    header = HEADER.strip() + ",a,b,c,d,e"
    market.put(
        "VEND001/a.csv", f"{header}\nP1,A,Books,S1,1,1,,,,,\n{','.join(row)}{more}\nP2,B,Books,S2,1,1,,,,,\n"
    )
    market.run()
    assert_all_answered(market)
    assert market.query("select row_number, error_type from validation_errors") == [(2, "ITEM_TOO_LARGE")]
    assert market.query("select sku from products order by 1") == [("S1",), ("S2",)]
    csv.field_size_limit(10**6)
    for kind in ("annotated", "failed_rows"):
        lines = list(csv.reader(io.StringIO(market.answer(kind).decode("utf-8-sig"))))
        assert lines[2 if kind == "annotated" else 1][: len(row)] == row


def test_a_file_that_is_too_large_is_not_read(market: Marketplace) -> None:
    market.put("VEND001/a.csv", GOOD)
    market.run(limits=Limits(file_bytes=len(GOOD) - 1))
    assert_all_answered(market)
    ((upload_id,),) = market.query("select upload_id from upload_history")
    assert market.records.count_by_status(upload_id) == {}
    assert b"FILE_TOO_LARGE" in market.answer("summary.json")


def test_an_upload_whose_items_are_gone_is_recorded_again(market: Marketplace) -> None:
    """Items expire, and a stand-in forgets them: the run failed for ever, and with it every upload behind."""
    market.put("VEND001/a.csv", GOOD)
    market.run(onboarding.receive, onboarding.record)
    market.records.delete()
    market.records.create()
    market.run()
    assert market.query("select stage, requested_at from commerce.upload_objects") == [("received", None)]
    market.run()
    assert_all_answered(market)
    assert market.query("select count(*) from products") == [(2,)]


def test_a_version_that_is_gone_is_answered(market: Marketplace) -> None:
    market.put("VEND001/a.csv", GOOD)
    market.run(onboarding.receive)
    ((key, version),) = market.query("select object_key, version_id from commerce.upload_objects")
    market.store.client.delete_object(Bucket=market.store.bucket, Key=key, VersionId=version)
    market.run()
    assert_all_answered(market)
    assert b"FILE_GONE" in market.answer("summary.json")


@pytest.mark.parametrize("done", [1, 2, 3, 4, 5])
def test_a_file_that_is_overwritten_while_it_is_worked_on_is_another_upload(
    market: Marketplace, done: int
) -> None:
    """At whatever stage: what was noted is read, and the new version is read after it."""
    stages = (
        onboarding.receive,
        onboarding.record,
        onboarding.validate,
        onboarding.apply,
        onboarding.complete,
    )
    market.put("VEND001/a.csv", GOOD)
    market.run(*stages[:done])
    market.put("VEND001/a.csv", GOOD.replace("1.00", "9.00"))
    market.run()
    assert_all_answered(market)
    assert market.query("select price::text from products order by sku") == [("9.00",), ("2.00",)]
    assert market.query(
        "select kind, changes.before ->> 'price', changes.after ->> 'price'"
        " from commerce.product_changes as changes order by change_id"
    ) == [("insert", None, None), ("insert", None, None), ("update", "1.00", "9.00")]


def test_without_versions_an_overwritten_file_is_answered_as_gone(market: Marketplace) -> None:
    bucket = market.store.bucket = f"{market.store.bucket}-plain"
    market.store.client.create_bucket(Bucket=bucket)
    market.put("VEND001/a.csv", GOOD)
    market.run(onboarding.receive)
    market.put("VEND001/a.csv", OTHER)
    market.run()
    assert_all_answered(market)
    assert market.query("select failure_code from commerce.upload_objects order by 1") == [
        ("FILE_GONE",),
        (None,),
    ]
    assert market.query("select sku from products order by 1") == [("T1",), ("T2",)]


def test_a_file_that_is_still_being_written_is_not_seen(market: Marketplace) -> None:
    """In parts: it is an object only when its vendor has completed it."""
    place = {"Bucket": market.store.bucket, "Key": "incoming/VEND001/a.csv"}
    client = market.store.client
    upload = client.create_multipart_upload(**place)["UploadId"]
    part = client.upload_part(**place, UploadId=upload, PartNumber=1, Body=GOOD.encode())
    market.run()
    assert market.query("select count(*) from commerce.upload_objects") == [(0,)]
    client.complete_multipart_upload(
        **place, UploadId=upload, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    )
    market.run()
    assert_all_answered(market)
    assert market.query("select count(*) from products") == [(2,)]


def test_one_sku_in_two_uploads_of_one_run_is_the_first_ones(market: Marketplace) -> None:
    market.put("VEND001/a.csv", GOOD)
    scan(market.session, market.store)
    market.put("VEND002/b.csv", GOOD)
    market.run()
    assert_all_answered(market)
    assert market.query("select distinct vendor_id from products") == [("VEND001",)]
    assert market.query("select vendor_id, error_type, count(*) from validation_errors group by 1, 2") == [
        ("VEND002", "DUPLICATE_SKU", 2)
    ]
