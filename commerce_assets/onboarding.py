"""An upload's way from the bucket to the catalogue and back to its vendor, stage by stage.

Belongs here: the order of the stages and what moves an upload on. Does not belong here: what each part does (reading,
rules, staging, catalogue_store, answers, dynamo), and Dagster.

Each stage takes the uploads that the stage before left, and moves them on in the transaction of its own work. What is
not in Postgres can be done twice without harm: items are put once, verdicts are given once, answer files have the same
bytes. So a run that is killed anywhere is taken up where it was. One run at a time holds the lease on uploads.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import logging
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from commerce_assets.answer_store import store_answer
from commerce_assets.answers import (
    FileProblem,
    RowResult,
    Upload,
    VendorFile,
    cells_of,
    error_key,
    vendor_message,
    write_answer,
    write_refusal,
)
from commerce_assets.catalogue_store import (
    Applied,
    HoldPolicy,
    apply_upload,
    complete_upload,
    remove_staged_rows,
)
from commerce_assets.categories import CategorySuggester
from commerce_assets.dynamo import (
    ERROR,
    VALIDATED,
    UploadRecord,
    UploadRecords,
    Verdict,
    Written,
    new_record,
    new_upload_id,
)
from commerce_assets.ledger import PREFIX
from commerce_assets.objects import GONE, GONE_MESSAGE, ObjectVersion, UploadStore
from commerce_assets.reading import (
    ROW_NUMBER,
    Chunk,
    Header,
    Limits,
    ProductFile,
    Refused,
    read_ahead,
)
from commerce_assets.rules import UPLOAD_REFUSED, DuplicatePolicy, Settings
from commerce_assets.staging import stage_chunks
from commerce_assets.vendor_settings import UnknownSetting, UploadSettings, numbers_of, vendor_settings
from resources.aws import AwsRefusal
from resources.failures import TransientError, is_transient, retrying
from resources.leases import Lease
from resources.settings import MissingSettings
from resources.sql import Session, statement

if TYPE_CHECKING:
    import polars as pl

    from resources.embedding import Embedder

logger = logging.getLogger(__name__)

DATASET = "vendor uploads"
UPLOADS_A_STAGE = 200
APPLIED = ("accepted", "updated", "unchanged", "rejected")
_ROWS_A_CHUNK = 25_000
_RECORDED_AGAIN = 3
_CELLS, _CODE, _MESSAGE = "_cells", "_code", "_message"
# A digit behind it: VENDOR_list.csv names no vendor.
_VENDOR_IN_NAME = re.compile(r"(VEND[0-9][A-Za-z0-9]*)[_.-]")


@dataclass(frozen=True)
class Onboarding:
    """What the stages share in one run. `tell`: how a vendor's answer is announced (subject, text); `embedder`: makes
    what categories are suggested with, None for spelling alone."""

    session: Session
    store: UploadStore
    records: UploadRecords
    lease: Lease
    limits: Limits = field(default_factory=Limits)
    hold: HoldPolicy = field(default_factory=HoldPolicy)
    duplicates: DuplicatePolicy = "first"
    embedder: Callable[[], Embedder | None] = lambda: None
    tell: Callable[[str, str], None] = lambda subject, text: None
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


@dataclass(frozen=True)
class Waiting:
    """An upload at some stage: its row of commerce.upload_objects."""

    object_id: int
    version: ObjectVersion
    stage: str
    vendor_id: str | None
    upload_id: str | None
    failure: FileProblem | None
    facts: Mapping[str, Any]

    @property
    def id(self) -> str:
        assert self.upload_id is not None
        return self.upload_id

    @property
    def vendor(self) -> str:
        assert self.vendor_id is not None
        return self.vendor_id

    @property
    def file_name(self) -> str:
        return self.version.key.rpartition("/")[2]

    @property
    def header(self) -> Header:
        return Header(tuple(self.facts["given"]), tuple(self.facts["columns"]))


# -- the stages -----------------------------------------------------------------------------------------------


def receive(run: Onboarding) -> list[Waiting]:
    """seen -> received: the upload gets its id and its record. A file of no active vendor is refused and answered."""

    def work(upload: Waiting) -> None:
        vendor_id, problem = _vendor(run, upload)
        if vendor_id is None or (problem and problem.code == "UNKNOWN_VENDOR"):
            assert problem is not None
            _refuse(run, upload, problem)
            return
        upload_id = new_upload_id(vendor_id, run.now())

        def open_record() -> None:
            _run(
                run, "open_upload", upload_id=upload_id, vendor_id=vendor_id, file_name=upload.file_name[:255],
                s3_key=upload.version.key[:500], expected_records=0,
            )  # fmt: skip
            _move(run, upload, "received", vendor_id=vendor_id, upload_id=upload_id, problem=problem)

        _transaction(run, open_record, f"receiving {upload.version.key}")

    return _each(run, _uploads(run, "seen"), work)


def record(run: Onboarding) -> list[Waiting]:
    """received -> recorded: every row as an item of UploadRecords, text as it came. Nothing of a refused file."""

    def work(upload: Waiting) -> None:
        recorded = _recorded(run, upload) if upload.failure is None else _Recorded(problem=upload.failure)
        file, problem = recorded.file, recorded.problem
        facts: dict[str, Any] = {"rows": 0}
        if file is not None and file.header is not None and problem is None:
            facts = {
                "locale": recorded.settings.locale,
                "duplicates": recorded.settings.duplicates,
                "rows": file.rows,
                "given": file.header.given,
                "columns": file.header.columns,
                "delimiter": file.dialect.delimiter,
                "encoding": file.encoding,
                "without_item": recorded.refused,
            }

        def note() -> None:
            _run(run, "note_expected_rows", upload_id=upload.id, expected_records=facts["rows"])
            _move(run, upload, "recorded", problem=problem, facts=facts)

        _transaction(run, note, f"recording {upload.id}")

    return _each(run, _uploads(run, "received"), work, close=True)


def validate(run: Onboarding) -> list[Waiting]:
    """recorded -> validated: the pending items, checked by all rules, in commerce.staged_rows."""
    with ExitStack() as stack:
        suggester = _suggesters(run, stack)

        def work(upload: Waiting) -> None:
            if upload.failure is None:
                names = frozenset(name for (name,) in _run(run, "active_categories"))
                decimal, thousands = numbers_of(upload.facts.get("locale"))
                settings = Settings(names, decimal == ",", suggester(names), thousands)
                chunks = ((upload.header, chunk) for chunk in _chunks(run, upload))
                policy = upload.facts.get("duplicates") or run.duplicates
                staged = stage_chunks(run.session, upload.id, chunks, settings, duplicates=policy)
                if staged.rows != upload.facts["rows"]:
                    _record_again(run, upload, staged.rows)
                    return
            _move(run, upload, "validated")

        return _each(run, _uploads(run, "recorded"), _in_transaction(run, work, "checking"), close=True)


def apply(run: Onboarding) -> dict[str, Applied]:
    """validated -> applied or held: the catalogue takes the valid rows, or the upload waits for release."""
    done: dict[str, Applied] = {}

    def work(upload: Waiting) -> None:
        hold = _settings(run, upload).hold
        applied = apply_upload(run.session, upload.id, upload.vendor, hold=hold)
        after = {verdict: getattr(applied, verdict) for verdict in APPLIED}
        facts = {"held": applied.held, "after_release": after, "seconds": _seconds(run, upload)}
        _move(run, upload, "held", facts=facts) if applied.held else _move(run, upload, "applied")
        done[upload.id] = applied

    _each(run, _uploads(run, "validated"), _in_transaction(run, work, "applying"), close=True)
    return done


def complete(run: Onboarding) -> list[Waiting]:
    """applied -> completed: rejected rows in validation_errors, counts in the history, verdicts at the items."""

    def work(upload: Waiting) -> None:
        rejected = _rejected(run, upload)

        def close() -> None:
            key = error_key(upload.vendor, upload.id) if rejected else None
            complete_upload(run.session, upload.id, upload.vendor, error_file_s3_key=key)
            _run(run, "note_corrections", upload_id=upload.id, vendor_id=upload.vendor)

        _transaction(run, close, f"completing {upload.id}")
        run.records.decide(upload.id, _verdicts(run, upload), run.now())
        facts = {"seconds": _seconds(run, upload)}
        _transaction(
            run,
            lambda: _move(run, upload, "completed", facts=facts),
            f"completing {upload.id}",
        )

    return _each(run, _uploads(run, "applied"), work)


def answer(run: Onboarding) -> dict[str, dict[str, str]]:
    """completed -> answered: the files for the vendor on S3; upload id -> kind of file -> key.

    An upload that is held is answered too, once: why it waits, and what a release would give. It stays held, and its
    answer is replaced when somebody has decided.
    """
    stored: dict[str, dict[str, str]] = {}

    def tell(upload: Waiting) -> None:
        stored[upload.id] = _answered(run, upload)

        def told() -> None:
            _run(run, "note_told", object_id=upload.object_id, answer=json.dumps(stored[upload.id]))

        _transaction(run, told, f"noting that {upload.id} waits")

    def work(upload: Waiting) -> None:
        files = _answered(run, upload)

        def close() -> None:
            _move(run, upload, "answered", facts={"answer": files})
            remove_staged_rows(run.session, upload.id)

        _transaction(run, close, f"answering {upload.id}")
        stored[upload.id] = files

    _each(run, _untold(run), tell)
    _each(run, _uploads(run, "completed"), work)
    return stored


# -- one upload after the other -------------------------------------------------------------------------------


def _each(
    run: Onboarding, uploads: list[Waiting], work: Callable[[Waiting], None], *, close: bool = False
) -> list[Waiting]:
    """Do the work of a stage for each of the uploads; returns them all.

    What the next upload would meet too (a service is away, a right is missing, the lease is lost) ends the run, and
    the next one goes on. Any other error is this one upload's, and must not stop those behind it. With `close` its
    vendor is told so and it ends there; without, it stays, and no_upload_is_stuck shows it.
    """
    for upload in uploads:
        try:
            work(upload)
        except Exception as error:
            if _concerns_all(error):
                raise
            logger.exception(
                "%s stopped at the stage %s", upload.upload_id or upload.version.key, upload.stage
            )
            # Also where nothing is to be closed: without the lease it ends here.
            end = functools.partial(_close, run, upload) if close else lambda: None
            _transaction(run, end, f"leaving {upload.version.key}")
    return uploads


def _concerns_all(error: Exception) -> bool:
    """Whether the next upload would meet the same."""
    import psycopg2

    kinds = (
        *(TransientError, AwsRefusal, MissingSettings, MemoryError, OSError),
        *(psycopg2.OperationalError, psycopg2.InterfaceError, psycopg2.ProgrammingError),
    )
    return isinstance(error, kinds) or is_transient(error)


def _close(run: Onboarding, upload: Waiting) -> None:
    """End an upload on which our own work failed: nothing of it is in the catalogue, and its vendor is told."""
    remove_staged_rows(run.session, upload.id)
    _run(run, "note_expected_rows", upload_id=upload.id, expected_records=0)
    problem = FileProblem(
        "PROCESSING_FAILED",
        "Something in the file made our processing fail.",
        "Nothing is known to be wrong with it: we look into it. Nothing was changed.",
    )
    _move(run, upload, "applied", problem=problem)


def _record_again(run: Onboarding, upload: Waiting, rows: int) -> None:
    """Items are gone (they expired, or the table was made anew): the next run writes them again from the file."""
    times = upload.facts.get("recorded_again", 0) + 1
    logger.warning(
        "%s has %d of its %d rows in UploadRecords: recorded again", upload.id, rows, upload.facts["rows"]
    )
    if times > _RECORDED_AGAIN:
        raise RuntimeError(f"{upload.id} lost its items {times} times")
    remove_staged_rows(run.session, upload.id)
    _move(run, upload, "received", facts={"recorded_again": times})


# -- parts of a stage -----------------------------------------------------------------------------------------


def _vendor(run: Onboarding, upload: Waiting) -> tuple[str | None, FileProblem | None]:
    """Whose file it is, by its folder or its name, and what is wrong with that."""
    folder, _, name = upload.version.key.removeprefix(PREFIX).rpartition("/")
    in_name = _VENDOR_IN_NAME.match(name)
    vendor_id = folder.partition("/")[0] or (in_name[1] if in_name else "")
    if not vendor_id:
        return None, FileProblem(
            "UNKNOWN_VENDOR",
            f"Neither the folder nor the name of {upload.version.key} says whose file it is.",
            f"Upload it as {PREFIX}<vendor id>/<name>.csv.",
        )
    status = _run(run, "vendor_status", vendor_id=vendor_id)
    if not status:
        return vendor_id, FileProblem(
            "UNKNOWN_VENDOR", f"There is no vendor {vendor_id}.", "Ask the marketplace for your vendor id."
        )
    if status[0][0] != "active":
        return vendor_id, FileProblem(
            "INACTIVE_VENDOR",
            f"The vendor {vendor_id} is {status[0][0]}.",
            "Ask the marketplace to activate it.",
        )
    if in_name and in_name[1] != vendor_id:
        return vendor_id, FileProblem(
            "VENDOR_MISMATCH",
            f"The name says {in_name[1]}, the folder says {vendor_id}.",
            "Upload the file into its own vendor's folder.",
        )
    return vendor_id, None


def _refuse(run: Onboarding, upload: Waiting, problem: FileProblem) -> None:
    """A file of nobody we know: answered beside the others, without a record."""
    about = Upload(f"OBJECT_{upload.object_id}", "_unknown", upload.file_name)
    with tempfile.TemporaryDirectory(prefix="answer-") as folder:
        store_answer(run.store.client, run.store.bucket, write_refusal(Path(folder), about, problem))
    _transaction(
        run, lambda: _move(run, upload, "refused", problem=problem), f"refusing {upload.version.key}"
    )


def _answered(run: Onboarding, upload: Waiting) -> dict[str, str]:
    """Store the answer of an upload as it is now and tell its vendor; the keys by kind of file."""
    facts = upload.facts
    about = Upload(upload.id, upload.vendor, upload.file_name, facts.get("seconds"))
    if upload.stage == "held":
        about = dataclasses.replace(
            about, hold_reason=facts["held"], after_release=facts.get("after_release")
        )
    elif "refusal" in facts:
        do_next = "Correct the file and upload it again, or ask the marketplace."
        reason = facts["refusal"] if facts["refusal"].endswith((".", "!", "?")) else f"{facts['refusal']}."
        about = dataclasses.replace(about, refusal=FileProblem(UPLOAD_REFUSED, reason, do_next))
    with tempfile.TemporaryDirectory(prefix="answer-") as folder:
        if upload.failure is not None:
            made = write_refusal(Path(folder), about, upload.failure)
        else:
            header = upload.header
            file = VendorFile(header.given, header.columns, facts["delimiter"], facts["encoding"])
            made = write_answer(Path(folder), about, file, _results(run, upload))
        stored = store_answer(run.store.client, run.store.bucket, made)
    run.tell(*vendor_message(made.summary, run.store.bucket))
    return stored


def _seconds(run: Onboarding, upload: Waiting) -> float:
    """How long ago an upload arrived."""
    return round((run.now() - upload.version.last_modified).total_seconds(), 1)


def _settings(run: Onboarding, upload: Waiting) -> UploadSettings:
    """The vendor's settings over those of the run."""
    defaults = UploadSettings(None, run.duplicates, run.limits, run.hold)
    return vendor_settings(run.session, upload.vendor, defaults)


