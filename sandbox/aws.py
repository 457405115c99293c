"""The stand-in for AWS: moto's server, reached only through AWS_ENDPOINT_URL.

S3, DynamoDB, Secrets Manager and SNS. Its state lives in its memory: it is empty after each start, and the
upload bucket is made anew then.
"""

from __future__ import annotations

import http.client
import sys
from pathlib import Path

from sandbox.processes import LOCALHOST, HttpService, SandboxError

DEFAULT_PORT = 15000
REGION = "us-east-1"
_VERSIONING = '<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Status>Enabled</Status></VersioningConfiguration>'
_SERVER = Path(__file__).with_name("aws_server.py")


def aws_server(folder: Path) -> HttpService:
    """The moto server whose log and record are kept in `folder`."""
    return HttpService(
        "aws",
        folder,
        default_port=DEFAULT_PORT,
        health_path="/moto-api/",
        # -P: the modules beside the script are ours, not the standard library's.
        command=lambda port: [sys.executable, "-P", str(_SERVER), "-H", LOCALHOST, "-p", str(port)],
        cwd=folder,
    )


def ensure_bucket(port: int, bucket: str) -> None:
    """Have this S3 bucket, with versions. Plain PUTs: importing boto3 would cost more than a second of every start."""
    connection = http.client.HTTPConnection(LOCALHOST, port, timeout=10)
    try:
        for path, content in ((f"/{bucket}", ""), (f"/{bucket}?versioning", _VERSIONING)):
            connection.request("PUT", path, content, headers={"Host": f"{LOCALHOST}:{port}"})
            response = connection.getresponse()
            body = response.read(500).decode(errors="replace")
            if response.status != http.client.OK and "BucketAlreadyOwnedByYou" not in body:
                raise SandboxError(
                    f"The AWS stand-in refused to make the bucket {bucket!r}: {response.status} {body}"
                )
    finally:
        connection.close()
