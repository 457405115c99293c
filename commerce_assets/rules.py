"""What a row of a product file must say to be taken into the catalogue, and what its vendor is told when it does not.

Belongs here: the rules, each a pure function over text, and the typed values of the rows that pass. Does not belong
here: how a file becomes rows (reading.py), and what only the database knows for certain, whether a key is free at the
instant of the write.

A rule gives a Polars expression that is true where the row is broken; it sees text without the spaces around it, empty
where there is nothing. Numbers are built of texts that passed a pattern and of no others: int("1_000") is 1000,
int(Decimal("1e5000000")) takes ten minutes, and int() reads Arabic digits.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from commerce_assets.categories import CategorySuggester
from commerce_assets.formulas import restored_expr
from commerce_assets.reading import COLUMNS, OPTIONAL_COLUMNS, REQUIRED, ROW_NUMBER, Refused

if TYPE_CHECKING:
    import polars as pl

Severity = Literal["fatal", "error", "warning", "info"]
DuplicatePolicy = Literal["first", "last", "reject"]

VERSION: Final = "1"
"""To be raised with every change of a rule: an answer says by which rules it was found."""

POISON: Final = "VALIDATION_ERROR"
UPLOAD_REFUSED: Final = "UPLOAD_REFUSED"
DUPLICATE_SKU: Final = "DUPLICATE_SKU"
DUPLICATE_VENDOR_PRODUCT_ID: Final = "DUPLICATE_VENDOR_PRODUCT_ID"

LENGTHS: Final[dict[str, int]] = {
    "product_name": 200,
    "description": 2000,
    "sku": 100,
    "brand": 100,
    "vendor_product_id": 100,
    "category": 100,
    "subcategory": 100,
    "unit": 20,
    "dimensions_cm": 50,
    "image_url": 2048,
}
"""Characters at most: the widths of commerce.products, and for the two columns of type text what is sensible."""

UNITS: Final = (
    *(
        "piece",
        "pieces",
        "pcs",
        "pair",
        "set",
        "pack",
        "box",
        "bag",
        "bottle",
        "roll",
        "sheet",
        "dozen",
        "can",
    ),
    *("kg", "g", "mg", "lb", "oz", "l", "ml", "cl", "m", "cm", "mm", "m2", "m3", "ft", "in"),
)
_TEXT_COLUMNS: Final = ("vendor_product_id", "product_name", "subcategory", "description", "sku", "brand")
_SHOWN = 60
_POISON_AT_MOST = 100

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settings:
    """What rules depend on beside the row."""

    categories: frozenset[str]
    """Names of the active categories, exact."""
    decimal_comma: bool = False
    """The vendor's locale writes 12,50."""
    suggester: CategorySuggester | None = field(default=None, compare=False)
    """Who says which category may be meant by an unknown one; None: by spelling alone."""
    thousands: str = ""
    """Characters with which the vendor's locale parts thousands. They are read where decimals follow (1.234,50) and
    nowhere else: 1.234 alone is one number for its writer, and another for a program that wrote it for him."""

    @property
    def amount(self) -> str:
        """999999.99 at most; zeros before and after do not count, and 64 of them are not a number that anyone means."""
        places = f"{',' if self.decimal_comma else '[.]'}[0-9]{{1,2}}0{{0,16}}"
        plain = f"0{{0,16}}[0-9]{{1,6}}(?:{places})?"
        parted = f"[0-9]{{1,3}}{self.parting}[0-9]{{3}}{places}"
        return f"^(?:{plain}|{parted})$" if self.thousands else f"^{plain}$"

    @property
    def parting(self) -> str:
        """One of `thousands`, as a pattern."""
        return f"[{self.thousands}]"


Broken = Callable[[Settings], "pl.Expr"]
Suggest = Callable[[str, Settings], "str | None"]
Prepare = Callable[[Sequence[str], Settings], None]


