"""The answer files: every row once, nothing of the vendor's changed, nothing a spreadsheet or browser would run."""

from __future__ import annotations

import csv
import io
import json
import re
import time
import tracemalloc
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commerce_assets.answers import (
    ADDED_COLUMNS,
    ERROR_COLUMNS,
    Answer,
    FileProblem,
    RowResult,
    Upload,
    VendorFile,
    cells_of,
    error_key,
    result_prefix,
    vendor_message,
    write_answer,
    write_refusal,
)
from commerce_assets.formulas import FORMULA_STARTS, neutralised, restored, restored_expr
from commerce_assets.reading import COLUMNS, FILE_PROBLEMS, Dialect, Limits, ProductFile
from commerce_assets.rules import Settings, check
from resources.failures import PermanentError

UPLOAD = Upload("UPLOAD_20261121_101500_VEND001_abc", "VEND001", "VEND001_20261121.csv", seconds=1.25)
FILE = VendorFile(COLUMNS, COLUMNS)
GOOD = ("P1", "Chair", "Bedroom", "", "A chair", "SKU-1", "Sit", "9.99", "", "5", "piece", "", "", "")
FORMULAS = ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1+1", "-5", "=cmd|' /C calc'!A0"]


def row(number: int, verdict: Any = "accepted", cells: Any = GOOD, **overrides: Any) -> RowResult:
    if verdict == "rejected" and "codes" not in overrides:
        overrides |= {
            "codes": ["INVALID_PRICE"],
            "fields": ["price"],
            "messages": ['the price "x" is no amount'],
            "fixes": ["9.99"],
        }
    return RowResult(number, verdict, cells, **overrides)


def of(answer: Answer, kind: str) -> bytes:
    return next(file.path for file in answer.files if file.kind == kind).read_bytes()


def table(answer: Answer, kind: str, encoding: str = "utf-8", **how: Any) -> list[list[str]]:
    return list(csv.reader(io.StringIO(of(answer, kind).decode(encoding), newline=""), strict=True, **how))


# -- the annotated file -------------------------------------------------------------------------------------


def test_the_annotated_file_has_the_vendors_columns_and_then_ours(tmp_path: Path) -> None:
    warning = {"code": "UNKNOWN_UNIT", "message": "the unit is unusual", "fix": "piece"}
    rows = [row(1), row(2, "rejected"), row(3, "updated", warnings=[warning]), row(4, "unchanged")]
    header, *lines = table(write_answer(tmp_path, UPLOAD, FILE, rows), "annotated")
    assert header == [*COLUMNS, "row", "status", "codes", "messages", "suggestion"]
    assert [line[: len(COLUMNS)] for line in lines] == [list(GOOD)] * 4
    assert [line[len(COLUMNS) :] for line in lines] == [
        ["1", "accepted", "", "", ""],
        ["2", "rejected", "INVALID_PRICE", 'the price "x" is no amount', "9.99"],
        ["3", "updated", "UNKNOWN_UNIT", "Warning: the unit is unusual", "piece"],
        ["4", "unchanged", "", "", ""],
    ]


def test_columns_that_nothing_reads_stay_and_so_does_their_order(tmp_path: Path) -> None:
    file = VendorFile(("Shelf", "SKU", "Name"), ("extra.1", "sku", "product_name"))
    answer = write_answer(tmp_path, UPLOAD, file, [row(1, cells=("A7", "S1", "Chair"))])
    assert table(answer, "annotated")[1][:3] == ["A7", "S1", "Chair"]


def test_our_columns_give_way_to_the_vendors_of_the_same_name(tmp_path: Path) -> None:
    """An annotated file that comes back would otherwise have two columns `status`."""
    columns = ("Status", "row", "answer_row", "sku")
    answer = write_answer(
        tmp_path, UPLOAD, VendorFile(columns, columns), [row(1, cells=("a", "b", "c", "d"))]
    )
    added = table(answer, "annotated")[0][4:]
    assert added == ["answer_2_row", "answer_status", "codes", "messages", "suggestion"]


