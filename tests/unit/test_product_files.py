"""From the bytes of a vendor's file to rows: what each kind of broken file gets, and that nothing gets away."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from commerce_assets import reading
from commerce_assets.reading import COLUMNS, REQUIRED, Limits, ProductFile, Refused

HEAD = b"vendor_product_id,product_name,category,sku,price,stock_quantity\n"
ROW = b"P1,Lamp,Books,S1,12.50,3\n"
ROW_2 = b"P2,Desk,Books,S2,7.00,0\n"
GOOD = HEAD + ROW + ROW_2


class Short(io.BytesIO):
    """Gives less than it was asked for, as the body of an S3 object does."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(size or 1, 7))


def read(
    content: bytes, limits: Limits | None = None, stream: type[io.BytesIO] = io.BytesIO
) -> tuple[str | None, list[tuple[int, str]], list[tuple[str, ...]], ProductFile]:
    """The code of the file's problem, the refused rows with theirs, the cells of the others, and the file."""
    file = ProductFile(stream(content), limits or Limits())
    chunks = list(file.chunks())
    refused = [(row.row_number, row.code) for chunk in chunks for row in chunk.refused]
    cells = [row[1:] for chunk in chunks for row in chunk.frame.rows()]
    numbers = [row[0] for chunk in chunks for row in chunk.frame.rows()]
    # Every row has one place: it is read or refused, and none is left out.
    assert sorted(numbers + [number for number, _ in refused]) == list(range(1, file.rows + 1))
    return file.problem.code if file.problem else None, refused, cells, file


def workbook() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/workbook.xml", "<workbook/>")
    return buffer.getvalue()


def archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as written:
        written.writestr("products.csv", GOOD)
    return buffer.getvalue()


SMALL = Limits(file_bytes=4_000, rows=3, columns=8, cell_characters=50, line_characters=300)

FATAL = {
    "nothing": (b"", "EMPTY_FILE"),
    "a mark and nothing else": (b"\xef\xbb\xbf", "EMPTY_FILE"),
    "blank lines only": (b"\n\r\n  \n", "EMPTY_FILE"),
    "a mark of UTF-16 and nothing else": (b"\xff\xfe", "EMPTY_FILE"),
    "header only": (HEAD, "HEADER_ONLY"),
    "header without line break": (HEAD.strip(), "HEADER_ONLY"),
    "header and blank lines": (HEAD + b"\n\r\n", "HEADER_ONLY"),
    "no header": (ROW + ROW_2, "NO_HEADER"),
    "prose": (b"Dear team,\nplease find attached our products.\n", "NO_HEADER"),
    "JSON": (b'[{"sku": "S1", "price": 1}]\n', "NO_HEADER"),
    "columns of something else": (b"invoice,customer,total\n1,2,3\n", "NO_HEADER"),
    "a required column missing": (HEAD.replace(b",price", b"") + b"P1,Lamp,Books,S1,3\n", "MISSING_COLUMNS"),
    "a column twice": (HEAD.replace(b"\n", b",sku\n") + ROW.replace(b"\n", b",S1\n"), "DUPLICATE_COLUMNS"),
    "a column and its synonym": (
        HEAD.replace(b"\n", b",Qty\n") + ROW.replace(b"\n", b",3\n"),
        "DUPLICATE_COLUMNS",
    ),
    "an unknown column twice": (
        HEAD.replace(b"\n", b",x,X\n") + ROW.replace(b"\n", b",1,2\n"),
        "DUPLICATE_COLUMNS",
    ),
    "quote of the header not closed": (b'"' + GOOD, "MALFORMED_HEADER"),
    "too many columns": (HEAD.replace(b"\n", b",a,b,c\n") + ROW, "TOO_MANY_COLUMNS"),
    "too many rows": (HEAD + ROW * 4, "TOO_MANY_ROWS"),
    "too many rows, some of them broken": (HEAD + b"P1\n" * 4, "TOO_MANY_ROWS"),
    "too many bytes": (HEAD + b"\n" * 4_000, "FILE_TOO_LARGE"),
    "a line too long": (HEAD + ROW + b"x" * 301 + b"\n", "LINE_TOO_LONG"),
    "a line too long at the end": (HEAD + ROW + b"x" * 301, "LINE_TOO_LONG"),
    "Excel workbook": (workbook(), "XLSX_FILE"),
    "old Excel workbook": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "XLS_FILE"),
    "zip archive": (archive(), "ZIP_FILE"),
    "empty zip archive": (b"PK\x05\x06" + b"\0" * 18, "ZIP_FILE"),
    "gzip": (gzip.compress(GOOD), "COMPRESSED_FILE"),
    "xz": (b"\xfd7zXZ\0\0\4", "COMPRESSED_FILE"),
    "bzip2": (b"BZh91AY&SY", "COMPRESSED_FILE"),
    "zstd": (b"\x28\xb5\x2f\xfd\x04\x00", "COMPRESSED_FILE"),
    "PDF": (b"%PDF-1.7\n", "BINARY_FILE"),
    "image": (b"\x89PNG\r\n\x1a\n", "BINARY_FILE"),
    "web page": (b"\n<!DOCTYPE html><html></html>", "HTML_OR_XML_FILE"),
    "an answer of S3 instead of the file": (b"<?xml version='1.0'?><Error/>", "HTML_OR_XML_FILE"),
    "binary": (bytes(range(256)) * 4, "BINARY_FILE"),
    "NULs": (b"\0" * 1000, "BINARY_FILE"),
    "UTF-32": (GOOD.decode().encode("utf-32"), "UNKNOWN_ENCODING"),
    "Cyrillic in Windows-1251": (
        HEAD + "П1,Настольная лампа для чтения,Книги и журналы,С1,12.50,3\n".encode("cp1251"),
        "UNKNOWN_ENCODING",
    ),
}


