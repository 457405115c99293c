"""`vendor_way`: a vendor's file of 1,000,000 rows all the way into a catalogue of 1,000,000 products, DynamoDB apart.

A tenth of the rows are products of the vendor that stay as they are, a twentieth change, a hundredth ask for a SKU of
another vendor's product, a twentieth break a rule; the rest, 79 of 100, are new. Ours: read, all rules, staged, applied
to the catalogue with the difference of each field, completed; three transactions, as in production.

Beside it pandas and DuckDB with ten of the rules (`vendor_csv`), in two ways. The same product: accepted rows copied
into a temporary table, those whose SKU is taken told apart, the rest upserted into the same catalogue, errors with
reasons and the row as it came into the same table. A plain table: the catalogue's keys read, accepted rows copied into
a table without an index and errors into another; beside it stands what we need until accepted rows and errors are in
Postgres, all but the writing of the catalogue itself. All agree on every row; the catalogues are compared at the end.
"""

from __future__ import annotations

# ruff: noqa: S608 - every name in a statement is a constant of this module.
import contextlib
import io
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from benchmarks.bench import Bench, Outcome, reading
from benchmarks.measuring import Meter, Reading, Series, peak_rss_mib
from benchmarks.report import Asked, Row
from benchmarks.server import COMMERCE_WRITER
from benchmarks.vendor_csv import CATEGORIES, HEADER, ROWS, checked_by_pandas, duckdb_query, prepared
from resources.database import connect
from resources.settings import DatabaseSettings
from resources.sql import Session, statement

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

VENDOR = "VEND001"
PREFIX = "BENCH_COMMERCE_"
COLUMNS: Final = HEADER.strip().split(",")
NAMES: Final = ", ".join(COLUMNS)
CATALOGUE_ITSELF: Final = frozenset({"log_updates", "park_skus", "update_products", "insert_products"})
"""The statements that write the catalogue and its history: what a plain table has nothing of."""

GIVEN = f"create temporary table given ({', '.join(f'{name} text' for name in COLUMNS)})"
FILL = """
insert into commerce.upload_history (upload_id, vendor_id, file_name, s3_key, status)
values ('UPLOAD_OLD_1', 'VEND001', 'f', 'f', 'completed'), ('UPLOAD_OLD_2', 'VEND002', 'f', 'f', 'completed');
insert into commerce.products (vendor_id, vendor_product_id, product_name, category, description, sku, brand, price,
    compare_at_price, stock_quantity, unit, weight_kg, dimensions_cm, image_url, upload_id, status)
select
    case when own then 'VEND001' else 'VEND002' end, case when own then vendor_product_id else 'X' || n end,
    case when broken then 'Product' else product_name end, case when broken then 'Books' else category end,
    nullif(description, ''), case when own or n % 100 = 9 then sku else 'CAT-' || n end, brand,
    case when broken then 1 else price::numeric + changed end,
    case when broken then null else nullif(compare_at_price, '')::numeric + changed end,
    case when broken then 1 else stock_quantity::integer end, unit, case when broken then 1 else weight_kg::numeric end,
    dimensions_cm, image_url, case when own then 'UPLOAD_OLD_1' else 'UPLOAD_OLD_2' end,
    case when not broken and stock_quantity::integer = 0 then 'out_of_stock' else 'active' end
from (
    select *, n % 20 = 7 as broken, n % 10 = 1 or n % 20 = 3 as own, case when n % 20 = 3 then 1 else 0 end as changed
    from (select *, substr(vendor_product_id, 2)::integer as n from given) as numbered
) as rows
"""
PLAIN = f"""
create schema plain authorization {COMMERCE_WRITER};
create table plain.accepted as select {NAMES} from commerce.products limit 0;
create table plain.errors (row_number integer, vendor_product_id text, reasons text, original text);
alter table plain.accepted owner to {COMMERCE_WRITER};
alter table plain.errors owner to {COMMERCE_WRITER}
"""
TAKEN = f"""
analyze staged;
create temporary table taken on commit drop as
select s.row_number from staged as s
join commerce.products as p
    on p.sku = s.sku and (p.vendor_id, p.vendor_product_id) <> ('{VENDOR}', s.vendor_product_id);
insert into commerce.validation_errors (upload_id, vendor_id, row_number, vendor_product_id, error_type, error_field,
    error_message, original_data)
select %(upload_id)s, '{VENDOR}', s.row_number, s.vendor_product_id, 'DUPLICATE_SKU', 'sku', 'another product has it',
    to_jsonb(s)
from staged as s join taken using (row_number)
"""
UPSERT = f"""
insert into commerce.products (vendor_id, {NAMES}, upload_id)
select '{VENDOR}', {NAMES}, %(upload_id)s from staged
where not exists (select from taken where taken.row_number = staged.row_number)
order by row_number
on conflict (vendor_id, vendor_product_id) do update
set {", ".join(f"{name} = excluded.{name}" for name in (*COLUMNS, "upload_id"))}
where ({", ".join(f"products.{name}" for name in COLUMNS)})
    is distinct from ({", ".join(f"excluded.{name}" for name in COLUMNS)})
"""
FLOOR = f"""
insert into commerce.products (vendor_id, {NAMES}, upload_id)
select '{VENDOR}', {NAMES}, %(upload_id)s from accepted order by row_number
"""
SUM = f"""
select count(*), sum(hashtextextended(concat_ws('|', vendor_id, {NAMES}, status), 0)::numeric)::text,
    (select count(*) from commerce.validation_errors)
from commerce.products
"""


