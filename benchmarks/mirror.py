"""`mirror`: two Odoo tables from one Postgres server into another, beside psql, bare statements, sling and dlt.

The limit of a full mirror is `psql COPY binary | psql COPY binary` into a table with the same columns and four of
metadata, without an index; that of an incremental one is COPY of the changed rows into a temporary table and one
upsert. sling and dlt are measured on fewer rows where all are read, and so are we beside them.
"""

from __future__ import annotations

import secrets

from benchmarks.bench import Bench, Outcome, reading
from benchmarks.measuring import Reading, Series
from benchmarks.mirror_edits import incremental
from benchmarks.mirror_peers import installed, run_dlt, run_sling
from benchmarks.mirror_sides import READER, WIDE, Sides, expect, expect_rows, pipe
from benchmarks.report import Asked, Row
from benchmarks.server import guarded_server
from odoo_apn_assets.specs import spec_of
from sandbox.odoo_apn.build import build_odoo

ROWS = {"crm_lead": 200_000, "account_move_line": 1_000_000}
SOME = {"crm_lead": 50_000, "account_move_line": 200_000}
"""The peers take as many seconds a row however many there are, and a minute for all of them."""
DLT_BACKENDS = ("connectorx", "pyarrow")


def run(bench: Bench) -> Outcome:
    rows, some = (
        {table: max(100, round(count * bench.scale / 100) * 100) for table, count in of.items()}
        for of in (ROWS, SOME)
    )
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
                pipe(sides, "odoo_some", target, table)
                sides.sync("odoo_some", target, table)
        _full(sides, outside, outcome)
        _beside_peers(sides, outcome)
        incremental(sides, outcome)
    return outcome


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
                piped.append(pipe(sides, "odoo", target, table))
            for hashed, found in ours.items():
                with sides.warehouse() as target:
                    result = sides.sync("odoo", target, table, row_hashes=hashed)
                expect(result["tables"][table], count, method="load")
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


# -- peers ----------------------------------------------------------------------------------------------------------


def _beside_peers(sides: Sides, outcome: Outcome) -> None:
    """Full mirrors of fewer rows beside sling and dlt, the pipe of two psql beside both."""
    bench = sides.bench
    sling, dlt = installed("sling", outcome), installed("dlt", outcome)
    backends = [
        name for name in DLT_BACKENDS if dlt and installed(name, outcome) and installed("pyarrow", outcome)
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
                series["pipe"].append(pipe(sides, "odoo_some", target, table))
            with sides.warehouse() as target:
                result = sides.sync("odoo_some", target, table)
            expect(result["tables"][table], count, method="load")
            series["ours"].append(reading(result["reading"]))
            for name in theirs:
                with sides.warehouse() as target:
                    if name.startswith("sling"):
                        found = run_sling(sides, "odoo_some", target, table, "full")
                        expect_rows(sides, target, f"sling.{table}", count)
                    else:
                        found = run_dlt(sides, "odoo_some", target, table, name.rpartition(" ")[2])
                        expect_rows(sides, target, f"loaded.{table}", count)
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
