"""An HTTP server that behaves like `getInvoices.php`: token, windows, pages, failures as HTTP 200, faults on demand.

`python -m sandbox.fullbay.server` serves the generated invoices; tests use `FullbayServer` in their own process.
Faults and edits can be ordered from outside with POST /_sandbox/faults and /_sandbox/edits.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from sandbox.fullbay.invoices import InvoiceGenerator
from sandbox.fullbay.overlay import Overlay

LONGEST_WINDOW = timedelta(days=6)
KEYS_VARIABLE = "SANDBOX_FULLBAY_KEYS"

FAULTS = (
    *("fail", "http", "cut", "cut_without_length", "html", "empty", "other_status", "drip", "no_total_pages"),
    *("drift", "repeat_row", "missing_row", "error_field"),
)


@dataclass
class Fault:
    """What the next `times` requests get instead of a right answer.

    `fail` takes `message`; `http` takes `status` and, for 429, `retry_after` in seconds (`as_date` sends an HTTP date);
    `drip` takes `seconds` between two bytes; `page` limits a fault to that page.
    """

    kind: str
    times: int = 1
    message: str = "The request failed."
    status: int = 500
    retry_after: float | None = None
    as_date: bool = False
    seconds: float = 0.05
    page: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in FAULTS:
            raise ValueError(f"unknown fault {self.kind!r}; there are {', '.join(FAULTS)}")


@dataclass
class Request:
    """One request as it came, without key and token."""

    path: str
    params: dict[str, str]


@dataclass
class FullbayServer:
    """The source for `keys` (API key -> shop key of the generator). Use as a context manager.

    `address` overrides the caller's address as the server sees it, `clock` gives the time in UTC.
    """

    generator: InvoiceGenerator
    keys: Mapping[str, str]
    host: str = "127.0.0.1"
    port: int = 0
    page_size: int = 100
    address: str | None = None
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    faults: deque[Fault] = field(default_factory=deque)
    requests: list[Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.overlay = Overlay(self.generator)
        self.delay = 0.0
        self._lock = threading.Lock()
        source = self

        class Handler(_Handler):
            server_of = source

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

        self._server = Server((self.host, self.port), Handler)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def base_url(self) -> str:
        return f"http://{self.host}:{self.port}/services/"

    def __enter__(self) -> FullbayServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def serve(self) -> None:
        """Serve until the process is told to end."""
        self._thread.start()
        self._thread.join()

    def stop(self) -> None:
        threading.Thread(target=self._server.shutdown).start()

    def fault(self, kind: str, **facts: Any) -> None:
        """Let the next requests fail."""
        with self._lock:
            self.faults.append(Fault(kind, **facts))

    def next_fault(self, page: int) -> Fault | None:
        with self._lock:
            if not self.faults or (self.faults[0].page is not None and self.faults[0].page != page):
                return None
            fault = self.faults[0]
            fault.times -= 1
            if fault.times <= 0:
                self.faults.popleft()
            return fault

    def refusal(self, params: Mapping[str, str], caller: str) -> str | None:
        """Why the real service would say FAIL, or None."""
        shop = self.keys.get(params.get("key", ""))
        if shop is None:
            return "Invalid API key"
        seen = self.address or caller
        day = self.clock().date().isoformat()
        expected = hashlib.sha1(f"{params['key']}{day}{seen}".encode(), usedforsecurity=False).hexdigest()
        if params.get("token") != expected:
            return "Invalid token"
        try:
            first, last = (date.fromisoformat(params.get(name, "")) for name in ("startDate", "endDate"))
        except ValueError:
            return "startDate and endDate must be dates (YYYY-MM-DD)"
        if last < first:
            return "endDate lies before startDate"
        if last - first > LONGEST_WINDOW:
            return "The date range may not be longer than 7 days"
        if not params.get("page", "1").isdigit() or params.get("page") == "0":
            return "page must be a positive number"
        return None

    def page(self, params: Mapping[str, str], fault: Fault | None) -> bytes:
        """One page of a window in the envelope of the service."""
        shop = self.keys[params["key"]]
        first, last = date.fromisoformat(params["startDate"]), date.fromisoformat(params["endDate"])
        rows = list(self.overlay.rows(shop, first, last))
        number = int(params.get("page", "1"))
        start = (number - 1) * self.page_size
        shown = rows[start : start + self.page_size]
        total = len(rows)
        kind = fault.kind if fault else ""
        if kind == "drift":
            total += 1
        if kind == "missing_row" and shown:
            shown = shown[:-1]
        if kind == "repeat_row" and start > 0:
            shown = [rows[start - 1], *shown[1:]]
        envelope: dict[str, object] = {
            "status": "OK" if kind == "other_status" else "SUCCESS",
            "startRecordNumber": start + 1 if shown else 0,
            "endRecordNumber": start + len(shown),
            "resultCount": len(shown),
            "totalCount": total,
            "pageSize": self.page_size,
            "currentPage": number,
        }
        if kind != "no_total_pages":
            envelope["totalPages"] = max(1, -(-total // self.page_size))
        if kind == "error_field":
            envelope["error"] = "Something went wrong"
        return json.dumps(envelope, separators=(",", ":")).encode()[:-1] + b',"resultSet":[%b]}' % b",".join(
            shown
        )

    def order(self, path: str, orders: Any) -> object:
        """What a POST to the control endpoints asks for."""
        for order in orders if isinstance(orders, list) else [orders]:
            if path == "/_sandbox/faults":
                self.fault(**order)
            else:
                self._edit(**order)
        return {"ok": True}

    def _edit(self, action: str, primary_key: str = "", **facts: Any) -> None:
        overlay = self.overlay
        if action == "re_date":
            overlay.re_date(primary_key, date.fromisoformat(facts["day"]))
        elif action == "change_tax":
            overlay.change_tax(primary_key, facts["rate"])
        elif action == "add":
            overlay.add(facts["shop_key"], date.fromisoformat(facts["day"]), facts["payload"])
        elif action in ("pay", "remove_part", "void", "restore"):
            getattr(overlay, action)(primary_key)
        else:
            raise ValueError(f"unknown action {action!r}")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    server_of: FullbayServer

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        params = dict(parse_qsl(url.query, keep_blank_values=True))
        if url.path == "/healthz":
            return self._answer(b'{"status":"ok"}')
        if not url.path.endswith("/getInvoices.php"):
            return self._answer(b"not found", status=404, kind="text/plain")
        source = self.server_of
        source.requests.append(
            Request(url.path, {k: v for k, v in params.items() if k not in ("key", "token")})
        )
        if source.delay:
            time.sleep(source.delay)
        page = int(params["page"]) if params.get("page", "1").isdigit() and "page" in params else 1
        fault = source.next_fault(page)
        if fault is not None and self._fault_answered(fault):
            return None
        refused = source.refusal(params, self.client_address[0])
        if refused is not None:
            return self._answer(json.dumps({"status": "FAIL", "message": refused}).encode())
        return self._answer(source.page(params, fault), fault=fault)

    def do_POST(self) -> None:
        path = urlsplit(self.path).path
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if path not in ("/_sandbox/faults", "/_sandbox/edits"):
            return self._answer(b"not found", status=404, kind="text/plain")
        try:
            answer = self.server_of.order(path, json.loads(body))
        except (ValueError, TypeError, KeyError) as error:
            return self._answer(json.dumps({"error": str(error)}).encode(), status=400)
        return self._answer(json.dumps(answer).encode())

    def _fault_answered(self, fault: Fault) -> bool:
        """Answer with a fault that needs no page; False for those that spoil a right one."""
        if fault.kind == "fail":
            self._answer(json.dumps({"status": "FAIL", "message": fault.message}).encode())
        elif fault.kind == "http":
            headers = {}
            if fault.retry_after is not None:
                until = datetime.now(UTC) + timedelta(seconds=fault.retry_after)
                headers["Retry-After"] = (
                    format_datetime(until, usegmt=True) if fault.as_date else f"{fault.retry_after:g}"
                )
            self._answer(b"{}", status=fault.status, headers=headers)
        elif fault.kind == "html":
            self._answer(b"<html><body>Maintenance</body></html>", kind="text/html")
        elif fault.kind == "empty":
            self._answer(b"")
        else:
            return False
        return True

    def _answer(
        self,
        body: bytes,
        *,
        status: int = 200,
        kind: str = "application/json",
        headers: Mapping[str, str] | None = None,
        fault: Fault | None = None,
    ) -> None:
        spoilt = fault.kind if fault else ""
        self.send_response(status)
        self.send_header("Content-Type", kind)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if spoilt == "cut_without_length":
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if spoilt.startswith("cut"):
            body, self.close_connection = body[: len(body) // 2], True
        if spoilt == "drip":
            for position in range(0, len(body), 64):
                self.wfile.write(body[position : position + 64])
                self.wfile.flush()
                time.sleep(fault.seconds if fault else 0)
            return
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing: the path of a request holds the key."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="python -m sandbox.fullbay.server", description=__doc__.split("\n")[0]
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=15080)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--invoices-per-day", type=int, default=30)
    parser.add_argument("--page-size", type=int, default=100)
    parser.add_argument(
        "--keys", default="", help=f"SHOP=KEY,SHOP=KEY; better in {KEYS_VARIABLE}: others see arguments"
    )
    options = parser.parse_args(arguments)
    generator = InvoiceGenerator(options.seed, options.invoices_per_day)
    pairs = [
        pair.split("=", 1) for pair in (os.environ.get(KEYS_VARIABLE) or options.keys).split(",") if pair
    ]
    shops = {key.upper(): key for key in generator.shop_keys}
    keys = {api_key: shops[name.upper()] for name, api_key in pairs if name.upper() in shops}
    if len(keys) != len(pairs) or not keys:
        parser.error(f"name one key for each shop; shops are {', '.join(generator.shop_keys)}")
    server = FullbayServer(generator, keys, options.host, options.port, options.page_size)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.stop())
    print(f"listening on {server.base_url}", flush=True)
    server.serve()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