def run(bench: Bench) -> Outcome:
    rows = round(ROWS * min(bench.scale, 1))
    path = prepared(bench, rows)
    found: dict[str, list[dict[str, Any]]] = {}
    sums: set[tuple[Any, ...]] = set()
    with bench.server.warehouse() as catalogue:
        bench.say(f"a catalogue of {rows:,} products")
        _fill(bench, catalogue, path)
        for _ in range(bench.repetitions):
            for engine, times in (("floor", 1), ("ours", 2), ("pandas", 2), ("duckdb", 2), ("pandas plain", 1),
                                  ("duckdb plain", 1)):  # fmt: skip
                with bench.server.warehouse(template=catalogue) as database:
                    for time in range(times):
                        name = f"{engine} again" if time else engine
                        bench.say(f"{name}: {rows:,} rows")
                        found.setdefault(name, []).append(_worker(bench, database, engine, path, time))
                        bench.server.checkpoint()
                        if engine in ("ours", "pandas", "duckdb"):
                            with bench.server.session(database) as connection, connection.cursor() as cursor:
                                cursor.execute(SUM)
                                sums |= {(time, *one) for one in cursor.fetchall()}
    if len(sums) != 2:
        raise RuntimeError(f"the catalogues are not the same after the three: {sorted(sums)}")
    series = {name: Series([reading(one["reading"]) for one in results]) for name, results in found.items()}
    until = Series([reading(one["until_catalogue"]) for one in found["ours"]])
    rss = max(one["rss"] for name in ("ours", "ours again") for one in found[name])
    versions = {engine: found[engine][0]["version"] for engine in ("pandas", "duckdb")}
    whole = f"{rows:,} rows, the whole way into a catalogue of {rows:,}"
    outcome = Outcome()
    for engine, bound in (("pandas", 2.0), ("duckdb", 0.8)):
        asked = Asked("at least", bound, rss=300)
        peer = f"{engine} {versions[engine]}"
        outcome.rows += [
            Row("vendor_way", f"{rows:,} rows: accepted rows and errors in Postgres", f"{peer}, plain tables", until,
                series[f"{engine} plain"], asked, rss),
            Row("vendor_way", whole, f"{peer}, the same product", series["ours"], series[engine], asked, rss),
            Row("vendor_way", whole, f"{peer}, plain tables", series["ours"], series[f"{engine} plain"], asked,
                counts=False),
            Row("vendor_way", "the same file again, nothing to write", f"{peer}, the same product",
                series["ours again"], series[f"{engine} again"], asked, counts=False),
        ]  # fmt: skip
    new = found["floor"][0]["accepted"]
    outcome.rows.append(
        Row("vendor_way", whole, f"one insert ... select of the {new:,} new products, nothing else", series["ours"],
            series["floor"], Asked("at most", 1.0), counts=False)
    )  # fmt: skip
    counts, parts = found["ours"][0]["counts"], found["ours"][0]["parts"]
    outcome.notes.append(
        f"vendor_way: {counts[0]:,} accepted, {counts[1]:,} updated, {counts[2]:,} unchanged, {counts[3]:,} rejected; "
        "the catalogues are equal after ours, pandas and DuckDB; "
        + ", ".join(f"{name} {one.seconds:.1f} s" for name, one in series.items())
        + f"; peak RSS of pandas {max(one['rss'] for one in found['pandas']):.0f}, of DuckDB "
        f"{max(one['rss'] for one in found['duckdb']):.0f} MiB"
    )
    outcome.notes.append(
        "vendor_way, parts of ours: " + ", ".join(f"{name} {took:.2f} s" for name, took in parts)
    )
    return outcome


