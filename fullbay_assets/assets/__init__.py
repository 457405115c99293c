"""The assets of the Fullbay location, one module for each stage. What they have in common stands here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import dagster as dg

from fullbay_assets.execution import Step, running_step
from fullbay_assets.ingestion import close_execution, track_unchanged
from resources.ddl import table_metadata
from resources.postgres import PostgresResource

OWNERS = ["team:fullbay-data"]
FRESHNESS = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=49), warn_window=timedelta(hours=26))
"""The default schedule is daily: late after a bit more than a day, failed after two."""


def described(table: str, group: str, *kinds: str) -> dict[str, Any]:
    """The arguments every Fullbay asset shares: one run for any range of dates, owner, freshness, table and columns."""
    return {
        "group_name": group,
        "kinds": {"postgres", *kinds},
        "owners": OWNERS,
        "freshness_policy": FRESHNESS,
        "backfill_policy": dg.BackfillPolicy.single_run(),
        "metadata": table_metadata("fullbay", table),
        "code_version": "1",
        # One run at a time: dagster.yaml queues the others, which the lease would refuse.
        "pool": "fullbay_writer",
    }


@contextmanager
def asset_step(
    context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext,
    warehouse: PostgresResource,
    name: str,
    api_endpoint: str = "",
    *,
    needs: Sequence[Callable[[], object]] = (),
) -> Iterator[Step]:
    """A step of the run that Dagster executes; `needs` as in `running_step`.

    A run of some assets only (a selection, a backfill of the partitioned ones, checks alone) has no
    `ingestion_metadata` step that closes its record: each of its steps then closes it as far as the run has come.
    """
    # Of the job that is executed: what the run says it selected is empty for a job of checks alone, too.
    steps = {node.name for node in context.op_execution_context.job_def.nodes}
    with running_step(warehouse, name, context.run.run_id, api_endpoint, needs=needs) as step:
        yield step
        if "ingestion_metadata" not in steps:
            track_unchanged(step)
            close_execution(step)
