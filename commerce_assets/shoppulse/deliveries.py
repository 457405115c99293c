"""A tenant's delivery, from bytes to rows that can be stored: CSV, JSON lines or Parquet, by its first bytes.

Belongs here: which columns each table takes, how a file becomes chunks of text, and what a row must say. Does not
belong here: where the bytes come from, and what only the database knows (whether an order is there, what is stored).

All three formats become the same frames of text, and one set of rules reads them, so the same row means the same
whatever it came in. Text is kept as it came for the rows that are refused. Memory is bounded by the chunk; a Parquet
file, whose directory is at its end, goes through a temporary file.
"""

from __future__ import annotations

import tempfile
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from commerce_assets.reading import (
    FILE_ADVICE,
    FILE_PROBLEMS,
    ROW_NUMBER,
    ROW_PROBLEMS,
    ByteStream,
    Chunk,
    DelimitedFile,
    Expected,
    Limits,
    Problem,
    Refused,
    plain,
)

if TYPE_CHECKING:
    import polars as pl

Kind = Literal["text", "date", "money", "integer", "boolean", "currency"]

ROWS_PER_CHUNK: Final = 25_000
LIMITS: Final = Limits(file_bytes=2**40, rows=2**40)
FIRST_DAY, LAST_DAY = "1970-01-01", "2099-12-31"
"""Days outside are slips of the pen, and would be metrics of years that nobody has seen."""

DELIVERY_PROBLEMS: Final[dict[str, str]] = {
    **{
        code: FILE_PROBLEMS[code]
        for code in (
            *("EMPTY_FILE", "HEADER_ONLY", "NO_HEADER", "MALFORMED_HEADER", "MISSING_COLUMNS", "DUPLICATE_COLUMNS"),
            *("TOO_MANY_COLUMNS", "LINE_TOO_LONG", "UNKNOWN_ENCODING", "BINARY_FILE", "HTML_OR_XML_FILE"),
            *("XLSX_FILE", "XLS_FILE", "ZIP_FILE", "COMPRESSED_FILE"),
        )
    },
    "UNKNOWN_COLUMNS": "the file has columns that the table has not",
    "BROKEN_PARQUET": "the file begins like Parquet and cannot be read as such",
    "UNSUPPORTED_TYPE": "a Parquet column holds lists, structures, bytes or times of day",
    "BROKEN_GZIP": "the compressed file is damaged or was cut off",
    "JSON_ARRAY": "the file is one JSON array, not a JSON object on each line",
    "FILE_GONE": "the file was removed or overwritten before it was read",
    "UNKNOWN_TABLE": "the path names no table that is loaded",
    "UNKNOWN_TENANT": "the path names no tenant",
    "INACTIVE_TENANT": "the tenant is not active",
    "UNKNOWN_TIME_ZONE": "the tenant's time zone has no IANA name",
    "OVERTAKEN": "a newer delivery was loaded before this one and cannot be read again",
    "NOT_STORABLE": "the database refused a value that the rules let pass",
}  # fmt: skip
"""Code of a problem that refuses the whole file, and when it is given. Codes are stable."""

DELIVERY_ROW_PROBLEMS: Final[dict[str, str]] = {
    **ROW_PROBLEMS,
    "INVALID_JSON": "the line is no JSON object",
    "NESTED_VALUE": "a value is a list or an object",
    "CROSS_TENANT_ROW": "the row names another tenant than the path",
    "MISSING_KEY": "the row has no key",
    "MISSING_VALUE": "a value is empty that may not be",
    "INVALID_DATE": f"no date as 2024-12-31, nor a time that begins with one, from {FIRST_DAY} to {LAST_DAY}",
    "INVALID_NUMBER": "no number that the column can hold exactly",
    "INVALID_BOOLEAN": "neither true nor false",
    "INVALID_CURRENCY": "no three letters such as USD",
    "TOO_LONG": "the text is longer than the column",
    "DUPLICATE_KEY": "a later row of the file has the same key, and that one counts",
    "ORDER_UNKNOWN": "the tenant has not delivered the row's order yet; the row waits for it",
}
"""Code of a problem that puts one row into quarantine, and when it is given. Codes are stable."""


