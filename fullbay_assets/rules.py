"""The rules every invoice is held against, and what one of them found.

One place for codes, wording and weight, so that the log rows, the asset metadata and `docs/fullbay.md` say the same.
How a rule is computed belongs to `reconciliation`.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import msgspec

RULE_VERSION = "1"
"""Stands on every quarantined record and validation row; raised when a rule or the flattening changes its outcome."""

TOLERANCE = Decimal("0.01")
"""An identity holds when both sides, rounded to cents, differ by no more."""

ROUNDING_LIMIT = Decimal("0.05")
"""A larger difference is never covered by a ROUNDING line."""

Impact = Literal["LOW", "MEDIUM", "HIGH", "CRITICAL"]


class Rule(msgspec.Struct, frozen=True):
    """A rule: `money` ones decide whether an invoice counts as reconciled, the others only describe it."""

    code: str
    description: str
    impact: Impact
    money: bool = True


RULES = {
    rule.code: rule
    for rule in (
        Rule(
            "I1_SUBTOTAL", "subTotal = parts + labor + supplies + charges + service calls + mileage", "HIGH"
        ),
        Rule("I2_TOTAL", "total = subTotal + taxTotal", "CRITICAL"),
        Rule("I3_TAX_LINES", "taxTotal = TaxInformation.taxTotal = sum of its lines", "HIGH"),
        Rule("I4_TAX_BASE", "taxTotal = tax rate x taxable lines", "MEDIUM", money=False),
        Rule("I5_ORDER_LABOR", "ServiceOrder.laborTotal = sum of complaints", "HIGH"),
        Rule("I5_ORDER_PARTS", "ServiceOrder.partsTotal = sum of complaints", "HIGH"),
        Rule("I5_ORDER_PARTS_COST", "ServiceOrder.partsCostTotal = sum of complaints", "MEDIUM", money=False),
        Rule("I5_ORDER_HOURS", "ServiceOrder.laborHoursTotal = sum of complaints", "MEDIUM", money=False),
        Rule(
            "I5_ORDER_ACTUAL_HOURS", "ServiceOrder.actualHoursTotal = sum of complaints", "LOW", money=False
        ),
        Rule("I6_COMPLAINT_LABOR", "Complaint.laborTotal = sum of corrections", "HIGH"),
        Rule("I6_COMPLAINT_PARTS", "Complaint.partsTotal = sum of corrections", "HIGH"),
        Rule("I6_COMPLAINT_HOURS", "Complaint.laborHoursTotal = sum of corrections", "MEDIUM", money=False),
        Rule("I7_CORRECTION_PARTS", "Correction.partsTotal = sum of its part lines", "HIGH"),
        Rule("I8_CHARGES", "miscChargeTotal = sum of MiscCharges.amount", "HIGH"),
        Rule("I8_CHARGE_AMOUNT", "MiscCharges.amount = quantity x rate", "LOW", money=False),
        Rule("I9_INVOICE_LABOR", "invoice laborTotal = ServiceOrder.laborTotal", "HIGH"),
        Rule("I9_INVOICE_PARTS", "invoice partsTotal = ServiceOrder.partsTotal", "HIGH"),
        Rule("I10_BALANCE", "balance between 0 and total", "LOW", money=False),
        Rule("LINES_PARTS", "lines made from parts = partsTotal", "HIGH"),
        Rule("LINES_LABOR", "lines made from labor = laborTotal", "HIGH"),
        Rule("LINES_SUPPLIES", "supply line = suppliesTotal", "HIGH"),
        Rule("LINES_CHARGES", "lines made from charges = miscChargeTotal", "HIGH"),
        Rule("LINES_SERVICE_CALLS", "service call lines = serviceCallTotal", "HIGH"),
        Rule("LINES_MILEAGE", "mileage lines = mileageTotal", "HIGH"),
        Rule("LINES_SUBTOTAL", "all lines = subTotal", "CRITICAL"),
        Rule("LINES_TAX", "tax of all lines = taxTotal", "CRITICAL"),
        Rule("LINES_TOTAL", "all lines and their tax = total", "CRITICAL"),
        Rule("PORTIONS", "technician portions of a complaint add up to 100", "LOW", money=False),
        Rule("RETURNS_READING", "returned quantities close the sum of the correction", "LOW", money=False),
        Rule("CORE_TYPE", "core type is one of None, Dirty, Inherent", "LOW", money=False),
        Rule("TEXT_CUT", "texts fit their columns", "LOW", money=False),
        Rule("ID_DROPPED", "ids are whole numbers that fit their columns", "LOW", money=False),
    )
}


class Finding(msgspec.Struct, frozen=True):
    """One rule that did not hold for one invoice: what it demanded, what was there, where, and what was done."""

    rule: str
    expected: str
    actual: str
    difference: Decimal | None = None
    path: str = ""
    note: str = ""

    @property
    def small(self) -> bool:
        """At most the difference that a ROUNDING line may cover."""
        return self.difference is not None and abs(self.difference) <= ROUNDING_LIMIT

    @property
    def corrected(self) -> bool:
        """A ROUNDING line covers it."""
        return self.rule == "LINES_TOTAL" and self.small

    @property
    def breaks_reconciliation(self) -> bool:
        return RULES[self.rule].money and not self.small

    @property
    def handled(self) -> str:
        if self.corrected:
            return "ROUNDING line"
        return "stored and marked" if self.breaks_reconciliation else "recorded"
