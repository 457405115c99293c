"""Tenants' deliveries into the tables of the tenant analytics, each in one transaction.

Belongs here: the order of things and what moves a delivery on. Does not belong here: what a file or a row must say
(deliveries.py), Dagster.

A delivery is copied into a temporary table and taken from there by statements that touch only rows that differ; its
rows, the days to be computed again, what was refused and the delivery's own stage are committed together. So a run that
is killed anywhere leaves the delivery waiting as it was. One run at a time holds the lease on a table, and checks it
inside the transaction.

Deliveries of a tenant and table count in the order of last_modified, key and listing. One that is found after a newer
one was loaded gives way: its rows whose keys a newer one has are not stored.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from commerce_assets.ledger import Ledger
from commerce_assets.objects import GONE, GONE_MESSAGE, ObjectVersion, UploadStore
from commerce_assets.reading import ROW_NUMBER, Problem
from commerce_assets.shoppulse.deliveries import (
    DELIVERY_ROW_PROBLEMS,
    REFUSED,
    ROWS_PER_CHUNK,
    TABLES,
    Checked,
    DeliveryFile,
    Table,
    Tenant,
    check,
    originals,
    refused_rows,
    time_zone_is_known,
)
from resources.aws import AwsRefusal
from resources.leases import Lease
from resources.pipelining import prefetched
from resources.sql import Session

if TYPE_CHECKING:
    import polars as pl

logger = logging.getLogger(__name__)

PREFIX: Final = "tenants/"
DELIVERIES: Final = Ledger(PREFIX, "shoppulse/transforms", "delivery_objects")
DELIVERIES_A_LOOK = 200


def dataset(table: Table) -> str:
    """What the lease on a table is called."""
    return f"tenant deliveries of {table.name}"


@dataclass(frozen=True)
class Loading:
    """What a run of one table works with."""

    session: Session
    store: UploadStore
    lease: Lease
    table: Table


@dataclass(frozen=True)
class Delivery:
    """A row of the ledger, and the tenant whose it is; `active` is None when there is no such tenant."""

    object_id: int
    tenant: Tenant
    table_name: str
    version: ObjectVersion
    active: bool | None
    columns: tuple[str, ...] = ()


@dataclass
class Loaded:
    """What became of deliveries: files, rows, codes of what was refused, and how many stored rows are odd."""

    files: int = 0
    refused_files: int = 0
    rows: int = 0
    stored: int = 0
    unchanged: int = 0
    overtaken: int = 0
    quarantined: int = 0
    replayed: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    flags: Counter[str] = field(default_factory=Counter)

    def add(self, other: Loaded) -> None:
        for name in (
            "files",
            "refused_files",
            "rows",
            "stored",
            "unchanged",
            "overtaken",
            "quarantined",
            "replayed",
        ):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.codes.update(other.codes)
        self.flags.update(other.flags)

    def facts(self) -> dict[str, Any]:
        """As metadata of an asset."""
        return {
            "files_loaded": self.files,
            "files_refused": self.refused_files,
            "rows_read": self.rows,
            "rows_stored": self.stored,
            "rows_unchanged": self.unchanged,
            "rows_overtaken": self.overtaken,
            "rows_quarantined": self.quarantined,
            "rows_replayed": self.replayed,
            "codes": dict(self.codes),
            "flags": dict(self.flags),
        }


class _Keys:
    """Whether a key came twice, by eight bytes of each: where all differ the database need not look at every row again.

    Equal ones may still be two keys, and there may be too many to remember: then the database has the word.
    """

    MOST = 3_000_000

    def __init__(self) -> None:
        self._seen: list[pl.Series] = []
        self._count = 0

    def add(self, keys: pl.Series) -> None:
        self._count += len(keys)
        self._seen = [*self._seen, keys.hash()] if self._count <= self.MOST else []

    def may_repeat(self) -> bool:
        import polars as pl

        if self._count > self.MOST:
            return True
        return bool(self._seen) and pl.concat(self._seen).n_unique() < self._count


class _Refusal(Exception):
    """The whole file is refused; what its transaction did so far is undone."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


# -- the work of a run ----------------------------------------------------------------------------------------