@dataclass(frozen=True)
class Field:
    """A column: what it holds, the characters of a text, whether it may be empty."""

    name: str
    kind: Kind = "text"
    width: int = 20
    required: bool = False
    least: int | None = None


@dataclass(frozen=True)
class Table:
    """A table that tenants deliver. The first field is the key; `unread`: columns of it that are not theirs to say."""

    name: str
    relation: str
    fields: tuple[Field, ...]
    unread: tuple[str, ...] = ("created_at", "updated_at")
    needs_order: bool = False

    @property
    def key(self) -> str:
        return self.fields[0].name

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(one.name for one in self.fields)

    @property
    def optional(self) -> tuple[str, ...]:
        return tuple(one.name for one in self.fields if not one.required)

    @cached_property
    def expected(self) -> Expected:
        """What a header may name."""
        names = ("tenant_id", *self.columns, *self.unread)
        return Expected(
            {plain(name): name for name in names}, tuple(one.name for one in self.fields if one.required)
        )


TABLES: Final[Mapping[str, Table]] = {
    table.name: table
    for table in (
        Table(
            "orders",
            "shoppulse.orders",
            (
                Field("order_id", required=True),
                Field("order_date", "date", required=True),
                Field("store_id", width=10),
                Field("region", width=10),
                Field("channel"),
                Field("order_status"),
                Field("items_count", "integer"),
                Field("gross_revenue", "money"),
                Field("discount_amount", "money"),
                Field("net_revenue", "money"),
                Field("currency", "currency"),
            ),
        ),
        Table(
            "fulfillment",
            "shoppulse.fulfillment",
            (
                Field("order_id", required=True),
                Field("warehouse"),
                Field("carrier"),
                Field("promised_delivery_date", "date"),
                Field("actual_delivery_date", "date"),
                Field("fulfillment_status"),
                Field("sla_met", "boolean"),
                Field("days_to_ship", "integer"),
            ),
            ("created_at", "updated_at", "fulfillment_id"),
            needs_order=True,
        ),
        Table(
            "campaigns",
            "shoppulse.marketing_campaigns",
            (
                Field("campaign_id", required=True),
                Field("date", "date", required=True),
                Field("channel"),
                Field("spend", "money"),
                Field("impressions", "integer"),
                Field("clicks", "integer"),
                Field("conversions", "integer"),
                Field("revenue_attributed", "money"),
            ),
        ),
        Table(
            "order_costs",
            "shoppulse.order_costs",
            (Field("order_id", required=True), Field("cost", "money", required=True, least=0)),
            needs_order=True,
        ),
    )
}


@dataclass(frozen=True)
class Tenant:
    """Whose delivery it is and how he counts."""

    tenant_id: str
    time_zone: str = "UTC"
    currency: str = "USD"


# -- reading --------------------------------------------------------------------------------------------------


class _Fatal(Exception):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.problem = Problem(code, message)


