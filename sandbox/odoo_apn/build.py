"""Making a whole source: database, tables, rows, and the login that may only read.

A source is built in one transaction, which ends by writing down what it was built from as the comment of the database:
a build that was killed leaves an empty database, and the next one does it again.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from odoo_apn_assets.specs import Column, quoted
from sandbox.odoo_apn import apn, odoo, schema
from sandbox.odoo_apn.expressions import plausible
from sandbox.odoo_apn.odoo import Filling
from sandbox.odoo_apn.world import SEED, World

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor

    from sandbox.postgres import PostgresServer

SYSTEMS = ("odoo", "apn")
MARK = "generated source "


def build_odoo(
    server: PostgresServer,
    database: str = "odoo",
    *,
    scale: float = 1,
    rows: Mapping[str, int] | None = None,
    seed: int = SEED,
    world: World | None = None,
    owner: str | None = None,
    reader: str | None = None,
) -> bool:
    """Make an Odoo source, for instance `build_odoo(server, rows={"crm_lead": 200_000})`; False when it is there already.

    `rows` sets single tables over `scale`; `world` replaces all three. `owner` is the login that the
    tables belong to, `reader` the one that may read them; both are there already.
    """
    return build(server, "odoo", database, world or World.scaled(scale, seed=seed, rows=rows), owner, reader)


def build_apn(
    server: PostgresServer,
    database: str = "apn",
    *,
    scale: float = 1,
    rows: Mapping[str, int] | None = None,
    seed: int = SEED,
    world: World | None = None,
    owner: str | None = None,
    reader: str | None = None,
) -> bool:
    """Make an APN source, as `build_odoo` does. Give both the same world: they tell about the same deals."""
    return build(server, "apn", database, world or World.scaled(scale, seed=seed, rows=rows), owner, reader)


def build(
    server: PostgresServer,
    system: str,
    database: str,
    world: World,
    owner: str | None = None,
    reader: str | None = None,
) -> bool:
    """Make one source; False when it was built before, from whatever world that was."""
    server.create_database(database, owner=owner)
    with server.session(database) as connection:
        connection.autocommit = False
        with connection, connection.cursor() as cursor:
            # Two builders at once: the second waits here, then finds the comment.
            cursor.execute("select pg_advisory_xact_lock(hashtext('generated source'))")
            if built_from(cursor, database) is not None:
                return False
            if owner:
                cursor.execute(f"set local role {quoted(owner)}")
            # Of this transaction only; a copy of the data is what matters here, and it can be made again.
            cursor.execute("set local synchronous_commit = off")
            for statement in statements(system, world):
                cursor.execute(statement)
            cursor.execute("reset role")
            for statement in reader_statements(system, database, reader) if reader else ():
                cursor.execute(statement)
            described = MARK + json.dumps(
                {"seed": world.seed, "odoo": world.odoo, "apn": world.apn, "as_of": str(world.as_of)}
            )
            cursor.execute(f"comment on database {quoted(database)} is %s", (described,))
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("vacuum (analyze)")
    return True


def built_from(cursor: Cursor, database: str) -> World | None:
    """What a database of this server was built from; None when it is not there, or was not built to the end."""
    cursor.execute(
        "select shobj_description(oid, 'pg_database') from pg_database where datname = %s", (database,)
    )
    found = cursor.fetchone()
    if not found or not str(found[0] or "").startswith(MARK):
        return None
    described = json.loads(str(found[0]).removeprefix(MARK))
    return World(
        described["seed"], described["odoo"], described["apn"], dt.date.fromisoformat(described["as_of"])
    )


def reader_statements(system: str, database: str, login: str) -> list[str]:
    """Make a login the reader of a source: the catalogue's tables, of the lookups some columns, and no writing."""
    return [
        f"alter role {quoted(login)} set default_transaction_read_only = on",
        f"revoke all on database {quoted(database)} from public",
        f"grant connect on database {quoted(database)} to {quoted(login)}",
        *schema.grant_statements(system, login),
    ]


def statements(system: str, world: World) -> list[str]:
    """Everything that makes the tables and rows of a source, in order."""
    found = [*schema.create_statements(system), *world.statements()]
    if system == "odoo":
        fillings = odoo.fillings(world)
    else:
        found += [*apn.preparations(world), apn.migrations()]
        fillings = apn.fillings(world)
    for filling in fillings:
        found.append(insert_statement(system, world, filling))
        if system == "odoo":
            table = filling.table
            found.append(
                f"select setval(pg_get_serial_sequence('{table}', 'id'), (select max(id) from {table}))"
            )
    return found + (schema.foreign_keys() if system == "apn" else [])


def insert_statement(system: str, world: World, filling: Filling) -> str:
    """The INSERT ... SELECT of one table: its rules, and for the other columns of the catalogue a plausible value."""
    draws = world.draws(filling.table)
    columns = _columns(system, filling.table)
    values: dict[str, str] = {}
    for column in columns:
        if column.name in filling.columns:
            values[column.name] = _fit(filling.columns[column.name], column)
        elif column.name == "id":
            values["id"] = "i"
        else:
            values[column.name] = plausible(draws, column, world.odoo, world.today)
    if unknown := sorted(set(filling.columns) - {column.name for column in columns}):
        raise ValueError(f"{filling.table} has no column {', '.join(unknown)}.")
    if filling.table in ("res_users", "res_country"):
        values = {"id": "i"} | filling.columns
    names = ", ".join(quoted(name) for name in values)
    listed = ",\n    ".join(values.values())
    return f"insert into {quoted(filling.table)} ({names})\nselect\n    {listed}\nfrom {filling.source}"


def _columns(system: str, table: str) -> tuple[Column, ...]:
    for spec in schema.tables(system):
        if spec.table == table:
            return spec.columns
    made = schema.USERS if table == "res_users" else schema.COUNTRIES
    return tuple(
        Column(name, "", None, None)
        for line in made.partition("(\n")[2].split(",")
        if (name := line.split()[0]) and not line.strip().startswith("unique")
    )


def _fit(value: str, column: Column) -> str:
    """Integers are drawn as bigint: an assignment casts them, unless the value is a text."""
    return f"({value})::{column.type}" if column.type == "integer" else value
