"""The rules for rows of product files: each fires and is silent, and each row gets exactly one verdict."""

from __future__ import annotations

import io
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from commerce_assets import rules
from commerce_assets.reading import COLUMNS, OPTIONAL_COLUMNS, Limits, ProductFile
from commerce_assets.rules import (
    RULES,
    Checked,
    FileKeys,
    Rule,
    Settings,
    against_catalogue,
    check,
    currencies,
    refused_findings,
)
from commerce_assets.vendor_settings import LOCALES, numbers_of

CATEGORIES = frozenset({"Books", "Electronics", "Home & Garden", "Men's Clothing"})
POINT, COMMA = Settings(CATEGORIES), Settings(CATEGORIES, decimal_comma=True)

GOOD = {
    "vendor_product_id": "P1",
    "product_name": "Lamp",
    "category": "Books",
    "subcategory": "",
    "description": "A lamp",
    "sku": "S1",
    "brand": "Bright",
    "price": "12.50",
    "compare_at_price": "",
    "stock_quantity": "3",
    "unit": "",
    "weight_kg": "",
    "dimensions_cm": "",
    "image_url": "",
    "gtin": "",
    "currency": "",
}


def row(**overrides: str) -> dict[str, str]:
    return {**GOOD, **overrides}


def frame(*rows: dict[str, str]) -> pl.DataFrame:
    return pl.DataFrame(
        [{"row_number": number, **one} for number, one in enumerate(rows, 1)],
        schema={"row_number": pl.Int64, **dict.fromkeys((*COLUMNS, *OPTIONAL_COLUMNS), pl.String)},
    )


def checked(settings: Settings = POINT, **overrides: str) -> Checked:
    return check(frame(row(**overrides)), settings)


def codes(found: Checked) -> list[tuple[str, str]]:
    return list(found.findings.select("code", "field").rows())


REQUIRED_CASES = {
    ("MISSING_REQUIRED_FIELDS", field): (
        ["", "   ", "\t"],
        ["0"] if field == "stock_quantity" else [GOOD[field]],
    )
    for field in ("vendor_product_id", "product_name", "category", "sku", "price", "stock_quantity")
}
LENGTH_CASES = {
    ("FIELD_LENGTH_EXCEEDED", field): (
        [("https://a.b/" if field == "image_url" else "") + "ä" * most],
        [("ä" * most)[: most - (12 if field == "image_url" else 0)]],
    )
    for field, most in rules.LENGTHS.items()
}
LENGTH_CASES = {
    key: ([fires[0] + "ä"], [silent[0] if key[1] != "image_url" else "https://a.b/" + silent[0]])
    for key, (fires, silent) in LENGTH_CASES.items()
}
FORMULA_CASES = {
    ("FORMULA_TEXT", field): (["=1+1", "+4", "-a", "@x", " =1"], ["a=1", "5-pack"])
    for field in ("vendor_product_id", "product_name", "subcategory", "description", "sku", "brand")
}
AMOUNTS_REFUSED = [
    *(
        "0",
        "0.00",
        "1000000",
        "-1",
        "12.505",
        "1e5",
        "1e5000000",
        "NaN",
        "Infinity",
        "1_000",
        "١٢",
        "１２",
        "0x10",
        "5.",
    ),
    *(".5", "+1", "1,000.00", "12,50", "$12.50", "12.50 USD", "twelve", "1.2.3", "0" * 40, "١.٥"),
]
CASES: dict[tuple[str, str], tuple[list[str], list[str]]] = {
    **REQUIRED_CASES,
    **LENGTH_CASES,
    **FORMULA_CASES,
    ("INVALID_PRICE", "price"): (AMOUNTS_REFUSED, ["0.01", "999999.99", "7", "0012.5", "12.5000", " 3.1 "]),
    ("INVALID_STOCK", "stock_quantity"): (
        ["-1", "1000001", "12.9", "12.0", "1e3", "1_000", "NaN", "١٢٣", "²", "in stock", "1,000", "+1"],
        ["0", "000", "1000000", "007"],
    ),
    ("INVALID_CATEGORY", "category"): (["books", "Boks", "Books & more"], ["Books", " Home & Garden "]),
    ("INVALID_COMPARE_AT_PRICE", "compare_at_price"): (AMOUNTS_REFUSED, ["", "12.50", "13"]),
    ("COMPARE_AT_PRICE_BELOW_PRICE", "compare_at_price"): (
        ["12.49", "0.01", "2"],
        ["12.5", "12.50", "100", "", "x"],
    ),
    ("INVALID_WEIGHT", "weight_kg"): (["0", "-1", "0.001", "1 kg", "NaN", "1e3"], ["", "0.01", "999999.99"]),
    ("INVALID_IMAGE_URL", "image_url"): (
        [
            "a.jpg",
            "ftp://a.b/c",
            "https://",
            "https:///x",
            "https://a b/c",
            "javascript:alert(1)",
            "//a.b/c",
            "http://-",
        ],
        ["", "https://a.b/c.jpg?x=1#y", "HTTP://a.b", "http://localhost:8080/x", "https://a.b/ü.jpg"],
    ),
    ("INVALID_GTIN", "gtin"): (
        ["4006381333932", "123", "4006381333931x", "٤٠٠٦٣٨١٣٣٣٩٣١", "400-6381333931", "000"],
        ["", "4006381333931", "96385074", "036000291452", "10614141000415"],
    ),
    ("INVALID_CURRENCY", "currency"): (["usd", "XXX", "DM", "$"], ["", "USD", "EUR"]),
    ("UNKNOWN_UNIT", "unit"): (["lump"], ["", "piece", "KG"]),
    ("UNCLEAR_DIMENSIONS", "dimensions_cm"): (
        ["big", "10", "10x", "1x2x3x4"],
        ["", "10x20", "10 x 20.5 x 3", "1×2×3"],
    ),
    ("OUT_OF_STOCK", "stock_quantity"): (["0", "000"], ["1", "10", ""]),
}


