"""Anchors: how far each tenant's audit trail reached, and its hash, written where the database cannot reach.

One small object for each anchored link, `audit-anchors/{tenant}/{countdown}-{seq}-{entries}-{hash}.json`; the countdown
lets the newest come first. Nothing is ever overwritten, old versions and those behind a deletion count as well, and
in a bucket with object lock each is locked in compliance mode.

Belongs here: those objects. Does not belong here: the chain.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, unquote

from resources.aws import AwsRefusal, ask, aws_client
from resources.failures import permanent, retrying
from resources.settings import AwsSettings

PREFIX = "audit-anchors/"
RETENTION = timedelta(days=3 * 366)
_COUNTDOWN = 10**19


@dataclass(frozen=True)
class Anchor:
    """A link that was verified and written down outside: its seq and hash, and the entries up to it. `time` is UTC."""

    tenant_id: str
    seq: int
    hash: str
    entries: int
    time: str

    @property
    def key(self) -> str:
        place = f"{_COUNTDOWN - self.seq:020d}-{self.seq}-{self.entries}-{self.hash}"
        return f"{_folder(self.tenant_id)}{place}.json"


def _folder(tenant_id: str) -> str:
    return f"{PREFIX}{quote(tenant_id, safe='')}/"


@dataclass
class AnchorStore:
    """The bucket of the anchors. Close it."""

    bucket: str
    settings: AwsSettings
    client: Any = field(init=False)
    _locks: bool | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.client = aws_client("s3", self.settings)

    def close(self) -> None:
        self.client.close()

    def write(self, anchor: Anchor) -> bool:
        """Write an anchor down; False when exactly this link was anchored before."""
        lock: dict[str, Any] = {}
        if self.locks():
            lock = {
                "ObjectLockMode": "COMPLIANCE",
                "ObjectLockRetainUntilDate": datetime.now(UTC) + RETENTION,
                "ChecksumAlgorithm": "SHA256",  # S3 wants one with a lock
            }
        body = json.dumps(asdict(anchor), ensure_ascii=False).encode()
        try:
            self._ask(
                lambda: self.client.put_object(
                    Bucket=self.bucket, Key=anchor.key, Body=body, ContentType="application/json",
                    IfNoneMatch="*", **lock,
                ),
                f"writing s3://{self.bucket}/{anchor.key}",
            )  # fmt: skip
        except AwsRefusal as refused:
            if refused.code != "PreconditionFailed":
                raise
            return False
        return True

    def newest(self, tenant_id: str) -> Anchor | None:
        """The anchor of the highest link of a tenant."""
        return next(self._anchors(tenant_id, page=1), None)

    def of_tenant(self, tenant_id: str) -> dict[int, Anchor]:
        """All anchors of a tenant by seq: some 9,000 a year.

        Raises PermanentError for two of one link with different hashes: one of them is forged.
        """
        found: dict[int, Anchor] = {}
        for anchor in self._anchors(tenant_id, page=1000):
            other = found.setdefault(anchor.seq, anchor)
            if (other.hash, other.entries) != (anchor.hash, anchor.entries):
                raise permanent(
                    f"reading the anchors of tenant {tenant_id}",
                    found=f"two that contradict each other, {other.key} and {anchor.key}",
                    do_next="Find out in the bucket's access log who wrote which.",
                )
        return found

    def tenants(self) -> Iterator[str]:
        """Every tenant that has an anchor."""
        place: dict[str, str] = {}
        while True:
            answer = self._list(Prefix=PREFIX, Delimiter="/", **place)
            for folder in answer.get("CommonPrefixes", ()):
                yield unquote(folder["Prefix"].removeprefix(PREFIX).rstrip("/"))
            if not answer.get("IsTruncated"):
                return
            place = {"KeyMarker": answer["NextKeyMarker"]}
            if answer.get("NextVersionIdMarker"):
                place["VersionIdMarker"] = answer["NextVersionIdMarker"]

    def locks(self) -> bool:
        """Whether the bucket has object lock."""
        if self._locks is None:
            try:
                answer = self._ask(
                    lambda: self.client.get_object_lock_configuration(Bucket=self.bucket),
                    f"asking for the object lock of {self.bucket}",
                )
                self._locks = answer["ObjectLockConfiguration"].get("ObjectLockEnabled") == "Enabled"
            except AwsRefusal as refused:
                if refused.code != "ObjectLockConfigurationNotFoundError":
                    raise
                self._locks = False
        return self._locks

    def _anchors(self, tenant_id: str, *, page: int) -> Iterator[Anchor]:
        folder = _folder(tenant_id)
        place: dict[str, str] = {}
        while True:
            answer = self._list(Prefix=folder, MaxKeys=page, **place)
            # A version behind a deletion is listed as well: deleting an anchor hides nothing.
            for found in answer.get("Versions", ()):
                yield self._read(tenant_id, found["Key"], found["LastModified"])
            if not answer.get("IsTruncated"):
                return
            place = {"KeyMarker": answer["NextKeyMarker"]}
            if answer.get("NextVersionIdMarker"):
                place["VersionIdMarker"] = answer["NextVersionIdMarker"]

    def _read(self, tenant_id: str, key: str, written: datetime) -> Anchor:
        try:
            _, seq, entries, digest = key.rpartition("/")[2].removesuffix(".json").split("-")
            anchor = Anchor(tenant_id, int(seq), digest, int(entries), f"{written:%Y-%m-%dT%H:%M:%SZ}")
        except ValueError:
            anchor = None
        if anchor is None or anchor.key != key:
            raise permanent(
                f"reading the anchors of tenant {tenant_id}",
                found=f"an object that is none, {key}",
                do_next="Find out in the bucket's access log who wrote it, and delete it.",
            )
        return anchor

    def _list(self, **options: Any) -> Any:
        return self._ask(
            lambda: self.client.list_object_versions(Bucket=self.bucket, **options),
            f"listing s3://{self.bucket}/{options['Prefix']}",
        )

    def _ask(self, call: Any, doing: str) -> Any:
        return retrying(lambda: ask(call, doing=doing), doing=doing)