def _suggesters(run: Onboarding, stack: ExitStack) -> Callable[[frozenset[str]], CategorySuggester]:
    """One suggester for all uploads of a run, so that a service that is away is waited for once; another when the
    categories have changed meanwhile."""
    embedder = run.embedder()
    if embedder is not None:
        stack.callback(embedder.close)
    made: dict[frozenset[str], CategorySuggester] = {}

    def of(names: frozenset[str]) -> CategorySuggester:
        if names not in made:
            made[names] = CategorySuggester(names, embedder)
        made[names].begin_file()
        return made[names]

    return of


@dataclass(frozen=True)
class _Recorded:
    """A file whose rows are items: with which settings, which rows no item could hold, and why it was refused."""

    file: ProductFile | None = None
    settings: UploadSettings = field(default_factory=UploadSettings)
    refused: list[list[Any]] = field(default_factory=list)
    problem: FileProblem | None = None


def _recorded(run: Onboarding, upload: Waiting) -> _Recorded:
    """Write the rows of a file as items."""
    settings = run.session.transaction(
        lambda: _settings(run, upload), doing=f"reading the settings of {upload.vendor}"
    )
    if upload.version.size > settings.limits.file_bytes:
        large = f"The file has more than {settings.limits.file_bytes:,} bytes."
        return _Recorded(problem=FileProblem("FILE_TOO_LARGE", large))

    def write() -> tuple[UploadSettings, ProductFile, Written]:
        with run.store.reading(upload.version) as body:
            chosen = settings.declared(body.metadata)
            file = ProductFile(body, chosen.limits)
            return chosen, file, run.records.write(upload.id, _items(file, upload, run.now()))

    try:
        # A connection that breaks in the middle: read anew, and what is written is skipped.
        chosen, file, written = retrying(write, doing=f"recording {upload.id}")
    except UnknownSetting as error:
        do_next = (
            "Declare one of these or nothing when uploading; settings of the vendor are the marketplace's."
        )
        return _Recorded(problem=FileProblem("UNKNOWN_SETTING", str(error), do_next))
    except AwsRefusal as refusal:
        if refusal.code not in GONE:
            raise
        return _Recorded(problem=FileProblem("FILE_GONE", GONE_MESSAGE, "Upload it again."))
    if file.problem is not None:
        return _Recorded(file, chosen, problem=FileProblem(*file.problem))
    # With their cells: no item has them.
    refused = [[one.record.row_number, one.code, one.message, _cells(one.record)] for one in written.refused]
    return _Recorded(file, chosen, refused)


