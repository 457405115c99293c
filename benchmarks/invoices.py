"""`invoices`: 20,000 invoices to raw JSONB and reconciled lines, beside COPY of the same JSON, and beside dlt.

The limit is one COPY of the same bytes into a table without an index, its JSONB stored as in `fullbay_raw_data`. Also
shown: COPY into `fullbay_raw_data` itself, with all of its indexes, which no load can avoid.
"""

from __future__ import annotations

from typing import Any

import msgspec
from psycopg2 import sql

from benchmarks.bench import Bench, Outcome, reading
from benchmarks.documents import COPY_OPTIONS, Documents
from benchmarks.measuring import Reading, Series
from benchmarks.report import Asked, Row

WARM_UP = 1_000
PEER_INVOICES = 3_000
"""dlt is measured on fewer, and so are we beside it: its rate does not change with the number."""

STORAGE = {"p": "plain", "e": "external", "x": "extended", "m": "main"}


def run(bench: Bench) -> Outcome:
    documents = bench.documents()
    loads = measured_loads(bench, documents)
    outcome = Outcome()
    ours = Series([one["readings"]["ingest"] + one["readings"]["lines"] for one in loads], documents.count)
    rss = max(one["rss"] for one in loads)
    what = f"{documents.count:,} invoices, raw + {loads[0]['lines']:,} lines"
    asked = Asked("at most", 2.0, rss=300)
    bare = Series([one["bare"] for one in loads], documents.count)
    outcome.rows.append(Row("invoices", what, "COPY of the JSON, bare table", ours, bare, asked, rss))
    indexed = Series([one["indexed"] for one in loads], documents.count)
    outcome.rows.append(
        Row(
            "invoices", what, "COPY into fullbay_raw_data", ours, indexed, Asked("at most", 2.0), counts=False
        )
    )
    steps = {name: Series([one["readings"][name] for one in loads]) for name in ("ingest", "lines")}
    outcome.notes.append(
        "invoices: "
        + ", ".join(
            f"{name} {series.seconds:.2f} s ({series.client_cpu:.1f} + {series.server_cpu:.1f} CPU s)"
            for name, series in steps.items()
        )
        + f"; {documents.size / 1e6:.0f} MB of JSON; {loads[0]['quarantined']} quarantined, "
        f"{loads[0]['unreconciled']} not reconciled"
    )
    _beside_dlt(bench, bench.documents(PEER_INVOICES), outcome)
    return outcome


def measured_loads(bench: Bench, documents: Documents) -> list[dict[str, Any]]:
    """Load, and re-read, the documents once for each repetition, between the two COPYs of the limit.

    `unchanged` reads the same measurements; the COPYs are left out when only that is asked for.
    """
    if "loads" in bench.kept:
        kept: list[dict[str, Any]] = bench.kept["loads"]
        return kept
    with_limits = "invoices" in bench.chosen
    bench.say("warming up")
    few = bench.documents(WARM_UP)
    with bench.server.warehouse() as database:
        bench.load(few, database, reread=True)
        copy_bare(bench, few, database)
    loads = []
    for number in range(1, bench.repetitions + 1):
        bench.say(f"loading {documents.count:,} invoices, {number} of {bench.repetitions}")
        one: dict[str, Any] = {}
        if with_limits:
            with bench.server.warehouse() as database:
                one["bare"] = copy_bare(bench, documents, database)
            with bench.server.warehouse() as database:
                one["indexed"] = copy_indexed(bench, documents, database)
        with bench.server.warehouse() as database:
            one |= bench.load(documents, database, reread="unchanged" in bench.chosen)
        loads.append(one)
    bench.kept["loads"] = loads
    return loads