@dataclass
class DeliveryFile:
    """A delivery being read. Go through `chunks()`; then `problem` says why it ended early, None if it did not.

    `columns`: those of the table that the file has; complete when all chunks were read (JSON lines may name one late).
    """

    stream: ByteStream
    table: Table
    limits: Limits = LIMITS
    columns: tuple[str, ...] = ()
    problem: Problem | None = None

    def chunks(self) -> Iterator[Chunk]:
        """The rows as text: `row_number`, the table's columns that the chunk has, `tenant_id` where it is given."""
        try:
            yield from self._chunks()
        except _Fatal as fatal:
            self.problem = fatal.problem

    def _chunks(self) -> Iterator[Chunk]:
        stream = _Peeked(self.stream)
        if stream.head.startswith(b"\x1f\x8b"):
            stream = _Peeked(_Unzipped(stream))
        start = stream.head.removeprefix(b"\xef\xbb\xbf").lstrip()
        if stream.head.startswith(b"PAR1"):
            yield from self._parquet(stream)
        elif start.startswith(b"{"):
            yield from self._json_lines(stream)
        elif start.startswith(b"["):
            raise _Fatal("JSON_ARRAY", "The file is one JSON array. Write one JSON object on each line.")
        else:
            yield from self._delimited(stream)

    def _known(self, given: Sequence[str]) -> dict[str, str]:
        """Our column by the file's own name of it, without those that are not read; refuses what nobody knows."""
        ours = {name: self.table.expected.known(name) for name in given}
        if unknown := [name for name, column in ours.items() if column is None]:
            shown = ", ".join(repr(name[:60]) for name in unknown[:10])
            raise _Fatal(
                "UNKNOWN_COLUMNS", f"{self.table.name} has no column {shown}. It has {', '.join(self.table.columns)}."
            )  # fmt: skip
        found = [column for column in ours.values() if column]
        if twice := sorted({column for column in found if found.count(column) > 1}):
            raise _Fatal("DUPLICATE_COLUMNS", f"More than one column stands for {', '.join(twice)}.")
        return {name: column for name, column in ours.items() if column and column not in self.table.unread}

    def _note(self, columns: Sequence[str]) -> None:
        self.columns = tuple(name for name in self.table.columns if name in columns or name in self.columns)

    def _require(self, columns: Sequence[str]) -> None:
        if missing := [name for name in self.table.expected.required if name not in columns]:
            raise _Fatal("MISSING_COLUMNS", f"The file lacks {', '.join(missing)}.")

    # --- CSV

    def _delimited(self, stream: ByteStream) -> Iterator[Chunk]:
        file = DelimitedFile(stream, self.limits, expected=self.table.expected)
        names: dict[str, str] = {}
        for chunk in file.chunks():
            assert file.header is not None
            if not names:
                self._known([name for name in file.header.unknown if name.strip()])
                names = {
                    column: column
                    for column in file.header.columns
                    if not column.startswith("extra.") and column not in self.table.unread
                }
                self._note(tuple(names))
            yield Chunk(chunk.frame.select(ROW_NUMBER, *names), chunk.refused)
        if file.problem is not None:
            code, found = file.problem
            raise _Fatal(code, f"{found} {FILE_ADVICE[code]}")

    # --- JSON lines

    def _json_lines(self, stream: ByteStream) -> Iterator[Chunk]:
        import msgspec

        # A number stays the text that it is: 12.50 is not 12.5, and no float comes between.
        decoder = msgspec.json.Decoder(dict[str, Any], float_hook=str)
        names: dict[str, str] = {}
        rows: list[dict[str, str | None]] = []
        numbers: list[int] = []
        refused: list[Refused] = []
        number = 0
        for line in _lines(stream, self.limits.line_characters):
            if not line.strip():
                continue
            number += 1
            code = ""
            try:
                found = decoder.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError):
                code = "INVALID_JSON"
            else:
                if not names.keys() >= found.keys():
                    names |= dict.fromkeys(found, "") | self._known(list(found))
                row = {names[name]: _text(value) for name, value in found.items()}
                row.pop("", None)
                if any(isinstance(value, list | dict) for value in found.values()):
                    code = "NESTED_VALUE"
                elif any(value is not None and "\0" in value for value in row.values()):
                    code = "NUL_BYTE"
            if code:
                shown = line.decode("utf-8", "backslashreplace").replace("\0", "\\x00")
                refused.append(Refused(number, code, _sentence(code), (shown,)))
            else:
                rows.append(row)
                numbers.append(number)
            if len(rows) + len(refused) >= ROWS_PER_CHUNK:
                yield self._json_chunk(rows, numbers, refused, names)
                rows, numbers, refused = [], [], []
        if rows or refused:
            yield self._json_chunk(rows, numbers, refused, names)
        if names:
            self._require(tuple(names.values()))

    def _json_chunk(
        self,
        rows: list[dict[str, str | None]],
        numbers: list[int],
        refused: list[Refused],
        names: Mapping[str, str],
    ) -> Chunk:
        import polars as pl

        found = {column for column in names.values() if column}
        self._note(tuple(found))
        columns = [*(["tenant_id"] if "tenant_id" in found else []), *self.table.columns]
        data = {column: [row.get(column) for row in rows] for column in columns}
        frame = pl.DataFrame(data, schema=dict.fromkeys(columns, pl.String))
        return Chunk(frame.insert_column(0, pl.Series(ROW_NUMBER, numbers, dtype=pl.Int64)), tuple(refused))

    # --- Parquet

    def _parquet(self, stream: ByteStream) -> Iterator[Chunk]:
        import polars as pl

        with tempfile.NamedTemporaryFile(prefix="delivery-", suffix=".parquet") as copy:
            while part := stream.read(1 << 20):
                copy.write(part)
            copy.flush()
            try:
                scanned = pl.scan_parquet(copy.name, glob=False)
                schema = dict(scanned.collect_schema())
                names = self._known(list(schema))
                self._require(tuple(names.values()))
                self._note(tuple(names.values()))
                chosen = scanned.select(
                    _as_text(name, schema[name]).alias(ours) for name, ours in names.items()
                )
                height = int(scanned.select(pl.len()).collect().item())
                if not height:
                    raise _Fatal("HEADER_ONLY", "There is no row in the file.")
                for start in range(0, height, ROWS_PER_CHUNK):
                    frame = chosen.slice(start, ROWS_PER_CHUNK).collect()
                    numbers = pl.int_range(start + 1, start + 1 + frame.height, dtype=pl.Int64, eager=True)
                    yield _without_nul(frame.insert_column(0, numbers.alias(ROW_NUMBER)))
            except (pl.exceptions.PolarsError, OSError) as error:
                found = (str(error).splitlines() or [type(error).__name__])[0][:300]
                raise _Fatal("BROKEN_PARQUET", f"The file cannot be read as Parquet: {found}") from error


