"""`python -m commerce_assets.release UPLOAD_ID`: let a held upload go on into the catalogue, or refuse it.

The next run does the rest: the catalogue takes a released upload, and either is answered in full.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from commerce_assets.catalogue_store import refuse, release
from resources.database import connect
from resources.failures import PipelineError, permanent
from resources.settings import DatabaseSettings, database_settings, read_env_file
from resources.sql import Session

LONGEST_REASON = 1_000


def release_upload(warehouse: DatabaseSettings, upload_id: str, *, over_newer: bool = False) -> bool:
    """Release an upload; False when it is not held.

    Raises PermanentError when there is no such upload, or when a later one has changed its products (unless
    `over_newer`).
    """

    def work(session: Session) -> bool:
        release(session, upload_id, over_newer=over_newer)
        return bool(
            session.run(
                "commerce/transforms/release_uploads",
                {"upload_id": upload_id},
                table="commerce.upload_objects",
            )
        )

    return _decide(warehouse, work, f"releasing {upload_id}")


def refuse_upload(warehouse: DatabaseSettings, upload_id: str, reason: str) -> bool:
    """End a held upload without changing a product; False when it is not held. Its vendor is told the reason.

    Raises PermanentError when there is no such upload, or no reason that a vendor could be given.
    """
    doing = f"refusing {upload_id}"
    told = " ".join(reason.replace("\x00", " ").split())
    if not told or len(told) > LONGEST_REASON:
        raise permanent(
            doing,
            found=f"a reason of {len(told)} characters",
            do_next=f"Say in 1 to {LONGEST_REASON} characters what the vendor should put right.",
        )

    def work(session: Session) -> bool:
        params = {"upload_id": upload_id, "reason": told}
        return refuse(session, upload_id, told) and bool(
            session.run("commerce/transforms/refuse_uploads", params, table="commerce.upload_objects")
        )

    return _decide(warehouse, work, doing)


def _decide(warehouse: DatabaseSettings, work: Callable[[Session], bool], doing: str) -> bool:
    session = Session(lambda retry: connect(warehouse, application_name="release", retry=retry))
    try:
        return session.transaction(lambda: work(session), doing=doing)
    finally:
        session.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command: 0 when it was released or refused, 2 when it was not held, 1 after an error."""
    parser = argparse.ArgumentParser(prog="python -m commerce_assets.release", description=__doc__)
    parser.add_argument("upload_id", help="as in commerce.upload_history and commerce.held_uploads")
    parser.add_argument(
        "--refuse",
        metavar="REASON",
        help="end the upload instead; nothing is changed, the vendor is told REASON",
    )
    parser.add_argument(
        "--over-newer",
        action="store_true",
        help="release it although a later upload has changed its products meanwhile",
    )
    chosen = parser.parse_args(arguments)
    read_env_file()
    try:
        warehouse = database_settings("COMMERCE")
        if chosen.refuse is None:
            released = release_upload(warehouse, chosen.upload_id, over_newer=chosen.over_newer)
            done, word = released, "goes on"
        else:
            done, word = refuse_upload(warehouse, chosen.upload_id, chosen.refuse), "is refused"
    except PipelineError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{chosen.upload_id} {word if done else 'is not held'}\n")
    return 0 if done else 2


if __name__ == "__main__":
    sys.exit(main())