@pytest.mark.parametrize("name", FATAL)
def test_a_file_that_cannot_be_read_gets_its_code(name: str) -> None:
    content, code = FATAL[name]
    assert read(content, SMALL)[0] == code
    assert code in reading.FILE_PROBLEMS


@pytest.mark.parametrize("name", FATAL)
def test_why_a_file_cannot_be_read_is_told_without_what_to_do_about_it(name: str) -> None:
    """The answer says what to do in a sentence of its own: "Save the sheet as CSV" stood there twice."""
    problem = read(FATAL[name][0], SMALL)[3].problem
    assert problem is not None
    assert not re.search(r"\b(Add|Close|Export|Keep|Look|Put|Remove|Save|Split|Unpack)\b", problem.message)
    assert problem.code in reading.FILE_ADVICE


BROKEN = {
    "too few cells": (b"P2,Desk\n", [(2, "TOO_FEW_CELLS")]),
    "too many cells": (ROW_2.replace(b"\n", b",1\n"), [(2, "TOO_MANY_CELLS")]),
    "one too many and one too few": (
        b"a,b,c,d,e,f,g\na,b,c,d,e\n",
        [(2, "TOO_MANY_CELLS"), (3, "TOO_FEW_CELLS")],
    ),
    "a quote not closed": (b'P2,"Desk,Books,S2,7,0\n', [(2, "UNBALANCED_QUOTES")]),
    "a quote closed in the middle": (b'P2,"De"sk,Books,S2,7,0\n', [(2, "UNBALANCED_QUOTES")]),
    "a space behind a quote": (b'P2,"Desk" ,Books,S2,7,0\n', [(2, "UNBALANCED_QUOTES")]),
    "quotes of two rows that pair up": (
        b'P2,"Desk,Books,S2,7,0\nP3,Chair,Books 5",S3,7,0\n',
        [(2, "UNBALANCED_QUOTES")],
    ),
    "a NUL": (b"P2,De\0sk,Books,S2,7,0\n", [(2, "NUL_BYTE")]),
    "a byte that is no text": ("é".encode() * 9 + b"P2,De\xffsk,Books,S2,7,0\n", [(2, "UNDECODABLE_TEXT")]),
    "a cell too long": (b"P2," + b"x" * 40_000 + b",Books,S2,7,0\n", [(2, "CELL_TOO_LONG")]),
    "cells of nothing": (b",\n", [(2, "TOO_FEW_CELLS")]),
    "a line of spaces": (b"   \n", [(2, "TOO_FEW_CELLS")]),
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("stream", [io.BytesIO, Short])
def test_a_broken_row_costs_itself_alone(name: str, stream: type[io.BytesIO]) -> None:
    """The rows before and behind it are read; an unclosed quote used to swallow the rest of a file."""
    content, expected = BROKEN[name]
    code, refused, cells, _ = read(HEAD + ROW + content + ROW_2, stream=stream)
    assert (code, refused) == (None, expected)
    assert cells[0] == ("P1", "Lamp", "Books", "S1", "12.50", "3")
    assert cells[-1] == ("P2", "Desk", "Books", "S2", "7.00", "0")


TWO = [("P1", "Lamp", "Books", "S1", "12.50", "3"), ("P2", "Desk", "Books", "S2", "7.00", "0")]
SAME = {
    "as it should be": GOOD,
    "a mark of UTF-8": b"\xef\xbb\xbf" + GOOD,
    "UTF-16, little end first": GOOD.decode().encode("utf-16"),
    "UTF-16, big end first": b"\xfe\xff" + GOOD.decode().encode("utf-16-be"),
    "UTF-16 without a mark": GOOD.decode().encode("utf-16-le"),
    "UTF-16, big, without a mark": GOOD.decode().encode("utf-16-be"),
    "CR LF": GOOD.replace(b"\n", b"\r\n"),
    "CR": GOOD.replace(b"\n", b"\r"),
    "no break at the end": GOOD.rstrip(),
    "line ends of both kinds": GOOD.replace(b"\n", b"\r\n", 2),
    "CR in between": GOOD.replace(b"3\nP2", b"3\rP2"),
    "semicolons": GOOD.replace(b",", b";"),
    "tabs": GOOD.replace(b",", b"\t"),
    "bars": GOOD.replace(b",", b"|"),
    "the separator stated": b"sep=;\r\n" + GOOD.replace(b",", b";"),
    "all cells quoted": b'"' + GOOD.replace(b",", b'","').replace(b"\n", b'"\n"')[:-1],
    "single quotes": b"'" + GOOD.replace(b",", b"','").replace(b"\n", b"'\n'")[:-1],
    "blank lines before and between": b"\n\n" + GOOD.replace(b"\n", b"\n\n"),
    "synonyms": b"Product ID,Title,Kategorie,Artikelnummer,Preis,Qty\n" + ROW + ROW_2,
    "capitals, dashes, spaces": b" VENDOR-PRODUCT-ID,Product  Name,CATEGORY,Sku,PRICE,Stock.Quantity \n"
    + ROW
    + ROW_2,
}


@pytest.mark.parametrize("name", SAME)
@pytest.mark.parametrize("stream", [io.BytesIO, Short])
def test_the_same_rows_in_another_form_are_the_same_rows(name: str, stream: type[io.BytesIO]) -> None:
    assert read(SAME[name], stream=stream)[:3] == (None, [], TWO)


def test_columns_may_stand_in_any_order_and_unknown_ones_are_kept() -> None:
    content = b"Colour,price,sku,stock,category,name,vendor_product_id,\nred,1,S1,2,Books,Lamp,P1,\n"
    code, _, cells, file = read(content)
    assert code is None
    assert file.header is not None
    assert file.header.unknown == ("Colour", "")
    assert file.header.columns[1:7] == (
        *("price", "sku", "stock_quantity", "category", "product_name", "vendor_product_id"),
    )
    assert cells == [("red", "1", "S1", "2", "Books", "Lamp", "P1", "")]


def test_windows_1252_is_detected() -> None:
    row = "P1,Müller’s Stehlampe für 12 €,Bücher,S1,12.50,3\n".encode("cp1252")
    code, refused, cells, file = read(HEAD + row * 20, Limits())
    assert (code, refused, file.encoding) == (None, [], "cp1252")
    assert cells[0][1] == "Müller’s Stehlampe für 12 €"


@pytest.mark.parametrize(
    "name", ["Café", "12 €", "½ l", "50 °C", "“big”", "it’s", "Škoda", "Ø 5 cm", "naïve façade"]
)
def test_one_accent_is_enough_to_detect_windows_1252(name: str) -> None:
    _, refused, cells, _ = read(HEAD + f"P1,{name},Books,S1,1,3\n".encode("cp1252"))
    assert refused == []
    assert cells[0][1] == name


def test_windows_1252_is_detected_where_accents_come_late() -> None:
    """The first 256 KB were ASCII, and the file was taken for UTF-8: every row with an accent was refused."""
    late = "P1,Müllers Stehlampe für das Büro,Bücher,S1,12.50,3\n".encode("cp1252")
    code, refused, cells, file = read(HEAD + ROW * 20_000 + late * 5, Limits(rows=30_000))
    assert (code, refused, file.encoding) == (None, [], "cp1252")
    assert cells[-1][1] == "Müllers Stehlampe für das Büro"


def test_line_breaks_and_separators_inside_quotes_belong_to_the_cell() -> None:
    row = b'P1,"Lamp, \r\n""big""\n\nand\rround",Books,S1,12.50,3\n'
    _, refused, cells, _ = read(HEAD + row + ROW_2)
    assert refused == []
    assert cells[0][1] == 'Lamp, \r\n"big"\n\nand\rround'


def test_an_inch_sign_in_the_middle_of_a_cell_is_text() -> None:
    _, refused, cells, _ = read(HEAD + b'P1,Screen 27" black,Books,S1,12.50,3\n' + ROW_2)
    assert refused == []
    assert cells[0][1] == 'Screen 27" black'


def test_what_cannot_be_stored_of_a_refused_row_is_shown_as_escapes() -> None:
    file = ProductFile(io.BytesIO(HEAD + "é".encode() * 9 + b"P2,De\0s\xffk,Books,S2,7,0\n" + ROW))
    refused: list[Refused] = [row for chunk in file.chunks() for row in chunk.refused]
    assert refused[0].cells[1] == "De\\x00s\\xffk"


def test_a_lost_connection_is_not_a_problem_of_the_file() -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise ConnectionError("reset")

    with pytest.raises(ConnectionError):
        list(ProductFile(Broken()).chunks())
    with pytest.raises(ConnectionError):
        list(reading.read_ahead(ProductFile(Broken()).chunks()))


def test_reading_ahead_gives_the_same_chunks() -> None:
    content, limits = HEAD + (ROW + b"broken\n") * 20_000, Limits(rows=50_000)
    plain = list(ProductFile(io.BytesIO(content), limits).chunks())
    ahead = list(reading.read_ahead(ProductFile(io.BytesIO(content), limits).chunks()))
    assert len(plain) > 1
    assert [chunk.refused for chunk in ahead] == [chunk.refused for chunk in plain]
    assert [chunk.frame.rows() for chunk in ahead] == [chunk.frame.rows() for chunk in plain]


_PIECES = st.sampled_from(
    [
        HEAD,
        ROW,
        ROW_2,
        b'"',
        b"'",
        b",",
        b"\n",
        b"\r",
        b"\r\n",
        b"\0",
        b"\xff",
        b"\xfe",
        "é".encode(),
        b';"',
        b'""',
        b"a",
    ]
)
_NASTY = st.one_of(
    st.binary(max_size=400),
    st.lists(_PIECES, max_size=40).map(b"".join),
    st.lists(_PIECES, max_size=60).map(lambda pieces: HEAD + b"".join(pieces)),
)


@settings(max_examples=150, deadline=None)
@given(_NASTY, st.booleans())
def test_reading_never_raises_and_every_row_has_one_verdict(content: bytes, short: bool) -> None:
    read(content, stream=Short if short else io.BytesIO)


@settings(max_examples=80, deadline=None)
@given(st.lists(_PIECES, max_size=60))
def test_the_fast_way_and_the_other_one_agree(pieces: list[bytes]) -> None:
    """Where they did not, the same row would be read in one file and refused in another one."""
    content = HEAD + b"".join(pieces)
    with pytest.MonkeyPatch.context() as patch:
        fast = read(content)[:3]
        patch.setattr(reading, "_structure", lambda block, dialect: None)
        assert read(content)[:3] == fast
        patch.undo()
        patch.setattr(reading, "_SMALLEST_BLOCK", 16)
        assert read(content)[:3] == fast


_CELL = st.text(
    st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=12
) | st.sampled_from(['"', '""', ",", "\n", "\r\n", " a ", "=1+1", "'", "\u2028"])


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(*[_CELL] * len(COLUMNS)), min_size=1, max_size=8),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_text_comes_out_as_it_was_written(
    rows: list[tuple[str, ...]], encoding: str, delimiter: str, line_end: str
) -> None:
    written = io.StringIO(newline="")
    # The writer of Python 3.11 leaves a lone CR unquoted.
    style = csv.QUOTE_ALL if "\r" in "".join(map("".join, rows)) else csv.QUOTE_MINIMAL
    writer = csv.writer(written, delimiter=delimiter, lineterminator=line_end, quoting=style)
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    code, refused, cells, _ = read(written.getvalue().encode(encoding))
    assert (code, refused) == (None, [])
    assert cells == rows


def test_the_required_columns_are_columns() -> None:
    assert set(REQUIRED) <= set(COLUMNS)
