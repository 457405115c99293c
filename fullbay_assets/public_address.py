"""The public IPv4 address of this machine, which is a part of Fullbay's token.

Belongs here: where the address comes from and how long it is believed. Does not belong here: the token
itself. An unknown address is an error, never a placeholder: a token made of one is refused with a message
about something else.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from ipaddress import AddressValueError, IPv4Address
from urllib.parse import urlsplit

import requests

from resources.failures import PipelineError, transient
from resources.http import get
from resources.settings import FullbaySettings, is_loopback

SERVICES = ("https://api.ipify.org/", "https://checkip.amazonaws.com/")
LIFETIME = timedelta(hours=1)
_DOING = "finding out the public IP address of this machine"


class PublicAddress:
    """The address Fullbay sees us under: a setting, or looked up and believed for at most an hour.

    `looked_up` says whether it may change under our feet. A server on this machine sees the loopback address.
    """

    def __init__(
        self, settings: FullbaySettings, lookup: Callable[[], str], clock: Callable[[], datetime]
    ) -> None:
        self._fixed = settings.public_ip
        if self._fixed is None and is_loopback(urlsplit(settings.base_url).hostname or ""):
            self._fixed = "127.0.0.1"
        self._lookup = lookup
        self._clock = clock
        self._found: str | None = None
        self._found_at: datetime | None = None

    @property
    def looked_up(self) -> bool:
        return self._fixed is None

    def current(self) -> str:
        """Return the address; raises TransientError when no service could tell it."""
        if self._fixed is not None:
            return self._fixed
        now = self._clock()
        if self._found is None or self._found_at is None or now - self._found_at > LIFETIME:
            self._found, self._found_at = _checked(self._lookup()), now
        return self._found

    def changed(self) -> bool:
        """Look the address up again and say whether it is another one."""
        before, self._found = self._found, None
        return self.current() != before


def look_up(session: requests.Session) -> str:
    """Ask the services in turn and return the first plausible answer.

    Raises TransientError that names the services when none gives one.
    """
    failures = []
    for url in SERVICES:
        host = urlsplit(url).hostname
        try:
            answer = get(
                session,
                url,
                params={},
                doing=_DOING,
                connect_timeout=5.0,
                read_timeout=5.0,
                deadline=10.0,
                max_bytes=1024,
            )
            if answer.status != 200:
                failures.append(f"{host}: HTTP {answer.status}")
                continue
            return _checked(answer.body.decode("ascii", errors="replace"))
        except PipelineError as error:
            failures.append(f"{host}: {error.found}")
    raise transient(
        _DOING,
        found=f"no answer from any service ({'; '.join(failures)})",
        do_next="Set FULLBAY_PUBLIC_IP to the address that is registered with Fullbay, or allow these hosts.",
    )


def _checked(text: str) -> str:
    """Return the address that `text` is; a captive portal's page is none."""
    try:
        return str(IPv4Address(text.strip()))
    except AddressValueError:
        raise transient(
            _DOING,
            found=f"the text {text.strip()[:60]!r} instead of an IPv4 address",
            do_next="Set FULLBAY_PUBLIC_IP to the address that is registered with Fullbay.",
        ) from None
