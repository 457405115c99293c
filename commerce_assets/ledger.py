"""The ledger of uploaded objects: what has arrived under the upload prefix, and which of it waits for a run.

Belongs here: listing into `commerce.upload_objects`, asking for work. Does not belong here: what becomes of an upload.

A listing gives every version of every object each time, so nothing is missed by an event that did not come, and the
unique key of the ledger makes seeing it again harmless. A tick lists a bounded number of pages and goes on there at the
next; its position is stored with the objects it found.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from commerce_assets.objects import UploadStore
from resources.sql import Session

PREFIX = "incoming/"
PAGES_A_TICK = 50
SECONDS_A_TICK = 20.0
"""Dagster gives a tick 60 s: one that takes longer would ask for no run at all, each time."""
UPLOADS_A_RUN = 50
PATIENCE_SECONDS = (2 * 60, 30 * 60)
"""When an upload that is not finished is asked for again: after 2 minutes, then 4, 8, 16, and every 30.

A service that was away for a moment costs minutes so, and one that stays away few runs. A run that was only slow is
none the worse: the pool holds the second one back until it is done, and that finds nothing to do."""


@dataclass(frozen=True)
class Scan:
    """What one tick saw. `complete`: the listing reached its end."""

    listed: int
    new: int
    withdrawn: int
    complete: bool


def scan(
    session: Session,
    store: UploadStore,
    *,
    pages: int = PAGES_A_TICK,
    seconds: float = SECONDS_A_TICK,
    clock: Callable[[], float] = time.monotonic,
) -> Scan:
    """Note the next `pages` pages of object versions (1,000 each) in the ledger, in one transaction a page.

    After `seconds` no further page is begun.
    """
    listed = new = withdrawn = 0
    began = clock()
    for number in range(pages):
        if number and clock() - began > seconds:
            break

        def note_page() -> tuple[int, int, int, bool]:
            place = {"bucket": store.bucket, "prefix": PREFIX}
            position = session.run("commerce/transforms/scan_position", place, table="upload_scans")[0]
            page = store.versions(PREFIX, *position)
            objects = [found for found in page.objects if not found.key.endswith("/")]
            ((added,),) = session.run(
                "commerce/transforms/note_objects",
                {
                    "bucket": store.bucket,
                    "keys": [found.key for found in objects],
                    "versions": [found.version_id for found in objects],
                    "etags": [found.etag for found in objects],
                    "sizes": [found.size for found in objects],
                    "times": [found.last_modified for found in objects],
                },
                table="upload_objects",
            )
            gone = 0
            if page.deleted:
                ((gone,),) = session.run(
                    "commerce/transforms/withdraw_objects",
                    {"bucket": store.bucket, "keys": list(page.deleted)},
                    table="upload_objects",
                )
            session.run(
                "commerce/transforms/store_scan_position",
                place | {"key_marker": page.next_key, "version_marker": page.next_version},
                table="upload_scans",
            )
            return len(objects), added, gone, page.next_key is None

        seen, added, gone, complete = session.transaction(
            note_page, doing=f"listing {PREFIX} of {store.bucket}"
        )
        listed, new, withdrawn = listed + seen, new + added, withdrawn + gone
        if complete:
            return Scan(listed, new, withdrawn, True)
    return Scan(listed, new, withdrawn, False)


def request_work(session: Session, *, most: int = UPLOADS_A_RUN) -> list[tuple[int, int]]:
    """Uploads that a run should take up now, as (object_id, attempt); each is given out once until it is overdue."""
    return session.transaction(
        lambda: [
            (int(object_id), int(attempt))
            for object_id, attempt in session.run(
                "commerce/transforms/request_uploads",
                {"most": most, "first": PATIENCE_SECONDS[0], "last": PATIENCE_SECONDS[1]},
                table="upload_objects",
            )
        ],
        doing="looking for uploads that wait",
    )