@pytest.mark.parametrize("width", [0, 3, 13, 15, 20])
def test_a_ragged_row_keeps_every_column_in_its_place(tmp_path: Path, width: int) -> None:
    cells = tuple(f"c{number}" for number in range(width))
    codes = {"codes": ["TOO_MANY_CELLS"], "messages": ["wrong number of cells"], "fixes": [None]}
    answer = write_answer(tmp_path, UPLOAD, FILE, [row(1, "rejected", cells, **codes)])
    header, line = table(answer, "annotated")
    assert len(line) == len(header)
    assert line[len(COLUMNS) :][:2] == ["1", "rejected"]
    kept = " ".join(line)
    assert all(cell in kept for cell in cells)
    assert table(answer, "failed_rows")[1] == list(cells)


@pytest.mark.parametrize(
    ("given", "codec"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8-sig"),
        ("utf-16-le", "utf-16"),
        ("utf-16-be", "utf-16"),
        ("cp1252", "cp1252"),
        ("shift_jis", "utf-8-sig"),
    ],
)
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiter_and_encoding_are_the_vendors(
    tmp_path: Path, given: str, codec: str, delimiter: str
) -> None:
    cells = ("P1", "Größe; 5|6,7\t8", *GOOD[2:])
    file = VendorFile(COLUMNS, COLUMNS, delimiter, given)
    answer = write_answer(tmp_path, UPLOAD, file, [row(1, "rejected", cells)])
    assert table(answer, "failed_rows", codec, delimiter=delimiter) == [list(COLUMNS), list(cells)]
    assert table(answer, "annotated", codec, delimiter=delimiter)[1][1] == "Größe; 5|6,7\t8"


def test_our_words_beyond_the_vendors_encoding_do_not_stop_the_answer(tmp_path: Path) -> None:
    file = VendorFile(COLUMNS, COLUMNS, encoding="cp1252")
    answer = write_answer(
        tmp_path, UPLOAD, file, [row(1, "rejected", codes=["A"], messages=["日本"], fixes=[None])]
    )
    assert table(answer, "annotated", "cp1252")[1][-2] == "??"
    assert table(answer, "errors")[1][6] == "日本"


# -- formulas -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("formula", FORMULAS)
@pytest.mark.parametrize("place", range(len(COLUMNS)))
def test_a_formula_in_any_column_is_text_in_what_people_open(
    tmp_path: Path, formula: str, place: int
) -> None:
    cells = [*GOOD[:place], formula, *GOOD[place + 1 :]]
    columns = [*COLUMNS[:place], formula, *COLUMNS[place + 1 :]]
    told = {"codes": [formula], "messages": [formula], "fixes": [formula], "fields": [None]}
    answer = write_answer(tmp_path, UPLOAD, VendorFile(columns, COLUMNS), [row(1, "rejected", cells, **told)])
    for kind in ("annotated", "errors"):
        for line in table(answer, kind):
            assert [cell for cell in line if cell[:1] in FORMULA_STARTS] == []
    for line in table(answer, "failed_rows"):
        assert [cell for cell in line if cell[:1] in FORMULA_STARTS and cell != "-5"] == []
    assert [restored(cell) for cell in table(answer, "failed_rows")[1]] == cells


def test_a_signed_number_stays_where_the_vendor_corrects_it(tmp_path: Path) -> None:
    """With an apostrophe in front, a vendor who takes the minus away is left with '5, which is no price."""
    cells = [*GOOD[:7], "-5.00", *GOOD[8:]]
    answer = write_answer(tmp_path, UPLOAD, FILE, [row(1, "rejected", cells)])
    assert table(answer, "failed_rows")[1][7] == "-5.00"
    assert table(answer, "errors")[1][7] == "'-5.00"


@given(st.text(max_size=6) | st.sampled_from(FORMULAS) | st.sampled_from(["'", "'a", "'=1", "''=1", "'70s"]))
def test_what_is_neutralised_is_restored_and_neutralising_twice_adds_nothing(text: str) -> None:
    safe = neutralised(text)
    assert safe[:1] not in FORMULA_STARTS or safe == ""
    assert neutralised(safe) == safe
    assert restored(safe) == restored(text)
    if not text.startswith("'"):
        assert restored(safe) == text


