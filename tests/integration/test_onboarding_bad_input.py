"""Files that no vendor should send, all the way: each gets an answer with a code, none stays on its way or stops others."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Callable, Iterator

import pytest

from commerce_assets.dynamo import PENDING
from commerce_assets.reading import Limits
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
    "a name with everything": (",\"a\"\"b'c\n{}\\%s$1\"", ["x"]),
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


def test_the_limits_are_settings(market: Marketplace) -> None:
    content = HEADER + "".join(f"P{n},A,Books,S{n},1,1\n" for n in range(10_001))
    market.put("VEND001/a.csv", content)
    market.run(limits=Limits(rows=10_001))
    assert_all_answered(market)
    assert market.query("select count(*) from products") == [(10_001,)]
