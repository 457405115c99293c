"""One HTTP call that cannot hang, cannot flood the memory and cannot leak its query string or body.

Belongs here: the session, the limits of a call, and the translation of every failure into our two error
classes. Does not belong here: what a body means, and repeating a call (`resources.failures.retrying`).

What the usual client leaves open, each seen to go wrong: a timeout that counts from the last byte, so that
a dripping server holds a call for ever; a few hundred kilobytes of gzip that unpack to a few hundred
megabytes; a redirect that takes the credentials to another host; error texts and DEBUG lines that hold the
whole URL, query string included.
"""

from __future__ import annotations

import http.client
import logging
import socket
import ssl
import threading
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, Self
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.response import BaseHTTPResponse

from resources.failures import PipelineError, permanent, transient
from resources.redaction import SecretFilter
from resources.settings import check_url, is_loopback

_CHUNK_BYTES = 64 * 1024
# A proxy of the environment must not see calls to this machine; None keeps requests from looking for one.
_NO_PROXY: Final[dict[str, Any]] = {"http": None, "https": None, "all": None}
_SECRET_FILTER = SecretFilter()

_watch_of_this_call: ContextVar[_Watch | None] = ContextVar("_watch_of_this_call", default=None)


@dataclass(frozen=True)
class HttpAnswer:
    """A complete answer: status code, headers (case-insensitive), and the decoded body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def new_session(user_agent: str, *, pool_size: int = 4) -> requests.Session:
    """Return a pooled session for `get`; the caller closes it. It never repeats a request on its own."""
    session = requests.Session()
    session.headers.clear()
    session.headers.update(
        {"User-Agent": user_agent, "Accept": "application/json", "Accept-Encoding": "gzip"}
    )
    session.auth = _no_auth
    adapter = _WatchedAdapter(pool_connections=pool_size, pool_maxsize=pool_size, max_retries=0)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    # urllib3 writes the whole request line, query string included, at DEBUG in the one and, when a header is
    # malformed, as a WARNING in the other.
    for name in ("urllib3.connectionpool", "urllib3.connection"):
        logging.getLogger(name).addFilter(_SECRET_FILTER)
    return session


def get(
    session: requests.Session,
    url: str,
    *,
    params: Mapping[str, str],
    doing: str,
    connect_timeout: float,
    read_timeout: float,
    deadline: float,
    max_bytes: int,
) -> HttpAnswer:
    """GET `url` and return the answer whatever its status, with the body unpacked and complete.

    `connect_timeout` and `read_timeout` (the longest silence) and `deadline` (the whole call, body
    included) are in seconds; `max_bytes` bounds the unpacked body. Redirects are not followed.

    Raises TransientError for connection failures, time-outs and bodies that were cut; PermanentError for a
    URL that is not https, an untrusted certificate, an unknown encoding and a body over the limit. No error
    holds the URL.
    """
    return _call(
        session,
        "GET",
        url,
        doing=doing,
        connect_timeout=connect_timeout,
        read_timeout=read_timeout,
        deadline=deadline,
        max_bytes=max_bytes,
        params=dict(params),
    )


def post(
    session: requests.Session,
    url: str,
    *,
    body: bytes,
    content_type: str,
    headers: Mapping[str, str] | None = None,
    doing: str,
    connect_timeout: float,
    read_timeout: float,
    deadline: float,
    max_bytes: int,
) -> HttpAnswer:
    """POST `body` to `url`; everything else as in `get`. Only for calls that may be repeated."""
    return _call(
        session,
        "POST",
        url,
        doing=doing,
        connect_timeout=connect_timeout,
        read_timeout=read_timeout,
        deadline=deadline,
        max_bytes=max_bytes,
        data=body,
        headers={**(headers or {}), "Content-Type": content_type},
    )


def _call(
    session: requests.Session,
    method: str,
    url: str,
    *,
    doing: str,
    connect_timeout: float,
    read_timeout: float,
    deadline: float,
    max_bytes: int,
    **what: Any,
) -> HttpAnswer:
    check_url(url, doing=doing)
    host = urlsplit(url).hostname or ""
    watch = _Watch(deadline)
    remembered = _watch_of_this_call.set(watch)
    try:
        with (
            watch,
            session.request(
                method,
                url,
                **what,
                timeout=(connect_timeout, read_timeout),
                stream=True,
                allow_redirects=False,
                proxies=_NO_PROXY if is_loopback(host) else None,
            ) as response,
        ):
            body = b"".join(_unpacked(response, max_bytes, doing))
            answer = HttpAnswer(status=response.status_code, headers=response.headers, body=body)
        # Without a Content-Length, the end that the watch forced looks like the end of the body.
        failure = _too_late(doing, deadline) if watch.expired else None
    except PipelineError:
        raise
    except (
        requests.RequestException,
        urllib3.exceptions.HTTPError,
        http.client.HTTPException,
        zlib.error,
        OSError,
    ) as error:
        failure = _too_late(doing, deadline) if watch.expired else _explained(error, doing, host)
    finally:
        _watch_of_this_call.reset(remembered)
    # Raised out here, not in the handler: the foreign error holds the URL and must not stay as the context.
    if failure is not None:
        raise failure
    return answer


def retry_after_seconds(value: str | None, *, now: datetime) -> float | None:
    """Return the seconds from `now` (UTC) that a Retry-After header, number or HTTP date, asks for."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())


