"""Wiring of the Odoo and APN location, nothing else."""

import dagster as dg

from odoo_apn_assets import checks, core_checks
from odoo_apn_assets.assets import catalogue, core
from resources.postgres import PostgresResource


@dg.definitions
def defs() -> dg.Definitions:
    """An AWS partner's CRM and co-sell records. So far: the catalogue of what will be mirrored, and CORE."""
    return dg.Definitions(
        assets=dg.load_assets_from_modules([catalogue, core]),
        asset_checks=dg.load_asset_checks_from_modules([checks, core_checks]),
        resources={"warehouse": PostgresResource(location="ODOO_APN")},
        executor=dg.in_process_executor,
    )
