"""The Fullbay client against small real HTTP servers that misbehave as the reference says."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from fullbay_assets import client as client_module
from fullbay_assets import public_address
from fullbay_assets.client import ApiCall, FullbayClient, ReceivedInvoice
from fullbay_assets.protocol import token
from resources.failures import PermanentError, TransientError, transient
from resources.http import HttpAnswer
from resources.settings import FullbaySettings, Shop

KEY = "canary-key-11111111-2222-3333"
IP = "203.0.113.7"
DAY = date(2026, 10, 1)
NOON = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)


@dataclass
class Reply:
    """One answer of the server; `content` that is no bytes is sent as JSON."""

    content: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False


Answering = Callable[[dict[str, str]], Reply]


class Server:
    """Answers each request with the next reply of a script, or with what a function makes of it."""

    def __init__(self, *script: Reply, answer: Answering | None = None) -> None:
        self.script = list(script)
        self.answer = answer
        self.requests: list[dict[str, str]] = []
        self.paths: list[str] = []
        self.url = ""

    def reply_to(self, path: str, params: dict[str, str]) -> Reply:
        self.paths.append(path)
        self.requests.append(params)
        if self.answer is not None:
            return self.answer(params)
        return self.script.pop(0) if self.script else Reply("out of replies", status=418)


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # head and body are two writes: 40 ms a request otherwise

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            reply = server.reply_to(parts.path, dict(parse_qsl(parts.query)))
            content = (
                reply.content if isinstance(reply.content, bytes) else json.dumps(reply.content).encode()
            )
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content) + (10 if reply.cut else 0)))
            self.end_headers()
            self.wfile.write(content)
            self.close_connection = reply.cut

        def log_message(self, *_: object) -> None:
            pass

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listener.daemon_threads = True
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    server.url = f"http://127.0.0.1:{listener.server_address[1]}/services/"
    try:
        yield server
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join(timeout=5)


def invoice(key: str | None, **overrides: Any) -> dict[str, Any]:
    """A minimal invoice; `key` None leaves the primaryKey out."""
    made: dict[str, Any] = {"primaryKey": key, "invoiceDate": DAY.isoformat(), "total": 10.1, **overrides}
    if key is None:
        del made["primaryKey"]
    return made


def page(*invoices: Any, total: int | None = None, pages: int | None = 1) -> Reply:
    """A SUCCESS with these invoices; `pages` None leaves totalPages out."""
    envelope: dict[str, Any] = {
        "status": "SUCCESS",
        "totalCount": len(invoices) if total is None else total,
        "resultSet": list(invoices),
    }
    if pages is not None:
        envelope["totalPages"] = pages
    return Reply(envelope)


def fail(message: str) -> Reply:
    return Reply({"status": "FAIL", "message": message})


@dataclass
class Bench:
    """A client on a scripted server, and what it did."""

    client: FullbayClient
    server: Server
    slept: list[float]
    calls: list[ApiCall]

    def read(self, start: date = DAY, end: date = DAY) -> list[ReceivedInvoice]:
        return list(self.client.invoices(start, end))

    def keys(self, start: date = DAY, end: date = DAY) -> list[str | None]:
        return [received.primary_key for received in self.read(start, end)]


@contextmanager
def bench(
    *script: Reply,
    answer: Answering | None = None,
    clock: Callable[[], datetime] = lambda: NOON,
    public_ip: Callable[[], str] | None = None,
    address: str | None = IP,
) -> Iterator[Bench]:
    with serving(Server(*script, answer=answer)) as server:
        settings = FullbaySettings(
            base_url=server.url,
            api_version="v1",
            shops=(),
            public_ip=address,
            call_deadline=5.0,
            read_timeout=2.0,
        )
        slept: list[float] = []
        calls: list[ApiCall] = []
        with FullbayClient(
            settings,
            Shop(key="north", api_key=KEY),
            clock=clock,
            sleep=slept.append,
            public_ip=public_ip,
            on_request=calls.append,
        ) as client:
            yield Bench(client, server, slept, calls)


def test_a_request_has_the_parameters_of_the_protocol() -> None:
    with bench(page(invoice("1"))) as it:
        assert it.keys() == ["1"]
    assert it.server.paths == ["/services/getInvoices.php"]
    assert it.server.requests == [
        {
            "startDate": "2026-10-01",
            "endDate": "2026-10-01",
            "page": "1",
            "key": KEY,
            "token": token(KEY, NOON.date(), IP),
        }
    ]


def test_a_long_range_is_read_in_windows_of_seven_days_and_empty_windows_are_normal() -> None:
    with bench(page(invoice("1")), page(), page(invoice("2"))) as it:
        assert it.keys(date(2026, 10, 1), date(2026, 10, 17)) == ["1", "2"]
    assert [(asked["startDate"], asked["endDate"]) for asked in it.server.requests] == [
        ("2026-10-01", "2026-10-07"),
        ("2026-10-08", "2026-10-14"),
        ("2026-10-15", "2026-10-17"),
    ]
    assert it.client.stats.windows == 3


def test_every_page_is_read_and_every_invoice_keeps_its_bytes_and_its_place() -> None:
    raw = b'{"primaryKey":"3", "total": 1.10,"invoiceDate":"2026-10-01"}'
    last = b'{"status":"SUCCESS","totalCount":3,"totalPages":2,"resultSet":[' + raw + b"]}"
    with bench(page(invoice("1"), invoice("2"), total=3, pages=2), Reply(last)) as it:
        received = it.read()
    assert [(one.primary_key, one.page, one.index) for one in received] == [
        ("1", 1, 0),
        ("2", 1, 1),
        ("3", 2, 0),
    ]
    assert received[2].payload == raw
    assert received[2].invoice_date == DAY
    assert (received[0].shop_key, received[0].window_start, received[0].window_end) == ("north", DAY, DAY)
    assert [asked["page"] for asked in it.server.requests] == ["1", "2"]


def test_missing_total_pages_mean_one_page() -> None:
    with bench(page(invoice("1"), pages=None)) as it:
        assert it.keys() == ["1"]


def test_missing_total_pages_do_not_hide_pages_that_the_count_announces() -> None:
    with bench(page(invoice("1"), total=2, pages=None), page(invoice("2"), total=2, pages=None)) as it:
        assert it.keys() == ["1", "2"]


def test_of_a_repeated_invoice_the_last_copy_counts() -> None:
    with bench(
        page(invoice("1", total=1), invoice("2"), total=3, pages=2),
        page(invoice("1", total=99), invoice("3"), total=3, pages=2),
    ) as it:
        received = it.read()
    assert [one.primary_key for one in received] == ["2", "1", "3"]
    assert json.loads(received[1].payload)["total"] == 99
    assert it.client.stats.repeated == 1
    assert it.client.stats.rereads == 0


def test_invoices_without_a_key_count_each_as_one() -> None:
    with bench(page(invoice(None), invoice("1"), invoice(None), total=3)) as it:
        assert it.keys() == [None, "1", None]


DRIFTS = {
    "a total that changes": (
        page(invoice("1"), total=2, pages=2),
        page(invoice("2"), total=3, pages=2),
        "totalCount was 2 on page 1 and 3 on page 2",
    ),
    "an invoice that slipped between two pages": (
        page(invoice("1"), invoice("2"), total=4, pages=2),
        page(invoice("2"), invoice("4"), total=4, pages=2),
        "3 different invoices arrived, totalCount says 4 (1 repeated)",
    ),
    "a page that is empty too early": (
        page(invoice("1"), total=2, pages=2),
        page(total=2, pages=2),
        "page 2 is empty after 1 of 2 invoices",
    ),
    "a page short of a row": (
        page(invoice("1"), total=3, pages=2),
        page(invoice("2"), total=3, pages=2),
        "2 different invoices arrived, totalCount says 3",
    ),
}


@pytest.mark.parametrize("drift", DRIFTS.values(), ids=DRIFTS.keys())
def test_pages_that_drift_are_read_again_until_they_fit(drift: tuple[Reply, Reply, str]) -> None:
    with bench(*drift[:2], page(invoice("1"), invoice("2"))) as it:
        assert it.keys() == ["1", "2"]
    assert (it.client.stats.rereads, it.slept) == (1, [2.0])


@pytest.mark.parametrize("drift", DRIFTS.values(), ids=DRIFTS.keys())
def test_a_window_that_never_fits_fails_with_both_numbers_and_delivers_nothing(
    drift: tuple[Reply, Reply, str],
) -> None:
    delivered: list[ReceivedInvoice] = []
    with bench(*drift[:2] * 4) as it, pytest.raises(TransientError) as raised:
        delivered.extend(it.client.invoices(DAY, DAY))
    assert delivered == []
    assert drift[2] in str(raised.value)
    assert "the shop north, 2026-10-01 to 2026-10-01" in str(raised.value)
    assert "(read 4 times)" in str(raised.value)
    assert it.slept == [2.0, 4.0, 8.0]


def test_an_empty_first_page_with_a_total_is_not_the_end_of_the_data() -> None:
    with bench(page(total=5), page(invoice("1"))) as it:
        assert it.keys() == ["1"]


def test_a_source_that_repeats_itself_for_ever_comes_to_an_end() -> None:
    with (
        bench(answer=lambda _: page(invoice("1"), total=2, pages=10**9)) as it,
        pytest.raises(TransientError),
    ):
        it.read()
    assert len(it.server.requests) < 1000


def test_a_large_window_waits_on_disk_and_arrives_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "SPOOL_BYTES", 1000)
    sent = [invoice(str(number), note="x" * number) for number in range(200)]
    with bench(page(*sent[:120], total=200, pages=2), page(*sent[120:], total=200, pages=2)) as it:
        assert [json.loads(one.payload) for one in it.read()] == sent


def test_a_damaged_invoice_does_not_cost_the_others() -> None:
    broken = b'{"primaryKey":"2","note":NaN}'
    sloppy = b'{"primaryKey":"3","note":"a\x00b"}'
    content = b'{"status":"SUCCESS","totalCount":3,"totalPages":1,"resultSet":[{"primaryKey":"1"},%s,%s]}'
    with bench(Reply(content % (broken, sloppy))) as it:
        first, second, third = it.read()
    assert (first.problem, second.payload) == (None, broken)
    assert str(second.problem).startswith("no valid JSON")
    assert (third.repaired, json.loads(third.payload)["note"]) == (True, "a\x00b")


@pytest.mark.parametrize(
    "message",
    [
        "Invalid API key",
        "token mismatch",
        "Not authorized",
        "IP 1.2.3.4 not allowed",
        "Date range exceeds 7 days",
        "The date range may not be longer than 7 days",
        "Too many days in the window: the limit is 7",
        "Invalid API key. Please try again later.",
        "Access denied for this IP, limit your requests to registered addresses",
    ],
)
def test_a_refusal_is_permanent_at_once_and_passes_its_message_on(message: str) -> None:
    with bench(fail(message)) as it, pytest.raises(PermanentError) as raised:
        it.read()
    assert len(it.server.requests) == 1
    assert it.slept == []
    for part in (message, "getInvoices.php", "the shop north", "2026-10-01 to 2026-10-01", "page 1", IP):
        assert part in str(raised.value)


def test_another_failure_is_repeated_after_2_4_and_8_seconds_and_passes_its_message_on() -> None:
    with bench(*[fail("Database busy")] * 4) as it, pytest.raises(TransientError, match="Database busy"):
        it.read()
    assert it.slept == [2.0, 4.0, 8.0]
    assert it.client.stats.requests == 4
    assert it.client.stats.retries == 3


@pytest.mark.parametrize(
    "message",
    [
        "API key has exceeded its request limit, not authorized for more",
        "Rate limit reached for this token",
        "rate-limit: key blocked for 10 s",
        "Too many requests from your IP",
        "Too many API calls for this key",
        "Request quota of the key is used up",
        "Daily limit of this API key reached",
        "Your key may make 60 calls per minute",
        "This key exceeded the allowed number of calls",
        "The limit of 1,000 requests was exceeded; access denied",
        "Authentication service temporarily unavailable",
        "Token check timed out",
        "IP throttled",
    ],
)
def test_a_limit_of_requests_passes_by_itself_whatever_else_it_speaks_of(message: str) -> None:
    """Such a text names the key or the rights; taken for a refusal, a busy minute failed the night's run at once."""
    with bench(fail(message), page(invoice("1"))) as it:
        assert it.keys() == ["1"]
    assert it.slept == [2.0]


