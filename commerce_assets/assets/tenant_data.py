"""What tenants deliver: an asset for each table, loaded from their files on S3."""

from datetime import timedelta
from typing import Any

import dagster as dg

from commerce_assets.ledger import scan
from commerce_assets.resources import UploadsResource
from commerce_assets.shoppulse.deliveries import TABLES
from commerce_assets.shoppulse.loading import DELIVERIES, Loading, dataset, load
from resources.ddl import table_metadata
from resources.leases import lease
from resources.postgres import PostgresResource
from resources.run_metadata import materialized

FOLLOWS_DELIVERIES = dg.FreshnessPolicy.time_window(
    fail_window=timedelta(days=14), warn_window=timedelta(days=3)
)
"""Tenants deliver by the day: three without anything from anybody are worth a look."""


def _delivered(
    name: str, table: str, description: str, deps: tuple[dg.AssetsDefinition, ...] = ()
) -> dg.AssetsDefinition:
    loaded_table = TABLES[table]

    @dg.asset(
        name=name,
        description=description,
        deps=deps,
        group_name="shoppulse",
        kinds={"s3", "postgres"},
        owners=["team:commerce-data"],
        freshness_policy=FOLLOWS_DELIVERIES,
        metadata=table_metadata(*loaded_table.relation.split(".")),
        code_version="1",
        pool="shoppulse_writer",
    )
    def asset(
        context: dg.AssetExecutionContext, warehouse: PostgresResource, uploads: UploadsResource
    ) -> dg.MaterializeResult[Any]:
        holder = f"{name} {context.run_id}"
        settings = warehouse.settings()
        with (
            lease(settings, dataset(loaded_table), None, holder=holder, execution_id=context.run_id) as held,
            warehouse.session(holder) as session,
            uploads.opened() as store,
        ):
            # The whole listing first: an older file that is found later costs reading the newer ones again.
            while not scan(session, store, ledger=DELIVERIES).complete:
                pass
            loaded = load(Loading(session, store, held, loaded_table))
            rows = session.transaction(lambda: session.count(loaded_table.relation), doing=f"counting {name}")
        return materialized(row_count=rows, **loaded.facts())

    return asset


tenant_orders = _delivered(
    "tenant_orders",
    "orders",
    "One row per tenant and order, delivered under `tenants/{tenant_id}/orders/`. Only rows that differ are written.",
)
tenant_fulfillment = _delivered(
    "tenant_fulfillment",
    "fulfillment",
    "One row per tenant and order that is being delivered. Rows whose order has not come wait in quarantine for it.",
    (tenant_orders,),
)
tenant_campaigns = _delivered(
    "tenant_campaigns",
    "campaigns",
    "One row per tenant and campaign row, delivered under `tenants/{tenant_id}/campaigns/`: a campaign's day.",
)
tenant_order_costs = _delivered(
    "tenant_order_costs",
    "order_costs",
    "One row per tenant and order whose cost the tenant says; without it the order has no margin.",
    (tenant_orders,),
)