@dataclass(frozen=True)
class Rule:
    """One rule. `message` may hold one {}, for what was found; `suggest`: a value that would pass, if any is near.

    `prepare` is told all different values of a chunk that are about to be suggested for, where that is cheaper.
    """

    code: str
    severity: Severity
    field: str
    holds: str
    message: str
    hint: str
    broken: Broken
    suggest: Suggest | None = None
    prepare: Prepare | None = None


RULES: list[Rule] = []
"""In the order in which they decide a row's error type: the seven of old first, so that theirs stays what it was."""


def rule(
    code: str,
    severity: Severity,
    field: str,
    *,
    holds: str,
    message: str,
    hint: str,
    suggest: Suggest | None = None,
    prepare: Prepare | None = None,
) -> Callable[[Broken], Broken]:
    def add(broken: Broken) -> Broken:
        RULES.append(Rule(code, severity, field, holds, message, hint, broken, suggest, prepare))
        return broken

    return add


# --- suggestions


def _amount_suggested(value: str, settings: Settings) -> str | None:
    """The amount that is meant, where there is only one reading: "$12.50", "12,50", "1.234,50", "12.5 EUR"."""
    text = re.sub(r"(?i)^(?:[a-z]{3}|[$€£¥])\s*|\s*(?:[a-z]{3}|[$€£¥])$", "", value.strip())
    text = re.sub(r"[\s\u00a0\u202f'’]", "", text).removesuffix(",-").removesuffix(".-").removeprefix("+")
    if not re.fullmatch(r"[0-9]*(?:[.,][0-9]+)*[.,]?", text, re.ASCII) or not re.search("[0-9]", text):
        return None
    marks = [mark for mark in text if mark in ".,"]
    if not marks:
        whole, places = text, ""
    elif len(set(marks)) == 2 or len(marks) == 1:
        at = max(text.rfind("."), text.rfind(","))
        whole, places = text[:at], text[at + 1 :]
        if marks.count(text[at]) > 1 or (len(marks) == 1 and len(places) == 3):
            return None
        if len(marks) > 1 and not re.fullmatch(r"[0-9]{1,3}(?:[.,][0-9]{3})+", whole, re.ASCII):
            return None
    else:
        return None
    whole = re.sub("[.,]", "", whole) or "0"
    found = whole + (("," if settings.decimal_comma else ".") + places if places else "")
    allowed = re.fullmatch(settings.amount, found, re.ASCII) and re.search("[1-9]", found)
    return found if allowed and found != value else None


def _whole_suggested(value: str, settings: Settings) -> str | None:
    """The whole number: "12.0", "1,000", "12 pcs". A text such as "in stock" says no number: the vendor is asked."""
    found = re.fullmatch(
        r"(?i)\+?([0-9]{1,3}(?:[,.' ][0-9]{3})+|[0-9]+)(?:[.,]0+)?\s*(?:pcs|pc|pieces|stk|x)?[.]?", value
    )
    if not found:
        return None
    whole = re.sub("[,.' ]", "", found[1]).lstrip("0") or "0"
    return whole if re.fullmatch("[0-9]{1,6}|1000000", whole, re.ASCII) and whole != value else None


def _category_suggested(value: str, settings: Settings) -> str | None:
    found = _suggester(settings).suggest(value)
    return found[0] if found else None


def _categories_prepared(values: Sequence[str], settings: Settings) -> None:
    suggester = _suggester(settings)
    if settings.suggester is None:  # shared by everything in this process, so nobody else begins a file
        suggester.begin_file()
    suggester.prepare(values)


def _suggester(settings: Settings) -> CategorySuggester:
    return settings.suggester or _by_spelling(settings.categories)


@lru_cache(maxsize=8)
def _by_spelling(names: frozenset[str]) -> CategorySuggester:
    return CategorySuggester(names, None)


def _currency_suggested(value: str, settings: Settings) -> str | None:
    signs = {"$": "USD", "€": "EUR", "£": "GBP"}
    found = signs.get(value, value.upper())
    return found if found in currencies() else None