def load(run: Loading) -> Loaded:
    """Load every delivery of the table that waits, then the quarantined rows whose orders have come."""
    total = Loaded()
    _transaction(
        run, lambda: _run(run, "reopen_deliveries", tenant_id=None, by_hand=False), "reopening deliveries"
    )
    while deliveries := _waiting(run):
        for delivery in deliveries:
            total.add(_load(run, delivery))
    if run.table.needs_order:
        total.add(replay(run))
    return total


def replay(run: Loading, *, tenant_id: str | None = None, by_hand: bool = False) -> Loaded:
    """Try quarantined rows of the table again: those whose orders have come, or `by_hand` all that are not settled."""
    total = Loaded()
    rows = run.session.transaction(
        lambda: _run(run, "waiting_rows", table_name=run.table.name, tenant_id=tenant_id, by_hand=by_hand),
        doing=f"looking for quarantined rows of {run.table.name}",
    )
    for row in rows:
        delivery = _delivery(row)
        if time_zone_is_known(delivery.tenant.time_zone):
            total.add(_replay(run, delivery, by_hand=by_hand))
    return total


def reopen(session: Session, tenant_id: str | None = None) -> int:
    """Let refused files be read again at the next run; how many."""
    ((count,),) = session.transaction(
        lambda: session.run(
            "shoppulse/transforms/reopen_deliveries",
            {"tenant_id": tenant_id, "by_hand": True},
            table="shoppulse.delivery_objects",
        ),
        doing="reopening deliveries",
    )
    return int(count)


def _waiting(run: Loading) -> list[Delivery]:
    rows = run.session.transaction(
        lambda: _run(
            run,
            "open_deliveries",
            table_name=run.table.name,
            # What lies beside the folders of the tables is nobody's: the first table of a run refuses it.
            others=run.table.name == next(iter(TABLES)),
            known=list(TABLES),
            most=DELIVERIES_A_LOOK,
        ),
        doing=f"looking for deliveries of {run.table.name}",
    )
    return [_delivery(row) for row in rows]


def _delivery(row: tuple[Any, ...]) -> Delivery:
    object_id, tenant_id, table, key, version, etag, size, modified, active, zone, currency, known, *more = (
        row
    )
    modified_at: datetime = modified
    return Delivery(
        object_id,
        Tenant(tenant_id, zone, currency),
        table,
        ObjectVersion(key, version, etag, size, modified_at),
        bool(active) if known else None,
        tuple(more[0] or ()) if more else (),
    )


# -- one delivery ---------------------------------------------------------------------------------------------


def _load(run: Loading, delivery: Delivery) -> Loaded:
    import psycopg2

    try:
        _require_loadable(delivery)
        loaded = run.session.transaction(
            lambda: _load_file(run, delivery), doing=f"loading {delivery.version.key}"
        )
    except _Refusal as refusal:
        return _refuse(run, delivery, refusal.problem)
    except psycopg2.DataError as error:
        found = (str(error).splitlines() or [type(error).__name__])[0]
        return _refuse(run, delivery, Problem("NOT_STORABLE", f"The database refused a value: {found}"))
    logger.info(
        "%s: %d rows, %d stored, %d unchanged, %d in quarantine",
        delivery.version.key, loaded.rows, loaded.stored, loaded.unchanged, loaded.quarantined,
    )  # fmt: skip
    return loaded


def _require_loadable(delivery: Delivery) -> None:
    problem = tenant_problem(delivery.tenant, delivery.active)
    if delivery.table_name not in TABLES:
        problem = Problem(
            "UNKNOWN_TABLE", f"Upload under {PREFIX}<tenant>/<table>/ with one of {', '.join(TABLES)}."
        )
    if problem is not None:
        raise _Refusal(problem)


def tenant_problem(tenant: Tenant, active: bool | None) -> Problem | None:
    """Why nothing of a tenant is loaded; `active` is None when there is no such tenant."""
    if active is None:
        return Problem("UNKNOWN_TENANT", f"There is no tenant {tenant.tenant_id!r}.")
    if not active:
        return Problem("INACTIVE_TENANT", f"The tenant {tenant.tenant_id} is not active.")
    if not time_zone_is_known(tenant.time_zone):
        return Problem("UNKNOWN_TIME_ZONE", f"{tenant.time_zone!r} is no IANA name of a time zone.")
    return None


