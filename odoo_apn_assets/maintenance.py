"""Keeping the tables of this location in shape. Does not belong here: anything that changes data."""

from __future__ import annotations

import time
from collections.abc import Iterator

from resources.database import connect
from resources.postgres import PostgresResource
from resources.sql import statement


def purge_checks(warehouse: PostgresResource, keep_days: int) -> int:
    """Delete the results of checks that are older than so many days; the number of rows."""
    with warehouse.session("maintenance") as session:
        rows = session.transaction(
            lambda: session.run(
                "ops/transforms/purge_checks", {"keep_days": keep_days}, table="ops.data_quality_checks"
            ),
            doing="deleting old results of checks",
        )
    return int(rows[0][0])


def vacuum(warehouse: PostgresResource) -> Iterator[tuple[str, float]]:
    """VACUUM ANALYZE each table that this location owns; its name and the seconds taken, as it goes."""
    from psycopg2 import sql

    connection = connect(warehouse.settings(), application_name="maintenance", autocommit=True)
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement("ops/transforms/own_tables"))
            for schema, table in cursor.fetchall():
                began = time.perf_counter()
                cursor.execute(sql.SQL("vacuum (analyze) {}").format(sql.Identifier(schema, table)))
                yield f"{schema}.{table}", time.perf_counter() - began
    finally:
        connection.close()
