"""`python -m commerce_assets.shoppulse.deliver FILE --tenant T001 --table orders`: deliver a file, or try it first.

In a dry run the file is read and checked by the rules of its table, and nothing is uploaded. The warehouse is asked for
the tenant only, when its settings are there: whether he is active, and how he counts. What becomes of rows beside those
that are stored (the order is not there, the row does not differ) is not foreseen.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from commerce_assets.objects import UploadStore
from commerce_assets.reading import ROW_NUMBER
from commerce_assets.shoppulse.deliveries import TABLES, DeliveryFile, Tenant, check, refused_rows
from commerce_assets.shoppulse.loading import PREFIX, tenant_problem
from resources.database import connect
from resources.failures import PipelineError, permanent
from resources.settings import (
    DatabaseSettings,
    MissingSettings,
    aws_settings,
    database_settings,
    read_env_file,
    upload_bucket,
)
from resources.sql import Session

if TYPE_CHECKING:
    import polars as pl

_EXAMPLES = 10
_DO_NEXT = {
    "UNKNOWN_TENANT": "Give the id of a tenant of shoppulse.tenants.",
    "INACTIVE_TENANT": "Give another tenant. One who was only deactivated is activated in shoppulse.tenants.",
    "UNKNOWN_TIME_ZONE": "Give the tenant another one in shoppulse.tenant_settings.",
}


def delivering_tenant(warehouse: DatabaseSettings, tenant_id: str) -> Tenant:
    """The tenant as the load will know him. Raises PermanentError for one of whom nothing would be loaded."""
    session = Session(lambda retry: connect(warehouse, application_name="deliver", retry=retry))
    try:
        found = session.run(
            "shoppulse/transforms/delivering_tenant", {"tenant_id": tenant_id}, table="shoppulse.tenants"
        )
    finally:
        session.connection.rollback()
        session.close()
    active, *counts = found[0] if found else (None,)
    tenant = Tenant(tenant_id, *counts)
    problem = tenant_problem(tenant, bool(active) if found else None)
    if problem is not None:
        raise permanent(
            f"delivering for the tenant {tenant_id}", found=problem.message, do_next=_DO_NEXT[problem.code]
        )
    return tenant


def upload(store: UploadStore, path: Path, tenant_id: str, table: str, now: datetime) -> str:
    """Put a file where the sensor finds it, `tenants/<tenant>/<table>/<time>_<name>`; the key."""
    key = f"{PREFIX}{tenant_id}/{table}/{now:%Y%m%d_%H%M%S}_{path.name}"
    try:
        store.put(key, path, "application/octet-stream")
    except OSError as error:
        raise permanent(
            f"delivering {path.name}", found=error.strerror or str(error), do_next="Give the path of a file."
        ) from error
    return key


@dataclass
class Trial:
    """What a load would do. `codes`: refused rows, by code; `flags`: odd ones that pass; `problem`: why none can be."""

    rows: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    flags: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)
    problem: str | None = None


def dry_run(path: Path, tenant: Tenant, table: str) -> Trial:
    """Read and check a file; the first rows that would be refused are told."""
    trial = Trial()
    keys: list[pl.Series] = []
    try:
        with path.open("rb") as stream:
            file = DeliveryFile(stream, TABLES[table])
            for chunk in file.chunks():
                checked = check(chunk.frame, TABLES[table], tenant)
                trial.rows += chunk.rows
                for refused in (refused_rows(chunk, TABLES[table]), checked.refused):
                    trial.codes.update(refused["code"].to_list())
                    told = refused.head(_EXAMPLES - len(trial.examples)).iter_rows(named=True)
                    trial.examples += (
                        f"row {row[ROW_NUMBER]:,}: {row['code']}: {row['message']}" for row in told
                    )
                trial.flags.update(checked.flags)
                # Eight bytes of each: a file may be larger than the memory.
                keys.append(checked.accepted[TABLES[table].key].hash())
    except OSError as error:
        raise permanent(
            f"trying {path.name}", found=error.strerror or str(error), do_next="Give the path of a file."
        ) from error
    if repeated := _repeated(keys):
        trial.codes["DUPLICATE_KEY"] += repeated
    if file.problem is not None:
        trial.problem = f"{file.problem.code}. {file.problem.message}"
    return trial


def _repeated(keys: Sequence[pl.Series]) -> int:
    """How many rows have a key that a later row has too, and are not taken for that."""
    import polars as pl

    return sum(map(len, keys)) - pl.concat(keys).n_unique() if keys else 0


def _tenant(tenant_id: str) -> Tenant:
    try:
        warehouse = database_settings("COMMERCE")
    except MissingSettings:
        # Who may only upload has no login to the warehouse; the load looks at the tenant itself.
        return Tenant(tenant_id)
    return delivering_tenant(warehouse, tenant_id)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command: 0 when done or every row passes, 2 when file or rows would be refused, 1 after an error."""
    parser = argparse.ArgumentParser(prog="python -m commerce_assets.shoppulse.deliver", description=__doc__)
    parser.add_argument(
        "file", type=Path, help="CSV, JSON lines or Parquet; CSV and JSON lines also with gzip"
    )
    parser.add_argument("--tenant", required=True, help="id of the tenant, such as T001")
    parser.add_argument("--table", required=True, choices=list(TABLES), help="what the rows are")
    parser.add_argument("--dry-run", action="store_true", help="check the rows, and upload nothing")
    parser.add_argument(
        "--time-zone", help="the tenant's, for a dry run; default: as the warehouse has it, else UTC"
    )
    chosen = parser.parse_args(arguments)
    read_env_file()
    try:
        tenant = _tenant(chosen.tenant)
        if not chosen.dry_run:
            store = UploadStore(upload_bucket(), aws_settings())
            try:
                key = upload(store, chosen.file, chosen.tenant, chosen.table, datetime.now(UTC))
            finally:
                store.close()
            sys.stdout.write(
                f"s3://{store.bucket}/{key}\nThe sensor tenant_deliveries takes it from there.\n"
            )
            return 0
        if chosen.time_zone:
            tenant = dataclasses.replace(tenant, time_zone=chosen.time_zone)
            if (problem := tenant_problem(tenant, True)) is not None:
                raise permanent(
                    f"trying {chosen.file.name}",
                    found=problem.message,
                    do_next="Give one such as Europe/Berlin.",
                )
        trial = dry_run(chosen.file, tenant, chosen.table)
    except PipelineError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if trial.problem is not None:
        sys.stdout.write(f"The file cannot be loaded: {trial.problem}\n")
        return 2
    refused = sum(trial.codes.values())
    sys.stdout.write(
        f"{trial.rows:,} rows: {trial.rows - refused:,} pass, {refused:,} would be put into quarantine\n"
    )
    for code, number in (*sorted(trial.codes.items()), *sorted(trial.flags.items())):
        sys.stdout.write(f"  {code}: {number:,}\n")
    for example in trial.examples:
        sys.stdout.write(f"{example}\n")
    return 2 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
