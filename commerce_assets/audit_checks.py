"""Asset checks of ShopPulse's audit trail."""

import dagster as dg
from pydantic import Field

from commerce_assets.assets.audit import audit_anchors, audit_trail
from commerce_assets.resources import AuditAnchorsResource
from commerce_assets.shoppulse.audit import ANCHORED_WITHIN_HOURS, missing_anchors, verify_database
from resources.postgres import PostgresResource
from resources.run_metadata import shown


def check_of_chains(
    asset: dg.AssetsDefinition, description: str, *, since_anchor: bool
) -> dg.AssetChecksDefinition:
    """The chains of all tenants against themselves and their anchors; the first fault of each broken one is named."""

    @dg.asset_check(asset=asset, name="audit_chain_is_whole", description=description, blocking=True)
    def check(warehouse: PostgresResource, audit_store: AuditAnchorsResource) -> dg.AssetCheckResult:
        chains = links = entries = broken = 0
        found: list[dict[str, object]] = []
        connection = warehouse.connection("audit_chain_is_whole")
        try:
            with audit_store.opened() as store:
                for verdict in verify_database(connection, store, since_anchor=since_anchor):
                    chains, links, entries = chains + 1, links + verdict.links, entries + verdict.entries
                    if verdict.finding is not None:
                        broken += 1
                        found += [vars(verdict.finding)] if len(found) < 10 else []
        finally:
            warehouse.let_go(connection)
        facts = {"chains": chains, "links": links, "entries": entries, "broken": broken, "findings": found}
        return dg.AssetCheckResult(passed=not broken, metadata=shown(facts))

    return check


class AnchorConfig(dg.Config):
    """When a chain without an anchor is reported."""

    hours: float = Field(
        default=ANCHORED_WITHIN_HOURS, gt=0, description="A chain whose links are all younger may have none."
    )


@dg.asset_check(asset=audit_anchors)
def audit_anchors_are_there(
    config: AnchorConfig, warehouse: PostgresResource, audit_store: AuditAnchorsResource
) -> dg.AssetCheckResult:
    """Every chain with links older than two hours has an anchor, and the one that the database noted last is there."""
    connection = warehouse.connection("audit_anchors_are_there")
    try:
        with audit_store.opened() as store:
            chains, missing = missing_anchors(connection, store, hours=config.hours)
    finally:
        warehouse.let_go(connection)
    facts = {"chains": chains, "without": len(missing), "tenants": dict(list(missing.items())[:10])}
    return dg.AssetCheckResult(passed=not missing, severity=dg.AssetCheckSeverity.WARN, metadata=shown(facts))


@dg.asset_check(asset=audit_trail, blocking=True)
def audit_guards_stand(warehouse: PostgresResource) -> dg.AssetCheckResult:
    """Triggers that write or keep the audit trail are on, row security is forced: what is not written leaves no gap."""
    with warehouse.session("audit_guards_stand") as session:
        checked, failed, examples = session.transaction(
            lambda: session.run("shoppulse/checks/audit_guards", table="audit_logs"),
            doing="checking what keeps the audit trail",
        )[0]
    facts = {"checked": checked, "failed": failed, "examples": examples or []}
    return dg.AssetCheckResult(passed=failed == 0, metadata=shown(facts))


audit_chain_is_whole = check_of_chains(
    audit_trail,
    "From the first link on, no entry was altered, removed or forged, and the chain is what was anchored on S3.",
    since_anchor=False,
)
audit_chain_is_whole_since_anchored = check_of_chains(
    audit_anchors,
    "The same since the newest anchor: quick enough for every hour.",
    since_anchor=True,
)