def test_every_rule_has_its_cases() -> None:
    assert set(CASES) == {(one.code, one.field) for one in RULES}
    assert len({(one.code, one.field) for one in RULES}) == len(RULES)


@pytest.mark.parametrize(("code", "field"), CASES)
def test_a_rule_fires_and_is_silent(code: str, field: str) -> None:
    fires, silent = CASES[code, field]
    for value in fires:
        assert (code, field) in codes(checked(**{field: value})), value
    for value in silent:
        assert (code, field) not in codes(checked(**{field: value})), value


def test_a_good_row_has_no_finding_and_typed_values() -> None:
    found = checked(compare_at_price="0013.000", weight_kg="1.2", stock_quantity="007")
    assert found.findings.is_empty()
    values = found.accepted.row(0, named=True)
    assert values["price"] == Decimal("12.50")
    assert values["compare_at_price"] == Decimal("13.00")
    assert values["weight_kg"] == Decimal("1.20")
    assert (values["stock_quantity"], values["unit"], values["subcategory"]) == (7, "piece", None)
    assert found.accepted.schema["price"] == pl.Decimal(10, 2)
    assert found.accepted.schema["stock_quantity"] == pl.Int32


def test_stock_0_is_a_value() -> None:
    """It was taken for missing by a test of truth, and every sold-out product was rejected."""
    found = checked(stock_quantity="0")
    assert found.accepted.height == 1
    assert codes(found) == [("OUT_OF_STOCK", "stock_quantity")]


def test_all_errors_of_a_row_are_told_and_the_first_decides() -> None:
    found = checked(image_url="x", category="Boks", stock_quantity="many", price="x", sku="")
    assert [code for code, _ in codes(found)] == [
        "MISSING_REQUIRED_FIELDS",
        "INVALID_PRICE",
        "INVALID_STOCK",
        "INVALID_CATEGORY",
        "INVALID_IMAGE_URL",
    ]
    assert found.rejected.rows() == [(1, "MISSING_REQUIRED_FIELDS", "sku", "sku is empty")]
    assert found.accepted.is_empty()


def test_the_codes_of_old_come_first_and_in_their_order() -> None:
    order = list(dict.fromkeys(one.code for one in RULES))
    assert order[:5] == [
        "MISSING_REQUIRED_FIELDS",
        "INVALID_PRICE",
        "INVALID_STOCK",
        "FIELD_LENGTH_EXCEEDED",
        "INVALID_CATEGORY",
    ]


def test_a_warning_rejects_nothing() -> None:
    found = checked(unit="lump")
    assert found.accepted["unit"].to_list() == ["lump"]
    assert found.rejected.is_empty()