@given(
    st.lists(st.text(max_size=4) | st.sampled_from(["'=1", "'-5", "''=1", "'a", "'\n=", "'＝1"]), max_size=20)
)
def test_restoring_a_column_is_restoring_each_cell(texts: list[str]) -> None:
    frame = pl.DataFrame({"text": texts}, schema={"text": pl.String})
    assert frame.select(restored_expr(pl.col("text")))["text"].to_list() == [restored(t) for t in texts]


# -- the failed rows ----------------------------------------------------------------------------------------

_cell = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0") | st.sampled_from("\"',;\r\n=-+@\t "),
    max_size=8,
)
_rows = st.lists(
    st.tuples(
        st.sampled_from(["accepted", "updated", "unchanged", "rejected"]),
        st.lists(_cell, min_size=1, max_size=4),
    ),
    max_size=12,
)


@settings(max_examples=200, deadline=None)
@given(_rows, st.sampled_from(",;\t|"), st.sampled_from(["utf-8", "utf-16-le"]))
def test_every_row_is_answered_once_and_the_failed_ones_come_back_as_they_came(
    given_rows: list[tuple[str, list[str]]], delimiter: str, encoding: str
) -> None:
    columns = ("sku", "product_name", "price")
    rows = [row(number, verdict, cells) for number, (verdict, cells) in enumerate(given_rows, 1)]
    codec = "utf-16" if encoding != "utf-8" else encoding
    with TemporaryDirectory() as folder:
        answer = write_answer(Path(folder), UPLOAD, VendorFile(columns, columns, delimiter, encoding), rows)
        annotated = table(answer, "annotated", codec, delimiter=delimiter)[1:]
        assert [line[3:5] for line in annotated] == [[str(r.row_number), r.verdict] for r in rows]
        assert [restored(line[0]) for line in annotated] == [restored(r.cells[0]) for r in rows]
        rejected = [list(r.cells) for r in rows if r.verdict == "rejected"]
        kinds = {file.kind for file in answer.files}
        assert ("failed_rows" in kinds) == ("errors" in kinds) == bool(rejected)
        if rejected:
            failed = table(answer, "failed_rows", codec, delimiter=delimiter)
            assert failed[0] == list(columns)
            assert [[restored(cell) for cell in line] for line in failed[1:]] == [
                [restored(cell) for cell in cells] for cells in rejected
            ]
            assert len(table(answer, "errors")) == len(rejected) + 1
        counted = answer.summary
        assert counted.total == len(rows)
        assert counted.rows["rejected"] == len(rejected)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", "~"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "cp1252"])
def test_the_failed_rows_file_corrected_is_read_and_passes_every_rule(
    tmp_path: Path, delimiter: str, encoding: str
) -> None:
    """The promise to the vendor: correct what is named, upload, done. Everything else must come through unharmed."""
    name = "=Größe, \"5\"; 6|7\n'second' line~"
    bad = ("P1", name, "Bedroom", "", "+ more", "SKU-1", "@home", "-5.00", "", "5", "piece", "", "", "")
    cells = [bad, ("P2", "'70s poster", *bad[2:5], "SKU-2", *bad[6:])]
    file = VendorFile(COLUMNS, COLUMNS, delimiter, encoding)
    answer = write_answer(
        tmp_path, UPLOAD, file, [row(number, "rejected", one) for number, one in enumerate(cells, 1)]
    )
    codec = "utf-16" if encoding.startswith("utf-16") else encoding
    corrected = of(answer, "failed_rows").decode(codec).replace("-5.00", "5.00")
    again = ProductFile(io.BytesIO(corrected.encode(codec)), Limits())
    frames = [chunk.frame for chunk in again.chunks()]
    assert again.problem is None
    assert again.dialect == Dialect(delimiter, '"')
    checked = check(pl.concat(frames), Settings(categories=frozenset({"Bedroom"})))
    assert checked.rejected.height == 0
    assert checked.accepted["product_name"].to_list() == [name, "'70s poster"]
    assert checked.accepted["brand"].to_list() == ["@home", "@home"]
    assert checked.accepted["description"].to_list() == ["+ more", "+ more"]


