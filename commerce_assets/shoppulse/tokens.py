"""Tokens with which an application enters one tenant and user for one transaction, and the keys they are signed with.

`v1.<key id>.<JSON in hexadecimal>.<HMAC-SHA256 in hexadecimal>`, verified by `shoppulse.enter` in the database. A
token names the transaction that it is for, so one that is overheard (the statements of a login's other sessions are
visible in pg_stat_activity) enters nothing. Who holds the key decides who is who: it belongs to the service that has
authenticated the user, and no SQL can read it.

Command: `python -m commerce_assets.shoppulse.tokens new KEY_ID | install | retire KEY_ID | list`
- new: print a line for SHOPPULSE_TOKEN_KEY (or the secret's shoppulse_token_key)
- install: let the database accept the configured key beside those it has; to rotate: install, deploy, retire the old
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import io
import json
import re
import secrets
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from resources.database import connect
from resources.failures import PipelineError, permanent
from resources.settings import database_settings, read_env_file, secret_setting

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

VERSION = "v1"
SETTING = "SHOPPULSE_TOKEN_KEY"
LIFETIME_SECONDS = 60
LONGEST_LIFETIME_SECONDS = 900
"""The database refuses tokens that live longer."""

_BLOCK = 64  # bytes, of SHA-256
_IDLE = 0
"""psycopg2.extensions.TRANSACTION_STATUS_IDLE, without importing the driver."""


@dataclass(frozen=True)
class TokenKey:
    """A key and the name under which the database knows it. 32 to 64 bytes."""

    key_id: str
    secret: bytes = field(repr=False)


def new_key(key_id: str) -> TokenKey:
    """A key of 32 random bytes."""
    return _checked(TokenKey(key_id, secrets.token_bytes(32)))


def as_setting(key: TokenKey) -> str:
    """The key as SHOPPULSE_TOKEN_KEY has it: `key_id:hexadecimal`."""
    return f"{key.key_id}:{key.secret.hex()}"


def token_key(env: Mapping[str, str] | None = None) -> TokenKey:
    """The configured key, from Secrets Manager or the environment. Raises MissingSettings or PermanentError."""
    key_id, _, digits = secret_setting(SETTING, env).partition(":")
    try:
        secret = bytes.fromhex(digits)
    except ValueError:
        secret = b""  # refused below: the parser's message would quote the key
    return _checked(TokenKey(key_id, secret))


def issue(
    key: TokenKey, tenant_id: str, user_id: str, challenge: str, lifetime: float = LIFETIME_SECONDS
) -> str:
    """A token for `user_id` of `tenant_id`, good for the transaction that answered `select shoppulse.challenge()`.

    `lifetime` in seconds, at most 900. Authenticate the user first: this function believes what it is told.
    """
    issued = time.time()
    claims = {
        "tenant": tenant_id,
        "user": user_id,
        "issued": round(issued, 3),
        "expires": round(issued + lifetime, 3),
        "challenge": challenge,
    }
    body = f"{VERSION}.{key.key_id}.{json.dumps(claims, separators=(',', ':')).encode().hex()}"
    return f"{body}.{hmac.new(key.secret, body.encode(), hashlib.sha256).hexdigest()}"


def enter(
    connection: Connection,
    key: TokenKey,
    tenant_id: str,
    user_id: str,
    *,
    lifetime: float = LIFETIME_SECONDS,
) -> None:
    """Enter a tenant and user for the connection's current transaction, which this begins when there is none.

    Raises PermanentError when the database refuses; the refusal is then in the tenant's audit trail, unless the
    transaction had begun before, whose other work is not this function's to commit.
    """
    began_here = connection.info.transaction_status == _IDLE
    if connection.autocommit:
        raise ValueError("a tenant is entered for a transaction: turn autocommit off")
    with connection.cursor() as cursor:
        cursor.execute("select shoppulse.challenge()")
        challenge = cursor.fetchall()[0][0]
        cursor.execute(
            "select shoppulse.try_enter(%s)", (issue(key, tenant_id, user_id, challenge, lifetime),)
        )
        entered = cursor.fetchall()[0][0]
    if entered:
        return
    if began_here:
        connection.commit()
    raise permanent(
        f"entering tenant {tenant_id!r} as user {user_id!r}",
        found="the database refused",
        do_next="Check that tenant and user are active; the server's log and the tenant's audit trail have the reason.",
    )


@contextmanager
def entered(
    connection: Connection, key: TokenKey, tenant_id: str, user_id: str, *, lifetime: float = LIFETIME_SECONDS
) -> Iterator[Connection]:
    """One transaction as a user of a tenant: committed at the end of the block, rolled back by an error."""
    with connection:
        enter(connection, key, tenant_id, user_id, lifetime=lifetime)
        yield connection


def install_key(connection: Connection, key: TokenKey) -> bool:
    """Let the database accept tokens of `key`; False when it does already. As the owner of the schema.

    Raises PermanentError when the name is taken by another key. The pads go by COPY: statements end up in logs.
    """
    inner, outer = _pads(key)
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "select purpose, inner_pad, retired_at is null from shoppulse.token_keys where key_id = %s",
            (key.key_id,),
        )
        known = [(purpose, bytes(pad), valid) for purpose, pad, valid in cursor.fetchall()]
        if known == [("token", inner, True)]:
            return False
        if known:
            raise permanent(
                f"installing the key {key.key_id}",
                found="a key of that name which is another one, or retired",
                do_next="Make a key with a new name: python -m commerce_assets.shoppulse.tokens new KEY_ID.",
            )
        row = f"{key.key_id}\ttoken\t\\\\x{inner.hex()}\t\\\\x{outer.hex()}\n"
        cursor.copy_expert(
            "copy shoppulse.token_keys (key_id, purpose, inner_pad, outer_pad) from stdin", io.StringIO(row)
        )
    return True


def retire_key(connection: Connection, key_id: str) -> bool:
    """Refuse tokens of a key from now on; False when there is no such key in use. As the owner of the schema."""
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "update shoppulse.token_keys set retired_at = now()"
            " where key_id = %s and purpose = 'token' and retired_at is null",
            (key_id,),
        )
        return bool(cursor.rowcount)


def _pads(key: TokenKey) -> tuple[bytes, bytes]:
    padded = key.secret.ljust(_BLOCK, b"\0")
    return bytes(byte ^ 0x36 for byte in padded), bytes(byte ^ 0x5C for byte in padded)


def _checked(key: TokenKey) -> TokenKey:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", key.key_id) or not 32 <= len(key.secret) <= _BLOCK:
        raise permanent(
            f"reading {SETTING}",
            found="something else than a name, a colon and 64 to 128 hexadecimal digits",
            do_next="Make one: python -m commerce_assets.shoppulse.tokens new KEY_ID.",
        )
    return key


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command: 0 when done, 2 when there was nothing to do, 1 after an error."""
    parser = argparse.ArgumentParser(prog="python -m commerce_assets.shoppulse.tokens", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("new").add_argument("key_id")
    commands.add_parser("install")
    commands.add_parser("retire").add_argument("key_id")
    commands.add_parser("list")
    chosen = parser.parse_args(arguments)
    read_env_file()
    try:
        if chosen.command == "new":
            sys.stdout.write(f"{SETTING}={as_setting(new_key(chosen.key_id))}\n")
            return 0
        return _with_database(chosen)
    except PipelineError as error:
        sys.stderr.write(f"{error}\n")
        return 1


def _with_database(chosen: argparse.Namespace) -> int:
    with closing(connect(database_settings("MIGRATION"), application_name="token keys")) as connection:
        if chosen.command == "install":
            key = token_key()
            done = install_key(connection, key)
            sys.stdout.write(f"{key.key_id} {'installed' if done else 'is installed already'}\n")
            return 0
        if chosen.command == "retire":
            done = retire_key(connection, chosen.key_id)
            sys.stdout.write(f"{chosen.key_id} {'retired' if done else 'is no key in use'}\n")
            return 0 if done else 2
        with connection.cursor() as cursor:
            cursor.execute(
                "select key_id, created_at, retired_at from shoppulse.token_keys where purpose = 'token' order by 2"
            )
            for key_id, created_at, retired_at in cursor.fetchall():
                state = f"retired {retired_at:%Y-%m-%d %H:%M}" if retired_at else "in use"
                sys.stdout.write(f"{key_id} of {created_at:%Y-%m-%d %H:%M}: {state}\n")
        return 0


if __name__ == "__main__":
    sys.exit(main())
