"""The Odoo and APN location: mirrors, named entities, the run book of its syncs.

Revision 0004. Forward only: a mistake is mended by a later revision, never by editing this one.
"""

from __future__ import annotations

from alembic import op

from resources.migrations import run_sql_files

revision = "0004_odoo_apn_tables"
down_revision = "0003_product_categories"


def upgrade() -> None:
    """Execute the plain SQL files, in order."""
    run_sql_files(
        op.get_bind(),
        "raw/migrations/0002_tables.sql",
        "core/migrations/0002_entities.sql",
        "ops/migrations/0005_sync_tables.sql",
        "ops/migrations/0006_ownership.sql",
    )
