"""`python -m commerce_assets.release UPLOAD_ID`: let a held upload go on into the catalogue, at the next run."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from commerce_assets.catalogue_store import release
from resources.database import connect
from resources.failures import PipelineError
from resources.settings import DatabaseSettings, database_settings, read_env_file
from resources.sql import Session


def release_upload(warehouse: DatabaseSettings, upload_id: str) -> bool:
    """Release an upload; False when it is not held. Raises PermanentError when there is no such upload."""
    session = Session(lambda retry: connect(warehouse, application_name="release", retry=retry))

    def work() -> bool:
        release(session, upload_id)
        return bool(
            session.run(
                "commerce/transforms/release_uploads",
                {"upload_id": upload_id},
                table="commerce.upload_objects",
            )
        )

    try:
        return session.transaction(work, doing=f"releasing {upload_id}")
    finally:
        session.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command: 0 when it was released, 2 when it was not held, 1 after an error."""
    parser = argparse.ArgumentParser(prog="python -m commerce_assets.release", description=__doc__)
    parser.add_argument("upload_id", help="as in commerce.upload_history")
    chosen = parser.parse_args(arguments)
    read_env_file()
    try:
        released = release_upload(database_settings("COMMERCE"), chosen.upload_id)
    except PipelineError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{chosen.upload_id} {'goes on' if released else 'is not held'}\n")
    return 0 if released else 2


if __name__ == "__main__":
    sys.exit(main())
