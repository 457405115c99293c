"""Talking to AWS: clients with explicit timeouts, and its errors in the project's failure vocabulary.

Belongs here: what every service shares. Does not belong here: a table, bucket or topic of ours. boto3 is imported when
the first client is made, because that takes more than a second.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, TypeVar

from resources.failures import PermanentError, PipelineError, transient
from resources.settings import AwsSettings

T = TypeVar("T")

_LONGEST_MESSAGE = 300

# Waiting helps with these, whatever the HTTP status. LimitExceeded: too many tables made, or streams read, at once.
TRANSIENT_CODES = frozenset(
    {
        "ProvisionedThroughputExceeded",
        "ProvisionedThroughputExceededException",
        "Throttling",
        "ThrottlingError",
        "ThrottlingException",
        "ThrottledException",
        "RequestLimitExceeded",
        "TooManyRequestsException",
        "LimitExceededException",
        "SlowDown",
        "RequestTimeout",
        "RequestTimeoutException",
        "TransactionConflict",
        "TransactionConflictException",
        "TransactionInProgressException",
        "InternalServerError",
        "ServiceUnavailable",
    }
)

# Only these say what is wrong with the request itself. Others may quote signed headers, the session token among them.
_TELLING_CODES = frozenset({"ValidationException", "ResourceNotFoundException", "ResourceInUseException"})


class AwsRefusal(PermanentError):
    """AWS will not do it, or could not be asked.

    `code` is its word for why, or the class of botocore's error; `reasons` those of a cancelled transaction, one for
    each item.
    """

    code: str = ""
    message: str = ""
    reasons: tuple[Mapping[str, Any], ...] = ()


def aws_client(service: str, settings: AwsSettings, *, connections: int = 10) -> Any:
    """A client for a service such as "dynamodb", for use by several threads at once. The caller closes it."""
    import boto3  # type: ignore[import-untyped]
    import botocore.session  # type: ignore[import-untyped]
    from botocore.config import Config  # type: ignore[import-untyped]

    # botocore writes signed headers and whole requests at DEBUG, so keys and vendors' data.
    botocore_logger = logging.getLogger("botocore")
    botocore_logger.setLevel(max(botocore_logger.level, logging.INFO))
    # Our own loop retries, so botocore must not: it would multiply the attempts and the time.
    config = Config(
        connect_timeout=settings.connect_timeout,
        read_timeout=settings.read_timeout,
        retries={"total_max_attempts": 1},
        max_pool_connections=connections,
    )
    # A session of its own: the default one keeps the credentials of whoever asked first in this process. Not so the
    # descriptions of the services: reading them anew took 0.06 to 0.27 s of CPU a client, 4 s of the 5 of a run.
    session = botocore.session.Session()
    loader = _descriptions()
    session.register_component("data_loader", loader)
    client = boto3.Session(botocore_session=session).client(
        service, region_name=settings.region, endpoint_url=settings.endpoint_url, config=config
    )
    # boto3 adds its folder once for each session.
    loader.search_paths[:] = dict.fromkeys(loader.search_paths)
    return client


@cache
def _descriptions() -> Any:
    """botocore's reader of what services and calls there are; it remembers what it has read."""
    from botocore.loaders import create_loader  # type: ignore[import-untyped]

    return create_loader()


def ask(call: Callable[[], T], *, doing: str) -> T:
    """Make one call and return its answer; its error becomes a TransientError, an AwsRefusal or a PermanentError."""
    import botocore.exceptions  # type: ignore[import-untyped]

    failure: PipelineError
    try:
        return call()
    except botocore.exceptions.ClientError as error:
        failure = _failure(error.response, doing)
    except (botocore.exceptions.HTTPClientError, botocore.exceptions.ConnectionError) as error:
        do_next = "Check the network and AWS_ENDPOINT_URL, then run again."
        failure = transient(doing, found=type(error).__name__, do_next=do_next)
    except botocore.exceptions.BotoCoreError as error:
        # Its class is enough ("NoCredentialsError"): the text of a parameter error quotes the values.
        do_next = "Check the AWS credentials and region of this process, and the names that it was given."
        failure = refusal = AwsRefusal(doing, type(error).__name__, do_next)
        refusal.code = type(error).__name__
    # Raised out here, so that the foreign error does not stay as cause or context: see _TELLING_CODES.
    raise failure


def _failure(response: Mapping[str, Any], doing: str) -> PipelineError:
    code = str(response.get("Error", {}).get("Code", "unknown"))
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    message = str(response.get("Error", {}).get("Message", ""))[:_LONGEST_MESSAGE]
    if code in TRANSIENT_CODES or status >= 500:
        return transient(doing, found=code, do_next="Run again later; the service is busy or away.")
    refusal = AwsRefusal(
        doing, f"{code}: {message}" if code in _TELLING_CODES and message else code, _do_next(code)
    )
    refusal.code = code
    refusal.message = message if code in _TELLING_CODES else ""
    refusal.reasons = tuple(response.get("CancellationReasons") or ())
    return refusal


def _do_next(code: str) -> str:
    if "AccessDenied" in code:
        return "Allow this action to the role or user of this process."
    if any(word in code for word in ("Token", "Signature", "Credential")):
        return "Renew the AWS credentials of this process."
    if code == "ResourceNotFoundException":
        return "Check the name, AWS_REGION and AWS_ENDPOINT_URL, and that it was created."
    return "Put right what is named, then run again."