# -- the error file -----------------------------------------------------------------------------------------


def test_the_error_file_is_the_published_one(tmp_path: Path) -> None:
    """Also for a vendor with columns of other names in another order, and with all errors of a row in one line."""
    columns = ("Beschreibung", "Artikel", "Preis", "Bestand", "Marke", "Kategorie", "Nummer", "Code")
    fields = (
        *("description", "product_name", "price", "stock_quantity", "brand", "category"),
        *("vendor_product_id", "sku"),
    )
    cells = ("d" * 250, "Chair", "x", "-1", "Sit", "Bedroom", "P1", "S1")
    told = {
        "codes": ["INVALID_PRICE", "INVALID_STOCK"],
        "messages": ["no price", "no stock"],
        "fields": ["price", "stock_quantity"],
        "fixes": ["", None],
    }
    rows = [row(1, cells=cells), row(2, "rejected", cells, **told), row(3, "rejected", ("short",), **told)]
    answer = write_answer(tmp_path, UPLOAD, VendorFile(columns, fields), rows)
    assert of(answer, "errors").decode().splitlines()[0] == (
        "Row Number,Vendor Product ID,SKU,Product Name,Category,Error Type,Error Message,Price,Stock Quantity,Brand,"
        "Description"
    )
    header, *lines = table(answer, "errors")
    assert header == list(ERROR_COLUMNS)
    assert lines[0] == [
        *("2", "P1", "S1", "Chair", "Bedroom", "INVALID_PRICE", "no price | no stock", "x", "'-1", "Sit"),
        "d" * 100,
    ]
    assert lines[1] == ["3", "", "", "", "", "INVALID_PRICE", "no price | no stock", "", "", "", "short"]


def test_without_rejected_rows_there_is_no_error_file(tmp_path: Path) -> None:
    """`valid_error_file` of upload_history refuses a key where there are no errors."""
    answer = write_answer(tmp_path, UPLOAD, FILE, [row(1), row(2, "unchanged")])
    assert [file.kind for file in answer.files] == ["annotated", "summary_html", "summary_json"]
    assert answer.error_file_key is None
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("annotated.csv", "summary_html.html", "summary_json.json"),
    ]


# -- refusing to answer wrongly -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ([row(1), row(3)], "row 3 where row 2 should follow"),
        ([row(1), row(1)], "row 1 where row 2 should follow"),
        ([row(2)], "row 2 where row 1 should follow"),
        ([row(1, "pending")], "'pending'"),
        ([row(1, "valid")], "'valid'"),
        ([row(1, "rejected", codes=[])], "without a reason"),
    ],
)
def test_an_answer_that_leaves_a_row_out_is_not_given(
    tmp_path: Path, rows: list[RowResult], found: str
) -> None:
    with pytest.raises(PermanentError, match=found):
        write_answer(tmp_path, UPLOAD, FILE, rows)


# -- the summary --------------------------------------------------------------------------------------------


def test_the_summary_counts_rows_and_codes(tmp_path: Path) -> None:
    both = {"codes": ["A", "B"], "messages": ["a", "b"], "fields": [None, None], "fixes": [None, None]}
    rows = [
        *(row(1), row(2, "updated"), row(3, "unchanged", warnings=[{"code": "W", "message": "w"}])),
        *(row(4, "rejected", **both), row(5, "rejected", codes=["B", "B"], messages=["b", "b"])),
    ]
    answer = write_answer(tmp_path, UPLOAD, FILE, rows)
    found = json.loads(of(answer, "summary_json"))
    assert found["outcome"] == "partial"
    assert found["rows"] == {
        "total": 5,
        "accepted": 1,
        "updated": 1,
        "unchanged": 1,
        "rejected": 2,
        "waiting": 0,
        "with_warnings": 1,
    }
    assert found["codes"] == [
        {"code": "B", "severity": "error", "rows": 2, "first_rows": [4, 5]},
        {"code": "A", "severity": "error", "rows": 1, "first_rows": [4]},
        {"code": "W", "severity": "warning", "rows": 1, "first_rows": [3]},
    ]
    assert found["seconds"] == 1.25
    assert found["files"] == {file.kind: file.key for file in answer.files}
    assert found["files"]["annotated"] == f"results/VEND001/{UPLOAD.upload_id}/annotated.csv"
    assert answer.error_file_key == f"errors/VEND001/{UPLOAD.upload_id}_errors.csv"


