"""The upload bucket: versions of objects, reading one version, writing.

Belongs here: S3 in the words of this location. Does not belong here: what a file means, Postgres.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import IO, Any, cast

from resources.aws import ask, aws_client
from resources.failures import retrying
from resources.settings import AwsSettings

PAGE = 1000
UNVERSIONED = "null"
_PART_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True)
class ObjectVersion:
    """One version of an object. In a bucket without versions its `version_id` is "null"."""

    key: str
    version_id: str
    etag: str
    size: int
    last_modified: datetime


@dataclass(frozen=True)
class Page:
    """Up to 1,000 versions. `deleted`: keys whose newest version is a deletion. `next_key`: None at the end."""

    objects: tuple[ObjectVersion, ...]
    deleted: tuple[str, ...]
    next_key: str | None
    next_version: str | None


@dataclass
class UploadStore:
    """The bucket that vendors upload to. Safe for several threads; close it."""

    bucket: str
    settings: AwsSettings
    client: Any = field(init=False)

    def __post_init__(self) -> None:
        self.client = aws_client("s3", self.settings)

    def close(self) -> None:
        self.client.close()

    def versions(self, prefix: str, key_marker: str | None = None, version_marker: str | None = None) -> Page:
        """The versions under `prefix` after the markers, by key, newest version first."""
        place = {"KeyMarker": key_marker} if key_marker else {}
        if key_marker and version_marker:
            place["VersionIdMarker"] = version_marker
        answer = self._ask(
            lambda: self.client.list_object_versions(
                Bucket=self.bucket, Prefix=prefix, MaxKeys=PAGE, **place
            ),
            f"listing s3://{self.bucket}/{prefix}",
        )
        objects = tuple(
            ObjectVersion(
                found["Key"], found.get("VersionId") or UNVERSIONED, found["ETag"].strip('"'), found["Size"],
                found["LastModified"],
            )
            for found in answer.get("Versions", ())
        )  # fmt: skip
        deleted = tuple(found["Key"] for found in answer.get("DeleteMarkers", ()) if found.get("IsLatest"))
        more = bool(answer.get("IsTruncated"))
        return Page(
            objects,
            deleted,
            answer.get("NextKeyMarker") if more else None,
            answer.get("NextVersionIdMarker") if more else None,
        )

    @contextmanager
    def reading(self, version: ObjectVersion) -> Iterator[IO[bytes]]:
        """The bytes of exactly this version, as a stream.

        Raises AwsRefusal (`NoSuchKey`, `NoSuchVersion`, `PreconditionFailed`) when it is gone or was overwritten.
        """
        pinned = {"IfMatch": f'"{version.etag}"'}
        if version.version_id != UNVERSIONED:
            pinned["VersionId"] = version.version_id
        answer = self._ask(
            lambda: self.client.get_object(Bucket=self.bucket, Key=version.key, **pinned),
            f"reading s3://{self.bucket}/{version.key}",
        )
        body = answer["Body"]
        try:
            yield cast(IO[bytes], body)
        finally:
            body.close()

    def put(self, key: str, content: IO[bytes] | bytes, content_type: str) -> None:
        """Store an object; above 8 MB in parts."""
        stream = io.BytesIO(content) if isinstance(content, bytes) else content

        def upload() -> None:
            from boto3.s3.transfer import TransferConfig  # type: ignore[import-untyped]

            stream.seek(0)
            self.client.upload_fileobj(
                _Unclosable(stream),
                self.bucket,
                key,
                ExtraArgs={"ContentType": content_type},
                Config=TransferConfig(
                    multipart_threshold=_PART_BYTES, multipart_chunksize=_PART_BYTES, use_threads=False
                ),
            )

        self._ask(upload, f"writing s3://{self.bucket}/{key}")

    def _ask(self, call: Any, doing: str) -> Any:
        return retrying(lambda: ask(call, doing=doing), doing=doing)


class _Unclosable(io.RawIOBase):
    """boto3 closes what it has uploaded; a second attempt needs it open."""

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__()
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        return self._stream.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True