def _no_auth(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Stands where requests would otherwise look for a password in ~/.netrc."""
    return request


def _unpacked(response: requests.Response, max_bytes: int, doing: str) -> Iterator[bytes]:
    """Yield the unpacked body in pieces of bounded size; raise when it is too large or cut."""
    encoding = response.headers.get("Content-Encoding", "").strip().lower() or "identity"
    if encoding not in ("identity", "gzip", "x-gzip"):
        raise permanent(
            doing,
            found=f"a body in the encoding {encoding[:50]!r}, although gzip was asked for",
            do_next="Check what stands between this machine and the server.",
        )
    size = 0
    unpacker = zlib.decompressobj(wbits=31) if encoding != "identity" else None
    raw: BaseHTTPResponse = response.raw
    for packed in raw.stream(_CHUNK_BYTES, decode_content=False):
        while packed:
            if unpacker is None:
                piece, packed = packed, b""
            else:
                piece = unpacker.decompress(packed, _CHUNK_BYTES)
                packed = unpacker.unconsumed_tail
            size += len(piece)
            if size > max_bytes:
                raise permanent(
                    doing,
                    found=f"a body of more than {max_bytes} bytes",
                    do_next="Ask for less at once, or allow larger answers in the settings.",
                )
            yield piece
    if unpacker is not None and size and not unpacker.eof:
        raise transient(doing, found=f"a gzip body cut after {size} bytes", do_next="Run again.")


class _Watch:
    """Ends the call of one thread after `seconds` by shutting its socket down, whatever it is waiting for."""

    def __init__(self, seconds: float) -> None:
        self.expired = False
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._expire)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._lock:
            self._socket = None  # from here on the pool may give the socket to another call

    def watch(self, connected: socket.socket | None) -> None:
        with self._lock:
            self._socket = connected
            if self.expired:
                self._shut_down()

    def _expire(self) -> None:
        with self._lock:
            self.expired = True
            self._shut_down()

    def _shut_down(self) -> None:
        if self._socket is None:
            return
        with suppress(OSError):  # the peer may have been faster
            # Not SSLSocket.shutdown, which takes the TLS state away from the thread that is reading.
            socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


def _watch_socket(connected: Any) -> None:
    watch = _watch_of_this_call.get()
    if watch is not None and isinstance(connected, socket.socket):
        watch.watch(connected)


class _WatchedHTTPConnection(HTTPConnection):
    def getresponse(self) -> Any:
        _watch_socket(self.sock)
        return super().getresponse()


class _WatchedHTTPSConnection(HTTPSConnection):
    def getresponse(self) -> Any:
        _watch_socket(self.sock)
        return super().getresponse()


class _WatchedHTTPPool(HTTPConnectionPool):
    ConnectionCls = _WatchedHTTPConnection


class _WatchedHTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedHTTPSConnection


class _WatchedAdapter(HTTPAdapter):
    """An adapter whose connections show their socket to the watch of the calling thread."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _WatchedHTTPPool, "https": _WatchedHTTPSPool}


def _too_late(doing: str, deadline: float) -> PipelineError:
    return transient(
        doing,
        found=f"no complete answer within {deadline:g} s",
        do_next="Run again; ask for less at once.",
    )


def _explained(error: BaseException, doing: str, host: str) -> PipelineError:
    """Translate a foreign error; only its kind and the system's own words are kept, never its text."""
    chain = list(_chain(error))
    for link in chain:
        if isinstance(link, ssl.SSLCertVerificationError):
            return permanent(
                doing,
                found=f"the certificate of {host} is not trusted: {link.verify_message}",
                do_next="Check the host name and the certificate authorities of this machine.",
            )
    if isinstance(error, ValueError | urllib3.exceptions.LocationParseError):
        return permanent(
            doing,
            found=f"a request that cannot be sent ({type(error).__name__})",
            do_next="Check the base URL.",
        )
    kinds: list[tuple[type[BaseException] | tuple[type[BaseException], ...], str]] = [
        (requests.ConnectTimeout, "no connection in time"),
        ((requests.Timeout, urllib3.exceptions.ReadTimeoutError, TimeoutError), "no data in time"),
        ((urllib3.exceptions.IncompleteRead, http.client.IncompleteRead), "a body that was cut"),
        (zlib.error, "a body that is not valid gzip"),
    ]
    for kind, words in kinds:
        if any(isinstance(link, kind) for link in chain):
            return transient(doing, found=f"{words} from {host}", do_next="Run again.")
    reasons = [
        link.strerror for link in chain if isinstance(link, OSError) and isinstance(link.strerror, str)
    ]
    reason = reasons[-1] if reasons else type(chain[-1]).__name__
    return transient(
        doing,
        found=f"the connection to {host} failed: {reason}",
        do_next="Check the network, then run again.",
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and what it wraps, outermost first; libraries hide the cause in four places."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        link = waiting.pop(0)
        if not isinstance(link, BaseException) or id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        waiting += [getattr(link, "reason", None), *link.args, link.__cause__, link.__context__]
