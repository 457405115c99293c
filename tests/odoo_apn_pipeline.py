"""Running syncs in tests: sources and warehouse of the fixtures, the real engine, and looks at what came out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from odoo_apn_assets.core import CORE_READERS, LEASE, Transformed, transform
from odoo_apn_assets.mirror import SyncOptions
from odoo_apn_assets.specs import TableSpec, spec_of, specs_of
from odoo_apn_assets.sync import Notify, Source, SyncResult, sync
from resources.database import connect
from resources.leases import lease
from resources.postgres import PostgresResource
from resources.settings import DatabaseSettings

if TYPE_CHECKING:
    from psycopg2.extensions import cursor as Cursor


class Warehouse(PostgresResource):
    """The warehouse of one test."""

    _database: DatabaseSettings | None = None

    @classmethod
    def at(cls, database: DatabaseSettings) -> Warehouse:
        warehouse = cls(location="ODOO_APN")
        warehouse._database = database
        return warehouse

    def settings(self) -> DatabaseSettings:
        assert self._database is not None
        return self._database


class Mirror:
    """One source and its mirror. `admin` may edit the source; the sync reads it with `reader`."""

    def __init__(
        self,
        system: Literal["odoo", "apn"],
        admin: DatabaseSettings,
        reader: DatabaseSettings,
        target: DatabaseSettings,
    ) -> None:
        self.system, self.admin, self.reader, self.target = system, admin, reader, target
        self.warehouse = Warehouse.at(target)

    def sync(
        self, *raw_names: str, notify: Notify = lambda subject, text: None, **options: bool
    ) -> SyncResult:
        """Sync some tables, or all of them, as one run does."""
        tables = [spec_of(name) for name in raw_names] or list(specs_of(self.system))
        source = Source(self.system, lambda: self.reader)
        return sync(source, tables, self.warehouse, SyncOptions(**options), run_id="test", notify=notify)

    def at_source(self, text: str, params: Any = None) -> list[tuple[Any, ...]]:
        """Run one statement at the source, as the owner of its tables."""
        return query(self.admin, text, params)

    def in_warehouse(self, text: str, params: Any = None) -> list[tuple[Any, ...]]:
        """Run one statement in the warehouse."""
        return query(self.target, text, params)

    def differences(self, *raw_names: str) -> dict[str, int]:
        """Live rows that are on one side only, compared by the text of all source columns; {} when mirror = source."""
        found = {}
        for spec in [spec_of(name) for name in raw_names] or specs_of(self.system):
            columns = ", ".join(f'"{column.name}"' for column in spec.columns)
            there = self._rows(self.reader, f'select row({columns})::text from "{spec.table}"')
            here = self._rows(
                self.target, f"select row({columns})::text from raw.{spec.raw_name} where _deleted_at is null"
            )
            if there ^ here:
                found[spec.raw_name] = len(there ^ here)
        return found

    def contents(self) -> dict[str, set[str]]:
        """Every mirror with all its columns but those that say when and by which job a row came."""
        return {
            spec.raw_name: self._rows(
                self.target, f"select row({_compared(spec)})::text from raw.{spec.raw_name}"
            )
            for spec in specs_of(self.system)
        }

    def versions(self) -> set[str]:
        """Which physical row versions the mirrors hold: equal before and after exactly when nothing was written."""
        return {
            f"{spec.raw_name} {row}"
            for spec in specs_of(self.system)
            for row in self._rows(self.target, f"select (ctid, xmin)::text from raw.{spec.raw_name}")
        }

    def _rows(self, database: DatabaseSettings, text: str) -> set[str]:
        return {row[0] for row in query(database, text)}


def _compared(spec: TableSpec) -> str:
    columns = ", ".join(f'"{column.name}"' for column in spec.columns)
    return f"_source_system, _row_hash, _deleted_at is null, {columns}"


def query(database: DatabaseSettings, text: str, params: Any = None) -> list[tuple[Any, ...]]:
    """Run one statement and commit; its rows, or an empty list."""
    with cursor_of(database) as cursor:
        cursor.execute(text, params)
        return cursor.fetchall() if cursor.description else []


@contextmanager
def cursor_of(database: DatabaseSettings) -> Iterator[Cursor]:
    """A cursor in a transaction of its own, in the schema public of a source or the search path of the warehouse."""
    connection = connect(database, application_name="test")
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute("set local extra_float_digits = 3")
            if not database.name.startswith("warehouse"):
                cursor.execute("set local search_path = public")
            yield cursor
    finally:
        connection.close()


def whole_run(mirrors: Sequence[Mirror], **options: bool) -> dict[str, Transformed]:
    """What a scheduled run does, without Dagster: both syncs, then every table of CORE under its lease."""
    for mirror in mirrors:
        mirror.sync(**options)
    target, warehouse = mirrors[0].target, mirrors[0].warehouse
    with (
        lease(target, LEASE, None, holder="test", execution_id="test") as held,
        warehouse.session("core") as session,
    ):
        return {table: transform(session, table, held) for table in CORE_READERS}


_OF_THE_RUN = [
    *(
        "_raw_id",
        "_ingested_at",
        "_sync_batch_id",
        "_deleted_at",
        "job_id",
        "quarantine_id",
        "drift_id",
        "log_id",
    ),
    *("opportunity_id", "target_record_id", "created_at", "updated_at", "synced_at", "transformed_at"),
    *("first_seen_at", "last_seen_at", "closed_at", "source_xid"),
]
"""Columns whose values differ between two runs that did the same: keys given out and moments."""


def everything(target: DatabaseSettings) -> dict[str, Counter[str]]:
    """All rows of RAW and CORE, and of the tables of OPS that tell what is there: equal when two warehouses are."""
    tables = query(
        target,
        "select n.nspname || '.' || c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        " where c.relkind = 'r' and (n.nspname in ('raw', 'core') or (n.nspname = 'ops' and c.relname in"
        " ('mirror_state', 'core_state', 'quarantine', 'schema_drift', 'raw_changes', 'transformation_log')))",
    )
    found = {}
    with cursor_of(target) as cursor:
        for (table,) in tables:
            # A column that one run added is no difference any more for the next: whether that is closed depends on when
            # the run was killed.
            cursor.execute(
                "select (to_jsonb(t) - %s::text[])::text, to_jsonb(t) ->> 'kind' = 'column_added' or"
                " coalesce(to_jsonb(t) ->> '_deleted_at', to_jsonb(t) ->> 'closed_at') is null"
                f" from {table} t",
                (_OF_THE_RUN,),
            )
            found[table] = Counter(f"{row} live: {live}" for row, live in cursor.fetchall())
    return found
