"""Telling operations: one short message to an SNS topic, a webhook, or both.

Belongs here: sending. Does not belong here: what is worth a message. A message that cannot be sent is logged and never
fails what it speaks of.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from resources.redaction import redact, register_secret
from resources.settings import check_url

logger = logging.getLogger(__name__)

_LONGEST_SUBJECT = 100  # SNS refuses longer ones
_TIMEOUT_SECONDS = 10.0


def notify(subject: str, text: str, env: Mapping[str, str] | None = None) -> list[str]:
    """Send a message to ALERT_SNS_TOPIC_ARN and ALERT_WEBHOOK_URL, as far as they are set; where it has arrived.

    The webhook gets `{"subject": ..., "text": ...}` by POST. Registered secrets are masked. Without any address the
    message is a line of the log.
    """
    settings = os.environ if env is None else env
    subject, text = redact(subject)[:_LONGEST_SUBJECT], redact(text)
    topic = settings.get("ALERT_SNS_TOPIC_ARN", "").strip()
    webhook = settings.get("ALERT_WEBHOOK_URL", "").strip()
    arrived = []
    if topic and _publish(topic, subject, text, settings):
        arrived.append("sns")
    if webhook and _post(webhook, subject, text):
        arrived.append("webhook")
    logger.warning("%s. %s (sent to: %s)", subject, text, ", ".join(arrived) or "nobody but this log")
    return arrived


def _publish(topic: str, subject: str, text: str, settings: Mapping[str, str]) -> bool:
    import boto3  # type: ignore[import-untyped]
    from botocore.config import Config  # type: ignore[import-untyped]

    # The library logs the headers that it signs, at DEBUG.
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        register_secret(settings.get(name, ""))
    try:
        client = boto3.Session().client(
            "sns",
            region_name=settings.get("AWS_REGION") or "us-east-1",
            endpoint_url=settings.get("AWS_ENDPOINT_URL") or None,
            config=Config(
                connect_timeout=5, read_timeout=_TIMEOUT_SECONDS, retries={"total_max_attempts": 3}
            ),
        )
        client.publish(TopicArn=topic, Subject=subject, Message=text)
    except (
        Exception
    ) as error:  # botocore's parsers and settings raise errors that are none of its own classes
        logger.warning("the SNS topic did not take the message %r: %s", subject, type(error).__name__)
        return False
    return True


def _post(webhook: str, subject: str, text: str) -> bool:
    import requests

    try:
        # The path of a webhook is its password: other libraries log it, and no error of ours shows it.
        parts = urlsplit(webhook)
        register_secret(webhook)
        register_secret(parts.path + (f"?{parts.query}" if parts.query else ""))
        register_secret(parts.path)
        check_url(webhook.partition("?")[0], doing="reading ALERT_WEBHOOK_URL")
        answer = requests.post(
            webhook,
            data=json.dumps({"subject": subject, "text": text}),
            headers={"Content-Type": "application/json"},
            timeout=_TIMEOUT_SECONDS,
            allow_redirects=False,
        )
    except Exception as error:  # so does urllib3 for addresses that requests lets pass
        logger.warning("the webhook did not take the message %r: %s", subject, type(error).__name__)
        return False
    if answer.status_code >= 300:
        logger.warning("the webhook answered the message %r with %d", subject, answer.status_code)
        return False
    return True