def _cells(record: UploadRecord) -> list[Any]:
    """The cells of a row in the order of the file."""
    data = record.product_data
    return list(data[_CELLS] if _CODE in data else data.values())  # type: ignore[arg-type]


def _items(file: ProductFile, upload: Waiting, now: datetime) -> Iterator[UploadRecord]:
    for chunk in read_ahead(file.chunks()):
        assert file.header is not None
        keys, rows = file.header.keys, dict[int, dict[str, Any]]()
        for number, *cells in chunk.frame.select(ROW_NUMBER, *file.header.columns).iter_rows():
            rows[number] = dict(zip(keys, cells, strict=True))
        for one in chunk.refused:
            rows[one.row_number] = {_CELLS: list(one.cells), _CODE: one.code, _MESSAGE: one.message}
        for number in sorted(rows):
            yield new_record(upload.id, upload.vendor, number, rows[number], now)


def _chunks(run: Onboarding, upload: Waiting) -> Iterator[Chunk]:
    """The pending items of an upload as chunks, in the order of their rows; with them the rows that have no item."""
    missing = [
        Refused(number, code, message, tuple(cells))
        for number, code, message, cells in upload.facts.get("without_item", ())
    ]
    records = run.records.of_upload(upload.id)
    while batch := list(islice(records, _ROWS_A_CHUNK)):
        yield _chunk(upload.header, batch)
    if missing:
        yield Chunk(_empty(upload.header), tuple(missing))


