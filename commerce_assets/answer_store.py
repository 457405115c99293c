"""The files of an answer to S3.

Belongs here: storing finished files so that a repetition changes nothing. Does not belong here: what stands in them
(answers.py), and incoming uploads.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import time
from collections.abc import Callable
from typing import Any

from commerce_assets.answers import Answer, AnswerFile
from commerce_assets.objects import upload_file
from resources.aws import AwsRefusal, ask
from resources.failures import retrying

logger = logging.getLogger(__name__)

_DIGEST = "content-sha256"
_MAY_BE_ABSENT = frozenset({"404", "NoSuchKey", "NotFound", "403", "AccessDenied", "Forbidden"})


def store_answer(
    client: Any, bucket: str, answer: Answer, *, sleep: Callable[[float], None] = time.sleep
) -> dict[str, str]:
    """Put the files of an answer into `bucket` and return their keys by kind.

    In their order, so the summary is there only when everything else is. A file that is there already with the same
    content is left alone. Files are streamed, large ones in parts; a failed one leaves no parts behind. Failures are
    retried after 2, 4 and 8 s; raises TransientError or PermanentError.
    """
    for file in answer.files:
        doing = f"storing s3://{bucket}/{file.key}"
        retrying(lambda file=file, doing=doing: _store(client, bucket, file, doing), doing=doing, sleep=sleep)  # type: ignore[misc]
    return {file.kind: file.key for file in answer.files}


def _store(client: Any, bucket: str, file: AnswerFile, doing: str) -> None:
    with file.path.open("rb") as content:
        digest = base64.b64encode(hashlib.file_digest(content, "sha256").digest()).decode()
    if _stored_digest(client, bucket, file.key, doing) == digest:
        logger.info("s3://%s/%s is there already with this content", bucket, file.key)
        return
    name = file.key.rpartition("/")[2]
    shown = "inline" if file.kind.startswith("summary") else "attachment"
    extra = {
        "ContentType": file.content_type,
        "ContentDisposition": f'{shown}; filename="{name}"',
        "Metadata": {_DIGEST: digest},
    }
    upload_file(client, bucket, file.key, file.path, extra, doing)


def _stored_digest(client: Any, bucket: str, key: str, doing: str) -> str | None:
    """The digest of what is there, if it can be seen: without the right to list, S3 answers 403 for what is absent."""
    try:
        found = ask(lambda: client.head_object(Bucket=bucket, Key=key), doing=doing)
    except AwsRefusal as refusal:
        if refusal.code in _MAY_BE_ABSENT:
            return None
        raise
    digest = found.get("Metadata", {}).get(_DIGEST)
    return str(digest) if digest is not None else None
