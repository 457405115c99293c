"""ShopPulse: keys of tokens, logins bound to a user, row security forced on every tenant table.

Revision 0012. Forward only: a mistake is mended by a later revision, never by editing this one.
"""

from __future__ import annotations

from alembic import op

from resources.migrations import run_sql_files

revision = "0012_shoppulse_isolation"
down_revision = "0011_shoppulse_tables"


def upgrade() -> None:
    """Execute the plain SQL file."""
    run_sql_files(op.get_bind(), "shoppulse/migrations/0005_isolation.sql")