def test_two_failures_and_then_success_lose_nothing() -> None:
    with bench(fail("Database busy"), fail("Database busy"), page(invoice("1"))) as it:
        assert it.keys() == ["1"]
    assert it.slept == [2.0, 4.0]


PASSING = {
    "408": Reply("x", status=408),
    "425": Reply("x", status=425),
    "429": Reply("x", status=429),
    "500": Reply("x", status=500),
    "502": Reply(b"<html>", status=502),
    "503": Reply("x", status=503),
    "504": Reply("x", status=504),
    "HTML": Reply(b"<html><body>Maintenance</body></html>"),
    "an empty body": Reply(b""),
    "a PHP warning": Reply(b"Warning: mysqli_connect(): (HY000/2002)"),
    "a cut body": Reply(b'{"status":"SUCC', cut=True),
    "JSON that ends early": Reply(b'{"status":"SUCCESS","totalCount":1,"resultSet":[{"primaryKey":"1"'),
}


@pytest.mark.parametrize("reply", PASSING.values(), ids=PASSING.keys())
def test_what_passes_by_itself_is_repeated(reply: Reply) -> None:
    with bench(reply, page(invoice("1"))) as it:
        assert it.keys() == ["1"]
    assert it.slept == [2.0]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 410, 302])
def test_other_statuses_are_permanent_and_not_repeated(status: int) -> None:
    """A permanent 405 was once repeated 5,363 times in six days elsewhere."""
    reply = Reply("nope", status=status, headers={"Location": "http://127.0.0.1:9/"})
    with bench(reply) as it, pytest.raises(PermanentError, match=f"HTTP {status}"):
        it.read()
    assert len(it.server.requests) == 1


