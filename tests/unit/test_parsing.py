"""Single values: what the API sends in many forms must come out in one, exactly, or be refused by name."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fullbay_assets import parsing
from fullbay_assets.parsing import InvalidField, InvalidInvoice
from tests.invoices import as_bytes, simple


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (1, Decimal(1)),
        ("18.40", Decimal("18.40")),
        ("$1,234.50", Decimal("1234.50")),
        ("-5", Decimal(-5)),
        ("-$5.00", Decimal("-5.00")),
        (".5", Decimal("0.5")),
        ("6", Decimal(6)),
        ("  ", None),
        ("", None),
        (None, None),
    ],
)
def test_numbers_come_in_every_form(given: Any, expected: Decimal | None) -> None:
    assert parsing.number({"field": given}, "field") == expected


@pytest.mark.parametrize(
    "given",
    [
        "abc",
        "1_000",
        "\u0661\u0662",
        "1,23",
        "NaN",
        "Infinity",
        "1e5",
        "--",
        "$",
        "1.2.3",
        True,
        {},
        [1],
        "12 34",
    ],
)
def test_what_is_no_number_is_refused_by_field_and_value(given: Any) -> None:
    with pytest.raises(InvalidField) as refused:
        parsing.number({"sellingPrice": given}, "sellingPrice")
    assert refused.value.reason == "NOT_A_NUMBER"
    document = {"Parts": [{"sellingPrice": 1}, {"other": given}, {"sellingPrice": given}]}
    with pytest.raises(InvalidField) as inside:
        parsing.number(document["Parts"][2], "sellingPrice")
    assert inside.value.located(document).path == "Parts[2].sellingPrice"


@pytest.mark.parametrize("text", ["1e5000000", "100000000", "-100000000.5", "1E+9"])
def test_a_number_the_columns_cannot_hold_is_refused_before_it_is_computed_with(text: str) -> None:
    """`int(Decimal("1e5000000"))` took more than ten minutes of CPU when it was tried."""
    document = parsing.decode(b'{"total": %b}' % text.encode())
    with pytest.raises(InvalidField) as refused:
        parsing.number(document, "total")
    assert refused.value.reason == "NUMBER_TOO_LARGE"


@given(
    st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-99_999_999, max_value=99_999_999)
)
def test_money_keeps_every_digit_of_its_text(value: Decimal) -> None:
    assert parsing.number(parsing.decode(b'{"a": %b}' % f"{value:f}".encode()), "a") == value


def test_equal_content_has_equal_hash_whatever_its_writing() -> None:
    first = parsing.decode(b'{"a": 1.50, "b": {"c": 150, "d": [1, 2]}}')
    second = parsing.decode(b'{ "b": {"d":[1,2.0],"c": 150.00}, "a": 1.5 }')
    assert parsing.content_hash(first) == parsing.content_hash(second)
    assert parsing.content_hash(first) != parsing.content_hash(parsing.decode(b'{"a": 1.51}'))


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"<html>", "NOT_JSON"),
        (b'{"a": NaN}', "NOT_JSON"),
        (b'{"a": "\\ud800"}', "NOT_JSON"),
        (b'{"a": "\xff"}', "NOT_JSON"),
        (b"[" * 100_000 + b"]" * 100_000, "NOT_JSON"),
        (b'{"a": 1e99999999999999999999}', "NOT_JSON"),
        (b"[1]", "NOT_AN_OBJECT"),
        (b'"text"', "NOT_AN_OBJECT"),
    ],
)
def test_what_is_no_invoice_is_refused_with_a_reason(payload: bytes, reason: str) -> None:
    with pytest.raises(InvalidInvoice) as refused:
        parsing.decode(payload)
    assert refused.value.reason == reason


def test_a_nul_character_is_found_with_its_path() -> None:
    document = simple()
    document["ServiceOrder"]["Complaints"][0]["note"] = "a\x00b"
    with pytest.raises(InvalidInvoice, match=r"ServiceOrder\.Complaints\[0\]\.note"):
        parsing.decode(as_bytes(document))


def test_an_escaped_backslash_before_u0000_is_no_nul() -> None:
    assert parsing.decode(b'{"a": "path\\\\u0000"}') == {"a": "path\\u0000"}


def test_dates() -> None:
    assert parsing.day({"d": "2025-06-03"}, "d") == date(2025, 6, 3)
    assert parsing.day({"d": "2025-06-03 10:00:00"}, "d") == date(2025, 6, 3)
    assert parsing.day({"d": "0000-00-00"}, "d") is None
    assert parsing.day({"d": ""}, "d") is None
    with pytest.raises(InvalidField):
        parsing.day({"d": "2025-02-30"}, "d")


@pytest.mark.parametrize(
    ("local", "utc"),
    [
        ("2025-06-03 12:31:27", datetime(2025, 6, 3, 16, 31, 27, tzinfo=UTC)),
        ("2026-01-15 12:00:00", datetime(2026, 1, 15, 17, 0, tzinfo=UTC)),
        ("2026-03-08 02:30:00", datetime(2026, 3, 8, 7, 30, tzinfo=UTC)),
        ("0000-00-00 00:00:00", None),
        ("2025-13-01 00:00:00", None),
        ("soon", None),
        (None, None),
    ],
)
def test_local_times_become_instants(local: str | None, utc: datetime | None) -> None:
    assert parsing.moment({"t": local}, "t", "America/New_York") == utc


def test_switches_and_ids() -> None:
    assert [parsing.switch({"s": v}, "s") for v in ("Yes", "No", "", None, "1", "0", True, 0, "maybe")] == [
        *(True, False, None, None, True, False, True, False, None)
    ]
    assert [parsing.integer_id({"i": v}, "i") for v in ("12", 12, "A12", "", 2**31, "99999999999", True)] == [
        *(12, 12, None, None, None, None, None)
    ]


def test_long_texts_are_cut_and_long_keys_refused() -> None:
    assert parsing.text({"t": "x" * 300}, "t", 255) == "x" * 255
    with pytest.raises(InvalidField, match="at most 50"):
        parsing.key({"k": "9" * 51}, "k")


def test_a_shown_value_is_short() -> None:
    assert len(InvalidInvoice("R", "p", "x" * 10_000_000, "m").value) < 300