def test_what_is_only_said_is_no_warning(tmp_path: Path) -> None:
    said = {
        "code": "OUT_OF_STOCK",
        "severity": "info",
        "message": "none left",
        "suggestion": None,
        "hint": "h",
    }
    answer = write_answer(tmp_path, UPLOAD, FILE, [row(1, warnings=[said])])
    assert table(answer, "annotated")[1][-3:] == ["OUT_OF_STOCK", "Info: none left", "h"]
    assert answer.summary.with_warnings == 0
    assert [(code.code, code.severity) for code in answer.summary.codes] == [("OUT_OF_STOCK", "info")]


@pytest.mark.parametrize(
    ("verdicts", "outcome"),
    [
        (["accepted", "unchanged"], "completed"),
        (["accepted", "rejected"], "partial"),
        (["rejected", "rejected"], "failed"),
    ],
)
def test_the_outcome_is_that_of_upload_history(tmp_path: Path, verdicts: list[str], outcome: str) -> None:
    rows = [row(number, verdict) for number, verdict in enumerate(verdicts, 1)]
    assert write_answer(tmp_path, UPLOAD, FILE, rows).summary.outcome == outcome


def test_a_held_upload_says_why_and_which_rows_wait(tmp_path: Path) -> None:
    held = Upload(UPLOAD.upload_id, "VEND001", "f.csv", hold_reason="40% of the prices move by more than 50%")
    answer = write_answer(tmp_path, held, FILE, [row(1, "valid"), row(2, "rejected")])
    assert answer.summary.outcome == "held"
    assert table(answer, "annotated")[1][15] == "waiting"
    assert json.loads(of(answer, "summary_json"))["rows"]["waiting"] == 1
    assert "40% of the prices" in of(answer, "summary_html").decode()
    assert "40% of the prices" in vendor_message(answer.summary, "b")[1]


@pytest.mark.parametrize("code", [*FILE_PROBLEMS, "SOMETHING_NEW"])
def test_a_refused_file_gets_code_message_and_what_to_do(tmp_path: Path, code: str) -> None:
    answer = write_refusal(tmp_path, UPLOAD, FileProblem(code, "What was found."))
    assert [file.kind for file in answer.files] == ["summary_html", "summary_json"]
    found = json.loads(of(answer, "summary_json"))
    assert (found["outcome"], found["problem"]["code"]) == ("refused", code)
    assert found["problem"]["message"] == "What was found."
    advice = found["problem"]["do_next"]
    assert len(advice) > 10
    known = advice != "Put right what is named and upload the file again."
    assert known == (code in FILE_PROBLEMS)
    for text in (of(answer, "summary_html").decode(), vendor_message(answer.summary, "b")[1]):
        assert code in text
        assert advice in text