def _load_file(run: Loading, delivery: Delivery) -> Loaded:
    """Read, store and note one delivery, inside a transaction; raises `_Refusal` for a file that cannot be read."""
    _check_lease(run)
    loaded = Loaded(files=1)
    # Before anything else: two hours of reading for a delivery that cannot be loaded would be in vain.
    newer = _run(run, "newer_deliveries", tenant_id=delivery.tenant.tenant_id, object_id=delivery.object_id)
    _run(run, f"stage_{run.table.name}")
    _run(run, "stage_refused")
    columns, keys = _stage_file(run, delivery, loaded)
    if newer:
        _note_newer_keys(run, delivery, newer)
        ((overtaken,),) = _run(run, "remove_overtaken")
        loaded.overtaken = int(overtaken)
    _put_aside(run, delivery, loaded, _from_file(run, delivery), repeated=keys.may_repeat())
    stored, unchanged = _store(run, delivery, columns)
    ((kept,),) = _run(
        run, "quarantine_refused", tenant_id=delivery.tenant.tenant_id, table_name=run.table.name,
        object_id=delivery.object_id,
    )  # fmt: skip
    loaded.stored, loaded.quarantined = stored, int(kept)
    loaded.unchanged = unchanged + loaded.overtaken
    _require_active(run, delivery)
    if not _finish(run, delivery, "loaded", loaded, columns):
        raise _Refusal(Problem("FILE_GONE", "The delivery was taken out of the ledger while it was loaded."))
    return loaded


def _require_active(run: Loading, delivery: Delivery) -> None:
    """Nothing follows the erasure of a tenant that ran meanwhile."""
    tenant_id = delivery.tenant.tenant_id
    if _run(run, "tenant_is_active", tenant_id=tenant_id) != [(True,)]:
        raise _Refusal(Problem("INACTIVE_TENANT", f"The tenant {tenant_id} is not active."))


def _stage_file(run: Loading, delivery: Delivery, loaded: Loaded) -> tuple[tuple[str, ...], _Keys]:
    """Copy the rows that pass the rules into the staging table and the others beside it; columns and keys."""
    keys = _Keys()

    def work() -> Iterator[tuple[Sequence[str], bytes, bytes, int]]:
        for checked, rows in _checked(file, delivery.tenant):
            loaded.codes.update(checked.refused["code"].to_list())
            loaded.flags.update(checked.flags)
            keys.add(checked.accepted[run.table.key])
            yield checked.accepted.columns, _csv(checked.accepted), _csv(checked.refused), rows

    with _reading(run, delivery.version) as file:
        for names, accepted, refused, rows in prefetched(work()):
            loaded.rows += rows
            if accepted:
                _copy(run, "pg_temp.staged", names, accepted)
            if refused:
                run.session.copy("pg_temp.refused", REFUSED, refused, csv=True)
    return file.columns, keys


def _checked(file: DeliveryFile, tenant: Tenant) -> Iterator[tuple[Checked, int]]:
    for chunk in file.chunks():
        checked = check(chunk.frame, file.table, tenant)
        if chunk.refused:
            broken = refused_rows(chunk, file.table)
            checked = Checked(checked.accepted, checked.refused.vstack(broken), checked.flags)
        yield checked, chunk.rows


def _note_newer_keys(run: Loading, delivery: Delivery, newer: Iterable[tuple[Any, ...]]) -> None:
    """The keys of the deliveries that count more than this one, read again from where they lie."""
    for _, *version in newer:
        try:
            with _reading(run, ObjectVersion(*version)) as file:
                for checked, _ in _checked(file, delivery.tenant):
                    keys = checked.accepted.select(run.table.key)
                    run.session.copy("pg_temp.newer", ("row_key",), _csv(keys), csv=True)
        except _Refusal as refusal:
            raise _Refusal(
                Problem(
                    "OVERTAKEN",
                    f"{version[0]} is newer, was loaded first and cannot be read again"
                    f" ({refusal.problem.code}): which of its rows count more is not known. Deliver the rows anew.",
                )
            ) from refusal


