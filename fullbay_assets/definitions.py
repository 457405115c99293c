"""Wiring of the Fullbay location, nothing else."""

import dagster as dg

from fullbay_assets import automation, checks
from fullbay_assets.assets import ingest, records, summaries
from fullbay_assets.partitions import first_date, starting
from fullbay_assets.resources import FullbayResource, SpoolResource
from resources.postgres import PostgresResource


@dg.definitions
def defs() -> dg.Definitions:
    """Invoices of a truck repair group: from the Fullbay API to reconciled summaries."""
    return dg.Definitions(
        assets=starting(dg.load_assets_from_modules([ingest, summaries, records]), first_date()),
        asset_checks=dg.load_asset_checks_from_modules([checks]),
        jobs=[automation.fullbay_day, automation.fullbay_range, automation.fullbay_purge_logs],
        schedules=automation.schedules(),
        resources={
            "warehouse": PostgresResource(location="FULLBAY"),
            "fullbay": FullbayResource(),
            "spool": SpoolResource(),
        },
        executor=dg.in_process_executor,
    )