def _fill(bench: Bench, database: str, path: Path) -> None:
    """The catalogue, with the indexes made at the end; nobody measures this."""
    with bench.server.session(database) as connection, connection.cursor() as cursor:
        cursor.execute("set session_replication_role = replica")
        cursor.execute(GIVEN)
        with path.open("rb") as file:
            cursor.copy_expert("copy given from stdin (format csv, header)", file)
        cursor.execute(
            "select indexname, indexdef from pg_indexes where schemaname = 'commerce' and tablename = 'products'"
            " and indexname not in (select conname from pg_constraint where conrelid = 'commerce.products'::regclass)"
        )
        indexes = cursor.fetchall()
        for name, _ in indexes:
            cursor.execute(f"drop index commerce.{name}")
        cursor.execute(FILL)
        for _, definition in indexes:
            cursor.execute(definition)
        cursor.execute(PLAIN)
        cursor.execute("vacuum (analyze)")


def _worker(bench: Bench, database: str, engine: str, path: Path, time: int) -> dict[str, Any]:
    given = bench.server.settings(database, COMMERCE_WRITER)
    names = {
        "HOST": given.host,
        "PORT": str(given.port),
        "NAME": given.name,
        "USER": given.user,
        "PASSWORD": given.password,
    }
    result: dict[str, Any] = bench.worker(
        "benchmarks.vendor_way:measure",
        database,
        environment={f"{PREFIX}{name}": value for name, value in names.items()},
        engine=engine,
        path=str(path),
        upload_id=f"UPLOAD_20261121_12000{time}_{VENDOR}_0123abcd",
    )
    return result


def measure(server_pid: int, engine: str, path: str, upload_id: str) -> dict[str, Any]:
    """One engine, once; runs in a worker. Imports, the connection and the upload's record come before the clock."""
    host, port, name, user, password = (
        os.environ[PREFIX + name] for name in ("HOST", "PORT", "NAME", "USER", "PASSWORD")
    )
    settings = DatabaseSettings(host, int(port), name, user, password, "disable")
    meter = Meter(server_pid)
    session = _Timed(lambda _: connect(settings, application_name="vendor benchmark"), meter)
    with open(path, "rb") as file:
        rows = sum(1 for _ in file) - 1
    opened = {"vendor_id": VENDOR, "file_name": "f.csv", "s3_key": "f.csv", "expected_records": rows}
    with session.connection as connection, connection.cursor() as cursor:
        cursor.execute(statement("commerce/transforms/open_upload"), opened | {"upload_id": upload_id})
    prepare: Callable[..., tuple[str, Callable[[], dict[str, Any]]]] = {
        "ours": _ours,
        "floor": _floor,
        "pandas": _pandas,
        "duckdb": _duckdb,
        "pandas plain": _pandas_plain,
        "duckdb plain": _duckdb_plain,
    }[engine]
    version, work = prepare(session, path, upload_id)
    session.parts.clear()
    taken, result = meter.run(work)
    spent = Reading(0, 0, 0)
    for part, took in session.parts:
        if part in CATALOGUE_ITSELF:
            spent += took
    until = Reading(
        taken.seconds - spent.seconds,
        taken.client_cpu - spent.client_cpu,
        taken.server_cpu - spent.server_cpu,
    )
    return {
        "reading": msgspec.to_builtins(taken),
        "until_catalogue": msgspec.to_builtins(until),
        "parts": [(part, took.seconds) for part, took in session.parts if took.seconds >= 0.1],
        "rss": peak_rss_mib(),
        "version": version,
        **result,
    }


class _Timed(Session):
    """A session that keeps what each statement file took."""

    def __init__(self, connect: Callable[[bool], Connection], meter: Meter) -> None:
        super().__init__(connect)
        self.parts: list[tuple[str, Reading]] = []
        self._meter = meter

    def run(self, name: str, *args: Any, **options: Any) -> list[tuple[Any, ...]]:
        took, result = self._meter.run(lambda: super(_Timed, self).run(name, *args, **options))
        self.parts.append((name.rpartition("/")[2], took))
        return result


