"""What became of an upload's rows, beside the staged rows.

Revision 0009. Forward only: a mistake is mended by a later revision, never by editing this one.
"""

from __future__ import annotations

from alembic import op

from resources.migrations import run_sql_files

revision = "0009_upload_outcomes"
down_revision = "0008_upload_ledger"


def upgrade() -> None:
    """Execute the plain SQL files, in order."""
    run_sql_files(op.get_bind(), "commerce/migrations/0009_upload_outcomes.sql")
