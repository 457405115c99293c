"""An HTTP server that behaves like `getInvoices.php`: token, windows, pages, failures as HTTP 200, faults on demand.

`python -m sandbox.fullbay.server` serves the generated invoices; tests use `FullbayServer` in their own process.
Faults and edits can be ordered from outside with POST /_sandbox/faults and /_sandbox/edits, and cleared with DELETE;
GET /_sandbox/requests tells what was asked, /_sandbox/totals?startDate=&endDate= what the shops' windows sum to.
With examples in docs/sandbox.md.
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
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from sandbox.fullbay.invoices import DEFAULT_AS_OF, InvoiceGenerator
from sandbox.fullbay.overlay import Overlay

LONGEST_WINDOW = timedelta(days=6)
KEYS_VARIABLE = "SANDBOX_FULLBAY_KEYS"

FAULTS = (
    *(
        "fail",
        "http",
        "html",
        "empty",
        "php_warning",
        "cut",
        "cut_without_length",
        "cut_chunked",
        "drip",
        "slow",
    ),
    *("drift", "repeat_row", "missing_row", "no_total_pages", "other_status", "error_field", "huge"),
)

CONTROLS = ("/_sandbox/faults", "/_sandbox/edits", "/_sandbox/requests", "/_sandbox/totals")


@dataclass
class Fault:
    """What the next `times` requests get instead of a right answer.

    `fail` takes `message`; `http` takes `status` and, for 429, `retry_after` in seconds (`as_date` sends an HTTP date);
    `slow` waits `seconds` before it answers, `drip` after every 64 bytes. `drift` is an invoice posted while the client
    pages: one more in `totalCount`, and every page after the first begins with the last row of the page before.
    `repeat_row` puts such a row in the place of a right one, `missing_row` leaves the last one out. `huge` adds a
    field of `size` bytes. `page` limits a fault to that page; the first fault that fits a request is played.
    """

    kind: str
    times: int = 1
    message: str = "The request failed."
    status: int = 500
    retry_after: float | None = None
    as_date: bool = False
    seconds: float = 0.05
    size: int = 1 << 20
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

    `address` overrides the caller's address as the server sees it, `clock` gives the time in UTC. Edits outlive the
    server in the file `edits`.
    """

    generator: InvoiceGenerator
    keys: Mapping[str, str]
    host: str = "127.0.0.1"
    port: int = 0
    page_size: int = 100
    address: str | None = None
    edits: Path | None = None
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    faults: deque[Fault] = field(default_factory=deque)
    requests: list[Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.overlay = Overlay(self.generator, self.edits)
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
        """The first fault that fits the page, one less of it left."""
        with self._lock:
            for fault in self.faults:
                if fault.page in (None, page):
                    fault.times -= 1
                    if fault.times <= 0:
                        self.faults.remove(fault)
                    return fault
        return None

    def calls(self, **params: str) -> int:
        """How many requests came with these parameters: `calls(startDate="2026-10-05", page="2")`."""
        return sum(request.params.items() >= params.items() for request in list(self.requests))

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
        page = params.get("page", "1")
        if not (page.isascii() and page.isdecimal() and int(page) > 0):
            return "page must be a positive number"
        return None

    def page(self, params: Mapping[str, str], fault: Fault | None) -> bytes:
        """One page of a window in the envelope of the service."""
        shop = self.keys[params["key"]]
        first, last = date.fromisoformat(params["startDate"]), date.fromisoformat(params["endDate"])
        number = int(params.get("page", "1"))
        start = (number - 1) * self.page_size
        total, shown = self.overlay.page(shop, first, last, start, self.page_size)
        kind = fault.kind if fault else ""
        if kind == "drift":
            total += 1
        if kind == "missing_row" and shown:
            shown = shown[:-1]
        if kind in ("drift", "repeat_row") and start > 0 and shown:
            before = self.overlay.page(shop, first, last, start - 1, 1)[1]
            shown = before + (shown[: self.page_size - 1] if kind == "drift" else shown[1:])
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
        if kind == "huge" and fault:
            envelope["padding"] = "x" * fault.size
        return json.dumps(envelope, separators=(",", ":")).encode()[:-1] + b',"resultSet":[%b]}' % b",".join(
            shown
        )

    def order(self, path: str, orders: Any) -> object:
        """What a POST to the control endpoints asks for."""
        orders = orders if isinstance(orders, list) else [orders]
        for order in orders:
            if path == "/_sandbox/faults":
                self.fault(**order)
            else:
                self._edit(**order)
        return {"ok": len(orders)}

    def told(self, path: str, params: Mapping[str, str]) -> object:
        """What a GET of the control endpoints shows: requests so far, faults to come, sums of a window."""
        if path == "/_sandbox/requests":
            return [{"path": request.path, "params": request.params} for request in list(self.requests)]
        if path == "/_sandbox/faults":
            with self._lock:
                return [asdict(fault) for fault in self.faults]
        first, last = (date.fromisoformat(params[name]) for name in ("startDate", "endDate"))
        return {shop: self.overlay.counted(first, last, shop) for shop in self.generator.shop_keys}

    def forget(self, path: str) -> None:
        """What a DELETE of a control endpoint clears: faults to come, edits, or the list of requests."""
        if path == "/_sandbox/edits":
            self.overlay.clear()
        elif path == "/_sandbox/requests":
            self.requests.clear()
        else:
            with self._lock:
                self.faults.clear()

    def _edit(self, action: str, primary_key: str = "", **facts: Any) -> None:
        overlay = self.overlay
        if action == "re_date":
            overlay.re_date(primary_key, date.fromisoformat(facts["day"]))
        elif action == "change_tax":
            overlay.change_tax(primary_key, facts["rate"])
        elif action == "add":
            payload = facts["text"].encode() if "text" in facts else facts["payload"]
            overlay.add(facts["shop_key"], date.fromisoformat(facts["day"]), payload)
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
        if url.path in CONTROLS:
            return self._controlled(lambda: self.server_of.told(url.path, params))
        if not url.path.endswith("/getInvoices.php"):
            return self._answer(b"not found", status=404, kind="text/plain")
        source = self.server_of
        source.requests.append(
            Request(url.path, {k: v for k, v in params.items() if k not in ("key", "token")})
        )
        if source.delay:
            time.sleep(source.delay)
        asked = params.get("page", "1")
        page = int(asked) if asked.isdecimal() else 1
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
        return self._controlled(lambda: self.server_of.order(path, json.loads(body)))

    def do_DELETE(self) -> None:
        path = urlsplit(self.path).path
        if path not in CONTROLS:
            return self._answer(b"not found", status=404, kind="text/plain")
        return self._controlled(lambda: self.server_of.forget(path))

    def _controlled(self, action: Callable[[], object]) -> None:
        try:
            answer = action()
        except (ValueError, TypeError, KeyError) as error:
            return self._answer(
                json.dumps({"error": f"{type(error).__name__}: {error}"}).encode(), status=400
            )
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
        elif fault.kind == "php_warning":
            self._answer(
                b'<br />\n<b>Warning</b>: too many\n{"status":"SUCCESS","resultSet":[]}', kind="text/html"
            )
        elif fault.kind == "slow":
            time.sleep(fault.seconds)
            return False
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
        elif spoilt == "cut_chunked":
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if spoilt.startswith("cut"):
            body, self.close_connection = body[: len(body) // 2], True
        if spoilt == "cut_chunked":
            body = b"%x\r\n%b\r\n" % (len(body), body)  # and no last chunk
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
    parser.add_argument(
        "--first-day", type=date.fromisoformat, default=date(2021, 1, 1), help="none before it"
    )
    parser.add_argument(
        "--as-of",
        type=date.fromisoformat,
        default=DEFAULT_AS_OF,
        help="the day on which balances are looked at",
    )
    parser.add_argument("--page-size", type=int, default=100)
    parser.add_argument("--edits", type=Path, help="file in which edits outlive the server")
    parser.add_argument(
        "--keys", default="", help=f"SHOP=KEY,SHOP=KEY; better in {KEYS_VARIABLE}: others see arguments"
    )
    options = parser.parse_args(arguments)
    generator = InvoiceGenerator(
        options.seed, options.invoices_per_day, options.first_day, as_of=options.as_of
    )
    pairs = [
        pair.split("=", 1) for pair in (os.environ.get(KEYS_VARIABLE) or options.keys).split(",") if pair
    ]
    shops = {key.upper(): key for key in generator.shop_keys}
    keys = {api_key: shops[name.upper()] for name, api_key in pairs if name.upper() in shops}
    if len(keys) != len(pairs) or not keys:
        parser.error(f"name one key for each shop; shops are {', '.join(generator.shop_keys)}")
    server = FullbayServer(
        generator, keys, options.host, options.port, options.page_size, edits=options.edits
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.stop())
    print(f"listening on {server.base_url}", flush=True)
    server.serve()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
