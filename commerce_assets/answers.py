"""The answer to an upload: the files that a vendor gets back, made from the verdict of each row.

Belongs here: what stands in the annotated file, the failed-rows file, the error file, the summary and the message.
Does not belong here: the verdicts, and where the files go (answer_store.py). The same rows and facts give the same
bytes: nothing here looks at a clock. Rows stream through, so a million of them need the memory of one.
"""

from __future__ import annotations

import csv
import html
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, NamedTuple, Self
from urllib.parse import quote

from commerce_assets.formulas import FORMULA_STARTS, neutralised, neutralised_but_numbers
from commerce_assets.reading import FILE_ADVICE
from resources.failures import permanent

Verdict = Literal["accepted", "updated", "unchanged", "rejected", "valid"]
Outcome = Literal["completed", "partial", "failed", "held", "refused"]
Severity = Literal["error", "warning", "info"]

VERDICTS: Final = ("accepted", "updated", "unchanged", "rejected", "valid")
ADDED_COLUMNS: Final = ("row", "status", "codes", "messages", "suggestion")
ERROR_COLUMNS: Final = (
    "Row Number",
    "Vendor Product ID",
    "SKU",
    "Product Name",
    "Category",
    "Error Type",
    "Error Message",
    "Price",
    "Stock Quantity",
    "Brand",
    "Description",
)
DESCRIPTION_CHARACTERS: Final = 100
WAITING: Final = "waiting"
"""What a `valid` row is called to its vendor: it waits, with its upload, for release."""

_BETWEEN_CODES = "; "
_BETWEEN_TEXTS = " | "
_BUFFER = 1024 * 1024
_ROWS_SHOWN = 20
_LONGEST_SUBJECT = 100  # of SNS, which also wants ASCII in one line
_FIRST_ROWS = 5
_CODES_SHOWN = 30

# Names that browsers know; the byte order of UTF-16 is in the mark.
_CHARSETS: Final = {"utf-8": "utf-8", "utf-16-le": "utf-16", "utf-16-be": "utf-16", "cp1252": "windows-1252"}
_TRY_OTHERWISE = "Put right what is named and upload the file again."


# -- what an answer is made of ------------------------------------------------------------------------------


class RowResult(NamedTuple):
    """What became of one row. `cells` are its text as it came, in the vendor's order, also when there are too few.

    The first of `codes` decides the error type. `codes`, `fields`, `messages` and `fixes` go together, one of each for
    every error. A warning is a mapping with code and message; where there are any, with severity (warning or info) and
    with fix, suggestion or hint, of which the first that is not empty is shown.
    """

    row_number: int
    verdict: Verdict
    cells: Sequence[str]
    codes: Sequence[str] = ()
    fields: Sequence[str | None] = ()
    messages: Sequence[str] = ()
    fixes: Sequence[str | None] = ()
    warnings: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True)
class VendorFile:
    """How the uploaded file was written. `fields`: our name for each of its columns, in their order."""

    columns: Sequence[str]
    fields: Sequence[str]
    delimiter: str = ","
    encoding: str = "utf-8"


@dataclass(frozen=True)
class Upload:
    """What is known of an upload beside its rows. `seconds`: from its arrival to its verdict.

    `after_release`: what becomes of the rows of a held upload when it is released, rows by verdict. `refusal`: why a
    held upload was not released; its rows are rejected then.
    """

    upload_id: str
    vendor_id: str
    file_name: str
    seconds: float | None = None
    hold_reason: str | None = None
    after_release: Mapping[str, int] | None = None
    refusal: FileProblem | None = None


@dataclass(frozen=True)
class FileProblem:
    """Why a whole file was refused. Without `do_next`, what is known to help with this code."""

    code: str
    message: str
    do_next: str = ""

    def advice(self) -> str:
        return self.do_next or FILE_ADVICE.get(self.code, _TRY_OTHERWISE)