def _put_aside(
    run: Loading, delivery: Delivery, loaded: Loaded, texts: Iterable[pl.DataFrame], *, repeated: bool
) -> None:
    """Take the rows out of the staging table that only all of them together, or the database, can refuse."""
    tenant_id = delivery.tenant.tenant_id
    _run(
        run, "settle_overtaken", tenant_id=tenant_id, table_name=run.table.name, object_id=delivery.object_id
    )
    aside = _count(run, "put_aside_repeated") if repeated else 0
    if aside:
        _run(run, "remove_put_aside")
    if run.table.needs_order:
        orderless = _count(run, "put_aside_orderless", tenant_id=tenant_id)
        if orderless:
            _run(run, "remove_put_aside")
        aside += orderless
    if not aside:
        return
    for frame in texts:
        first, last = frame[ROW_NUMBER].min(), frame[ROW_NUMBER].max()
        found = _run(run, "put_aside_between", first=first, last=last)
        if found:
            refused = _aside_rows(frame, found)
            loaded.codes.update(refused["code"].to_list())
            run.session.copy("pg_temp.refused", REFUSED, _csv(refused), csv=True)


def _aside_rows(frame: pl.DataFrame, found: list[tuple[Any, ...]]) -> pl.DataFrame:
    """Rows that were put aside, with their text, in the form of `Checked.refused`."""
    import polars as pl

    aside = pl.DataFrame(
        [(*row, f"{DELIVERY_ROW_PROBLEMS[row[2]].capitalize()}.") for row in found],
        schema={ROW_NUMBER: pl.Int64, "row_key": pl.String, "code": pl.String, "message": pl.String},
        orient="row",
    )
    texts = originals(frame.join(aside.select(ROW_NUMBER), on=ROW_NUMBER, how="semi"))
    return aside.join(texts, on=ROW_NUMBER).with_columns(column_name=pl.lit(None, pl.String)).select(*REFUSED)


def _store(run: Loading, delivery: Delivery, columns: Sequence[str]) -> tuple[int, int]:
    """From the staging table into the table, with the days to be computed again; rows stored and unchanged."""
    tenant_id, name = delivery.tenant.tenant_id, run.table.name
    if absent := [column for column in run.table.optional if column not in columns]:
        _run(run, f"keep_absent_{name}", tenant_id=tenant_id, absent=absent)
    _run(run, f"find_{name}", tenant_id=tenant_id)
    ((staged, found, differ),) = _run(run, "count_found")
    _run(run, f"note_days_{name}", tenant_id=tenant_id)
    if differ:
        _run(run, f"change_{name}", tenant_id=tenant_id)
    if staged > found:
        _run(run, f"add_{name}", tenant_id=tenant_id, currency=delivery.tenant.currency)
    return int(staged - found + differ), int(found - differ)


def _finish(
    run: Loading,
    delivery: Delivery,
    stage: str,
    loaded: Loaded,
    columns: Sequence[str] = (),
    problem: Problem | None = None,
) -> bool:
    """Move the delivery on; False when it does not wait any more, as after the erasure of its tenant."""
    done = stage == "loaded"
    moved = _run(
        run,
        "finish_delivery",
        tenant_id=delivery.tenant.tenant_id,
        object_id=delivery.object_id,
        stage=stage,
        columns_given=list(columns) if done else None,
        rows_read=loaded.rows if done else None,
        rows_stored=loaded.stored if done else None,
        rows_unchanged=loaded.unchanged if done else None,
        rows_overtaken=loaded.overtaken if done else None,
        rows_quarantined=loaded.quarantined if done else None,
        flags=json.dumps(loaded.flags) if done else None,
        failure_code=problem.code if problem else None,
        failure_message=problem.message if problem else None,
    )
    return bool(moved)


def _refuse(run: Loading, delivery: Delivery, problem: Problem) -> Loaded:
    loaded = Loaded(refused_files=1, codes=Counter({problem.code: 1}))
    _transaction(
        run,
        lambda: _finish(run, delivery, "refused", loaded, problem=problem),
        f"refusing {delivery.version.key}",
    )
    logger.warning("%s was refused: %s", delivery.version.key, problem.code)
    return loaded


# -- rows of the quarantine -----------------------------------------------------------------------------------