@pytest.mark.parametrize(
    ("field", "value", "settings", "expected"),
    [
        ("price", "12,50", POINT, "12.50"),
        ("price", "$12.50", POINT, "12.50"),
        ("price", "12.50 EUR", POINT, "12.50"),
        ("price", "1,234.50", POINT, "1234.50"),
        ("price", "1.234,50", POINT, "1234.50"),
        ("price", "1,234", POINT, None),
        ("price", ".5", POINT, "0.5"),
        ("price", "12,-", POINT, "12"),
        ("price", "-5", POINT, None),
        ("price", "free", POINT, None),
        ("price", "0,00", POINT, None),
        ("price", "1_000", POINT, None),
        ("price", "12.50", COMMA, "12,50"),
        ("price", "1.234,50", COMMA, "1234,50"),
        ("stock_quantity", "12.0", POINT, "12"),
        ("stock_quantity", "1,000", POINT, "1000"),
        ("stock_quantity", "12 pcs", POINT, "12"),
        ("stock_quantity", "12.9", POINT, None),
        ("stock_quantity", "in stock", POINT, None),
        ("category", "books", POINT, "Books"),
        ("category", "Electroncs", POINT, "Electronics"),
        ("category", "Garage", POINT, None),
        ("currency", "€", POINT, "EUR"),
        ("currency", "usd", POINT, "USD"),
        ("image_url", "www.a.b/c d.jpg", POINT, "https://www.a.b/c%20d.jpg"),
    ],
)
def test_what_is_suggested(field: str, value: str, settings: Settings, expected: str | None) -> None:
    found = checked(settings, **{"price": "1" if settings is COMMA else "1.00", field: value})
    suggested = found.findings.filter((pl.col("field") == field) & (pl.col("severity") == "error"))
    assert suggested["suggestion"].to_list() == [expected]
    if expected is not None:
        again = checked(settings, **{"price": "1", field: expected})
        assert again.findings.filter(pl.col("field") == field).is_empty()


def test_a_decimal_comma_is_read_where_it_is_declared() -> None:
    found = checked(COMMA, price="12,50", compare_at_price="12,51", weight_kg="0,5")
    assert found.accepted.select("price", "compare_at_price", "weight_kg").row(0) == (
        *(Decimal("12.50"), Decimal("12.51"), Decimal("0.50")),
    )
    assert codes(checked(COMMA, price="12.50")) == [("INVALID_PRICE", "price")]


def read_as(locale: str) -> Settings:
    decimal, thousands = numbers_of(locale)
    return Settings(CATEGORIES, decimal == ",", thousands=thousands)


@pytest.mark.parametrize(
    ("locale", "text", "amount"),
    [
        *(("de", "1.234,56", "1234.56"), ("de", "999.999,99", "999999.99"), ("de", "1234,5", "1234.50")),
        *(
            ("de-AT", "1 234,56", "1234.56"),
            ("fr", "1\u202f234,56", "1234.56"),
            ("fr", "1 234,56", "1234.56"),
        ),
        *(("de-CH", "1'234.56", "1234.56"), ("en", "1,234.56", "1234.56"), ("es-MX", "12,345.6", "12345.60")),
    ],
)
def test_thousands_are_read_as_the_declared_locale_writes_them(locale: str, text: str, amount: str) -> None:
    found = checked(read_as(locale), price=text)
    assert found.accepted["price"].to_list() == [Decimal(amount)]
    assert codes(checked(POINT, price=text)) == [("INVALID_PRICE", "price")]


@pytest.mark.parametrize(
    ("locale", "text"),
    [
        *(("de", "1.234"), ("de", "1,234.56"), ("de", "12.34,56"), ("de", "1.2345,6"), ("de", ".234,56")),
        *(
            ("de", "1.234.567,89"),
            ("de", "1 234,56"),
            ("en", "1,234"),
            ("en", "1.234,56"),
            ("de-CH", "1'234"),
        ),
    ],
)
def test_a_number_that_another_locale_may_have_written_is_refused(locale: str, text: str) -> None:
    """A price that is read a thousand times too high is in the catalogue before anybody looks."""
    assert codes(checked(read_as(locale), price=text)) == [("INVALID_PRICE", "price")]


