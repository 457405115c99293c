"""The rows of uploads on their way into the catalogue, and what each upload changed there.

Revision 0007. Forward only: a mistake is mended by a later revision, never by editing this one.
"""

from __future__ import annotations

from alembic import op

from resources.migrations import run_sql_files

revision = "0007_pipeline_tables"
down_revision = "0006_vendor_onboarding"


def upgrade() -> None:
    """Execute the plain SQL files, in order."""
    run_sql_files(op.get_bind(), "commerce/migrations/0007_pipeline_tables.sql")
