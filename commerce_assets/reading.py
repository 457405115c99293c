"""A delimited file, such as a vendor's product file, from bytes to rows of text with their numbers.

Belongs here: encoding, dialect, header, limits, and telling apart which rows can be read. Does not belong here: what a
cell must say (rules.py), where the bytes come from, where the rows go. Cells are text as it was written.

The stream is read in blocks, and a block takes one of two ways with the same result. Whatever is beyond doubt goes to
Polars' reader, which is 20 times faster: valid UTF-8 without NUL, quotes only where RFC 4180 has them, as many cells in
each row as the header has. Every other block is taken apart record by record here, so that one broken row is refused
with a code and the next one is read. A property test holds the two ways together.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

if TYPE_CHECKING:
    import polars as pl

COLUMNS: Final = (
    "vendor_product_id",
    "product_name",
    "category",
    "subcategory",
    "description",
    "sku",
    "brand",
    "price",
    "compare_at_price",
    "stock_quantity",
    "unit",
    "weight_kg",
    "dimensions_cm",
    "image_url",
)
OPTIONAL_COLUMNS: Final = ("gtin", "currency")
REQUIRED: Final = ("vendor_product_id", "product_name", "category", "sku", "price", "stock_quantity")
ROW_NUMBER: Final = "row_number"

FILE_PROBLEMS: Final[dict[str, str]] = {
    "EMPTY_FILE": "the file has no text at all",
    "FILE_TOO_LARGE": "the file has more bytes than allowed",
    "TOO_MANY_ROWS": "the file has more rows than allowed",
    "TOO_MANY_COLUMNS": "the header has more columns than allowed",
    "LINE_TOO_LONG": "one row, with its line breaks, has more characters than allowed",
    "XLSX_FILE": "the file is an Excel workbook, whatever its name says",
    "XLS_FILE": "the file is an old Excel workbook, whatever its name says",
    "ZIP_FILE": "the file is a zip archive",
    "COMPRESSED_FILE": "the file is compressed (gzip, bzip2, xz, zstd or 7z)",
    "HTML_OR_XML_FILE": "the file is a web page or XML",
    "BINARY_FILE": "the file is not text",
    "UNKNOWN_ENCODING": "the text is neither UTF-8 nor UTF-16 nor Windows-1252",
    "NO_HEADER": "the first line does not name the columns",
    "MALFORMED_HEADER": "a quote in the first line is not closed",
    "MISSING_COLUMNS": "a required column is not in the header",
    "DUPLICATE_COLUMNS": "two columns of the header mean the same",
    "HEADER_ONLY": "there is no row below the header",
}
"""Code of a problem that ends the reading of the file, and when it is given. Codes are stable."""

FILE_ADVICE: Final[dict[str, str]] = {
    "EMPTY_FILE": "Export the rows again and upload a file with a header and at least one row.",
    "HEADER_ONLY": "Export the rows again: there must be at least one below the header.",
    "NO_HEADER": "Put the names of the columns in the first line.",
    "MALFORMED_HEADER": "Close every quote in the first line.",
    "MISSING_COLUMNS": "Add the missing columns to the first line.",
    "DUPLICATE_COLUMNS": "Keep one column of each meaning.",
    "TOO_MANY_COLUMNS": "Remove the columns that nobody asked for.",
    "TOO_MANY_ROWS": "Split the file into smaller ones; each is answered for itself.",
    "FILE_TOO_LARGE": "Split the file into smaller ones; each is answered for itself.",
    "LINE_TOO_LONG": "Look for a quote that is opened and never closed.",
    "XLSX_FILE": "Save the sheet as CSV (UTF-8) and upload that.",
    "XLS_FILE": "Save the sheet as CSV (UTF-8) and upload that.",
    "ZIP_FILE": "Unpack the archive and upload the CSV inside.",
    "COMPRESSED_FILE": "Unpack the file and upload the CSV inside.",
    "HTML_OR_XML_FILE": "Export the rows as CSV.",
    "BINARY_FILE": "Export the rows as CSV.",
    "UNKNOWN_ENCODING": "Save the file as UTF-8.",
}
"""What to do about each of them. The message of a problem says what was found, and nothing of this."""

ROW_PROBLEMS: Final[dict[str, str]] = {
    "TOO_FEW_CELLS": "the row has fewer cells than the header",
    "TOO_MANY_CELLS": "the row has more cells than the header",
    "UNBALANCED_QUOTES": "a quote is not closed, or closed in the middle of a cell",
    "NUL_BYTE": "a cell holds a NUL character",
    "UNDECODABLE_TEXT": "a cell holds bytes that are no text in the encoding of the file",
    "CELL_TOO_LONG": "a cell has more characters than allowed",
}
"""Code of a problem that costs one row, and when it is given. Codes are stable."""

ROWS_PER_CHUNK = 25_000
"""About as many: a chunk has twice as many at most. Larger ones are no faster, and take more memory."""
_HEAD = 256 * 1024
_LARGEST_BLOCK = 8 * 1024 * 1024
_SMALLEST_BLOCK = 64 * 1024
_LONGEST_KEY = 255

_MAGIC: Final = (
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "XLS_FILE"),
    (b"\x1f\x8b", "COMPRESSED_FILE"),
    (b"BZh", "COMPRESSED_FILE"),
    (b"\xfd7zXZ\0", "COMPRESSED_FILE"),
    (b"(\xb5/\xfd", "COMPRESSED_FILE"),
    (b"7z\xbc\xaf'\x1c", "COMPRESSED_FILE"),
    (b"%PDF-", "BINARY_FILE"),
    (b"PAR1", "BINARY_FILE"),
    (b"\x89PNG", "BINARY_FILE"),
    (b"\xff\xd8\xff", "BINARY_FILE"),
)
_DELIMITERS: Final = (",", ";", "\t", "|")
_QUOTES: Final = ('"', "'")
_SURROGATE = re.compile("[\ud800-\udfff]")
_LINE_END = re.compile("\r\n|\n|\r")
_SPACES = re.compile(r"[\s_.\-:*]+")


class ByteStream(Protocol):
    """What is read from: a file, the body of an S3 object."""

    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True)
class Limits:
    """What a file may have; each is checked while reading, so that nothing larger is ever held."""

    file_bytes: int = 10 * 1024 * 1024
    rows: int = 10_000
    columns: int = 100
    cell_characters: int = 32_767
    line_characters: int = 1024 * 1024


class Problem(NamedTuple):
    """Why a file was not read (further), in a code and a sentence for its vendor."""

    code: str
    message: str


class Refused(NamedTuple):
    """A row that could not be read. `cells`: what was found; one cell with the whole line for UNBALANCED_QUOTES.

    Characters that cannot be stored stand there as escapes (backslash, x, two digits).
    """

    row_number: int
    code: str
    message: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Dialect:
    """How cells are separated and quoted."""

    delimiter: str = ","
    quote: str = '"'


@dataclass(frozen=True)
class Expected:
    """The columns of a kind of file. `names`: ours by each name that stands for one, in the form of `plain`."""

    names: Mapping[str, str]
    required: tuple[str, ...]

    def known(self, name: str) -> str | None:
        """Our column that a name stands for."""
        return self.names.get(plain(name))


@dataclass(frozen=True)
class Header:
    """The columns in the vendor's order: their names in the file, and ours (`extra.N` for one that we do not know)."""

    given: tuple[str, ...]
    columns: tuple[str, ...]

    @property
    def keys(self) -> tuple[str, ...]:
        """Under which name each cell is kept: the vendor's, where that is one of its own.

        A nameless column, one of a name that came before, that nobody would write by hand or that begins as our own
        marks do (`_`) is kept by its position: two cells under one name would be one.
        """
        kept: list[str] = []
        for position, name in enumerate(self.given, 1):
            own = name.strip() and not name.startswith("_") and len(name) <= _LONGEST_KEY and name not in kept
            key = name if own else f"column {position}"
            while not own and (key in kept or key in self.given):
                key += "'"
            kept.append(key)
        return tuple(kept)

    @property
    def unknown(self) -> tuple[str, ...]:
        """Names in the file of the columns that nothing reads."""
        pairs = zip(self.given, self.columns, strict=True)
        return tuple(given for given, column in pairs if column.startswith("extra."))


