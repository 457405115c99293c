"""The one table: who, how long, how much CPU, which ratio, what was asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks.measuring import Series


@dataclass(frozen=True)
class Asked:
    """What is to be reached: at most `bound` times the other side's time, or at least `bound` times its speed."""

    side: Literal["at most", "at least"]
    bound: float
    rss: float | None = None

    def ratio(self, ours: float, theirs: float) -> float:
        """The ratio as it is asked for; both figures are of one unit."""
        cost = ours / theirs if theirs else float("inf")
        return cost if self.side == "at most" else 1 / cost

    def reached(self, ratio: float, rss: float | None) -> bool:
        if self.rss is not None and (rss is None or rss > self.rss):
            return False
        return ratio <= self.bound if self.side == "at most" else ratio >= self.bound

    def text(self) -> str:
        sign = "<=" if self.side == "at most" else ">="
        return f"{sign} {_ratio(self.bound)}"


@dataclass(frozen=True)
class Row:
    """One comparison. `counts` says whether the figure is the one asked for, or stands beside it for information."""

    benchmark: str
    what: str
    against: str
    ours: Series
    theirs: Series
    asked: Asked
    rss: float | None = None
    counts: bool = True

    @property
    def ratio(self) -> float:
        return self.asked.ratio(self.ours.seconds / self.ours.units, self.theirs.seconds / self.theirs.units)

    @property
    def cpu_ratio(self) -> float:
        return self.asked.ratio(
            (self.ours.client_cpu + self.ours.server_cpu) / self.ours.units,
            (self.theirs.client_cpu + self.theirs.server_cpu) / self.theirs.units,
        )

    def cells(self) -> list[str]:
        asked, reached, rss = "", "", ""
        if self.counts:
            asked = self.asked.text()
            reached = "yes" if self.asked.reached(self.ratio, self.rss) else "no"
        if self.rss is not None:
            rss = f"{self.rss:.0f}" + (f" (<= {self.asked.rss:.0f})" if self.asked.rss is not None else "")
        return [
            self.benchmark,
            self.what,
            self.against,
            _seconds(self.ours),
            _seconds(self.theirs),
            _cpu(self.ours),
            _cpu(self.theirs),
            _ratio(self.ratio),
            _ratio(self.cpu_ratio),
            asked,
            reached,
            rss,
        ]


HEADINGS = [
    "benchmark",
    "ours",
    "limit or peer",
    "ours, s",
    "theirs, s",
    "ours, CPU s",
    "theirs, CPU s",
    "ratio",
    "CPU ratio",
    "asked",
    "reached",
    "our RSS, MiB",
]


def table(rows: Sequence[Row]) -> str:
    """The table as text, which is also Markdown."""
    lines = [HEADINGS, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]

    def line(cells: Sequence[str]) -> str:
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        return f"| {' | '.join(padded)} |"

    rule = f"|{'|'.join('-' * (width + 2) for width in widths)}|"
    return "\n".join([line(lines[0]), rule, *map(line, lines[1:])])


def _seconds(series: Series) -> str:
    low, high = series.spread
    digits = 3 if series.seconds < 1 else 2
    return f"{series.seconds:.{digits}f} ({low:.{digits}f}-{high:.{digits}f})"


def _cpu(series: Series) -> str:
    digits = 2 if series.client_cpu + series.server_cpu < 1 else 1
    return f"{series.client_cpu:.{digits}f} + {series.server_cpu:.{digits}f}"


def _ratio(value: float) -> str:
    """`1/85` for what is asked as a fraction, else two decimals."""
    return f"1/{1 / value:.0f}" if 0 < value < 0.1 else f"{value:.2f}"
