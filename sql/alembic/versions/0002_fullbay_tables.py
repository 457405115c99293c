"""The Fullbay schema, complete: 16 tables of the seeds, the pipeline's own tables, triggers, grants.

Revision 0002. Forward only: a mistake is mended by a later revision, never by editing this one.
"""

from __future__ import annotations

from alembic import op

from resources.migrations import run_sql_files

revision = "0002_fullbay_tables"
down_revision = "0001_schemas_and_roles"


def upgrade() -> None:
    """Execute the plain SQL files, in order."""
    run_sql_files(
        op.get_bind(),
        "fullbay/migrations/0002_core_tables.sql",
        "fullbay/migrations/0003_summary_tables.sql",
        "fullbay/migrations/0004_log_tables.sql",
        "fullbay/migrations/0005_pipeline_tables.sql",
        "fullbay/migrations/0006_triggers.sql",
        "fullbay/migrations/0007_grants.sql",
    )