def _chunk(header: Header, batch: Iterable[UploadRecord]) -> Chunk:
    import polars as pl

    keys, whole, refused = header.keys, [], []
    for one in batch:
        data = one.product_data
        if _CODE in data:
            cells = tuple(str(cell) for cell in data[_CELLS])  # type: ignore[union-attr]
            refused.append(Refused(one.row_number, str(data[_CODE]), str(data[_MESSAGE]), cells))
        else:
            whole.append((one.row_number, *(data[key] for key in keys)))
    if not whole:
        return Chunk(_empty(header), tuple(refused))
    frame = pl.DataFrame(whole, schema=_schema(header), orient="row")
    return Chunk(frame, tuple(refused))


def _empty(header: Header) -> pl.DataFrame:
    import polars as pl

    return pl.DataFrame(schema=_schema(header))


def _schema(header: Header) -> dict[str, Any]:
    import polars as pl

    return {ROW_NUMBER: pl.Int64, **dict.fromkeys(header.columns, pl.String)}


def _results(run: Onboarding, upload: Waiting) -> Iterator[RowResult]:
    keys = upload.header.keys
    for number, verdict, original, *lists in _stream(run, "staged_results", upload):
        yield RowResult(number, verdict, cells_of(original, keys), *lists)


def _verdicts(run: Onboarding, upload: Waiting) -> Iterator[Verdict]:
    if upload.failure is not None:  # found further on in the file: what came before was recorded already
        reason = f"{upload.failure.code}: {upload.failure.message}"
        for one in run.records.of_upload(upload.id):
            yield Verdict(one.record_id, ERROR, reason)
        return
    without = [number for number, *_ in upload.facts.get("without_item", ())]
    for record_id, valid, code, message in _stream(run, "staged_verdicts", upload, without_item=without):
        yield Verdict(record_id, VALIDATED if valid else ERROR, None if valid else f"{code}: {message}")


