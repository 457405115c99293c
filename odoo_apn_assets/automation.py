"""Jobs, schedules and the sensor of the Odoo and APN location."""

from collections.abc import Iterator
from typing import Any, Literal

import dagster as dg
from pydantic import Field

from odoo_apn_assets.assets.raw import SyncConfig, asset_key
from odoo_apn_assets.core import CORE_READERS
from odoo_apn_assets.maintenance import purge_checks, vacuum
from odoo_apn_assets.specs import specs_of
from resources.postgres import PostgresResource
from resources.sql import statement

TAGS = {"dagster/max_runtime": str(4 * 3600)}
EVERY_HOUR = "17 * * * *"
SUNDAY_NIGHT = "40 2 * * 0"
EVERY_NIGHT = "10 4 * * *"

incremental = dg.define_asset_job(
    "incremental",
    selection=dg.AssetSelection.all(),
    tags=TAGS,
    description="Mirror what changed at both sources, then bring CORE in line with it.",
)
full_sync = dg.define_asset_job(
    "full_sync",
    selection=dg.AssetSelection.all(),
    config={"ops": {f"{system}_mirror": {"config": {"full": True}} for system in ("odoo", "apn")}},
    tags=TAGS,
    description="Compare every row of both sources with its mirror, by hash, then bring CORE in line.",
)
by_system = {
    system: dg.define_asset_job(
        f"{system}_incremental",
        selection=dg.AssetSelection.groups(system).downstream(),
        tags=TAGS,
        description=f"Mirror what changed in {system.upper()}, then bring CORE in line with it.",
    )
    for system in ("odoo", "apn")
}


class MaintenanceConfig(dg.Config):
    """How long the run book remembers."""

    keep_days: int = Field(default=90, ge=1, description="Results of checks older than this are deleted.")


@dg.op(pool="odoo_apn_writer")
def vacuum_analyze(
    context: dg.OpExecutionContext, config: MaintenanceConfig, warehouse: PostgresResource
) -> None:
    """Delete old results of checks, then VACUUM ANALYZE every table of this location."""
    context.log.info("%d old results of checks deleted", purge_checks(warehouse, config.keep_days))
    for table, seconds in vacuum(warehouse):
        context.log.info("%s: %.1f s", table, seconds)


@dg.job(
    description="VACUUM ANALYZE of RAW, CORE and the run book; old results of checks are deleted.", tags=TAGS
)
def maintenance() -> None:
    """One step, table after table."""
    vacuum_analyze()


schedules = [
    dg.ScheduleDefinition(
        name="odoo_apn_incremental",
        job=incremental,
        cron_schedule=EVERY_HOUR,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="What changed, every hour.",
    ),
    dg.ScheduleDefinition(
        name="odoo_apn_full_sync",
        job=full_sync,
        cron_schedule=SUNDAY_NIGHT,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Every row compared, weekly: finds what changed without moving its mark.",
    ),
    dg.ScheduleDefinition(
        name="odoo_apn_maintenance",
        job=maintenance,
        cron_schedule=EVERY_NIGHT,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="VACUUM ANALYZE, nightly.",
    ),
]


@dg.sensor(
    jobs=list(by_system.values()),
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tries a sync again whose source was away: 30 minutes after each attempt, until it succeeds.",
)
def pending_syncs(warehouse: PostgresResource) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """A run for each job in ops.sync_jobs that is pending_retry and due."""
    with warehouse.session("pending_syncs") as session, session.connection.cursor() as cursor:
        cursor.execute(statement("ops/transforms/due_sync_jobs"))
        due = cursor.fetchall()
    if not due:
        yield dg.SkipReason("No sync waits for its source, or none is due yet.")
    for job_id, system, attempts, asked_for in due:
        yield _again(f"{job_id}:{attempts}", system, asked_for)


def _again(run_key: str, system: Literal["odoo", "apn"], asked_for: dict[str, Any]) -> dg.RunRequest:
    """A run with the options and tables of the job that waits: it goes on with no other."""
    options = {name: value for name, value in asked_for.items() if name in SyncConfig.model_fields}
    tables = asked_for.get("tables", [])
    selection = None
    if tables and len(tables) < len(specs_of(system)):
        readers = [target for target, mirrors in CORE_READERS.items() if {*mirrors} & {*tables}]
        selection = [*map(asset_key, tables), *(dg.AssetKey(["core", target]) for target in readers)]
    return dg.RunRequest(
        run_key=run_key,
        job_name=by_system[system].name,
        run_config={"ops": {f"{system}_mirror": {"config": options}}} if options else {},
        asset_selection=selection,
    )
