"""Storage parameters of the Fullbay lines and headers, as loading them needs.

Revision 0005. Forward only: a mistake is mended by a later revision, never by editing this one.
"""

from __future__ import annotations

from alembic import op

from resources.migrations import run_sql_files

revision = "0005_load_storage"
down_revision = "0004_odoo_apn_tables"


def upgrade() -> None:
    """Execute the plain SQL files, in order."""
    run_sql_files(op.get_bind(), "fullbay/migrations/0008_load_storage.sql")