def _as_text(name: str, kind: pl.DataType) -> pl.Expr:
    import polars as pl

    column = pl.col(name)
    if isinstance(kind, pl.Datetime):
        if kind.time_zone is None:
            return column.dt.strftime("%Y-%m-%dT%H:%M:%S%.f")
        return column.dt.convert_time_zone("UTC").dt.strftime("%Y-%m-%dT%H:%M:%S%.fZ")
    if kind.is_nested() or kind in (pl.Binary, pl.Time, pl.Duration, pl.Object):
        raise _Fatal("UNSUPPORTED_TYPE", f"The column {name!r} holds {kind}. Write text, numbers or dates.")
    return column.cast(pl.String)


def _without_nul(frame: pl.DataFrame) -> Chunk:
    """The rows without a NUL character, which no database text can hold, and the others as refused."""
    import polars as pl

    texts = [name for name in frame.columns if name != ROW_NUMBER]
    broken = pl.any_horizontal(pl.col(texts).str.contains("\0", literal=True).fill_null(value=False))
    found = frame.filter(broken)
    if not found.height:
        return Chunk(frame)
    refused = tuple(
        Refused(number, "NUL_BYTE", _sentence("NUL_BYTE"), tuple((cell or "").replace("\0", "\\x00") for cell in cells))
        for number, *cells in found.select(ROW_NUMBER, *texts).iter_rows()
    )  # fmt: skip
    return Chunk(frame.filter(~broken), refused)


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


