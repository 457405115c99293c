"""`python -m sandbox.odoo_apn edit --odoo 20 --apn 10`: change the sandbox's sources, to see what the next sync makes of it."""

from __future__ import annotations

import argparse
import secrets
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sandbox.odoo_apn import edits
from sandbox.processes import SandboxError
from sandbox.state import Sandbox

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 1 after an error."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.odoo_apn", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    edit = commands.add_parser("edit", help="change, add and delete rows; add, drop and retype columns")
    edit.add_argument("--odoo", type=_count, default=0, metavar="N", help="rows of Odoo to change")
    edit.add_argument("--apn", type=_count, default=0, metavar="N", help="rows of APN to change")
    edit.add_argument("--seed", type=int, help="which rows (default: other ones each time)")
    edit.add_argument("--add-column", action="append", default=[], metavar="TABLE.COLUMN:TYPE")
    edit.add_argument("--drop-column", action="append", default=[], metavar="TABLE.COLUMN")
    edit.add_argument("--retype-column", action="append", default=[], metavar="TABLE.COLUMN:TYPE")
    chosen = parser.parse_args(arguments)
    sandbox = Sandbox()
    if not sandbox.sources.is_running():
        print("error: the sandbox's sources do not run: `make up` starts them.", file=sys.stderr)
        return 1
    try:
        _edit(sandbox, chosen)
    except (SandboxError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _edit(sandbox: Sandbox, chosen: argparse.Namespace) -> None:
    import psycopg2

    seed = chosen.seed if chosen.seed is not None else secrets.randbelow(1_000_000)
    print(f"seed {seed}")
    for system in ("odoo", "apn"):
        with sandbox.sources.session(system) as connection:
            connection.autocommit = False
            try:
                with connection:
                    _columns(connection, system, chosen)
                    if count := getattr(chosen, system):
                        done = edits.edit(connection, system, count, seed)
                        for verb, rows in vars(done).items():
                            print(
                                f"{system} {verb}: " + ", ".join(f"{n} {table}" for table, n in rows.items())
                            )
            except psycopg2.Error as error:
                raise SandboxError(f"{system} was not changed: {str(error).strip()}") from error


def _columns(connection: Connection, system: str, chosen: argparse.Namespace) -> None:
    """The changes of columns that concern this system."""
    for verb in ("add", "drop", "retype"):
        for given in getattr(chosen, f"{verb}_column"):
            place, _, kind = given.partition(":")
            table, _, column = place.partition(".")
            if not column:
                raise ValueError(f"{given!r}: write TABLE.COLUMN{'' if verb == 'drop' else ':TYPE'}.")
            if edits.table_of(table).system != system:
                continue
            match verb:
                case "add":
                    edits.add_column(connection, table, column, kind or "character varying")
                case "drop":
                    edits.drop_column(connection, table, column)
                case _:
                    edits.retype_column(connection, table, column, kind)
            print(f"{system} {verb}: {given}")


def _count(given: str) -> int:
    if (count := int(given)) < 0:
        raise argparse.ArgumentTypeError("a number of rows, 0 or more")
    return count


if __name__ == "__main__":
    raise SystemExit(main())
