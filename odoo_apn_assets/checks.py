"""Asset checks of the Odoo and APN location.

Belongs here: declaring checks and showing what they found. Does not belong here: what is found, which is counted in
`odoo_apn_assets.raw_quality`.
"""

from collections.abc import Iterator
from typing import Literal

import dagster as dg

from odoo_apn_assets.assets.catalogue import source_columns_table
from odoo_apn_assets.catalogue import source_columns
from odoo_apn_assets.raw_quality import Finding, checks_of, inspect
from resources.postgres import PostgresResource
from resources.run_metadata import shown


@dg.asset_check(asset=source_columns_table, blocking=True)
def catalogue_is_complete(warehouse: PostgresResource) -> dg.AssetCheckResult:
    """The warehouse holds as many source columns as the catalogue files: a mirror made from fewer would lose fields."""
    with warehouse.session("catalogue_is_complete") as session:
        stored = session.transaction(
            lambda: session.count("ops.source_columns"), doing="counting the source columns"
        )
    expected = len(source_columns())
    return dg.AssetCheckResult(passed=stored == expected, metadata={"expected": expected, "actual": stored})


def raw_checks() -> list[dg.AssetChecksDefinition]:
    """The checks of all mirrors, one step per source system: a step of its own for each check costs 50 ms more."""
    return [_checks_of_system("odoo"), _checks_of_system("apn")]


def _checks_of_system(system: Literal["odoo", "apn"]) -> dg.AssetChecksDefinition:
    declared = {
        dg.AssetCheckKey(dg.AssetKey(["raw", spec.raw_name]), check.name): (check, spec)
        for check, spec in checks_of(system)
    }

    @dg.multi_asset_check(
        name=f"{system}_mirror_checks",
        specs=[
            dg.AssetCheckSpec(
                key.name, asset=key.asset_key, description=check.description, blocking=check.blocking
            )
            for key, (check, _) in declared.items()
        ],
        can_subset=True,
    )
    def mirror_checks(
        context: dg.AssetCheckExecutionContext, warehouse: PostgresResource
    ) -> Iterator[dg.AssetCheckResult]:
        wanted = context.selected_asset_check_keys
        selected = [found for key, found in declared.items() if key in wanted]
        with warehouse.session(f"checks of {system} {context.run.run_id}") as session:
            findings = inspect(session, selected, context.run.run_id)
        yield from (_result(found) for found in findings)

    return mirror_checks


def _result(found: Finding) -> dg.AssetCheckResult:
    facts = {"checked": found.checked, "failed": found.failed, **found.facts}
    return dg.AssetCheckResult(
        asset_key=dg.AssetKey(found.table.split(".")),
        check_name=found.check,
        passed=found.passed,
        severity=dg.AssetCheckSeverity[found.severity],
        metadata=shown(facts),
    )
