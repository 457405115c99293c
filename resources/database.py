"""Opening Postgres connections, the same way for every location.

Belongs here: one function that connects. Does not belong here: SQL of any table, or settings
(`resources.settings`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from resources.failures import RETRY_DELAYS, PipelineError, is_transient, permanent, retrying
from resources.settings import DatabaseSettings

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

SEARCH_PATH = "fullbay, commerce, shoppulse, public"
_LONGEST_APPLICATION_NAME = 63  # Postgres cuts longer names silently


def connect(
    settings: DatabaseSettings,
    *,
    application_name: str,
    autocommit: bool = False,
    retry: bool = True,
    sleep: Callable[[float], None] | None = None,
) -> Connection:
    """Open a connection that the caller closes; retried after 2, 4 and 8 s while there is no server.

    `retry=False` is for a caller that is being retried itself: one attempt of its own must be one attempt here.

    The session's time zone is UTC and its search path the one that the printed queries need. Both are set
    after connecting, because connection poolers refuse start-up options. The password travels as a keyword,
    never in a connection string, whose parse errors would quote a part of it.

    Raises PermanentError when the server refuses (password, database, TLS), TransientError when it stays
    away.
    """
    doing = f"connecting to Postgres as {settings}"

    def open_once() -> Connection:
        try:
            return _open(settings, application_name, autocommit)
        except PipelineError:
            raise
        except Exception as error:
            if is_transient(error):
                raise
            raise permanent(
                doing,
                found=str(error).strip() or type(error).__name__,
                do_next="Check the DB_* settings of this location (host, port, name, user, password, TLS).",
            ) from error

    delays = RETRY_DELAYS if retry else ()
    if sleep is None:
        return retrying(open_once, doing=doing, delays=delays)
    return retrying(open_once, doing=doing, delays=delays, sleep=sleep)


def usable_as(connection: Connection, application_name: str, *, autocommit: bool) -> bool:
    """Give an idle connection another name and mode; False when it is not usable any more."""
    import psycopg2

    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(
                "select set_config('application_name', %s, false)",
                (application_name[:_LONGEST_APPLICATION_NAME],),
            )
        connection.autocommit = autocommit
    except psycopg2.Error:
        return False
    return True


def _open(settings: DatabaseSettings, application_name: str, autocommit: bool) -> Connection:
    import psycopg2

    opened: Connection = psycopg2.connect(
        host=settings.host,
        port=settings.port,
        dbname=settings.name,
        user=settings.user,
        password=settings.password,
        sslmode=settings.sslmode,
        application_name=application_name[:_LONGEST_APPLICATION_NAME],
        connect_timeout=10,
        # A peer that vanished without closing is noticed after about a minute instead of two hours.
        keepalives=1,
        keepalives_idle=30,
        keepalives_interval=10,
        keepalives_count=3,
    )
    try:
        opened.autocommit = True
        with opened.cursor() as cursor:
            cursor.execute(f"set search_path to {SEARCH_PATH}; set time zone 'UTC'")
        opened.autocommit = autocommit
    except BaseException:
        opened.close()
        raise
    return opened