def _url_suggested(value: str, settings: Settings) -> str | None:
    found = "https:" + value if value.startswith("//") else "https://" + value
    return found.replace(" ", "%20") if re.match(r"(//|www\.)", value) else None


# --- rules 1 to 5 of the seven; 6 and 7, the duplicates, look at more than one row: FileKeys, against_catalogue


def _required(column: str) -> None:
    @rule(
        "MISSING_REQUIRED_FIELDS",
        "error",
        column,
        holds=f"{column} is not empty; 0 is not empty",
        message=f"{column} is empty",
        hint=f"Fill in {column}.",
    )
    def broken(settings: Settings) -> pl.Expr:
        return _col(column) == ""


for _column in REQUIRED:
    _required(_column)


@rule(
    "INVALID_PRICE",
    "error",
    "price",
    holds="price is 0.01 to 999999.99 with two places at most, in plain digits",
    message="price must be a number from 0.01 to 999999.99, not {}",
    hint="Write digits and one decimal mark, without currency and without separators of thousands.",
    suggest=_amount_suggested,
)
def invalid_price(settings: Settings) -> pl.Expr:
    return _no_amount("price", settings)


@rule(
    "INVALID_STOCK",
    "error",
    "stock_quantity",
    holds="stock_quantity is a whole number, 0 to 1000000, in plain digits",
    message="stock_quantity must be a whole number from 0 to 1000000, not {}",
    hint="Write how many pieces there are; 0 when there are none.",
    suggest=_whole_suggested,
)
def invalid_stock(settings: Settings) -> pl.Expr:
    column = _col("stock_quantity")
    return (column != "") & ~column.str.contains("^0{0,16}(?:[0-9]{1,6}|1000000)$")


def _length(column: str, most: int) -> None:
    @rule(
        "FIELD_LENGTH_EXCEEDED",
        "error",
        column,
        holds=f"{column} has {most} characters at most",
        message=f"{column} has more than {most} characters: {{}}",
        hint="Shorten it.",
        suggest=(lambda value, settings: value[:most].rstrip()) if column == "description" else None,
    )
    def broken(settings: Settings) -> pl.Expr:
        return _col(column).str.len_chars() > most


for _column, _most in LENGTHS.items():
    _length(_column, _most)


@rule(
    "INVALID_CATEGORY",
    "error",
    "category",
    holds="category is the exact name of an active category",
    message="there is no category {}",
    hint="Use a name of the list of categories, letter by letter.",
    suggest=_category_suggested,
    prepare=_categories_prepared,
)
def invalid_category(settings: Settings) -> pl.Expr:
    return (_col("category") != "") & ~_col("category").is_in(sorted(settings.categories))


# --- the rest


@rule(
    "INVALID_COMPARE_AT_PRICE",
    "error",
    "compare_at_price",
    holds="compare_at_price is empty or an amount as price is",
    message="compare_at_price must be empty or a number from 0.01 to 999999.99, not {}",
    hint="Write digits and one decimal mark, or leave it empty.",
    suggest=_amount_suggested,
)
def invalid_compare_at_price(settings: Settings) -> pl.Expr:
    return _no_amount("compare_at_price", settings)


@rule(
    "COMPARE_AT_PRICE_BELOW_PRICE",
    "error",
    "compare_at_price",
    holds="compare_at_price is empty or not below price",
    message="compare_at_price {} is below the price",
    hint="It is the price before the reduction: raise it, or leave it empty.",
)
def compare_at_price_below_price(settings: Settings) -> pl.Expr:
    return (_amount("compare_at_price", settings) < _amount("price", settings)).fill_null(False)


