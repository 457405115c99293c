"""Integer cents, and the forms in which Fullbay's JSON shows them. No binary float is ever added or multiplied."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

_LONGEST = 18
"""Digits of an amount in cents. `"1e5000000"` is a number too, and would cost minutes."""


def number(cents: int) -> int | float:
    """Cents as the JSON number PHP would print: `150`, `7.5`, `4.73` (the shortest text that reads back equal)."""
    whole, rest = divmod(cents, 100)
    return cents / 100 if rest else whole


def text(cents: int) -> str:
    """Cents as a string with two decimals: `"25.00"`, `"-4.73"`."""
    sign = "-" if cents < 0 else ""
    return f"{sign}{abs(cents) // 100}.{abs(cents) % 100:02d}"


def percent_of(cents: int, milli_percent: int) -> int:
    """`cents` times a percentage given in thousandths of a percent (8.5 % = 8500), halves rounded away from zero."""
    product = cents * milli_percent
    half_up = (abs(product) + 50_000) // 100_000
    return -half_up if product < 0 else half_up


def percent_number(milli_percent: int) -> int | float:
    """8500 -> `8.5`, 6000 -> `6`."""
    whole, rest = divmod(milli_percent, 1000)
    return milli_percent / 1000 if rest else whole


def to_cents(value: object) -> int:
    """Cents of a money value read back from a payload (number, text, `""` or null = 0); raises on anything else."""
    if value is None or value == "":
        return 0
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise ValueError(f"not an amount: {value!r}")
    cents = Decimal(str(value)).scaleb(2)
    if not cents.is_finite() or cents.adjusted() > _LONGEST:
        raise ValueError(f"not an amount: {str(value)[:40]}")
    return int(cents.to_integral_value(rounding=ROUND_HALF_UP))


def to_milli_percent(value: object) -> int:
    """Thousandths of a percent of `"8.5"`, `6` or `""`."""
    if value is None or value == "":
        return 0
    return int((Decimal(str(value)) * 1000).to_integral_value(rounding=ROUND_HALF_UP))
