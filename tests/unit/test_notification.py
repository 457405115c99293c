"""Telling operations: an SNS topic of moto, a webhook that is a real server, and what happens when neither takes it."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3  # type: ignore[import-untyped]
import pytest
from moto import mock_aws

from resources import redaction
from resources.notification import notify

PATH = "/services/T0/B0/the-path-is-the-password"


class Webhook:
    """A server that keeps what it is sent and answers with `status`."""

    def __init__(self) -> None:
        self.status, self.answer = 200, b""
        self.received: list[tuple[str, str, Any]] = []
        webhook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                kind = self.headers["Content-Type"]
                webhook.received.append((self.path, kind, json.loads(body) if "json" in kind else body))
                self.send_response(webhook.status)
                if webhook.status == 302:
                    self.send_header("Location", f"http://127.0.0.1:{webhook.port}/elsewhere")
                self.send_header("Content-Length", str(len(webhook.answer)))
                self.end_headers()
                self.wfile.write(webhook.answer)

            def log_message(self, format: str, *arguments: object) -> None:
                """Nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}{PATH}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    server = Webhook()
    yield server
    server.close()


@pytest.fixture
def no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_known", set())
    monkeypatch.setattr(redaction, "_pattern", None)


def test_a_webhook_gets_subject_and_text_as_json(webhook: Webhook) -> None:
    assert notify("Source away", "Odoo has failed.", {"ALERT_WEBHOOK_URL": webhook.url}) == ["webhook"]
    assert webhook.received == [
        (PATH, "application/json", {"subject": "Source away", "text": "Odoo has failed."})
    ]


def test_a_topic_gets_the_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        sns, sqs = (boto3.client(name, region_name="eu-west-1") for name in ("sns", "sqs"))
        topic = sns.create_topic(Name="operations")["TopicArn"]
        queue = sqs.create_queue(QueueName="seen")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        env = {"ALERT_SNS_TOPIC_ARN": topic, "AWS_REGION": "eu-west-1"}
        assert notify("S" * 150, "Odoo has failed.", env) == ["sns"]
        (message,) = sqs.receive_message(QueueUrl=queue)["Messages"]
        body = json.loads(message["Body"])
        assert (body["Subject"], body["Message"]) == ("S" * 100, "Odoo has failed."), (
            "SNS takes 100 characters"
        )


def test_both_are_told_and_one_that_fails_does_not_keep_the_other_from_it(
    webhook: Webhook, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    env = {"ALERT_SNS_TOPIC_ARN": "arn:aws:sns:us-east-1:123456789012:none", "ALERT_WEBHOOK_URL": webhook.url}
    with mock_aws():
        assert notify("Away", "Text", env) == ["webhook"]
    assert "the SNS topic did not take the message 'Away'" in caplog.text
    assert len(webhook.received) == 1


@pytest.mark.parametrize("endpoint", ["{webhook}", "no address at all", "http://127.0.0.1:1"])
def test_what_answers_for_sns_and_is_not_is_logged(
    webhook: Webhook, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, endpoint: str
) -> None:
    """Cost: a proxy's page in the place of XML raised an error of a parser, and the waiting job stayed "running"."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    webhook.status, webhook.answer = 404, b"no such page"
    env = {
        "ALERT_SNS_TOPIC_ARN": "arn:aws:sns:us-east-1:123456789012:none",
        "AWS_ENDPOINT_URL": endpoint.format(webhook=webhook.url),
    }
    assert notify("Away", "Text", env) == []
    assert "the SNS topic did not take the message 'Away'" in caplog.text


def test_without_an_address_the_message_is_a_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    assert notify("Away", "Odoo has failed.", {"ALERT_WEBHOOK_URL": " "}) == []
    (line,) = caplog.records
    assert line.levelno == logging.WARNING
    assert line.getMessage() == "Away. Odoo has failed. (sent to: nobody but this log)"


@pytest.mark.parametrize("status", [302, 404, 500])
def test_a_webhook_that_refuses_is_logged_without_its_path(
    webhook: Webhook, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    """A redirect is a refusal too: the message does not go where an answer points."""
    caplog.set_level(logging.DEBUG, "resources")
    webhook.status = status
    assert notify("Away", "Text", {"ALERT_WEBHOOK_URL": webhook.url}) == []
    assert f"answered the message 'Away' with {status}" in caplog.text
    assert [path for path, _, _ in webhook.received] == [PATH]
    assert "the-path-is" not in caplog.text


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/services/the-path-is-the-password",
        "http://hooks.example.com/services/the-path-is-the-password",
        "ftp://127.0.0.1/the-path-is-the-password",
        "the-path-is-the-password",
        "http://[::1/the-path-is-the-password",
        "http://127.0.0.1:99999/the-path-is-the-password",
        "https://user:the-path-is-the-password@127.0.0.1:1/",
    ],
)
def test_a_webhook_that_cannot_be_reached_is_logged_and_not_shown(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "resources")
    assert notify("Away", "Text", {"ALERT_WEBHOOK_URL": url}) == []
    assert "the webhook did not take the message 'Away'" in caplog.text
    assert "the-path-is" not in caplog.text


@pytest.mark.usefixtures("no_secrets")
def test_secrets_are_masked_before_a_message_leaves(
    webhook: Webhook, caplog: pytest.LogCaptureFixture
) -> None:
    redaction.register_secret("s3cret-of-odoo")
    notify("s3cret-of-odoo is wrong", "connecting with s3cret-of-odoo", {"ALERT_WEBHOOK_URL": webhook.url})
    ((_, _, body),) = webhook.received
    assert body == {"subject": "*** is wrong", "text": "connecting with ***"}
    assert "s3cret" not in caplog.text
