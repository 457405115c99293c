"""Set up ShopPulse's database: `python -m commerce_assets.shoppulse.init_database [--seed] [--database NAME]`.

Belongs here: the order of the steps and what is verified at the end. Does not belong here: DDL, which is in the
migrations, and logins, which an administrator makes (docs/shoppulse.md, Set up).

Credentials, checked connection, database if there is none, schema, sample tenants if asked for, token key if one is
configured, then tables, indexes, triggers and row security looked up and printed. Run again it changes nothing.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from commerce_assets.shoppulse import tokens
from resources.database import connect
from resources.failures import PermanentError, PipelineError, permanent
from resources.migrations import migrate
from resources.settings import (
    DatabaseSettings,
    MissingSettings,
    database_settings,
    read_env_file,
    secret_values,
)
from resources.sql import statement

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

DEFAULT_DATABASE = "shoppulse"
TABLES = (
    *("tenants", "users", "orders", "fulfillment", "marketing_campaigns", "role_metric_visibility"),
    *("governance_rules", "audit_logs"),
)
TENANT_INDEXES = {
    "idx_users_tenant": ("users", "tenant_id"),
    "idx_users_status": ("users", "tenant_id, status"),
    "idx_orders_tenant": ("orders", "tenant_id"),
    "idx_orders_date": ("orders", "tenant_id, order_date"),
    "idx_orders_region": ("orders", "tenant_id, region"),
    "idx_orders_store": ("orders", "tenant_id, store_id"),
    "idx_fulfillment_tenant": ("fulfillment", "tenant_id"),
    "idx_fulfillment_date": ("fulfillment", "tenant_id, actual_delivery_date"),
    "idx_campaigns_tenant": ("marketing_campaigns", "tenant_id"),
    "idx_campaigns_date": ("marketing_campaigns", "tenant_id, date"),
    "idx_role_visibility_tenant": ("role_metric_visibility", "tenant_id, role"),
    "idx_governance_tenant": ("governance_rules", "tenant_id"),
    "idx_audit_tenant": ("audit_logs", "tenant_id"),
}
"""The 13 indexes by name: table and columns."""
FURTHER_INDEXES = {
    "idx_tenants_active": ("tenants", "is_active"),
    "idx_users_email": ("users", "tenant_id, email"),
    "idx_users_cognito": ("users", "tenant_id, cognito_user_id"),
    "idx_fulfillment_order": ("fulfillment", "tenant_id, order_id"),
    "idx_campaigns_channel": ("marketing_campaigns", "tenant_id, channel"),
    "idx_governance_user": ("governance_rules", "tenant_id, user_id"),
    "idx_audit_user": ("audit_logs", "tenant_id, user_id"),
    "idx_audit_created": ("audit_logs", "tenant_id, created_at"),
    "idx_audit_action": ("audit_logs", "tenant_id, action"),
}
TRIGGERS = {
    "update_tenants_updated_at": "tenants",
    "update_users_updated_at": "users",
    "update_orders_updated_at": "orders",
    "update_fulfillment_updated_at": "fulfillment",
    "update_campaigns_updated_at": "marketing_campaigns",
    "update_role_visibility_updated_at": "role_metric_visibility",
    "update_governance_updated_at": "governance_rules",
}
"""The seven triggers that call update_updated_at_column()."""

Say = Callable[[str], None]


def init_settings(env: Mapping[str, str], database: str | None = None) -> tuple[DatabaseSettings, str]:
    """Who sets up which database, and in words where the credentials come from.

    DB_SECRET_ARN names a secret as RDS keeps it: username, password, host, port, dbname. Settings of the environment go
    before all but user and password, so that DB_HOST may be a proxy. Without it: the settings of the migrations
    (MIGRATION_DB_*, DB_*), whose password may be in the secret of SECRETS_MANAGER_SECRET_NAME.
    """
    secret_id = env.get("DB_SECRET_ARN", "").strip()
    if not secret_id:
        settings = database_settings("MIGRATION", env)
        source = "the settings MIGRATION_DB_* and DB_*"
        if env.get("SECRETS_MANAGER_SECRET_NAME", "").strip():
            source += f", and the secret {env['SECRETS_MANAGER_SECRET_NAME'].strip()}"
    else:
        secret = secret_values({**env, "SECRETS_MANAGER_SECRET_NAME": secret_id})
        lacking = [name for name in ("username", "password") if not secret.get(name)]
        if lacking:
            raise permanent(
                f"reading the database's credentials from the secret {secret_id}",
                found=f"no {' and no '.join(lacking)}",
                do_next='Store {"username": "...", "password": "...", "host": "...", "port": 5432} in it.',
            )
        given = {
            "DB_HOST": secret.get("host", ""),
            "DB_PORT": secret.get("port", ""),
            "DB_NAME": secret.get("dbname", "") or DEFAULT_DATABASE,
        }
        given |= {name: value for name, value in env.items() if name.startswith("DB_") and value.strip()}
        given |= {"DB_USER": secret["username"], "DB_PASSWORD": secret["password"]}
        settings = database_settings("MIGRATION", given)
        source = f"the secret {secret_id}"
    return dataclasses.replace(settings, name=database or settings.name), source


def init_database(settings: DatabaseSettings, *, seed: bool, say: Say) -> None:
    """Everything but the reading of credentials. Raises PipelineError; whatever was done until then may be repeated."""
    created = ensure_database(settings)
    with closing(connect(settings, application_name="init database")) as connection:
        version = connection.server_version
        say(f"connected: PostgreSQL {version // 10000}.{version % 10000} as {settings}")
    say(f"database {settings.name}: {'created' if created else 'was there'}")
    applied = migrate(settings)
    say(f"schema: {len(applied)} migrations and files applied" if applied else "schema: up to date")
    with closing(connect(settings, application_name="init database")) as connection:
        with connection, connection.cursor() as cursor:
            cursor.execute("select shoppulse.close_to_temporary_tables()")
        if seed:
            say(f"sample data: {_seed(connection)} rows added")
        say(_install_key(connection))
        for line in verify(connection):
            say(line)


def ensure_database(settings: DatabaseSettings) -> bool:
    """Make the database when the server has none of that name; True when it was made.

    Raises PermanentError when the server refuses the login, or the login may not create databases.
    """
    try:
        connect(settings, application_name="init database").close()
        return False
    except PermanentError as error:
        # While connecting the driver gives no code. The server names what is missing in quotes in every language.
        if f'"{settings.name}"' not in error.found or f'"{settings.user}"' in error.found:
            raise
    import psycopg2
    from psycopg2 import sql

    doing = f"creating the database {settings.name} as {settings.user}"
    server = dataclasses.replace(settings, name="postgres")
    with closing(connect(server, application_name="init database", autocommit=True)) as connection:
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql.SQL("create database {}").format(sql.Identifier(settings.name)))
        except psycopg2.errors.DuplicateDatabase:
            return False  # made by another process meanwhile
        except psycopg2.Error as error:
            raise permanent(
                doing,
                found=str(error).strip(),
                do_next=f"Let an administrator create it, owned by {settings.user}, then run this again.",
            ) from error
    return True


def verify(connection: Connection) -> list[str]:
    """What of the published objects is there, in words. Raises PermanentError naming all that is not as published."""
    with connection, connection.cursor() as cursor:
        cursor.execute(statement("shoppulse/checks/objects_present"))
        found = cursor.fetchall()
    tables = {name: detail for kind, _, name, detail in found if kind == "table"}
    indexes = {name: (table, columns) for kind, table, name, columns in found if kind == "index"}
    triggers = {
        name: table
        for kind, table, name, function in found
        if kind == "trigger" and function == "update_updated_at_column"
    }
    wrong = [f"table {name} is missing" for name in TABLES if name not in tables]
    wrong += [
        f"table {name} is open: no forced row security" for name in TABLES if tables.get(name) == "open"
    ]
    wrong += [
        f"index {name} is {'on ' + ' '.join(indexes[name]) if name in indexes else 'missing'}"
        for name, place in (TENANT_INDEXES | FURTHER_INDEXES).items()
        if indexes.get(name) != place
    ]
    wrong += [f"trigger {name} is missing" for name, table in TRIGGERS.items() if triggers.get(name) != table]
    if wrong:
        raise permanent(
            "verifying the schema shoppulse",
            found="; ".join(wrong),
            do_next="Restore what was changed by hand, or set up an empty database; migrations do not run twice.",
        )
    forced = sum(detail == "forced" for detail in tables.values())
    return [
        f"tables: {len(TABLES)} of {len(TABLES)} ({', '.join(TABLES)})",
        f"tenant indexes: {len(TENANT_INDEXES)} of {len(TENANT_INDEXES)}; "
        f"further indexes: {len(FURTHER_INDEXES)} of {len(FURTHER_INDEXES)}",
        f"triggers: {len(TRIGGERS)} of {len(TRIGGERS)}",
        f"row security forced: {forced} of the schema's {len(tables)} tables",
    ]


def _seed(connection: Connection) -> int:
    def count() -> int:
        # Row security shows the owner no row outside of a tenant; the server's own count is of all that it stored.
        cursor.execute(
            "select sum(n_tup_ins) from pg_stat_xact_user_tables"
            " where schemaname = 'shoppulse' and relname in ('tenants', 'role_metric_visibility')"
        )
        return int(cursor.fetchall()[0][0])

    with connection, connection.cursor() as cursor:
        before = count()
        cursor.execute(statement("shoppulse/seed_data"))
        return count() - before


def _install_key(connection: Connection) -> str:
    try:
        key = tokens.token_key()
    except MissingSettings:
        return f"token key: {tokens.SETTING} is not set, so no application can enter yet"
    installed = tokens.install_key(connection, key)
    return f"token key: {key.key_id} {'installed' if installed else 'was there'}"


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command: 0 when everything is as it should be, 1 after an error."""
    parser = argparse.ArgumentParser(
        prog="python -m commerce_assets.shoppulse.init_database", description=__doc__
    )
    parser.add_argument(
        "--seed", action="store_true", help="add three sample tenants with 48 rows of visibility"
    )
    parser.add_argument("--database", metavar="NAME", help="instead of the one that settings or secret name")
    chosen = parser.parse_args(arguments)
    read_env_file()
    try:
        settings, source = init_settings(os.environ, chosen.database)
        _print(f"credentials: from {source}")
        init_database(settings, seed=chosen.seed, say=_print)
    except PipelineError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
