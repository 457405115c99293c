"""Secrets do not reach logs and texts."""

from __future__ import annotations

import base64
import io
import logging
import subprocess
import sys
from collections.abc import Iterator

import pytest

from resources.redaction import MASK, SecretFilter, install, redact, register_secret
from tests.conftest import ROOT


@pytest.fixture
def untouched_logging() -> Iterator[None]:
    factory, hook = logging.getLogRecordFactory(), sys.excepthook
    yield
    logging.setLogRecordFactory(factory)
    sys.excepthook = hook


def test_a_registered_secret_is_masked_in_all_its_spellings() -> None:
    register_secret('pa/ss w"rd+1')
    for text in ('pa/ss w"rd+1', "pa%2Fss%20w%22rd%2B1", "pa%2Fss+w%22rd%2B1", 'pa/ss w\\"rd+1'):
        assert redact(f"before {text} after") == "before *** after"


def test_the_longer_of_two_secrets_is_masked_whole() -> None:
    register_secret("inner-secret")
    register_secret("inner-secret-and-more")
    assert redact("x inner-secret-and-more y") == "x *** y"


@pytest.mark.parametrize("short", ["", "a", "abc"])
def test_a_value_too_short_to_be_a_secret_blanks_out_nothing(short: str) -> None:
    register_secret(short)
    assert redact("abc and a") == "abc and a"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("GET /x?page=1&key=aa-bb&token=cc HTTP/1.1", "GET /x?page=1&key=***&token=*** HTTP/1.1"),
        ("password=hunter2 host=db", "password=*** host=db"),
        ("postgresql://etl:hunter2@db/warehouse", "postgresql://etl:***@db/warehouse"),
        ("primary key=12 and run_key=abc", "primary key=12 and run_key=abc"),
    ],
)
def test_what_looks_like_a_secret_is_masked_though_nobody_registered_it(text: str, expected: str) -> None:
    assert redact(text) == expected


def test_installed_every_logger_is_clean_message_arguments_and_traceback(untouched_logging: None) -> None:
    register_secret("canary-in-a-log")
    install()
    install()
    stream = io.StringIO()
    logger = logging.getLogger("tests.redaction")
    handler = logging.StreamHandler(stream)
    logger.addHandler(handler)
    try:
        logger.warning("with an argument: %s", "canary-in-a-log")
        try:
            raise ValueError("canary-in-a-log")
        except ValueError:
            logger.exception("with a traceback")
    finally:
        logger.removeHandler(handler)
    written = stream.getvalue()
    assert "canary" not in written
    assert "ValueError: ***" in written


def test_a_record_without_a_secret_keeps_its_arguments_and_its_error() -> None:
    try:
        raise ValueError("harmless")
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, __file__, 1, "count %d", (3,), sys.exc_info())
    assert SecretFilter().filter(record)
    assert record.args == (3,)
    assert record.exc_info is not None


def test_an_uncaught_exception_is_printed_without_the_secret(
    untouched_logging: None, capsys: pytest.CaptureFixture[str]
) -> None:
    register_secret("canary-uncaught")
    install()
    error = ValueError("canary-uncaught")
    sys.excepthook(type(error), error, None)
    assert capsys.readouterr().err == "ValueError: ***\n"


def test_importing_the_module_installs_nothing() -> None:
    """In an interpreter of its own: another test of this one may have run a step, which installs it."""
    code = """
import logging, sys
from resources import redaction
assert redaction.MASK == "***"
assert not hasattr(logging.getLogRecordFactory(), "redacts_secrets")
assert sys.excepthook is sys.__excepthook__
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


@pytest.mark.parametrize(
    "shown",
    [
        "sEcReT%2fa%2bb%26%3c%27%22%3e",
        "sEcReT\\/a+b&<'\\\">",
        "sEcReT/a+b&amp;&lt;&#039;&quot;&gt;",
        "sEcReT/a+b&amp;&lt;'\">",
        *(base64.b64encode(b"x" * shift + b"sEcReT/a+b&<'\">").decode() for shift in range(3)),
    ],
)
def test_a_secret_is_masked_as_other_programs_quote_it(shown: str) -> None:
    """Error pages showed the key they were sent in base64 and in the quoting of PHP."""
    register_secret("sEcReT/a+b&<'\">")
    masked = redact(f"before {shown} after")
    assert MASK in masked
    # What base64 shares between the secret and its neighbours stays: at most one character on each side.
    assert len(masked) <= len(f"before {MASK} after") + 5


def test_a_password_with_an_at_sign_in_a_url_is_masked_whole() -> None:
    assert redact("postgresql://etl:one@two@db/warehouse") == "postgresql://etl:***@db/warehouse"
