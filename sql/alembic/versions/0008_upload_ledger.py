"""The ledger of uploaded objects.

Revision 0008. Forward only: a mistake is mended by a later revision, never by editing this one.
"""

from __future__ import annotations

from alembic import op

from resources.migrations import run_sql_files

revision = "0008_upload_ledger"
down_revision = "0007_pipeline_tables"


def upgrade() -> None:
    """Execute the plain SQL files, in order."""
    run_sql_files(op.get_bind(), "commerce/migrations/0008_upload_ledger.sql")
