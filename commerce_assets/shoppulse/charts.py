"""Small charts of metrics by day, as one SVG picture for the metadata of a materialization.

Belongs here: drawing. Does not belong here: which metrics, and where their numbers come from. A plotting library would
cost its import in every run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from xml.sax.saxutils import escape

from commerce_assets.displays import picture

Point = tuple[date, Decimal | None]

_WIDTH, _HEIGHT, _COLUMNS = 320, 110, 2
_LEFT, _TOP, _PLOT_WIDTH, _PLOT_HEIGHT = 10, 34, 300, 56


def dashboard(series: Mapping[str, Sequence[Point]], units: Mapping[str, str]) -> str:
    """Markdown of one picture: a chart for each name, with its unit, latest value and range of days."""
    if not series:
        return "No metrics yet."
    rows = -(-len(series) // _COLUMNS)
    charts = "".join(
        f'<g transform="translate({number % _COLUMNS * _WIDTH} {number // _COLUMNS * _HEIGHT})">'
        f"{_chart(name, units.get(name, ''), points)}</g>"
        for number, (name, points) in enumerate(series.items())
    )
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH * _COLUMNS}" height="{_HEIGHT * rows}"'
        ' font-family="sans-serif" font-size="11" fill="#444"><rect width="100%" height="100%" fill="#fff"/>'
        f"{charts}</svg>"
    )
    return picture(svg, "metrics by day")


def _chart(name: str, unit: str, points: Sequence[Point]) -> str:
    known = [(day, value) for day, value in points if value is not None]
    title = f'<text x="{_LEFT}" y="16" font-size="13" fill="#111">{escape(name)}</text>'
    if not known:
        return f'{title}<text x="{_LEFT}" y="60">nothing could be counted</text>'
    first, last = points[0][0], points[-1][0]
    latest_day, latest = known[-1]
    caption = f"{shown(latest)} {unit} on {latest_day:%Y-%m-%d}"
    low, high = min(value for _, value in known), max(value for _, value in known)
    marks = "".join(
        f'<polyline points="{" ".join(_places(part, first, last, low, high))}" fill="none" stroke="#2f6f9f"'
        ' stroke-width="1.5" stroke-linecap="round"/>'
        for part in _parts(points)
    )
    return (
        f'{title}<text x="{_LEFT + _PLOT_WIDTH}" y="16" text-anchor="end">{escape(caption)}</text>'
        f'<text x="{_LEFT}" y="30" font-size="9">{shown(low)} to {shown(high)}, from {first:%Y-%m-%d}</text>{marks}'
    )


def _parts(points: Sequence[Point]) -> list[list[tuple[date, Decimal]]]:
    """The stretches without a gap: a day that has no value is not drawn over."""
    parts: list[list[tuple[date, Decimal]]] = [[]]
    for day, value in points:
        if value is not None:
            parts[-1].append((day, value))
        elif parts[-1]:
            parts.append([])
    return [part for part in parts if part]


def _places(
    part: Sequence[tuple[date, Decimal]], first: date, last: date, low: Decimal, high: Decimal
) -> list[str]:
    days, span = max((last - first).days, 1), high - low
    places = [
        f"{_LEFT + _PLOT_WIDTH * (day - first).days / days:.1f},"
        f"{_TOP + _PLOT_HEIGHT * (1 - float((value - low) / span if span else Decimal('0.5'))):.1f}"
        for day, value in part
    ]
    # A line of one point is drawn as a dot: its ends are round.
    return places if len(places) > 1 else places * 2


def shown(value: Decimal) -> str:
    """Short for a caption: 12,345 or 0.8765."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