@pytest.mark.parametrize(
    ("value", "waited"), [("1", 2.0), ("30", 30.0), ("Fri, 20 Nov 2026 12:00:45 GMT", 45.0), ("soon", 2.0)]
)
def test_retry_after_is_honoured_in_both_forms(value: str, waited: float) -> None:
    with bench(Reply("x", status=429, headers={"Retry-After": value}), page(invoice("1"))) as it:
        assert it.keys() == ["1"]
    assert it.slept == [waited]


def test_a_wait_beyond_the_maximum_fails_and_says_so() -> None:
    reply = Reply("x", status=503, headers={"Retry-After": "3600"})
    with bench(reply) as it, pytest.raises(TransientError, match=r"asked to wait 3600 s, .* 120 s allowed"):
        it.read()
    assert it.slept == []


def test_a_status_word_that_is_unknown_is_named_and_not_repeated() -> None:
    with (
        bench(Reply({"status": "OK", "records": []})) as it,
        pytest.raises(PermanentError, match="status 'OK'"),
    ):
        it.read()
    assert len(it.server.requests) == 1


def test_a_run_over_midnight_makes_each_token_for_its_own_day() -> None:
    now = [datetime(2026, 11, 20, 23, 50, tzinfo=UTC)]

    def answer(params: dict[str, str]) -> Reply:
        right = params["token"] == token(KEY, now[0].date(), IP)
        now[0] += timedelta(minutes=7)
        return page(invoice(params["startDate"])) if right else fail("Invalid token")

    with bench(answer=answer, clock=lambda: now[0]) as it:
        assert len(it.keys(DAY, DAY + timedelta(days=20))) == 3
    assert it.slept == []


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (datetime(2026, 11, 20, 23, 55, tzinfo=UTC), date(2026, 11, 21)),
        (datetime(2026, 11, 21, 0, 5, tzinfo=UTC), date(2026, 11, 20)),
    ],
)
def test_close_to_midnight_the_other_date_is_tried_once_at_once(ours: datetime, theirs: date) -> None:
    def answer(params: dict[str, str]) -> Reply:
        right = params["token"] == token(KEY, theirs, IP)
        return page(invoice("1")) if right else fail("Invalid token")

    with bench(answer=answer, clock=lambda: ours) as it:
        assert it.keys() == ["1"]
    assert len(it.server.requests) == 2
    assert it.slept == []


