"""`python -m commerce_assets.submit FILE --vendor VEND001`: upload a product file, or try what would become of it.

In a dry run the file is read, checked by all rules and compared with the catalogue exactly as an upload would be, in a
transaction that is rolled back: nothing is written.
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

from commerce_assets.answers import FileProblem
from commerce_assets.catalogue_store import Preview, preview_upload
from commerce_assets.categories import CategorySuggester, suggestion_embedder
from commerce_assets.dynamo import new_upload_id
from commerce_assets.ledger import PREFIX
from commerce_assets.objects import UploadStore
from commerce_assets.reading import Limits, ProductFile
from commerce_assets.rules import DuplicatePolicy, Settings
from commerce_assets.staging import Staged, stage_file
from commerce_assets.vendor_settings import (
    DECLARABLE,
    UnknownSetting,
    UploadSettings,
    normalised,
    numbers_of,
    vendor_settings,
)
from resources.database import connect
from resources.failures import PipelineError, permanent
from resources.settings import (
    DatabaseSettings,
    MissingSettings,
    aws_settings,
    database_settings,
    read_env_file,
    upload_bucket,
)
from resources.sql import Session

EXAMPLES = 20


@dataclass(frozen=True)
class RejectedRow:
    """A row that would come back: its errors, the first of which decides."""

    row_number: int
    codes: list[str]
    messages: list[str]
    fixes: list[str | None]


@dataclass(frozen=True)
class Trial:
    """What would become of a file. `preview`: None when it cannot be read; `rejected`: the first few rows."""

    staged: Staged
    preview: Preview | None = None
    rejected: tuple[RejectedRow, ...] = ()


def dry_run(
    warehouse: DatabaseSettings,
    path: Path,
    vendor_id: str,
    *,
    declared: Mapping[str, str] | None = None,
    limits: Limits | None = None,
) -> Trial:
    """Say what would become of a file. Writes nothing.

    `declared`: locale and duplicates as with an upload; `limits`: instead of the vendor's.

    Raises PermanentError for a vendor who may not upload, a file that is not there, a setting that nobody knows.
    """
    doing = f"trying {path.name} for the vendor {vendor_id}"
    session = Session(lambda retry: connect(warehouse, application_name="submit --dry-run", retry=retry))
    embedder = suggestion_embedder()
    try:
        _check_vendor(session, vendor_id, doing)
        names = session.run("commerce/transforms/active_categories", table="product_categories")
        chosen = vendor_settings(session, vendor_id, UploadSettings()).declared(declared or {})
        decimal, thousands = numbers_of(chosen.locale)
        known = frozenset(name for (name,) in names)
        settings = Settings(known, decimal == ",", CategorySuggester(known, embedder), thousands)
        upload_id = new_upload_id(vendor_id, datetime.now(UTC))
        with path.open("rb") as stream:
            file = ProductFile(stream, limits or chosen.limits)
            session.run(
                "commerce/transforms/open_upload",
                {
                    "upload_id": upload_id,
                    "vendor_id": vendor_id,
                    "file_name": path.name[:255],
                    "s3_key": "dry run",
                    "expected_records": 0,
                },
                table="upload_history",
            )
            staged = stage_file(session, upload_id, file, settings, duplicates=chosen.duplicates)
        if staged.problem is not None:
            return Trial(staged)
        preview = preview_upload(session, upload_id, vendor_id, hold=chosen.hold, examples=EXAMPLES)
        rejected = session.run(
            "commerce/transforms/show_rejected_rows",
            {"upload_id": upload_id, "limit": EXAMPLES},
            table="staged_rows",
        )
        return Trial(staged, preview, tuple(RejectedRow(*row) for row in rejected))
    except UnknownSetting as error:
        do_next = "Declare another, or mend the vendor's row of commerce.vendor_settings."
        raise permanent(doing, found=str(error), do_next=do_next) from error
    except OSError as error:
        raise permanent(
            doing, found=error.strerror or str(error), do_next="Give the path of a file."
        ) from error
    finally:
        if embedder is not None:
            embedder.close()
        session.connection.rollback()
        session.close()


def check_vendor(warehouse: DatabaseSettings, vendor_id: str) -> None:
    """Raise PermanentError for a vendor who may not upload."""
    session = Session(lambda retry: connect(warehouse, application_name="submit", retry=retry))
    try:
        _check_vendor(session, vendor_id, f"uploading for the vendor {vendor_id}")
    finally:
        session.connection.rollback()
        session.close()


def _check_vendor(session: Session, vendor_id: str, doing: str) -> None:
    status = session.run("commerce/transforms/vendor_status", {"vendor_id": vendor_id}, table="vendors")
    if not status or status[0][0] != "active":
        found = f"the vendor is {status[0][0]}" if status else "there is no such vendor"
        raise permanent(doing, found=found, do_next="Give the id of an active vendor of commerce.vendors.")


def upload(
    store: UploadStore,
    path: Path,
    vendor_id: str,
    now: datetime,
    *,
    declared: Mapping[str, str] | None = None,
) -> str:
    """Put a file where the sensor finds it, `incoming/<vendor>/<vendor>_<time>_<name>`; the key.

    What is `declared` (locale, duplicates) goes with the object.
    """
    key = f"{PREFIX}{vendor_id}/{vendor_id}_{now:%Y%m%d_%H%M%S}_{path.name}"
    try:
        store.put(key, path, "text/csv", metadata=declared)
    except OSError as error:
        raise permanent(
            f"uploading {path.name}", found=error.strerror or str(error), do_next="Give the path of a file."
        ) from error
    return key


def as_facts(trial: Trial) -> dict[str, Any]:
    """The answer as one JSON object."""
    staged, preview = trial.staged, trial.preview
    if staged.problem is not None or preview is None:
        assert staged.problem is not None
        problem = FileProblem(*staged.problem)
        return {"problem": {"code": problem.code, "message": problem.message, "do_next": problem.advice()}}
    applied = preview.applied
    codes = dict(sorted({**staged.codes, **preview.codes}.items()))
    return {
        "rows": staged.rows,
        "create": applied.accepted,
        "update": applied.updated,
        "unchanged": applied.unchanged,
        "reject": applied.rejected,
        "codes": codes,
        "held": applied.held,
        "rejected": [
            {"row": one.row_number, "codes": one.codes, "messages": one.messages, "fixes": one.fixes}
            for one in trial.rejected
        ],
        "changes": [
            {"row": one.row_number, "vendor_product_id": one.vendor_product_id, "changes": one.changes}
            for one in preview.differences
        ],
    }


def _shown(facts: dict[str, Any]) -> str:
    if "problem" in facts:
        problem = facts["problem"]
        return f"The file cannot be read: {problem['code']}. {problem['message']} {problem['do_next']}"
    rows = facts["rows"]
    lines = [
        f"{rows:,} row{'s' if rows != 1 else ''}: {facts['create']:,} to create, {facts['update']:,} to update,"
        f" {facts['unchanged']:,} unchanged, {facts['reject']:,} to reject"
    ]
    lines += [f"  {code}: {number:,}" for code, number in facts["codes"].items()]
    lines += [f"It would be held: {facts['held']}"] if facts["held"] else []
    if facts["changes"]:
        lines.append(_title("changes", len(facts["changes"]), facts["update"]))
    for one in facts["changes"]:
        changes = ", ".join(f"{name}: {old!r} -> {new!r}" for name, (old, new) in one["changes"].items())
        lines.append(f"  row {one['row']}, {one['vendor_product_id']}: {changes}")
    if facts["rejected"]:
        lines.append(_title("rejected rows", len(facts["rejected"]), facts["reject"]))
    for one in facts["rejected"]:
        for code, message, fix in zip(one["codes"], one["messages"], one["fixes"], strict=True):
            lines.append(f"  row {one['row']}: {code}. {message}" + (f" ({fix})" if fix else ""))
    return "\n".join(lines)


def _title(what: str, shown: int, of: int) -> str:
    return f"The first {shown:,} {what}:" if shown < of else f"{what.capitalize()}:"


def _upload(path: Path, vendor_id: str, declared: Mapping[str, str]) -> dict[str, Any]:
    try:
        warehouse = database_settings("COMMERCE")
    except MissingSettings:
        pass  # who may only upload has no login to the warehouse; the pipeline looks at the vendor itself
    else:
        check_vendor(warehouse, vendor_id)
    store = UploadStore(upload_bucket(), aws_settings())
    try:
        key = upload(store, path, vendor_id, datetime.now(UTC), declared=declared)
    finally:
        store.close()
    return {"bucket": store.bucket, "key": key, "answer": f"results/{vendor_id}/"}


def _locale(text: str) -> str:
    try:
        return normalised(text)
    except UnknownSetting as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command: 0 when done or every row passes, 2 when some would be rejected or held, 1 after an error."""
    parser = argparse.ArgumentParser(prog="python -m commerce_assets.submit", description=__doc__)
    parser.add_argument("file", type=Path, help="the product file")
    parser.add_argument("--vendor", required=True, help="id of the vendor, such as VEND001")
    parser.add_argument("--dry-run", action="store_true", help="answer, and write nothing")
    parser.add_argument(
        "--locale",
        type=_locale,
        help="how amounts are written, such as de for 1.234,50; default: the vendor's",
    )
    parser.add_argument(
        "--duplicates",
        choices=get_args(DuplicatePolicy),
        help="which of two rows of the file with one key is taken; default: the vendor's, else the first",
    )
    parser.add_argument("--json", action="store_true", help="answer as JSON")
    chosen = parser.parse_args(arguments)
    declared = {name: value for name in DECLARABLE if (value := getattr(chosen, name)) is not None}
    read_env_file()
    try:
        if not chosen.dry_run:
            done = _upload(chosen.file, chosen.vendor, declared)
            told = (
                f"s3://{done['bucket']}/{done['key']}\nThe sensor incoming_uploads takes it from there; the answer"
                f" comes to s3://{done['bucket']}/{done['answer']}\nTo fetch it:"
                f" python -m commerce_assets.answer {shlex.quote(done['key'])} --wait 300 --out answers"
            )
            sys.stdout.write((json.dumps(done, indent=2) if chosen.json else told) + "\n")
            return 0
        trial = dry_run(database_settings("COMMERCE"), chosen.file, chosen.vendor, declared=declared)
    except PipelineError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    facts = as_facts(trial)
    sys.stdout.write((json.dumps(facts, indent=2) if chosen.json else _shown(facts)) + "\n")
    return 2 if "problem" in facts or facts["reject"] or facts["held"] else 0


if __name__ == "__main__":
    sys.exit(main())
