"""Documents of this run kept at hand between the step that stores them and the step that builds their lines.

Reading a document back from JSONB costs Postgres as much as a quarter of storing it. The spool is a shortcut within one
process, never a source: what it does not hold is read from the warehouse, and what it holds is used only under the
content hash that the warehouse has.
"""

from __future__ import annotations

import tempfile
from threading import Lock

MOST_BYTES = 2 << 30
"""Documents beyond this are read from the warehouse: a backfill of years must not fill the disk of the machine."""


class DocumentSpool:
    """Payloads by content hash, in an anonymous temporary file. Safe to use from several threads."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._file = tempfile.TemporaryFile(prefix="fullbay-documents-")  # noqa: SIM115 - closed by `close`
        self._places: dict[bytes, tuple[int, int]] = {}
        self._end = 0
        self._most_bytes = most_bytes
        self._lock = Lock()

    def put(self, content_hash: str, payload: bytes | memoryview) -> None:
        with self._lock:
            if self._end + len(payload) > self._most_bytes:
                return
            self._file.seek(self._end)
            self._file.write(payload)
            self._places[bytes.fromhex(content_hash)] = (self._end, len(payload))
            self._end += len(payload)

    def get(self, content_hash: str) -> bytes | None:
        """The payload with this content, or None when it is not held."""
        with self._lock:
            place = self._places.get(bytes.fromhex(content_hash))
            if place is None:
                return None
            self._file.seek(place[0])
            return self._file.read(place[1])

    def close(self) -> None:
        self._file.close()
