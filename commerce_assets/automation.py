"""The jobs, the sensors and the schedules of the commerce location."""

from collections.abc import Iterator

import dagster as dg

from commerce_assets.ledger import UPLOADS, Ledger, request_work, scan
from commerce_assets.resources import UploadsResource
from commerce_assets.shoppulse.loading import DELIVERIES
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


def _tick(
    warehouse: PostgresResource,
    uploads: UploadsResource,
    ledger: Ledger,
    name: str,
    *,
    tag: str,
    run_keys: str = "",
) -> dg.RunRequest | dg.SkipReason:
    """Note what is new of a ledger and ask for a run when something of it waits.

    `tag`: of the run, its number of objects; `run_keys`: what their run keys begin with.
    """
    with warehouse.session(name) as session, uploads.opened() as store:
        seen = scan(session, store, ledger=ledger)
        work = request_work(session, ledger=ledger)
    if not work:
        return dg.SkipReason(f"{seen.listed} objects listed, none of {ledger.prefix} waits.")
    (first, attempt), (last, _) = work[0], work[-1]
    return dg.RunRequest(run_key=f"{run_keys}{first}-{last}:{attempt}", tags={tag: str(len(work))})


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
    yield _tick(warehouse, uploads, UPLOADS, "incoming_uploads", tag="commerce/uploads")


load_tenant_data = dg.define_asset_job(
    "load_tenant_data",
    selection=dg.AssetSelection.assets(
        "tenant_orders", "tenant_fulfillment", "tenant_campaigns", "tenant_order_costs"
    ).downstream(),
    tags={"dagster/max_runtime": str(3600)},
    description="All deliveries of tenants that wait, table by table, and what is computed from them.",
)


@dg.sensor(
    job=load_tenant_data,
    minimum_interval_seconds=15,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Notes new objects under tenants/ and asks for a run when deliveries wait.",
)
def tenant_deliveries(
    warehouse: PostgresResource, uploads: UploadsResource
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """One run for up to 50 deliveries; asked for again after minutes when they are not loaded by then."""
    yield _tick(
        warehouse, uploads, DELIVERIES, "tenant_deliveries", tag="commerce/deliveries", run_keys="deliveries-"
    )


audit_anchoring = dg.define_asset_job(
    "audit_anchoring",
    selection=dg.AssetSelection.assets("audit_anchors"),
    tags={"dagster/max_runtime": str(1800)},
    description="Verifies what the audit trail gained, and anchors it on S3.",
)
audit_verification = dg.define_asset_job(
    "audit_verification",
    selection=dg.AssetSelection.assets("audit_trail"),
    tags={"dagster/max_runtime": str(6 * 3600)},
    description="Verifies the whole audit trail, from the first link on, against all its anchors.",
)
audit_anchoring_hourly = dg.ScheduleDefinition(
    name="audit_anchoring_hourly",
    job=audit_anchoring,
    cron_schedule="7 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every hour: an hour is what a cut tail can hide at most.",
)
audit_verification_daily = dg.ScheduleDefinition(
    name="audit_verification_daily",
    job=audit_verification,
    cron_schedule="30 2 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every night: what was altered before the newest anchor is found by reading all.",
)
