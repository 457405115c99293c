"""The assets of the Fullbay location, one module for each stage. What they have in common stands here."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import dagster as dg

from resources.ddl import table_metadata

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
    }
