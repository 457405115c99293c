"""The catalogue of source columns in the warehouse."""

import dagster as dg

from odoo_apn_assets.catalogue import SourceColumn, source_columns
from resources.ddl import table_metadata
from resources.freshness import UNCHANGING
from resources.postgres import PostgresResource
from resources.run_metadata import materialized


@dg.asset(
    key="source_columns",
    group_name="catalogue",
    kinds={"postgres", "csv"},
    owners=["team:odoo-apn-data"],
    freshness_policy=UNCHANGING,
    metadata=table_metadata("ops", "source_columns"),
    code_version="1",
    pool="odoo_apn_writer",
)
def source_columns_table(
    context: dg.AssetExecutionContext, warehouse: PostgresResource
) -> dg.MaterializeResult:
    """One row per column of the Odoo and APN source tables: type, relation, meaning.

    The mirror's tables, select lists and checks follow from it.
    """
    columns = source_columns()
    params = {f"{name}s": [getattr(column, name) for column in columns] for name in SourceColumn._fields}
    with warehouse.session(f"source_columns {context.run_id}") as session:
        written = session.transaction(
            lambda: session.run("ops/transforms/replace_source_columns", params, table="source_columns")[0][
                0
            ],
            doing="storing the catalogue of source columns",
        )
    return materialized(row_count=len(columns), rows_read=len(columns), rows_stored=written)
