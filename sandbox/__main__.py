"""`python -m sandbox up|down|status|clean|psql`: the commands behind `make up` and its companions."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Sequence

from resources.failures import PipelineError
from sandbox.postgres import wheel_bin_dir
from sandbox.processes import SandboxError
from sandbox.state import Sandbox


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 1 after an error."""
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser(
        "up", help="start the servers, migrate, write .env; does nothing that is done already"
    )
    commands.add_parser("down", help="stop the servers, keep the data")
    commands.add_parser("status", help="show the servers")
    clean = commands.add_parser("clean", help="stop the servers and delete their data")
    clean.add_argument("--yes", action="store_true", help="do not ask")
    commands.add_parser(
        "psql", add_help=False, help="a psql prompt on the warehouse; further arguments are psql's own"
    )
    chosen, rest = parser.parse_known_args(arguments)
    if rest and chosen.command != "psql":
        parser.error(f"unknown arguments: {' '.join(rest)}")
    sandbox = Sandbox()
    try:
        match chosen.command:
            case "up":
                sandbox.up()
                _show_status(sandbox)
            case "down":
                sandbox.down()
            case "status":
                _show_status(sandbox)
            case "clean":
                return _clean(sandbox, ask=not chosen.yes)
            case "psql":
                _psql(sandbox, rest)
    except (SandboxError, PipelineError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted. `make down` stops what was started.", file=sys.stderr)
        return 130
    return 0


def _show_status(sandbox: Sandbox) -> None:
    if sandbox.is_foreign():
        print(".env was not written by the sandbox: its servers are not used.")
        return
    for row in sandbox.status():
        pid = f"pid {row.pid}" if row.pid else ""
        print(f"{row.name:<10} {'running' if row.running else 'stopped':<8} {row.address:<26} {pid}")


def _clean(sandbox: Sandbox, *, ask: bool) -> int:
    if ask:
        if not sys.stdin.isatty():
            print(
                "error: clean deletes all data of the sandbox; without a terminal say so: make clean YES=1",
                file=sys.stderr,
            )
            return 1
        if input("Delete all data of the sandbox? [y/N] ").strip().lower() not in ("y", "yes"):
            print("Nothing was deleted.")
            return 1
    sandbox.clean()
    return 0


def _psql(sandbox: Sandbox, rest: Sequence[str]) -> None:
    """Become psql, connected as DB_USER; the machine's own psql if it has one, else that of the wheel."""
    values = sandbox.environment()
    if "DB_HOST" not in values:
        raise SandboxError("DB_HOST is not set: run `make up` first, or write a .env (see .env.example).")
    names = {
        "PGHOST": "HOST",
        "PGPORT": "PORT",
        "PGDATABASE": "NAME",
        "PGUSER": "USER",
        "PGPASSWORD": "PASSWORD",
    }
    connection = {ours: values[f"DB_{name}"] for ours, name in names.items() if f"DB_{name}" in values}
    psql = shutil.which("psql") or str(wheel_bin_dir(sandbox.postgres.version) / "psql")
    sys.stdout.flush()
    os.execve(psql, [psql, *rest], {**os.environ, **connection})


if __name__ == "__main__":
    raise SystemExit(main())
