"""The sources as part of the sandbox: their logins, the settings that lead to them, and building them once."""

from __future__ import annotations

import contextlib
import datetime as dt
import secrets
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote, unquote, urlsplit

from sandbox.odoo_apn.build import SYSTEMS, build, built_from
from sandbox.odoo_apn.world import World
from sandbox.postgres import PostgresServer
from sandbox.processes import LOCALHOST, SandboxError

SETTINGS = {"odoo": "ODOO_DATABASE_URL", "apn": "APN_DATABASE_URL"}


def reader(system: str) -> str:
    """The login that may only read a source."""
    return f"{system}_reader"


def source_urls(known: Mapping[str, str], port: int) -> dict[str, str]:
    """The two settings. A known password stays, and so does an address that leads somewhere else."""
    urls = {}
    for system, name in SETTINGS.items():
        before = urlsplit(known.get(name, ""))
        if before.hostname and (before.hostname, before.username) != (LOCALHOST, reader(system)):
            urls[name] = known[name]
            continue
        password = unquote(before.password or "") or secrets.token_urlsafe(24)
        urls[name] = f"postgresql://{reader(system)}:{quote(password, safe='')}@{LOCALHOST}:{port}/{system}"
    return urls


def world_of(scale: str) -> World:
    """The data of today in the size that SCALE asks for; empty is 1. Raises SandboxError for what is no size."""
    try:
        factor = float(scale or 1)
    except ValueError:
        factor = 0
    if not 0 < factor <= 1000:
        raise SandboxError(
            f"SCALE is {scale!r}: give the size of the sources as a number, 1 is 2,000 leads, at most 1000."
        )
    return World.scaled(factor, as_of=dt.datetime.now(dt.UTC).date())


def build_sources(
    server: PostgresServer, urls: Mapping[str, str], scale: str, say: Callable[[str], None]
) -> None:
    """Have both databases built and their readers able to log in. What is built already stays as it is."""
    wanted = world_of(scale)
    for system in SYSTEMS:
        login, url = reader(system), urlsplit(urls[SETTINGS[system]])
        if url.username == login and not server.accepts(login, unquote(url.password or "")):
            server.ensure_login(login, unquote(url.password or ""))
        elif url.username != login:
            server.ensure_login(login, secrets.token_urlsafe(24))
    # Both tell about one world: the second follows the first, also when that was built on another day.
    found = _world_of(server, "odoo")
    if found and scale and found.odoo != wanted.odoo:
        say(
            f"Odoo and APN stay as they were built ({found.odoo['crm_lead']} leads): make clean for another SCALE."
        )
    if not found:
        say("Building the Odoo and APN databases ...")
    for system in SYSTEMS:
        build(server, system, system, found or wanted, reader=reader(system))


@contextlib.contextmanager
def a_thread_for(server: PostgresServer) -> Iterator[ThreadPoolExecutor]:
    """A thread beside the rest of `up`. When that fails or is interrupted, a build under way is ended, not waited for.

    At SCALE=100 it takes minutes. It leaves nothing behind, and the next `up` begins it anew.
    """
    import psycopg2

    with ThreadPoolExecutor(1) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            with contextlib.suppress(psycopg2.Error, SandboxError), server.session() as connection:
                connection.cursor().execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity"
                    " where application_name = 'sandbox' and datname = any(%s)",
                    (list(SYSTEMS),),
                )
            raise


def _world_of(server: PostgresServer, database: str) -> World | None:
    """What a database was built from; None when it is not there or not built."""
    with server.session() as connection, connection.cursor() as cursor:
        return built_from(cursor, database)
