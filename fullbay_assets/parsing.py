"""Reading single values of a Fullbay invoice: numbers, switches, ids, dates, texts.

The API sends the same field as a number here and as a string there, and says "nothing" in five ways
(null, an empty string, a missing key, a dash, a full stop). Everything that decides what such a value *is* lives here.
What it *means* for a line (quantities, portions, taxes) belongs to `flattening`; sums belong to `reconciliation`.

Money never passes through a binary float: the JSON text of a number goes straight into a `Decimal`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from hashlib import sha256
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

CENT = Decimal("0.01")
NO_CENTS = Decimal("0.00")
ZERO = Decimal(0)
HUNDRED = Decimal(100)
DIGITS = 8
"""Digits before the point that the money columns hold (NUMERIC(10,2)). Larger ones are refused before anything is
computed with them: a cell of `1e5000000` would cost minutes."""

MAX_TEXT = 65_536
"""Characters of a descriptive text that are repeated on every line; the raw document keeps the whole text."""

_NUMBER_TEXT = re.compile(r"-?\$?-?(?:\d{1,3}(?:,\d{3})+|\d{1,15})?(?:\.\d{0,12})?", re.ASCII)
_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)", re.ASCII)
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.ASCII)
_MAX_INTEGER = 2**31 - 1


class InvalidField(ValueError):
    """One field that cannot be what it must be; `located` finds where in the document it stands."""

    def __init__(self, reason: str, field: str, value: object, message: str) -> None:
        super().__init__(message)
        self.reason, self.field, self.value, self.message = reason, field, value, message

    def located(self, document: dict[str, Any]) -> InvalidInvoice:
        """The same for the whole invoice. The path is searched only now: reading fields must not pay for it."""
        path = _path_of(document, "", "", self.field, self.value)
        return InvalidInvoice(self.reason, path or self.field, self.value, self.message)


class InvalidInvoice(ValueError):
    """An invoice that cannot be stored, with the reason code, the path of the field, its value and a sentence."""

    def __init__(self, reason: str, path: str, value: object, message: str) -> None:
        shown = repr(value)
        self.reason, self.path, self.message = reason, path, message
        self.value = shown if len(shown) <= 200 else f"{shown[:200]}... ({len(shown):,} characters)"
        super().__init__(f"{reason} at {path or 'the document'}: {message}, found {self.value}")


class Loss(NamedTuple):
    """A value that a column cannot hold as it is: a text that was cut, an id that was dropped. Quotes no text."""

    rule: Literal["TEXT_CUT", "ID_DROPPED"]
    field: str
    value: object
    expected: str
    actual: str

    def path(self, document: dict[str, Any]) -> str:
        """Where it stands; searched only now, as for an error."""
        return _path_of(document, "", "", self.field, self.value) or self.field


_losses: ContextVar[list[Loss] | None] = ContextVar("losses", default=None)


@contextmanager
def losses() -> Iterator[list[Loss]]:
    """What `text` and `integer_id` could not keep whole within the block, in this thread.

    Beside the readers instead of among their arguments: sixty calls an invoice have nothing to tell.
    """
    found: list[Loss] = []
    before = _losses.set(found)
    try:
        yield found
    finally:
        _losses.reset(before)


def _lost(loss: Loss) -> None:
    noted = _losses.get()
    if noted is not None:
        noted.append(loss)


def _path_of(node: Any, path: str, name: str, field: str, value: object) -> str | None:
    """Path of the first place under a field of that name that holds this very value; elements of lists count."""
    if node is value and name == field:
        return path
    places: Iterable[tuple[str, str, Any]] = ()
    if isinstance(node, dict):
        places = ((f"{path}.{key}" if path else key, key, item) for key, item in node.items())
    elif isinstance(node, list):
        places = ((f"{path}[{index}]", name, item) for index, item in enumerate(node))
    found = (_path_of(item, where, key, field, value) for where, key, item in places)
    return next((where for where in found if where is not None), None)


def exact_number(text: str) -> Decimal | int:
    """The number that a JSON literal with a fraction or exponent stands for; `150.0` and `150` print the same."""
    if "e" in text or "E" in text:
        return Decimal(text)
    text = text.rstrip("0")
    return int(text[:-1]) if text[-1] == "." else Decimal(text)


_decoder = msgspec.json.Decoder(float_hook=exact_number)
_encoder = msgspec.json.Encoder(decimal_format="number", order="sorted")


def decode(payload: bytes | memoryview) -> dict[str, Any]:
    """One invoice as received -> its object, numbers exact.

    Raises `InvalidInvoice`: no JSON, not UTF-8, nested too deeply, not an object, or holding a NUL character, which
    no PostgreSQL text or jsonb can store.
    """
    try:
        document = _decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ArithmeticError, ValueError) as error:
        raise InvalidInvoice("NOT_JSON", "", str(error)[:200], "the record is not valid JSON") from None
    if not isinstance(document, dict):
        raise InvalidInvoice("NOT_AN_OBJECT", "", document, "the record must be a JSON object")
    if b"\\u0000" in bytes(payload):
        path = _path_of_nul(document, "")
        if path is not None:
            raise InvalidInvoice("NUL_CHARACTER", path, "\\u0000", "PostgreSQL cannot store a NUL character")
    return document


def _path_of_nul(node: Any, path: str) -> str | None:
    if isinstance(node, str):
        return path if "\x00" in node else None
    if isinstance(node, dict):
        for key, value in node.items():
            inside = f"{path}.{key}" if path else key
            found = inside if "\x00" in key else _path_of_nul(value, inside)
            if found is not None:
                return found.replace("\x00", "\\u0000")
    if isinstance(node, list):
        for index, value in enumerate(node):
            found = _path_of_nul(value, f"{path}[{index}]")
            if found is not None:
                return found
    return None


def content_hash(document: dict[str, Any]) -> str:
    """SHA-256 (hex) of the canonical JSON: keys sorted, no white space, numbers by value (`1.50` = `1.5`)."""
    return sha256(_encoder.encode(document)).hexdigest()


def payload_hash(payload: bytes | memoryview) -> str:
    """SHA-256 (hex) of the bytes as received: equal bytes need no parsing to be known as unchanged."""
    return sha256(payload).hexdigest()


def number(source: dict[str, Any], field: str) -> Decimal | None:
    """A number or a text that shows one (`"$1,234.50"`); None when there is nothing. Raises `InvalidField`."""
    value = source.get(field)
    if type(value) is Decimal:
        found = value
    elif type(value) is int:
        found = Decimal(value)
    elif value is None or value == "":
        return None
    elif isinstance(value, str) and (shown := value.strip()) and _NUMBER_TEXT.fullmatch(shown):
        digits = shown.replace("$", "").replace(",", "")
        if not digits.strip("-."):
            raise InvalidField("NOT_A_NUMBER", field, value, "a number was expected")
        found = Decimal(digits.replace("--", "-"))
    elif isinstance(value, str) and not value.strip():
        return None
    else:
        raise InvalidField("NOT_A_NUMBER", field, value, "a number was expected")
    if found and found.adjusted() >= DIGITS:
        raise InvalidField(
            "NUMBER_TOO_LARGE", field, value, f"at most {DIGITS} digits before the point were expected"
        )
    return found


def amount(source: dict[str, Any], field: str) -> Decimal:
    """A total in dollars: as `number`, with nothing read as 0."""
    return number(source, field) or ZERO


def cents(value: Decimal) -> Decimal:
    """Rounded to whole cents, halves away from zero."""
    return value.quantize(CENT, ROUND_HALF_UP) if value else NO_CENTS


def switch(source: dict[str, Any], field: str) -> bool | None:
    """Yes/No, 1/0, true/false; None when there is nothing or something else."""
    value = source.get(field)
    if value == "Yes":
        return True
    if value == "No":
        return False
    if isinstance(value, str):
        return {"yes": True, "1": True, "true": True, "no": False, "0": False, "false": False}.get(
            value.strip().lower()
        )
    if isinstance(value, bool | int):
        return bool(value)
    return None


def text(source: dict[str, Any], field: str, longest: int = MAX_TEXT) -> str | None:
    """A descriptive text, cut to `longest` characters (the raw document keeps all); None when there is nothing."""
    value = source.get(field)
    if type(value) is not str:
        if value is None:
            return None
        if isinstance(value, dict | list):
            raise InvalidField("NOT_A_TEXT", field, value, "a text was expected")
        value = ("Yes" if value else "No") if isinstance(value, bool) else str(value)
    if len(value) > longest:
        found = f"{len(value):,} characters"
        _lost(Loss("TEXT_CUT", field, source[field], f"at most {longest:,} characters", found))
        value = value[:longest]
    return value or None


def key(source: dict[str, Any], field: str, longest: int = 50) -> str | None:
    """An identifier as text, from a number or a digit string; never cut: one that is too long is refused."""
    value = text(source, field)
    if value is not None:
        value = value.strip()
        if len(value) > longest:
            raise InvalidField(
                "KEY_TOO_LONG", field, value, f"a key of at most {longest} characters was expected"
            )
    return value or None


def integer_id(source: dict[str, Any], field: str) -> int | None:
    """An id for an INTEGER column; None for nothing, for other than digits, and for what the column cannot hold."""
    given = value = source.get(field)
    if isinstance(value, str):
        value = value.strip()
        if not value.strip("-."):
            return None
        value = int(value) if value.isascii() and value.isdigit() and len(value) < 11 else None
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MAX_INTEGER:
        return value
    if given is not None:
        _lost(Loss("ID_DROPPED", field, given, f"a whole number up to {_MAX_INTEGER}", repr(given)[:80]))
    return None


def day(source: dict[str, Any], field: str) -> date | None:
    """A `YYYY-MM-DD`; None for nothing and for 0000-00-00. Raises `InvalidField` for anything else."""
    value = source.get(field)
    if value is None or value == "":
        return None
    if isinstance(value, str):
        match = _DATE.match(value.strip())
        if match and match[0] == "0000-00-00":
            return None
        if match:
            try:
                return date(int(match[1]), int(match[2]), int(match[3]))
            except ValueError:
                pass
    raise InvalidField("NOT_A_DATE", field, value, "a date YYYY-MM-DD was expected")


@lru_cache(maxsize=16)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def moment(source: dict[str, Any], field: str, time_zone: str) -> datetime | None:
    """A `YYYY-MM-DD HH:MM:SS` in the shop's zone -> the instant in UTC, for a TIMESTAMPTZ column.

    None for nothing, for 0000-00-00 and for what is no date and time: such a field describes, it does not identify.
    An hour that the clocks skip is read as the one after it, one that they repeat as its first pass.
    """
    value = source.get(field)
    if not isinstance(value, str) or _DATE_TIME.fullmatch(value) is None:
        return None
    try:
        return datetime.fromisoformat(value).replace(tzinfo=_zone(time_zone)).astimezone(UTC)
    except ValueError:
        return None


def child(source: dict[str, Any], field: str) -> dict[str, Any]:
    """A nested object; empty when there is nothing. Raises `InvalidField` when something else stands there."""
    value = source.get(field)
    if isinstance(value, dict):
        return value
    if value is None or value == "" or value == []:
        return {}
    raise InvalidField("NOT_AN_OBJECT", field, value, "an object was expected")


def children(source: dict[str, Any], field: str) -> list[dict[str, Any]]:
    """A list of objects; empty when there is nothing. Raises `InvalidField` when something else stands there."""
    value = source.get(field)
    if isinstance(value, list):
        for item in value:
            if not isinstance(item, dict):
                raise InvalidField("NOT_AN_OBJECT", field, item, "an object was expected")
        return value
    if value is None or value == "" or value == {}:
        return []
    raise InvalidField("NOT_A_LIST", field, value, "a list was expected")
