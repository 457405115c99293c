"""The Fullbay asset graph through Dagster: as it is, and with bodies that do nothing. Runs in a worker.

No `from __future__ import annotations` here: Dagster resolves the annotations of asset bodies.
"""

import os
from typing import Any

import dagster as dg
import msgspec
import psutil

from benchmarks.measuring import Meter, tree_cpu
from fullbay_assets.definitions import defs
from resources.database import connect
from resources.settings import database_settings


def measure(databases: list[str], first: str, last: str, server_pid: int, source_pid: int) -> dict[str, Any]:
    """The real graph over the dates (first load, then again) and the empty one in turns; the first turn warms up.

    Each turn has a database of its own. Result: readings by run ("first", "again", "empty"), and "facts" in words.
    """
    tags = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
    real = defs()
    jobs = {"real": _job(real), "empty": _job(hollow(real))}
    meter, source = Meter(server_pid), psutil.Process(source_pid)
    readings: dict[str, list[Any]] = {"first": [], "again": [], "empty": []}
    source_cpu: list[float] = []
    for database in databases:
        os.environ["FULLBAY_DB_NAME"] = database
        for name in ("first", "empty", "again"):
            job = jobs["empty" if name == "empty" else "real"]
            before = tree_cpu(source)
            taken, succeeded = meter.run(lambda job=job: _execute(job, tags))  # type: ignore[misc]
            if not succeeded:
                raise RuntimeError(f"the run {name} of the graph failed")
            if name == "first":
                source_cpu.append(tree_cpu(source) - before)
            readings[name].append(msgspec.to_builtins(taken))
    return {
        **{name: found[1:] for name, found in readings.items()},
        "facts": f"{len(list(real.resolve_all_asset_keys()))} assets and {len(list(real.asset_checks or ()))} checks; "
        + _facts(readings["first"][-1]["seconds"], source_cpu[-1]),
    }


def _execute(job: dg.JobDefinition, tags: dict[str, str]) -> bool:
    with dg.DagsterInstance.ephemeral() as instance:
        return job.execute_in_process(instance=instance, tags=tags, raise_on_error=True).success


def _job(definitions: dg.Definitions) -> dg.JobDefinition:
    """All assets and checks of the definitions as one job."""
    job = dg.define_asset_job("everything", selection=dg.AssetSelection.all())
    merged = dg.Definitions.merge(definitions, dg.Definitions(jobs=[job]))
    return merged.resolve_job_def("everything")


def hollow(definitions: dg.Definitions) -> dg.Definitions:
    """The same assets and checks with the same dependencies, partitions and policies, and bodies that do nothing."""
    assets = [asset for asset in definitions.assets or () if isinstance(asset, dg.AssetsDefinition)]
    checks = [
        check for check in definitions.asset_checks or () if isinstance(check, dg.AssetChecksDefinition)
    ]
    return dg.Definitions(
        assets=[_empty_asset(asset, spec) for asset in assets for spec in asset.specs],
        asset_checks=[_empty_check(spec) for check in checks for spec in check.check_specs],
        executor=dg.in_process_executor,
    )


def _empty_asset(asset: dg.AssetsDefinition, spec: dg.AssetSpec) -> dg.AssetsDefinition:
    def body() -> dg.MaterializeResult[Any]:
        return dg.MaterializeResult(metadata={"dagster/row_count": 0})

    made: dg.AssetsDefinition = dg.asset(
        key=spec.key,
        deps=spec.deps,
        partitions_def=spec.partitions_def,
        backfill_policy=asset.backfill_policy,
        group_name=spec.group_name,
    )(body)
    return made


def _empty_check(spec: dg.AssetCheckSpec) -> dg.AssetChecksDefinition:
    def body() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=True)

    made: dg.AssetChecksDefinition = dg.asset_check(
        asset=spec.asset_key, name=spec.name, blocking=spec.blocking
    )(body)
    return made


def _facts(seconds: float, source_cpu: float) -> str:
    """What the last first load consisted of, from the run's own records."""
    connection = connect(database_settings("FULLBAY"), application_name="counting", autocommit=True)
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "select execution_id, raw_records_stored, line_items_created from fullbay.ingestion_metadata"
                " order by start_time limit 1"
            )
            execution, invoices, lines = cursor.fetchall()[0]
            cursor.execute(
                "select count(*), coalesce(sum(response_time_ms), 0)::float8 / 1000 from fullbay.api_request_log"
                " where execution_id = %s",
                (execution,),
            )
            requests, waiting = cursor.fetchall()[0]
            cursor.execute(
                "select count(*), count(*) filter (where query_type = 'CONNECT'), "
                "coalesce(sum(execution_time_ms), 0)::float8 / 1000 from fullbay.database_query_log"
                " where execution_id = %s",
                (execution,),
            )
            queries, connections, querying = cursor.fetchall()[0]
    finally:
        connection.close()
    return (
        f"of the {seconds:.2f} s of the last first load ({invoices} invoices, {lines} lines) {requests} requests took "
        f"{waiting:.2f} s, {waiting / seconds:.0%} ({source_cpu:.2f} CPU s of it in the sandbox's server), and "
        f"{queries} statements on {connections} connections {querying:.2f} s"
    )