def test_a_wrong_key_close_to_midnight_is_still_permanent_after_two_requests() -> None:
    late = datetime(2026, 11, 20, 23, 55, tzinfo=UTC)
    with bench(answer=lambda _: fail("Invalid key"), clock=lambda: late) as it, pytest.raises(PermanentError):
        it.read()
    assert len(it.server.requests) == 2


@pytest.fixture
def looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the address be looked up although the server is on this machine."""
    monkeypatch.setattr(public_address, "is_loopback", lambda host: False)


class Addresses:
    """A look-up that gives each address in turn and then the last one again."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = list(addresses)
        self.asked = 0

    def __call__(self) -> str:
        self.asked += 1
        return self.addresses.pop(0) if len(self.addresses) > 1 else self.addresses[0]


@pytest.mark.usefixtures("looked_up")
def test_a_changed_address_is_looked_up_again_and_used_at_once() -> None:
    def answer(params: dict[str, str]) -> Reply:
        right = params["token"] == token(KEY, NOON.date(), "203.0.113.8")
        return page(invoice("1")) if right else fail("IP not allowed")

    lookup = Addresses("203.0.113.7", "203.0.113.8")
    with bench(answer=answer, public_ip=lookup, address=None) as it:
        assert it.keys() == ["1"]
    assert (len(it.server.requests), lookup.asked, it.slept) == (2, 2, [])