class _Peeked:
    """A stream whose beginning can be looked at first."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self.head = b""
        while len(self.head) < 512 and (part := stream.read(512)):
            self.head += part
        self._rest = self.head

    def read(self, size: int = -1, /) -> bytes:
        if self._rest:
            taken = self._rest if size < 0 else self._rest[:size]
            self._rest = self._rest[len(taken) :]
            return taken
        return self._stream.read(size)


class _Unzipped:
    """The text of a gzip file, a piece at a time: a small file that unpacks to a large one takes no more memory."""

    _PIECE = 1 << 16

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._inflater = zlib.decompressobj(wbits=31)
        self._waiting = b""

    def read(self, size: int = -1, /) -> bytes:
        wanted = size if size > 0 else self._PIECE
        while True:
            if not self._waiting:
                self._waiting = self._stream.read(self._PIECE)
            if self._inflater.eof:
                if not self._waiting:
                    return b""
                self._inflater = zlib.decompressobj(wbits=31)  # several files one after the other are one
            ended = not self._waiting
            try:
                text = self._inflater.decompress(self._waiting, wanted)
            except zlib.error as error:
                raise _Fatal("BROKEN_GZIP", "The compressed file is damaged. Upload it again.") from error
            self._waiting = self._inflater.unconsumed_tail or self._inflater.unused_data
            if text:
                return text
            if ended and not self._inflater.eof:
                raise _Fatal("BROKEN_GZIP", "The compressed file was cut off. Upload it again.")


def _lines(stream: ByteStream, longest: int) -> Iterator[bytes]:
    left = b""
    while part := stream.read(1 << 18):
        *whole, left = (left + part).split(b"\n")
        yield from (line.removeprefix(b"\xef\xbb\xbf") for line in whole)
        if len(left) > longest:
            raise _Fatal("LINE_TOO_LONG", f"A line has more than {longest:,} bytes.")
    yield left.removeprefix(b"\xef\xbb\xbf")


def _sentence(code: str) -> str:
    words = DELIVERY_ROW_PROBLEMS[code]
    return words[0].upper() + words[1:] + "."


# -- rules ----------------------------------------------------------------------------------------------------


class Rule(NamedTuple):
    """What refuses a row: the code, the column, and where it holds."""

    code: str
    column: str
    broken: pl.Expr


@dataclass(frozen=True)
class Checked:
    """`accepted`: typed rows for the staging table. `refused`: the others, with `REFUSED`.

    `flags`: how many accepted rows are odd in which way, see `FLAGS`.
    """

    accepted: pl.DataFrame
    refused: pl.DataFrame
    flags: Counter[str] = field(default_factory=Counter)


REFUSED: Final = (ROW_NUMBER, "row_key", "code", "column_name", "message", "original")
FLAGS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "orders": (
        ("NET_IS_NOT_GROSS_LESS_DISCOUNT", "net_revenue is not gross_revenue less discount_amount"),
        ("DISCOUNT_OUTSIDE_GROSS", "discount_amount is below 0 or above gross_revenue"),
        ("NEGATIVE_ITEMS", "items_count is below 0"),
    ),
    "fulfillment": (
        ("SLA_CONTRADICTS_DATES", "sla_met is not what the two dates say"),
        ("NEGATIVE_DAYS_TO_SHIP", "days_to_ship is below 0"),
    ),
    "campaigns": (
        ("CLICKS_ABOVE_IMPRESSIONS", "there are more clicks than impressions"),
        ("CONVERSIONS_ABOVE_CLICKS", "there are more conversions than clicks"),
    ),
    "order_costs": (),
}
"""What is odd and stored all the same, by table: code and words. A tenant's own numbers are his to correct."""

_MONEY = r"^[+-]?(?:0*[0-9]{1,8}(?:\.[0-9]{0,2}0*)?|\.[0-9]{1,2}0*)$"
_WHOLE = r"^[+-]?[0-9]{1,19}(?:\.0*)?$"
_DAY = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_TIME = r"^([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}:[0-9]{2})(:[0-9]{2})?(\.[0-9]{1,9})?[0-9]*$"
_ZONED = (
    r"^([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}:[0-9]{2})(:[0-9]{2})?(\.[0-9]{1,9})?[0-9]* ?"
    r"(?:([Zz])|([+-][0-9]{2}):?([0-9]{2})?)$"
)
_TRUE, _FALSE = ("true", "t", "yes", "y", "1"), ("false", "f", "no", "n", "0")


def check(frame: pl.DataFrame, table: Table, tenant: Tenant) -> Checked:
    """Read every row of a chunk by the rules of its table. A row is refused with the first thing wrong with it."""
    import polars as pl

    present = [one for one in table.fields if one.name in frame.columns]
    named = [one.name for one in present] + (["tenant_id"] if "tenant_id" in frame.columns else [])
    stripped = frame.lazy().with_columns(pl.col(named).str.strip_chars().replace("", None))
    text = stripped.collect()
    typed = text.with_columns(_typed(one, text, tenant).alias(f"{one.name}.typed") for one in present)
    rules = _rules(present, table, tenant, "tenant_id" in named)
    first = pl.coalesce(
        *(pl.when(rule.broken).then(pl.lit(place, pl.Int16)) for place, rule in enumerate(rules))
    )
    judged = typed.with_columns(rule=first)
    good = pl.col("rule").is_null()
    values = [pl.col(f"{one.name}.typed").alias(one.name) for one in present]
    accepted = judged.filter(good) if judged["rule"].null_count() < judged.height else judged
    accepted = accepted.select(ROW_NUMBER, *values)
    bad = judged.filter(~good).select(ROW_NUMBER, "rule", row_key=pl.col(table.key).str.slice(0, 100))
    return Checked(accepted, _refused(bad, frame, rules), _flags(accepted, table))


