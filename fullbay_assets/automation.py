"""Jobs and schedules of the Fullbay location. SCHEDULE_EXPRESSION is read when the definitions load."""

import os
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta

import dagster as dg
from pydantic import Field

from fullbay_assets.partitions import first_date
from fullbay_assets.resources import FullbayResource
from fullbay_assets.schedule_expression import DEFAULT_EXPRESSION, to_cron
from resources.postgres import PostgresResource
from resources.sql import statement

TAGS = {"dagster/max_runtime": str(4 * 3600)}

fullbay_day = dg.define_asset_job(
    "fullbay_day",
    selection=dg.AssetSelection.groups("ingest", "summaries", "records"),
    tags=TAGS,
    description="All Fullbay assets for one invoice date.",
)
fullbay_range = dg.define_asset_job(
    "fullbay_range",
    selection=dg.AssetSelection.groups("ingest", "summaries", "records"),
    tags=TAGS,
    description="All Fullbay assets for a range of invoice dates, in one run. The schedules use it.",
)


class PurgeConfig(dg.Config):
    """How long the records of runs are kept."""

    keep_days: int | None = Field(
        default=None,
        ge=1,
        description="Runs recorded longer ago go with all their log rows; unset: FULLBAY_LOG_RETENTION_DAYS.",
    )


@dg.op
def purge_logs(
    context: dg.OpExecutionContext, config: PurgeConfig, warehouse: PostgresResource, fullbay: FullbayResource
) -> None:
    """Delete old runs from the log tables and `ingestion_metadata`; invoices and runs at RUNNING stay."""
    days = config.keep_days or fullbay.settings().log_retention_days
    with warehouse.session("fullbay_purge_logs") as session:
        deleted = session.transaction(
            lambda: session.run("fullbay/transforms/purge_logs", {"days": days}, table="ingestion_metadata"),
            doing=f"deleting the logs of runs older than {days} days",
        )
    context.add_output_metadata({"keep_days": days, **dict(deleted)})


@dg.job(tags=TAGS, description="Deletes the records and logs of old runs, never invoices.")
def fullbay_purge_logs() -> None:
    purge_logs()


WEEKLY = "0 3 * * 0"
WEEKLY_PURGE = "0 5 * * 0"
WINDOW_DAYS = 7
"""Open dates closer than this share a request to the API, so they share a run."""

NOTHING_YET = "No finished date lies on or after FULLBAY_FIRST_DATE yet."

LONGEST_RANGE = 92
"""Days of one such run: it must end well before its maximum runtime, whatever the API's speed."""


def range_request(first: date, last: date, purpose: str) -> dg.RunRequest:
    """One run over the dates first to last (inclusive)."""
    tags = {
        "dagster/asset_partition_range_start": first.isoformat(),
        "dagster/asset_partition_range_end": last.isoformat(),
        "fullbay/purpose": purpose,
    }
    return dg.RunRequest(tags=tags)


def lookback(now: datetime, days: int) -> tuple[date, date] | None:
    """The last `days` finished dates before `now` that have a partition; None when there is none yet."""
    last = now.date() - timedelta(days=1)
    first = max(first_date(), last - timedelta(days=days - 1))
    return (first, last) if first <= last else None


def grouped(
    dates: Iterable[date], gap: int = WINDOW_DAYS, longest: int = LONGEST_RANGE
) -> Iterator[tuple[date, date]]:
    """Sorted dates -> ranges of at most `longest` days; dates at most `gap` days apart fall into one range."""
    first = last = None
    for day in dates:
        if first is None or last is None:
            first = last = day
        elif (day - last).days <= gap and (day - first).days < longest:
            last = day
        else:
            yield first, last
            first = last = day
    if first is not None and last is not None:
        yield first, last


def schedules() -> list[dg.ScheduleDefinition]:
    """The schedules, with the expression of the environment. Raises `PermanentError` for one that cron cannot say."""
    expression = os.environ.get("SCHEDULE_EXPRESSION", "").strip() or DEFAULT_EXPRESSION

    @dg.schedule(
        job=fullbay_range,
        cron_schedule=to_cron(expression),
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Re-reads the last FULLBAY_LOOKBACK_DAYS dates in one run ({expression}): invoices change after "
        "posting, and the API has no filter by change.",
    )
    def fullbay_ingestion(
        context: dg.ScheduleEvaluationContext, fullbay: FullbayResource
    ) -> dg.RunRequest | dg.SkipReason:
        dates = lookback(context.scheduled_execution_time, fullbay.settings().lookback_days)
        return range_request(*dates, "lookback") if dates else dg.SkipReason(NOTHING_YET)

    @dg.schedule(
        job=fullbay_range,
        cron_schedule=WEEKLY,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Re-reads every older date that holds an invoice with an open balance: payments come late.",
    )
    def fullbay_open_balances(
        context: dg.ScheduleEvaluationContext, fullbay: FullbayResource, warehouse: PostgresResource
    ) -> Iterator[dg.RunRequest | dg.SkipReason]:
        read_daily = lookback(context.scheduled_execution_time, fullbay.settings().lookback_days)
        if read_daily is None:
            yield dg.SkipReason(NOTHING_YET)
            return
        before = read_daily[0]
        # An invoice may be older than the first partition: re-dated, or loaded before FULLBAY_FIRST_DATE was moved.
        params = {"from": first_date(), "before": before}
        with warehouse.session("fullbay_open_balances") as session, session.connection.cursor() as cursor:
            cursor.execute(statement("fullbay/transforms/open_balance_dates"), params)
            dates = [row[0] for row in cursor.fetchall()]
        if not dates:
            yield dg.SkipReason(f"No invoice before {before} has an open balance.")
        for first, last in grouped(dates):
            yield range_request(first, last, "open balances")

    weekly_purge = dg.ScheduleDefinition(
        name="fullbay_purge_logs",
        job=fullbay_purge_logs,
        cron_schedule=WEEKLY_PURGE,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Deletes the records and logs of runs older than FULLBAY_LOG_RETENTION_DAYS, never invoices.",
    )
    return [fullbay_ingestion, fullbay_open_balances, weekly_purge]