@pytest.mark.usefixtures("looked_up")
def test_an_address_that_did_not_change_is_no_reason_to_ask_again() -> None:
    lookup = Addresses("203.0.113.7")
    with (
        bench(answer=lambda _: fail("IP not allowed"), public_ip=lookup, address=None) as it,
        pytest.raises(PermanentError, match=r"registered for 203\.0\.113\.7"),
    ):
        it.read()
    assert len(it.server.requests) == 1


@pytest.mark.usefixtures("looked_up")
def test_a_looked_up_address_is_believed_for_an_hour() -> None:
    now = [NOON]
    lookup = Addresses("203.0.113.7")
    with bench(answer=lambda _: page(), public_ip=lookup, clock=lambda: now[0], address=None) as it:
        it.read()
        now[0] += timedelta(minutes=59)
        it.read()
        assert lookup.asked == 1
        now[0] += timedelta(minutes=2)
        it.read()
    assert lookup.asked == 2


def test_an_address_that_is_set_is_never_looked_up() -> None:
    lookup = Addresses("203.0.113.99")
    with bench(page(), public_ip=lookup) as it:
        it.read()
    assert lookup.asked == 0


def test_a_server_on_this_machine_sees_the_loopback_address() -> None:
    with bench(page(), address=None) as it:
        it.read()
    assert it.server.requests[0]["token"] == token(KEY, NOON.date(), "127.0.0.1")


