"""Wiring of the commerce location, nothing else."""

import dagster as dg

from commerce_assets import audit_checks, automation, checks, shoppulse_checks, tenant_data_checks
from commerce_assets.assets import audit, catalogue, onboarding, shoppulse, tenant_data
from commerce_assets.resources import AuditAnchorsResource, UploadRecordsResource, UploadsResource
from resources.postgres import PostgresResource


@dg.definitions
def defs() -> dg.Definitions:
    """Vendors' uploads, from a file on S3 to the catalogue and an answer; what tenants deliver, and their metrics."""
    return dg.Definitions(
        assets=dg.load_assets_from_modules([catalogue, onboarding, tenant_data, shoppulse, audit]),
        asset_checks=dg.load_asset_checks_from_modules(
            [checks, tenant_data_checks, shoppulse_checks, audit_checks]
        ),
        jobs=[
            automation.vendor_onboarding,
            automation.load_tenant_data,
            automation.tenant_metrics,
            automation.audit_anchoring,
            automation.audit_verification,
        ],
        schedules=[
            automation.tenant_metrics_refresh,
            automation.audit_anchoring_hourly,
            automation.audit_verification_daily,
        ],
        sensors=[automation.incoming_uploads, automation.tenant_deliveries],
        resources={
            "warehouse": PostgresResource(location="COMMERCE"),
            "uploads": UploadsResource(),
            "upload_records": UploadRecordsResource(),
            "audit_store": AuditAnchorsResource(),
        },
        executor=dg.in_process_executor,
    )
