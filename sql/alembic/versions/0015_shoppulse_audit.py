"""ShopPulse: the audit trail becomes a chain.

Revision 0015. Forward only: a mistake is mended by a later revision, never by editing this one.
"""

from __future__ import annotations

from alembic import op

from resources.migrations import run_sql_files

revision = "0015_shoppulse_audit"
down_revision = "0014_shoppulse_deliveries"


def upgrade() -> None:
    """Execute the plain SQL files, in order."""
    run_sql_files(op.get_bind(), "shoppulse/migrations/0008_audit.sql")
