"""Asset checks of the tenants' metrics: they are their sources to the cent, and nobody is shown more than meant."""

from collections.abc import Iterator

import dagster as dg

from commerce_assets.assets.shoppulse import campaign_metrics, tenant_daily_metrics
from commerce_assets.checks import check_by_sql
from commerce_assets.shoppulse.metrics import DISCLOSURES, IDENTITIES, METRICS, closure
from resources.postgres import PostgresResource
from resources.run_metadata import shown

metrics_equal_orders = check_by_sql(
    "shoppulse/checks/metrics_equal_orders",
    tenant_daily_metrics,
    "The sum of every tenant's cells is the sum of his orders and deliveries, to the cent.",
)
metrics_equal_campaigns = check_by_sql(
    "shoppulse/checks/metrics_equal_campaigns",
    campaign_metrics,
    "The sum of every tenant's cells is the sum of his campaigns, to the cent.",
)
every_daily_metric_is_known = check_by_sql(
    "shoppulse/checks/every_metric_is_known",
    tenant_daily_metrics,
    "Every stored metric is one of the registry, under its number.",
    params={"table_name": "tenant_daily_metrics"},
)
every_campaign_metric_is_known = check_by_sql(
    "shoppulse/checks/every_metric_is_known",
    campaign_metrics,
    "Every stored metric is one of the registry, under its number.",
    params={"table_name": "campaign_metrics"},
)
no_hidden_metric_is_inferable = check_by_sql(
    "shoppulse/checks/no_hidden_metric_is_inferable",
    tenant_daily_metrics,
    "No metric that is hidden from a role can be computed from what it sees.",
    warns=True,
)
every_listed_metric_is_known = check_by_sql(
    "shoppulse/checks/every_listed_metric_is_known",
    tenant_daily_metrics,
    "Every name on a role's list is a metric; another one shows nothing.",
    warns=True,
)


_SHOWN = {"metric": "{1}", "identity": "{1} = {2} {3} {4}", "disclosure": "{1} from {2}"}


@dg.asset_check(asset=tenant_daily_metrics)
def the_registry_is_the_table(warehouse: PostgresResource) -> dg.AssetCheckResult:
    """The tables of metrics, identities and disclosures say what the registry of this release says: by them it is
    decided what is visible, and reported what that gives away."""
    with warehouse.session("the_registry_is_the_table") as session:
        rows = session.transaction(
            lambda: session.run("shoppulse/checks/read_registry", table="metrics"),
            doing="the_registry_is_the_table",
        )
    registry, stored = set(_registry()), {tuple(texts) for (texts,) in rows}
    different = sorted({_SHOWN[row[0]].format(*row) for row in stored ^ registry})
    facts = {"checked": len(registry), "failed": len(different), "examples": different[:10]}
    return dg.AssetCheckResult(passed=not different, metadata=shown(facts))


def _registry() -> Iterator[tuple[str, ...]]:
    """The registry in the form of shoppulse/checks/read_registry."""
    for name, one in METRICS.items():
        about = (
            str(one.number),
            one.formula,
            one.grain,
            one.dated,
            one.unit,
            one.null_rule,
            one.source,
            str(one.strict).lower(),
        )
        yield ("metric", name, *about, one.owner, ",".join(one.depends_on), ",".join(closure(name)))
    for identity in IDENTITIES:
        yield ("identity", identity.result, identity.first, identity.operator, identity.second)
    for given in DISCLOSURES:
        yield ("disclosure", given.metric, given.source, given.how)
