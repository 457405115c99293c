"""The one partitions definition of this location, and the dates a run covers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

import dagster as dg

FIRST_DATE = "2021-01-01"

DAILY = dg.DailyPartitionsDefinition(start_date=FIRST_DATE)
"""By invoice date. A shop's evening falls into the next day of UTC: the daily re-reading covers it."""

Dates = tuple[date, date]


def dates_of(context: dg.AssetExecutionContext) -> Dates:
    """First and last invoice date of a run over one partition or a range of them."""
    window = context.partition_time_window
    return window.start.date(), window.end.date() - timedelta(days=1)


def dates_of_tags(tags: Mapping[str, str]) -> Dates | None:
    """The same from the tags of a run, for checks, which have no partition of their own; None for all dates."""
    first = tags.get("dagster/asset_partition_range_start") or tags.get("dagster/partition")
    last = tags.get("dagster/asset_partition_range_end") or first
    if first is None or last is None:
        return None
    return date.fromisoformat(first), date.fromisoformat(last)
