"""The Fullbay protocol without the network: token, windows, and the envelope of an answer.

Belongs here: pure functions from dates and bytes to values. Does not belong here: HTTP, retries, what an
invoice means.

An answer is one JSON object (`status`, `message`, `totalCount`, `totalPages`, `resultSet`, ...). Each
element of `resultSet` is kept as the bytes that came, so that its hash, its decimals and its raw copy are
the source's own. A fault inside one element (a NUL byte, half a surrogate pair, NaN, nesting without end)
must not cost the others: when the strict decoder refuses the body, a slower scanner cuts it into elements
and each is judged alone.
"""

from __future__ import annotations

import codecs
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

import msgspec

from fullbay_assets.parsing import InvalidField, day
from resources.failures import permanent, transient
from resources.redaction import redact

MAX_WINDOW_DAYS = 7
KEPT_OF_A_BAD_BODY = 500

_RUN_AGAIN = "Run again; if it stays so, the service is down or FULLBAY_API_BASE_URL names another one."
_PROTOCOL_CHANGED = "Compare the answer with the protocol; nothing of this page was stored."

# One string, or one bracket. A string is taken whole, so brackets inside it are not seen.
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_CONTROL = re.compile(rb"[\x00-\x1f]")
_OPENS_ARRAY = re.compile(rb"\s*:\s*\[")
_BETWEEN = re.compile(rb"\s*,?\s*")
_SCALAR = re.compile(rb'\s*:\s*(?:"([^"\\]*)"|(-?[0-9]+))')

# PHP callers fill a field named error in several ways when there was none.
_NO_ERROR: tuple[object, ...] = (None, "", False, 0)


class Record(NamedTuple):
    """One element of `resultSet`.

    `payload` holds its bytes as received; when it held raw control characters inside strings, which is no
    JSON, they are escaped and `repaired` is true. `primary_key` and `invoice_date` are None when missing or
    unusable; `problem` says why an element is no object, cannot be decoded or has an unusable key, and is
    None else.
    """

    payload: bytes | msgspec.Raw
    primary_key: str | None
    invoice_date: date | None
    repaired: bool = False
    problem: str | None = None


@dataclass(frozen=True)
class PageAnswer:
    """A page answered with SUCCESS. `total_pages` is None when the answer does not say."""

    total_count: int
    total_pages: int | None
    records: list[Record]


@dataclass(frozen=True)
class Refusal:
    """HTTP 200 with `status` FAIL or an error field; `message` is redacted and at most 500 characters."""

    message: str


class _Envelope(msgspec.Struct):
    status: Any = None
    message: Any = None
    error: Any = None
    Error: Any = None
    totalCount: Any = None
    totalPages: Any = None
    resultSet: list[msgspec.Raw] | None = None


class _LooseEnvelope(msgspec.Struct):
    status: Any = None
    message: Any = None
    error: Any = None
    Error: Any = None
    resultSet: Any = None


class _Head(msgspec.Struct):
    primaryKey: Any = None
    invoiceDate: Any = None


_envelope = msgspec.json.Decoder(_Envelope)
_loose_envelope = msgspec.json.Decoder(_LooseEnvelope)
_head = msgspec.json.Decoder(_Head)


def token(key: str, utc_date: date, ip: str) -> str:
    """Return the hex SHA-1 of API key, today's UTC date and the caller's IPv4 address, joined bare."""
    text = f"{key}{utc_date.isoformat()}{ip}"
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def windows(start: date, end: date) -> Iterator[tuple[date, date]]:
    """Cut the inclusive range into inclusive windows of at most seven days, in order.

    Raises PermanentError when `end` is before `start`.
    """
    if end < start:
        raise permanent(
            "cutting a date range into windows",
            found=f"the range {start} to {end}, which ends before it starts",
            do_next="Give the earlier date first.",
        )
    # Counted in day numbers: `last + 1` does not exist for the last day of the calendar.
    final = end.toordinal()
    for first in range(start.toordinal(), final + 1, MAX_WINDOW_DAYS):
        yield date.fromordinal(first), date.fromordinal(min(final, first + MAX_WINDOW_DAYS - 1))


