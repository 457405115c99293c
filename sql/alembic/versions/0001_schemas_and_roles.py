"""Group roles, schemas, pgvector, search path, and the run book's own tables.

Revision 0001. Forward only: a mistake is mended by a later revision, never by editing this one.
"""

from __future__ import annotations

from alembic import op

from resources.migrations import run_sql_files

revision = "0001_schemas_and_roles"
down_revision = None


def upgrade() -> None:
    """Execute the plain SQL files, in order."""
    run_sql_files(
        op.get_bind(),
        "ops/migrations/0001_roles.sql",
        "ops/migrations/0002_schema.sql",
        "ops/migrations/0003_database.sql",
        "fullbay/migrations/0001_schema.sql",
        "raw/migrations/0001_schema.sql",
        "core/migrations/0001_schema.sql",
        "search/migrations/0001_schema.sql",
        "commerce/migrations/0001_schema.sql",
        "shoppulse/migrations/0001_schema.sql",
        "ops/migrations/0004_bookkeeping.sql",
    )