def _ours(session: Session, path: str, upload_id: str) -> tuple[str, Callable[[], dict[str, Any]]]:
    import numpy  # noqa: F401
    import polars as pl

    from commerce_assets import catalogue_store, staging
    from commerce_assets.reading import Limits, ProductFile
    from commerce_assets.rules import Settings

    def stage() -> staging.Staged:
        with open(path, "rb") as stream:
            file = ProductFile(stream, Limits(file_bytes=2**40, rows=2**40))
            return staging.stage_file(session, upload_id, file, Settings(frozenset(CATEGORIES)))

    def apply() -> catalogue_store.Applied:
        return catalogue_store.apply_upload(session, upload_id, VENDOR, hold=None)

    def complete() -> catalogue_store.Completed:
        return catalogue_store.complete_upload(session, upload_id, VENDOR, error_file_s3_key="errors.csv")

    def work() -> dict[str, Any]:
        session.transaction(stage, doing="staging")
        applied = session.transaction(apply, doing="applying")
        session.transaction(complete, doing="completing")
        return {"counts": [applied.accepted, applied.updated, applied.unchanged, applied.rejected]}

    return pl.__version__, work


def _floor(session: Session, path: str, upload_id: str) -> tuple[str, Callable[[], dict[str, Any]]]:
    """Nothing but the new products, from a table that holds them already, typed."""
    cursor = session.connection.cursor()
    cursor.execute(GIVEN)
    with open(path, "rb") as file:
        cursor.copy_expert("copy given from stdin (format csv, header)", file)
    typed = {"price": "numeric(10, 2)", "compare_at_price": "numeric(10, 2)", "stock_quantity": "integer",
             "weight_kg": "numeric(8, 2)"}  # fmt: skip
    cursor.execute(
        "create temporary table accepted as select n as row_number, "
        + ", ".join(f"{name}::{typed[name]}" if name in typed else name for name in COLUMNS)
        + " from (select *, substr(vendor_product_id, 2)::integer as n from given offset 0) as numbered"
        " where n % 20 <> 7 and n % 10 <> 1 and n % 20 <> 3 and n % 100 <> 9"
    )
    session.connection.commit()

    def work() -> dict[str, Any]:
        with session.connection:
            cursor.execute(FLOOR, {"upload_id": upload_id})
            return {"accepted": cursor.rowcount}

    return "", work


def _pandas(session: Session, path: str, upload_id: str) -> tuple[str, Callable[[], dict[str, Any]]]:
    import pandas as pd

    def work() -> dict[str, Any]:
        accepted, rejected = checked_by_pandas(path)
        with session.connection:
            cursor = _staged(session)
            accepted.insert(0, "row_number", accepted.index + 1)
            _copy(cursor, "staged", accepted.to_csv(index=False, header=False).encode())
            errors = pd.DataFrame(
                {
                    "upload_id": upload_id,
                    "vendor_id": VENDOR,
                    "row_number": rejected.index + 1,
                    "vendor_product_id": rejected["vendor_product_id"],
                    "error_type": rejected["reasons"].str.split(" ").str[0],
                    "error_message": rejected["reasons"],
                    "original_data": [json.dumps(row) for row in rejected[COLUMNS].to_dict("records")],
                }
            )
            _copy(cursor, f"commerce.validation_errors ({', '.join(errors)})",
                  errors.to_csv(index=False, header=False).encode())  # fmt: skip
            _finish(cursor, upload_id)
        return {}

    return pd.__version__, work


def _duckdb(session: Session, path: str, upload_id: str) -> tuple[str, Callable[[], dict[str, Any]]]:
    import duckdb

    def work() -> dict[str, Any]:
        with tempfile.TemporaryDirectory() as folder, duckdb.connect() as duck, session.connection:
            duck.execute(duckdb_query(), {"path": path})
            cursor = _staged(session)
            duck.execute(
                f"copy (select number, {_DUCK_TYPED} from checked where reasons = '') to '{folder}/a' (header false)"
            )
            original = ", ".join(f"'{name}', {name}" for name in COLUMNS)
            duck.execute(
                f"copy (select '{upload_id}', '{VENDOR}', number, vendor_product_id, split_part(reasons, ' ', 1),"
                f" reasons, json_object({original}) from checked where reasons <> '') to '{folder}/r' (header false)"
            )
            _copy(cursor, "staged", Path(folder, "a"))
            _copy(cursor, "commerce.validation_errors (upload_id, vendor_id, row_number, vendor_product_id, error_type,"
                          " error_message, original_data)", Path(folder, "r"))  # fmt: skip
            _finish(cursor, upload_id)
        return {}

    return duckdb.__version__, work


_DUCK_TYPES = {"price": "amount", "compare_at_price": "cmp", "weight_kg": "weight"}
_DUCK_TYPED = ", ".join(
    f"{_DUCK_TYPES[name]}" if name in _DUCK_TYPES else f"nullif({name}, '')" for name in COLUMNS
)


