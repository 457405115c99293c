"""The page of checks is the code's."""

from __future__ import annotations

from odoo_apn_assets.checks_document import PAGE, text


def test_the_page_is_current() -> None:
    """Otherwise: python -m odoo_apn_assets.checks_document."""
    assert PAGE.read_text(encoding="utf-8") == text()