class _Page(HTMLParser):
    """Tags and attributes of a page, as a browser would see them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.words = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.words += data


OWN_TAGS = {
    *("html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "strong", "br", "table", "tr", "th"),
    *("td", "svg", "rect"),
}


@pytest.mark.parametrize(
    "attack",
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "'><svg onload=alert(1)>",
        "</title></style><script>",
        "<!--",
        "&lt;script&gt;",
        "=HYPERLINK(1)",
    ],
)
def test_nothing_that_a_vendor_writes_is_markup(tmp_path: Path, attack: str) -> None:
    upload = Upload(attack, attack, attack, hold_reason=attack)
    told = {"codes": [attack], "messages": [attack], "fixes": [attack], "fields": [attack]}
    warning = {"code": attack, "message": attack, "fix": attack}
    cells = (attack,) * len(COLUMNS)
    rows = [row(1, "rejected", cells, warnings=[warning], **told), row(2, "valid", cells)]
    file = VendorFile((attack,) * len(COLUMNS), COLUMNS)
    (tmp_path / "refused").mkdir()
    for answer in (
        write_answer(tmp_path, upload, file, rows),
        write_refusal(tmp_path / "refused", upload, FileProblem(attack, attack, attack)),
    ):
        page = _Page(of(answer, "summary_html").decode())
        assert page.tags <= OWN_TAGS
        assert not {name for name in page.attributes if name.startswith("on") or name in ("src", "href")}
        assert attack in page.words


def test_the_page_needs_nothing_else_and_has_a_bar_for_each_code(tmp_path: Path) -> None:
    rows = [
        row(number, "rejected", codes=["A"] if number < 10 else ["B"], messages=["m"])
        for number in range(1, 11)
    ]
    text = of(write_answer(tmp_path, UPLOAD, FILE, rows), "summary_html").decode()
    assert not re.search(r"https?:|url\(|@import|<link|<script|<img", text)
    assert "default-src 'none'" in text
    assert re.findall(r'<rect class="error" width="(\d+)"', text) == ["300", "33"]
    assert _Page(text).tags == OWN_TAGS - {"br"}


def test_the_same_upload_gives_the_same_bytes(tmp_path: Path) -> None:
    """A rerun after a crash must not put new versions of the same answer beside the old ones."""
    rows = [row(1), row(2, "rejected", codes=["B", "A", "C"], messages=["b", "a", "c"])]
    twice = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        answer = write_answer(tmp_path / name, UPLOAD, FILE, iter(rows))
        twice.append([(file.kind, file.key, file.path.read_bytes()) for file in answer.files])
        time.sleep(0.01)
    assert twice[0] == twice[1]


# -- keys, cells, message -----------------------------------------------------------------------------------


@pytest.mark.parametrize("vendor", ["../VEND002", "..", ".", "a/b", "VEND001/..", "ü b"])
def test_no_vendor_reaches_into_another_ones_folder(vendor: str) -> None:
    key = result_prefix(vendor, "U1")
    assert key.count("/") == 3
    assert ".." not in key.split("/")
    assert key.isascii()
    assert error_key(vendor, "U1").count("/") == 2


def test_cells_come_back_from_the_staged_row_in_the_vendors_order() -> None:
    assert cells_of({"b": "2", "a": "1", "c": None}, ("a", "b", "c", "d")) == ["1", "2", "", ""]
    assert cells_of({"_cells": ["x", "y"]}, ("a",)) == ["x", "y"]


def test_the_message_says_what_happened_without_showing_rows(tmp_path: Path) -> None:
    secret = ("P1", "Unreleased product", *GOOD[2:])
    told = {"codes": ["INVALID_PRICE"], "messages": ['"Unreleased product" costs nothing'], "fixes": [None]}
    answer = write_answer(tmp_path, UPLOAD, FILE, [row(1), row(2, "rejected", secret, **told)])
    subject, body = vendor_message(answer.summary, "uploads")
    assert subject == f"Product upload {UPLOAD.upload_id}: 1 of 2 rows rejected"
    assert "- New products: 1\n" in body
    assert "- INVALID_PRICE: 1\n" in body
    assert f"s3://uploads/results/VEND001/{UPLOAD.upload_id}/failed_rows.csv" in body
    assert "Unreleased" not in body


@given(st.text(max_size=150), st.text(max_size=150))
def test_the_subject_is_one_that_sns_takes(upload_id: str, code: str) -> None:
    upload = Upload(upload_id, "v", "f")
    with TemporaryDirectory() as folder:
        subject, _ = vendor_message(write_refusal(Path(folder), upload, FileProblem(code, "m")).summary, "b")
    assert re.fullmatch("[ -~]{1,99}", subject)


# -- size ---------------------------------------------------------------------------------------------------


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    def many(count: int) -> Iterator[RowResult]:
        for number in range(1, count + 1):
            yield row(number, "rejected" if number % 12 == 0 else "accepted")

    peaks = []
    for name, count in (("small", 1_000), ("large", 20_000)):
        (tmp_path / name).mkdir()
        tracemalloc.start()
        write_answer(tmp_path / name, UPLOAD, FILE, many(count))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 4 * 1024 * 1024
    assert ADDED_COLUMNS[0] == "row"
