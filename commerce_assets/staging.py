"""A product file's rows into commerce.staged_rows: read, checked by the rules, each with its verdict.

Belongs here: what connects reading.py and rules.py with the table. Does not belong here: the catalogue
(catalogue_store.py), where the file comes from, Dagster. Memory is bounded by the chunk; nothing goes row by row.
"""

from __future__ import annotations

import dataclasses
import io
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from commerce_assets.catalogue_store import note_staged, remove_staged_rows
from commerce_assets.reading import COLUMNS, ROW_NUMBER, Chunk, Header, Problem, ProductFile, read_ahead
from commerce_assets.rules import DuplicatePolicy, FileKeys, Settings, check, refused_findings
from resources.sql import Session

if TYPE_CHECKING:
    import polars as pl

TABLE = "commerce.staged_rows"
_KEYS = ("vendor_product_id", "sku")
_LISTS = {"codes": "code", "fields": "field", "messages": "message", "fixes": "fix"}
_ROWS_A_COPY = 10_000
_SEPARATOR = "\x1f"
"""Between the cells of a valid row: ASCII's unit separator, which hardly any cell has."""


@dataclass(frozen=True)
class Staged:
    """What became of a file: its rows by verdict and the codes of the rejected ones, or the problem that ended it."""

    rows: int
    valid: int
    rejected: int
    codes: dict[str, int]
    problem: Problem | None
    header: Header | None


def stage_file(
    session: Session,
    upload_id: str,
    file: ProductFile,
    settings: Settings,
    *,
    duplicates: DuplicatePolicy = "first",
) -> Staged:
    """Stage all rows of a file, inside a transaction of the caller's; what was staged of the upload before is replaced.

    A row is `valid` or `rejected` with every error that it has. Of a file with a problem nothing is staged.
    """

    def chunks() -> Iterator[tuple[Header, Chunk]]:
        for chunk in read_ahead(file.chunks()):
            assert file.header is not None
            yield file.header, chunk

    staged = stage_chunks(session, upload_id, chunks(), settings, duplicates=duplicates)
    if file.problem is None:
        return dataclasses.replace(staged, header=file.header)
    remove_staged_rows(session, upload_id)
    return Staged(0, 0, 0, {file.problem.code: 1}, file.problem, file.header)


def stage_chunks(
    session: Session,
    upload_id: str,
    chunks: Iterable[tuple[Header, Chunk]],
    settings: Settings,
    *,
    duplicates: DuplicatePolicy = "first",
) -> Staged:
    """Stage rows that were read already, chunk by chunk with their header; otherwise like `stage_file`."""
    remove_staged_rows(session, upload_id)
    keys, codes, rows, rejected = FileKeys(), Counter[str](), 0, 0
    last: Header | None = None
    with _Copies(session) as copies:
        for header, chunk in chunks:
            last = header
            checked = check(chunk.frame, settings)
            keys.add(checked.accepted)
            errors = checked.findings.filter(_is_error())
            findings = checked.findings.vstack(refused_findings(chunk.refused))
            for frame in _valid(upload_id, header, chunk.frame, checked.accepted, findings):
                copies.send(frame)
            copies.send(_rejected(upload_id, header, chunk, findings))
            codes.update(errors.unique(ROW_NUMBER, keep="first", maintain_order=True)["code"].to_list())
            codes.update(row.code for row in chunk.refused)
            rows += chunk.rows
            rejected += checked.rejected.height + len(chunk.refused)
    if last is not None:
        note_staged(session, upload_id, last.keys, last.columns, rows)
    losers = keys.losers(duplicates)
    if losers.height:
        rejected += _reject(session, upload_id, losers)
        codes.update(losers.unique(ROW_NUMBER, keep="first", maintain_order=True)["code"].to_list())
    return Staged(rows, rows - rejected, rejected, dict(codes), None, None)


