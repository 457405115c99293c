"""Keeping the tables of this location in shape. Does not belong here: anything that changes rows."""

from __future__ import annotations

import time
from collections.abc import Iterator

from resources.database import connect
from resources.postgres import PostgresResource
from resources.sql import statement


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
