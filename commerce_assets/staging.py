"""A product file's rows into commerce.staged_rows: read, checked by the rules, each with its verdict.

Belongs here: what connects reading.py and rules.py with the table. Does not belong here: the catalogue
(catalogue_store.py), where the file comes from, Dagster. Memory is bounded by the chunk; nothing goes row by row.
"""

from __future__ import annotations

import dataclasses
import io
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from commerce_assets.catalogue_store import note_columns, remove_staged_rows
from commerce_assets.dynamo import record_id
from commerce_assets.reading import COLUMNS, ROW_NUMBER, Chunk, Header, Problem, ProductFile, read_ahead
from commerce_assets.rules import DuplicatePolicy, FileKeys, Settings, check, refused_findings
from resources.sql import Session

if TYPE_CHECKING:
    import polars as pl

TABLE = "commerce.staged_rows"
_KEYS = ("vendor_product_id", "sku")
_LISTS = {"codes": "code", "fields": "field", "messages": "message", "fixes": "fix"}
_STAGED = (
    *("upload_id", ROW_NUMBER, "record_id", "verdict", *COLUMNS, *_LISTS, "warnings", "original_data"),
)


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
    for header, chunk in chunks:
        last = header
        checked = check(chunk.frame, settings)
        keys.add(checked.accepted)
        errors = checked.findings.filter(_is_error())
        refused = refused_findings(chunk.refused)
        frame = _frame(upload_id, header, chunk, checked.accepted, checked.findings.vstack(refused))
        session.copy(TABLE, _STAGED, frame.write_csv(include_header=False).encode(), csv=True)
        codes.update(errors.unique(ROW_NUMBER, keep="first", maintain_order=True)["code"].to_list())
        codes.update(row.code for row in chunk.refused)
        rows += chunk.rows
        rejected += checked.rejected.height + len(chunk.refused)
    if last is not None:
        note_columns(session, upload_id, last.columns)
    losers = keys.losers(duplicates)
    if losers.height:
        rejected += _reject(session, upload_id, losers)
        codes.update(losers.unique(ROW_NUMBER, keep="first", maintain_order=True)["code"].to_list())
    return Staged(rows, rows - rejected, rejected, dict(codes), None, None)


def _is_error() -> pl.Expr:
    import polars as pl

    return pl.col("severity") == "error"


def _frame(
    upload_id: str, header: Header, chunk: Chunk, accepted: pl.DataFrame, findings: pl.DataFrame
) -> pl.DataFrame:
    """The rows of a chunk as the table has them: lists as Postgres arrays, the vendor's row as JSON, all as text."""
    import polars as pl

    keys = dict(zip(header.columns, header.keys, strict=True))
    read = chunk.frame.select(
        pl.col(ROW_NUMBER).cast(pl.Int64),
        # A rejected row keeps its keys, cut to the width of their columns, so that it can be found.
        *(
            pl.col(key).str.strip_chars().str.slice(0, 100).replace("", None).alias(f"kept.{key}")
            for key in _KEYS
            if key in chunk.frame.columns
        ),
        original_data=pl.struct(
            pl.col(column).alias(key) for column, key in keys.items()
        ).struct.json_encode(),
    )
    broken = pl.DataFrame(
        {
            ROW_NUMBER: [row.row_number for row in chunk.refused],
            "cells": [list(row.cells) for row in chunk.refused],
        },
        schema={ROW_NUMBER: pl.Int64, "cells": pl.List(pl.String)},
    ).select(ROW_NUMBER, original_data=pl.struct(_cells=pl.col("cells")).struct.json_encode())
    everything = pl.concat([read, broken], how="diagonal")
    typed = accepted.with_columns(pl.col(ROW_NUMBER).cast(pl.Int64))
    errors = _lists(findings.filter(_is_error()))
    notes = findings.filter(~_is_error()).group_by(ROW_NUMBER).agg(
        pl.struct("code", "field", "message", "hint").alias("notes")
    )  # fmt: skip
    warnings = notes.select(
        ROW_NUMBER, warnings=pl.struct(notes=pl.col("notes")).struct.json_encode().str.slice(9).str.head(-1)
    )
    joined = (
        everything.join(typed, on=ROW_NUMBER, how="left")
        .join(errors, on=ROW_NUMBER, how="left")
        .join(warnings, on=ROW_NUMBER, how="left")
        .sort(ROW_NUMBER)
    )
    return joined.with_columns(
        *(pl.coalesce(key, f"kept.{key}").alias(key) for key in _KEYS if f"kept.{key}" in joined.columns),
        upload_id=pl.lit(upload_id),
        record_id=pl.col(ROW_NUMBER).map_elements(record_id, return_dtype=pl.String),
        verdict=pl.when(pl.col("codes").is_null()).then(pl.lit("valid")).otherwise(pl.lit("rejected")),
    ).select(_STAGED)


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
