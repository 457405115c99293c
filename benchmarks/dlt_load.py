"""The peer of `invoices`: dlt loads the same documents, in the configuration that suits them best. Runs in a worker.

dlt takes each document apart into one table for each list in it (complaints, technicians, corrections, parts, charges,
tax lines), which stands for our flattening. What it does not do, however it is set up: tax a line, reconcile, recognise
an unchanged invoice, replace an edited one, keep one that cannot be stored, record the run. Left alone it keeps no copy
of the document either, and takes amounts for binary floats; with `complete` it does both of these.
"""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import msgspec

from benchmarks.documents import PAGE_INVOICES, Documents, rows
from benchmarks.measuring import Meter, peak_rss_mib

CONFIGURATION = {
    # Tried on 4,000 invoices: two normalize workers with smaller files, and buffers of 50,000, are not faster.
    "NORMALIZE__DATA_WRITER__DISABLE_COMPRESSION": "true",
    "EXTRACT__DATA_WRITER__DISABLE_COMPRESSION": "true",
    "RUNTIME__DLTHUB_TELEMETRY": "false",
    "RUNTIME__LOG_LEVEL": "CRITICAL",
}


def load(documents: dict[str, Any], server_pid: int, folder: str, complete: bool = False) -> dict[str, Any]:
    """Load the documents into the database of the environment.

    Result: "reading", "rss" in MiB, "tables" with their rows, "total", the sum of the invoices' totals as stored.
    """
    os.environ.update(CONFIGURATION)
    os.environ["DLT_DATA_DIR"] = os.environ["DLT_PROJECT_DIR"] = folder
    # No requirements of the project: `make bench` installs them.
    dlt, orjson = importlib.import_module("dlt"), importlib.import_module("orjson")
    source = msgspec.convert(documents, Documents)
    login = {name: os.environ[f"FULLBAY_DB_{name}"] for name in ("USER", "PASSWORD", "HOST", "PORT", "NAME")}
    address = "postgresql://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format(**login)
    decode: Callable[[bytes], Any] = _exactly if complete else orjson.loads

    def invoices() -> Iterator[list[dict[str, Any]]]:
        page: list[dict[str, Any]] = []
        for payload in rows(source):
            document = decode(payload)
            if complete:
                document["raw_document"] = payload.decode()
            page.append(document)
            if len(page) == PAGE_INVOICES:
                yield page
                page = []
        if page:
            yield page

    columns = {"raw_document": {"data_type": "json"}} if complete else {}
    pipeline = dlt.pipeline(
        "invoices",
        destination=dlt.destinations.postgres(credentials=address),
        dataset_name="loaded",
        pipelines_dir=folder,
    )
    resource = dlt.resource(invoices, name="invoices", write_disposition="append", columns=columns)
    reading, _ = Meter(server_pid).run(lambda: pipeline.run(resource(), loader_file_format="csv"))
    tables, total = _stored(pipeline)
    if tables["invoices"] != source.count:
        raise RuntimeError(f"{source.count} documents were given, dlt stored {tables}")
    return {
        "reading": msgspec.to_builtins(reading),
        "rss": peak_rss_mib(),
        "tables": tables,
        "total": str(total),
    }


def _exactly(payload: bytes) -> Any:
    return json.loads(payload, parse_float=Decimal)


def _stored(pipeline: Any) -> tuple[dict[str, int], object]:
    with pipeline.sql_client() as client:
        names = [table["name"] for table in pipeline.default_schema.data_tables()]
        tables = {
            name: client.execute_sql(f"select count(*) from {client.make_qualified_table_name(name)}")[0][0]  # noqa: S608
            for name in names
        }
        total = client.execute_sql("select sum(total) from invoices")[0][0]
    return tables, total
