"""Asset checks of the Odoo and APN location."""

import dagster as dg

from odoo_apn_assets.assets.catalogue import source_columns_table
from odoo_apn_assets.catalogue import source_columns
from resources.postgres import PostgresResource


@dg.asset_check(asset=source_columns_table, blocking=True)
def catalogue_is_complete(warehouse: PostgresResource) -> dg.AssetCheckResult:
    """The warehouse holds as many source columns as the catalogue files: a mirror made from fewer would lose fields."""
    with warehouse.session("catalogue_is_complete") as session:
        stored = session.transaction(
            lambda: session.count("ops.source_columns"), doing="counting the source columns"
        )
    expected = len(source_columns())
    return dg.AssetCheckResult(passed=stored == expected, metadata={"expected": expected, "actual": stored})
