"""Vendors, their uploads, the catalogue, and the rows that were rejected.

Revision 0006. Forward only: a mistake is mended by a later revision, never by editing this one.
"""

from __future__ import annotations

from alembic import op

from resources.migrations import run_sql_files

revision = "0006_vendor_onboarding"
down_revision = "0005_load_storage"


def upgrade() -> None:
    """Execute the plain SQL files, in order."""
    run_sql_files(
        op.get_bind(),
        "commerce/migrations/0003_vendors.sql",
        "commerce/migrations/0004_uploads_and_products.sql",
        "commerce/migrations/0005_triggers.sql",
        "commerce/migrations/0006_grants.sql",
    )
