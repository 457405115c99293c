"""Ledgers of objects: what has arrived under a prefix of the bucket, and which of it waits for a run.

Belongs here: listing into a ledger's table, asking for work. Does not belong here: what becomes of an object, nor what
its key says: both are the statements of the ledger's own schema.

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
"""Where vendors upload to."""
PAGES_A_TICK = 50
SECONDS_A_TICK = 20.0
"""Dagster gives a tick 60 s: one that takes longer would ask for no run at all, each time."""
UPLOADS_A_RUN = 50
PATIENCE_SECONDS = (2 * 60, 30 * 60)
"""When an upload that is not finished is asked for again: after 2 minutes, then 4, 8, 16, and every 30.

A service that was away for a moment costs minutes so, and one that stays away few runs. A run that was only slow is
none the worse: the pool holds the second one back until it is done, and that finds nothing to do."""


@dataclass(frozen=True)
class Ledger:
    """A prefix of the bucket and the table that its objects are noted in.

    `statements`: the folder of `note_objects`, `withdraw_objects` and `request_uploads` for that table.
    """

    prefix: str
    statements: str
    table: str


UPLOADS = Ledger(PREFIX, "commerce/transforms", "upload_objects")


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
    ledger: Ledger = UPLOADS,
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
            place = {"bucket": store.bucket, "prefix": ledger.prefix}
            position = session.run("commerce/transforms/scan_position", place, table="upload_scans")[0]
            page = store.versions(ledger.prefix, *position)
            objects = [found for found in page.objects if not found.key.endswith("/")]
            ((added,),) = session.run(
                f"{ledger.statements}/note_objects",
                {
                    "bucket": store.bucket,
                    "keys": [found.key for found in objects],
                    "versions": [found.version_id for found in objects],
                    "etags": [found.etag for found in objects],
                    "sizes": [found.size for found in objects],
                    "times": [found.last_modified for found in objects],
                },
                table=ledger.table,
            )
            gone = 0
            if page.deleted:
                ((gone,),) = session.run(
                    f"{ledger.statements}/withdraw_objects",
                    {"bucket": store.bucket, "keys": list(page.deleted)},
                    table=ledger.table,
                )
            session.run(
                "commerce/transforms/store_scan_position",
                place | {"key_marker": page.next_key, "version_marker": page.next_version},
                table="upload_scans",
            )
            return len(objects), added, gone, page.next_key is None

        seen, added, gone, complete = session.transaction(
            note_page, doing=f"listing {ledger.prefix} of {store.bucket}"
        )
        listed, new, withdrawn = listed + seen, new + added, withdrawn + gone
        if complete:
            return Scan(listed, new, withdrawn, True)
    return Scan(listed, new, withdrawn, False)


def request_work(
    session: Session, *, most: int = UPLOADS_A_RUN, ledger: Ledger = UPLOADS
) -> list[tuple[int, int]]:
    """Objects that a run should take up now, as (object_id, attempt); each is given out once until it is overdue."""
    return session.transaction(
        lambda: [
            (int(object_id), int(attempt))
            for object_id, attempt in session.run(
                f"{ledger.statements}/request_uploads",
                {"most": most, "first": PATIENCE_SECONDS[0], "last": PATIENCE_SECONDS[1]},
                table=ledger.table,
            )
        ],
        doing=f"looking for objects of {ledger.prefix} that wait",
    )
