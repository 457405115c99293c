"""One spelling for a company's name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from odoo_apn_assets.company_names import normalized_company_name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Example, Inc.", "example"),
        ("The Example Company LLC", "example"),
        ("Müller & Söhne GmbH & Co. KG", "muller and sohne"),
        ("Straßenbau AG", "strassenbau"),
        ("Example S.A.", "example"),
        ("Example S. A. R. L.", "example"),
        ("Example Pty Ltd", "example"),
        ("Example B.V.", "example"),
        ("Przykład Sp. z o.o.", "przyklad"),
        ("株式会社例", "株式会社例"),
        ("Example KK", "example"),
        ("Ａcme　Ｌｔｄ", "acme"),
        ("McDonald's", "mcdonalds"),
        ("Inc Magazine", "inc magazine"),
        ("The Co", "the"),
        ("AG", "ag"),
        ("Limited", "limited"),
        ("Accept To View", None),
        ("  accept   TO view ", None),
        ("...", None),
        ("", None),
        (None, None),
    ],
)
def test_the_rules(name: str | None, expected: str | None) -> None:
    assert normalized_company_name(name) == expected


_WORDS = st.sampled_from(
    [
        "The",
        "Acme",
        "Inc.",
        "& ",
        "S.A.",
        "s",
        "a",
        "Co",
        "GmbH",
        "Ünï",
        "+",
        "(UK)",
        "Ltd",
        "and",
        "Sp. z o.o.",
        "ﷺ",
        "İ",
    ]
)
_NAMES = st.text() | st.lists(_WORDS, max_size=8).map(" ".join)


@given(_NAMES)
def test_normalising_twice_changes_nothing(name: str) -> None:
    once = normalized_company_name(name)
    assert normalized_company_name(once) == once
    assert once is None or 0 < len(once) <= 500


@given(st.lists(_WORDS.filter(str.isascii), max_size=8))
def test_case_and_blanks_do_not_matter(words: list[str]) -> None:
    expected = normalized_company_name(" ".join(words))
    assert normalized_company_name("  ".join(words).upper() + "\n") == expected
    assert normalized_company_name("\t" + "\u00a0".join(words).lower()) == expected
