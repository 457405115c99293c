"""SCHEDULE_EXPRESSION -> a cron expression, from cron itself and from the two forms of EventBridge.

EventBridge writes six fields (with a year), counts Sunday as 1, and knows `rate(...)`. What cron cannot say exactly is
refused: a schedule that is almost what was asked for is worse than an error at start.
"""

from __future__ import annotations

import re

from resources.failures import PermanentError, permanent

DEFAULT_EXPRESSION = "rate(1 day)"

_RATE = re.compile(r"rate\(\s*(\d{1,4})\s+(minute|minutes|hour|hours|day|days)\s*\)", re.IGNORECASE)
_CRON = re.compile(r"cron\((.*)\)", re.IGNORECASE | re.DOTALL)
_FIVE_FIELDS = re.compile(r"[0-9*,/-]+ [0-9*,/-]+ [0-9*,/-]+ [0-9A-Z*,/-]+ [0-9A-Z*,/-]+", re.IGNORECASE)
_DAY_NUMBER = re.compile(r"(?<![/\w])([1-7])(?!\w)")


def to_cron(expression: str) -> str:
    """A five-field cron expression in UTC. Raises `PermanentError` naming the expression and what is wrong with it.

    >>> to_cron("rate(6 hours)")
    '0 */6 * * *'
    >>> to_cron("cron(0 9 ? * MON-FRI *)")
    '0 9 * * MON-FRI'
    """
    text = expression.strip()
    rate, cron = _RATE.fullmatch(text), _CRON.fullmatch(text)
    if rate:
        result = _from_rate(text, int(rate[1]), rate[2].lower().rstrip("s"))
    elif cron:
        result = _from_event_bridge(text, cron[1].split())
    else:
        result = " ".join(text.split())
    if not _FIVE_FIELDS.fullmatch(result):
        raise _refused(text, "no valid expression")
    return result


def _from_rate(text: str, number: int, unit: str) -> str:
    if unit == "minute" and number and 60 % number == 0:
        return "* * * * *" if number == 1 else f"*/{number} * * * *" if number < 60 else "0 * * * *"
    if unit == "hour" and number and 24 % number == 0:
        return "0 * * * *" if number == 1 else f"0 */{number} * * *" if number < 24 else "0 0 * * *"
    if unit == "day" and number == 1:
        return "0 0 * * *"
    if unit == "day" and number == 7:
        return "0 0 * * 0"
    raise _refused(text, f"a rate of {number} {unit}s, which does not divide an hour, a day or a week evenly")


def _from_event_bridge(text: str, fields: list[str]) -> str:
    if len(fields) != 6:
        raise _refused(text, f"{len(fields)} fields; EventBridge's cron has six")
    minute, hour, day_of_month, month, day_of_week, year = fields
    if year != "*":
        raise _refused(text, f"the year {year}; cron repeats every year")
    if re.search(r"[LW#]", day_of_month + re.sub(r"[A-Z]{3}", "", day_of_week.upper())):
        raise _refused(text, "L, W or #, which cron does not have")
    # EventBridge counts Sunday as 1, cron as 0; the step after a slash is no day.
    days = _DAY_NUMBER.sub(lambda match: str(int(match[1]) - 1), day_of_week)
    minute, hour = _stepped(minute, 59), _stepped(hour, 23)
    return " ".join([minute, hour, day_of_month.replace("?", "*"), month, days.replace("?", "*")])


def _stepped(field: str, last: int) -> str:
    """EventBridge's `5/15` (from 5 on, every 15) as the range with a step that every cron reads."""
    return re.sub(r"(?<![-\d])(\d+)/(\d+)", rf"\1-{last}/\2", field)


def _refused(text: str, found: str) -> PermanentError:
    return permanent(
        f"reading SCHEDULE_EXPRESSION {text!r}",
        found=found,
        do_next="Write a cron expression (0 6 * * *), rate(15 minutes | 6 hours | 1 day) or cron(0 9 ? * MON-FRI *).",
    )