@dataclass
class CodeCount:
    """How many rows got a code, and the first of them."""

    code: str
    severity: Severity
    rows: int = 0
    first_rows: list[int] = field(default_factory=list)


@dataclass
class Summary:
    """The numbers of an answer. `rows` has every verdict; total is their sum."""

    upload: Upload
    outcome: Outcome
    rows: dict[str, int]
    with_warnings: int = 0
    codes: list[CodeCount] = field(default_factory=list)
    examples: list[tuple[int, str, str, str]] = field(default_factory=list)
    """The first rejected rows: number, error type, messages, suggestion."""
    problem: FileProblem | None = None
    keys: dict[str, str] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(self.rows.values())


class AnswerFile(NamedTuple):
    """A finished file of an answer, on this machine, and where it belongs on S3."""

    kind: str
    path: Path
    key: str
    content_type: str


@dataclass(frozen=True)
class Answer:
    """All files of an answer, in the order in which they are to be stored: the summary is the last."""

    files: tuple[AnswerFile, ...]
    summary: Summary

    @property
    def error_file_key(self) -> str | None:
        """For `upload_history.error_file_s3_key`: null when nothing was rejected."""
        return self.summary.keys.get("errors")


def result_prefix(vendor_id: str, upload_id: str) -> str:
    """Where on S3 the answer is. Quoted, so that no vendor's id reaches into the folder of another."""
    return f"results/{_quoted(vendor_id)}/{_quoted(upload_id)}/"


def error_key(vendor_id: str, upload_id: str) -> str:
    return f"errors/{_quoted(vendor_id)}/{_quoted(upload_id)}_errors.csv"


def _quoted(name: str) -> str:
    return "%2E" * len(name) if name in (".", "..") else quote(name, safe="")


def cells_of(original: Mapping[str, Any], columns: Sequence[str]) -> list[str]:
    """The cells of `staged_rows.original_data`, in the order of the vendor's header."""
    ragged = original.get("_cells")
    if isinstance(ragged, list):
        return [str(cell) for cell in ragged]
    return [str(value) if (value := original.get(column)) is not None else "" for column in columns]


# -- making it ----------------------------------------------------------------------------------------------


def write_answer(folder: Path, upload: Upload, file: VendorFile, rows: Iterable[RowResult]) -> Answer:
    """Write the files of an answer into `folder` and return what they are. Rows come in order, from 1, without a gap.

    Raises PermanentError when a row is missing, comes twice or has a verdict that is none: an answer that leaves a row
    out would be worse than none. The files for rejected rows are there only when there are any.
    """
    files = _paths(folder, upload, file.encoding)
    counts = _Counts()
    annotate = _annotator(file)
    with ExitStack() as stack:
        annotated = stack.enter_context(_CsvFile(files["annotated"].path, file.delimiter, file.encoding))
        failed = stack.enter_context(_CsvFile(files["failed_rows"].path, file.delimiter, file.encoding))
        errors = stack.enter_context(_CsvFile(files["errors"].path, ",", "utf-8"))
        annotated.write([neutralised(name) for name in (*file.columns, *_added_names(file.columns))])
        failed.write([neutralised_but_numbers(name) for name in file.columns])
        errors.write(ERROR_COLUMNS)
        error_line = _error_liner(file)
        for row in rows:
            _refuse_gaps(row, counts, upload)
            texts = _texts(row)
            counts.add(row, texts)
            annotated.write(annotate(row, texts))
            if row.verdict == "rejected":
                failed.write([neutralised_but_numbers(cell) for cell in row.cells])
                errors.write(error_line(row))
    wanted = ["annotated"]
    if counts.verdicts["rejected"]:
        wanted += ["failed_rows", "errors"]
    for kind in ("failed_rows", "errors"):
        if kind not in wanted:
            files[kind].path.unlink()
    return _with_summary(files, wanted, counts.summary(upload))


