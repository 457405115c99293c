"""Wiring of the Odoo and APN location, nothing else."""

import dagster as dg

from odoo_apn_assets import automation, checks, core_checks
from odoo_apn_assets.assets import catalogue, core, raw
from odoo_apn_assets.resources import AlertsResource, SourcesResource
from resources.postgres import PostgresResource


@dg.definitions
def defs() -> dg.Definitions:
    """An AWS partner's CRM and co-sell records: mirrored, named, tracked."""
    return dg.Definitions(
        assets=dg.load_assets_from_modules([catalogue, raw, core]),
        asset_checks=[*dg.load_asset_checks_from_modules([checks, core_checks]), *checks.raw_checks()],
        jobs=[
            automation.incremental,
            automation.full_sync,
            *automation.by_system.values(),
            automation.maintenance,
        ],
        schedules=automation.schedules,
        sensors=[automation.pending_syncs],
        resources={
            "warehouse": PostgresResource(location="ODOO_APN"),
            "sources": SourcesResource(),
            "alerts": AlertsResource(),
        },
        executor=dg.in_process_executor,
    )
