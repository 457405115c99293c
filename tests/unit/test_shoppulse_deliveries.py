"""Reading a delivery, without a database: exact amounts, the tenant's own days, bounded memory, documented codes."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from commerce_assets.shoppulse.deliveries import (
    DELIVERY_PROBLEMS,
    DELIVERY_ROW_PROBLEMS,
    FLAGS,
    TABLES,
    Checked,
    DeliveryFile,
    Tenant,
    check,
)
from resources.ddl import tables

ROOT = Path(__file__).resolve().parent.parent.parent
TENANT = Tenant("T001", "America/New_York", "USD")


def checked(content: bytes, table: str = "orders") -> Checked:
    file = DeliveryFile(io.BytesIO(content), TABLES[table])
    (chunk,) = file.chunks()
    assert file.problem is None
    return check(chunk.frame, TABLES[table], TENANT)


def day(text: str) -> date | None:
    found = checked(f"order_id,order_date\nO1,{text}\n".encode())
    return found.accepted["order_date"].to_list()[0] if found.accepted.height else None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-03-10", date(2024, 3, 10)),
        (" 2024-03-10 ", date(2024, 3, 10)),
        ("2024-03-10T23:59:59", date(2024, 3, 10)),
        ("2024-03-10 00:00", date(2024, 3, 10)),
        ("2024-03-10T04:59:59Z", date(2024, 3, 9)),
        ("2024-03-10T05:00:00Z", date(2024, 3, 10)),
        ("2024-03-11T03:59:59.999999+00:00", date(2024, 3, 10)),
        ("2024-03-11 04:00:00+0000", date(2024, 3, 11)),
        ("2024-03-10T12:00:00+14", date(2024, 3, 9)),
        ("2024-03-10T24:00:00", None),
        ("2024-03-10T10:61:00Z", None),
        ("2024-02-30", None),
        ("2024-3-1", None),
        ("10/03/2024", None),
        ("20240310", None),
        ("1969-12-31", None),
        ("2100-01-01", None),
        ("today", None),
    ],
)
def test_a_day_is_the_tenants_own(text: str, expected: date | None) -> None:
    assert day(text) == expected


@given(cents=st.integers(-(10**10) + 1, 10**10 - 1), zeros=st.integers(0, 3), plus=st.booleans())
def test_every_amount_that_the_column_can_hold_passes_exactly(cents: int, zeros: int, plus: bool) -> None:
    """In each format: a cent lost in a float is a cent that no check finds again."""
    amount = Decimal(cents).scaleb(-2)
    text = f"{'+' if plus and cents >= 0 else ''}{amount:.2f}{'0' * zeros}"
    csv = checked(f"order_id,order_date,net_revenue\nO1,2024-01-01,{text}\n".encode())
    line = f'{{"order_id": "O1", "order_date": "2024-01-01", "net_revenue": {amount:.2f}}}'
    assert [Decimal(value) for value in csv.accepted["net_revenue"]] == [amount]
    assert [Decimal(value) for value in checked(line.encode()).accepted["net_revenue"]] == [amount]
    buffer = io.BytesIO()
    frame = pl.DataFrame(
        {"order_id": ["O1"], "order_date": [date(2024, 1, 1)], "net_revenue": [float(amount)]}
    )
    frame.write_parquet(buffer)
    assert [Decimal(value) for value in checked(buffer.getvalue()).accepted["net_revenue"]] == [amount]


@pytest.mark.parametrize(
    "text", ["1,5", "1e2", "0x1", "1.001", "999999999", "-", ".", "$1", "1 2", "١", "inf", "NaN"]
)
def test_an_amount_that_the_column_cannot_hold_is_refused(text: str) -> None:
    found = checked(f'order_id,order_date,net_revenue\nO1,2024-01-01,"{text}"\n'.encode())
    assert found.refused["code"].to_list() == ["INVALID_NUMBER"]


def test_a_small_file_that_unpacks_to_a_large_one_is_read_in_pieces() -> None:
    header = b"order_id,order_date\n"
    content = gzip.compress(header + b"O1,2024-01-01\n" * 200_000)
    file = DeliveryFile(io.BytesIO(content), TABLES["orders"])
    assert sum(chunk.rows for chunk in file.chunks()) == 200_000
    assert file.problem is None
    two = gzip.compress(header) + gzip.compress(b"O1,2024-01-01\n")
    file = DeliveryFile(io.BytesIO(two), TABLES["orders"])
    assert sum(chunk.rows for chunk in file.chunks()) == 1


MEASURE = """
import sys
from benchmarks.measuring import peak_rss_mib
from commerce_assets.shoppulse.deliveries import TABLES, DeliveryFile, Tenant, check
rows = 0
with open(sys.argv[1], "rb") as stream:
    file = DeliveryFile(stream, TABLES["orders"])
    for chunk in file.chunks():
        check(chunk.frame, TABLES["orders"], Tenant("T001"))
        rows += chunk.rows
assert file.problem is None, file.problem
print(rows, peak_rss_mib())
"""


@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl"])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, kind: str) -> None:
    frame = pl.select(order_id=pl.format("O{}", pl.int_range(400_000))).with_columns(
        order_date=pl.lit(date(2024, 1, 1)), channel=pl.lit("Marketplace"), net_revenue=pl.lit("123.45")
    )
    path = tmp_path / f"orders.{kind}"
    match kind:
        case "csv":
            frame.write_csv(path)
        case "parquet":
            frame.write_parquet(path, row_group_size=400_000)
        case "jsonl":
            frame.write_ndjson(path)
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(path)], cwd=ROOT, check=True, capture_output=True, text=True
    )
    rows, peak = done.stdout.split()
    assert rows == "400000"
    assert float(peak) <= 300


def test_the_columns_are_those_of_the_tables() -> None:
    """Whatever a delivery may say fits its column: the width of a text is the width there."""
    for table in TABLES.values():
        columns = {name: kind for name, kind, _ in tables("shoppulse")[table.relation.partition(".")[2]]}
        given = {one.name for one in table.fields} | set(table.unread) | {"tenant_id"}
        assert given == set(columns)
        for one in table.fields:
            if one.kind == "text":
                assert columns[one.name] == f"varchar({one.width})"


def test_every_code_is_documented() -> None:
    text = (ROOT / "docs" / "shoppulse.md").read_text(encoding="utf-8")
    listed = {
        **DELIVERY_PROBLEMS,
        **DELIVERY_ROW_PROBLEMS,
        **dict(flag for flags in FLAGS.values() for flag in flags),
    }
    assert [code for code, words in listed.items() if f"| `{code}` | {words} |" not in text] == []


def test_a_row_of_json_keeps_its_text_as_it_came() -> None:
    found = checked(b'{"order_id": "O1", "order_date": "2024-01-01", "net_revenue": 1.0050}\n')
    assert json.loads(found.refused["original"][0])["net_revenue"] == "1.0050"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"<!DOCTYPE html><html></html>", "The file is a web page or XML. Export the rows as CSV."),
        (b"order_id,order_date,Order ID\nO1,2024-01-01,O1\n",
         "More than one column stands for order_id. Keep one column of each meaning."),
    ],
)  # fmt: skip
def test_a_refused_delivery_is_told_what_to_do_once(content: bytes, told: str) -> None:
    """A tenant gets no answer beside this message, so the advice belongs into it."""
    file = DeliveryFile(io.BytesIO(content), TABLES["orders"])
    assert list(file.chunks()) == []
    assert file.problem is not None
    assert file.problem.message == told
