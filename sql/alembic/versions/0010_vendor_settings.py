"""How vendors' uploads are read and held, and which rejected rows were corrected.

Revision 0010. Forward only: a mistake is mended by a later revision, never by editing this one.
"""

from __future__ import annotations

from alembic import op

from resources.migrations import run_sql_files

revision = "0010_vendor_settings"
down_revision = "0009_upload_outcomes"


def upgrade() -> None:
    """Execute the plain SQL files, in order."""
    run_sql_files(op.get_bind(), "commerce/migrations/0010_vendor_settings.sql")
