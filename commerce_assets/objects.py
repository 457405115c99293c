"""The upload bucket: versions of objects, reading one version, writing.

Belongs here: S3 in the words of this location. Does not belong here: what a file means, Postgres.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import quote

from resources.aws import ask, aws_client
from resources.failures import retrying, transient
from resources.settings import AwsSettings

PAGE = 1000
UNVERSIONED = "null"
PART_BYTES = 8 * 1024 * 1024
"""Files from here on go in parts; with two at once, that many bytes twice in memory."""
GONE: Final = frozenset({"NoSuchKey", "NoSuchVersion", "404", "PreconditionFailed", "412"})
"""Codes of an AwsRefusal that mean: this version is not there any more, and no retry brings it back."""
GONE_MESSAGE: Final = "The file was removed or overwritten before it was read."
_PARTS_AT_ONCE = 2
_WEEK_SECONDS = 7 * 24 * 3600


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
    def reading(self, version: ObjectVersion) -> Iterator[ObjectBody]:
        """The bytes of exactly this version, as a stream; reading raises TransientError when the connection breaks.

        Raises AwsRefusal with a code of `GONE` when it was removed or overwritten.
        """
        answer = self._ask(
            lambda: self.client.get_object(Bucket=self.bucket, Key=version.key, **_pinned(version)),
            f"reading s3://{self.bucket}/{version.key}",
        )
        body = answer["Body"]
        try:
            yield ObjectBody(body, f"reading s3://{self.bucket}/{version.key}", answer.get("Metadata", {}))
        finally:
            body.close()

    def put(
        self,
        key: str,
        content: Path | bytes,
        content_type: str,
        *,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        """Store an object: a file, in parts when it is large, or a few bytes. Metadata: as in `ObjectBody`."""
        doing = f"writing s3://{self.bucket}/{key}"
        about = {"ContentType": content_type, "Metadata": dict(metadata or {})}
        if isinstance(content, bytes):
            self._ask(
                lambda: self.client.put_object(Bucket=self.bucket, Key=key, Body=content, **about), doing
            )
            return
        retrying(lambda: upload_file(self.client, self.bucket, key, content, about, doing), doing=doing)

    def fetch(self, key: str, path: Path) -> None:
        """Write the newest version of an object into a file, streamed. Raises AwsRefusal and OSError."""
        doing = f"reading s3://{self.bucket}/{key}"

        def read() -> None:
            body = ask(lambda: self.client.get_object(Bucket=self.bucket, Key=key), doing=doing)["Body"]
            try:
                with path.open("wb") as file:
                    shutil.copyfileobj(ObjectBody(body, doing), file)
            finally:
                body.close()

        retrying(read, doing=doing)

    def link(self, key: str) -> str:
        """Where a browser finds an object: in the console of AWS, for who is logged in there. Of another service
        (AWS_ENDPOINT_URL), which has no console, a signed address that is good for a week."""
        settings = self.settings
        if settings.endpoint_url is not None:
            return str(
                self.client.generate_presigned_url(
                    "get_object", Params={"Bucket": self.bucket, "Key": key}, ExpiresIn=_WEEK_SECONDS
                )
            )
        console = f"https://{settings.region}.console.aws.amazon.com/s3/object/{self.bucket}"
        return f"{console}?region={settings.region}&prefix={quote(key, safe='')}"

    def _ask(self, call: Any, doing: str) -> Any:
        return retrying(lambda: ask(call, doing=doing), doing=doing)


def upload_file(client: Any, bucket: str, key: str, path: Path, about: Mapping[str, Any], doing: str) -> None:
    """Store a file once, streamed, a large one in parts; a failed one leaves no parts behind.

    `about`: ContentType, Metadata and the like. Raises as `ask` does, and OSError when the file cannot be read.
    """
    from boto3.s3.transfer import TransferConfig, create_transfer_manager  # type: ignore[import-untyped]

    config = TransferConfig(
        multipart_threshold=PART_BYTES, multipart_chunksize=PART_BYTES, max_concurrency=_PARTS_AT_ONCE
    )

    def upload() -> None:
        # By path: of an open file the library reads ten parts ahead into memory. And not client.upload_file, whose
        # error has lost the code.
        with create_transfer_manager(client, config) as manager:
            manager.upload(str(path), bucket, key, extra_args=dict(about)).result()

    ask(upload, doing=doing)


def _pinned(version: ObjectVersion) -> dict[str, str]:
    pinned = {"IfMatch": f'"{version.etag}"'}
    return pinned | ({"VersionId": version.version_id} if version.version_id != UNVERSIONED else {})


class ObjectBody:
    """The bytes of an object; a connection that breaks says so in our words.

    `metadata`: what whoever uploaded this version said of it, names in lower case. It comes with the bytes: asking for
    it alone would be one request more for every upload.
    """

    def __init__(self, body: Any, doing: str, metadata: Mapping[str, str] | None = None) -> None:
        self._body, self._doing = body, doing
        self.metadata = {name.lower(): value for name, value in (metadata or {}).items()}

    def read(self, size: int = -1, /) -> bytes:
        import botocore.exceptions  # type: ignore[import-untyped]
        import urllib3.exceptions

        try:
            return cast(bytes, self._body.read(size))
        except (
            botocore.exceptions.HTTPClientError,
            botocore.exceptions.IncompleteReadError,
            urllib3.exceptions.HTTPError,
        ) as error:
            found = type(error).__name__
        raise transient(self._doing, found=found, do_next="Run again: it is read from its beginning.")