def _stream(run: Onboarding, name: str, upload: Waiting, **params: Any) -> Iterator[tuple[Any, ...]]:
    """Rows of a statement by a cursor of the server: a million of them take no more memory than a thousand."""
    with run.session.connection, run.session.connection.cursor("results") as cursor:
        _run(run, "join_by_hash")
        cursor.itersize = 5_000
        cursor.execute(statement(f"commerce/transforms/{name}"), {"upload_id": upload.id, **params})
        yield from cursor


# -- the ledger -----------------------------------------------------------------------------------------------


def _uploads(run: Onboarding, stage: str) -> list[Waiting]:
    def read() -> list[Waiting]:
        rows = _run(run, "open_uploads", stages=[stage], most=UPLOADS_A_STAGE)
        return [_waiting(row) for row in rows]

    return run.session.transaction(read, doing=f"looking for uploads that are {stage}")


def _untold(run: Onboarding) -> list[Waiting]:
    def read() -> list[Waiting]:
        return [_waiting(row) for row in _run(run, "untold_uploads", most=UPLOADS_A_STAGE)]

    return run.session.transaction(read, doing="looking for held uploads that nobody was told of")


def _waiting(row: tuple[Any, ...]) -> Waiting:
    object_id, key, version_id, etag, size, modified, stage, vendor_id, upload_id, code, message, facts = row
    return Waiting(
        object_id,
        ObjectVersion(key, version_id, etag, size, modified),
        stage,
        vendor_id,
        upload_id,
        FileProblem(code, message) if code else None,
        facts or {},
    )


