"""The Fullbay client: complete windows of invoices, each as the bytes that came.

Belongs here: the order of requests, what counts as complete, what is repeated and what is not. Does not
belong here: decoding (`protocol`), a single GET (`resources.http`), what an invoice means, and any
database.

Fullbay has no "changed since" and its pages may shift while they are read, so a window counts as read only
when every page gave the same total and as many different invoices arrived as that total says. Until then
nothing of it is delivered. A client serves one shop and one thread.
"""

from __future__ import annotations

import logging
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import IO, Self

import requests

from fullbay_assets import public_address
from fullbay_assets.protocol import (
    PageAnswer,
    Record,
    Refusal,
    beginning_of,
    decode_page,
    token,
    windows,
)
from fullbay_assets.public_address import PublicAddress
from resources.failures import RETRY_DELAYS, PipelineError, permanent, retrying, transient
from resources.http import HttpAnswer, get, new_session, retry_after_seconds
from resources.redaction import MASK, redact, register_secret
from resources.settings import FullbaySettings, Shop

logger = logging.getLogger(__name__)

ENDPOINT = "getInvoices.php"
USER_AGENT = "fullbay-assets/1.0"
# A window is kept in memory up to this size and on disk beyond it: 20,000 invoices of 13 KB are 260 MB.
SPOOL_BYTES = 16 * 1024 * 1024
MIDNIGHT_MARGIN = timedelta(minutes=10)
REREADS = len(RETRY_DELAYS)

_TRANSIENT_STATUSES = frozenset({408, 425, 429})
_HEADERS_OF_INTEREST = ("content-type", "content-length", "content-encoding", "date", "retry-after", "server")
_READS_LIKE_A_REFUSAL = re.compile(
    r"\bkeys?\b|token|auth|denied|invalid|not allowed|forbidden|permission|\bip\b|window|\bdays?\b|range",
    re.IGNORECASE,
)

# What passes by itself, though it may speak of keys and rights: "API key has exceeded its request limit".
_READS_LIKE_A_PAUSE = re.compile(
    r"rate.?limit|quota|throttl|slow down|temporar|unavailable|\bbusy\b|time[sd]? ?out|"
    r"too (?:many (?:\w+ )?(?:requests?|calls?|attempts?|connections?)|fast|frequent|often)|"
    r"\b(?:requests?|calls?|usage|hourly|daily|monthly)\b[^.]*\blimit|limit of [\d,]+ (?:requests?|calls?)|"
    r"\b(?:requests?|calls?) per\b|exceeded[^.]*\b(?:requests|calls)\b",
    re.IGNORECASE,
)


def reads_like_a_refusal(message: str) -> bool:
    """Whether the text of a FAIL says that asking again is of no use. In doubt it does not: that costs 14 s."""
    return bool(_READS_LIKE_A_REFUSAL.search(message)) and not _READS_LIKE_A_PAUSE.search(message)


@dataclass(frozen=True)
class ApiCall:
    """One HTTP request as `api_request_log` wants it. Holds no key, no token and no URL.

    `retry_count` counts the requests made before this one for the same page. Without an answer,
    `status_code` is None; `response_bytes` is the size of the unpacked body; `records` the rows of the
    page.
    """

    shop_key: str
    endpoint: str
    method: str
    params: Mapping[str, str]
    requested_at: datetime
    milliseconds: int
    retry_count: int
    status_code: int | None = None
    response_headers: Mapping[str, str] = field(default_factory=dict)
    response_bytes: int = 0
    records: int = 0
    error_type: str | None = None
    error_message: str | None = None


@dataclass(frozen=True)
class Page:
    """One page of one window, in the order of the source. Its records keep the whole page's bytes alive."""

    window_start: date
    window_end: date
    number: int
    total_count: int
    total_pages: int | None
    records: list[Record]


@dataclass(frozen=True, slots=True)
class ReceivedInvoice:
    """One element of a complete window; `page` counts from 1, `index` from 0 within the page.

    `payload`, `primary_key`, `invoice_date`, `repaired` and `problem` are those of `protocol.Record`:
    without a key or with a problem it belongs into quarantine.
    """

    shop_key: str
    window_start: date
    window_end: date
    page: int
    index: int
    payload: bytes
    primary_key: str | None
    invoice_date: date | None
    repaired: bool = False
    problem: str | None = None