@pytest.mark.usefixtures("looked_up")
@pytest.mark.parametrize("content", [b"unknown", b"<html>Log in to the hotel</html>", b"2001:db8::1", b""])
def test_without_a_known_address_nothing_is_sent(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    """A token made of the word 'unknown' is refused with a message about something else."""
    asked = []

    def answer(_session: Any, url: str, **_: Any) -> HttpAnswer:
        asked.append(url)
        return HttpAnswer(200, {}, content)

    monkeypatch.setattr(public_address, "get", answer)
    with bench(page(), address=None) as it, pytest.raises(TransientError) as raised:
        it.read()
    assert it.server.requests == []
    assert asked == list(public_address.SERVICES) * 4
    assert "api.ipify.org" in str(raised.value)
    assert "checkip.amazonaws.com" in str(raised.value)
    assert "FULLBAY_PUBLIC_IP" in str(raised.value)


@pytest.mark.usefixtures("looked_up")
def test_the_second_service_is_asked_when_the_first_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(_session: Any, url: str, **_: Any) -> HttpAnswer:
        if "ipify" in url:
            raise transient("asking", found="no data in time", do_next="Wait.")
        return HttpAnswer(200, {}, b"203.0.113.50\n")

    monkeypatch.setattr(public_address, "get", answer)
    with bench(page(), address=None) as it:
        it.read()
    assert it.server.requests[0]["token"] == token(KEY, NOON.date(), "203.0.113.50")


def test_each_request_is_told_once_with_key_and_token_masked() -> None:
    headers = {"X-Other": "1", "Retry-After": "1"}
    with bench(Reply("x", status=503, headers=headers), fail("Database busy"), page(invoice("1"))) as it:
        it.read()
    first, second, third = it.calls
    assert first.params == {
        "startDate": "2026-10-01",
        "endDate": "2026-10-01",
        "page": "1",
        "key": "***",
        "token": "***",
    }
    assert (first.status_code, first.retry_count, first.error_type) == (503, 0, "TransientError")
    assert first.response_headers["retry-after"] == "1"
    assert "x-other" not in first.response_headers
    assert (second.error_type, second.error_message, second.retry_count) == ("Refusal", "Database busy", 1)
    assert (third.error_type, third.error_message, third.retry_count, third.records) == (None, None, 2, 1)
    assert third.response_bytes > 50
    assert third.requested_at == NOON
    assert len(it.calls) == len(it.server.requests) == it.client.stats.requests


def test_key_and_token_are_in_no_log_and_no_error(caplog: pytest.LogCaptureFixture) -> None:
    """Servers like to repeat what they were sent; so do HTTP libraries."""
    caplog.set_level(logging.DEBUG)
    credential = token(KEY, NOON.date(), IP)
    replies = [
        fail(f"key {KEY} with token {credential}"),
        Reply(f"{KEY} {credential}", status=403),
        Reply(f"<html>{KEY} {credential}".encode()),
        Reply({"status": f"{KEY} {credential}"}),
        Reply(b"x", cut=True),
    ]
    told = ""
    for reply in replies:
        with bench(*[reply] * 4) as it, pytest.raises((PermanentError, TransientError)) as raised:
            it.read()
        told += f"{raised.value!r} {raised.value} {raised.value.__context__!r} {it.calls!r} {it.client!r}"
    for text in (told, caplog.text):
        assert KEY not in text
        assert credential not in text


def test_an_unreachable_server_is_transient_and_names_shop_and_window() -> None:
    with bench() as it:
        gone = it.client.settings
    with (
        FullbayClient(gone, Shop("north", KEY), sleep=lambda _: None) as client,
        pytest.raises(
            TransientError, match=r"north, 2026-10-01 to 2026-10-01, page 1: .*refused \(4 attempts\)"
        ),
    ):
        list(client.invoices(DAY, DAY))


def test_pages_come_as_they_are_and_a_contradiction_is_an_error() -> None:
    with bench(page(invoice("1"), total=2, pages=2), page(invoice("2"), total=3, pages=2)) as it:
        pages = it.client.pages(DAY, DAY)
        assert [record.primary_key for record in next(pages).records] == ["1"]
        with pytest.raises(TransientError, match="totalCount was 2"):
            next(pages)


def test_the_statistics_add_up() -> None:
    with bench(Reply("x", status=500), page(invoice("1"), invoice("1"), total=1), page(invoice("2"))) as it:
        it.read(DAY, DAY + timedelta(days=7))
    stats = it.client.stats
    assert (stats.requests, stats.retries, stats.windows, stats.pages) == (3, 1, 2, 2)
    assert (stats.invoices, stats.repeated, stats.rereads) == (2, 1, 0)
    assert stats.bytes == sum(call.response_bytes for call in it.calls)
    assert stats.seconds > 0
