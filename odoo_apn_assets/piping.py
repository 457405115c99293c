"""COPY from one server to another: two connections joined by a pipe of the operating system, no row in Python.

Belongs here: moving the bytes and making sure that a failure on either side fails the whole. Does not belong here: what
is copied.
"""

from __future__ import annotations

import io
import os
import threading
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection
    from psycopg2.extensions import cursor as Cursor

BLOCK = 1 << 20


class SourceError(Exception):
    """What failed was the source, not the warehouse: its transaction and snapshot are of no more use."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(str(error))
        self.error = error


class _EndedEarly(Exception):
    """Raised into the writer's COPY, so that what has arrived so far is not taken for all."""


class _Reading(io.RawIOBase):
    """The writer's end of the pipe: its end is the end of the data only when the reader says so."""

    def __init__(self, file: IO[bytes], thread: threading.Thread, failures: list[BaseException]) -> None:
        super().__init__()
        self._file, self._thread, self._failures = file, thread, failures

    def read(self, size: int = -1) -> bytes:
        block = self._file.read(size)
        if not block:
            self._thread.join()
            if self._failures:
                raise _EndedEarly
        return block


def copy_across(source: Connection, copy_out: str, target: Cursor, copy_in: str) -> int:
    """Run `copy_out` on the source and feed it to `copy_in` on the target; the number of rows stored.

    Memory: two blocks of the pipe and the longest row. The target's transaction is the caller's; after a failure the
    source's connection is closed, because half a COPY is left in it.

    Raises SourceError when the source failed, else what the target raised.
    """
    read_end, write_end = os.pipe()
    failures: list[BaseException] = []
    received = os.fdopen(read_end, "rb", BLOCK)
    sent = os.fdopen(write_end, "wb", BLOCK)

    def read_source() -> None:
        try:
            with source.cursor() as cursor:
                cursor.copy_expert(copy_out, sent, BLOCK)
        except BaseException as error:
            failures.append(error)
        finally:
            try:
                sent.close()
            except OSError as error:  # the target has closed its end
                failures.append(error)

    thread = threading.Thread(target=read_source, name="copy out", daemon=True)
    thread.start()
    try:
        target.copy_expert(copy_in, _Reading(received, thread, failures), BLOCK)
    except BaseException:
        received.close()
        thread.join()
        source.close()
        first = failures[0] if failures else None
        if first is not None and not isinstance(first, OSError):
            raise SourceError(first) from first
        raise
    received.close()
    thread.join()
    return int(target.rowcount)
