"""What a vendor gets back, the whole way from the bucket and back to it: every row once, as it was, to be corrected."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from commerce_assets import submit
from commerce_assets.answers import VERDICTS
from commerce_assets.dynamo import PENDING
from commerce_assets.formulas import neutralised, neutralised_but_numbers
from commerce_assets.reading import FILE_PROBLEMS
from resources.settings import AwsSettings, DatabaseSettings
from tests.integration.test_onboarding import Marketplace

ENDS = VERDICTS[:-1]


@pytest.fixture
def market(aws: AwsSettings, warehouse_as: Callable[[str], DatabaseSettings]) -> Iterator[Marketplace]:
    made = Marketplace(aws, warehouse_as("commerce_etl"))
    yield made
    made.close()


def table(content: bytes, encoding: str, delimiter: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode(encoding), newline=""), delimiter=delimiter))


def written(rows: list[list[str]], encoding: str, delimiter: str) -> bytes:
    buffer = io.StringIO(newline="")
    csv.writer(buffer, delimiter=delimiter, lineterminator="\r\n").writerows(rows)
    return buffer.getvalue().encode(encoding)


def last_answer(market: Marketplace) -> dict[str, bytes]:
    """The files of the upload that was answered last, by their names without the upload's id."""
    ((facts,),) = market.query(
        "select file_facts -> 'answer' from commerce.upload_objects order by object_id desc limit 1"
    )
    client, bucket = market.store.client, market.store.bucket
    return {kind: client.get_object(Bucket=bucket, Key=key)["Body"].read() for kind, key in facts.items()}


# -- the failed rows come back ------------------------------------------------------------------------------

NAMES = ["Produktnummer", "name", "category", "sku", "price", "stock", "weight_kg", "image_url", "brand"]
GOOD_ROW = [
    "P0",
    'Lämp; "big", 5|7\tx',
    "Books",
    "S0",
    "5.00",
    "3",
    "1.5",
    "https://example.com/a.jpg",
    "=Acme",
]


def bad_rows() -> list[list[str]]:
    """One row for each thing that can be wrong with it, all things at once, and good ones between."""

    def row(number: int, **cells: str) -> list[str]:
        made = [f"P{number}", *GOOD_ROW[1:3], f"S{number}", *GOOD_ROW[4:]]
        for name, cell in cells.items():
            made[NAMES.index(name)] = cell
        return made

    broken: list[dict[str, str]] = [
        *(
            {"category": "Bookz"},
            {"price": "-5"},
            {"price": "1,50 €"},
            {"price": "1e5000000"},
            {"price": "NaN"},
        ),
        *({"stock": "1.5"}, {"stock": "-1"}, {"stock": "1_000"}, {"stock": "٣"}, {"name": ""}, {"sku": ""}),
        *({"name": "n" * 201}, {"weight_kg": "heavy"}, {"image_url": "no address"}, {"sku": "S1"}),
        {"category": "", "price": "x", "stock": "", "name": "n" * 300, "weight_kg": "-", "brand": "b" * 101},
    ]
    rows = [row(1)]
    rows += [row(number, **cells) for number, cells in enumerate(broken, 2)]
    rows += [row(50)[:4], [*row(51), "more", "and more"], row(52, name="a\0b"), row(53)]
    return rows


def mended(row: list[str], number: int) -> list[str]:
    """What a vendor does who reads the codes: every cell that is not good gets a good value."""
    row = (row + GOOD_ROW[len(row) :])[: len(NAMES)]
    good = [f"P{number}", *GOOD_ROW[1:3], f"SM{number}", *GOOD_ROW[4:]]
    fine: dict[str, Callable[[str], bool]] = {
        "name": lambda cell: 0 < len(cell) <= 200 and "\\x00" not in cell,
        "category": lambda cell: cell == "Books",
        "sku": lambda cell: cell not in ("", "S1"),
        "price": lambda cell: cell == "5.00",
        "stock": lambda cell: cell == "3",
        "weight_kg": lambda cell: cell == "1.5",
        "image_url": lambda cell: cell.startswith("https://"),
        "brand": lambda cell: len(cell) <= 100,
    }
    return [
        cell if fine.get(name, bool)(cell) else better
        for name, cell, better in zip(NAMES, row, good, strict=True)
    ]


