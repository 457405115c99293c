"""Asset checks of the commerce location."""

import dagster as dg

from commerce_assets.assets.catalogue import product_categories
from resources.postgres import PostgresResource
from resources.run_metadata import shown


@dg.asset_check(asset=product_categories, blocking=True)
def every_parent_exists(warehouse: PostgresResource) -> dg.AssetCheckResult:
    """There are categories, and each one's parent is a category: an upload would be refused for no reason otherwise."""
    with warehouse.session("every_parent_exists") as session:
        checked, failed, examples = session.transaction(
            lambda: session.run("commerce/checks/every_parent_exists", table="product_categories"),
            doing="checking the product categories",
        )[0]
    facts = {"checked": checked, "failed": failed, "examples": examples}
    return dg.AssetCheckResult(passed=checked > 0 and failed == 0, metadata=shown(facts))
