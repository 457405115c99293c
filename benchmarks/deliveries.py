"""`deliveries`: a tenant's file of 1,000,000 orders into `shoppulse.orders`, against a bare COPY of the same rows.

Ours is what an asset does: the ledger, the file's rows read and checked by all rules, keys compared within the file and
with the table, rows and days to be computed again stored in one transaction. The bucket is a folder. The COPY is of the
same rows as CSV into a table with the same columns, keys, foreign key and indexes, no row security (COPY refuses it).
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final

import msgspec

from benchmarks.bench import Bench, Outcome, reading
from benchmarks.documents import FOLDER
from benchmarks.measuring import Meter, Series, peak_rss_mib
from benchmarks.report import Asked, Row
from benchmarks.server import COMMERCE_WRITER
from commerce_assets.objects import ObjectVersion, Page, UploadStore

ROWS = 1_000_000
VERSION = 1
COLUMNS: Final = (
    *("order_id", "order_date", "store_id", "region", "channel", "order_status", "items_count"),
    *("gross_revenue", "discount_amount", "net_revenue", "currency"),
)
TENANT: Final = "T001"
PREFIX: Final = "BENCH_DELIVERIES_"
BARE = """
create table shoppulse.bare_orders (like shoppulse.orders including all);
alter table shoppulse.bare_orders add foreign key (tenant_id) references shoppulse.tenants (tenant_id);
alter table shoppulse.bare_orders alter column tenant_id set default 'T001';
grant insert on shoppulse.bare_orders to commerce_writer;
insert into shoppulse.tenants (tenant_id, tenant_name) values ('T001', 'Benchmark')
"""


def run(bench: Bench) -> Outcome:
    files = _prepared(bench)
    found: dict[str, list[dict[str, Any]]] = {"copy": [], "csv": [], "parquet": []}
    for _ in range(bench.repetitions):
        for side, results in found.items():
            bench.say(f"{side}: {ROWS:,} orders")
            with bench.server.warehouse() as database:
                with bench.server.session(database) as connection, connection.cursor() as cursor:
                    cursor.execute(BARE)
                bench.server.checkpoint()
                settings = bench.server.settings(database, COMMERCE_WRITER)
                names = {
                    "HOST": settings.host, "PORT": str(settings.port), "NAME": settings.name,
                    "USER": settings.user, "PASSWORD": settings.password,
                }  # fmt: skip
                results.append(
                    bench.worker(
                        "benchmarks.deliveries:measure",
                        database,
                        environment={f"{PREFIX}{name}": value for name, value in names.items()},
                        side=side,
                        path=str(files["csv" if side == "copy" else side]),
                    )
                )
    series = {
        side: Series([reading(one["reading"]) for one in results], ROWS) for side, results in found.items()
    }
    outcome = Outcome()
    for side, words in (("csv", "CSV"), ("parquet", "Parquet")):
        outcome.rows.append(
            Row(
                "deliveries",
                f"{ROWS:,} orders of a tenant, {words}, loaded",
                "COPY of the same rows, same keys and indexes",
                series[side],
                series["copy"],
                Asked("at least", 0.7, rss=300),
                max(one["rss"] for one in found[side]),
            )
        )
    sizes = ", ".join(f"{name} {path.stat().st_size / 1e6:.0f} MB" for name, path in files.items())
    outcome.notes.append(
        f"deliveries: {sizes}; read, checked, compared, stored and noted in one transaction; the bucket is a folder"
    )
    return outcome


def measure(server_pid: int, side: str, path: str) -> dict[str, Any]:
    """One side; runs in a worker. Imports and the connection come before the clock."""
    import numpy  # noqa: F401
    import polars  # noqa: F401

    from resources.database import connect
    from resources.settings import DatabaseSettings

    given = {name: os.environ[PREFIX + name] for name in ("HOST", "PORT", "NAME", "USER", "PASSWORD")}
    settings = DatabaseSettings(
        given["HOST"], int(given["PORT"]), given["NAME"], given["USER"], given["PASSWORD"], "disable"
    )
    connection = connect(settings, application_name="benchmark")
    meter = Meter(server_pid)
    if side == "copy":

        def copy() -> int:
            with connection, connection.cursor() as cursor, open(path, "rb") as file:
                cursor.copy_expert(
                    f"copy shoppulse.bare_orders ({', '.join(COLUMNS)}) from stdin (format csv, header)",
                    file,
                    1 << 20,
                )
                return int(cursor.rowcount)

        taken, stored = meter.run(copy)
    else:
        from commerce_assets.ledger import scan
        from commerce_assets.shoppulse.deliveries import TABLES
        from commerce_assets.shoppulse.loading import DELIVERIES, Loading, dataset, load
        from resources.leases import lease
        from resources.sql import Session

        table, store = TABLES["orders"], _Folder(path)
        session = Session(lambda retry: connection)

        def deliver() -> int:
            with lease(settings, dataset(table), None, holder="benchmark", execution_id=None) as held:
                scan(session, store, ledger=DELIVERIES)
                return load(Loading(session, store, held, table)).stored

        taken, stored = meter.run(deliver)
    connection.close()
    if stored != ROWS:
        raise RuntimeError(f"{side} stored {stored:,} of {ROWS:,} rows")
    return {"reading": msgspec.to_builtins(taken), "rss": peak_rss_mib()}


class _Folder(UploadStore):
    """A bucket with one object, which is a file."""

    def __init__(self, path: str) -> None:
        self.bucket, self._path = "benchmark", Path(path)

    def versions(self, prefix: str, key_marker: str | None = None, version_marker: str | None = None) -> Page:
        found = ObjectVersion(
            f"{prefix}{TENANT}/orders/{self._path.name}", "null", "etag", self._path.stat().st_size, datetime.now(UTC)
        )  # fmt: skip
        return Page((found,), (), None, None)

    @contextmanager
    def reading(self, version: ObjectVersion) -> Iterator[IO[bytes]]:
        with self._path.open("rb") as stream:
            yield stream


def _prepared(bench: Bench) -> dict[str, Path]:
    """The orders of two years as CSV and as Parquet; generated when there are none yet."""
    import polars as pl

    FOLDER.mkdir(mode=0o700, parents=True, exist_ok=True)
    files = {kind: FOLDER / f"orders-{ROWS}-{VERSION}.{kind}" for kind in ("csv", "parquet")}
    if all(path.exists() for path in files.values()):
        return files
    bench.say(f"{ROWS:,} orders, generated once")
    partial = {kind: path.with_name(f"{path.name}.{os.getpid()}.partial") for kind, path in files.items()}
    generator = random.Random(12)
    with partial["csv"].open("w", encoding="utf-8", newline="") as file:
        file.write(",".join(COLUMNS) + "\n")
        file.writelines(_line(generator, number) for number in range(ROWS))
    text = pl.read_csv(partial["csv"], infer_schema=False)
    amounts = ("gross_revenue", "discount_amount", "net_revenue")
    text.with_columns(
        pl.col("order_date").str.to_date(),
        pl.col("items_count").cast(pl.Int32),
        *(pl.col(name).cast(pl.Decimal(10, 2)) for name in amounts),
    ).write_parquet(partial["parquet"])
    for kind, path in files.items():
        partial[kind].replace(path)
    return files


def _line(generator: random.Random, number: int) -> str:
    gross = generator.randint(500, 99_999)
    discount = gross // 10 if number % 4 == 0 else 0
    day = f"{2023 + number % 2}-{generator.randint(1, 12):02}-{generator.randint(1, 28):02}"
    cells = (
        f"O{number:08}", day, f"ST{number % 50:03}", ("NA", "EU", "GCC", "APAC")[number % 4],
        ("Web", "App", "Marketplace")[number % 3], "Delivered", str(number % 5 + 1),
        f"{gross / 100:.2f}", f"{discount / 100:.2f}", f"{(gross - discount) / 100:.2f}", "USD",
    )  # fmt: skip
    return ",".join(cells) + "\n"
