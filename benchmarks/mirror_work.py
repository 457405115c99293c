"""The measured halves of `mirror`, each in a worker of its own: our sync, the bare copies beside it, and dlt.

Logins come as arguments, because each side has two servers. What is measured begins with connecting and ends with the
commit; imports are done before.
"""

from __future__ import annotations

import importlib
import os
import time
from typing import Any

import msgspec

from benchmarks.measuring import Meter, peak_rss_mib
from resources.settings import DatabaseSettings

DLT_CONFIGURATION = {
    "NORMALIZE__DATA_WRITER__DISABLE_COMPRESSION": "true",
    "EXTRACT__DATA_WRITER__DISABLE_COMPRESSION": "true",
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "CRITICAL",
}
DLT_CHUNK = 50_000


def sync(
    source: dict[str, Any],
    target: dict[str, Any],
    tables: list[str],
    server_pids: list[int],
    row_hashes: bool = True,
) -> dict[str, Any]:
    """Sync tables of an Odoo source. "reading", "sweep" seconds, "rss" of this process, "tables" with their counts."""
    from odoo_apn_assets import mirror
    from odoo_apn_assets.specs import spec_of
    from odoo_apn_assets.sync import Source
    from odoo_apn_assets.sync import sync as run_sync

    swept = _timed_sweep(mirror)
    there, warehouse = DatabaseSettings(**source), _warehouse(DatabaseSettings(**target))
    specs = [spec_of(f"odoo_{table}") for table in tables]
    options = mirror.SyncOptions(row_hashes=row_hashes)
    reading, result = Meter(*server_pids).run(
        lambda: run_sync(Source("odoo", lambda: there), specs, warehouse, options, run_id="benchmark")
    )
    if result.status != "success":
        raise RuntimeError(f"the sync ended as {result.status}: {result.complaint()}")
    counts = ("method", "source_rows", "mirror_rows", "rows_read", "inserted", "updated", "deleted")
    return {
        "reading": msgspec.to_builtins(reading),
        "sweep": sum(swept),
        "rss": peak_rss_mib(),
        "tables": {
            table: {name: getattr(result.tables[f"odoo_{table}"], name) for name in counts}
            for table in tables
        },
    }


def nothing(source: dict[str, Any], target: dict[str, Any], server_pids: list[int]) -> dict[str, Any]:
    """What a sync needs imported, and a connection to either side: the memory that is not the sync's own."""
    import odoo_apn_assets.sync  # noqa: F401
    from resources.database import connect

    for settings in (source, target):
        connect(DatabaseSettings(**settings), application_name="benchmark", autocommit=True).close()
    _warehouse(DatabaseSettings(**target))
    Meter(*server_pids)
    return {"rss": peak_rss_mib()}


def bare_upsert(
    source: dict[str, Any], target: dict[str, Any], table: str, columns: list[str], server_pids: list[int]
) -> dict[str, Any]:
    """The limit of an incremental sync: rows above the target's highest mark by COPY into a stage, and one upsert."""
    from psycopg2 import sql

    from odoo_apn_assets.piping import copy_across
    from resources.database import connect

    def work() -> int:
        there = connect(DatabaseSettings(**source), application_name="bare", autocommit=True)
        here = connect(DatabaseSettings(**target), application_name="bare", autocommit=False)
        try:
            with here, here.cursor() as cursor:
                names = sql.SQL(", ").join(map(sql.Identifier, columns))
                settable = [name for name in columns if name != "id"]
                parts = {
                    "bare": sql.Identifier("bare", table),
                    "source": sql.Identifier(table),
                    "columns": names,
                    "assignments": sql.SQL(", ").join(
                        sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in settable
                    ),
                }

                def text(template: str, **more: sql.Composable) -> str:
                    return sql.SQL(template).format(**parts, **more).as_string(cursor)

                cursor.execute(text("select max(write_date) from {bare}"))
                (mark,) = cursor.fetchall()[0]
                cursor.execute(
                    text(
                        "create temporary table stage on commit drop as select {columns} from {bare} with no data"
                    )
                )
                out = "copy (select {columns} from {source} where write_date > {mark}) to stdout (format binary)"
                rows = copy_across(
                    there,
                    text(out, mark=sql.Literal(mark)),
                    cursor,
                    text("copy stage from stdin (format binary)"),
                )
                cursor.execute(
                    text(
                        "insert into {bare} ({columns}) select {columns} from stage"
                        " on conflict (id) do update set {assignments}"
                    )
                )
            return rows
        finally:
            there.close()
            here.close()

    reading, rows = Meter(*server_pids).run(work)
    return {"reading": msgspec.to_builtins(reading), "rows": rows}


