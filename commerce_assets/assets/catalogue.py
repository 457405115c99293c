"""What vendors' products are validated against."""

import dagster as dg

from resources.ddl import table_metadata
from resources.freshness import UNCHANGING
from resources.postgres import PostgresResource
from resources.run_metadata import materialized


@dg.asset(
    group_name="catalogue",
    kinds={"postgres"},
    owners=["team:commerce-data"],
    freshness_policy=UNCHANGING,
    metadata=table_metadata("commerce", "product_categories"),
    code_version="1",
    pool="commerce_writer",
)
def product_categories(
    context: dg.AssetExecutionContext, warehouse: PostgresResource
) -> dg.MaterializeResult:
    """One row per product category, a category without parent being a top one: the whitelist for uploads.

    The migration brings the 20 categories; operations add and deactivate categories with SQL. A materialization records
    how many there are.
    """
    with warehouse.session(f"product_categories {context.run_id}") as session:

        def work() -> tuple[int, int]:
            return session.run("commerce/transforms/count_categories", table="product_categories")[0][:2]  # type: ignore[return-value]

        categories, active = session.transaction(work, doing="counting the product categories")
    return materialized(row_count=categories, active=active)
