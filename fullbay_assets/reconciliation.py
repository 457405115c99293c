"""Tax per line, and every identity an invoice must obey, on the payload and on the lines made from it.

`reconcile` is what the rest of the project calls: document in, lines out, each identity checked. A difference of up to
five cents becomes a ROUNDING line and is recorded; a larger one is recorded and the invoice marked. Amounts stay.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from fullbay_assets.flattening import (
    FlatInvoice,
    FlatteningRules,
    Line,
    flatten,
    header_sum,
    sublet_is_extra,
)
from fullbay_assets.parsing import (
    CENT,
    HUNDRED,
    ZERO,
    InvalidField,
    amount,
    cents,
    child,
    children,
    number,
)
from fullbay_assets.rules import ROUNDING_LIMIT, TOLERANCE, Finding

_DEFAULT_RULES = FlatteningRules()


def reconcile(invoice: dict[str, Any], rules: FlatteningRules = _DEFAULT_RULES) -> FlatInvoice:
    """The lines of one invoice, taxed, with a ROUNDING line where needed, and everything that did not hold.

    Raises `InvalidInvoice` when a value cannot be read.
    """
    flat = flatten(invoice, rules)
    try:
        order = child(invoice, "ServiceOrder")
        _tax_lines(invoice, flat)
        _check_header(invoice, flat)
        _check_tree(invoice, order, flat)
        _check_lines(invoice, flat)
    except InvalidField as error:
        raise error.located(invoice) from None
    return flat


def _total(lines: Iterable[Line]) -> Decimal:
    return sum((line.line_total_price for line in lines), ZERO)


def _expect(
    flat: FlatInvoice,
    rule: str,
    expected: Decimal,
    actual: Decimal,
    path: str = "",
    note: str = "",
    tolerance: Decimal = TOLERANCE,
) -> None:
    """Record a finding unless both sides, rounded to cents, are within the tolerance."""
    if expected == actual:
        return
    difference = cents(expected) - cents(actual)
    if abs(difference) > tolerance:
        flat.findings.append(Finding(rule, str(cents(expected)), str(cents(actual)), difference, path, note))


def _tax_lines(invoice: dict[str, Any], flat: FlatInvoice) -> None:
    """Write rate and tax on every line so that their sum is the invoice's taxTotal to the cent.

    Half up per line, negative lines too (a returned taxable part gives its tax back); what is left goes to the largest
    taxable line. When the taxable lines do not explain the tax at all, it is spread over them by amount and recorded.
    """
    stated = cents(amount(invoice, "taxTotal"))
    information = child(invoice, "TaxInformation")
    rate = number(information, "taxRate")
    if rate is None:
        rate = amount(invoice, "taxRate")
    taxable = [line for line in flat.lines if line.taxable]
    if not stated:
        return
    for line in taxable:
        line.tax_rate = rate
        line.tax_amount = cents(line.line_total_price * rate / HUNDRED)
    left = stated - sum((line.tax_amount for line in taxable), ZERO)
    base = _total(taxable)
    _expect(
        flat, "I4_TAX_BASE", stated, cents(base * rate / HUNDRED), "taxTotal", f"rate {rate}, base {base}"
    )
    if not left:
        return
    if taxable and abs(left) <= CENT * len(taxable):
        max(taxable, key=_size).tax_amount += left
        return
    _spread(stated, taxable or flat.lines)


def _size(line: Line) -> Decimal:
    return abs(line.line_total_price)


def _spread(tax: Decimal, lines: list[Line]) -> None:
    """Spread a tax over lines by amount, the largest taking what rounding leaves.

    Where lines have both signs the absolute amounts count: a sum near zero would blow the shares up.
    """
    if not lines:
        return
    signs = {line.line_total_price > 0 for line in lines if line.line_total_price}
    weights = [_size(line) if len(signs) > 1 else line.line_total_price for line in lines]
    base = sum(weights, ZERO)
    for line, weight in zip(lines, weights, strict=True):
        line.tax_amount = cents(tax * weight / base) if base else ZERO
    max(lines, key=_size).tax_amount += tax - sum((line.tax_amount for line in lines), ZERO)


def _check_header(invoice: dict[str, Any], flat: FlatInvoice) -> None:
    subtotal, tax, total = amount(invoice, "subTotal"), amount(invoice, "taxTotal"), amount(invoice, "total")
    parts = header_sum(invoice)
    if sublet_is_extra(invoice):
        parts += amount(invoice, "subletLaborTotal")
    _expect(flat, "I1_SUBTOTAL", subtotal, parts, "subTotal")
    _expect(flat, "I2_TOTAL", total, subtotal + tax, "total")
    information = child(invoice, "TaxInformation")
    if information:
        _expect(flat, "I3_TAX_LINES", tax, amount(information, "taxTotal"), "TaxInformation.taxTotal")
        rows = children(information, "TaxLineInformation")
        if rows:
            found = sum((amount(row, "taxTotal") for row in rows), ZERO)
            _expect(flat, "I3_TAX_LINES", tax, found, "TaxInformation.TaxLineInformation")
    balance = amount(invoice, "balance")
    if total > 0 and not 0 <= balance <= total:
        flat.findings.append(
            Finding("I10_BALANCE", f"0 to {cents(total)}", str(cents(balance)), None, "balance")
        )


_ORDER_SUMS = (
    ("I5_ORDER_LABOR", "laborTotal"),
    ("I5_ORDER_PARTS", "partsTotal"),
    ("I5_ORDER_PARTS_COST", "partsCostTotal"),
    ("I5_ORDER_HOURS", "laborHoursTotal"),
    ("I5_ORDER_ACTUAL_HOURS", "actualHoursTotal"),
)
_COMPLAINT_SUMS = (
    ("I6_COMPLAINT_LABOR", "laborTotal"),
    ("I6_COMPLAINT_PARTS", "partsTotal"),
    ("I6_COMPLAINT_HOURS", "laborHoursTotal"),
)


def _check_tree(invoice: dict[str, Any], order: dict[str, Any], flat: FlatInvoice) -> None:
    complaints = children(order, "Complaints")
    for rule, field in _ORDER_SUMS:
        stated = number(order, field)
        if stated is not None:
            _expect(flat, rule, stated, _sum_of(complaints, field), f"ServiceOrder.{field}")
    for number_of, complaint in enumerate(complaints):
        corrections = children(complaint, "Corrections")
        if not corrections:
            continue
        for rule, field in _COMPLAINT_SUMS:
            stated = number(complaint, field)
            if stated is not None:
                where = f"ServiceOrder.Complaints[{number_of}].{field}"
                _expect(flat, rule, stated, _sum_of(corrections, field), where)
    charges = children(order, "MiscCharges")
    _expect(
        flat, "I8_CHARGES", amount(invoice, "miscChargeTotal"), _sum_of(charges, "amount"), "miscChargeTotal"
    )
    for number_of, charge in enumerate(charges):
        quantity, rate, stated = number(charge, "quantity"), number(charge, "rate"), number(charge, "amount")
        if stated is not None and quantity is not None and rate is not None:
            _expect(
                flat,
                "I8_CHARGE_AMOUNT",
                stated,
                quantity * rate,
                f"ServiceOrder.MiscCharges[{number_of}].amount",
            )
    for rule, field in (("I9_INVOICE_LABOR", "laborTotal"), ("I9_INVOICE_PARTS", "partsTotal")):
        stated = number(order, field)
        if stated is not None:
            _expect(flat, rule, amount(invoice, field), stated, field)


def _sum_of(items: list[dict[str, Any]], field: str) -> Decimal:
    return sum((amount(item, field) for item in items), ZERO)


_LINE_SUMS = (
    ("LINES_PARTS", "PARTS", "partsTotal"),
    ("LINES_LABOR", "LABOR", "laborTotal"),
    ("LINES_SUPPLIES", "SUPPLIES", "suppliesTotal"),
    ("LINES_CHARGES", "CHARGES", "miscChargeTotal"),
    ("LINES_SERVICE_CALLS", "SERVICE_CALLS", "serviceCallTotal"),
    ("LINES_MILEAGE", "MILEAGE", "mileageTotal"),
)


def _check_lines(invoice: dict[str, Any], flat: FlatInvoice) -> None:
    by_source: dict[str, Decimal] = {}
    for line in flat.lines:
        by_source[line.source] = by_source.get(line.source, ZERO) + line.line_total_price
    for rule, source, field in _LINE_SUMS:
        _expect(flat, rule, amount(invoice, field), by_source.get(source, ZERO), field)
    subtotal, tax = cents(amount(invoice, "subTotal")), cents(amount(invoice, "taxTotal"))
    lines = sum(by_source.values(), ZERO)
    line_tax = sum((line.tax_amount for line in flat.lines), ZERO)
    _expect(flat, "LINES_SUBTOTAL", subtotal, lines, "subTotal")
    _expect(flat, "LINES_TAX", tax, line_tax, "taxTotal")
    # Without tolerance: each ROUNDING line, of one cent too, is on record.
    _expect(flat, "LINES_TOTAL", flat.total, lines + line_tax, "total", tolerance=ZERO)
    left = flat.total - lines - line_tax
    if left and abs(left) <= ROUNDING_LIMIT:
        flat.lines.append(
            Line("ROUNDING", part_description="Rounding difference", line_total_price=left, source="ROUNDING")
        )
    if not flat.lines:
        # Every stored invoice has a line: the summaries count invoices and their totals through the lines.
        flat.lines.append(Line("MISC", part_description="Invoice without billable lines"))
