"""The ledger of tenants' deliveries and their quarantine.

Revision 0014. Forward only: a mistake is mended by a later revision, never by editing this one.
"""

from __future__ import annotations

from alembic import op

from resources.migrations import run_sql_files

revision = "0014_shoppulse_deliveries"
down_revision = "0013_shoppulse_metrics"


def upgrade() -> None:
    """Execute the plain SQL files, in order."""
    run_sql_files(op.get_bind(), "shoppulse/migrations/0007_deliveries.sql")