@rule(
    "INVALID_WEIGHT",
    "error",
    "weight_kg",
    holds="weight_kg is empty or more than 0, up to 999999.99 with two places at most",
    message="weight_kg must be empty or a number from 0.01 to 999999.99, not {}",
    hint="Write kilograms in digits, without the unit, rounded to two places.",
    suggest=_amount_suggested,
)
def invalid_weight(settings: Settings) -> pl.Expr:
    return _no_amount("weight_kg", settings)


@rule(
    "INVALID_IMAGE_URL",
    "error",
    "image_url",
    holds="image_url is empty or an address with http or https and a host, without spaces",
    message="image_url is no web address: {}",
    hint="Write the whole address, from https:// on.",
    suggest=_url_suggested,
)
def invalid_image_url(settings: Settings) -> pl.Expr:
    column = _col("image_url")
    host = "[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?"
    return (column != "") & ~column.str.contains(
        rf'^(?i:https?)://{host}(?::[0-9]{{1,5}})?(?:[/?#][^\s<>"]*)?$'
    )


@rule(
    "INVALID_GTIN",
    "error",
    "gtin",
    holds="gtin is empty or 8, 12, 13 or 14 digits of which the last one is right",
    message="gtin {} is no valid GTIN, EAN or UPC",
    hint="Check the digits under the bar code; spreadsheets drop zeros at the front.",
)
def invalid_gtin(settings: Settings) -> pl.Expr:
    import polars as pl

    column = _col("gtin")
    wrong = column.map_elements(_wrong_gtin, return_dtype=pl.Boolean, skip_nulls=False)
    return (column != "") & wrong


@rule(
    "INVALID_CURRENCY",
    "error",
    "currency",
    holds="currency is empty or a code of ISO 4217 that is in use",
    message="{} is no currency of ISO 4217",
    hint="Write three capitals, such as USD or EUR.",
    suggest=_currency_suggested,
)
def invalid_currency(settings: Settings) -> pl.Expr:
    return (_col("currency") != "") & ~_col("currency").is_in(sorted(currencies()))


@rule(
    "UNKNOWN_UNIT",
    "warning",
    "unit",
    holds=f"unit is empty or one of {', '.join(UNITS)}",
    message="the unit {} is not one of the usual ones",
    hint="Write piece, or another unit of the list.",
)
def unknown_unit(settings: Settings) -> pl.Expr:
    return (_col("unit") != "") & ~_col("unit").str.to_lowercase().is_in(list(UNITS))


@rule(
    "UNCLEAR_DIMENSIONS",
    "warning",
    "dimensions_cm",
    holds="dimensions_cm is empty or two or three numbers with x between them",
    message="the dimensions {} are not written as 10x20x30",
    hint="Write centimetres as 10x20x30.",
)
def unclear_dimensions(settings: Settings) -> pl.Expr:
    number = r"[0-9]+(?:[.,][0-9]+)?"
    return (_col("dimensions_cm") != "") & ~_col("dimensions_cm").str.contains(
        rf"^{number}(?: ?[xX×*] ?{number}){{1,2}}$"
    )


def _formula(column: str) -> None:
    @rule(
        "FORMULA_TEXT",
        "warning",
        column,
        holds=f"{column} does not begin as a formula of a spreadsheet does (=, +, -, @)",
        message=f"{column} begins as a formula does: {{}}",
        hint="Put a letter or a digit first. In the files that we write it is neutralised.",
    )
    def broken(settings: Settings) -> pl.Expr:
        return _col(column).str.contains("^[=+@-]")


for _column in _TEXT_COLUMNS:
    _formula(_column)


@rule(
    "OUT_OF_STOCK",
    "info",
    "stock_quantity",
    holds="stock_quantity is not 0",
    message="stock_quantity is {}: the product is stored and not shown in the catalogue",
    hint="Nothing to do, if it is so.",
)
def out_of_stock(settings: Settings) -> pl.Expr:
    return _col("stock_quantity").str.contains("^0+$")


