"""Which company a host name belongs to: the registrable domain of a website or of an e-mail address.

Belongs here: rules over text, offline. Does not belong here: where the text comes from. The same two host rules exist
as SQL functions (sql/core/functions/host_functions.sql), because a transformation reads hosts by the hundred thousand;
a test holds them together.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import metadata
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

RULES = "1"
"""To be raised with every change of a rule or of free_mail_hosts.csv."""

LONGEST_HOST = 253

_FREE_MAIL = Path(__file__).resolve().parent / "free_mail_hosts.csv"
_BLANK = " \t\n\r\f\v"
_HOST = r"([^/?#:@\\.>;, \t\n\r\f\v]+(?:\.[^/?#:@\\.>;, \t\n\r\f\v]+)+)\.*"
_WEBSITE = re.compile(rf"(?:[a-z][a-z0-9+.-]*://|//)?(?:[^/?#@\\]*@)?{_HOST}(?:[/?#:\\]|\Z)")
_EMAIL = re.compile(rf"@{_HOST}[>;,]*\Z")
_DOTS = re.compile("[\u3002\uff0e\uff61]")
_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")


@cache
def rules_version() -> str:
    """Our rules and the public suffix list that they read: names are computed again when either is another one."""
    return f"{RULES}, public suffix list {metadata.version('publicsuffixlist')}"


def host_of_website(website: str | None) -> str | None:
    """The host of a website as people write it (with or without scheme, port, path, name), a to z in lower case."""
    found = _WEBSITE.match((website or "").strip(_BLANK).translate(_LOWER))
    return found[1] if found else None


def host_of_email(address: str | None) -> str | None:
    """What stands after the last @ of an e-mail address, a to z in lower case; None without one."""
    found = _EMAIL.search((address or "").strip(_BLANK).translate(_LOWER))
    return found[1] if found else None


def normalized_domain(host: str | None) -> str | None:
    """The registrable domain of a host in its ASCII form: `www.shop.example.co.uk.` -> `example.co.uk`.

    None for an IP address, a name without a public suffix, a free-mail host, and whatever is no host name at all.
    """
    import idna

    name = _DOTS.sub(".", host or "").strip().strip(".")
    if not name or len(name) > LONGEST_HOST or _is_address(name):
        return None
    try:
        ascii_name = idna.encode(name, uts46=True, transitional=False).decode("ascii").lower()
    except (idna.IDNAError, UnicodeError):
        # Underscores and the like: not allowed in a registered name, but common in front of one.
        if not name.isascii():
            return None
        ascii_name = name.lower()
    registered: str | None = _suffixes().privatesuffix(ascii_name)
    if registered is None or registered in _free_mail_hosts() or not _NAME.fullmatch(registered):
        return None
    return registered


_NAME = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}")


def _is_address(name: str) -> bool:
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


@cache
def _suffixes() -> PublicSuffixList:
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList(accept_unknown=False)


@cache
def _free_mail_hosts() -> frozenset[str]:
    lines = _FREE_MAIL.read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#")) - {"domain"}
