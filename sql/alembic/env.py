"""Alembic's entry point: runs the revisions on the connection that `resources.migrations.migrate` opened.

Belongs here: what Alembic must know of this project. There is no alembic.ini and no URL: a connection string
would put a password into a text that errors print. Transaction, lock and connection belong to the caller.
"""

from __future__ import annotations

from alembic import context

from resources.migrations import VERSION_TABLE, VERSION_TABLE_SCHEMA

connection = context.config.attributes["connection"]
on_version_apply = context.config.attributes["on_version_apply"]

context.configure(
    connection=connection,
    target_metadata=None,
    version_table=VERSION_TABLE,
    version_table_schema=VERSION_TABLE_SCHEMA,
    on_version_apply=on_version_apply,
)
with context.begin_transaction():
    context.run_migrations()