def copy_bare(bench: Bench, documents: Documents, database: str) -> Reading:
    """COPY the documents into a table that has nothing but them; JSONB stored as in fullbay_raw_data."""
    with bench.server.session(database) as connection, connection.cursor() as cursor:
        cursor.execute(
            "create table public.documents"
            " (id bigserial, fullbay_invoice_id varchar(50) not null, raw_json_data jsonb not null)"
        )
        cursor.execute(
            "select attstorage, attcompression from pg_attribute"
            " where attrelid = 'fullbay.fullbay_raw_data'::regclass and attname = 'raw_json_data'"
        )
        storage, compression = cursor.fetchall()[0]
        cursor.execute(
            sql.SQL("alter table public.documents alter raw_json_data set storage {}").format(
                sql.SQL(STORAGE[storage])
            )
        )
        if compression == "l":
            cursor.execute("alter table public.documents alter raw_json_data set compression lz4")
    return _copy(bench, documents, database, "public.documents")


def copy_indexed(bench: Bench, documents: Documents, database: str) -> Reading:
    """COPY the documents into fullbay_raw_data as it is, with its indexes."""
    return _copy(bench, documents, database, "fullbay.fullbay_raw_data")


def _copy(bench: Bench, documents: Documents, database: str, table: str) -> Reading:
    statement = sql.SQL("copy {} (fullbay_invoice_id, raw_json_data) from stdin ({})").format(
        sql.Identifier(*table.split(".")), sql.SQL(COPY_OPTIONS)
    )
    with (
        bench.server.session(database) as connection,
        connection.cursor() as cursor,
        open(documents.path, "rb") as file,
    ):
        reading, _ = bench.meter.run(lambda: cursor.copy_expert(statement, file, 1 << 20))
        if cursor.rowcount != documents.count:
            raise RuntimeError(f"{documents.count} documents were given, COPY stored {cursor.rowcount}")
    return reading


def _beside_dlt(bench: Bench, documents: Documents, outcome: Outcome) -> None:
    try:
        import importlib.metadata

        version = importlib.metadata.version("dlt")
    except importlib.metadata.PackageNotFoundError:
        outcome.notes.append("invoices: dlt is not installed (make bench installs it), so nothing beside it")
        return
    ours: list[Reading] = []
    peers: dict[bool, list[dict[str, Any]]] = {False: [], True: []}
    for number in range(bench.repetitions + 1):
        bench.say(f"loading {documents.count:,} invoices beside dlt, {number} of {bench.repetitions}")
        warm_up = number == 0
        some = bench.documents(WARM_UP) if warm_up else documents
        with bench.server.warehouse() as database:
            steps = bench.load(some, database)["readings"]
        results = {complete: _dlt(bench, some, complete) for complete in peers}
        if not warm_up:
            ours.append(steps["ingest"] + steps["lines"])
            for complete, result in results.items():
                peers[complete].append(result)
    names = {
        False: f"dlt {version}, tables only",
        True: f"dlt {version}, tables + document, exact",
    }
    for complete, name in names.items():
        theirs = Series([reading(one["reading"]) for one in peers[complete]], documents.count)
        outcome.rows.append(
            Row(
                "invoices",
                f"{documents.count:,} invoices, raw + lines",
                name,
                Series(ours, documents.count),
                theirs,
                Asked("at least", 4.0),
            )
        )
        last = peers[complete][-1]
        outcome.notes.append(
            f"invoices: {name}: {documents.count / theirs.seconds:,.0f} invoices/s, RSS {last['rss']:.0f} MiB, "
            f"{len(last['tables'])} tables of {sum(last['tables'].values()):,} rows, sum of totals {last['total']}"
        )


def _dlt(bench: Bench, documents: Documents, complete: bool) -> dict[str, Any]:
    with bench.server.warehouse(migrated=False) as database:
        folder = bench.server.folder / f"dlt-{database}"
        folder.mkdir()
        result: dict[str, Any] = bench.worker(
            "benchmarks.dlt_load:load",
            database,
            documents=msgspec.to_builtins(documents),
            folder=str(folder),
            complete=complete,
        )
        return result