def write_refusal(folder: Path, upload: Upload, problem: FileProblem) -> Answer:
    """Write the answer to a file that was refused as a whole: a summary that says why and what to do."""
    rows = dict.fromkeys(VERDICTS, 0)
    return _with_summary(
        _paths(folder, upload), [], Summary(upload, outcome="refused", rows=rows, problem=problem)
    )


def _paths(folder: Path, upload: Upload, encoding: str = "utf-8") -> dict[str, AnswerFile]:
    prefix = result_prefix(upload.vendor_id, upload.upload_id)
    as_theirs = f"text/csv; charset={_CHARSETS[_written_as(encoding)[0]]}"
    kinds = {
        "annotated": (prefix + "annotated.csv", as_theirs),
        "failed_rows": (prefix + "failed_rows.csv", as_theirs),
        "errors": (error_key(upload.vendor_id, upload.upload_id), "text/csv; charset=utf-8"),
        "summary_html": (prefix + "summary.html", "text/html; charset=utf-8"),
        "summary_json": (prefix + "summary.json", "application/json"),
    }
    return {
        kind: AnswerFile(kind, folder / f"{kind}.{key.rpartition('.')[2]}", key, content_type)
        for kind, (key, content_type) in kinds.items()
    }


def _with_summary(files: Mapping[str, AnswerFile], wanted: Sequence[str], summary: Summary) -> Answer:
    kinds = [*wanted, "summary_html", "summary_json"]
    summary.keys = {kind: files[kind].key for kind in kinds}
    files["summary_html"].path.write_text(summary_html(summary), encoding="utf-8", errors="replace")
    text = json.dumps(summary_json(summary), ensure_ascii=False, indent=2)
    files["summary_json"].path.write_text(text + "\n", encoding="utf-8", errors="replace")
    return Answer(tuple(files[kind] for kind in kinds), summary)


class _CsvFile:
    """CSV as RFC 4180 has it, in the delimiter and encoding of the vendor, so that what opened theirs opens ours.

    A delimiter that no reader would guess is named in a first line `sep=`, as the upload must have had it. The quote is
    always the double one: a reader guesses another from the first character of the header, which need not be quoted.
    """

    def __init__(self, path: Path, delimiter: str, encoding: str) -> None:
        name, mark = _written_as(encoding)
        # "replace": only our own words can hold what the vendor's encoding has not, and they must not stop the answer.
        self._file = path.open("w", encoding=name, errors="replace", newline="", buffering=_BUFFER)
        self._file.write(mark)
        if delimiter not in ",;\t|":
            self._file.write(f"sep={delimiter}\r\n")
        # The csv module of Python 3.11 quotes a lone CR only when the line end has one.
        self.write = csv.writer(self._file, delimiter=delimiter, lineterminator="\r\n").writerow

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def _written_as(encoding: str) -> tuple[str, str]:
    """The codec and the mark in front. UTF-16 always has a mark; an encoding that may not hold all we say is UTF-8."""
    name = encoding.lower().replace("_", "-")
    if name.startswith("utf-16"):
        return ("utf-16-be" if name.endswith("be") else "utf-16-le"), "\ufeff"
    if name in ("cp1252", "windows-1252"):
        return "cp1252", ""
    if name in ("utf-8", "utf8", "ascii", "us-ascii"):
        return "utf-8", ""
    return "utf-8", "\ufeff"


class _Texts(NamedTuple):
    codes: str
    messages: str
    suggestion: str


_NOTHING = _Texts("", "", "")


