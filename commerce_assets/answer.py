"""`python -m commerce_assets.answer --vendor VEND001`: what became of an upload, and the files of its answer.

Belongs here: finding an answer, fetching it, saying it in a few lines. Does not belong here: what stands in the files
(answers.py), and storing them (answer_store.py).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from commerce_assets.ledger import PREFIX
from commerce_assets.objects import UploadStore
from resources.database import connect
from resources.failures import PipelineError, permanent
from resources.settings import DatabaseSettings, aws_settings, database_settings, read_env_file
from resources.sql import Session

POLL_SECONDS = 2.0
_SUMMARY = "summary_json"


@dataclass(frozen=True)
class Found:
    """An upload: `files` are the keys of its answer by kind, None while it has none; `later` ones are not answered."""

    name: str
    stage: str
    bucket: str
    files: Mapping[str, str] | None
    later: int = 0


def find_answer(
    warehouse: DatabaseSettings,
    *,
    vendor_id: str | None = None,
    upload: str | None = None,
    wait: float = 0,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Found | None:
    """The answered or held upload that is meant; None when nothing is answered yet, also after `wait` seconds.

    `upload`: its id, or the key of its object. Of a vendor: the newest that is answered; with `wait`, the newest of all
    is waited for. Raises PermanentError for an unknown vendor or id, and for a file of a vendor that nobody knows.
    """
    doing = f"looking for the answer to {upload or f'the vendor {vendor_id}'}"
    end = clock() + wait
    session = Session(lambda retry: connect(warehouse, application_name="answer", retry=retry))

    def look() -> list[tuple[Any, ...]]:
        if vendor_id is not None and not session.run(
            "commerce/transforms/vendor_status", {"vendor_id": vendor_id}, table="vendors"
        ):
            do_next = "Give the id of a vendor of commerce.vendors."
            raise permanent(doing, found="there is no such vendor", do_next=do_next)
        asked = {"upload": upload, "vendor": vendor_id}
        return session.run("commerce/transforms/find_answers", asked, table="commerce.upload_objects")

    try:
        while True:
            rows = session.transaction(look, doing=doing)
            found = _chosen(rows, doing, upload)
            remaining = end - clock()
            if remaining <= 0 or (found is not None and not found.later):
                return found
            sleep(min(POLL_SECONDS, remaining))
    finally:
        session.close()


def _chosen(rows: Sequence[tuple[Any, ...]], doing: str, upload: str | None) -> Found | None:
    """The newest with an answer. An object's key is in the ledger only once the sensor has seen it."""
    if upload is not None:
        if not rows and not upload.startswith(PREFIX):
            do_next = "Give an id of commerce.upload_history, or the key that submit printed."
            raise permanent(doing, found="there is no such upload", do_next=do_next)
        rows = rows[:1]  # a key that was overwritten: its newest version
        if rows and rows[0][1] == "refused":
            do_next = "Upload it again under the folder of an active vendor."
            raise permanent(doing, found=f"the file was refused: {rows[0][5]}. {rows[0][6]}", do_next=do_next)
    rows = [row for row in rows if row[1] != "refused"]
    for later, (upload_id, stage, bucket, key, files, *_) in enumerate(rows):
        if files is not None:
            return Found(upload_id or key, stage, bucket, files, later)
    return None


def fetch_answer(store: UploadStore, found: Found, folder: Path) -> list[Path]:
    """Download the files of an answer into FOLDER/UPLOAD_ID, the summary last; their paths in this order.

    Files of an earlier answer to the same upload (it was held) that this one does not have are removed.
    """
    doing = f"fetching the answer to {found.name}"
    assert found.files is not None
    into = folder / quote(found.name, safe="")
    keys = sorted(found.files.items(), key=lambda item: (item[0] == _SUMMARY, item[0]))
    paths = [into / key.rpartition("/")[2] for _, key in keys]
    try:
        into.mkdir(parents=True, exist_ok=True)
        for (_, key), path in zip(keys, paths, strict=True):
            part = path.with_name(f"{path.name}.part")
            store.fetch(key, part)
            os.replace(part, path)
        for name in ("annotated.csv", "failed_rows.csv", f"{into.name}_errors.csv"):
            if into / name not in paths:
                (into / name).unlink(missing_ok=True)
    except OSError as error:
        do_next = "Give a folder that can be written to."
        raise permanent(doing, found=error.strerror or type(error).__name__, do_next=do_next) from error
    return paths


def _summary(store: UploadStore, found: Found) -> dict[str, Any]:
    assert found.files is not None
    with tempfile.TemporaryDirectory(prefix="answer-") as folder:
        path = Path(folder) / "summary.json"
        store.fetch(found.files[_SUMMARY], path)
        loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return loaded


def _shown(summary: Mapping[str, Any], found: Found) -> str:
    lines = [f"{found.name}, {summary['file_name']}: {summary['outcome']}"]
    if found.later:
        what = "upload is" if found.later == 1 else "uploads are"
        lines.append(f"{found.later} later {what} not answered yet")
    if problem := summary["problem"]:
        lines.append(f"{problem['code']}. {problem['message']} {problem['do_next']}")
    if summary["hold_reason"]:
        lines.append(f"It is held: {summary['hold_reason']}")
    counts = ", ".join(f"{name.replace('_', ' ')} {rows:,}" for name, rows in summary["rows"].items())
    lines.append(f"Rows: {counts}")
    lines += [f"  {code['code']} ({code['severity']}): {code['rows']:,}" for code in summary["codes"]]
    assert found.files is not None
    lines.append("Files:")
    lines += [f"  s3://{found.bucket}/{key}" for _, key in sorted(found.files.items())]
    return "\n".join(lines)


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds <= 7 * 24 * 3600:
        raise argparse.ArgumentTypeError("0 to 604,800 seconds")
    return seconds


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command: 0 when there is an answer, 2 when there is none yet, 1 after an error."""
    parser = argparse.ArgumentParser(prog="python -m commerce_assets.answer", description=__doc__)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("upload", nargs="?", metavar="UPLOAD_ID", help="or the key that submit printed")
    which.add_argument("--vendor", help="the newest answered or held upload of this vendor")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="download the files into FOLDER/UPLOAD_ID")
    parser.add_argument(
        "--wait",
        type=_seconds,
        default=0.0,
        metavar="SECONDS",
        help="wait until it is answered; of a vendor, the newest upload",
    )
    chosen = parser.parse_args(arguments)
    read_env_file()
    try:
        found = find_answer(
            database_settings("COMMERCE"), vendor_id=chosen.vendor, upload=chosen.upload, wait=chosen.wait
        )
        if found is None or (chosen.wait and found.later):  # what was waited for did not come
            which_one = "the newest" if chosen.wait else "an"
            whose = chosen.upload or f"{which_one} upload of the vendor {chosen.vendor}"
            sys.stdout.write(f"There is no answer to {whose} yet\n")
            return 2
        store = UploadStore(found.bucket, aws_settings())
        try:
            if chosen.out is None:
                told = _shown(_summary(store, found), found)
            else:
                told = "\n".join(str(path) for path in fetch_answer(store, found, chosen.out))
        finally:
            store.close()
    except PipelineError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{told}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
