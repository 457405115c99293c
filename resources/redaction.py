"""Keeping secrets out of everything that is written: logs, exception texts, metadata.

Belongs here: the register of secret values, the replacement, the logging hooks.
Does not belong here: finding secrets (that is `resources.settings`, which registers each one as it reads it).
"""

from __future__ import annotations

import base64
import json
import logging
import re
import sys
import threading
from collections.abc import Iterator
from itertools import product
from types import TracebackType
from urllib.parse import quote, quote_plus

MASK = "***"

# Shorter values would blank out ordinary words in every message and hide more than they protect.
_SHORTEST_SECRET = 4

# Secrets in places where their form gives them away, for those that nobody has registered: query parameters,
# `password=...` of a connection string, and the password of a URL.
_TELLTALE = re.compile(
    r"(?P<name>(?:[?&]key|\b(?:token|api_?key|password|secret|signature))=)(?P<value>[^\s&'\"<>,;)]+)"
    r"|(?P<url>\b[a-z][a-z0-9+.-]*://[^\s:/@]+:)(?P<secret>[^\s/]+)(?=@)",
    re.IGNORECASE,
)

_ESCAPE = re.compile("%[0-9A-F]{2}")

_lock = threading.Lock()
_known: set[str] = set()
_pattern: re.Pattern[str] | None = None


def register_secret(value: str) -> None:
    """Mask `value` in every later `redact` of this process, also quoted for a URL, JSON or HTML, or in base64."""
    global _pattern
    if len(value) < _SHORTEST_SECRET:
        return
    forms = set(_forms(value))
    with _lock:
        if forms <= _known:
            return
        _known.update(forms)
        longest_first = sorted(_known, key=len, reverse=True)
        _pattern = re.compile("|".join(re.escape(form) for form in longest_first))


def _forms(value: str) -> Iterator[str]:
    """The ways in which other programs write `value` when they quote what they were sent."""
    yield value
    in_url = (quote(value, safe=""), quote(value), quote_plus(value))
    yield from in_url
    yield from (_ESCAPE.sub(lambda escape: escape[0].lower(), form) for form in in_url)
    in_json = json.dumps(value)[1:-1]
    yield from (in_json, in_json.replace("/", "\\/"), json.dumps(value, ensure_ascii=False)[1:-1])
    yield repr(value)[1:-1]
    # Programs agree on two characters to escape in HTML and XML, and on the other three in every combination.
    escaped = value.replace("&", "&amp;").replace("<", "&lt;")
    for greater, quotes, apostrophe in product(
        (">", "&gt;"), ('"', "&quot;"), ("'", "&#x27;", "&#039;", "&apos;")
    ):
        yield escaped.replace(">", greater).replace('"', quotes).replace("'", apostrophe)
    yield from _in_base64(value.encode())


def _in_base64(value: bytes) -> Iterator[str]:
    """What is the same wherever `value` stands in an encoded text: its bits without those that share a character."""
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + value).decode()
        core = encoded[-(-before * 8 // 6) : (before + len(value)) * 8 // 6]
        if len(core) > _SHORTEST_SECRET:
            yield from (core, core.replace("+", "-").replace("/", "_"))


def redact(text: str) -> str:
    """Return `text` with every registered secret, and everything that looks like one, replaced by `***`."""
    pattern = _pattern
    if pattern is not None:
        text = pattern.sub(MASK, text)
    return _TELLTALE.sub(_mask_telltale, text)


def _mask_telltale(match: re.Match[str]) -> str:
    return (match["name"] or match["url"]) + MASK


class SecretFilter(logging.Filter):
    """Rewrites the message and the traceback of a record when they hold a secret; lets every record pass."""

    def filter(self, record: logging.LogRecord) -> bool:
        clean_record(record)
        return True


def clean_record(record: logging.LogRecord) -> None:
    """Redact one record in place. A record without secrets keeps its arguments and its `exc_info`."""
    try:
        message = record.getMessage()
    except (TypeError, ValueError, KeyError):
        return  # arguments that do not fit the format: logging reports that itself
    cleaned = redact(message)
    if cleaned != message:
        record.msg, record.args = cleaned, None
    if isinstance(record.exc_info, tuple) and record.exc_info[0] is not None:
        trace = logging.Formatter().formatException(record.exc_info)
        cleaned_trace = redact(trace)
        if cleaned_trace != trace:
            record.exc_info, record.exc_text = None, cleaned_trace


def install() -> None:
    """Redact every log record and uncaught exception of this process. Calling it twice changes nothing."""
    factory = logging.getLogRecordFactory()
    if not getattr(factory, "redacts_secrets", False):

        def redacting_factory(*args: object, **kwargs: object) -> logging.LogRecord:
            record: logging.LogRecord = factory(*args, **kwargs)
            clean_record(record)
            return record

        redacting_factory.redacts_secrets = True  # type: ignore[attr-defined]
        logging.setLogRecordFactory(redacting_factory)
    for handler in logging.getLogger().handlers:
        if not any(isinstance(present, SecretFilter) for present in handler.filters):
            handler.addFilter(SecretFilter())
    if not getattr(sys.excepthook, "redacts_secrets", False):
        sys.excepthook = _print_redacted


def _print_redacted(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    text = logging.Formatter().formatException((kind, error, trace))
    sys.stderr.write(redact(text) + "\n")


_print_redacted.redacts_secrets = True  # type: ignore[attr-defined]
