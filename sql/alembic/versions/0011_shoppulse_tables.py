"""ShopPulse: roles, the eight tables, their triggers.

Revision 0011. Forward only: a mistake is mended by a later revision, never by editing this one.
"""

from __future__ import annotations

from alembic import op

from resources.migrations import run_sql_files

revision = "0011_shoppulse_tables"
down_revision = "0010_vendor_settings"


def upgrade() -> None:
    """Execute the plain SQL files, in order."""
    run_sql_files(
        op.get_bind(),
        "shoppulse/migrations/0002_roles.sql",
        "shoppulse/migrations/0003_tables.sql",
        "shoppulse/migrations/0004_triggers.sql",
    )