def decode_page(body: bytes, *, doing: str) -> PageAnswer | Refusal:
    """Decode the body of an HTTP 200. `status` is looked at before anything else.

    Raises TransientError when the body is no complete JSON object with a status (HTML, empty, cut), with
    its first 500 characters; PermanentError naming the value when status, counts or result set are not what
    the protocol says.
    """
    body = body.removeprefix(codecs.BOM_UTF8)
    try:
        envelope = _envelope.decode(body)
    except msgspec.ValidationError:
        return _wrong_shape(body, doing)
    except (msgspec.DecodeError, RecursionError):
        return _decode_tolerantly(body, doing)
    refusal = _refusal(envelope, body, doing)
    if refusal is not None:
        return refusal
    return _page(envelope, [record_of(raw) for raw in envelope.resultSet or ()], doing)


def escape_control_characters(payload: bytes) -> bytes:
    r"""Return `payload` with the raw control characters inside its JSON strings written as `\u00XX`."""
    return _STRING.sub(lambda found: _CONTROL.sub(_escaped, found[0]), payload)


def _escaped(found: re.Match[bytes]) -> bytes:
    return b"\\u%04x" % found[0][0]


def _refusal(envelope: _Envelope | _LooseEnvelope, body: bytes, doing: str) -> Refusal | None:
    """Return the refusal of a FAIL or an error field, None for SUCCESS, and raise for every other status."""
    status = envelope.status
    failed = isinstance(status, str) and status.strip().upper() == "FAIL"
    for value in (envelope.error, envelope.Error):
        if value not in _NO_ERROR and value != [] and value != {}:
            return Refusal(_brief(value if envelope.message in _NO_ERROR else envelope.message))
    if failed:
        return Refusal(
            _brief(envelope.message) if envelope.message not in _NO_ERROR else "FAIL without a message"
        )
    if status is None:
        raise transient(doing, found=f"JSON without a status: {_beginning(body)}", do_next=_RUN_AGAIN)
    if not isinstance(status, str) or status.strip().upper() != "SUCCESS":
        raise permanent(
            doing,
            found=f"the status {_brief(status)!r} instead of SUCCESS or FAIL",
            do_next=_PROTOCOL_CHANGED,
        )
    return None


def _page(envelope: _Envelope, records: list[Record], doing: str) -> PageAnswer:
    total_count = _count(envelope.totalCount, "totalCount", doing)
    total_pages = _count(envelope.totalPages, "totalPages", doing)
    if total_count is None:
        raise permanent(
            doing,
            found="no totalCount, so it cannot be told whether the window is complete",
            do_next=_PROTOCOL_CHANGED,
        )
    if envelope.resultSet is None and total_count > 0:
        raise permanent(doing, found=f"no resultSet, totalCount {total_count}", do_next=_PROTOCOL_CHANGED)
    return PageAnswer(total_count=total_count, total_pages=total_pages, records=records)


def _count(value: object, name: str, doing: str) -> int | None:
    """Return a count that came as a number or as digits; None when it is missing, null or empty."""
    if value is None or value == "":
        return None
    text = str(value).strip()
    if not isinstance(value, bool) and re.fullmatch(r"[0-9]{1,15}(\.0)?", text):
        return int(float(text)) if "." in text else int(text)
    raise permanent(doing, found=f"{name} {_brief(value)!r}, which is no count", do_next=_PROTOCOL_CHANGED)


def _wrong_shape(body: bytes, doing: str) -> Refusal:
    """The body is JSON, but not this object or not this result set: find the refusal in it, or raise."""
    try:
        loose = _loose_envelope.decode(body)
    except (msgspec.DecodeError, RecursionError):
        raise transient(
            doing, found=f"JSON that is no object: {_beginning(body)}", do_next=_RUN_AGAIN
        ) from None
    refusal = _refusal(loose, body, doing)
    if refusal is None:
        raise permanent(
            doing,
            found=f"a resultSet that is {_kind(loose.resultSet)} instead of a list",
            do_next=_PROTOCOL_CHANGED,
        )
    return refusal


def _decode_tolerantly(body: bytes, doing: str) -> PageAnswer | Refusal:
    """Decode a body that the strict decoder refused: the envelope first, then each element alone."""
    shell, spans = _cut_into_elements(body)
    try:
        envelope = _envelope.decode(escape_control_characters(shell))
    except (msgspec.DecodeError, RecursionError):
        raise transient(
            doing,
            found=f"a body of {len(body)} bytes that is not JSON: {_beginning(body)}",
            do_next=_RUN_AGAIN,
        ) from None
    refusal = _refusal(envelope, body, doing)
    if refusal is not None:
        return refusal
    elements: list[bytes | msgspec.Raw] = [body[first:last] for first, last in spans]
    return _page(envelope, [record_of(raw) for raw in elements or envelope.resultSet or ()], doing)