@hypothesis_settings(max_examples=60, deadline=None)
@given(locale=st.sampled_from(sorted(LOCALES)), cents=st.integers(1, 99_999_999))
def test_an_amount_means_the_same_in_every_locale(locale: str, cents: int) -> None:
    decimal, thousands = numbers_of(locale)
    amount = Decimal(cents) / 100
    for mark in ("", *thousands):
        text = f"{amount:,.2f}".replace(",", "T").replace(".", decimal).replace("T", mark)
        assert checked(read_as(locale), price=text).accepted["price"].to_list() == [amount]


def test_a_long_value_is_clipped_in_the_message() -> None:
    assert len(checked(price="9" * 30_000).findings["message"][0]) < 200


def _poisoned(broken: Any) -> Rule:
    return Rule("POISON", "error", "sku", "", "", "", broken)


def test_a_row_that_raises_inside_a_rule_costs_itself_alone() -> None:
    """A poison row stopped the whole upload, and every run after it."""

    def raising(settings: Settings) -> pl.Expr:
        return pl.col("sku").map_elements(_explode, return_dtype=pl.Boolean)

    rows = [row(sku=f"S{number}", vendor_product_id=f"P{number}") for number in range(1, 400)]
    rows[77]["sku"] = rows[300]["sku"] = "poison"
    rows[5]["price"] = "x"
    found = check(frame(*rows), POINT, [*RULES, _poisoned(raising)])
    assert found.rejected.select("row_number", "error_type").rows() == [
        *((6, "INVALID_PRICE"), (78, "VALIDATION_ERROR"), (301, "VALIDATION_ERROR")),
    ]
    assert found.accepted.height == 396


def test_a_rule_that_always_raises_ends_in_verdicts_too() -> None:
    def raising(settings: Settings) -> pl.Expr:
        raise RuntimeError("a mistake in a rule")

    found = check(frame(*[row()] * 3_000), POINT, [*RULES, _poisoned(raising)])
    assert found.rejected["error_type"].unique().to_list() == ["VALIDATION_ERROR"]
    assert found.rejected.height == 3_000


def _explode(value: str) -> bool:
    if value == "poison":
        raise ValueError(value)
    return False


def _keys(*pairs: tuple[str, str]) -> FileKeys:
    keys = FileKeys()
    for number, (sku, product) in enumerate(pairs, 1):
        part = frame(row(sku=sku, vendor_product_id=product)).with_columns(row_number=pl.lit(number))
        keys.add(check(part, POINT).accepted)
    return keys


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (
            "first",
            [(3, "DUPLICATE_SKU", "row 1 has the same sku"), (4, "DUPLICATE_SKU", "row 1 has the same sku")],
        ),
        (
            "last",
            [(1, "DUPLICATE_SKU", "row 4 has the same sku"), (3, "DUPLICATE_SKU", "row 4 has the same sku")],
        ),
        (
            "reject",
            [
                (1, "DUPLICATE_SKU", "row 4 has the same sku"),
                (3, "DUPLICATE_SKU", "row 1 has the same sku"),
                (4, "DUPLICATE_SKU", "row 1 has the same sku"),
            ],
        ),
    ],
)
def test_of_rows_with_the_same_sku_one_or_none_stays(
    policy: Any, expected: list[tuple[int, str, str]]
) -> None:
    losers = _keys(("A", "1"), ("B", "2"), ("A", "3"), ("A", "4")).losers(policy)
    assert losers.select("row_number", "code", "message").rows() == expected


def test_a_vendor_product_id_twice_is_a_duplicate_too() -> None:
    losers = _keys(("A", "1"), ("B", "1")).losers("first")
    assert losers.select("row_number", "code", "field").rows() == [
        (2, "DUPLICATE_VENDOR_PRODUCT_ID", "vendor_product_id")
    ]


def test_a_file_without_duplicates_has_no_losers() -> None:
    assert FileKeys().losers("reject").is_empty()
    assert _keys(("A", "1"), ("B", "2")).losers("reject").is_empty()


def test_a_broken_row_does_not_take_a_good_one_with_it() -> None:
    keys = FileKeys()
    keys.add(check(frame(row(price="x"), row()), POINT).accepted)
    assert keys.losers("first").is_empty()


