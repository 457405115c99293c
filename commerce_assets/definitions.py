"""Wiring of the commerce location, nothing else."""

import dagster as dg

from commerce_assets import automation, checks
from commerce_assets.assets import catalogue, onboarding
from commerce_assets.resources import UploadRecordsResource, UploadsResource
from resources.postgres import PostgresResource


@dg.definitions
def defs() -> dg.Definitions:
    """Vendors' uploads: from a file on S3 to the catalogue, and an answer."""
    return dg.Definitions(
        assets=dg.load_assets_from_modules([catalogue, onboarding]),
        asset_checks=dg.load_asset_checks_from_modules([checks]),
        jobs=[automation.vendor_onboarding],
        sensors=[automation.incoming_uploads],
        resources={
            "warehouse": PostgresResource(location="COMMERCE"),
            "uploads": UploadsResource(),
            "upload_records": UploadRecordsResource(),
        },
        executor=dg.in_process_executor,
    )
