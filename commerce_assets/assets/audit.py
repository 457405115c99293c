"""ShopPulse's audit trail as assets: what is on record, and its anchors outside of the database."""

from datetime import timedelta

import dagster as dg

from commerce_assets.resources import AuditAnchorsResource
from commerce_assets.shoppulse.audit import anchor_chains
from resources.ddl import table_metadata
from resources.postgres import PostgresResource
from resources.run_metadata import materialized

ANCHOR_COLUMNS = dg.TableSchema(
    columns=[
        dg.TableColumn("tenant_id", "text", "Whose chain"),
        dg.TableColumn("seq", "integer", "Of the link"),
        dg.TableColumn("hash", "text", "Of the link, hexadecimal"),
        dg.TableColumn("entries", "integer", "Up to the link"),
        dg.TableColumn("time", "text", "When it was anchored, UTC"),
    ]
)


@dg.asset(
    group_name="shoppulse",
    kinds={"postgres"},
    owners=["team:commerce-data"],
    freshness_policy=dg.FreshnessPolicy.time_window(
        fail_window=timedelta(hours=50), warn_window=timedelta(hours=26)
    ),
    metadata=table_metadata("shoppulse", "audit_logs"),
    code_version="1",
)
def audit_trail(context: dg.AssetExecutionContext, warehouse: PostgresResource) -> dg.MaterializeResult:
    """One row per audited act: who did what in which tenant, or was refused it.

    Written by the database's own functions, never by a run; a materialization counts it, and its check verifies every
    chain from the first link on.
    """
    with warehouse.session(f"audit_trail {context.run_id}") as session:

        def work() -> tuple[int, int, int]:
            return session.run("shoppulse/checks/audit_counts", table="audit_heads")[0]  # type: ignore[return-value]

        tenants, links, entries = session.transaction(work, doing="counting the audit trail")
    return materialized(row_count=entries, tenants=tenants, links=links)


@dg.asset(
    group_name="shoppulse",
    kinds={"s3"},
    owners=["team:commerce-data"],
    freshness_policy=dg.FreshnessPolicy.time_window(
        fail_window=timedelta(hours=6), warn_window=timedelta(hours=3)
    ),
    metadata={"dagster/table_name": "s3.audit_anchors", "dagster/column_schema": ANCHOR_COLUMNS},
    code_version="1",
)
def audit_anchors(
    context: dg.AssetExecutionContext, warehouse: PostgresResource, audit_store: AuditAnchorsResource
) -> dg.MaterializeResult:
    """One row per anchored link of a tenant's audit chain: how far it reached, outside of the database's reach.

    Every chain is verified from its newest anchor on; only one that is whole is anchored, so that no anchor ever covers
    up for a forgery. The chain of another tenant is anchored all the same. The database notes what was anchored
    last; where S3 does not have it any more, `lost` says so, and the chain is anchored anew.
    """
    connection = warehouse.connection(f"audit_anchors {context.run_id}")
    try:
        with audit_store.opened() as store:
            done = anchor_chains(connection, store)
    finally:
        warehouse.let_go(connection)
    for tenant, what in done.lost.items():
        context.log.warning("tenant %s: %s", tenant, what)
    return materialized(
        row_count=done.written,
        tenants=done.tenants,
        unchanged=done.unchanged,
        refused=done.refused,
        lost=done.lost,
    )
