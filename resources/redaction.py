"""Keeping secrets out of everything that is written: logs, exception texts, metadata.

Belongs here: the register of secret values, the replacement, the logging hooks.
Does not belong here: finding secrets (that is `resources.settings`, which registers each one as it reads it).
"""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
from types import TracebackType
from urllib.parse import quote, quote_plus

MASK = "***"

# Shorter values would blank out ordinary words in every message and hide more than they protect.
_SHORTEST_SECRET = 4

# Secrets in places where their form gives them away, for those that nobody has registered: query parameters,
# `password=...` of a connection string, and the password of a URL.
_TELLTALE = re.compile(
    r"(?P<name>(?:[?&]key|\b(?:token|api_?key|password|secret|signature))=)(?P<value>[^\s&'\"<>,;)]+)"
    r"|(?P<url>\b[a-z][a-z0-9+.-]*://[^\s:/@]+:)(?P<secret>[^\s/@]+)(?=@)",
    re.IGNORECASE,
)

_lock = threading.Lock()
_known: set[str] = set()
_pattern: re.Pattern[str] | None = None


def register_secret(value: str) -> None:
    """Mask `value`, and its URL-quoted and JSON-quoted forms, in every later `redact` of this process."""
    global _pattern
    if len(value) < _SHORTEST_SECRET:
        return
    forms = {value, quote(value, safe=""), quote_plus(value), json.dumps(value)[1:-1], repr(value)[1:-1]}
    with _lock:
        if forms <= _known:
            return
        _known.update(forms)
        longest_first = sorted(_known, key=len, reverse=True)
        _pattern = re.compile("|".join(re.escape(form) for form in longest_first))


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
