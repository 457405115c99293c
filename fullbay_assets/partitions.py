"""The one partitions definition of this location, and the dates a run covers."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import dagster as dg

from resources.failures import permanent

FIRST_DATE = "2021-01-01"
"""The first partition unless FULLBAY_FIRST_DATE says otherwise."""

DAILY = dg.DailyPartitionsDefinition(start_date=FIRST_DATE)
"""By invoice date. A shop's evening falls into the next day of UTC: the daily re-reading covers it."""

Dates = tuple[date, date]


def first_date() -> date:
    """The first invoice date of the shops: FULLBAY_FIRST_DATE, read when definitions load, else 2021-01-01."""
    given = os.environ.get("FULLBAY_FIRST_DATE", "").strip() or FIRST_DATE
    try:
        return date.fromisoformat(given)
    except ValueError:
        raise permanent(
            "reading FULLBAY_FIRST_DATE", found=repr(given), do_next="Write a date as 2021-01-01."
        ) from None


def starting(assets: Sequence[Any], first: date) -> Sequence[Any]:
    """The assets with daily partitions from `first` on, for those that are partitioned."""
    if first == date.fromisoformat(FIRST_DATE):
        return assets
    daily = dg.DailyPartitionsDefinition(start_date=first.isoformat())
    return dg.map_asset_specs(
        lambda spec: spec.replace_attributes(partitions_def=daily) if spec.partitions_def else spec, assets
    )


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
