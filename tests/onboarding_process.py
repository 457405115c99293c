"""A run of vendor onboarding in a process of its own, so that it can be killed and its memory measured.

`python -m tests.onboarding_process` takes where everything is as JSON on its standard input, goes once through all
stages and prints the peak of its memory in MiB. Tests that kill many runs fork them from a server that has imported
this module instead: no import, and no thread of polars or boto3 was started before the fork.
"""

from __future__ import annotations

import dataclasses
import json
import multiprocessing
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from typing import Any

import boto3  # type: ignore[import-untyped]  # noqa: F401  # imported here for the forks
import polars  # noqa: F401
import psycopg2  # noqa: F401

from benchmarks.measuring import peak_rss_mib
from commerce_assets import onboarding
from commerce_assets.dynamo import UploadRecords
from commerce_assets.ledger import scan
from commerce_assets.objects import UploadStore
from commerce_assets.onboarding import Onboarding
from commerce_assets.reading import Limits
from resources.aws import aws_client
from resources.database import connect
from resources.leases import lease
from resources.settings import AwsSettings, DatabaseSettings
from resources.sql import Session

_CONTEXT = multiprocessing.get_context("forkserver")


@dataclass(frozen=True)
class Place:
    """Where a run finds everything. `keys`: of AWS, for the environment."""

    aws: AwsSettings
    warehouse: DatabaseSettings
    bucket: str
    table: str
    keys: Mapping[str, str]
    limits: Limits = field(default_factory=Limits)

    def as_json(self) -> str:
        return json.dumps(dataclasses.asdict(self))


def run_once(place: Place) -> None:
    """One run, from the listing of the bucket to the answers."""
    os.environ.update(place.keys)
    store = UploadStore(place.bucket, place.aws)
    records = UploadRecords(aws_client("dynamodb", place.aws, connections=6), name=place.table)
    session = Session(lambda retry: connect(place.warehouse, application_name="run", retry=retry))
    scan(session, store)
    with lease(place.warehouse, onboarding.DATASET, None, holder="run", execution_id=None) as held:
        run = Onboarding(session, store, records, held, limits=place.limits)
        for stage in (
            *(onboarding.receive, onboarding.record, onboarding.validate),
            *(onboarding.apply, onboarding.complete, onboarding.answer),
        ):
            stage(run)


def started(place: Place) -> BaseProcess:
    """A run in a process that was forked for it."""
    _CONTEXT.set_forkserver_preload([__name__])
    process = _CONTEXT.Process(target=run_once, args=(place,))
    process.start()
    return process


def _place(found: dict[str, Any]) -> Place:
    found["aws"], found["limits"] = AwsSettings(**found["aws"]), Limits(**found["limits"])
    return Place(**{**found, "warehouse": DatabaseSettings(**found["warehouse"])})


if __name__ == "__main__":
    run_once(_place(json.load(sys.stdin)))
    # Not getrusage: what the parent had at the fork counts there too.
    print(peak_rss_mib())