@dataclass(frozen=True)
class Chunk:
    """Rows in the order of the file: `frame` with `row_number` (from 1, the header not counted) and a text column for
    each of the header's, and beside it the rows of the same stretch that could not be read."""

    frame: pl.DataFrame
    refused: tuple[Refused, ...] = ()

    @property
    def rows(self) -> int:
        return self.frame.height + len(self.refused)


@dataclass
class DelimitedFile:
    """A file being read. Go through `chunks()`; then `problem` says why it ended early, None if it did not.

    Lines without any character are not rows. Errors of the stream itself (a lost connection) are raised as they are.
    """

    stream: ByteStream
    limits: Limits = field(default_factory=Limits)
    expected: Expected = field(kw_only=True)
    encoding: str = ""
    dialect: Dialect = field(default_factory=Dialect)
    header: Header | None = None
    problem: Problem | None = None
    rows: int = 0
    """Rows in the chunks given so far, read and refused."""

    _buffer: bytes = b""
    _taken: int = 0
    _ended: bool = False
    _ascii: bool = True
    _decoder: codecs.IncrementalDecoder | None = None

    def chunks(self) -> Iterator[Chunk]:
        """The rows. Of a file that turns out unreadable further on, what came before was given already."""
        try:
            yield from self._chunks()
        except _Fatal as fatal:
            self.problem = fatal.problem

    def _chunks(self) -> Iterator[Chunk]:
        head = self._fill(_HEAD)
        _refuse_other_formats(head)
        self._take_encoding(head)
        self._buffer = self._decoded(self._buffer)
        self._take_header()
        size = _SMALLEST_BLOCK
        while True:
            self._buffer += self._decoded(self._read(size))
            if self._ended and not self._buffer:
                break
            bytes_before, rows_before = len(self._buffer), self.rows
            for chunk in self._parse():
                if self.rows + chunk.rows > self.limits.rows:
                    raise _fatal("TOO_MANY_ROWS", f"The file has more than {self.limits.rows:,} rows.")
                self.rows += chunk.rows
                yield chunk
            if self.rows > rows_before:
                per_row = (bytes_before - len(self._buffer)) / (self.rows - rows_before)
                size = max(_SMALLEST_BLOCK, min(_LARGEST_BLOCK, int(per_row * ROWS_PER_CHUNK)))
        if not self.rows:
            raise _fatal("HEADER_ONLY", "There is no row below the header.")

    # --- bytes

    def _read(self, size: int) -> bytes:
        """`size` bytes, or what is left; S3 gives less than it was asked for."""
        parts: list[bytes] = []
        while size > 0 and not self._ended:
            part = self.stream.read(size)
            if not part:
                self._ended = True
                break
            self._taken += len(part)
            if self._taken > self.limits.file_bytes:
                raise _fatal("FILE_TOO_LARGE", f"The file has more than {self.limits.file_bytes:,} bytes.")
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _fill(self, size: int) -> bytes:
        self._buffer += self._read(size - len(self._buffer))
        return self._buffer

    def _decoded(self, raw: bytes) -> bytes:
        """The bytes as UTF-8. What is no text stays as bytes that are no UTF-8 either, and costs its row later."""
        if self._decoder is None:
            return raw
        try:
            text = self._decoder.decode(raw, final=self._ended)
        except UnicodeDecodeError:
            # The last half of a character: everything before it was decoded by the call before.
            text = self._decoder.decode(raw[: len(raw) - 1]) + "\udcff" if raw else "\udcff"
        return text.encode(
            "utf-8", "surrogatepass" if self.encoding.startswith("utf-16") else "surrogateescape"
        )

    def _take_encoding(self, head: bytes) -> None:
        self.encoding, skipped = _encoding(head, complete=self._ended)
        self._buffer = self._buffer[skipped:]
        if self.encoding != "utf-8":
            errors = "surrogatepass" if self.encoding.startswith("utf-16") else "surrogateescape"
            self._decoder = codecs.getincrementaldecoder(self.encoding)(errors)

    def _switched_encoding(self, block: bytes) -> bool:
        """The first characters beyond ASCII came late, and are no UTF-8: ask again what the encoding is."""
        if self.encoding != "utf-8" or _mostly_utf8(block) or _detected(block) is None:
            return False
        self.encoding = "cp1252"
        self._decoder = codecs.getincrementaldecoder("cp1252")("surrogateescape")
        self._buffer = self._decoded(self._buffer)
        return True

    # --- header

    def _take_header(self) -> None:
        text = self._buffer.decode("utf-8", "surrogateescape")
        start = len(text) - len(text.lstrip(" \t\r\n\ufeff"))
        start = max(text.rfind("\n", 0, start), text.rfind("\r", 0, start)) + 1
        if not text[start:].strip(" \t\r\n\ufeff"):
            raise _fatal("EMPTY_FILE", "The file has no text at all.")
        stated: tuple[str, ...] = _DELIMITERS
        if found := re.compile("sep=(.)(?:\r\n|\n|\r)").match(text, start):
            start, stated = found.end(), (found[1],)
        end = _LINE_END.search(text, start)
        if end is None and not self._ended:
            raise _fatal("LINE_TOO_LONG", f"The first line has more than {_HEAD:,} bytes.")
        best: tuple[int, int, Dialect, _Record] | None = None
        for quote in _QUOTES if text[start] == "'" else _QUOTES[:1]:
            for delimiter in stated:
                dialect = Dialect(delimiter, quote)
                record = _Records(text, dialect, self.limits, final=self._ended).at(start)
                if not isinstance(record, _Record):
                    continue
                known = sum(self.expected.known(cell) is not None for cell in record.cells)
                if best is None or (known, len(record.cells)) > best[:2]:
                    best = (known, len(record.cells), dialect, record)
        if best is None or best[3].code:
            raise _fatal("MALFORMED_HEADER", "A quote in the first line is not closed.")
        _, _, self.dialect, record = best
        self.header = _header(record.cells, self.limits, self.expected)
        self._buffer = text[record.end :].encode("utf-8", "surrogateescape")

    # --- rows

    def _parse(self) -> Iterator[Chunk]:
        """Everything in the buffer that is complete, as chunks; the rest stays in the buffer."""
        while self._buffer:
            block = self._buffer
            if not self._ended:
                block = block[: block.rfind(b"\n") + 1]
            if self._ascii and not block.isascii():
                self._ascii = False
                if self._switched_encoding(block):
                    continue
            frame, end = self._fast(block, self.rows + 1)
            chunk = Chunk(frame) if frame is not None else None
            if chunk is None:
                chunk, end = self._pieces(len(block) or len(self._buffer))
            self._buffer = self._buffer[end:]
            if chunk.rows:
                yield chunk
            if not end:
                return

    def _pieces(self, extent: int) -> tuple[Chunk, int]:
        """About `extent` bytes of the buffer in small pieces, so that what is broken slows down its own piece only."""
        import polars as pl

        frames: list[pl.DataFrame] = []
        refused: list[Refused] = []
        place, number = 0, self.rows + 1
        while place < extent and number - self.rows <= 2 * ROWS_PER_CHUNK:
            piece = self._buffer[place : place + _SMALLEST_BLOCK]
            if not (self._ended and place + len(piece) == len(self._buffer)):
                piece = piece[: piece.rfind(b"\n") + 1]
            frame, end = self._fast(piece, number)
            if frame is not None:
                frames.append(frame)
                number += frame.height
            else:
                chunk, end = self._slow(place, len(piece) or extent - place, number)
                frames.append(chunk.frame)
                refused += chunk.refused
                number += chunk.rows
            place += end
            if not end:
                break
        return Chunk(pl.concat(frames), tuple(refused)), place

    def _fast(self, block: bytes, first: int) -> tuple[pl.DataFrame | None, int]:
        """The complete records of the block by Polars' reader and how many bytes they are; None: not beyond doubt."""
        assert self.header is not None
        structure = _structure(block, self.dialect) if block else None
        while structure and structure.rows > 2 * ROWS_PER_CHUNK:
            # Rows became much shorter than those that the size of a block was taken from.
            half = block[: block.rfind(b"\n", 0, len(block) // 2) + 1]
            if not half:
                break
            block = half
            structure = _structure(block, self.dialect)
        if structure is None or not structure.end:
            return None, 0
        return _polars(structure, self.header, self.dialect, self.limits, first), structure.end

    def _slow(self, place: int, extent: int, first: int) -> tuple[Chunk, int]:
        """Record by record from a place of the buffer to the first end behind `extent`; and how many bytes that is."""
        near = extent + 4 * (2 * self.limits.cell_characters + 3)
        for reach in (near, extent + 4 * self.limits.line_characters + 8, len(self._buffer)):
            block = self._buffer[place : place + reach]
            whole = place + len(block) == len(self._buffer)
            chunk, end = self._records(block, extent, first, final=self._ended and whole)
            if end or whole:
                break
        return chunk, end

    def _records(self, block: bytes, extent: int, first: int, *, final: bool) -> tuple[Chunk, int]:
        import polars as pl

        header = self.header
        assert header is not None
        text = block.decode("utf-8", "surrogateescape")
        records = _Records(text, self.dialect, self.limits, final=final)
        numbers: list[int] = []
        rows: list[Sequence[str]] = []
        refused: list[Refused] = []
        place, number = 0, first
        # The extent is in bytes and the text in characters: a few records more than asked for do no harm.
        while place < min(len(text), extent) and number - first < 2 * ROWS_PER_CHUNK:
            record = records.at(place)
            if record is None:
                break
            found = record.code or _row_problem(record.cells, len(header.columns), self.limits)
            if found and record.lines:
                # Several lines for one broken row: its quote belongs to something else. Only the first line is lost.
                record = records.line_at(record.start)
                found = "UNBALANCED_QUOTES"
            place = record.end
            if record.cells == ("",):
                continue
            if found:
                refused.append(_refused(number, found, record.cells, len(header.columns), self.limits))
            else:
                numbers.append(number)
                rows.append(record.cells)
            number += 1
        schema = dict.fromkeys(header.columns, pl.String)
        frame = pl.DataFrame(rows, schema=schema, orient="row").insert_column(
            0, pl.Series(ROW_NUMBER, numbers, dtype=pl.Int64)
        )
        return Chunk(frame, tuple(refused)), len(text[:place].encode("utf-8", "surrogateescape"))


def read_ahead(chunks: Iterator[Chunk]) -> Iterator[Chunk]:
    """The same chunks, each read while the one before it is worked on: reading and checking are mostly outside of
    Python's lock. One chunk more is held; `rows` of the file is that much ahead."""
    with ThreadPoolExecutor(1, thread_name_prefix="reading") as reader:
        coming = reader.submit(next, chunks, None)
        while (chunk := coming.result()) is not None:
            coming = reader.submit(next, chunks, None)
            yield chunk


class _Fatal(Exception):
    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def _fatal(code: str, message: str) -> _Fatal:
    assert code in FILE_PROBLEMS
    # It may quote the header, and no database stores a NUL.
    return _Fatal(Problem(code, _shown(message)))


# --- what the file is


def _refuse_other_formats(head: bytes) -> None:
    """By their first bytes, as names say nothing."""
    code = next((code for magic, code in _MAGIC if head.startswith(magic)), None)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        code = "XLSX_FILE" if b"[Content_Types].xml" in head or b"xl/" in head else "ZIP_FILE"
    start = head[:512].removeprefix(codecs.BOM_UTF8).lstrip().lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        code = "HTML_OR_XML_FILE"
    if code:
        raise _fatal(code, _sentence(FILE_PROBLEMS[code]))


def _encoding(head: bytes, *, complete: bool) -> tuple[str, int]:
    """The encoding by its mark, by the NULs of UTF-16, as UTF-8, or as detected; and how long the mark is."""
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        raise _fatal("UNKNOWN_ENCODING", "The file is UTF-32.")
    for mark, encoding in (
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ):
        if head.startswith(mark):
            return encoding, len(mark)
    even, odd = head[0:4096:2].count(0), head[1:4096:2].count(0)
    half = max(min(len(head), 4096) // 2, 1)
    if half >= 8 and max(even, odd) / half > 0.4 and min(even, odd) / half < 0.1:
        return ("utf-16-be" if even > odd else "utf-16-le"), 0
    controls = sum(head[:4096].count(code) for code in range(32) if code not in (9, 10, 12, 13))
    if controls > len(head[:4096]) // 10:
        raise _fatal("BINARY_FILE", "The file is not text.")
    if _mostly_utf8(head, complete=complete):
        return "utf-8", 0
    if (found := _detected(head)) is None:
        raise _fatal("UNKNOWN_ENCODING", "The text is neither UTF-8 nor UTF-16 nor Windows-1252.")
    return found, 0


def _is_utf8(block: bytes, *, complete: bool = False) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(block, final=complete)
    except UnicodeDecodeError:
        return False
    return True


def _mostly_utf8(block: bytes, *, complete: bool = False) -> bool:
    """Whether it is UTF-8 but for a broken row: pairs of accents of another encoding seldom make one character."""
    if _is_utf8(block, complete=complete):
        return True
    text = block.decode("utf-8", "surrogateescape")
    broken = len(_SURROGATE.findall(text))
    return sum(map(text.count, set(text) - set(map(chr, range(128))))) > 2 * broken


def _detected(block: bytes) -> str | None:
    """Windows-1252, when the text reads well in it. Any bytes can be read as some 8-bit encoding: a Cyrillic file read
    as this one is a row of accented capitals, which is what the detector measures."""
    from charset_normalizer import from_bytes

    lines = [line for line in block.splitlines() if not line.isascii()]
    sample = b"\n".join(lines)[:16_384]
    # Cells are short, and one euro sign among digits is no mess: what the detector sees are the words around.
    found = from_bytes(sample, cp_isolation=["cp1252"], threshold=0.35, enable_fallback=False).best()
    return "cp1252" if found is not None else None


# --- header


@cache
def header_names() -> dict[str, str]:
    """Our column by every name that stands for it (header_names.csv), in the form of `plain`."""
    with Path(__file__).with_name("header_names.csv").open(encoding="utf-8", newline="") as file:
        listed = {plain(row["name"]): row["column"] for row in csv.DictReader(file)}
    return listed | {plain(column): column for column in (*COLUMNS, *OPTIONAL_COLUMNS)}


def _product_columns() -> Expected:
    return Expected(header_names(), REQUIRED)


@dataclass
class ProductFile(DelimitedFile):
    """A vendor's product file."""

    expected: Expected = field(kw_only=True, default_factory=_product_columns)


def plain(name: str) -> str:
    """The name of a column without what does not tell it from another one."""
    return _SPACES.sub(" ", name).strip().casefold()


def _header(given: tuple[str, ...], limits: Limits, expected: Expected) -> Header:
    if len(given) > limits.columns:
        raise _fatal(
            "TOO_MANY_COLUMNS", f"The header has {len(given)} columns; {limits.columns} are allowed."
        )
    columns = tuple(expected.known(name) or f"extra.{position}" for position, name in enumerate(given, 1))
    known = [column for column in columns if not column.startswith("extra.")]
    if len(known) < 2:
        raise _fatal(
            "NO_HEADER",
            f"The first line does not name the columns. It must have {', '.join(expected.required)}.",
        )
    named = [expected.known(name) or plain(name) for name in given if name.strip()]
    if twice := sorted({name for name in named if named.count(name) > 1}):
        raise _fatal("DUPLICATE_COLUMNS", f"More than one column stands for {', '.join(twice)}.")
    if missing := [column for column in expected.required if column not in known]:
        raise _fatal("MISSING_COLUMNS", f"The header lacks {', '.join(missing)}.")
    return Header(tuple(_shown(name) for name in given), columns)


# --- record by record


class _Record(NamedTuple):
    start: int
    end: int
    cells: tuple[str, ...]
    code: str | None = None
    lines: bool = False
    """Whether a line break stands inside."""


@dataclass
class _Records:
    """Finds the record that starts at a place of the text."""

    text: str
    dialect: Dialect
    limits: Limits
    final: bool

    def __post_init__(self) -> None:
        quote, delimiter = self.dialect.quote, re.escape(self.dialect.delimiter)
        self._cell = _cell_pattern(quote, delimiter)
        # Quotes are doubled inside a cell: a cell within its limit is no longer than this.
        self._window = 2 * self.limits.cell_characters + 3

    def at(self, place: int) -> _Record | None:
        """None when its end is not in the text, and the text goes on."""
        line = self.line_at(place) if self._line_end(place) else None
        if line is None:
            if len(self.text) - place > self.limits.line_characters:
                raise self._too_long()
            return None
        raw = line.cells[0]
        if self.dialect.quote not in raw:
            return line._replace(cells=tuple(raw.split(self.dialect.delimiter)), code=None)
        cells: list[str] = []
        text, here = self.text, place
        while True:
            found = self._cell.match(text, here, here + self._window)
            if found is None:
                if not self.final and len(text) - here < self._window:
                    return None
                return line
            quoted, plain = found.groups()
            quote = self.dialect.quote
            cells.append(plain if quoted is None else quoted.replace(quote + quote, quote))
            here = found.end()
            if here >= len(text):
                if not self.final:
                    return None
                end = here
                break
            if text[here] == self.dialect.delimiter:
                here += 1
                continue
            ending = _LINE_END.match(text, here)
            if ending is None:
                return line
            if ending[0] == "\r" and ending.end() == len(text) and not self.final:
                return None
            end = ending.end()
            break
        if end - place > self.limits.line_characters:
            raise self._too_long()
        return _Record(place, end, tuple(cells), None, here > line.start + len(raw))

    def line_at(self, place: int) -> _Record:
        """The line from here as one cell, as what is left of a record whose quotes do not match."""
        stop, end = self._line_end(place) or (len(self.text), len(self.text))
        if stop - place > self.limits.line_characters:
            raise self._too_long()
        return _Record(place, end, (self.text[place:stop],), "UNBALANCED_QUOTES")

    def _line_end(self, place: int) -> tuple[int, int] | None:
        found = _LINE_END.search(self.text, place)
        if found is None:
            return (len(self.text), len(self.text)) if self.final else None
        if found[0] == "\r" and found.end() == len(self.text) and not self.final:
            return None
        return found.span()

    def _too_long(self) -> _Fatal:
        return _fatal("LINE_TOO_LONG", f"A row has more than {self.limits.line_characters:,} characters.")


@cache
def _cell_pattern(quote: str, delimiter: str) -> re.Pattern[str]:
    return re.compile(
        f"(?:{quote}((?:[^{quote}]++|{quote}{quote})*+){quote}|((?!{quote})[^{delimiter}\r\n]*+))"
        f"(?=[{delimiter}\r\n]|\\Z)"
    )


def _row_problem(cells: Sequence[str], width: int, limits: Limits) -> str | None:
    whole = "".join(cells)
    if "\0" in whole:
        return "NUL_BYTE"
    if not whole.isascii() and _SURROGATE.search(whole):
        return "UNDECODABLE_TEXT"
    if len(cells) != width:
        return "TOO_FEW_CELLS" if len(cells) < width else "TOO_MANY_CELLS"
    if any(len(cell) > limits.cell_characters for cell in cells):
        return "CELL_TOO_LONG"
    return None


def _refused(number: int, code: str, cells: tuple[str, ...], width: int, limits: Limits) -> Refused:
    message = _sentence(ROW_PROBLEMS[code])
    if code in ("TOO_FEW_CELLS", "TOO_MANY_CELLS"):
        message = f"The row has {len(cells)} cells, the header {width}. Quote cells that hold a separator."
    if code == "CELL_TOO_LONG":
        message = f"A cell has more than {limits.cell_characters:,} characters."
    return Refused(number, code, message, tuple(map(_shown, cells)))


def _shown(cell: str) -> str:
    """The cell with what no database stores written as escapes."""
    cell = cell.replace("\0", "\\x00")
    if cell.isascii() or not _SURROGATE.search(cell):
        return cell
    return cell.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _sentence(words: str) -> str:
    return words[0].upper() + words[1:] + "."


# --- by blocks


@dataclass(frozen=True)
class _Structure:
    """A block of which every quote stands where RFC 4180 has it. `end`: behind its last complete record."""

    block: bytes
    end: int
    rows: int
    delimiters: int


def _structure(block: bytes, dialect: Dialect) -> _Structure | None:
    """Where records end, by counting quotes; None when a quote stands where none belongs.

    A quote that opens stands at the start of a cell or behind the one that it doubles, and one that closes at the end
    of a cell or before it: then a line break or a separator with an even number of quotes before it is one.
    """
    import numpy as np

    quote, delimiter = ord(dialect.quote), ord(dialect.delimiter)
    if delimiter > 127:
        return None
    # numpy rather than bytes.count: three times faster for what stands in every row.
    data = np.frombuffer(block, np.uint8)
    quotes = np.flatnonzero(data == quote)
    opening, closing = quotes[0::2], quotes[1::2]
    before = data[np.maximum(opening - 1, 0)]
    legal = (opening == 0) | (before == delimiter) | (before == 10) | (before == quote)
    if not legal.all():
        return None
    last = len(block) - 1
    after = data[np.minimum(closing + 1, last)]
    legal = (closing == last) | (after == delimiter) | (after == 10) | (after == 13) | (after == quote)
    if not legal.all():
        return None
    end = len(block)
    if len(quotes) & 1:
        # The last record goes on behind the block: the last line break outside of quotes is before it.
        gaps = zip(np.append(0, quotes[1::2]).tolist()[::-1], opening.tolist()[::-1], strict=True)
        end = next((found + 1 for low, high in gaps if (found := block.rfind(b"\n", low, high)) >= 0), 0)
        data, quotes = data[:end], quotes[quotes < end]
    counts = []
    for mark in (10, delimiter):
        places = np.flatnonzero(data == mark)
        before_quotes = np.searchsorted(places, quotes)
        counts.append(len(places) - int((before_quotes[1::2] - before_quotes[0::2]).sum()))
    rows = counts[0] + (end > 0 and data[-1] != 10)
    return _Structure(block, end, int(rows), counts[1])


def _polars(
    structure: _Structure, header: Header, dialect: Dialect, limits: Limits, first: int
) -> pl.DataFrame | None:
    """The block as a frame, or None when not every row of it is beyond doubt."""
    import polars as pl

    block = structure.block if structure.end == len(structure.block) else structure.block[: structure.end]
    width = len(header.columns)
    # Polars refuses a row with too many cells and fills one with too few: with the right sum there is neither.
    if structure.delimiters != (width - 1) * structure.rows or b"\0" in block:
        return None
    if (b"\r" in block and block.count(b"\r") != block.count(b"\r\n")) or not _is_utf8(block, complete=True):
        return None
    try:
        frame = pl.read_csv(
            block,
            has_header=False,
            schema=dict.fromkeys(header.columns, pl.String),
            separator=dialect.delimiter,
            quote_char=dialect.quote if dialect.quote.encode() in block else None,
            empty_string_is_null=False,
            glob=False,
        )
    except pl.exceptions.PolarsError:
        return None
    if frame.height != structure.rows:
        return None
    longest = max(frame.select(pl.all().str.len_bytes().max()).row(0))
    if longest > limits.cell_characters or (
        longest * width > limits.line_characters // 2 and _longest_row(frame) > limits.line_characters // 2
    ):
        return None
    numbers = pl.int_range(first, first + frame.height, dtype=pl.Int64, eager=True).alias(ROW_NUMBER)
    return frame.insert_column(0, numbers)


def _longest_row(frame: pl.DataFrame) -> int:
    import polars as pl

    longest: int = frame.select(pl.sum_horizontal(pl.all().str.len_bytes()).max()).item()
    return longest
