"""What every materialization says about itself, in one form."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import dagster as dg


def materialized(
    *, row_count: int, dates: tuple[date, date] | None = None, **facts: object
) -> dg.MaterializeResult[Any]:
    """The result of an asset: its rows, the dates it covers, and facts such as rows read, stored, quarantined.

    Amounts are shown as text: metadata numbers are binary floats.
    """
    metadata: dict[str, Any] = {"dagster/row_count": row_count}
    if dates is not None:
        metadata["dates"] = f"{dates[0]} to {dates[1]}"
    metadata.update(shown(facts))
    return dg.MaterializeResult(metadata=metadata)


def shown(facts: Mapping[str, object]) -> dict[str, Any]:
    """Facts as metadata values; None is left out, decimals and dates become text, collections JSON.

    A metadata value, such as Markdown, stays what it is.
    """
    result: dict[str, Any] = {}
    for name, value in facts.items():
        if isinstance(value, dg.MetadataValue):  # before the collections: these are tuples, too
            result[name] = value
        elif isinstance(value, Decimal | date):
            result[name] = str(value)
        elif isinstance(value, dict | list | tuple):
            result[name] = dg.MetadataValue.json(_plain(value))
        elif value is not None:
            result[name] = value
    return result


def _plain(value: object) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if isinstance(value, int | float | str | bool | type(None)) else str(value)