@pytest.mark.parametrize(
    ("encoding", "codec", "delimiter"),
    [
        ("utf-8", "utf-8", ","),
        ("utf-8-sig", "utf-8", ";"),
        ("utf-16", "utf-16", "\t"),
        ("utf-8", "utf-8", "|"),
    ],
)
def test_the_failed_rows_corrected_and_submitted_load_completely(
    market: Marketplace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    encoding: str,
    codec: str,
    delimiter: str,
) -> None:
    """The promise to the vendor: correct what is named, upload that file, done."""
    monkeypatch.setenv("UPLOAD_BUCKET", market.store.bucket)
    monkeypatch.setattr(submit, "read_env_file", lambda: [])
    rows = bad_rows()
    file = tmp_path / "products.csv"
    file.write_bytes(written([NAMES, *rows], encoding, delimiter))
    assert submit.main([str(file), "--vendor", "VEND001"]) == 0
    market.run()
    ((total, rejected),) = market.query("select total_records, error_records from upload_history")
    assert (total, rejected) == (len(rows), len(rows) - 2)
    header, *failed = table(last_answer(market)["failed_rows"], codec, delimiter)
    assert [name.lstrip("\ufeff") for name in header] == NAMES
    assert len(failed) == rejected
    again = tmp_path / "products corrected.csv"
    corrected = [mended(row, number) for number, row in enumerate(failed, 100)]
    again.write_bytes(written([NAMES, *corrected], encoding, delimiter))
    assert submit.main([str(again), "--vendor", "VEND001"]) == 0
    market.run()
    assert market.query(
        "select status, total_records, error_records from upload_history order by upload_timestamp desc limit 1"
    ) == [("completed", rejected, 0)]
    assert set(last_answer(market)) == {"annotated", "summary_html", "summary_json"}
    assert market.query("select count(*) from products") == [(len(rows),)]
    assert market.query("select distinct brand from commerce.products") == [("=Acme",)]


# -- every row, once ----------------------------------------------------------------------------------------

LETTERS = "ab 1,;|\t\"'\n\r=+-@é€𝄞\\{}%\0"
TEXT = st.text(st.sampled_from(LETTERS), max_size=5)
MORE_COLUMNS = st.lists(
    st.sampled_from(["", "", "colour", "_code", "row", "status", "description", "brand", "Größe"]),
    max_size=4,
    unique_by=lambda name: name or object(),
)


@st.composite
def files(draw: st.DrawFn) -> tuple[list[str], list[list[str]]]:
    """A header in any order with further columns, and rows: good, broken, ragged, twice."""
    names = ["vendor_product_id", "name", "category", "sku", "price", "stock"]
    header = draw(st.permutations([*names, *draw(MORE_COLUMNS)]))
    cells = {
        "vendor_product_id": st.sampled_from(["P1", "P2", "P3", "P4", "P5", "", "=P6"]),
        "name": st.one_of(st.sampled_from(["Lamp", "Desk"]), TEXT),
        "category": st.sampled_from(["Books", "Books", "Electronics", "Bookz", ""]),
        "sku": st.sampled_from(["S1", "S2", "S3", "S4", "S5", "-S6"]),
        "price": st.sampled_from(["1.00", "2.5", "7", "-1", "x", "1e5000000", " 3 "]),
        "stock": st.sampled_from(["0", "1", "9", "1.5", "+2", ""]),
    }
    rows = []
    for _ in range(draw(st.integers(1, 9))):
        row = [draw(cells.get(name, TEXT)) for name in header]
        if draw(st.integers(0, 7)) == 0:
            row = draw(st.sampled_from([row[:2], row[:-1], [*row, "x"], [*row, "", "=y"]]))
        if len(row) != len(header) or "\0" in "".join(row):
            # Of a row that cannot be read over several lines each line is a row: nobody knows where it was to end.
            row = [cell.replace("\n", " ").replace("\r", " ") for cell in row]
        rows.append(row)
    return list(header), rows


