"""Schedules as the seed writes them, and what cron cannot say."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from fullbay_assets.automation import grouped, lookback
from fullbay_assets.schedule_expression import to_cron
from resources.failures import PermanentError


@pytest.mark.parametrize(
    ("expression", "cron"),
    [
        ("rate(1 day)", "0 0 * * *"),
        ("cron(0 0 * * ? *)", "0 0 * * *"),
        ("rate(6 hours)", "0 */6 * * *"),
        ("cron(0 9 ? * MON-FRI *)", "0 9 * * MON-FRI"),
        ("rate(15 minutes)", "*/15 * * * *"),
        ("rate(1 minute)", "* * * * *"),
        ("rate(60 minutes)", "0 * * * *"),
        ("rate(24 hours)", "0 0 * * *"),
        ("rate(7 days)", "0 0 * * 0"),
        ("cron(0/15 8-17 ? * 2-6 *)", "0-59/15 8-17 * * 1-5"),
        ("cron(0 9 ? * 1,7 *)", "0 9 * * 0,6"),
        ("0 6 * * *", "0 6 * * *"),
        ("  30  2 * * 1-5 ", "30 2 * * 1-5"),
    ],
)
def test_both_dialects(expression: str, cron: str) -> None:
    assert to_cron(expression) == cron


@pytest.mark.parametrize(
    "expression",
    [
        *(
            "rate(7 hours)",
            "rate(45 minutes)",
            "rate(0 days)",
            "rate(day)",
            "rate(3 days)",
            "cron(0 9 * * MON)",
        ),
        *(
            "cron(0 9 L * ? *)",
            "cron(0 9 ? * 6#3 *)",
            "cron(0 9 ? * MON 2027)",
            "every day",
            "* * * *",
            "; drop",
        ),
    ],
)
def test_what_cron_cannot_say_is_refused_with_the_expression(expression: str) -> None:
    with pytest.raises(PermanentError) as refused:
        to_cron(expression)
    assert expression.strip() in str(refused.value)
    assert "rate(15 minutes" in str(refused.value)


def test_the_lookback_ends_yesterday_and_starts_no_earlier_than_the_first_partition() -> None:
    assert lookback(datetime(2026, 11, 20, 0, 0, tzinfo=UTC), 30) == (date(2026, 10, 21), date(2026, 11, 19))
    assert lookback(datetime(2021, 1, 5, tzinfo=UTC), 30) == (date(2021, 1, 1), date(2021, 1, 4))


def test_before_the_first_partition_has_ended_there_is_nothing_to_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The range ended before it began, and the run failed."""
    monkeypatch.setenv("FULLBAY_FIRST_DATE", "2026-11-20")
    assert lookback(datetime(2026, 11, 20, 9, 0, tzinfo=UTC), 30) is None
    assert lookback(datetime(2026, 11, 21, 0, 0, tzinfo=UTC), 30) == (date(2026, 11, 20), date(2026, 11, 20))


def test_dates_close_to_each_other_share_a_run() -> None:
    days = [date(2026, 1, 1), date(2026, 1, 3), date(2026, 1, 10), date(2026, 2, 1)]
    assert list(grouped(days)) == [(days[0], days[2]), (days[3], days[3])]
    assert list(grouped([])) == []
