"""The peers of `mirror`: sling's program, and dlt in a worker; each with what suits it best."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import shutil
import subprocess
from typing import Any

from psycopg2 import sql

from benchmarks.bench import Outcome, reading
from benchmarks.measuring import Reading
from benchmarks.mirror_sides import Sides
from odoo_apn_assets.specs import spec_of
from resources.settings import DatabaseSettings

SLING_MODES = {
    "full": ("--mode", "full-refresh"),
    "incremental": ("--mode", "incremental", "--primary-key", "id", "--update-key", "write_date"),
}


def installed(package: str, outcome: Outcome) -> str | None:
    """The version of a peer; None, with a note, when it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        note = f"mirror: {package} is not installed (make bench installs it), so nothing beside it"
        if note not in outcome.notes:
            outcome.notes.append(note)
        return None


def run_sling(sides: Sides, source: str, target: str, table: str, mode: str) -> Reading:
    """Copy or merge by sling's own program, whose start of 0.1 s is part of the measurement."""
    program = importlib.import_module("sling").SLING_BIN
    home = sides.bench.server.folder / "sling"
    home.mkdir(exist_ok=True)

    def address(login: DatabaseSettings) -> str:
        return f"postgresql://{login.user}:{login.password}@{login.host}:{login.port}/{login.name}?sslmode=disable"

    environment = {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(home),
        "TMPDIR": str(home),
        "SLING_DISABLE_TELEMETRY": "TRUE",
        "SOURCE": address(sides.read(source)),
        "TARGET": address(sides.write(target)),
    }
    command = [
        program, "run", "--src-conn", "SOURCE", "--src-stream", f"public.{table}",
        "--tgt-conn", "TARGET", "--tgt-object", f"sling.{table}", *SLING_MODES[mode],
    ]  # fmt: skip
    found, done = sides.meter.run(
        lambda: subprocess.run(command, env=environment, capture_output=True, text=True)
    )
    if done.returncode:
        raise RuntimeError("sling failed:\n" + "\n".join((done.stdout + done.stderr).splitlines()[-12:]))
    return found


def run_dlt(
    sides: Sides, source: str, target: str, table: str, backend: str, *, rows: int | None = None, **more: Any
) -> Reading:
    """Copy or merge by dlt; `rows` is what it must have read. Its state is kept while `more` asks for a merge."""
    folder = sides.bench.server.folder / f"dlt-{target}"
    if not more:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(exist_ok=True)
    result = sides.worker(
        "dlt_copy", source, target, table=table, backend=backend, folder=str(folder), **more
    )
    if rows is not None and result["rows"] != rows:
        raise RuntimeError(f"dlt merged {result['rows']} rows of {table}, {rows} were edited")
    return reading(result["reading"])


def fill_dlt(sides: Sides, target: str, table: str) -> None:
    """Put the rows that dlt has not seen into its table, column by column; its own columns get some value."""
    with sides.bench.server.session(target) as connection, connection.cursor() as cursor:
        cursor.execute(
            "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0 and not attisdropped"
            " order by attnum",
            (f"loaded.{table}",),
        )
        theirs = [name for (name,) in cursor.fetchall()]
        ours = [column.name for column in spec_of(f"odoo_{table}").columns]
        known = [name for name in theirs if not name.startswith("_dlt")]
        if len(known) != len(ours):
            raise RuntimeError(f"dlt made {len(known)} columns of the {len(ours)} of {table}")
        values = [sql.SQL("b.{}").format(sql.Identifier(name)) for name in ours]
        own = [name for name in theirs if name.startswith("_dlt")]
        cursor.execute(
            sql.SQL(
                "insert into loaded.{table} ({columns}) select {values} from bare.{table} b"
                " where not exists (select from loaded.{table} l where l.id = b.id)"
            ).format(
                table=sql.Identifier(table),
                columns=sql.SQL(", ").join(map(sql.Identifier, [*known, *own])),
                values=sql.SQL(", ").join([*values, *(sql.SQL("b.id::text") for _ in own)]),
            )
        )
        cursor.execute(sql.SQL("analyze loaded.{}").format(sql.Identifier(table)))