def refused_rows(chunk: Chunk, table: Table) -> pl.DataFrame:
    """The rows of a chunk that could not even be taken apart, in the form of `Checked.refused`."""
    import json

    import polars as pl

    rows = [
        (
            one.row_number,
            None,
            one.code,
            None,
            one.message,
            json.dumps({"_line": one.cells[0]} if len(one.cells) == 1 else {"_cells": list(one.cells)}),
        )
        for one in chunk.refused
    ]
    return pl.DataFrame(rows, schema=_refused_schema(), orient="row")


def originals(frame: pl.DataFrame) -> pl.DataFrame:
    """`row_number` and `original`: the cells of each row under our names, text as it came."""
    import polars as pl

    cells = [name for name in frame.columns if name != ROW_NUMBER]
    return frame.select(ROW_NUMBER, original=pl.struct(cells).struct.json_encode())


def _refused_schema() -> dict[str, Any]:
    import polars as pl

    return {ROW_NUMBER: pl.Int64, **dict.fromkeys(REFUSED[1:], pl.String)}


def _refused(bad: pl.DataFrame, frame: pl.DataFrame, rules: Sequence[Rule]) -> pl.DataFrame:
    import polars as pl

    if not bad.height:
        return pl.DataFrame(schema=_refused_schema())
    about = pl.DataFrame(
        [
            (place, rule.code, rule.column, f"{rule.column}: {_sentence(rule.code)}")
            for place, rule in enumerate(rules)
        ],
        schema={"rule": pl.Int16, "code": pl.String, "column_name": pl.String, "message": pl.String},
        orient="row",
    )
    texts = originals(frame.join(bad.select(ROW_NUMBER), on=ROW_NUMBER, how="semi"))
    return bad.join(about, on="rule").join(texts, on=ROW_NUMBER).sort(ROW_NUMBER).select(*_refused_schema())


def _typed(one: Field, text: pl.DataFrame, tenant: Tenant) -> pl.Expr:
    """The value of a text that passes its rule; null, or anything, for one that does not."""
    import polars as pl

    column = pl.col(one.name)
    match one.kind:
        case "date":
            return _days(text[one.name], tenant.time_zone)
        case "money":
            # The text itself goes to the database, which reads it exactly.
            return column
        case "integer":
            return column.str.replace(r"\.0*$", "").cast(pl.Int64, strict=False)
        case "boolean":
            lower = column.str.to_lowercase()
            return (
                pl.when(lower.is_in(_TRUE)).then(pl.lit(value=True)).when(lower.is_in(_FALSE)).then(pl.lit(value=False))
            )  # fmt: skip
        case "currency":
            return column.str.to_uppercase().fill_null(tenant.currency)
    return column


def _days(text: pl.Series, time_zone: str) -> pl.Expr:
    """The tenant's own day: of a date itself, of a time without zone its date, of one with a zone where he is then."""
    import polars as pl

    plainly = text.str.to_date("%Y-%m-%d", strict=False)
    if text.drop_nulls().str.contains(_DAY).all():
        return pl.lit(plainly)
    column = pl.lit(text)
    zoned, local = column.str.extract_groups(_ZONED), column.str.extract_groups(_TIME)
    moment = pl.concat_str(
        zoned.struct["1"], pl.lit("T"), zoned.struct["2"], zoned.struct["3"].fill_null(":00"),
        pl.coalesce(zoned.struct["6"], pl.when(zoned.struct["5"].is_not_null()).then(pl.lit("+00"))),
        pl.lit(":"), zoned.struct["7"].fill_null("00"),
    ).str.to_datetime("%Y-%m-%dT%H:%M:%S%:z", strict=False, time_zone="UTC")  # fmt: skip
    clock = pl.concat_str(
        local.struct["1"], pl.lit("T"), local.struct["2"], local.struct["3"].fill_null(":00")
    ).str.to_datetime("%Y-%m-%dT%H:%M:%S", strict=False)
    return (
        pl.when(column.str.contains(_DAY))
        .then(column.str.to_date("%Y-%m-%d", strict=False))
        .otherwise(pl.coalesce(moment.dt.convert_time_zone(time_zone).dt.date(), clock.dt.date()))
    )