def _rejected(run: Onboarding, upload: Waiting) -> int:
    return run.session.transaction(
        lambda: int(_run(run, "count_rejected", upload_id=upload.id)[0][0]),
        doing=f"counting the rows of {upload.id}",
    )


def _move(
    run: Onboarding,
    upload: Waiting,
    stage: str,
    *,
    vendor_id: str | None = None,
    upload_id: str | None = None,
    problem: FileProblem | None = None,
    facts: Mapping[str, Any] | None = None,
) -> None:
    moved = _run(
        run,
        "move_upload",
        object_id=upload.object_id,
        at=upload.stage,
        stage=stage,
        vendor_id=vendor_id,
        upload_id=upload_id,
        failure_code=problem.code if problem else None,
        failure_message=problem.message if problem else None,
        file_facts=json.dumps(facts) if facts is not None else None,
    )
    assert moved, f"{upload.version.key} is not {upload.stage} any more"
    logger.info("%s of %s: %s", upload.upload_id or upload_id or upload.version.key, upload.vendor_id, stage)


def _transaction(run: Onboarding, work: Callable[[], object], doing: str) -> None:
    def checked() -> None:
        with run.session.connection.cursor() as cursor:
            run.lease.check(cursor)
        work()

    run.session.transaction(checked, doing=doing)


def _in_transaction(
    run: Onboarding, work: Callable[[Waiting], None], doing: str
) -> Callable[[Waiting], None]:
    return lambda upload: _transaction(run, lambda: work(upload), f"{doing} {upload.id}")


def _run(run: Onboarding, name: str, **params: Any) -> list[tuple[Any, ...]]:
    return run.session.run(f"commerce/transforms/{name}", params, table="commerce.upload_objects")
