"""Freshness policies that more than one location uses."""

from datetime import timedelta

import dagster as dg

UNCHANGING = dg.FreshnessPolicy.time_window(fail_window=timedelta(days=400), warn_window=timedelta(days=370))
"""For what changes with a release only: a year without a materialization is worth a look."""
