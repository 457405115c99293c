"""The whitelist of product categories.

Revision 0003. Forward only: a mistake is mended by a later revision, never by editing this one.
"""

from __future__ import annotations

from alembic import op

from resources.migrations import run_sql_files

revision = "0003_product_categories"
down_revision = "0002_fullbay_tables"


def upgrade() -> None:
    """Execute the plain SQL files, in order."""
    run_sql_files(
        op.get_bind(),
        "commerce/migrations/0002_product_categories.sql",
    )