class _Copies:
    """COPY of one batch while the next one is made: Postgres has a processor of its own. One batch waits at most.

    Inside the block nobody else may use the session. What a COPY raises, the next call or the end of the block raises.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="copying")
        self._last: Future[int] | None = None

    def __enter__(self) -> Self:
        return self

    def send(self, frame: pl.DataFrame) -> None:
        if not frame.height:
            return
        rows = io.BytesIO()
        frame.write_csv(rows, include_header=False)
        self._wait()
        self._last = self._thread.submit(self._session.copy, TABLE, frame.columns, rows.getvalue(), csv=True)

    def _wait(self) -> None:
        last, self._last = self._last, None
        if last is not None:
            last.result()

    def __exit__(self, kind: object, *_rest: object) -> None:
        try:
            if kind is None:
                self._wait()
        finally:
            self._thread.shutdown()


def _is_error() -> pl.Expr:
    import polars as pl

    return pl.col("severity") == "error"


def _valid(
    upload_id: str, header: Header, read: pl.DataFrame, accepted: pl.DataFrame, findings: pl.DataFrame
) -> Iterator[pl.DataFrame]:
    """The rows that passed, as the table has them: typed values, and the vendor's cells as one text. In small frames:
    each of a chunk's texts exists three times on its way, and a whole chunk's took 40 MB."""
    import polars as pl

    if accepted.height < read.height:
        read = read.filter(pl.col(ROW_NUMBER).is_in(accepted[ROW_NUMBER].implode()))
    warnings = _warnings(findings)
    for start in range(0, accepted.height, _ROWS_A_COPY):
        part = slice(start, start + _ROWS_A_COPY)
        yield _valid_part(upload_id, header, read[part], accepted[part], warnings)


def _valid_part(
    upload_id: str, header: Header, read: pl.DataFrame, accepted: pl.DataFrame, warnings: pl.DataFrame
) -> pl.DataFrame:
    import polars as pl

    numbers = pl.col(ROW_NUMBER).cast(pl.Int64)
    joined = read.select(cells=pl.concat_str(pl.col(header.columns).fill_null(""), separator=_SEPARATOR))
    cells, original = joined["cells"], None
    # One more separator than there should be: a cell has one, which no text of joined cells can tell.
    odd = cells.str.count_matches(_SEPARATOR, literal=True) != len(header.columns) - 1
    if odd.any():
        original = read.filter(odd).select(ROW_NUMBER, original_data=_as_object(header))
    rows = accepted.select(
        numbers, *COLUMNS, record_id=_record_id(), verdict=pl.lit("valid"), upload_id=pl.lit(upload_id)
    ).with_columns(cells.alias("cells"))
    if warnings.height:
        rows = rows.join(warnings, on=ROW_NUMBER, how="left", maintain_order="left")
    if original is not None:
        rows = rows.join(
            original.cast({ROW_NUMBER: pl.Int64}), on=ROW_NUMBER, how="left", maintain_order="left"
        ).with_columns(cells=pl.when(pl.col("original_data").is_null()).then("cells"))
    return rows


def _rejected(upload_id: str, header: Header, chunk: Chunk, findings: pl.DataFrame) -> pl.DataFrame:
    """The rows that did not: their errors as Postgres arrays, the vendor's row as JSON, and its keys, cut to the width
    of their columns, so that it can be found."""
    import polars as pl

    errors = _lists(findings.filter(_is_error()))
    wrong = chunk.frame.filter(pl.col(ROW_NUMBER).is_in(errors[ROW_NUMBER].implode()))
    read = wrong.select(
        pl.col(ROW_NUMBER).cast(pl.Int64),
        *(
            pl.col(key).str.strip_chars().str.slice(0, 100).replace("", None)
            for key in _KEYS
            if key in chunk.frame.columns
        ),
        original_data=_as_object(header),
    )
    broken = pl.DataFrame(
        {
            ROW_NUMBER: [row.row_number for row in chunk.refused],
            "cells": [list(row.cells) for row in chunk.refused],
        },
        schema={ROW_NUMBER: pl.Int64, "cells": pl.List(pl.String)},
    ).select(ROW_NUMBER, original_data=pl.struct(_cells=pl.col("cells")).struct.json_encode())
    rows = pl.concat([read, broken], how="diagonal").join(errors, on=ROW_NUMBER).sort(ROW_NUMBER)
    return rows.with_columns(
        record_id=_record_id(), verdict=pl.lit("rejected"), upload_id=pl.lit(upload_id)
    ).join(_warnings(findings), on=ROW_NUMBER, how="left", maintain_order="left")


def _warnings(findings: pl.DataFrame) -> pl.DataFrame:
    """What is worth telling and no error, as one JSON array a row."""
    import polars as pl

    notes = findings.filter(~_is_error()).group_by(ROW_NUMBER).agg(
        pl.struct("code", "field", "message", "hint").alias("notes")
    )  # fmt: skip
    return notes.select(
        pl.col(ROW_NUMBER).cast(pl.Int64),
        warnings=pl.struct(notes=pl.col("notes")).struct.json_encode().str.slice(9).str.head(-1),
    )


def _as_object(header: Header) -> pl.Expr:
    """The vendor's row as JSON: his header -> text as it came."""
    import polars as pl

    pairs = zip(header.keys, header.columns, strict=True)
    return pl.struct(pl.col(column).alias(key) for key, column in pairs).struct.json_encode()


def _record_id() -> pl.Expr:
    """`dynamo.record_id` of a whole column."""
    import polars as pl

    return pl.concat_str(pl.lit("REC_"), pl.col(ROW_NUMBER).cast(pl.String).str.zfill(6))


def _lists(errors: pl.DataFrame) -> pl.DataFrame:
    """Errors as one row per row of the file, each list as a Postgres array literal."""
    import polars as pl

    fix = pl.coalesce(
        pl.format("{} Perhaps: {}", pl.col("hint"), pl.col("suggestion")), pl.col("hint"), pl.lit("")
    ).alias("fix")
    escaped = {
        column: pl.col(name)
        .fill_null("")
        .str.replace_all("\\", "\\\\", literal=True)
        .str.replace_all('"', '\\"', literal=True)
        for column, name in _LISTS.items()
    }
    quoted = errors.with_columns(fix).select(
        ROW_NUMBER,
        *(pl.concat_str(pl.lit('"'), text, pl.lit('"')).alias(column) for column, text in escaped.items()),
    )
    return quoted.group_by(ROW_NUMBER, maintain_order=True).agg(
        *(
            pl.concat_str(pl.lit("{"), pl.col(column).str.join(","), pl.lit("}")).first().alias(column)
            for column in _LISTS
        )
    )


def _reject(session: Session, upload_id: str, losers: pl.DataFrame) -> int:
    """Reject valid rows that lose against another row of the same file."""
    buffer = io.BytesIO()
    lists = _lists(losers)
    lists.write_csv(buffer, include_header=False)
    session.run("commerce/transforms/create_losers", table=TABLE)
    session.copy("pg_temp.losers", (ROW_NUMBER, *_LISTS), buffer.getvalue(), csv=True)
    ((count,),) = session.run("commerce/transforms/reject_losers", {"upload_id": upload_id}, table=TABLE)
    return int(count)
