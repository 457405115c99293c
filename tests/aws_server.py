"""The stand-in for AWS in tests: moto's server, one for the session on a port of its own, ended with it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from resources.aws import aws_client
from resources.settings import AwsSettings
from sandbox.aws import REGION, aws_server

KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "secret-key-of-the-tests"}


@pytest.fixture(scope="session")
def aws_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running server: what AWS_ENDPOINT_URL would be."""
    server = aws_server(tmp_path_factory.mktemp("aws"))
    server.launch()
    try:
        server.wait()
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.stop()


@pytest.fixture
def aws(aws_address: str, monkeypatch: pytest.MonkeyPatch) -> AwsSettings:
    """How the server is reached; the environment says the same."""
    for name, value in {**KEYS, "AWS_ENDPOINT_URL": aws_address, "AWS_REGION": REGION}.items():
        monkeypatch.setenv(name, value)
    return AwsSettings(region=REGION, endpoint_url=aws_address)


@pytest.fixture
def dynamodb(aws: AwsSettings) -> Iterator[Any]:
    client = aws_client("dynamodb", aws, connections=8)
    yield client
    client.close()


@pytest.fixture
def dynamodb_streams(aws: AwsSettings) -> Iterator[Any]:
    client = aws_client("dynamodbstreams", aws)
    yield client
    client.close()