def _texts(row: RowResult) -> _Texts:
    if not row.codes and not row.warnings:
        return _NOTHING
    codes = [*row.codes, *(str(warning.get("code", "")) for warning in row.warnings)]
    messages = [
        *row.messages,
        *(
            f"{_severity(warning).capitalize()}: {warning['message']}"
            for warning in row.warnings
            if warning.get("message")
        ),
    ]
    fixes = [
        *row.fixes,
        *(warning.get("fix") or warning.get("suggestion") or warning.get("hint") for warning in row.warnings),
    ]
    return _Texts(
        _BETWEEN_CODES.join(dict.fromkeys(codes)),
        _BETWEEN_TEXTS.join(messages),
        _BETWEEN_TEXTS.join(dict.fromkeys(str(fix) for fix in fixes if fix)),
    )


def _severity(warning: Mapping[str, Any]) -> Severity:
    return "info" if warning.get("severity") == "info" else "warning"


def _added_names(columns: Sequence[str]) -> list[str]:
    """Our columns, by other names where the vendor has one of that name: an annotated file may come back."""
    taken = {name.strip().casefold() for name in columns}
    names = []
    for name in ADDED_COLUMNS:
        found, number = name, 1
        while found in taken:
            found = f"answer_{name}" if number == 1 else f"answer_{number}_{name}"
            number += 1
        names.append(found)
    return names


def _annotator(file: VendorFile) -> Any:
    width, starts = len(file.columns), FORMULA_STARTS

    def annotate(row: RowResult, texts: _Texts) -> list[str | int]:
        # Not a call of `neutralised` for each cell: this line runs for every cell of the file.
        cells: list[str | int] = ["'" + cell if cell[:1] in starts else cell for cell in row.cells]
        status = WAITING if row.verdict == "valid" else row.verdict
        if texts is _NOTHING and len(cells) == width:
            cells += (row.row_number, status, "", "", "")
            return cells
        messages = texts.messages
        if len(cells) > width:
            # Kept in the message: further cells would put ours into another column.
            surplus = ", ".join(f'"{cell}"' for cell in row.cells[width:])
            messages = _BETWEEN_TEXTS.join(filter(None, (messages, f"Cells beyond the header: {surplus}")))
            del cells[width:]
        elif len(cells) < width:
            cells += [""] * (width - len(cells))
        cells += (
            row.row_number,
            status,
            neutralised(texts.codes),
            neutralised(messages),
            neutralised(texts.suggestion),
        )
        return cells

    return annotate


def _error_liner(file: VendorFile) -> Any:
    place = {name: number for number, name in reversed(list(enumerate(file.fields)))}

    def line(row: RowResult) -> list[str]:
        def cell(name: str) -> str:
            at = place.get(name)
            return neutralised(row.cells[at]) if at is not None and at < len(row.cells) else ""

        description = place.get("description")
        about = ""
        if description is not None and description < len(row.cells):
            about = neutralised(row.cells[description][:DESCRIPTION_CHARACTERS])
        return [
            str(row.row_number),
            cell("vendor_product_id"),
            cell("sku"),
            cell("product_name"),
            cell("category"),
            neutralised(row.codes[0]) if row.codes else "",
            neutralised(_BETWEEN_TEXTS.join(row.messages)),
            cell("price"),
            cell("stock_quantity"),
            cell("brand"),
            about,
        ]

    return line


def _refuse_gaps(row: RowResult, counts: _Counts, upload: Upload) -> None:
    doing = f"writing the answer to {upload.upload_id}"
    do_next = "Look at commerce.staged_rows of this upload, then run it again."
    expected = counts.total + 1
    if row.row_number != expected:
        found = f"row {row.row_number} where row {expected} should follow"
        raise permanent(doing, found=found, do_next=do_next)
    allowed = VERDICTS if upload.hold_reason is not None else VERDICTS[:-1]
    if row.verdict not in allowed:
        raise permanent(doing, found=f"row {row.row_number} is {row.verdict!r}", do_next=do_next)
    if row.verdict == "rejected" and not row.codes:
        raise permanent(doing, found=f"row {row.row_number} is rejected without a reason", do_next=do_next)


