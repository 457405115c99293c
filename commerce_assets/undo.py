"""`python -m commerce_assets.undo UPLOAD_ID`: give the products of an accepted upload the values from before it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from commerce_assets.catalogue_store import Undone, undo
from resources.database import connect
from resources.failures import PipelineError
from resources.settings import DatabaseSettings, database_settings, read_env_file
from resources.sql import Session


def undo_upload(warehouse: DatabaseSettings, upload_id: str) -> Undone:
    """Undo an upload in one transaction, which waits until no other upload of the vendor is being applied.

    Raises PermanentError, and changes nothing, where `catalogue_store.undo` refuses.
    """
    session = Session(lambda retry: connect(warehouse, application_name="undo", retry=retry))
    try:
        return session.transaction(lambda: undo(session, upload_id), doing=f"undoing {upload_id}")
    finally:
        session.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command: 0 when products went back, 2 when there was nothing to undo, 1 when it was refused or failed."""
    parser = argparse.ArgumentParser(
        prog="python -m commerce_assets.undo",
        description=__doc__,
        epilog="Refused where a later upload changed one of the products: undo that one first. To have the rows in the"
        " catalogue after all, upload the file again.",
    )
    parser.add_argument("upload_id", help="as in commerce.upload_history")
    chosen = parser.parse_args(arguments)
    read_env_file()
    try:
        undone = undo_upload(database_settings("COMMERCE"), chosen.upload_id)
    except PipelineError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if not undone.restored and not undone.removed:
        sys.stdout.write(f"{chosen.upload_id}: nothing to undo, it changed no product or was undone before\n")
        return 2
    sys.stdout.write(
        f"{chosen.upload_id}: {undone.restored:,} products restored, {undone.removed:,} removed\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
