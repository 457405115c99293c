"""One GET against real servers that misbehave: nothing hangs, floods the memory or leaks the query string."""

from __future__ import annotations

import gzip
import logging
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
import requests

from resources import http
from resources.failures import PermanentError, PipelineError, TransientError
from resources.http import HttpAnswer, get, new_session, retry_after_seconds

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CANARY = "canary-in-the-query"


@contextmanager
def raw_server(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that reads the head of a request and then does with the connection what `talk` does."""
    listener = socket.create_server(("127.0.0.1", 0))
    stopped = threading.Event()

    def serve() -> None:
        while not stopped.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                try:
                    while connection.recv(65536):
                        talk(connection)
                        if not keep_alive:
                            break
                except OSError:
                    pass

    keep_alive = getattr(talk, "keep_alive", False)
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/x"
    finally:
        stopped.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(timeout=5)


def answering(content: bytes) -> Callable[[socket.socket], None]:
    return lambda connection: connection.sendall(content)


def with_length(body: bytes, *headers: bytes) -> bytes:
    return (
        OK
        + b"".join(header + b"\r\n" for header in headers)
        + b"Content-Length: %d\r\n\r\n" % len(body)
        + body
    )


def ask(
    url: str, *, deadline: float = 5.0, read_timeout: float = 2.0, max_bytes: int = 100_000
) -> HttpAnswer:
    with new_session("test") as session:
        return get(
            session,
            url,
            params={"key": CANARY, "page": "1"},
            doing="testing",
            connect_timeout=2.0,
            read_timeout=read_timeout,
            deadline=deadline,
            max_bytes=max_bytes,
        )


def failing(url: str, **limits: float) -> PipelineError:
    """Return the error of the call, after making sure that nothing in or behind it holds the query string."""
    with pytest.raises(PipelineError) as raised:
        ask(url, **limits)  # type: ignore[arg-type]
    error = raised.value
    assert error.__context__ is None
    assert error.__cause__ is None
    assert CANARY not in "".join(traceback.format_exception(error)) + repr(error)
    return error


def test_a_plain_and_a_packed_body_arrive_alike() -> None:
    with raw_server(answering(with_length(b'{"a":1}'))) as url:
        assert ask(url).body == b'{"a":1}'
    with raw_server(answering(with_length(gzip.compress(b'{"a":1}'), b"Content-Encoding: gzip"))) as url:
        answer = ask(url)
    assert (answer.status, answer.body, answer.headers["content-type"]) == (
        200,
        b'{"a":1}',
        "application/json",
    )


def test_a_status_is_given_back_and_a_redirect_is_not_followed() -> None:
    content = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/y\r\nContent-Length: 0\r\n\r\n"
    with raw_server(answering(content)) as url:
        assert ask(url).status == 302


def test_a_dripping_body_ends_at_the_deadline() -> None:
    """A timeout that counts from the last byte let such a server hold a call for as long as it liked."""

    def drip(connection: socket.socket) -> None:
        connection.sendall(OK + b"Content-Length: 1000\r\n\r\n")
        for _ in range(100):
            connection.sendall(b" ")
            time.sleep(0.05)

    with raw_server(drip) as url:
        started = time.monotonic()
        error = failing(url, deadline=0.5)
        assert time.monotonic() - started < 1.5
    assert isinstance(error, TransientError)
    assert error.found == "no complete answer within 0.5 s"


def test_dripping_headers_end_at_the_deadline() -> None:
    def drip(connection: socket.socket) -> None:
        connection.sendall(OK)
        for number in range(100):
            connection.sendall(b"X-%d: y\r\n" % number)
            time.sleep(0.05)

    with raw_server(drip) as url:
        started = time.monotonic()
        assert "within 0.5 s" in failing(url, deadline=0.5).found
        assert time.monotonic() - started < 1.5


def test_a_dripping_body_without_a_length_is_not_taken_for_a_short_one() -> None:
    def drip(connection: socket.socket) -> None:
        connection.sendall(OK + b"Connection: close\r\n\r\n[]")
        for _ in range(100):
            connection.sendall(b" ")
            time.sleep(0.05)

    with raw_server(drip) as url:
        assert "within 0.5 s" in failing(url, deadline=0.5).found


def test_silence_ends_at_the_read_timeout() -> None:
    with raw_server(lambda _: time.sleep(1.0)) as url:
        error = failing(url, read_timeout=0.3)
    assert isinstance(error, TransientError)
    assert error.found == "no data in time from 127.0.0.1"


def test_a_gzip_bomb_is_stopped_at_the_limit() -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    with raw_server(answering(with_length(bomb, b"Content-Encoding: gzip"))) as url:
        error = failing(url)
    assert isinstance(error, PermanentError)
    assert error.found == "a body of more than 100000 bytes"


def test_a_body_over_the_limit_is_refused_and_one_at_the_limit_is_not() -> None:
    with raw_server(answering(with_length(b"x" * 100_001))) as url:
        assert isinstance(failing(url), PermanentError)
    with raw_server(answering(with_length(b"x" * 100_000))) as url:
        assert len(ask(url).body) == 100_000


CUT = {
    "of a known length": OK + b"Content-Length: 100\r\n\r\n[1,2",
    "in chunks": OK + b"Transfer-Encoding: chunked\r\n\r\n4\r\n[1,2\r\n",
    "in gzip of unknown length": OK
    + b"Content-Encoding: gzip\r\nConnection: close\r\n\r\n"
    + gzip.compress(b"[1,2,3]" * 100)[:-9],
}


@pytest.mark.parametrize("content", CUT.values(), ids=CUT.keys())
def test_a_body_that_was_cut_is_noticed_and_transient(content: bytes) -> None:
    with raw_server(answering(content)) as url:
        error = failing(url)
    assert isinstance(error, TransientError)
    assert "cut" in error.found or "failed" in error.found


def test_broken_gzip_is_transient() -> None:
    with raw_server(answering(with_length(b"no gzip at all", b"Content-Encoding: gzip"))) as url:
        error = failing(url)
    assert isinstance(error, TransientError)
    assert "not valid gzip" in error.found


def test_an_encoding_that_nobody_asked_for_is_named() -> None:
    with raw_server(answering(with_length(b"x", b"Content-Encoding: br"))) as url:
        error = failing(url)
    assert isinstance(error, PermanentError)
    assert "'br'" in error.found


@pytest.mark.parametrize("content", [b"", b"nonsense\r\n\r\n"])
def test_a_connection_that_says_nothing_sensible_is_transient(content: bytes) -> None:
    with raw_server(answering(content)) as url:
        assert isinstance(failing(url), TransientError)


def test_a_refused_connection_tells_the_systems_words_and_not_the_url() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    error = failing(f"http://127.0.0.1:{port}/x")
    assert isinstance(error, TransientError)
    assert error.found == "the connection to 127.0.0.1 failed: Connection refused"


def test_a_host_without_a_name_is_transient() -> None:
    """Name resolution fails while a network comes up; whether the name is right cannot be told."""
    assert isinstance(failing("https://no-such-host.invalid/x"), TransientError)


def test_plain_http_leaves_this_machine_never() -> None:
    error = failing("http://example.com/x")
    assert isinstance(error, PermanentError)
    assert "scheme 'http'" in error.found


def test_a_server_without_tls_behind_https_is_no_hang_and_no_leak() -> None:
    with raw_server(answering(with_length(b"x"))) as url:
        assert isinstance(failing(url.replace("http://", "https://")), TransientError)


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with raw_server(answering(with_length(b"direct"))) as url:
        assert ask(url).body == b"direct"


def test_debug_lines_of_the_http_library_hold_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    """urllib3 writes the request line with its whole query string."""
    caplog.set_level(logging.DEBUG)
    with raw_server(answering(with_length(b"x"))) as url:
        ask(url)
    assert "GET /x?key=***" in caplog.text
    assert CANARY not in caplog.text


def test_connections_are_kept_for_the_next_call() -> None:
    ports = set()

    def talk(connection: socket.socket) -> None:
        ports.add(connection.getpeername()[1])
        connection.sendall(with_length(b"x"))

    talk.keep_alive = True  # type: ignore[attr-defined]
    with raw_server(talk) as url, new_session("test") as session:
        for _ in range(3):
            get(
                session,
                url,
                params={},
                doing="testing",
                connect_timeout=1.0,
                read_timeout=1.0,
                deadline=0.2,
                max_bytes=10,
            )
            time.sleep(0.15)  # the watch of a finished call must not close the connection of the next one
    assert len(ports) == 1


def test_the_error_of_a_time_out_is_told_from_an_untrusted_certificate() -> None:
    import ssl

    untrusted = ssl.SSLCertVerificationError("certificate verify failed")
    untrusted.verify_message = "self-signed certificate"
    wrapped = requests.exceptions.SSLError(untrusted)
    error = http._explained(wrapped, "testing", "host")
    assert isinstance(error, PermanentError)
    assert error.found == "the certificate of host is not trusted: self-signed certificate"


NOW = datetime(2026, 10, 1, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("Thu, 01 Oct 2026 12:01:30 GMT", 90.0),
        ("Thu, 01 Oct 2026 11:00:00 GMT", 0.0),
        ("Thu, 01 Oct 2026 12:00:10 -0000", 10.0),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("9" * 5000, 999999999.0),
    ],
)
def test_retry_after_is_read_in_both_forms(value: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(value, now=NOW) == seconds