def test_a_sku_of_another_product_is_taken_and_ones_own_product_is_an_update() -> None:
    accepted = check(
        frame(
            row(sku="S1", vendor_product_id="P1"),
            row(sku="S2", vendor_product_id="P2"),
            row(sku="S3", vendor_product_id="P3"),
        ),
        POINT,
    ).accepted
    catalogue = pl.DataFrame(
        {
            "vendor_id": ["VEND001", "VEND002", "VEND001"],
            "vendor_product_id": ["P1", "P2", "P9"],
            "sku": ["S1", "S2", "S3"],
        }
    )
    found = against_catalogue(accepted, catalogue, "VEND001")
    assert found.select("row_number", "code").rows() == [(2, "DUPLICATE_SKU"), (3, "DUPLICATE_SKU")]
    refused = against_catalogue(accepted, catalogue, "VEND001", known="refuse")
    assert (1, "DUPLICATE_VENDOR_PRODUCT_ID") in refused.select("row_number", "code").rows()
    assert against_catalogue(accepted, catalogue[:0], "VEND001").is_empty()


def test_columns_that_the_file_does_not_have_are_empty() -> None:
    required = [
        "row_number",
        "vendor_product_id",
        "product_name",
        "category",
        "sku",
        "price",
        "stock_quantity",
    ]
    found = check(frame(row()).select(required), POINT)
    assert found.findings.is_empty()
    assert found.accepted.columns == ["row_number", *COLUMNS, *OPTIONAL_COLUMNS]


def test_currencies_are_those_of_the_standard() -> None:
    assert {"USD", "EUR", "JPY", "CHF"} <= currencies()
    assert all(len(code) == 3 and code.isupper() for code in currencies())


_VALUE = st.one_of(
    st.text(max_size=20),
    st.sampled_from(["", "0", "1", "12.50", "1e9999999", "NaN", "1_0", "\0", "{}", '"', "=1", "Books", "９"]),
)


@hypothesis_settings(max_examples=80, deadline=None)
@given(st.lists(st.fixed_dictionaries(dict.fromkeys(GOOD, _VALUE)), max_size=6), st.booleans())
def test_every_row_ends_in_exactly_one_verdict(rows: list[dict[str, str]], comma: bool) -> None:
    given_rows = frame(*rows, row(price="1"))
    found = check(given_rows, COMMA if comma else POINT)
    both = [*found.accepted["row_number"], *found.rejected["row_number"]]
    assert sorted(both) == given_rows["row_number"].to_list()
    with_error = found.findings.filter(pl.col("severity") == "error")["row_number"].unique().sort()
    assert with_error.to_list() == found.rejected["row_number"].to_list()


_LINES = st.sampled_from(
    [
        *(
            b"P1,Lamp,Books,S1,12.50,3\n",
            b"P2,Lamp,Books,S1,12.50,3\n",
            b"P1,Lamp,Boks,S3,12.50,3\n",
            b'"\n',
            b"a,b\n",
        ),
        *(
            b"P4,Lamp,Books,S4,x,3\n",
            b'P5,"La\nmp",Books,S5,1,0\n',
            b"\0\n",
            b"\xff,,,,,\n",
            b"\n",
            b",,,,,\n",
        ),
    ]
)


@hypothesis_settings(max_examples=60, deadline=None)
@given(st.lists(_LINES, max_size=30), st.sampled_from(["first", "last", "reject"]))
def test_every_row_of_a_file_ends_in_exactly_one_verdict(lines: list[bytes], policy: Any) -> None:
    """Read or refused, accepted or rejected, and of the accepted ones some lose as duplicates."""
    header = b"vendor_product_id,product_name,category,sku,price,stock_quantity\n"
    file, keys = ProductFile(io.BytesIO(header + b"".join(lines)), Limits()), FileKeys()
    accepted: list[int] = []
    rejected: list[int] = []
    for chunk in file.chunks():
        found = check(chunk.frame, POINT)
        accepted += found.accepted["row_number"].to_list()
        rejected += [*found.rejected["row_number"], *refused_findings(chunk.refused)["row_number"]]
        keys.add(found.accepted)
    losers = set(keys.losers(policy)["row_number"])
    assert losers <= set(accepted)
    assert sorted([*(set(accepted) - losers), *losers, *rejected]) == list(range(1, file.rows + 1))
