"""Wiring of the commerce location, nothing else."""

import dagster as dg

from commerce_assets import automation, checks, shoppulse_checks
from commerce_assets.assets import catalogue, onboarding, shoppulse
from commerce_assets.resources import UploadRecordsResource, UploadsResource
from resources.postgres import PostgresResource


@dg.definitions
def defs() -> dg.Definitions:
    """Vendors' uploads, from a file on S3 to the catalogue and an answer; the metrics of the tenants."""
    return dg.Definitions(
        assets=dg.load_assets_from_modules([catalogue, onboarding, shoppulse]),
        asset_checks=dg.load_asset_checks_from_modules([checks, shoppulse_checks]),
        jobs=[automation.vendor_onboarding, automation.tenant_metrics],
        schedules=[automation.tenant_metrics_refresh],
        sensors=[automation.incoming_uploads],
        resources={
            "warehouse": PostgresResource(location="COMMERCE"),
            "uploads": UploadsResource(),
            "upload_records": UploadRecordsResource(),
        },
        executor=dg.in_process_executor,
    )
