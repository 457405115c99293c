"""The mirrors: 23 tables and two lookups, one multi-asset for each source system.

One asset function for a system, because all its tables are read from one snapshot; each table is an asset of its own
and can be selected alone.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Literal

import dagster as dg
from pydantic import Field

from odoo_apn_assets.mirror import SyncOptions, TableResult
from odoo_apn_assets.resources import AlertsResource, SourcesResource
from odoo_apn_assets.specs import METADATA, TableSpec, specs_of
from odoo_apn_assets.sync import sync
from resources.postgres import PostgresResource
from resources.redaction import install as install_redaction
from resources.run_metadata import materialized
from resources.settings import require

OWNERS = ["team:odoo-apn-data"]
FRESHNESS = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=6), warn_window=timedelta(hours=3))
"""The default schedule is hourly: late after three missed syncs, failed after six."""
POOL = "odoo_apn_writer"


class SyncConfig(dg.Config):
    """What an operator may ask of a sync. The defaults are right for every scheduled one."""

    full: bool = Field(
        default=False, description="Compare every row with the source, not only those that were edited."
    )
    resync: bool = Field(
        default=False, description="Load the selected tables anew beside the old ones, then swap them in."
    )
    allow_deletes: bool = Field(
        default=False,
        description="Go on although more than a tenth of a table's rows are gone from the source.",
    )
    accept_older_source: bool = Field(
        default=False, description="Go on although the source went back in time, as after a restore."
    )
    row_hashes: bool = Field(
        default=True,
        description="Keep a hash of each row. False copies faster; rows are then compared by all their columns.",
    )

    def options(self) -> SyncOptions:
        """The same as the engine takes it."""
        return SyncOptions(**self.model_dump())


def asset_key(raw_name: str) -> dg.AssetKey:
    """The key of the asset of a mirror."""
    return dg.AssetKey(["raw", raw_name])


def _asset_spec(spec: TableSpec) -> dg.AssetSpec:
    columns = [
        *(dg.TableColumn(name=name, type=kind, description=text) for name, kind, text in METADATA),
        *(
            dg.TableColumn(name=column.name, type=column.type, description=column.description)
            for column in spec.columns
        ),
    ]
    what = (
        "lookup outside the mirrored tables"
        if spec.is_lookup
        else f"all {len(spec.columns)} columns, exactly"
    )
    found_by = f"edits are found by {spec.mark}" if spec.mark else "edits are found by row hashes"
    return dg.AssetSpec(
        key=asset_key(spec.raw_name),
        group_name=spec.system,
        kinds={"postgres", spec.system} if spec.system == "odoo" else {"postgres", "aws"},
        owners=OWNERS,
        description=f"One row per row of {spec.table} in {spec.system.upper()}, also after it was deleted there:"
        f" {what}; {found_by}.",
        freshness_policy=FRESHNESS,
        code_version="1",
        skippable=False,
        metadata={
            "dagster/table_name": f"raw.{spec.raw_name}",
            "dagster/column_schema": dg.TableSchema(columns=columns),
        },
    )


def _mirror(system: Literal["odoo", "apn"]) -> dg.AssetsDefinition:
    tables = specs_of(system)

    @dg.multi_asset(
        name=f"{system}_mirror",
        specs=[_asset_spec(spec) for spec in tables],
        can_subset=True,
        pool=POOL,
    )
    def mirror(
        context: dg.AssetExecutionContext,
        config: SyncConfig,
        warehouse: PostgresResource,
        sources: SourcesResource,
        alerts: AlertsResource,
    ) -> Iterator[dg.MaterializeResult]:
        """Mirror the selected tables of one source from one snapshot."""
        install_redaction()
        require(warehouse.settings, lambda: sources.settings(system))
        selected = [spec for spec in tables if asset_key(spec.raw_name) in context.selected_asset_keys]
        source = sources.source(system)
        result = sync(
            source, selected, warehouse, config.options(), run_id=context.run_id, notify=alerts.tell
        )
        for spec in selected:
            if spec.raw_name in result.tables:
                yield _materialized(result.job_id, result.tables[spec.raw_name])
        complaint = result.complaint()
        if complaint is not None:
            raise complaint

    return mirror


def _materialized(job_id: str, done: TableResult) -> dg.MaterializeResult:
    described = materialized(
        row_count=done.mirror_rows,
        method=done.method,
        rows_read=done.source_rows,
        rows_transferred=done.rows_read,
        rows_stored=done.inserted + done.updated,
        inserted=done.inserted,
        updated=done.updated,
        revived=done.revived,
        unchanged=done.unchanged,
        deleted=done.deleted,
        quarantined=done.quarantined,
        quarantined_values=done.refused_values,
        drifts=[f"{drift.kind} {drift.column}: {drift.action}" for drift in done.drifts] or None,
        job_id=job_id,
        seconds=round(done.seconds, 3),
    )
    return described._replace(asset_key=asset_key(done.raw_table))


odoo_mirror = _mirror("odoo")
apn_mirror = _mirror("apn")
