"""Mirroring one table: the rows of one source snapshot into RAW, in one transaction of the warehouse.

Belongs here: how rows get across, what is inserted, updated, marked as deleted or refused, and the state that commits
with them. Does not belong here: which tables, jobs and retries (`odoo_apn_assets.sync`).

Methods:
- load, resync: everything by COPY into a shadow table, indexes after, swapped in. Rows that are gone are carried over.
- incremental: rows whose transaction was not over at the last snapshot. That is exact where a clock is not: a row
  committed late has an old mark, but a new transaction number. The watermark stands guard: a source that went back
  in time is known by it. From a server that does not tell its timeline, the rows above the watermark are read too.
- compare: keys and row hashes of all rows; rows that differ are read. For tables without a mark, and whenever something
  says that the watermark cannot be trusted.
Every method but the first two sweeps the keys, so that deletions and rows missed for any reason are found. Keys
that are numbers are swept as maps, one bit a key: both sides give 64 keys as one number, and what differs is looked at.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, LiteralString

from odoo_apn_assets.composing import Composer, Target, names
from odoo_apn_assets.core import CORE_READERS
from odoo_apn_assets.drift import (
    METADATA_NAMES,
    Drift,
    KeyChanged,
    Layout,
    compare,
)
from odoo_apn_assets.piping import SourceError, copy_across
from odoo_apn_assets.source import Reader, Snapshot, live_columns
from odoo_apn_assets.specs import TableSpec, quoted
from resources.failures import PermanentError, permanent
from resources.leases import Lease
from resources.sql import Session, statement

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from psycopg2.sql import Composable

logger = logging.getLogger(__name__)

Method = Literal["load", "incremental", "compare", "resync"]

MOST_DELETED = 0.10
"""A sync that finds a larger share of the live rows gone stops and asks; a single row never does."""
MOST_REFUSED = 1000
"""More rows than this that cannot be stored are no bad rows but a cause that they share."""
RULES_VERSION = "mirror-1"

_MOST_NOTED = 50_000
_MOST_FETCHED_SHARE = 0.25
_IDS_AT_ONCE = 5_000
_NUMBERS = ("smallint", "integer", "bigint")
_PASSED_BY_KEY: LiteralString = """
    exists (select from mirror_stage s where s.id::text = q.source_id)
    or not exists (select from mirror_keys k where k.id::text = q.source_id)"""
# CASE, because the keys of other tables are no numbers.
_PASSED_BY_BLOCK: LiteralString = """
    exists (select from mirror_stage s where s.id::text = q.source_id)
    or case when q.table_name = %(table_name)s then not exists (
        select from mirror_blocks b
        where b.block = q.source_id::bigint >> 6 and (b.keys >> (q.source_id::bigint & 63)::integer) & 1 = 1) end"""
_XID_MODULUS = 2**32
_SAFE_XID_DISTANCE = 2**31 - 10_000_000
_REASONS = {
    "22021": "INVALID_ENCODING",
    "22P05": "INVALID_ENCODING",
    "22001": "TOO_LONG",
    "22003": "OUT_OF_RANGE",
    "22007": "NOT_CONVERTIBLE",
    "22008": "OUT_OF_RANGE",
    "22P02": "NOT_CONVERTIBLE",
    "22P03": "NOT_CONVERTIBLE",
}


class TableMissing(PermanentError):
    """The source has no such table, or hides it."""


@dataclass(frozen=True)
class SyncOptions:
    """What an operator may ask of a sync."""

    full: bool = False
    resync: bool = False
    allow_deletes: bool = False
    accept_older_source: bool = False
    row_hashes: bool = True


@dataclass(frozen=True)
class TableResult:
    """What one sync read and changed. source_rows = mirror_rows + quarantined - stale."""

    raw_table: str
    method: Method
    source_rows: int
    mirror_rows: int
    rows_read: int
    inserted: int
    updated: int
    revived: int
    deleted: int
    quarantined: int
    stale: int
    refused_values: int
    source_hash: Decimal | None
    mirror_hash: Decimal | None
    seconds: float
    drifts: tuple[Drift, ...]

    @property
    def unchanged(self) -> int:
        """Rows of the source that the mirror held already."""
        return self.source_rows - self.inserted - self.updated - self.quarantined


@dataclass(frozen=True)
class _State:
    """The stored row of ops.mirror_state."""

    watermark: datetime | None
    watermark_id: str | None
    source_xid: int
    source_identity: str
    hash_method: str
    hashed_columns: list[str]
    live_rows: int


@dataclass
class _Counts:
    """What a sync has done so far."""

    source_rows: int = 0
    live_rows: int = 0
    rows_read: int = 0
    inserted: int = 0
    updated: int = 0
    revived: int = 0
    deleted: int = 0
    refused: list[str] = field(default_factory=list)
    refused_values: int = 0


def sync_table(
    spec: TableSpec,
    snapshot: Snapshot,
    reader: Reader,
    session: Session,
    lease: Lease,
    job_id: str,
    options: SyncOptions,
) -> TableResult:
    """Bring one mirror to the state of the snapshot; everything or nothing.

    Raises PermanentError for what an operator must decide (table gone, key changed, many deletions, an older source),
    SourceError when the source failed; the mirror is then as it was.
    """
    began = time.perf_counter()

    def work() -> TableResult:
        return _TableSync(spec, snapshot, reader, session, lease, job_id, options, began).run()

    return session.transaction(work, doing=f"mirroring {spec.table} into raw.{spec.raw_name}")


class _TableSync:
    """One attempt at one table, inside the caller's transaction."""

    def __init__(
        self,
        spec: TableSpec,
        snapshot: Snapshot,
        reader: Reader,
        session: Session,
        lease: Lease,
        job_id: str,
        options: SyncOptions,
        began: float,
    ) -> None:
        self.spec, self.snapshot, self.reader, self.session = spec, snapshot, reader, session
        self.lease, self.job_id, self.options, self.began = lease, job_id, options, began
        self.counts = _Counts()
        self.kept_columns: list[str] = []

    # -- the whole ---------------------------------------------------------------------------------------------

    def run(self) -> TableResult:
        with self.session.connection.cursor() as cursor:
            self.lease.check(cursor)
        state = self._stored_state()
        layout = self._layout()
        self._store_drift(layout.drifts)
        self._add_columns(layout)
        self.layout, self.composer = layout, Composer(layout)
        method = self._method(state)
        if state is None or method in ("load", "resync"):
            self._load()
        elif method == "incremental":
            self._follow(state)
        else:
            self._compare()
        return self._finish(method, state)

    def _layout(self) -> Layout:
        try:
            source = self.snapshot.columns(self.spec.table)
        except Exception as error:
            raise SourceError(error) from error
        if not source:
            raise TableMissing(
                f"mirroring {self.spec.system}.{self.spec.table}",
                found="the source has no such table, or its login may not see it",
                do_next="Grant select on it to the login of the source's URL; raw."
                f"{self.spec.raw_name} stays as it is until then.",
            )
        mirror = live_columns(self.session.connection, f"raw.{self.spec.raw_name}")
        try:
            layout = compare(
                self.spec,
                source,
                mirror,
                server_version=self.snapshot.server_version,
                hashed=self.options.row_hashes,
            )
        except KeyChanged as error:
            raise permanent(
                f"mirroring {self.spec.system}.{self.spec.table}",
                found=str(error),
                do_next="Rows cannot be told apart without it: nothing was changed. Restore the column at the source.",
            ) from error
        copied = {column.name for column in layout.columns}
        self.kept_columns = [
            column.name
            for column in mirror
            if column.name not in copied and column.name not in METADATA_NAMES
        ]
        return layout

    def _method(self, state: _State | None) -> Method:
        position = self.snapshot.position
        if state is None:
            return "load"
        if self.options.resync or (state.hash_method == "none") != (self.layout.hash_method == "none"):
            return "resync"
        watermark_holds = self._watermark_holds(state)
        same_server = state.source_identity == position.identity
        if same_server and position.next_xid < state.source_xid:
            self._stop_at_an_older_source(
                f"its transaction counter stands at {position.next_xid}, below {state.source_xid} of the last sync"
            )
            return "compare"
        too_far = position.next_xid - state.source_xid > _SAFE_XID_DISTANCE
        changed = (
            state.hashed_columns != self.layout.hashed_columns or state.hash_method != self.layout.hash_method
        )
        if self.options.full or not watermark_holds or not same_server or too_far or changed:
            return "compare"
        return "incremental" if self._has_transaction_numbers() else "compare"

    def _watermark_holds(self, state: _State) -> bool:
        """Whether the row that set the watermark is at the source with that mark; asks when it went back."""
        if self.layout.mark is None or state.watermark is None:
            return False
        query = self.composer.for_source(
            self.session.connection, "select {mark} from {source} t where t.id = %(id)s"
        )
        rows = self._ask(query, {"id": state.watermark_id})  # a quoted literal takes the type of the key
        if not rows or rows[0][0] is None:
            return False
        if rows[0][0] < state.watermark:
            self._stop_at_an_older_source(
                f"row {state.watermark_id} has {self.layout.mark} {rows[0][0]},"
                f" before {state.watermark} of the last sync"
            )
            return False
        return True

    def _stop_at_an_older_source(self, found: str) -> None:
        if not self.options.accept_older_source:
            raise permanent(
                f"mirroring {self.spec.system}.{self.spec.table}",
                found=f"the source went back in time: {found}",
                do_next="Nothing was changed. If the source was restored on purpose, run again with "
                "accept_older_source: true; every row is then compared.",
            )

    # -- load and resync -----------------------------------------------------------------------------------------

    def _load(self) -> None:
        if any(column.as_text for column in self.layout.columns):
            self._create_shadow()
            self._execute("raw/transforms/create_stage", stage_columns=self.composer.stage_columns())
            self._copy("mirror_stage")
            self._quarantine_values()
            self._execute_text(
                "insert into {shadow} (_row_hash, {columns})"
                " select s._row_hash, {values} from mirror_stage s order by s.id"
            )
        else:
            self._fill_shadow()
        stored = self.counts.rows_read - len(self.counts.refused)
        self.counts.source_rows = self.counts.rows_read
        gone = self._execute("raw/transforms/count_gone_from_shadow", {"refused": self.counts.refused})[0]
        self._ask_before_deleting(*gone)
        known = int(gone[0])
        everything = [column.name for column in self.layout.columns] + self.kept_columns
        self._execute(
            "raw/transforms/carry_over_deleted",
            {"refused": self.counts.refused},
            all_columns=names("", everything),
            mirror_columns=names("m.", everything),
        )
        if self.kept_columns:
            self._execute(
                "raw/transforms/carry_over_columns",
                kept=names("", self.kept_columns),
                mirror_kept=names("m.", self.kept_columns),
            )
        self.counts.deleted = int(gone[1])
        self.counts.inserted = max(stored - (known - self.counts.deleted), 0)
        self.counts.updated = stored - self.counts.inserted
        self.counts.live_rows = stored
        self._swap()
        self._note_everything()

    def _create_shadow(self) -> None:
        from psycopg2 import sql

        self._execute("raw/transforms/create_shadow", job_id=sql.Literal(self.job_id))

    def _fill_shadow(self) -> None:
        """COPY everything into a new shadow, its rows frozen at once; row by row where that fails for bad rows."""
        import psycopg2

        # Only a table of the same subtransaction takes frozen rows: nobody else can see it yet.
        self._execute_text("savepoint copying")
        try:
            self._create_shadow()
            self.counts.rows_read = self._across(*self._copies("shadow", frozen=True))
            self._execute_text("release savepoint copying")
            return
        except (SourceError, psycopg2.Error) as error:
            cause = error.error if isinstance(error, SourceError) else error
            if not _is_of_the_data(cause):
                raise
            self._execute_text("rollback to savepoint copying")
        self._create_shadow()
        self.counts.rows_read = self._split("shadow", "true", {}, cause)

    def _swap(self) -> None:
        from psycopg2 import errors, sql

        name = self.spec.raw_name
        shadow = f"new_{name}"
        try:
            self._execute(
                "raw/transforms/swap_shadow",
                shadow_key=sql.Identifier(f"uq_{shadow}_id"),
                shadow_key_qualified=sql.Identifier("raw", f"uq_{shadow}_id"),
                shadow_primary_qualified=sql.Identifier("raw", f"{shadow}_pkey"),
                shadow_sequence_qualified=sql.Identifier("raw", f"{shadow}__raw_id_seq"),
                mirror_name=sql.Identifier(name),
                key_name=sql.Identifier(f"uq_{name}_id"),
                primary_name=sql.Identifier(f"{name}_pkey"),
                sequence_name=sql.Identifier(f"{name}__raw_id_seq"),
            )
        except errors.UniqueViolation as error:
            detail = (error.diag.message_detail or "").strip()
            raise permanent(
                f"mirroring {self.spec.system}.{self.spec.table}",
                found=f"the source holds one id more than once: {detail}",
                do_next="Rows cannot be told apart by it: nothing was changed. Remove the double row at the source.",
            ) from error

    # -- incremental and compare ---------------------------------------------------------------------------------

    def _follow(self, state: _State) -> None:
        """Read what changed since the last sync, then sweep the keys."""
        if self.spec.key_type not in _NUMBERS:
            self._compare(self._changed_since(state))
            return
        self._execute("raw/transforms/create_stage", stage_columns=self.composer.stage_columns())
        self._execute("raw/transforms/create_blocks")
        self._copy("mirror_stage", *self._changed_since(state))
        self._sweep_blocks()
        self._store_staged()
        compared = self._execute("raw/transforms/compare_blocks")[0]
        self.counts.source_rows, live, missing, gone = map(int, compared)
        if missing:
            stored = self.counts.inserted + self.counts.revived
            self._stage_missing(missing)
            self._store_staged()
            live += self.counts.inserted + self.counts.revived - stored
        self._ask_before_deleting(live, gone)
        if gone:
            self._mark_gone("m.id in (select d.id from mirror_differences d where not d.missing)")
        self.counts.live_rows = live - self.counts.deleted

    def _sweep_blocks(self) -> None:
        out = """copy (
            select t.id::bigint >> 6, bit_or(1::bigint << (t.id & 63)::integer), count(*) from {source} t group by 1
        ) to stdout (format binary)"""
        into = "copy mirror_blocks (block, keys, key_rows) from stdin (format binary)"
        self._across(self.composer.for_source(self.session.connection, out), into)

    def _stage_missing(self, missing: int) -> None:
        """Read the rows that are at the source and neither in the mirror nor refused."""
        if missing > _MOST_FETCHED_SHARE * self.counts.source_rows:
            self._execute_text("truncate mirror_stage")
            self.counts.refused.clear()
            self._copy("mirror_stage")
            return
        rows = self._execute_text("select id from mirror_differences where missing order by id")
        refused = set(self.counts.refused)
        self._stage_ids([row[0] for row in rows if str(row[0]) not in refused])

    def _compare(self, changed: tuple[str, dict[str, Any]] | None = None) -> None:
        """Sweep the keys, with the row hashes unless it is known what `changed`; read what differs."""
        hashed = changed is None and self.layout.hash_method != "none"
        self._execute("raw/transforms/create_stage", stage_columns=self.composer.stage_columns())
        self._execute("raw/transforms/create_keys")
        self._sweep_keys(with_hashes=hashed)
        if changed is not None:
            self._copy("mirror_stage", *changed)
        elif not hashed:
            self._copy("mirror_stage")
        self._stage_wanted(compare_hashes=hashed)
        self._store_staged()
        live, gone = self._execute("raw/transforms/count_gone")[0]
        self._ask_before_deleting(live, gone)
        if gone:
            self._mark_gone("not exists (select from mirror_keys k where k.id = m.id)")
        self.counts.live_rows = live - self.counts.deleted

    def _store_staged(self) -> None:
        """Staged rows into the mirror. Doing it twice writes nothing more."""
        self.counts.refused_values = 0
        self._quarantine_values()
        self.counts.revived += self._execute("raw/transforms/revived")[0][0]
        inserted, updated = self._execute(
            "raw/transforms/upsert", self._readers() | {"job_id": self.job_id, "most": _MOST_NOTED}
        )[0]
        self.counts.inserted += inserted
        self.counts.updated += updated

    def _mark_gone(self, which: LiteralString) -> None:
        from psycopg2 import sql

        params = self._readers() | {"job_id": self.job_id}
        marked = self._execute("raw/transforms/mark_gone", params, which=sql.SQL(which))
        self.counts.deleted = marked[0][0]

    def _sweep_keys(self, *, with_hashes: bool) -> None:
        out = "copy (select t.id, {hash} from {source} t) to stdout (format binary)"
        if not with_hashes:
            out = "copy (select t.id, null::bigint from {source} t) to stdout (format binary)"
        into = "copy mirror_keys (id, _row_hash) from stdin (format binary)"
        self.counts.source_rows = self._across(self.composer.for_source(self.session.connection, out), into)
        self._execute_text("analyze mirror_keys")

    def _changed_since(self, state: _State) -> tuple[str, dict[str, Any]]:
        where = "age(t.xmin) <= (select age(%(xid)s::text::xid))"
        if not self.snapshot.position.exact:
            where = "t.{mark} > %(watermark)s or t.{mark} is null or " + where
        return where, {"watermark": state.watermark, "xid": state.source_xid % _XID_MODULUS}

    def _stage_wanted(self, *, compare_hashes: bool) -> None:
        """Read the rows that the sweep found to be missing or different."""
        from psycopg2 import sql

        differs = "m._row_hash is distinct from k._row_hash" if compare_hashes else "false"
        staged = (
            "not exists (select from mirror_stage s where s.id = k.id)" if self.counts.rows_read else "true"
        )
        refused = set(self.counts.refused)
        ids = [
            row[0]
            for row in self._execute(
                "raw/transforms/wanted", hash_differs=sql.SQL(differs), not_staged=sql.SQL(staged)
            )
            if str(row[0]) not in refused
        ]
        if not ids:
            return
        if not self.counts.rows_read and len(ids) > _MOST_FETCHED_SHARE * self.counts.source_rows:
            self._copy("mirror_stage")
            return
        self._stage_ids(ids)

    def _stage_ids(self, ids: Sequence[object]) -> None:
        for start in range(0, len(ids), _IDS_AT_ONCE):
            self._copy("mirror_stage", "t.id = any(%(ids)s)", {"ids": ids[start : start + _IDS_AT_ONCE]})

    def _ask_before_deleting(self, live: int, gone: int) -> None:
        if gone > max(1, MOST_DELETED * live) and not self.options.allow_deletes:
            raise permanent(
                f"mirroring {self.spec.system}.{self.spec.table}",
                found=f"{gone:,} of {live:,} rows ({gone / live:.1%}) are no longer at the source",
                do_next="Nothing was changed. If they were deleted on purpose, run again with allow_deletes: true.",
            )

    # -- rows across, and those that do not pass -------------------------------------------------------------------

    def _copy(self, target: Target, where: str = "true", params: dict[str, Any] | None = None) -> None:
        """COPY the rows of the source that fulfil `where` into the stage or the shadow; bad rows go to quarantine."""
        self.counts.rows_read += self._copy_or_split(target, where, params or {})

    def _copy_or_split(self, target: Target, where: str, params: dict[str, Any]) -> int:
        import psycopg2

        self._execute_text("savepoint copying")
        try:
            rows = self._across(*self._copies(target, where, params))
            self._execute_text("release savepoint copying")
            return rows
        except (SourceError, psycopg2.Error) as error:
            cause = error.error if isinstance(error, SourceError) else error
            if not _is_of_the_data(cause):
                raise
            self._execute_text("rollback to savepoint copying")
        return self._split(target, where, params, cause)

    def _copies(
        self,
        target: Target,
        where: str = "true",
        params: dict[str, Any] | None = None,
        *,
        frozen: bool = False,
    ) -> tuple[str, str]:
        """The COPY out of the source and the one into the target."""
        # Without hashes there is no column for them: a null costs as much to send as a value.
        hashed = self.layout.hash_method != "none"
        out = self.composer.for_source(
            self.session.connection,
            "copy (select {expressions}, {hash} from {source} t where ({where})) to stdout (format binary)"
            if hashed
            else "copy (select {expressions} from {source} t where ({where})) to stdout (format binary)",
            params or {},
            where=where,
        )
        into = self.composer.for_source(
            self.session.connection,
            (
                "copy {target} ({columns}, _row_hash) from stdin"
                if hashed
                else "copy {target} ({columns}) from stdin"
            )
            + (" (format binary, freeze)" if frozen else " (format binary)"),
            target=target,
        )
        return out, into

    def _split(self, target: Target, where: str, params: dict[str, Any], cause: BaseException) -> int:
        """Copy the two halves of the rows by themselves, down to the single row that cannot be stored."""
        query = self.composer.for_source(
            self.session.connection,
            "select count(*), percentile_disc(0.5) within group (order by t.id{collate})"
            " from {source} t where ({where})",
            params,
            where=where,
        )
        count, middle = self._ask(query)[0]
        if count == 1:
            self._refuse(middle, cause)
            return 1
        if count == 0:
            return 0
        name = f"middle{len(params)}"
        return sum(
            self._copy_or_split(
                target, f"({where}) and t.id{{collate}} {side} %({name})s", params | {name: middle}
            )
            for side in ("<=", ">")
        )

    def _refuse(self, key: object, cause: BaseException) -> None:
        """Keep a row that cannot be stored, whole: as JSON, and as it came where that is no valid UTF-8."""
        if len(self.counts.refused) >= MOST_REFUSED:
            raise permanent(
                f"mirroring {self.spec.system}.{self.spec.table}",
                found=f"more than {MOST_REFUSED} rows cannot be stored, the last one because: {_first_line(cause)}",
                do_next="So many share a cause: nothing was changed. Look at the type or encoding of the named column.",
            ) from None
        query = self.composer.for_source(
            self.session.connection, "select {whole_row} from {source} t where t.id = %(id)s", {"id": key}
        )
        raw = bytes.fromhex(self._ask(query)[0][0])
        text, valid = raw.decode("utf-8", "replace"), True
        try:
            raw.decode("utf-8")
        except UnicodeDecodeError:
            valid = False
        self.counts.refused.append(str(key))
        self.session.run(
            "raw/transforms/quarantine_row",
            {
                "table_name": f"raw.{self.spec.raw_name}",
                "source_id": str(key),
                "reason": _REASONS.get(getattr(cause, "pgcode", None) or "", "NOT_STORABLE"),
                "message": _where_and_why(cause),
                "value": None if valid else raw.hex(),
                "payload": json.dumps(json.loads(text)),
                "rules": RULES_VERSION,
                "job_id": self.job_id,
            },
            table="ops.quarantine",
        )

    def _quarantine_values(self) -> None:
        from psycopg2 import sql

        for column in self.layout.columns:
            if column.as_text:
                with self.session.connection.cursor() as cursor:
                    cursor.execute(
                        sql.SQL(statement("raw/transforms/quarantine_values")).format(
                            column=sql.Identifier(column.name)
                        ),
                        {
                            "table_name": f"raw.{self.spec.raw_name}",
                            "column": column.name,
                            "expected": column.type,
                            "found": column.source_type,
                            "rules": RULES_VERSION,
                            "job_id": self.job_id,
                        },
                    )
                    self.counts.refused_values += cursor.rowcount

    # -- state -----------------------------------------------------------------------------------------------------

    def _stored_state(self) -> _State | None:
        rows = self.session.run(
            "raw/transforms/stored_state", {"raw_table": self.spec.raw_name}, table="ops.mirror_state"
        )
        return _State(*rows[0]) if rows else None

    def _finish(self, method: Method, state: _State | None) -> TableResult:
        counts, layout = self.counts, self.layout
        self._close_quarantined(method)
        verified = layout.verifiable and (method == "resync" or self.options.full)
        source_hash = mirror_hash = None
        live = counts.live_rows
        if verified and method in ("load", "resync"):
            source_hash = self._execute_text("select sum(_row_hash) from {mirror} where _deleted_at is null")[
                0
            ][0]
        elif verified:
            source_hash = self._execute_text("select sum(_row_hash) from mirror_keys")[0][0]
        if verified:
            live, mirror_hash = self._execute("raw/transforms/mirror_counts")[0]
        stale = live - (counts.source_rows - len(counts.refused))
        watermark = self._highest_mark(method, state)
        result = TableResult(
            raw_table=self.spec.raw_name,
            method=method,
            source_rows=counts.source_rows,
            mirror_rows=live,
            rows_read=counts.rows_read,
            inserted=counts.inserted,
            updated=counts.updated,
            revived=counts.revived,
            deleted=counts.deleted,
            quarantined=len(counts.refused),
            stale=stale,
            refused_values=counts.refused_values,
            source_hash=source_hash,
            mirror_hash=mirror_hash,
            seconds=time.perf_counter() - self.began,
            drifts=layout.drifts,
        )
        self._store(result, watermark)
        return result

    def _highest_mark(self, method: Method, state: _State | None) -> tuple[Any, Any]:
        """The position that the mirror has reached. What changed since the last one has just been staged."""
        if self.layout.mark is None:
            return None, None
        if method == "incremental" and state is not None:
            staged = self._execute("raw/transforms/highest_staged_mark", {"watermark": state.watermark})
            return staged[0] if staged else (state.watermark, state.watermark_id)
        return next(iter(self._execute("raw/transforms/highest_mark")), (None, None))

    def _store(self, result: TableResult, watermark: tuple[Any, Any]) -> None:
        position = self.snapshot.position
        self.session.run(
            "raw/transforms/store_state",
            {
                "raw_table": self.spec.raw_name,
                "source_system": self.spec.system,
                "watermark": watermark[0],
                "watermark_id": watermark[1],
                "source_xid": position.oldest_running_xid,
                "source_identity": position.identity,
                "hash_method": self.layout.hash_method,
                "hashed_columns": self.layout.hashed_columns,
                "live_rows": result.mirror_rows,
                "job_id": self.job_id,
            },
            table="ops.mirror_state",
        )
        values = dataclasses.asdict(result) | {"unchanged": result.unchanged, "job_id": self.job_id}
        values.pop("drifts")
        self.session.run("raw/transforms/store_table_sync", values, table="ops.table_syncs")

    def _close_quarantined(self, method: Method) -> None:
        from psycopg2 import sql

        # A load has read everything; otherwise only what was staged has passed, and only what has no key is gone.
        stored: LiteralString = "true"
        if method == "incremental" and self.spec.key_type in _NUMBERS:
            stored = _PASSED_BY_BLOCK
        elif method in ("incremental", "compare"):
            stored = _PASSED_BY_KEY
        self._execute(
            "raw/transforms/close_quarantined",
            {"table_name": f"raw.{self.spec.raw_name}", "job_id": self.job_id},
            stored=sql.SQL(stored),
        )

    def _store_drift(self, drifts: Sequence[Drift]) -> None:
        store_drift(self.session, self.spec.raw_name, drifts, self.job_id)

    def _add_columns(self, layout: Layout) -> None:
        from psycopg2 import sql

        mirror = sql.Identifier("raw", self.spec.raw_name)
        if layout.widened_key is not None:
            with self.session.connection.cursor() as cursor:
                cursor.execute(
                    sql.SQL("alter table {} alter column id type {}").format(
                        mirror, sql.SQL(layout.widened_key)
                    )
                )
        for column in layout.added:
            with self.session.connection.cursor() as cursor:
                cursor.execute(
                    sql.SQL("alter table {} add column {} {}").format(
                        mirror,
                        sql.Identifier(column.name),
                        sql.SQL(column.type),
                    )
                )

    def _note_everything(self) -> None:
        self.session.run("raw/transforms/note_everything", self._readers(), table="ops.raw_changes")

    def _readers(self) -> dict[str, Any]:
        targets = [target for target, tables in CORE_READERS.items() if self.spec.raw_name in tables]
        return {"raw_table": self.spec.raw_name, "targets": targets}

    # -- statements ------------------------------------------------------------------------------------------

    def _execute(
        self, name: str, params: dict[str, Any] | None = None, **parts: Composable
    ) -> list[tuple[Any, ...]]:
        """Run a statement file with this table's identifiers composed in; its rows."""
        return self._execute_text(statement(name), params, **parts)

    def _execute_text(
        self, text: str, params: dict[str, Any] | None = None, **parts: Composable
    ) -> list[tuple[Any, ...]]:
        with self.session.connection.cursor() as cursor:
            cursor.execute(self.composer.for_warehouse(text, **parts), params)
            return cursor.fetchall() if cursor.description else []

    # -- the source ------------------------------------------------------------------------------------------------

    def _source(self) -> Connection:
        try:
            return self.reader.connection()
        except Exception as error:
            raise SourceError(error) from error

    def _across(self, copy_out: str, copy_in: str) -> int:
        source = self._source()
        with self.session.connection.cursor() as cursor:
            return copy_across(source, copy_out, cursor, copy_in)

    def _ask(self, query: str, params: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
        source = self._source()
        try:
            with source.cursor() as cursor:
                cursor.execute(query, params)
                return cursor.fetchall()
        except Exception as error:
            source.close()
            raise SourceError(error) from error

    def _has_transaction_numbers(self) -> bool:
        """Whether rows show the number of the transaction that wrote them, and to us."""
        rows = self._ask(
            "select relkind in ('r', 'p', 'm') and has_table_privilege(oid, 'select')"
            " from pg_class where oid = to_regclass(%(table)s)",
            {"table": quoted(self.spec.table)},
        )
        return bool(rows) and bool(rows[0][0])


def store_drift(session: Session, raw_table: str, drifts: Sequence[Drift], job_id: str) -> None:
    """Record the differences of one table that a sync found; those that are gone are closed."""
    session.run(
        "raw/transforms/store_drift",
        {
            "raw_table": raw_table,
            "job_id": job_id,
            "kinds": [drift.kind for drift in drifts],
            "columns": [drift.column for drift in drifts],
            "expecteds": [drift.expected for drift in drifts],
            "founds": [drift.found for drift in drifts],
            "actions": [drift.action for drift in drifts],
        },
        table="ops.schema_drift",
    )


def _is_of_the_data(error: BaseException) -> bool:
    """Whether one row's values are the cause: data exceptions, and limits of a row or value."""
    code = getattr(error, "pgcode", None) or ""
    return code.startswith(("22", "54")) and code != "54001"


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:500]


def _where_and_why(error: BaseException) -> str:
    context = str(getattr(getattr(error, "diag", None), "context", None) or "")
    column = re.search(r"column ([^:\s]+)", context)
    return _first_line(error) + (f" (column {column[1]})" if column else "")