def _cut_into_elements(body: bytes) -> tuple[bytes, list[tuple[int, int]]]:
    """Return the body with its result set emptied, and where the elements were; else as it is, and none."""
    depth, opened, element = 0, -1, -1
    spans: list[tuple[int, int]] = []
    for found in _TOKEN.finditer(body):
        mark = found[0][:1]
        if mark == b'"':
            if depth == 1 and opened < 0 and found[0] == b'"resultSet"':
                array = _OPENS_ARRAY.match(body, found.end())
                opened = array.end() - 1 if array else -1
        elif mark in b"[{":
            if depth == 2 and 0 <= opened < found.start():
                element = found.start()
            depth += 1
        else:
            depth -= 1
            if depth == 2 and element >= 0:
                spans.append((element, found.end()))
                element = -1
            elif depth == 1 and 0 <= opened < found.start():
                if _only_separators(body, opened + 1, spans, found.start()):
                    return body[: opened + 1] + body[found.start() :], spans
                break
    return body, []


def _only_separators(body: bytes, start: int, spans: list[tuple[int, int]], end: int) -> bool:
    """Say whether nothing but commas and white space stands between the elements."""
    position = start
    for first, last in [*spans, (end, end)]:
        if not _BETWEEN.fullmatch(body, position, first):
            return False
        position = last
    return True


def record_of(raw: bytes | msgspec.Raw) -> Record:
    """What one element is: its key, its date, its fault. The only judge of them, for a load and for a replay alike."""
    try:
        return _headed(raw, raw, repaired=False)
    except msgspec.ValidationError:
        kind = _kind(msgspec.json.decode(raw))
        return Record(raw, None, None, problem=f"an element that is {kind} instead of an object")
    except (msgspec.DecodeError, RecursionError) as error:
        payload = bytes(raw)
        repaired = escape_control_characters(payload)
        if repaired != payload:
            try:
                return _headed(repaired, repaired, repaired=True)
            except (msgspec.DecodeError, RecursionError):
                pass  # control characters were not all: kept as received, with the first reason
        key, dated = _scanned(payload, b'"primaryKey"'), _scanned(payload, b'"invoiceDate"')
        return Record(payload, key, _calendar_date(dated), problem=f"no valid JSON: {error}")


def _headed(payload: bytes | msgspec.Raw, text: bytes | msgspec.Raw, *, repaired: bool) -> Record:
    head = _head.decode(text)
    key, problem = head.primaryKey, None
    if isinstance(key, int) and not isinstance(key, bool):
        key = str(key)
    if isinstance(key, str):
        key = key.strip() or None
    elif key is not None:
        problem, key = f"a primaryKey that is {_kind(key)}", None
    return Record(payload, key, _calendar_date(head.invoiceDate), repaired, problem)


def _calendar_date(value: object) -> date | None:
    """Return the date that storing the invoice reads there too, None where it finds none (`0000-00-00`, a number)."""
    try:
        return day({"invoiceDate": value}, "invoiceDate")
    except InvalidField:
        return None


def _scanned(payload: bytes, name: bytes) -> str | None:
    """Return the string or whole number under `name` at the top of an object that cannot be decoded."""
    depth = 0
    for found in _TOKEN.finditer(payload):
        mark = found[0][:1]
        if mark == b'"':
            value = _SCALAR.match(payload, found.end()) if depth == 1 and found[0] == name else None
            if value is not None:
                return (value[1] or value[2] or b"").decode(errors="replace").strip() or None
        else:
            depth += 1 if mark in b"[{" else -1
    return None


def _kind(value: object) -> str:
    if value is None:
        return "null"
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a text", list: "a list"}
    return names.get(type(value), "an object")


def _brief(value: object) -> str:
    return redact(str(value))[:KEPT_OF_A_BAD_BODY]


def beginning_of(body: bytes, characters: int) -> str:
    """Return the first characters of a body, redacted, for an error text.

    Redacted before it is cut: half a secret is none that would be recognised. What is redacted is cut too, so
    it is longer by far than what is kept, also when it shrinks because it is one secret after the other.
    """
    return redact(body[: 200 * characters].decode(errors="replace")).strip()[:characters]


def _beginning(body: bytes) -> str:
    return repr(text) if (text := beginning_of(body, KEPT_OF_A_BAD_BODY)) else "nothing"
