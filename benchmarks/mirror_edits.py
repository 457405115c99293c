"""The second half of `mirror`: 1 % of the rows edited, then nothing; our sync, the bare upsert, sling and dlt."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from psycopg2 import sql

from benchmarks.bench import Outcome, reading
from benchmarks.measuring import Reading, Series
from benchmarks.mirror_peers import fill_dlt, installed, run_dlt, run_sling
from benchmarks.mirror_sides import WIDE, Sides, expect, pipe
from benchmarks.report import Asked, Row
from benchmarks.server import ODOO_APN_WRITER
from odoo_apn_assets.specs import spec_of


@dataclass
class _Edits:
    """What following the edits of one table took, by who did it; `sweeps` is our sync's comparison of all keys."""

    changed: int
    series: dict[str, list[Reading]] = field(default_factory=dict)
    sweeps: list[float] = field(default_factory=list)

    def of(self, name: str, units: int | None = None) -> Series:
        return Series(self.series[name], units or self.changed)


def incremental(sides: Sides, outcome: Outcome) -> None:
    """1 % of the rows edited: our sync, the bare upsert, sling and dlt, each into a full mirror of its own."""
    sling, dlt = installed("sling", outcome), installed("dlt", outcome) and installed("pyarrow", outcome)
    peers = {"sling": f"sling {sling}"} if sling else {}
    with sides.warehouse() as target:
        for table in sides.rows:
            names = peers | (
                {"dlt": f"dlt {installed('dlt', outcome)} merge, pyarrow"} if dlt and table == WIDE else {}
            )
            _prepare(sides, target, table)
            edits = _follow(sides, target, table, set(names))
            _same_content(sides, target, table, ["sling"] if sling else [], outcome)
            if "dlt" in names:
                _same_marks(sides, target, table)
            _report(sides, table, edits, names, outcome)


def _prepare(sides: Sides, target: str, table: str) -> None:
    """Full mirrors: ours, and copies of what psql brought over for the upsert and for sling."""
    sides.bench.say(f"full mirrors of {table} to follow its edits")
    sides.sync("odoo", target, table)
    pipe(sides, "odoo", target, table)
    names = sql.SQL(", ").join(sql.Identifier(column.name) for column in spec_of(f"odoo_{table}").columns)
    parts = {"table": sql.Identifier(table), "columns": names, "owner": sql.Identifier(ODOO_APN_WRITER)}
    _statements(
        sides, target,
        "create table sling.{table} as select {columns} from bare.{table}",
        "create unique index on sling.{table} (id)",
        "alter table sling.{table} owner to {owner}",
        "create unique index on bare.{table} (id)",
        "analyze sling.{table}", "analyze bare.{table}", **parts,
    )  # fmt: skip


def _follow(sides: Sides, target: str, table: str, peers: set[str]) -> _Edits:
    """Edit and follow, once for warming up and once for each repetition."""
    bench, count = sides.bench, sides.rows[table]
    columns = [column.name for column in spec_of(f"odoo_{table}").columns]
    edits = _Edits(count // 100)
    for number in range(bench.repetitions + 1):
        bench.say(f"1 % of {table} edited, {number} of {bench.repetitions}")
        since = _edit(sides, table, number)
        if "dlt" in peers and number == 0:
            # dlt makes its table from the first rows it sees; the others are put beside them.
            run_dlt(sides, "odoo", target, table, "pyarrow", since=since)
            fill_dlt(sides, target, table)
        sides.settle()
        bare = sides.worker("bare_upsert", "odoo", target, table=table, columns=columns)
        if bare["rows"] != edits.changed:
            raise RuntimeError(f"{edits.changed} rows were edited, the upsert got {bare['rows']}")
        ours = sides.sync("odoo", target, table)
        expect(ours["tables"][table], count, method="incremental", updated=edits.changed, inserted=0)
        one = {"bare": reading(bare["reading"]), "ours": reading(ours["reading"])}
        if "sling" in peers:
            one["sling"] = run_sling(sides, "odoo", target, table, "incremental")
        if "dlt" in peers and number:
            one["dlt"] = run_dlt(sides, "odoo", target, table, "pyarrow", since=since, rows=edits.changed)
        before = _written(sides, target)
        one["again"] = reading(sides.sync("odoo", target, table)["reading"])
        if written := _written(sides, target) - before:
            raise RuntimeError(f"a sync with nothing changed wrote {written} rows of {table}")
        if number:
            edits.sweeps.append(ours["sweep"])
            for name, found in one.items():
                edits.series.setdefault(name, []).append(found)
    return edits


def _report(sides: Sides, table: str, edits: _Edits, peers: dict[str, str], outcome: Outcome) -> None:
    count = sides.rows[table]
    what = f"1 % of {count:,} {table} edited"
    # The sweep's CPU time is not told apart and stays in.
    unswept = Series(
        [
            Reading(found.seconds - sweep, found.client_cpu, found.server_cpu)
            for found, sweep in zip(edits.series["ours"], edits.sweeps, strict=True)
        ],
        edits.changed,
    )
    ours, bare, limit = edits.of("ours"), edits.of("bare"), "stage + upsert"

    def row(what: str, against: str, ours: Series, theirs: Series, asked: Asked, counts: bool = True) -> None:
        outcome.rows.append(Row("mirror", what, against, ours, theirs, asked, counts=counts))

    row(f"{what}, without the key sweep", limit, unswept, bare, Asked("at most", 1.5))
    row(what, limit, ours, bare, Asked("at most", 1.5), counts=False)
    for name, shown in peers.items():
        asked = Asked("at least", 2.5 if name == "sling" else 10.0)
        row(what, shown, ours, edits.of(name), asked)
        row(f"{what}, without the key sweep", shown, unswept, edits.of(name), asked, counts=False)
    load = Series(sides.bench.kept[f"mirror {table}"], count)
    again = edits.of("again", count)
    row(
        f"nothing changed in {count:,} {table}",
        "loading them",
        again,
        load,
        Asked("at most", 1.0),
        counts=False,
    )
    outcome.notes.append(
        f"mirror: {table}: the key sweep took {min(edits.sweeps):.2f}-{max(edits.sweeps):.2f} s of an incremental"
        " sync; neither sling nor dlt looks for deleted rows; rows written with nothing changed: 0"
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


def _same_marks(sides: Sides, target: str, table: str) -> None:
    """dlt names some columns otherwise and keeps fewer digits; that it merged the edits is seen by their marks."""
    with sides.bench.server.session(target) as connection, connection.cursor() as cursor:
        found = set()
        for schema in ("bare", "loaded"):
            cursor.execute(
                sql.SQL("select count(*), sum(hashtext(id || ' ' || write_date)) from {}").format(
                    sql.Identifier(schema, table)
                )
            )
            found.add(cursor.fetchall()[0])
    if len(found) != 1:
        raise RuntimeError(f"dlt has not merged the edits of {table}")


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