@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(files(), st.sampled_from(",;\t|"), st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
def test_every_row_of_any_file_ends_once_and_comes_back_as_it_was(
    market: Marketplace, made: tuple[list[str], list[list[str]]], delimiter: str, encoding: str
) -> None:
    """Against a catalogue that the files before have left."""
    header, rows = made
    market.put("VEND001/a.csv", written([header, *rows], encoding, delimiter))
    market.run()
    ((upload_id, total, valid, errors, status, code),) = market.query(
        "select h.upload_id, total_records, valid_records, error_records, status, failure_code"
        " from commerce.upload_objects o join upload_history h using (upload_id) order by object_id desc limit 1"
    )
    answer = last_answer(market)
    summary = json.loads(answer["summary_json"])
    assert code is None
    assert total == len(rows) == valid + errors == summary["rows"]["total"]
    assert status == ("completed" if not errors else "partial" if valid else "failed")

    codec = "utf-16" if encoding == "utf-16" else "utf-8-sig"
    first, *annotated = table(answer["annotated"], codec, delimiter)
    width = len(header)
    assert first[:width] == [neutralised(name) for name in header]
    shown = [[cell.replace("\0", "\\x00") for cell in row] if "\0" in "".join(row) else row for row in rows]
    for row, found in zip(shown, annotated, strict=True):
        assert found[:width] == [neutralised(cell) for cell in (row + [""] * width)[:width]]
    assert [int(found[width]) for found in annotated] == list(range(1, len(rows) + 1))

    ends = [found[width + 1] for found in annotated]
    assert set(ends) <= set(ENDS)
    counted = Counter(ends)
    assert {end: summary["rows"][end] for end in ENDS} == {end: counted[end] for end in ENDS}
    assert (errors, valid) == (counted["rejected"], total - counted["rejected"])
    assert all(
        bool(found[width + 2]) for found, end in zip(annotated, ends, strict=True) if end == "rejected"
    )

    rejected = [row for row, end in zip(shown, ends, strict=True) if end == "rejected"]
    assert ("failed_rows" in answer) == ("errors" in answer) == bool(rejected)
    if rejected:
        failed = table(answer["failed_rows"], codec, delimiter)
        assert failed[1:] == [[neutralised_but_numbers(cell) for cell in row] for row in rejected]
        assert len(table(answer["errors"], "utf-8-sig", ",")) == errors + 1
    numbers = [number for number, end in enumerate(ends, 1) if end == "rejected"]
    stored: list[Any] = market.query(
        f"select row_number from validation_errors where upload_id = '{upload_id}' order by 1"
    )
    assert [number for (number,) in stored] == numbers
    states = market.records.count_by_status(upload_id)
    assert PENDING not in states
    assert (states.get("validated", 0), states.get("error", 0)) == (valid, errors)
    changes = market.query(
        f"select kind, count(*) from commerce.product_changes where upload_id = '{upload_id}' group by 1"
    )
    assert dict(changes) == {
        kind: counted[end] for kind, end in (("insert", "accepted"), ("update", "updated")) if counted[end]
    }


LINES = ("P1,A,Books,S1,1,1\n", "P2,B,Books,S2,2,2\n", "P3,C,Books,S3,x,3\n", "P4,short\n")
ODD = (
    *"\ud800\udfff\uffff\ufeff\u2028\x85\x1bé价𝄞,\"\n\r'\0\\ {;\t-",
    *("\r\n", "NULL", "\\N", "\\.", "=1+1", "%s", "$1", "P5", "x" * 300),
)
PIECES = st.one_of(st.sampled_from(LINES), st.sampled_from(ODD))


@settings(
    max_examples=30,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    st.lists(PIECES, max_size=30),
    st.one_of(st.just([]), st.lists(PIECES, max_size=3)),
    st.sampled_from(["utf-8", "utf-16-le", "utf-16-be", "cp1252", "utf-32"]),
    st.binary(max_size=4),
)
def test_whatever_bytes_come_they_are_answered(
    market: Marketplace, pieces: list[str], named: list[str], encoding: str, end: bytes
) -> None:
    """By verdicts or by a code of the reading; never by a fault of ours, and nothing is left on its way."""
    header = "vendor_product_id,name,category,sku,price,stock" + "".join(f",{name}" for name in named)
    text = f"{header}\n{''.join(pieces)}"
    errors = "replace" if encoding == "cp1252" else "surrogatepass"
    market.put("VEND001/a.csv", text.encode(encoding, errors) + end)
    market.run()
    ((stage, code, upload_id, status),) = market.query(
        "select stage, failure_code, upload_id, status from commerce.upload_objects"
        " join upload_history using (upload_id) order by object_id desc limit 1"
    )
    assert (stage, code in (None, *FILE_PROBLEMS)) == ("answered", True)
    assert status != "processing"
    assert PENDING not in market.records.count_by_status(upload_id)
    summary = json.loads(last_answer(market)["summary_json"])
    assert (summary["problem"] or {}).get("code") == code
    assert market.query("select count(*) from commerce.staged_rows") == [(0,)]


def test_a_decimal_comma_is_declared_with_the_upload(
    market: Marketplace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It could be declared for a dry run only, which then promised what the upload did not keep."""
    monkeypatch.setenv("UPLOAD_BUCKET", market.store.bucket)
    monkeypatch.setattr(submit, "read_env_file", lambda: [])
    file = tmp_path / "p.csv"
    file.write_text("vendor_product_id;name;category;sku;price;stock\nP1;A;Books;S1;12,50;1\n")
    assert submit.main([str(file), "--vendor", "VEND001", "--locale", "de", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["answer"] == "results/VEND001/"
    market.run()
    assert market.query("select price::text from products") == [("12.50",)]
    market.put("VEND001/p.csv", file.read_bytes())
    market.run()
    assert market.query("select error_type from validation_errors") == [("INVALID_PRICE",)]


@pytest.mark.parametrize("vendor", ["VEND404", "../x", "vend001"])
def test_a_file_is_not_submitted_for_nobody(
    market: Marketplace,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    vendor: str,
) -> None:
    """It was stored, refused later on, and answered where nobody looks."""
    monkeypatch.setenv("UPLOAD_BUCKET", market.store.bucket)
    monkeypatch.setattr(submit, "read_env_file", lambda: [])
    monkeypatch.setattr(submit, "database_settings", lambda location: market.warehouse)
    file = tmp_path / "p.csv"
    file.write_text("x")
    assert submit.main([str(file), "--vendor", vendor]) == 1
    assert "there is no such vendor" in capsys.readouterr().err
    assert market.store.versions("incoming/").objects == ()