def _rules(present: Sequence[Field], table: Table, tenant: Tenant, named: bool) -> list[Rule]:
    import datetime as dt

    import polars as pl

    rules = []
    if named:
        rules.append(
            Rule("CROSS_TENANT_ROW", "tenant_id", (pl.col("tenant_id") != tenant.tenant_id).fill_null(value=False))
        )  # fmt: skip
    first, last = dt.date.fromisoformat(FIRST_DAY), dt.date.fromisoformat(LAST_DAY)
    for one in present:
        column, typed = pl.col(one.name), pl.col(f"{one.name}.typed")
        if one.required:
            code = "MISSING_KEY" if one.name == table.key else "MISSING_VALUE"
            rules.append(Rule(code, one.name, column.is_null()))
        given = column.is_not_null()
        match one.kind:
            case "text":
                rules.append(Rule("TOO_LONG", one.name, column.str.len_chars() > one.width))
            case "date":
                rules.append(
                    Rule("INVALID_DATE", one.name, given & ~typed.is_between(first, last).fill_null(value=False))
                )  # fmt: skip
            case "money":
                wrong = ~column.str.contains(_MONEY)
                if one.least == 0:
                    wrong = wrong | (column.str.starts_with("-") & column.str.contains("[1-9]"))
                rules.append(Rule("INVALID_NUMBER", one.name, wrong))
            case "integer":
                fits = column.str.contains(_WHOLE) & typed.is_between(-(2**31), 2**31 - 1).fill_null(
                    value=False
                )
                rules.append(Rule("INVALID_NUMBER", one.name, given & ~fits))
            case "boolean":
                rules.append(Rule("INVALID_BOOLEAN", one.name, given & typed.is_null()))
            case "currency":
                rules.append(Rule("INVALID_CURRENCY", one.name, ~typed.str.contains("^[A-Z]{3}$")))
    return rules


def _flags(accepted: pl.DataFrame, table: Table) -> Counter[str]:
    import polars as pl

    def cents(name: str) -> pl.Expr:
        return pl.col(name).cast(pl.Decimal(14, 2), strict=False)

    odd: dict[str, tuple[pl.Expr, tuple[str, ...]]] = {}
    if table.name == "orders":
        gross, discount, net = (cents(name) for name in ("gross_revenue", "discount_amount", "net_revenue"))
        odd = {
            "NET_IS_NOT_GROSS_LESS_DISCOUNT": (
                net != gross - discount, ("gross_revenue", "discount_amount", "net_revenue")
            ),
            "DISCOUNT_OUTSIDE_GROSS": ((discount < 0) | (discount > gross), ("gross_revenue", "discount_amount")),
            "NEGATIVE_ITEMS": (pl.col("items_count") < 0, ("items_count",)),
        }  # fmt: skip
    elif table.name == "fulfillment":
        in_time = pl.col("actual_delivery_date") <= pl.col("promised_delivery_date")
        odd = {
            "SLA_CONTRADICTS_DATES": (
                pl.col("sla_met") != in_time, ("sla_met", "actual_delivery_date", "promised_delivery_date")
            ),
            "NEGATIVE_DAYS_TO_SHIP": (pl.col("days_to_ship") < 0, ("days_to_ship",)),
        }  # fmt: skip
    elif table.name == "campaigns":
        odd = {
            "CLICKS_ABOVE_IMPRESSIONS": (pl.col("clicks") > pl.col("impressions"), ("clicks", "impressions")),
            "CONVERSIONS_ABOVE_CLICKS": (pl.col("conversions") > pl.col("clicks"), ("conversions", "clicks")),
        }
    asked = {
        code: where for code, (where, needed) in odd.items() if all(name in accepted.columns for name in needed)
    }  # fmt: skip
    if not asked or not accepted.height:
        return Counter()
    counted = accepted.select(where.sum().alias(code) for code, where in asked.items()).row(0, named=True)
    return Counter({code: int(count) for code, count in counted.items() if count})


def time_zone_is_known(name: str) -> bool:
    """Whether the day of a moment can be told in this zone: Postgres takes more spellings than there are IANA names."""
    import polars as pl

    try:
        pl.Series([0]).cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(name)
    except pl.exceptions.PolarsError:
        return False
    return True
