"""What a run's assets show in the UI: a chart of codes, tables, links to the answers.

Belongs here: Markdown from facts. Does not belong here: where the facts come from. What vendors wrote is escaped and
cut: it is shown to people who decide, in a page that also runs things.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from commerce_assets.answers import result_prefix

BARS: Final = 15
ROWS: Final = 20
_LONGEST_CELL = 60
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|!~])")
_BAR_HEIGHT, _LABEL_WIDTH, _BAR_WIDTH = 22, 260, 300


def bar_chart(counts: Mapping[str, int], of: str) -> str:
    """A bar for each of the largest counts, and the numbers as a table below it; "" when there are none."""
    ordered = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    if not ordered:
        return ""
    shown, most = ordered[:BARS], max(ordered[0][1], 1)
    width, height = _LABEL_WIDTH + _BAR_WIDTH + 90, _BAR_HEIGHT * len(shown) + 8
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif"'
        f' font-size="12"><rect width="{width}" height="{height}" fill="#ffffff"/>'
    ]
    for place, (name, number) in enumerate(shown):
        top, long = place * _BAR_HEIGHT + 6, max(2, round(_BAR_WIDTH * number / most))
        # An XML document may not hold every character, not even escaped.
        label = html.escape("".join(letter if letter.isprintable() else "?" for letter in name[:38]))
        parts.append(
            f'<text x="{_LABEL_WIDTH - 8}" y="{top + 12}" text-anchor="end" fill="#1d2530">{label}</text>'
            f'<rect x="{_LABEL_WIDTH}" y="{top}" width="{long}" height="16" fill="#b3261e"/>'
            f'<text x="{_LABEL_WIDTH + long + 6}" y="{top + 12}" fill="#1d2530">{number:,}</text>'
        )
    numbers = table((of, "rows"), [(name, f"{number:,}") for name, number in ordered])
    return picture("".join((*parts, "</svg>")), f"{of} by number of rows") + f"\n\n{numbers}"


def picture(svg: str, title: str) -> str:
    """Markdown with an SVG inside: the UI takes images with a `data:` address, and nothing has to be stored for it."""
    return f"![{title}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table of plain text, cut after 20 rows; "" without rows."""
    if not rows:
        return ""
    lines = [head, ["---"] * len(head), *([_cell(cell) for cell in row] for row in rows[:ROWS])]
    text = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return text + (f"\n\nand {len(rows) - ROWS:,} more" if len(rows) > ROWS else "")


def answer_links(answers: Mapping[str, Mapping[str, str]], link: Callable[[str], str]) -> str:
    """A line for each upload, with a link to each file of its answer (`link`: of a key); "" without uploads."""
    lines = []
    for upload_id, keys in list(answers.items())[:ROWS]:
        links = ", ".join(f"[{kind}]({link(key)})" for kind, key in keys.items())
        lines.append(f"- {_cell(upload_id, 100)}: {links}")
    if len(answers) > ROWS:
        lines.append(f"- and {len(answers) - ROWS:,} more")
    return "\n".join(lines)


def summary_key(vendor_id: str, upload_id: str) -> str:
    """Where the summary of an upload is, once it is answered."""
    return result_prefix(vendor_id, upload_id) + "summary.html"


def _cell(value: object, longest: int = _LONGEST_CELL) -> str:
    text = "" if value is None else " ".join(str(value).split())
    cut = text[:longest] + ("..." if len(text) > longest else "")
    return _SPECIAL.sub(r"\\\1", cut)