OTHER_CODES: Final[dict[str, tuple[Severity, str, str]]] = {
    DUPLICATE_SKU: (
        "error",
        "sku",
        "no other row of the file and no other product of the catalogue, of any vendor, has the sku",
    ),
    DUPLICATE_VENDOR_PRODUCT_ID: (
        "error",
        "vendor_product_id",
        "no other row of the file has the vendor_product_id; where updates are not wanted, no product of the vendor",
    ),
    POISON: ("error", "", "every rule could be applied to the row"),
    UPLOAD_REFUSED: (
        "error",
        "",
        "the upload was not held, or was released; a good row of a refused one has no other",
    ),
}
"""Codes that are not a rule over one row: severity, field, what holds when they are silent."""


def _col(name: str) -> pl.Expr:
    import polars as pl

    return pl.col(name)


def _no_amount(column: str, settings: Settings) -> pl.Expr:
    text = _col(column)
    return (text != "") & (~text.str.contains(settings.amount) | ~text.str.contains("[1-9]"))


def _amount(column: str, settings: Settings) -> pl.Expr:
    """The amount, null where the text is none. The pattern decides: a cast alone would read 1e5."""
    import polars as pl

    text = pl.when(_col(column).str.contains(settings.amount)).then(_col(column))
    plain = text.str.replace(settings.parting, "") if settings.thousands else text
    plain = plain.str.replace(",", ".", literal=True) if settings.decimal_comma else plain
    return plain.cast(pl.Decimal(12, 2), strict=False)


def _wrong_gtin(value: str) -> bool:
    from stdnum import ean

    if not value:
        return False
    return re.fullmatch("[0-9]{8}|[0-9]{12,14}", value, re.ASCII) is None or not ean.is_valid(value)


@cache
def currencies() -> frozenset[str]:
    """The codes of ISO 4217 in use (currencies.txt)."""
    return frozenset(Path(__file__).with_name("currencies.txt").read_text(encoding="utf-8").split())


# --- applying them


FINDING_COLUMNS: Final = (
    ROW_NUMBER,
    "position",
    "code",
    "severity",
    "field",
    "value",
    "message",
    "hint",
    "suggestion",
)


@dataclass(frozen=True)
class Checked:
    """A chunk after the rules. `accepted`: typed rows; `findings`: all of them, of accepted rows too, by row and order;
    `rejected`: one row each with `error_type`, `error_field`, `error_message` of the first error. A row that could be
    read is in exactly one of `accepted` and `rejected`."""

    accepted: pl.DataFrame
    rejected: pl.DataFrame
    findings: pl.DataFrame


def check(frame: pl.DataFrame, settings: Settings, rules: Sequence[Rule] | None = None) -> Checked:
    """Apply the rules to a chunk's frame (`row_number` and text columns; those that a file does not have are empty)."""
    import polars as pl

    rules = RULES if rules is None else rules
    rows = frame.select(
        ROW_NUMBER,
        *(
            _meant(frame, name) if name in frame.columns else pl.lit("").alias(name)
            for name in (*COLUMNS, *OPTIONAL_COLUMNS)
        ),
    )
    # A rule over a column that the file does not have can only be silent, and costs as much as another.
    asked = [
        (position, one)
        for position, one in enumerate(rules)
        if one.field in frame.columns or one.field in REQUIRED or one.field not in rows.columns
    ]
    flags, poisoned = _flags(rows, asked, settings)
    found = [
        _found(rows, flags[str(position)], position, one, settings)
        for position, one in asked
        if flags[str(position)].any()
    ]
    if poisoned:
        found.append(_poison(poisoned, len(rules)))
    findings = pl.concat([_nothing_found(), *found]).sort(ROW_NUMBER, "position")
    errors = findings.filter(pl.col("severity") == "error").unique(
        ROW_NUMBER, keep="first", maintain_order=True
    )
    rejected = errors.select(
        ROW_NUMBER,
        error_type=pl.col("code"),
        error_field=pl.col("field"),
        error_message=pl.col("message"),
    )
    if len(rejected):
        rows = rows.join(rejected, on=ROW_NUMBER, how="anti", maintain_order="left")
    return Checked(_typed(rows, settings), rejected, findings)


