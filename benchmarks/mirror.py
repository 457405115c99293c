"""`mirror`: two Odoo tables from one Postgres server into another, beside psql, bare statements, sling and dlt.

The limit of a full mirror is `psql COPY binary | psql COPY binary` into a table with the same columns and four of
metadata, without an index; that of an incremental one is COPY of the changed rows into a temporary table and one
upsert. sling and dlt are measured on fewer rows where all are read, and so are we beside them.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.metadata
import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from psycopg2 import sql

from benchmarks.bench import Bench, Outcome, reading
from benchmarks.measuring import Meter, Reading, Series
from benchmarks.report import Asked, Row
from benchmarks.server import ODOO_APN_WRITER, guarded_server
from odoo_apn_assets.specs import spec_of
from resources.settings import DatabaseSettings
from sandbox.odoo_apn.build import build_odoo
from sandbox.postgres import PostgresServer

ROWS = {"crm_lead": 200_000, "account_move_line": 1_000_000}
SOME = {"crm_lead": 50_000, "account_move_line": 200_000}
"""The peers take as many seconds a row however many there are, and a minute for all of them."""
WIDE = "crm_lead"
READER = "odoo_reader"
DLT_BACKENDS = ("connectorx", "pyarrow")
SLING_MODES = {
    "full": ("--mode", "full-refresh"),
    "incremental": ("--mode", "incremental", "--primary-key", "id", "--update-key", "write_date"),
}


@dataclasses.dataclass
class Sides:
    """The source, in two sizes, and the target; what runs between them is measured on both servers."""

    bench: Bench
    source: PostgresServer
    password: str
    rows: dict[str, int]
    some: dict[str, int]

    @property
    def pids(self) -> list[int]:
        assert self.source.pid is not None
        return [self.source.pid, self.bench.server.pid]

    @property
    def meter(self) -> Meter:
        return Meter(*self.pids)

    def read(self, database: str = "odoo") -> DatabaseSettings:
        return DatabaseSettings(
            self.source.host, self.source.port, database, READER, self.password, "disable"
        )

    def write(self, database: str) -> DatabaseSettings:
        return self.bench.server.settings(database, ODOO_APN_WRITER)

    def worker(self, function: str, source: str, target: str, **arguments: Any) -> Any:
        return self.bench.worker(
            f"benchmarks.mirror_work:{function}",
            None,
            source=dataclasses.asdict(self.read(source)),
            target=dataclasses.asdict(self.write(target)),
            server_pids=self.pids,
            **arguments,
        )

    def sync(self, source: str, target: str, *tables: str, row_hashes: bool = True) -> dict[str, Any]:
        result: dict[str, Any] = self.worker(
            "sync", source, target, tables=list(tables), row_hashes=row_hashes
        )
        return result

    @contextmanager
    def warehouse(self) -> Iterator[str]:
        """A new migrated database with the schemas of the others; both servers have written out what they hold."""
        with self.bench.server.warehouse() as database:
            with self.bench.server.session(database) as connection, connection.cursor() as cursor:
                cursor.execute(
                    f"create schema bare authorization {ODOO_APN_WRITER};"
                    f"create schema sling authorization {ODOO_APN_WRITER};"
                    f"grant create on database {database} to {ODOO_APN_WRITER}"
                )
            self.settle()
            yield database

    def settle(self) -> None:
        self.bench.server.checkpoint()
        with self.source.session() as connection, connection.cursor() as cursor:
            cursor.execute("checkpoint")


def run(bench: Bench) -> Outcome:
    rows, some = ({table: round(count * bench.scale) for table, count in of.items()} for of in (ROWS, SOME))
    outcome = Outcome()
    with guarded_server(bench.server.folder / "source", 25600) as source:
        sides = Sides(bench, source, secrets.token_urlsafe(24), rows, some)
        source.ensure_login(READER, sides.password)
        for database, wanted in (("odoo", rows), ("odoo_some", some)):
            bench.say(f"a source with {' and '.join(f'{n:,} {table}' for table, n in wanted.items())}")
            build_odoo(source, database, scale=0.1, rows=wanted, reader=READER)
        bench.say("warming up")
        with sides.warehouse() as target:
            outside = sides.worker("nothing", "odoo", target)["rss"]
            for table in rows:
                _pipe(sides, "odoo_some", target, table)
                sides.sync("odoo_some", target, table)
        _full(sides, outside, outcome)
        _beside_peers(sides, outcome)
        _incremental(sides, outcome)
    return outcome


# -- everything -----------------------------------------------------------------------------------------------------


def _full(sides: Sides, outside: float, outcome: Outcome) -> None:
    """Full mirrors beside the pipe of two psql."""
    bench = sides.bench
    for table, count in sides.rows.items():
        piped: list[Reading] = []
        ours: dict[bool, list[Reading]] = {True: [], False: []}
        rss = 0.0
        for number in range(1, bench.repetitions + 1):
            bench.say(f"mirroring {count:,} {table}, {number} of {bench.repetitions}")
            with sides.warehouse() as target:
                piped.append(_pipe(sides, "odoo", target, table))
            for hashed, found in ours.items():
                with sides.warehouse() as target:
                    result = sides.sync("odoo", target, table, row_hashes=hashed)
                _expect(result["tables"][table], count, method="load")
                found.append(reading(result["reading"]))
                rss = max(rss, result["rss"] - outside)
        columns = len(spec_of(f"odoo_{table}").columns)
        for hashed, asked in (
            (True, Asked("at least", 0.6, rss=64)),
            (False, Asked("at least", 0.85, rss=64)),
        ):
            what = f"{count:,} {table} of {columns} columns, {'row hashes' if hashed else 'no hashes'}"
            outcome.rows.append(
                Row(
                    "mirror",
                    what,
                    "psql COPY | psql COPY",
                    Series(ours[hashed], count),
                    Series(piped, count),
                    asked,
                    rss,
                )
            )
        bench.kept[f"mirror {table}"] = ours[True]
    outcome.notes.append(
        f"mirror: RSS is what a sync takes beyond the {outside:.0f} MiB of a process that only imports it and connects"
    )


def _pipe(sides: Sides, source: str, target: str, table: str) -> Reading:
    """psql | psql into a new table of the bare schema."""
    columns = [column.name for column in spec_of(f"odoo_{table}").columns]
    kinds = {column.name: column.type for column in spec_of(f"odoo_{table}").columns}
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    with sides.bench.server.session(target) as connection, connection.cursor() as cursor:
        cursor.execute(
            sql.SQL(
                "create table bare.{table} (_raw_id bigint generated by default as identity,"
                " _ingested_at timestamp default current_timestamp, _source_system varchar(50) default 'odoo',"
                " _sync_batch_id uuid, {columns}); alter table bare.{table} owner to {owner}"
            ).format(
                table=sql.Identifier(table),
                columns=sql.SQL(", ").join(
                    sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind))
                    for name, kind in kinds.items()
                ),
                owner=sql.Identifier(ODOO_APN_WRITER),
            )
        )
        parts = {"table": sql.Identifier(table), "columns": names}
        out = sql.SQL("copy (select {columns} from {table}) to stdout (format binary)").format(**parts)
        into = sql.SQL("copy bare.{table} ({columns}) from stdin (format binary)").format(**parts)
        commands = out.as_string(cursor), into.as_string(cursor)

    def work() -> None:
        reader = subprocess.Popen(
            _psql(sides, sides.read(source), commands[0]),
            stdout=subprocess.PIPE,
            env=_login(sides.read(source)),
        )
        writer = subprocess.Popen(
            _psql(sides, sides.write(target), commands[1]),
            stdin=reader.stdout,
            env=_login(sides.write(target)),
        )
        assert reader.stdout is not None
        reader.stdout.close()
        if writer.wait() or reader.wait():
            raise RuntimeError(f"psql could not copy {table}")

    return sides.meter.run(work)[0]


def _psql(sides: Sides, login: DatabaseSettings, command: str) -> list[str]:
    return [
        str(sides.source.bin_dir / "psql"),
        "-qX",
        "-v",
        "ON_ERROR_STOP=1",
        "-d",
        login.name,
        "-c",
        command,
    ]


def _login(login: DatabaseSettings) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", ""),
        "PGHOST": login.host,
        "PGPORT": str(login.port),
        "PGUSER": login.user,
        "PGPASSWORD": login.password,
    }


def _expect(counts: dict[str, Any], rows: int, **more: object) -> None:
    wanted = {"source_rows": rows, "mirror_rows": rows, **more}
    if any(counts[name] != value for name, value in wanted.items()):
        raise RuntimeError(f"expected of the mirror: {wanted}; found: {counts}")


# -- peers ----------------------------------------------------------------------------------------------------------


def _beside_peers(sides: Sides, outcome: Outcome) -> None:
    """Full mirrors of fewer rows beside sling and dlt, the pipe of two psql beside both."""
    bench = sides.bench
    sling, dlt = _version("sling", outcome), _version("dlt", outcome)
    backends = [
        name for name in DLT_BACKENDS if dlt and _version(name, outcome) and _version("pyarrow", outcome)
    ]
    for table, count in sides.some.items():
        series: dict[str, list[Reading]] = {"pipe": [], "ours": []}
        theirs = ([f"sling {sling}"] if sling else []) + (
            [f"dlt {dlt}, {name}" for name in backends] if table == WIDE else []
        )
        if not theirs:
            continue
        for number in range(1, bench.repetitions + 1):
            bench.say(
                f"mirroring {count:,} {table} beside {', '.join(theirs)}, {number} of {bench.repetitions}"
            )
            with sides.warehouse() as target:
                series["pipe"].append(_pipe(sides, "odoo_some", target, table))
            with sides.warehouse() as target:
                result = sides.sync("odoo_some", target, table)
            _expect(result["tables"][table], count, method="load")
            series["ours"].append(reading(result["reading"]))
            for name in theirs:
                with sides.warehouse() as target:
                    if name.startswith("sling"):
                        found = _sling(sides, "odoo_some", target, table, "full")
                        _count(sides, target, f"sling.{table}", count)
                    else:
                        found = _dlt(sides, "odoo_some", target, table, name.rpartition(" ")[2])
                        _count(sides, target, f"loaded.{table}", count)
                    series.setdefault(name, []).append(found)
        what = f"{count:,} {table}, row hashes"
        ours = Series(series["ours"], count)
        outcome.rows.append(
            Row(
                "mirror",
                what,
                "psql COPY | psql COPY",
                ours,
                Series(series["pipe"], count),
                Asked("at least", 0.6),
                counts=False,
            )
        )
        best = min(
            (name for name in theirs if name.startswith("dlt")),
            key=lambda name: Series(series[name]).seconds,
            default="",
        )
        for name in theirs:
            asked = Asked("at least", 3.0 if name.startswith("sling") else 8.0)
            counts = name.startswith("sling") or name == best
            outcome.rows.append(
                Row("mirror", what, name, ours, Series(series[name], count), asked, counts=counts)
            )


def _version(package: str, outcome: Outcome) -> str | None:
    """The version of a peer; None, with a note, when it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        note = f"mirror: {package} is not installed (make bench installs it), so nothing beside it"
        if note not in outcome.notes:
            outcome.notes.append(note)
        return None


