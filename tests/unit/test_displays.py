"""What the UI is shown: charts that are images, links that are addresses, and no Markdown of a vendor's."""

from __future__ import annotations

import base64
import re
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from commerce_assets.displays import BARS, ROWS, answer_links, bar_chart, table
from commerce_assets.objects import UploadStore
from resources.settings import AwsSettings


def drawn(chart: str) -> ElementTree.Element:
    found = re.match(r"!\[[^\]]*\]\(data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)\)\n\n", chart)
    assert found is not None
    return ElementTree.fromstring(base64.b64decode(found[1]))


def test_a_chart_is_an_image_with_a_bar_for_each_code_and_its_numbers_below() -> None:
    chart = bar_chart({"INVALID_STOCK": 5, "INVALID_PRICE": 1_200}, "code")
    bars = [one for one in drawn(chart).iter("{http://www.w3.org/2000/svg}rect") if one.get("x")]
    assert [int(bar.get("width", "0")) for bar in bars] == [300, 2]
    assert "| INVALID\\_PRICE | 1,200 |\n| INVALID\\_STOCK | 5 |" in chart
    assert bar_chart({}, "code") == ""


@given(st.dictionaries(st.text(max_size=60), st.integers(0, 10**9), min_size=1, max_size=40))
def test_whatever_is_counted_the_chart_can_be_drawn(counts: dict[str, int]) -> None:
    texts = drawn(bar_chart(counts, "code")).findall("{http://www.w3.org/2000/svg}text")
    assert len(texts) == 2 * min(len(counts), BARS)


def test_a_vendors_text_is_text() -> None:
    shown = table(
        ("name",), [["![x](http://a.example) | <b>*\nbold"], *([str(number)] for number in range(30))]
    )
    assert r"\!\[x\](http://a.example) \| \<b\>\* bold" in shown
    assert f"and {31 - ROWS} more" in shown


def test_a_link_leads_to_the_object_in_the_console() -> None:
    store = UploadStore("uploads", AwsSettings(region="eu-central-1", endpoint_url=None))
    assert store.link("results/VEND001/UP%2F1/summary.html") == (
        "https://eu-central-1.console.aws.amazon.com/s3/object/uploads?region=eu-central-1"
        "&prefix=results%2FVEND001%2FUP%252F1%2Fsummary.html"
    )
    store.close()


def test_each_file_of_an_answer_is_linked() -> None:
    lines = answer_links(
        {"UP_1": {"summary_html": "a.html", "errors": "e.csv"}}, lambda key: f"http://s3/{key}"
    )
    assert lines == "- UP\\_1: [summary_html](http://s3/a.html), [errors](http://s3/e.csv)"