def _meant(frame: pl.DataFrame, name: str) -> pl.Expr:
    """What a column's cells mean: without spaces around, and without the apostrophe that our failed-rows file puts in
    front of a formula. Hardly any chunk has one, so it is looked for before it is taken away."""
    import polars as pl

    column = pl.col(name)
    if frame[name].str.starts_with("'").any():
        column = restored_expr(column)
    return column.str.strip_chars()


def refused_findings(refused: Iterable[Refused]) -> pl.DataFrame:
    """The rows that could not be read, in the form of `Checked.findings`."""
    import polars as pl

    rows = [
        (row.row_number, -1, row.code, "error", None, None, row.message, "Correct the row.", None)
        for row in refused
    ]
    return pl.DataFrame(rows, schema=_nothing_found().schema, orient="row")


def _flags(
    rows: pl.DataFrame, rules: Sequence[tuple[int, Rule]], settings: Settings
) -> tuple[pl.DataFrame, dict[int, str]]:
    """A column of booleans for each rule, and the rows on which a rule raised, with the rule's code."""
    import polars as pl

    try:
        return rows.lazy().select(_named(rules, settings)).collect(), {}
    # Whatever a rule raises is the fault of a row or of the rule, never a reason to stop the other rows: it is
    # reported, row by row, as VALIDATION_ERROR.
    except (Exception, pl.exceptions.PanicException):
        _log.exception("A rule raised on a chunk of %s rows; looking for the rows", len(rows))
    columns, poisoned = [], dict[int, str]()
    for position, one in rules:
        flags, bad = _flags_around_poison(rows, position, one, settings)
        columns.append(flags)
        poisoned |= {row: f"{one.code} on {one.field}" for row in bad if row not in poisoned}
    return pl.DataFrame(columns), poisoned


def _named(rules: Sequence[tuple[int, Rule]], settings: Settings) -> list[pl.Expr]:
    return [one.broken(settings).alias(str(position)) for position, one in rules]


def _flags_around_poison(
    rows: pl.DataFrame, position: int, one: Rule, settings: Settings
) -> tuple[pl.Series, list[int]]:
    """One rule's flags, halving the rows where it raises. After 100 poisoned rows the rest of a piece counts as such:
    the rule is at fault then, and asking a million rows one by one would take an hour."""
    import polars as pl

    bad: list[int] = []

    def ask(part: pl.DataFrame) -> list[pl.Series]:
        try:
            return [part.select(_named([(position, one)], settings)).to_series()]
        except (Exception, pl.exceptions.PanicException):
            if len(part) == 1 or len(bad) >= _POISON_AT_MOST:
                bad.extend(part[ROW_NUMBER])
                return [pl.Series([False] * len(part), dtype=pl.Boolean)]
        half = len(part) // 2
        return ask(part[:half]) + ask(part[half:])

    parts = ask(rows) if len(rows) else [pl.Series([], dtype=pl.Boolean)]
    return pl.concat(parts).alias(str(position)), bad


