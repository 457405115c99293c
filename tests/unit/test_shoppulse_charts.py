"""The dashboards' pictures."""

from __future__ import annotations

import base64
import xml.etree.ElementTree as ET
from datetime import date
from decimal import Decimal

from commerce_assets.shoppulse.charts import Point, dashboard

SVG = "{http://www.w3.org/2000/svg}"


def picture(markdown: str) -> ET.Element:
    return ET.fromstring(base64.b64decode(markdown.partition("base64,")[2].rstrip(")")))


def points(*values: int | None) -> list[Point]:
    return [(date(2026, 3, 1 + n), None if v is None else Decimal(v)) for n, v in enumerate(values)]


def test_every_metric_has_a_chart_with_its_latest_value() -> None:
    drawn = picture(
        dashboard({"orders": points(1, 3, 2), "aov": points(5)}, {"orders": "count", "aov": "money"})
    )
    texts = [text.text for text in drawn.iter(f"{SVG}text")]
    assert {"orders", "2 count on 2026-03-03", "1 to 3, from 2026-03-01", "aov"} <= set(texts)
    assert len(list(drawn.iter(f"{SVG}polyline"))) == 2


def test_a_day_without_a_value_is_a_gap_and_not_a_line() -> None:
    drawn = picture(dashboard({"ctr": points(None, 1, 2, None, 3)}, {}))
    assert len(list(drawn.iter(f"{SVG}polyline"))) == 2


def test_nothing_to_draw_is_said() -> None:
    assert dashboard({}, {}) == "No metrics yet."
    drawn = picture(dashboard({"<cac>": points(None, None)}, {}))
    assert [text.text for text in drawn.iter(f"{SVG}text")] == ["<cac>", "nothing could be counted"]