@dataclass
class ClientStats:
    """What the client has done so far. `repeated` counts copies of an invoice that a later copy replaced."""

    requests: int = 0
    retries: int = 0
    rereads: int = 0
    repeated: int = 0
    windows: int = 0
    pages: int = 0
    invoices: int = 0
    bytes: int = 0
    seconds: float = 0.0


class _Drift(Exception):
    """The pages of a window do not fit together; the text holds both numbers."""


@dataclass
class _PageCall:
    """What has been tried for one page."""

    window: tuple[date, date]
    number: int
    doing: str
    sent: int = 0
    tried_other_date: bool = False
    tried_other_address: bool = False


class _Kept(tempfile.SpooledTemporaryFile[bytes]):
    """The payloads of one window: in memory while small, in a nameless file beyond `SPOOL_BYTES`."""

    def __init__(self) -> None:
        super().__init__(max_size=SPOOL_BYTES, mode="w+b")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a record of the window is kept, and its head."""

    offset: int
    size: int
    page: int
    index: int
    record_key: str | None
    invoice_date: date | None
    repaired: bool
    problem: str | None


class FullbayClient:
    """Reads the invoices of one shop. Close it, or use it as a context manager.

    `clock` gives the time in UTC, `sleep` waits seconds; both are injectable for tests. `public_ip`
    replaces the look-up of the own address, which is not used at all when the settings name one.
    `on_request` is told of every request to the service, failed ones included.

    A FAIL (HTTP 200) is answered in this order: close to midnight UTC, once more with the token of the
    neighbouring date; when the address was looked up and has changed, once more with the new one; then by
    its text. Fullbay's texts are documented nowhere. Therefore one that reads like a refusal (key, token,
    IP, window, ...) is permanent at once, unless it speaks of a limit of requests or of a pause; that and
    any other is repeated after 2, 4 and 8 s: the words only shorten the wait, and never make a FAIL pass.
    """

    def __init__(
        self,
        settings: FullbaySettings,
        shop: Shop,
        *,
        session: requests.Session | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
        public_ip: Callable[[], str] | None = None,
        on_request: Callable[[ApiCall], None] | None = None,
    ) -> None:
        register_secret(shop.api_key)
        self.settings = settings
        self.shop = shop
        self.stats = ClientStats()
        self._owns_session = session is None
        self._session = new_session(USER_AGENT) if session is None else session
        self._clock = clock
        self._sleep = sleep
        self._on_request = on_request
        lookup = public_ip or (lambda: public_address.look_up(self._session))
        self._address = PublicAddress(settings, lookup, clock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"FullbayClient(shop={self.shop.key!r})"

    def close(self) -> None:
        """Close the session, unless it was given to us."""
        if self._owns_session:
            self._session.close()

    def invoices(self, start: date, end: date) -> Iterator[ReceivedInvoice]:
        """Yield the invoices dated `start` to `end` (inclusive), window by window, each only when complete.

        Within a window the last copy of a repeated invoice counts. Memory holds one page and up to 16 MB of
        the window; the rest of it waits in a temporary file.

        Raises PermanentError or TransientError that name shop, endpoint, window and page; windows that were
        delivered before stay valid.
        """
        for window in windows(start, end):
            yield from self._complete_window(window)

    def pages(self, start: date, end: date) -> Iterator[Page]:
        """Yield the pages of all windows as they come, without the completeness rules of `invoices`.

        Raises TransientError when the pages of a window do not fit together.
        """
        for window in windows(start, end):
            try:
                yield from self._pages(window)
            except _Drift as drift:
                raise self._incomplete(window, str(drift), readings=1) from None

    def _complete_window(self, window: tuple[date, date]) -> Iterator[ReceivedInvoice]:
        """Read the window until it is complete, at most 1 + 3 times, then deliver it."""
        for reading in range(REREADS + 1):
            with _Kept() as kept:
                try:
                    places = self._collect(window, kept)
                except _Drift as drift:
                    if reading == REREADS:
                        raise self._incomplete(window, str(drift), readings=reading + 1) from None
                    logger.warning("%s: %s; reading the window again", self._doing(window), drift)
                    self.stats.rereads += 1
                    self._sleep(RETRY_DELAYS[reading])
                    continue
                self.stats.windows += 1
                yield from self._delivered(window, places, kept)
                return

    def _collect(self, window: tuple[date, date], kept: IO[bytes]) -> list[_Place]:
        """Keep every record of the window and return where the valid ones are.

        Valid is the last copy of each primaryKey and every record without one. Raises _Drift unless there
        are exactly as many of them as the source says.
        """
        by_key: dict[str, _Place] = {}
        without_key: list[_Place] = []
        offset, total, repeated = 0, 0, 0
        for page in self._pages(window):
            total = page.total_count
            for index, record in enumerate(page.records):
                size = kept.write(record.payload)
                place = _Place(offset, size, page.number, index, record.primary_key, *_described(record))
                offset += size
                if record.primary_key is None:
                    without_key.append(place)
                    continue
                if by_key.pop(record.primary_key, None) is not None:
                    repeated += 1
                by_key[record.primary_key] = place
        found = len(by_key) + len(without_key)
        if found != total:
            raise _Drift(f"{found} different invoices arrived, totalCount says {total} ({repeated} repeated)")
        self.stats.repeated += repeated
        return sorted([*by_key.values(), *without_key], key=lambda place: place.offset)

    def _delivered(
        self, window: tuple[date, date], places: list[_Place], kept: IO[bytes]
    ) -> Iterator[ReceivedInvoice]:
        for place in places:
            kept.seek(place.offset)
            self.stats.invoices += 1
            yield ReceivedInvoice(
                shop_key=self.shop.key,
                window_start=window[0],
                window_end=window[1],
                page=place.page,
                index=place.index,
                payload=kept.read(place.size),
                primary_key=place.record_key,
                invoice_date=place.invoice_date,
                repaired=place.repaired,
                problem=place.problem,
            )

    def _pages(self, window: tuple[date, date]) -> Iterator[Page]:
        """Yield the pages of one window; _Drift when one contradicts the first or is empty too early."""
        number, rows = 1, 0
        first = page = self._page(window, 1)
        while True:
            if page.total_count != first.total_count:
                raise _Drift(
                    f"totalCount was {first.total_count} on page 1 and {page.total_count} on page {number}"
                )
            rows += len(page.records)
            if not page.records and rows < first.total_count:
                raise _Drift(f"page {number} is empty after {rows} of {first.total_count} invoices")
            yield page
            if rows >= first.total_count if first.total_pages is None else number >= first.total_pages:
                return
            # A source that repeats itself for ever must end somewhere; no true window has this many copies.
            if rows > 2 * first.total_count + 100:
                raise _Drift(f"{rows} rows arrived, totalCount says {first.total_count}")
            number += 1
            page = self._page(window, number)

    def _page(self, window: tuple[date, date], number: int) -> Page:
        """Request one page until it is there, with the retries that a transient failure deserves."""
        call = _PageCall(window=window, number=number, doing=self._doing(window, number))
        answer = retrying(
            lambda: self._attempt(call),
            doing=call.doing,
            sleep=self._sleep,
            max_retry_after=self.settings.max_retry_after,
        )
        self.stats.pages += 1
        return Page(*window, number, answer.total_count, answer.total_pages, answer.records)

    def _attempt(self, call: _PageCall) -> PageAnswer:
        """Request the page; after a FAIL at once with the other date and address, each at most once."""
        today, address = self._clock().date(), self._address.current()
        answer = self._send(call, today, address)
        if isinstance(answer, Refusal) and not call.tried_other_date:
            other = self._other_date(today)
            if other is not None:
                call.tried_other_date = True
                answer = self._send(call, other, address)
        if isinstance(answer, Refusal) and self._address.looked_up and not call.tried_other_address:
            call.tried_other_address = True
            if self._address.changed():
                address = self._address.current()
                answer = self._send(call, self._clock().date(), address)
        if isinstance(answer, Refusal):
            raise self._refused(call, answer, address)
        return answer

    def _other_date(self, used: date) -> date | None:
        """Return the date the server may have meant: the one that began since, or a close neighbour."""
        now = self._clock()
        for candidate in (now, now - MIDNIGHT_MARGIN, now + MIDNIGHT_MARGIN):
            if candidate.date() != used:
                return candidate.date()
        return None

    def _send(self, call: _PageCall, utc_date: date, address: str) -> PageAnswer | Refusal:
        """Make one request and report it to `on_request`, whatever comes of it."""
        params = {
            "startDate": call.window[0].isoformat(),
            "endDate": call.window[1].isoformat(),
            "page": str(call.number),
        }
        credential = token(self.shop.api_key, utc_date, address)
        register_secret(credential)
        requested_at, started = self._clock(), time.monotonic()
        answer: HttpAnswer | None = None
        outcome: PageAnswer | Refusal | PipelineError
        try:
            answer = get(
                self._session,
                self.settings.endpoint(ENDPOINT),
                params={**params, "key": self.shop.api_key, "token": credential},
                doing=call.doing,
                connect_timeout=self.settings.connect_timeout,
                read_timeout=self.settings.read_timeout,
                deadline=self.settings.call_deadline,
                max_bytes=self.settings.max_page_bytes,
            )
            self._require_ok(answer, call)
            outcome = decode_page(answer.body, doing=call.doing)
        except PipelineError as error:
            outcome = error
        seconds = time.monotonic() - started
        self._count(call, answer, seconds)
        self._report(call, params, requested_at, seconds, answer, outcome)
        call.sent += 1
        if isinstance(outcome, PipelineError):
            raise outcome
        return outcome

    def _require_ok(self, answer: HttpAnswer, call: _PageCall) -> None:
        """Raise for every status but 200."""
        status = answer.status
        if status == 200:
            return
        text = beginning_of(answer.body, 200)
        found = f"HTTP {status}" + (f", {text!r}" if text else "")
        if status in _TRANSIENT_STATUSES or status >= 500:
            wait = retry_after_seconds(answer.headers.get("Retry-After"), now=self._clock())
            raise transient(call.doing, found=found, do_next="Run again later.", retry_after=wait)
        if status in (401, 403):
            do_next = f"Check the API key of the shop {self.shop.key} and the address registered for it."
        else:
            do_next = "Check FULLBAY_API_BASE_URL and FULLBAY_API_VERSION; redirects are not followed."
        raise permanent(call.doing, found=found, do_next=do_next)

    def _refused(self, call: _PageCall, refusal: Refusal, address: str) -> PipelineError:
        found = f"Fullbay answered FAIL: {refusal.message}"
        if reads_like_a_refusal(refusal.message):
            return permanent(
                call.doing,
                found=found,
                do_next=f"Check the API key of the shop {self.shop.key}, and that it is registered for "
                f"{address}, the address we asked from (FULLBAY_PUBLIC_IP).",
            )
        return transient(
            call.doing, found=found, do_next="Run again; if it stays so, ask Fullbay about the message."
        )

    def _count(self, call: _PageCall, answer: HttpAnswer | None, seconds: float) -> None:
        self.stats.requests += 1
        self.stats.retries += 1 if call.sent else 0
        self.stats.bytes += len(answer.body) if answer is not None else 0
        self.stats.seconds += seconds

    def _report(
        self,
        call: _PageCall,
        params: Mapping[str, str],
        requested_at: datetime,
        seconds: float,
        answer: HttpAnswer | None,
        outcome: PageAnswer | Refusal | PipelineError,
    ) -> None:
        if self._on_request is None:
            return
        headers = answer.headers if answer is not None else {}
        failed = outcome if isinstance(outcome, PipelineError) else None
        refused = outcome if isinstance(outcome, Refusal) else None
        self._on_request(
            ApiCall(
                shop_key=self.shop.key,
                endpoint=ENDPOINT,
                method="GET",
                params={**params, "key": MASK, "token": MASK},
                requested_at=requested_at,
                milliseconds=round(seconds * 1000),
                retry_count=call.sent,
                status_code=answer.status if answer is not None else None,
                response_headers={
                    name: redact(headers[name])[:200] for name in _HEADERS_OF_INTEREST if name in headers
                },
                response_bytes=len(answer.body) if answer is not None else 0,
                records=len(outcome.records) if isinstance(outcome, PageAnswer) else 0,
                error_type=type(failed).__name__ if failed else "Refusal" if refused else None,
                error_message=failed.found if failed else refused.message if refused else None,
            )
        )

    def _incomplete(self, window: tuple[date, date], found: str, *, readings: int) -> PipelineError:
        times = f" (read {readings} times)" if readings > 1 else ""
        return transient(
            self._doing(window),
            found=f"the window is not complete: {found}{times}",
            do_next="Nothing of this window was delivered. Run again when nobody posts invoices there.",
        )

    def _doing(self, window: tuple[date, date], page: int | None = None) -> str:
        place = f", page {page}" if page is not None else ""
        return f"reading {ENDPOINT} of the shop {self.shop.key}, {window[0]} to {window[1]}{place}"


def _described(record: Record) -> tuple[date | None, bool, str | None]:
    return record.invoice_date, record.repaired, record.problem
