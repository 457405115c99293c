"""The page of rules is the code's."""

from __future__ import annotations

from commerce_assets.rules_document import PAGE, text


def test_the_page_is_current() -> None:
    """Otherwise: python -m commerce_assets.rules_document."""
    assert PAGE.read_text(encoding="utf-8") == text()