def _sling(sides: Sides, source: str, target: str, table: str, mode: str) -> Reading:
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


def _dlt(sides: Sides, source: str, target: str, table: str, backend: str, **more: Any) -> Reading:
    folder = sides.bench.server.folder / f"dlt-{target}"
    if not more:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(exist_ok=True)
    result = sides.worker(
        "dlt_copy", source, target, table=table, backend=backend, folder=str(folder), **more
    )
    return reading(result["reading"])


def _count(sides: Sides, target: str, table: str, rows: int) -> None:
    with sides.bench.server.session(target) as connection, connection.cursor() as cursor:
        cursor.execute(sql.SQL("select count(*) from {}").format(sql.Identifier(*table.split("."))))
        (found,) = cursor.fetchall()[0]
    if found != rows:
        raise RuntimeError(f"{table} holds {found:,} rows, {rows:,} were to be mirrored")


# -- what changed ---------------------------------------------------------------------------------------------------


def _incremental(sides: Sides, outcome: Outcome) -> None:
    """1 % of the rows edited: our sync, the bare upsert, sling and dlt, each into a full mirror of its own."""
    bench = sides.bench
    sling, dlt = _version("sling", outcome), _version("dlt", outcome) and _version("pyarrow", outcome)
    with sides.warehouse() as target:
        for table, count in sides.rows.items():
            bench.say(f"full mirrors of {table} to follow its edits")
            sides.sync("odoo", target, table)
            _pipe(sides, "odoo", target, table)
            columns = [column.name for column in spec_of(f"odoo_{table}").columns]
            names = sql.SQL(", ").join(map(sql.Identifier, columns))
            parts = {
                "table": sql.Identifier(table),
                "columns": names,
                "owner": sql.Identifier(ODOO_APN_WRITER),
            }
            _statements(
                sides, target,
                "create table sling.{table} as select {columns} from bare.{table}",
                "create unique index on sling.{table} (id)",
                "alter table sling.{table} owner to {owner}",
                "create unique index on bare.{table} (id)",
                "analyze sling.{table}", "analyze bare.{table}", **parts,
            )  # fmt: skip
            compared = [
                "ours",
                "bare",
                "again",
                *(["sling"] if sling else []),
                *(["dlt"] if dlt and table == WIDE else []),
            ]
            series: dict[str, list[Reading]] = {name: [] for name in compared}
            sweeps: list[float] = []
            for number in range(bench.repetitions + 1):
                bench.say(f"1 % of {table} edited, {number} of {bench.repetitions}")
                since = _edit(sides, table, number)
                changed = -(-(count - number) // 100)
                if "dlt" in series and number == 0:
                    # dlt makes its table from the first rows it sees; the others are put beside them.
                    _dlt(sides, "odoo", target, table, "pyarrow", since=since)
                    _fill_dlt(sides, target, table)
                sides.settle()
                bare = sides.worker("bare_upsert", "odoo", target, table=table, columns=columns)
                if bare["rows"] != changed:
                    raise RuntimeError(f"{changed} rows were edited, the upsert got {bare['rows']}")
                one = {"bare": reading(bare["reading"])}
                result = sides.sync("odoo", target, table)
                _expect(result["tables"][table], count, method="incremental", updated=changed, inserted=0)
                one["ours"] = reading(result["reading"])
                if "sling" in series:
                    one["sling"] = _sling(sides, "odoo", target, table, "incremental")
                if "dlt" in series and number:
                    one["dlt"] = _dlt(sides, "odoo", target, table, "pyarrow", since=since)
                before = _written(sides, target)
                again = sides.sync("odoo", target, table)
                one["again"] = reading(again["reading"])
                if written := _written(sides, target) - before:
                    raise RuntimeError(f"a sync with nothing changed wrote {written} rows of {table}")
                if number:
                    sweeps.append(result["sweep"])
                    for name, found in one.items():
                        series[name].append(found)
            _same_content(sides, target, table, ["sling"] if "sling" in series else [], outcome)
            what = f"1 % of {count:,} {table} edited"
            ours = Series(series["ours"], changed)
            unswept = Series(
                [
                    Reading(found.seconds - sweep, found.client_cpu, found.server_cpu)
                    for found, sweep in zip(series["ours"], sweeps, strict=True)
                ],
                changed,
            )
            limit = Series(series["bare"], changed)
            outcome.rows.append(
                Row(
                    "mirror",
                    f"{what}, without the key sweep",
                    "stage + upsert",
                    unswept,
                    limit,
                    Asked("at most", 1.5),
                )
            )
            outcome.rows.append(
                Row("mirror", what, "stage + upsert", ours, limit, Asked("at most", 1.5), counts=False)
            )
            if "sling" in series:
                outcome.rows.append(
                    Row(
                        "mirror",
                        what,
                        f"sling {sling}",
                        ours,
                        Series(series["sling"], changed),
                        Asked("at least", 2.5),
                    )
                )
            if "dlt" in series:
                outcome.rows.append(
                    Row(
                        "mirror",
                        what,
                        f"dlt {_version('dlt', outcome)} merge, pyarrow",
                        ours,
                        Series(series["dlt"], changed),
                        Asked("at least", 10.0),
                    )
                )
            load = Series(bench.kept[f"mirror {table}"], count)
            outcome.rows.append(
                Row(
                    "mirror",
                    f"nothing changed in {count:,} {table}",
                    "loading them",
                    Series(series["again"], count),
                    load,
                    Asked("at most", 1.0),
                    counts=False,
                )
            )
            outcome.notes.append(
                f"mirror: {table}: the key sweep took {min(sweeps):.2f}-{max(sweeps):.2f} s of an incremental sync;"
                " rows written with nothing changed: 0"
            )


def _statements(sides: Sides, target: str, *texts: str, **parts: sql.Composable) -> None:
    with sides.bench.server.session(target) as connection, connection.cursor() as cursor:
        for text in texts:
            cursor.execute(sql.SQL(text).format(**parts))


def _edit(sides: Sides, table: str, number: int) -> str:
    """Edit every hundredth row of the source; the highest mark before that."""
    name = sql.Identifier(table)
    with sides.source.session("odoo") as connection, connection.cursor() as cursor:
        cursor.execute(sql.SQL("select max(write_date)::text from {}").format(name))
        (before,) = cursor.fetchall()[0]
        # The generator's last day may not be over yet: an edit is later than all that was before, whatever the clock.
        cursor.execute(
            sql.SQL(
                "update {} set write_date = %s::timestamp + interval '1 second' where id %% 100 = %s"
            ).format(name),
            (before, number + 1),
        )
    return str(before)


def _fill_dlt(sides: Sides, target: str, table: str) -> None:
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


def _written(sides: Sides, target: str) -> int:
    """Rows inserted, updated and deleted so far in RAW and CORE, as Postgres counts them."""
    with sides.bench.server.session(target) as connection, connection.cursor() as cursor:
        for _ in range(200):
            # A backend reports its counts when it ends, a moment after its client has gone.
            cursor.execute(
                "select count(*) from pg_stat_activity where datname = current_database()"
                " and pid <> pg_backend_pid() and backend_type = 'client backend'"
            )
            if cursor.fetchall() == [(0,)]:
                break
            time.sleep(0.02)
        cursor.execute(
            "select coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::bigint from pg_stat_user_tables"
            " where schemaname in ('raw', 'core')"
        )
        return int(cursor.fetchall()[0][0])


def _same_content(sides: Sides, target: str, table: str, others: list[str], outcome: Outcome) -> None:
    """The mirror holds what the bare upsert made, row by row; whether the peers do is noted."""
    names = sql.SQL(", ").join(sql.Identifier(column.name) for column in spec_of(f"odoo_{table}").columns)
    found: dict[str, object] = {}
    with sides.bench.server.session(target) as connection, connection.cursor() as cursor:
        for schema, name in (
            ("bare", table),
            ("raw", f"odoo_{table}"),
            *((other, table) for other in others),
        ):
            cursor.execute(
                sql.SQL("select sum(hash_record_extended(row({}), 0)) from {}").format(
                    names, sql.Identifier(schema, name)
                )
            )
            found[schema] = cursor.fetchall()[0][0]
    if found["raw"] != found["bare"]:
        raise RuntimeError(f"the mirror of {table} does not hold what the upsert made")
    for other in others:
        same = "the same" if found[other] == found["bare"] else "NOT the same"
        outcome.notes.append(f"mirror: {table}: after the edits {other} holds {same} values as psql")
