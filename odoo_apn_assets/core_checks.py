"""Asset checks of CORE. Each is one statement in sql/core/checks, recorded in ops.data_quality_checks too."""

import json

import dagster as dg

from odoo_apn_assets.assets.core import ace_opportunities, aws_accounts, odoo_opportunities
from odoo_apn_assets.core import rules_version
from resources.postgres import PostgresResource
from resources.run_metadata import shown


def check_by_sql(
    asset: dg.AssetsDefinition, suffix: str, description: str, *, warn_only: bool = False
) -> dg.AssetChecksDefinition:
    """A check from sql/core/checks/<table>_<suffix>.sql: one row of checked, failed, expected, actual, examples."""
    table = asset.key.path[-1]
    name = f"{table}_{suffix}"
    severity = dg.AssetCheckSeverity.WARN if warn_only else dg.AssetCheckSeverity.ERROR

    @dg.asset_check(asset=asset, name=name, description=description)
    def check(context: dg.AssetCheckExecutionContext, warehouse: PostgresResource) -> dg.AssetCheckResult:
        with warehouse.session(f"{name} {context.run.run_id}") as session:

            def evaluate() -> dict[str, object]:
                (found,) = session.run(
                    f"core/checks/{name}", {"rules": rules_version()}, table=f"core.{table}"
                )
                facts = dict(zip(("checked", "failed", "expected", "actual", "examples"), found, strict=True))
                params = {
                    "table": f"core.{table}",
                    "name": name,
                    "description": description,
                    "passed": facts["failed"] == 0,
                    "checked": facts["checked"],
                    "failed": facts["failed"],
                    "details": json.dumps(facts) if facts["failed"] else None,
                }
                session.run("core/checks/record_check", params, table="ops.data_quality_checks")
                return facts

            facts = session.transaction(evaluate, doing=name)
        return dg.AssetCheckResult(
            passed=facts["failed"] == 0, severity=severity, description=description, metadata=shown(facts)
        )

    return check


_EQUAL = "Each live row of RAW that belongs into CORE is there or in quarantine, and nothing else is."
_RESOLVED = "No id stands without the name that it is for; counts by column."
_UNIQUE = "Each source row stands once."
_RULES = "The table was made by the rules of the code that is running."

odoo_equal_raw = check_by_sql(odoo_opportunities, "equal_raw", _EQUAL)
odoo_resolved = check_by_sql(odoo_opportunities, "resolved", _RESOLVED, warn_only=True)
odoo_unique = check_by_sql(odoo_opportunities, "keys_are_unique", _UNIQUE)
odoo_rules = check_by_sql(odoo_opportunities, "have_current_rules", _RULES)
odoo_orphans = check_by_sql(
    odoo_opportunities,
    "have_no_orphans",
    "The partner, user, team and stage of an opportunity are in the mirror and not gone.",
    warn_only=True,
)
ace_equal_raw = check_by_sql(ace_opportunities, "equal_raw", _EQUAL)
ace_resolved = check_by_sql(ace_opportunities, "resolved", _RESOLVED, warn_only=True)
ace_unique = check_by_sql(ace_opportunities, "keys_are_unique", _UNIQUE)
ace_rules = check_by_sql(ace_opportunities, "have_current_rules", _RULES)
aws_equal_raw = check_by_sql(aws_accounts, "equal_raw", _EQUAL)
aws_resolved = check_by_sql(aws_accounts, "resolved", _RESOLVED, warn_only=True)
aws_unique = check_by_sql(aws_accounts, "keys_are_unique", _UNIQUE)
aws_rules = check_by_sql(aws_accounts, "have_current_rules", _RULES)