def dlt_copy(
    source: dict[str, Any],
    target: dict[str, Any],
    table: str,
    backend: str,
    folder: str,
    server_pids: list[int],
    since: str | None = None,
    measured: bool = True,
) -> dict[str, Any]:
    """dlt's `sql_table` into schema `loaded`: the whole table replaced, or with `since` the rows above it merged."""
    import datetime

    os.environ.update(DLT_CONFIGURATION)
    os.environ["DLT_DATA_DIR"] = os.environ["DLT_PROJECT_DIR"] = folder
    # No requirements of the project: `make bench` installs them.
    dlt = importlib.import_module("dlt")
    database = importlib.import_module("dlt.sources.sql_database")
    importlib.import_module("pyarrow")
    more: dict[str, Any] = {}
    if since is not None:
        more["incremental"] = dlt.sources.incremental(
            "write_date", initial_value=datetime.datetime.fromisoformat(since), range_start="open"
        )
    if backend == "connectorx":
        importlib.import_module("connectorx")
        more["backend_kwargs"] = {"conn": _address(source, "postgresql"), "return_type": "arrow"}

    def work() -> Any:
        resource = database.sql_table(
            credentials=_address(source, "postgresql+psycopg2"),
            schema="public",
            table=table,
            backend=backend,
            chunk_size=DLT_CHUNK,
            reflection_level="full_with_precision",
            write_disposition="replace" if since is None else "merge",
            primary_key="id",
            **more,
        )
        pipeline = dlt.pipeline(
            "mirror",
            destination=dlt.destinations.postgres(credentials=_address(target, "postgresql")),
            dataset_name="loaded",
            pipelines_dir=folder,
        )
        pipeline.run(resource, loader_file_format="csv")
        return pipeline

    if not measured:
        work()
        return {}
    reading, pipeline = Meter(*server_pids).run(work)
    counts = pipeline.last_trace.last_normalize_info.row_counts
    return {"reading": msgspec.to_builtins(reading), "rss": peak_rss_mib(), "rows": counts.get(table, 0)}


def _address(settings: dict[str, Any], scheme: str) -> str:
    login = "{user}:{password}@{host}:{port}/{name}?sslmode=disable".format(**settings)
    return f"{scheme}://{login}"


def _warehouse(settings: DatabaseSettings) -> Any:
    from resources.postgres import PostgresResource

    class Warehouse(PostgresResource):
        def settings(self) -> DatabaseSettings:
            return settings

    return Warehouse(location="ODOO_APN")


def _timed_sweep(mirror: Any) -> list[float]:
    """Note the seconds of the key sweep, which is asked for apart: the two statements that compare all keys."""
    seconds: list[float] = []
    table_sync = mirror._TableSync

    def timed(work: Any, counts: Any = lambda *arguments: True) -> Any:
        def run(*arguments: Any, **named: Any) -> Any:
            began = time.perf_counter()
            try:
                return work(*arguments, **named)
            finally:
                if counts(*arguments):
                    seconds.append(time.perf_counter() - began)

        return run

    table_sync._sweep_blocks = timed(table_sync._sweep_blocks)
    table_sync._execute = timed(
        table_sync._execute, lambda self, name, *rest: name == "raw/transforms/compare_blocks"
    )
    return seconds
