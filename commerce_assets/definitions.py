"""Wiring of the commerce location, nothing else."""

import dagster as dg

from commerce_assets import checks
from commerce_assets.assets import catalogue
from commerce_assets.resources import UploadRecordsResource
from resources.postgres import PostgresResource


@dg.definitions
def defs() -> dg.Definitions:
    """Vendor uploads and shop analytics. So far: the category whitelist."""
    return dg.Definitions(
        assets=dg.load_assets_from_modules([catalogue]),
        asset_checks=dg.load_asset_checks_from_modules([checks]),
        resources={
            "warehouse": PostgresResource(location="COMMERCE"),
            "upload_records": UploadRecordsResource(),
        },
        executor=dg.in_process_executor,
    )
