"""The sandbox's Fullbay over HTTP: what the real one refuses, its pages, its failures, and edits between two reads."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from sandbox.fullbay.fixtures import fixture_b, hostile_invoices, hostile_rows
from sandbox.fullbay.invoices import InvoiceGenerator, expected_day_totals
from sandbox.fullbay.money import to_cents
from sandbox.fullbay.overlay import Overlay
from sandbox.fullbay.server import FAULTS, KEYS_VARIABLE, Fault, FullbayServer

Json = dict[str, Any]
NOW = datetime(2026, 11, 20, 23, 59, 30, tzinfo=UTC)
TODAY = NOW.date()
DAY = date(2026, 10, 6)
KEYS = {"key-one": "DEFAULT", "key-two": "NORTH", "key-three": "SOUTH"}


@pytest.fixture
def server() -> Iterator[FullbayServer]:
    generator = InvoiceGenerator(seed=5, invoices_per_day=40)
    with FullbayServer(generator, KEYS, page_size=10, address="203.0.113.7", clock=lambda: NOW) as running:
        yield running


def token(key: str, day: date = TODAY, address: str = "203.0.113.7") -> str:
    return hashlib.sha1(f"{key}{day.isoformat()}{address}".encode()).hexdigest()


def ask(server: FullbayServer, key: str = "key-one", **params: str) -> requests.Response:
    asked = {"startDate": DAY.isoformat(), "endDate": DAY.isoformat(), "key": key, "token": token(key)}
    return requests.get(f"{server.base_url}getInvoices.php", params=asked | params, timeout=10)


def window(server: FullbayServer, first: date = DAY, last: date = DAY, key: str = "key-one") -> list[Json]:
    """All rows of a window, page by page, as an ordinary client reads them."""
    rows, number, pages = [], 1, 1
    while number <= pages:
        body = ask(server, key, startDate=str(first), endDate=str(last), page=str(number)).json()
        assert body["status"] == "SUCCESS"
        pages, number = body["totalPages"], number + 1
        rows += body["resultSet"]
    return rows


# What is refused


def test_the_token_is_the_one_of_the_reference() -> None:
    key = "11111111-2222-3333-4444-555555555555"
    assert token(key, date(2025, 6, 3)) == "d0185036accfb79e4344cd8de67ad29b772a5650"
    generator = InvoiceGenerator(invoices_per_day=3)
    clock = datetime(2025, 6, 3, 12, tzinfo=UTC)
    with FullbayServer(generator, {key: "NORTH"}, address="203.0.113.7", clock=lambda: clock) as server:
        answer = ask(server, key, token="d0185036accfb79e4344cd8de67ad29b772a5650").json()
    assert answer["status"] == "SUCCESS"


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"key": "nobody"}, "key"),
        ({"key": ""}, "key"),
        ({"token": "0" * 40}, "token"),
        ({"token": token("key-one").upper()}, "token"),
        ({"token": token("key-two")}, "token"),
        ({"token": token("key-one", TODAY - timedelta(days=1))}, "token"),
        ({"token": token("key-one", DAY)}, "token"),
        ({"token": token("key-one", address="198.51.100.1")}, "token"),
        ({"endDate": str(DAY + timedelta(days=7))}, "7 days"),
        ({"endDate": str(DAY - timedelta(days=1))}, "before"),
        ({"startDate": "10/06/2026"}, "YYYY-MM-DD"),
        ({"startDate": ""}, "YYYY-MM-DD"),
        ({"page": "0"}, "page"),
        ({"page": "-1"}, "page"),
        ({"page": "two"}, "page"),
        ({"page": "²"}, "page"),
    ],
)
def test_a_refusal_is_http_200_with_fail_and_no_rows(
    server: FullbayServer, params: dict[str, str], words: str
) -> None:
    answer = ask(server, **params)
    assert answer.status_code == 200
    assert answer.json()["status"] == "FAIL"
    assert words in answer.json()["message"]
    assert "resultSet" not in answer.json()


def test_seven_days_with_both_ends_are_allowed(server: FullbayServer) -> None:
    assert ask(server, endDate=str(DAY + timedelta(days=6))).json()["status"] == "SUCCESS"


def test_the_token_ends_with_the_day_and_the_address(server: FullbayServer) -> None:
    """The run that goes over midnight UTC, and the one whose address changes half way."""
    server.clock = lambda: NOW + timedelta(minutes=1)
    assert ask(server).json()["status"] == "FAIL"
    assert ask(server, token=token("key-one", TODAY + timedelta(days=1))).json()["status"] == "SUCCESS"
    server.address = None
    tomorrow = TODAY + timedelta(days=1)
    assert ask(server, token=token("key-one", tomorrow, "127.0.0.1")).json()["status"] == "SUCCESS"


def test_another_path_is_not_found_and_health_needs_no_key(server: FullbayServer) -> None:
    assert requests.get(f"{server.base_url}getNothing.php", timeout=5).status_code == 404
    assert requests.get(f"http://127.0.0.1:{server.port}/healthz", timeout=5).status_code == 200


# Pages


def test_pages_hold_every_invoice_of_the_window_once(server: FullbayServer) -> None:
    last = DAY + timedelta(days=6)
    rows = window(server, DAY, last)
    expected = [
        row
        for offset in range(7)
        for row in server.generator.invoices("DEFAULT", DAY + timedelta(days=offset))
    ]
    assert rows == expected
    assert len(rows) > 3 * server.page_size


def test_the_envelope_has_the_names_of_the_real_one(server: FullbayServer) -> None:
    total = expected_day_totals(server.generator, DAY, "DEFAULT")["invoices"]
    body = ask(server, page="2").json()
    shown = len(body.pop("resultSet"))
    assert body == {
        "status": "SUCCESS",
        "startRecordNumber": 11,
        "endRecordNumber": 10 + shown,
        "resultCount": shown,
        "totalCount": total,
        "pageSize": 10,
        "currentPage": 2,
        "totalPages": -(-total // 10),
    }


def test_each_key_opens_its_own_shop(server: FullbayServer) -> None:
    keys = {key: {row["primaryKey"] for row in window(server, key=key)} for key in KEYS}
    assert len(set.union(*keys.values())) == sum(map(len, keys.values()))
    titles = {row["shopEmail"] for key in KEYS for row in window(server, key=key)}
    assert len(titles) == 3


def test_an_empty_window_and_a_page_after_the_last_are_empty_successes(server: FullbayServer) -> None:
    christmas = ask(server, startDate="2026-12-25", endDate="2026-12-25").json()
    beyond = ask(server, page="99").json()
    for body in (christmas, beyond):
        assert (body["status"], body["resultSet"], body["resultCount"]) == ("SUCCESS", [], 0)
    assert christmas["totalCount"] == 0
    assert beyond["totalCount"] > 0


def test_a_page_makes_only_the_days_it_shows() -> None:
    """A page of a week at a thousand invoices a day cost seconds each when the whole week was made for it."""
    generator = InvoiceGenerator(invoices_per_day=1000)
    with FullbayServer(generator, {"key": "DEFAULT"}, clock=lambda: NOW, address="203.0.113.7") as server:
        ask(server, "key", endDate=str(DAY + timedelta(days=6)))
    assert list(generator._cache) == [("DEFAULT", DAY)]


def test_one_connection_serves_many_requests(server: FullbayServer) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    path = f"/services/getInvoices.php?startDate={DAY}&endDate={DAY}&key=key-one&token={token('key-one')}"
    sockets = set()
    for _ in range(3):
        connection.request("GET", path)
        answer = connection.getresponse()
        assert int(answer.headers["Content-Length"]) == len(answer.read())
        sockets.add(connection.sock)
    assert len(sockets) == 1
    connection.close()


def test_requests_are_kept_without_key_and_token(server: FullbayServer) -> None:
    ask(server)
    ask(server, page="2")
    assert server.calls() == 2
    assert server.calls(page="2", startDate=str(DAY)) == 1
    told = requests.get(f"http://127.0.0.1:{server.port}/_sandbox/requests", timeout=5)
    assert told.json()[1]["params"] == {"startDate": str(DAY), "endDate": str(DAY), "page": "2"}
    assert "key-one" not in told.text


# Faults


def test_fail_comes_as_often_as_ordered_and_then_success(server: FullbayServer) -> None:
    server.fault("fail", times=2, message="IP not allowed")
    answers = [ask(server).json() for _ in range(3)]
    assert [answer["status"] for answer in answers] == ["FAIL", "FAIL", "SUCCESS"]
    assert answers[0]["message"] == "IP not allowed"


@pytest.mark.parametrize("status", [401, 408, 429, 500, 503])
def test_http_errors(server: FullbayServer, status: int) -> None:
    server.fault("http", status=status)
    assert [ask(server).status_code, ask(server).status_code] == [status, 200]


def test_retry_after_comes_in_both_forms(server: FullbayServer) -> None:
    server.fault("http", status=429, retry_after=7)
    server.fault("http", status=429, retry_after=7, as_date=True)
    assert ask(server).headers["Retry-After"] == "7"
    until = parsedate_to_datetime(ask(server).headers["Retry-After"])
    assert timedelta(seconds=4) < until - datetime.now(UTC) < timedelta(seconds=8)


@pytest.mark.parametrize("kind", ["cut", "cut_chunked"])
def test_a_cut_connection_is_seen_by_the_client(server: FullbayServer, kind: str) -> None:
    server.fault(kind)
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError)):
        ask(server)
    assert ask(server).json()["status"] == "SUCCESS"


def test_a_cut_without_a_length_looks_whole_and_is_not_json(server: FullbayServer) -> None:
    """The nasty one: HTTP sees nothing wrong."""
    server.fault("cut_without_length")
    answer = ask(server)
    assert answer.status_code == 200
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        answer.json()


@pytest.mark.parametrize("kind", ["html", "empty", "php_warning"])
def test_a_body_that_is_not_json(server: FullbayServer, kind: str) -> None:
    server.fault(kind)
    answer = ask(server)
    assert answer.status_code == 200
    with pytest.raises(ValueError, match="Expecting"):
        answer.json()


def test_bodies_that_are_json_and_not_right(server: FullbayServer) -> None:
    for kind in ("other_status", "error_field", "no_total_pages", "huge"):
        server.fault(kind, size=3_000_000)
    other, error, pageless, huge = (ask(server) for _ in range(4))
    assert other.json()["status"] == "OK"
    assert error.json()["error"]
    assert "totalPages" not in pageless.json()
    assert len(huge.content) > 3_000_000
    assert huge.json()["status"] == "SUCCESS"


def test_slow_answers(server: FullbayServer) -> None:
    server.fault("slow", seconds=0.3)
    server.fault("drip", seconds=0.0001)
    before = time.monotonic()
    assert ask(server).json() == ask(server).json()
    assert time.monotonic() - before > 0.3


def test_drift_shifts_the_rows_of_later_pages(server: FullbayServer) -> None:
    right = ask(server, page="2").json()
    first = ask(server).json()
    server.fault("drift", page=2)
    assert ask(server).json() == first
    drifted = ask(server, page="2").json()
    assert drifted["totalCount"] == right["totalCount"] + 1
    assert drifted["resultSet"][0] == first["resultSet"][-1]
    assert drifted["resultSet"][1:] == right["resultSet"][: len(drifted["resultSet"]) - 1]
    assert ask(server, page="2").json() == right


def test_a_repeated_row_takes_the_place_of_a_right_one(server: FullbayServer) -> None:
    right, first = ask(server, page="2").json(), ask(server).json()
    server.fault("repeat_row", page=2)
    repeated = ask(server, page="2").json()
    assert repeated["resultSet"] == [first["resultSet"][-1], *right["resultSet"][1:]]
    assert repeated["totalCount"] == right["totalCount"]


def test_a_missing_row_leaves_the_counts_as_they_were(server: FullbayServer) -> None:
    right = ask(server).json()
    server.fault("missing_row")
    short = ask(server).json()
    assert short["resultSet"] == right["resultSet"][:-1]
    assert short["totalCount"] == right["totalCount"]


def test_a_fault_of_a_later_page_does_not_hold_up_the_others(server: FullbayServer) -> None:
    server.fault("html", page=2)
    server.fault("http", status=503)
    assert ask(server).status_code == 503
    assert ask(server).status_code == 200
    assert ask(server, page="2").text.startswith("<html>")


def test_an_unknown_fault_names_those_there_are() -> None:
    with pytest.raises(ValueError, match="there are fail, http"):
        Fault("explode")
    assert len(FAULTS) == len(set(FAULTS))


# Edits


def key_of(server: FullbayServer, wanted: str) -> str:
    """The first invoice of a week of the first shop whose cents fit: 'balance' open, or 'parts' to take away."""
    for offset in range(60):
        for made in server.generator.generated("DEFAULT", DAY + timedelta(days=offset)):
            if getattr(made.cents, wanted) > 0 and "fully_returned" not in made.oddities:
                return made.primary_key
    raise LookupError(wanted)


def read(server: FullbayServer, primary_key: str) -> Json:
    """One invoice as the API shows it, from its own date."""
    day = date.fromisoformat(server.overlay.invoice(primary_key)["invoiceDate"])
    return next(row for row in window(server, day, day) if row["primaryKey"] == primary_key)


def test_paying_clears_the_balance_and_nothing_else(server: FullbayServer) -> None:
    key = key_of(server, "balance")
    before = read(server, key)
    server.overlay.pay(key)
    assert read(server, key) == before | {"balance": 0}


def test_a_removed_part_moves_every_total(server: FullbayServer) -> None:
    key = key_of(server, "parts")
    before = read(server, key)
    server.overlay.remove_part(key)
    after = read(server, key)
    moved = to_cents(before["partsTotal"]) - to_cents(after["partsTotal"])
    assert moved > 0
    assert to_cents(before["subTotal"]) - to_cents(after["subTotal"]) == moved
    assert to_cents(after["total"]) == to_cents(after["subTotal"]) + to_cents(after["taxTotal"])
    assert after["partsTotal"] == after["ServiceOrder"]["partsTotal"]


def test_a_new_tax_rate_gives_another_total(server: FullbayServer) -> None:
    key = key_of(server, "supplies")
    server.overlay.change_tax(key, "10")
    after = read(server, key)
    assert after["taxTotal"] > 0
    assert after["TaxInformation"]["TaxLineInformation"][0]["taxRate"] == 10
    assert to_cents(after["total"]) == to_cents(after["subTotal"]) + to_cents(after["taxTotal"])


def test_a_re_dated_invoice_is_shown_once_on_its_new_date(server: FullbayServer) -> None:
    key, target = server.generator.generated("DEFAULT", DAY)[3].primary_key, DAY + timedelta(days=2)
    counts = [len(window(server, day, day)) for day in (DAY, target)]
    server.overlay.re_date(key, target)
    assert [len(window(server, day, day)) for day in (DAY, target)] == [counts[0] - 1, counts[1] + 1]
    rows = [row for row in window(server, DAY, target) if row["primaryKey"] == key]
    assert [row["invoiceDate"] for row in rows] == [str(target)]


def test_a_voided_invoice_is_gone_until_it_is_restored(server: FullbayServer) -> None:
    key = server.generator.generated("DEFAULT", DAY)[0].primary_key
    before = window(server)
    server.overlay.void(key)
    assert window(server) == before[1:]
    with pytest.raises(KeyError):
        server.overlay.pay(key)
    server.overlay.restore(key)
    assert window(server) == before


def test_pages_stay_whole_under_edits(server: FullbayServer) -> None:
    """Edited rows are counted, not searched: a wrong count would lose a row at the end of a window."""
    week = [made for o in range(7) for made in server.generator.generated("DEFAULT", DAY + timedelta(days=o))]
    for position, made in enumerate(week):
        if position % 3 == 0:
            server.overlay.pay(made.primary_key)
        elif position % 7 == 1:
            server.overlay.re_date(made.primary_key, DAY + timedelta(days=position % 7))
        elif position % 11 == 2:
            server.overlay.void(made.primary_key)
    server.overlay.add("DEFAULT", DAY + timedelta(days=1), fixture_b())
    rows = window(server, DAY, DAY + timedelta(days=6))
    gone = {m.primary_key for p, m in enumerate(week) if p % 3 and p % 7 != 1 and p % 11 == 2}
    assert gone
    assert sorted(row["primaryKey"] for row in rows) == sorted(
        {made.primary_key for made in week} - gone | {"17500002"}
    )


def test_the_sums_of_a_window_follow_the_edits(server: FullbayServer) -> None:
    totals = server.overlay.totals(DAY, DAY)
    oracle = expected_day_totals(server.generator, DAY)
    assert totals == {name: oracle[name] for name in ("invoices", "total_cents")}
    made = server.generator.generated("DEFAULT", DAY)[0]
    server.overlay.void(made.primary_key)
    assert server.overlay.totals(DAY, DAY) == {
        "invoices": totals["invoices"] - 1,
        "total_cents": totals["total_cents"] - made.cents.total,
    }


def test_hostile_rows_are_served_as_they_are(server: FullbayServer) -> None:
    day = date(2026, 12, 25)
    for row in hostile_rows().values():
        server.overlay.add("DEFAULT", day, row)
    raw = ask(server, startDate=str(day), endDate=str(day)).content
    assert raw.endswith(b',"resultSet":[%b]}' % b",".join(hostile_rows().values()))
    server.overlay.clear()
    for case in hostile_invoices().values():
        server.overlay.add("DEFAULT", day, case)
    assert len(window(server, day, day)) == len(hostile_invoices())


# From outside


def control(server: FullbayServer, what: str, order: object) -> requests.Response:
    return requests.post(f"http://127.0.0.1:{server.port}/_sandbox/{what}", json=order, timeout=5)


def test_faults_and_edits_can_be_ordered_from_outside(server: FullbayServer) -> None:
    key = server.generator.generated("DEFAULT", DAY)[0].primary_key
    other = server.generator.generated("DEFAULT", DAY)[1].primary_key
    target = DAY + timedelta(days=1)
    orders = [
        {"action": "void", "primary_key": key},
        {"action": "re_date", "primary_key": other, "day": str(target)},
        {"action": "add", "shop_key": "DEFAULT", "day": str(DAY), "payload": fixture_b()},
        {"action": "add", "shop_key": "DEFAULT", "day": str(DAY), "text": '{"primaryKey": "99000001"}'},
    ]
    assert control(server, "edits", orders).json() == {"ok": 4}
    keys = {row["primaryKey"] for row in window(server)}
    assert {key, other}.isdisjoint(keys)
    assert {"17500002", "99000001"} <= keys
    assert control(server, "faults", {"kind": "fail", "message": "later"}).status_code == 200
    assert ask(server).json() == {"status": "FAIL", "message": "later"}


def test_totals_count_what_they_can_and_list_what_they_left_out(server: FullbayServer) -> None:
    """One document without a usable total, and the request got no answer at all."""
    address = f"http://127.0.0.1:{server.port}/_sandbox/totals"
    window = {"startDate": str(DAY), "endDate": str(DAY)}
    before = requests.get(address, window, timeout=5).json()
    assert "left_out" not in before["DEFAULT"]
    bad = [
        *('{"primaryKey": "1"}', '{"total": "n/a"}', '{"total": true}', '{"total": "1e5000000"}', "{"),
        *(
            '{"total": 1e999}',
            '["total"]',
            '"text"',
            "17",
            "[" * 100_000,
            '{"total": {}}',
            '{"total": "NaN"}',
        ),
    ]
    added = [{"action": "add", "shop_key": "DEFAULT", "day": str(DAY), "text": text} for text in bad]
    added += [{"action": "add", "shop_key": "DEFAULT", "day": str(DAY), "payload": {"total": "7.00"}}]
    assert control(server, "edits", added).status_code == 200
    answer = requests.get(address, window, timeout=5)
    after = answer.json()
    assert after["DEFAULT"]["invoices"] == before["DEFAULT"]["invoices"] + 1
    assert after["DEFAULT"]["total_cents"] == before["DEFAULT"]["total_cents"] + 700
    assert [row["begins"] for row in after["DEFAULT"]["left_out"]] == [text[:200] for text in bad]
    assert after["NORTH"] == before["NORTH"]
    with pytest.raises(ValueError, match="no total to add"):
        server.overlay.totals(DAY, DAY)


def test_orders_can_be_taken_back(server: FullbayServer) -> None:
    before = window(server)
    control(server, "edits", {"action": "void", "primary_key": before[0]["primaryKey"]})
    control(server, "faults", [{"kind": "html"}, {"kind": "empty", "page": 9}])
    address = f"http://127.0.0.1:{server.port}/_sandbox"
    assert [fault["kind"] for fault in requests.get(f"{address}/faults", timeout=5).json()] == [
        "html",
        "empty",
    ]
    totals = requests.get(f"{address}/totals", {"startDate": str(DAY), "endDate": str(DAY)}, timeout=5).json()
    assert totals["DEFAULT"]["invoices"] == len(before) - 1
    for what in ("faults", "edits", "requests"):
        requests.delete(f"{address}/{what}", timeout=5)
    assert server.calls() == 0
    assert window(server) == before


@pytest.mark.parametrize(
    ("what", "order"),
    [
        ("faults", {"kind": "explode"}),
        ("faults", {"kind": "html", "colour": "red"}),
        ("edits", {"action": "explode"}),
        ("edits", {"action": "pay", "primary_key": "1"}),
        ("edits", {"action": "re_date", "primary_key": "1"}),
        ("edits", {"action": "add", "shop_key": "EAST", "day": "2026-10-06", "payload": {}}),
        ("edits", "pay"),
    ],
)
def test_a_wrong_order_is_refused_and_named(server: FullbayServer, what: str, order: object) -> None:
    answer = control(server, what, order)
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert ask(server).json()["status"] == "SUCCESS"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_serves_and_ends_cleanly_on_a_signal(number: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "sandbox.fullbay.server", "--port", "0", "--invoices-per-day", "12"],
        env={
            **os.environ,
            KEYS_VARIABLE: "default=secret-1,north=secret-2",
            "PYTHONPATH": os.pathsep.join(sys.path),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    listening = re.fullmatch(r"listening on (http://127\.0\.0\.1:\d+/services/)\n", process.stdout.readline())
    assert listening
    day = datetime.now(UTC).date()
    params = {"startDate": str(DAY), "endDate": str(DAY), "key": "secret-2"}
    params["token"] = token("secret-2", day, "127.0.0.1")
    answer = requests.get(f"{listening[1]}getInvoices.php", params=params, timeout=10).json()
    process.send_signal(number)
    out, errors = process.communicate(timeout=10)
    assert (answer["status"], process.returncode, errors) == ("SUCCESS", 0, "")
    assert "secret" not in out
    expected = InvoiceGenerator(invoices_per_day=12).invoices("NORTH", DAY)
    assert json.dumps(answer["resultSet"]) == json.dumps(expected)


def test_the_command_refuses_to_start_without_a_key() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sandbox.fullbay.server", "--port", "0", "--keys", "east=1"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 2
    assert "shops are DEFAULT, NORTH, SOUTH" in done.stderr


def test_edits_of_every_kind_outlive_the_server(tmp_path: Path) -> None:
    generator = InvoiceGenerator(seed=5, invoices_per_day=40)
    paid, moved, gone, back = (one.primary_key for one in generator.generated("DEFAULT", DAY)[:4])
    kept = tmp_path / "edits.json"
    before = Overlay(generator, kept)
    before.pay(paid)
    before.re_date(moved, DAY + timedelta(days=1))
    before.void(gone)
    before.void(back)
    before.restore(back)
    for row in hostile_rows().values():
        before.add("NORTH", DAY, row)
    before.add("NORTH", DAY, b"\xff no UTF-8 \xc3")
    after = Overlay(generator, kept)
    for shop in generator.shop_keys:
        for day in (DAY, DAY + timedelta(days=1)):
            assert list(after.rows(shop, day, day)) == list(before.rows(shop, day, day))
    before.clear()
    assert list(Overlay(generator, kept).rows("DEFAULT", DAY, DAY)) == list(
        Overlay(generator).rows("DEFAULT", DAY, DAY)
    )