def _found(
    rows: pl.DataFrame, flags: pl.Series, position: int, one: Rule, settings: Settings
) -> pl.DataFrame:
    import polars as pl

    numbers = rows[ROW_NUMBER].filter(flags)
    values = (
        rows[one.field].filter(flags)
        if one.field in rows.columns
        else pl.repeat("", len(numbers), eager=True)
    )
    broken = pl.DataFrame([numbers, values.alias("value")])
    shown = pl.when(pl.col("value").str.len_chars() > _SHOWN).then(
        pl.concat_str(pl.col("value").str.slice(0, _SHOWN), pl.lit("..."))
    )
    quoted = pl.concat_str(pl.lit('"'), shown.otherwise(pl.col("value")), pl.lit('"'))
    suggestions = None
    if one.suggest is not None:
        different = values.unique(maintain_order=True).to_list()
        _prepare(one, different, settings)
        known = {value: _suggested(one, value, settings) for value in different}
        suggestions = pl.Series([known[value] for value in values], dtype=pl.String)
    return broken.select(
        ROW_NUMBER,
        position=pl.lit(position, dtype=pl.Int16),
        code=pl.lit(one.code),
        severity=pl.lit(one.severity),
        field=pl.lit(one.field),
        value="value",
        message=pl.format(one.message, quoted) if "{}" in one.message else pl.lit(one.message),
        hint=pl.lit(one.hint),
        suggestion=pl.lit(suggestions if suggestions is not None else None, dtype=pl.String),
    )


def _prepare(one: Rule, values: Sequence[str], settings: Settings) -> None:
    """As `_suggested`: whatever goes wrong here, the rows are rejected all the same."""
    if one.prepare is None:
        return
    try:
        one.prepare(values, settings)
    except Exception:
        _log.exception("No suggestions could be prepared for %s on %s", one.code, one.field)


def _suggested(one: Rule, value: str, settings: Settings) -> str | None:
    """A suggestion is a courtesy: the row is rejected with or without."""
    assert one.suggest is not None
    try:
        return one.suggest(value[:2100], settings)
    except Exception:
        _log.exception("No suggestion could be made for %s on %s", one.code, one.field)
        return None


def _poison(poisoned: dict[int, str], position: int) -> pl.DataFrame:
    import polars as pl

    rows = [
        (
            row,
            position,
            POISON,
            "error",
            None,
            None,
            f"The rule {name} could not be applied to the row.",
            hint,
            None,
        )
        for row, name in poisoned.items()
        for hint in ("Nothing is known to be wrong with the row; we look into it.",)
    ]
    return pl.DataFrame(rows, schema=_nothing_found().schema, orient="row")


def _nothing_found() -> pl.DataFrame:
    import polars as pl

    types: dict[str, Any] = {ROW_NUMBER: pl.Int64, "position": pl.Int16}
    return pl.DataFrame(schema={name: types.get(name, pl.String) for name in FINDING_COLUMNS})


