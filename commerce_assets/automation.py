"""The jobs, the sensor and the schedule of the commerce location."""

from collections.abc import Iterator

import dagster as dg

from commerce_assets.ledger import request_work, scan
from commerce_assets.resources import UploadsResource
from resources.postgres import PostgresResource

vendor_onboarding = dg.define_asset_job(
    "vendor_onboarding",
    selection=dg.AssetSelection.groups("onboarding"),
    tags={"dagster/max_runtime": str(3600)},
    description="All uploads that wait, from the bucket to the catalogue and back to their vendors.",
)
tenant_metrics = dg.define_asset_job(
    "tenant_metrics",
    selection=dg.AssetSelection.assets("tenant_daily_metrics", "campaign_metrics"),
    tags={"dagster/max_runtime": str(3600)},
    description="The metrics of the tenants' days that changed.",
)
tenant_metrics_refresh = dg.ScheduleDefinition(
    name="tenant_metrics_refresh",
    job=tenant_metrics,
    # Some time zones are a quarter of an hour off: a promise is late from midnight on where the tenant is.
    cron_schedule="*/15 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)


@dg.sensor(
    job=vendor_onboarding,
    minimum_interval_seconds=15,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Notes new objects under incoming/ and asks for a run when uploads wait.",
)
def incoming_uploads(
    warehouse: PostgresResource, uploads: UploadsResource
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """One run for up to 50 uploads; asked for again, more and more seldom, while they are not finished."""
    with warehouse.session("incoming_uploads") as session, uploads.opened() as store:
        seen = scan(session, store)
        work = request_work(session)
    if not work:
        yield dg.SkipReason(f"{seen.listed} objects listed, no upload waits.")
        return
    first, attempt = work[0]
    yield dg.RunRequest(run_key=f"{first}-{work[-1][0]}:{attempt}", tags={"commerce/uploads": str(len(work))})