def _pandas_plain(session: Session, path: str, upload_id: str) -> tuple[str, Callable[[], dict[str, Any]]]:
    import pandas as pd

    def work() -> dict[str, Any]:
        with tempfile.TemporaryDirectory() as folder, session.connection:
            cursor = session.connection.cursor()
            keys = pd.read_csv(_keys(cursor, folder), dtype=str, names=["vendor_id", "product", "sku"])
            accepted, rejected = checked_by_pandas(path)
            owners = (
                accepted[["sku", "vendor_product_id"]]
                .merge(keys, on="sku", how="left")
                .set_axis(accepted.index)
            )
            taken = owners["vendor_id"].notna() & ~(
                (owners["vendor_id"] == VENDOR) & (owners["product"] == owners["vendor_product_id"])
            )
            rejected = pd.concat([rejected, accepted[taken].assign(reasons="DUPLICATE_SKU")])
            accepted = accepted[~taken]
            _copy(cursor, "plain.accepted", accepted.to_csv(index=False, header=False).encode())
            errors = pd.DataFrame(
                {
                    "row_number": rejected.index + 1,
                    "vendor_product_id": rejected["vendor_product_id"],
                    "reasons": rejected["reasons"],
                    "original": [
                        json.dumps(row, default=str) for row in rejected[COLUMNS].to_dict("records")
                    ],
                }
            )
            _copy(cursor, "plain.errors", errors.to_csv(index=False, header=False).encode())
        return {"accepted": len(accepted), "rejected": len(rejected)}

    return pd.__version__, work


def _duckdb_plain(session: Session, path: str, upload_id: str) -> tuple[str, Callable[[], dict[str, Any]]]:
    import duckdb

    def work() -> dict[str, Any]:
        with tempfile.TemporaryDirectory() as folder, duckdb.connect() as duck, session.connection:
            cursor = session.connection.cursor()
            keys = _keys(cursor, folder)
            duck.execute(f"create table keys as select column0 as vendor_id, column1 as product, column2 as sku"
                         f" from read_csv('{keys}', header = false, all_varchar = true)")  # fmt: skip
            duck.execute(duckdb_query(), {"path": path})
            duck.execute(
                "create table judged as select checked.*, concat_ws(' ', nullif(reasons, ''), case"
                f" when keys.sku is not null and not (keys.vendor_id = '{VENDOR}' and keys.product = vendor_product_id)"
                " then 'DUPLICATE_SKU' end) as why"
                " from checked left join keys using (sku)"
            )
            duck.execute(
                f"copy (select {_DUCK_TYPED} from judged where why = '') to '{folder}/a' (header false)"
            )
            original = ", ".join(f"'{name}', {name}" for name in COLUMNS)
            duck.execute(
                f"copy (select number, vendor_product_id, why, json_object({original}) from judged where why <> '')"
                f" to '{folder}/r' (header false)"
            )
            _copy(cursor, "plain.accepted", Path(folder, "a"))
            accepted = cursor.rowcount
            _copy(cursor, "plain.errors", Path(folder, "r"))
        return {"accepted": accepted, "rejected": cursor.rowcount}

    return duckdb.__version__, work


def _keys(cursor: Any, folder: str) -> str:
    """The catalogue's keys as a file."""
    path = f"{folder}/keys"
    with open(path, "wb") as file:
        cursor.copy_expert(
            "copy (select vendor_id, vendor_product_id, sku from commerce.products) to stdout (format csv)",
            file,
        )
    return path


def _staged(session: Session) -> Any:
    cursor = session.connection.cursor()
    cursor.execute(
        "create temporary table staged on commit drop as"
        f" select 0 as row_number, {NAMES} from commerce.products limit 0"
    )
    return cursor


def _copy(cursor: Any, table: str, rows: bytes | Path) -> None:
    source = io.BytesIO(rows) if isinstance(rows, bytes) else rows.open("rb")
    with contextlib.closing(source):
        cursor.copy_expert(f"copy {table} from stdin (format csv)", source, 1 << 20)


def _finish(cursor: Any, upload_id: str) -> None:
    cursor.execute(TAKEN, {"upload_id": upload_id})
    cursor.execute(UPSERT, {"upload_id": upload_id})
    cursor.execute(
        "update commerce.upload_history set status = 'partial', processing_completed_at = current_timestamp"
        " where upload_id = %s",
        [upload_id],
    )