def _replay(run: Loading, delivery: Delivery, *, by_hand: bool) -> Loaded:
    """Try the quarantined rows of one delivery again, as if it were delivered now with these rows alone."""

    def work() -> Loaded:
        _check_lease(run)
        loaded = Loaded()
        _run(run, f"stage_{run.table.name}")
        _run(run, "stage_refused")
        for frame in _from_quarantine(run, delivery, by_hand=by_hand):
            checked = check(frame, run.table, delivery.tenant)
            _copy(run, "pg_temp.staged", checked.accepted.columns, _csv(checked.accepted))
            run.session.copy("pg_temp.refused", REFUSED, _csv(checked.refused), csv=True)
        texts = _from_quarantine(run, delivery, by_hand=by_hand)
        _put_aside(run, delivery, loaded, texts, repeated=True)
        stored, unchanged = _store(run, delivery, delivery.columns)
        keys = {"tenant_id": delivery.tenant.tenant_id, "object_id": delivery.object_id}
        _run(run, "settle_replayed", **keys)
        _run(run, "requarantine_refused", **keys)
        loaded.replayed = stored + unchanged
        _require_active(run, delivery)
        return loaded

    try:
        return run.session.transaction(work, doing=f"replaying rows of {delivery.version.key}")
    except _Refusal as refusal:
        logger.warning("rows of %s stay in quarantine: %s", delivery.version.key, refusal.problem.code)
        return Loaded()


def _from_quarantine(run: Loading, delivery: Delivery, *, by_hand: bool) -> Iterator[pl.DataFrame]:
    """The rows as they came, as a file would give them; those that could not be taken apart stay where they are."""
    import polars as pl

    after = 0
    names = [*delivery.columns, "tenant_id"]
    while rows := _run(
        run, "waiting_rows_of", tenant_id=delivery.tenant.tenant_id, object_id=delivery.object_id, after=after,
        by_hand=by_hand, most=ROWS_PER_CHUNK,
    ):  # fmt: skip
        after = rows[-1][0]
        whole = [
            (number, *map(text.get, names)) for number, text in rows if not text.keys() & {"_line", "_cells"}
        ]
        if whole:
            schema = {ROW_NUMBER: pl.Int64, **dict.fromkeys(names, pl.String)}
            yield pl.DataFrame(whole, schema=schema, orient="row")


# -- parts ----------------------------------------------------------------------------------------------------


class _reading:
    """A delivery's file for the length of the block; `_Refusal` when it is gone, or was not readable to its end."""

    def __init__(self, run: Loading, version: ObjectVersion) -> None:
        self._source = run.store.reading(version)
        self._table = run.table

    def __enter__(self) -> DeliveryFile:
        try:
            stream = self._source.__enter__()
        except AwsRefusal as refusal:
            if refusal.code not in GONE:
                raise
            raise _Refusal(Problem("FILE_GONE", f"{GONE_MESSAGE} Upload it again.")) from refusal
        self._file = DeliveryFile(stream, self._table)
        return self._file

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        self._source.__exit__(kind, error, trace)
        if error is None and self._file.problem is not None:
            raise _Refusal(self._file.problem)


def _from_file(run: Loading, delivery: Delivery) -> Iterator[pl.DataFrame]:
    """The texts of the file once more, for the few rows that turned out later not to be taken."""
    with _reading(run, delivery.version) as file:
        for chunk in file.chunks():
            if chunk.frame.height:
                yield chunk.frame


def _copy(run: Loading, relation: str, names: Sequence[str], rows: bytes) -> None:
    if rows:
        ours = ["row_key" if name == run.table.key else name for name in names]
        run.session.copy(relation, ours, rows, csv=True)


def _csv(frame: pl.DataFrame) -> bytes:
    return frame.write_csv(include_header=False).encode() if frame.height else b""


def _check_lease(run: Loading) -> None:
    with run.session.connection.cursor() as cursor:
        run.lease.check(cursor)


def _transaction(run: Loading, work: Any, doing: str) -> Any:
    def checked() -> Any:
        _check_lease(run)
        return work()

    return run.session.transaction(checked, doing=doing)


def _count(run: Loading, name: str, **params: Any) -> int:
    """Run a statement that gives no rows; how many it touched."""
    with run.session.connection.cursor() as cursor:
        run.session.run(f"shoppulse/transforms/{name}", params, table=run.table.relation, cursor=cursor)
        return int(cursor.rowcount)


def _run(run: Loading, name: str, **params: Any) -> list[tuple[Any, ...]]:
    return run.session.run(f"shoppulse/transforms/{name}", params, table=run.table.relation)