class _Counts:
    """What the summary counts, row by row."""

    def __init__(self) -> None:
        self.total = 0
        self.verdicts: Counter[str] = Counter()
        self.with_warnings = 0
        self._codes: dict[tuple[str, str], CodeCount] = {}
        self._examples: list[tuple[int, str, str, str]] = []

    def add(self, row: RowResult, texts: _Texts) -> None:
        self.total += 1
        self.verdicts[row.verdict] += 1
        if texts is _NOTHING:
            return
        self._count(row.row_number, "error", row.codes)
        for severity in ("warning", "info") if row.warnings else ():
            codes = [
                str(warning.get("code", "")) for warning in row.warnings if _severity(warning) == severity
            ]
            self._count(row.row_number, severity, codes)
            self.with_warnings += severity == "warning" and bool(codes)
        if row.verdict == "rejected" and len(self._examples) < _ROWS_SHOWN:
            self._examples.append(
                (row.row_number, row.codes[0], _BETWEEN_TEXTS.join(row.messages), texts.suggestion)
            )

    def _count(self, row_number: int, severity: Severity, codes: Sequence[str]) -> None:
        for code in set(codes):
            counted = self._codes.setdefault((severity, code), CodeCount(code, severity))
            counted.rows += 1
            if len(counted.first_rows) < _FIRST_ROWS:
                counted.first_rows.append(row_number)

    def summary(self, upload: Upload) -> Summary:
        rows = {verdict: self.verdicts[verdict] for verdict in VERDICTS}
        if upload.refusal is not None:
            outcome: Outcome = "refused"
        elif upload.hold_reason is not None:
            outcome = "held"
        elif not rows["rejected"]:
            outcome = "completed"
        else:
            outcome = "partial" if self.total > rows["rejected"] else "failed"
        order = ("error", "warning", "info")
        codes = sorted(self._codes.values(), key=lambda one: (order.index(one.severity), -one.rows, one.code))
        return Summary(upload, outcome, rows, self.with_warnings, codes, self._examples, upload.refusal)


# -- the summary --------------------------------------------------------------------------------------------

_OUTCOMES: Final[dict[Outcome, str]] = {
    "completed": "Every row was taken.",
    "partial": "Some rows were taken, some were rejected.",
    "failed": "No row was taken.",
    "held": "The upload waits for release; nothing was changed.",
    "refused": "The file could not be read as a product file; nothing was changed.",
}
_WHILE_HELD: Final = "The marketplace looks at it. If the numbers are a mistake, upload the right ones."
_NOT_RELEASED: Final = "The upload was held and then refused; nothing was changed."
_VERDICT_NAMES: Final = {
    "accepted": "new products",
    "updated": "updated products",
    "unchanged": "unchanged products",
    "rejected": "rejected rows",
    "valid": "rows that wait for release",
}


def _said(summary: Summary) -> str:
    return _NOT_RELEASED if summary.upload.refusal is not None else _OUTCOMES[summary.outcome]


def _has_rows(summary: Summary) -> bool:
    """A file that could not be read has none, and a table of zeros would say that it was empty."""
    return summary.problem is None or summary.total > 0


def summary_json(summary: Summary) -> dict[str, Any]:
    """The summary as JSON. Names here are what programs of vendors rely on."""
    upload, problem = summary.upload, summary.problem
    return {
        "version": 1,
        "upload_id": upload.upload_id,
        "vendor_id": upload.vendor_id,
        "file_name": upload.file_name,
        "outcome": summary.outcome,
        "problem": {"code": problem.code, "message": problem.message, "do_next": problem.advice()}
        if problem
        else None,
        "hold_reason": upload.hold_reason,
        "after_release": dict(upload.after_release) if upload.after_release is not None else None,
        "rows": {
            "total": summary.total,
            **{WAITING if verdict == "valid" else verdict: rows for verdict, rows in summary.rows.items()},
            "with_warnings": summary.with_warnings,
        },
        "codes": [asdict(code) for code in summary.codes],
        "seconds": upload.seconds,
        "files": summary.keys,
    }