def _typed(rows: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """Accepted rows as the catalogue has them: empty text is null, an empty unit is a piece."""
    import polars as pl

    amounts = ("price", "compare_at_price", "weight_kg")
    texts = [
        name for name in (*COLUMNS, *OPTIONAL_COLUMNS) if name not in (*amounts, "stock_quantity", "unit")
    ]
    values = rows.select(
        ROW_NUMBER,
        *(pl.when(pl.col(name) != "").then(pl.col(name)).alias(name) for name in texts),
        *(_amount(name, settings).cast(pl.Decimal(10, 2)).alias(name) for name in amounts),
        pl.col("stock_quantity").cast(pl.Int32),
        pl.when(pl.col("unit") != "").then(pl.col("unit")).otherwise(pl.lit("piece")).alias("unit"),
    )
    return values.select(ROW_NUMBER, *COLUMNS, *OPTIONAL_COLUMNS)


# --- duplicates


@dataclass
class FileKeys:
    """The keys of a file's accepted rows, to be asked at its end which rows lose against another row of the file.

    A key is remembered as 128 bits of hash, 40 bytes a row for both, so that a file of a million rows costs 40 MB.
    Only rows without another error compete: a broken first row does not take a good second one with it.
    """

    _parts: list[pl.DataFrame] = field(default_factory=list)

    def add(self, accepted: pl.DataFrame) -> None:
        import polars as pl

        self._parts.append(
            accepted.select(
                ROW_NUMBER,
                *(
                    _col(key).hash(seed).alias(f"{key}.{part}")
                    for key in ("sku", "vendor_product_id")
                    for part, seed in enumerate((1, 2))
                ),
            ).cast({ROW_NUMBER: pl.Int64})
        )

    def losers(self, policy: DuplicatePolicy) -> pl.DataFrame:
        """Findings of the rows that lose: all but the first or the last of a key, or every one of them."""
        import polars as pl

        if not self._parts:
            return _nothing_found()
        rows = pl.concat(self._parts)
        found = []
        for position, (key, code) in enumerate(
            (("sku", DUPLICATE_SKU), ("vendor_product_id", DUPLICATE_VENDOR_PRODUCT_ID)), len(RULES) + 1
        ):
            hashes = [f"{key}.0", f"{key}.1"]
            # Sorting 64 bits of each key takes a tenth of the memory of grouping by 128, and leaves next to nothing.
            ordered = rows[hashes[0]].sort()
            suspects = ordered.filter(ordered == ordered.shift(1)).unique()
            twice = rows.select(ROW_NUMBER, *hashes).filter(pl.col(hashes[0]).is_in(suspects.implode()))
            twice = twice.filter(pl.struct(hashes).is_duplicated())
            if not len(twice):
                continue
            first, last = pl.col(ROW_NUMBER).min().over(hashes), pl.col(ROW_NUMBER).max().over(hashes)
            other = last if policy == "last" else first
            named = twice.with_columns(
                other=pl.when(pl.col(ROW_NUMBER) == other)
                .then(last if policy != "last" else first)
                .otherwise(other)
            )
            if policy != "reject":
                named = twice.with_columns(other=other).filter(pl.col(ROW_NUMBER) != pl.col("other"))
            found.append(
                _duplicates(
                    named, position, code, key, pl.format(f"row {{}} has the same {key}", pl.col("other"))
                )
            )
        return pl.concat([_nothing_found(), *found]).sort(ROW_NUMBER, "position")


def against_catalogue(
    accepted: pl.DataFrame,
    catalogue: pl.DataFrame,
    vendor_id: str,
    *,
    known: Literal["update", "refuse"] = "update",
) -> pl.DataFrame:
    """Findings of accepted rows whose keys are taken, by a frame of `vendor_id`, `vendor_product_id`, `sku`.

    A sku is taken when another product has it, of whichever vendor. A vendor_product_id that the vendor has already is
    that product's update, unless updates are refused. The frame is a moment old: the database decides at the write, and
    whoever loses there gets the same codes.
    """
    import polars as pl

    owner = catalogue.select(sku="sku", its_vendor="vendor_id", its_product="vendor_product_id")
    taken = accepted.join(owner, on="sku").filter(
        (pl.col("its_vendor") != vendor_id) | (pl.col("its_product") != pl.col("vendor_product_id"))
    )
    message = pl.lit("another product of the catalogue has the same sku")
    found = [_duplicates(taken, len(RULES) + 1, DUPLICATE_SKU, "sku", message)]
    if known == "refuse":
        own = catalogue.filter(pl.col("vendor_id") == vendor_id).select("vendor_product_id").unique()
        found.append(
            _duplicates(
                accepted.join(own, on="vendor_product_id"),
                len(RULES) + 2,
                DUPLICATE_VENDOR_PRODUCT_ID,
                "vendor_product_id",
                pl.lit("the catalogue has a product with the same vendor_product_id"),
            )
        )
    return pl.concat([_nothing_found(), *found]).sort(ROW_NUMBER, "position")


def _duplicates(rows: pl.DataFrame, position: int, code: str, key: str, message: pl.Expr) -> pl.DataFrame:
    import polars as pl

    return rows.select(
        ROW_NUMBER,
        position=pl.lit(position, dtype=pl.Int16),
        code=pl.lit(code),
        severity=pl.lit("error"),
        field=pl.lit(key),
        value=pl.lit(None, dtype=pl.String),
        message=message,
        hint=pl.lit(f"Give each product a {key} of its own."),
        suggestion=pl.lit(None, dtype=pl.String),
    )