_STYLE: Final = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; color: #1d2530;
       background: #fff; }
h1 { font-size: 1.5rem; margin-bottom: 0; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: .3rem .6rem;
       border-bottom: 1px solid #d8dee6; vertical-align: top; overflow-wrap: anywhere; }
td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.note { background: #fff4d6; border-left: 4px solid #c98a00; padding: .6rem 1rem; }
.note.bad { background: #fde8e6; border-color: #b3261e; }
svg { display: block; } .error { fill: #b3261e; } .warning { fill: #c98a00; } .info { fill: #5b7fa6; }
"""


def summary_html(summary: Summary) -> str:
    """The summary as one page that needs nothing else: no script, no picture, no address."""
    upload = summary.upload
    seconds = f" in {upload.seconds:,.1f} s" if upload.seconds is not None else ""
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        # Should anything of a vendor's ever get through the escaping, a browser still does not run or fetch it.
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{_safe(upload.file_name)}: {_safe(summary.outcome)}</title>",
        f"<style>{_STYLE}</style></head><body>",
        f"<h1>{_safe(upload.file_name)}</h1>",
        f"<p>Upload {_safe(upload.upload_id)} of {_safe(upload.vendor_id)}, answered{seconds}. "
        f"<strong>{_safe(_said(summary))}</strong></p>",
    ]
    if summary.problem is not None:
        problem = summary.problem
        parts.append(
            f'<p class="note bad"><strong>{_safe(problem.code)}</strong>: {_safe(problem.message)} '
            f"<br>What to do: {_safe(problem.advice())}</p>"
        )
    if upload.hold_reason is not None:
        parts.append(f'<p class="note">Held: {_safe(upload.hold_reason)}<br>{_safe(_WHILE_HELD)}</p>')
    if _has_rows(summary):
        parts += _counts_table(summary)
    if upload.after_release is not None:
        gives = [
            (_VERDICT_NAMES[verdict].capitalize(), f"{rows:,}")
            for verdict, rows in upload.after_release.items()
        ]
        parts += ["<h2>What a release gives</h2>", _table(("Rows", "Number"), gives)]
    parts += _code_chart(summary.codes)
    if summary.examples:
        rows = [(str(number), code, messages, fix) for number, code, messages, fix in summary.examples]
        title = "Rejected rows" if len(rows) == summary.rows["rejected"] else "The first rejected rows"
        parts += [f"<h2>{title}</h2>", _table(("Row", "Error type", "What is wrong", "Suggestion"), rows)]
    parts += ["<h2>Files</h2>", _table(("File", "Key"), list(summary.keys.items())), "</body></html>", ""]
    return "\n".join(parts)


def _counts_table(summary: Summary) -> list[str]:
    rows = [("Rows in the file", summary.total)]
    rows += [
        (_VERDICT_NAMES[verdict].capitalize(), number)
        for verdict, number in summary.rows.items()
        if number or verdict != "valid"
    ]
    rows.append(("Rows with warnings", summary.with_warnings))
    cells = "".join(
        f'<tr><td>{_safe(name)}</td><td class="number">{number:,}</td></tr>' for name, number in rows
    )
    return ["<h2>Rows</h2>", f"<table>{cells}</table>"]


def _code_chart(codes: Sequence[CodeCount]) -> list[str]:
    """A bar for each code. Bars are in one scale, and a bar that is there is seen."""
    if not codes:
        return []
    most = max(code.rows for code in codes)
    lines = []
    for code in codes[:_CODES_SHOWN]:
        width = max(2, round(300 * code.rows / most))
        first = ", ".join(f"{number}" for number in code.first_rows) + (
            ", ..." if code.rows > len(code.first_rows) else ""
        )
        lines.append(
            f"<tr><td>{_safe(code.code)}</td><td>{code.severity}</td>"
            f'<td><svg width="300" height="14" role="img" aria-label="{code.rows} rows">'
            f'<rect class="{code.severity}" width="{width}" height="14"></rect></svg></td>'
            f'<td class="number">{code.rows:,}</td><td>{first}</td></tr>'
        )
    if len(codes) > _CODES_SHOWN:
        lines.append(f'<tr><td colspan="5">and {len(codes) - _CODES_SHOWN} more in summary.json</td></tr>')
    head = "<tr><th>Code</th><th>Kind</th><th></th><th>Rows</th><th>First rows</th></tr>"
    return ["<h2>Codes</h2>", f"<table>{head}{''.join(lines)}</table>"]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    titles = "".join(f"<th>{_safe(title)}</th>" for title in head)
    lines = "".join("<tr>" + "".join(f"<td>{_safe(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{titles}</tr>{lines}</table>"


def _safe(text: str) -> str:
    """For HTML; and harmless, too, when the page is copied into a spreadsheet."""
    return html.escape(neutralised(text), quote=True)


# -- the message --------------------------------------------------------------------------------------------


def vendor_message(summary: Summary, bucket: str) -> tuple[str, str]:
    """Subject and text for the vendor: what became of the upload, why, and where the files are. No row of theirs."""
    upload = summary.upload
    words = {
        "completed": f"all {summary.total:,} rows taken",
        "partial": f"{summary.rows['rejected']:,} of {summary.total:,} rows rejected",
        "failed": f"all {summary.total:,} rows rejected",
        "held": "waits for release",
        "refused": f"refused ({summary.problem.code})" if summary.problem else "refused",
    }[summary.outcome]
    lines = [
        f"Upload: {_one_line(upload.upload_id)}",
        f"File: {_one_line(upload.file_name)}",
        f"Vendor: {_one_line(upload.vendor_id)}",
        "",
        _said(summary),
    ]
    if summary.problem is not None:
        lines += [
            "",
            f"{summary.problem.code}: {_one_line(summary.problem.message)}",
            f"What to do: {_one_line(summary.problem.advice())}",
        ]
    if _has_rows(summary):
        lines += [
            f"- {_VERDICT_NAMES[verdict].capitalize()}: {number:,}"
            for verdict, number in summary.rows.items()
            if number
        ]
    if upload.hold_reason is not None:
        lines += ["", f"Held: {_one_line(upload.hold_reason)}", _WHILE_HELD]
        if upload.after_release is not None:
            lines += ["", "What a release gives:"]
            lines += [
                f"- {_VERDICT_NAMES[verdict].capitalize()}: {number:,}"
                for verdict, number in upload.after_release.items()
            ]
        decide = f"python -m commerce_assets.release {_one_line(upload.upload_id)}"
        lines += [
            "",
            f"The marketplace decides: {decide}",
            f"or, with a reason for the vendor: {decide} --refuse REASON",
        ]
    errors = [code for code in summary.codes if code.severity == "error"]
    if errors:
        lines += ["", "Why rows were rejected, and how many:"]
        lines += [f"- {_one_line(code.code)}: {code.rows:,}" for code in errors[:_CODES_SHOWN]]
    lines += ["", "Files:"]
    lines += [f"- {kind}: s3://{bucket}/{key}" for kind, key in summary.keys.items()]
    if "failed_rows" in summary.keys:
        lines += ["", "Correct the rows of the failed_rows file and upload it under a new name."]
    return _subject(f"Product upload {upload.upload_id}: {words}"), "\n".join(lines) + "\n"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _subject(text: str) -> str:
    """As SNS takes it: printable ASCII in one line, the end of it kept, because that says what happened."""
    line = "".join(letter if " " <= letter <= "~" else "?" for letter in _one_line(text))
    return line if len(line) < _LONGEST_SUBJECT else line[:40] + "..." + line[-(_LONGEST_SUBJECT - 44) :]
