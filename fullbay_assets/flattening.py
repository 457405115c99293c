"""An invoice document -> its lines: parts, labor, supplies, charges, service calls, mileage, each with its tax.

Pure: no clock, no database. Which lines an invoice has and what each is worth is decided here; their tax, and whether
they add up to what the invoice says, is decided by `reconciliation`, which calls `flatten` first.

Rules worth knowing (the reasons stand in docs/fullbay.md):
* one line per part; quantity = ordered - returned; a line of quantity 0 is left out, a negative one is kept;
* a dirty core is a refund of what was returned (`DirtyCores` switches to the other reading);
* labor: one line per correction and technician, money and hours split by portion, the last line takes the rest;
* money that stands only on a higher level (a complaint without corrections, charges without rows) becomes one line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from itertools import accumulate, pairwise
from typing import Any, Literal

import msgspec

from fullbay_assets.parsing import (
    CENT,
    HUNDRED,
    NO_CENTS,
    ZERO,
    InvalidField,
    amount,
    cents,
    child,
    children,
    day,
    integer_id,
    key,
    losses,
    moment,
    number,
    switch,
    text,
)
from fullbay_assets.rules import TOLERANCE, Finding

DirtyCores = Literal["refund", "charge"]
Source = Literal[
    "PARTS", "LABOR", "SUPPLIES", "CHARGES", "SERVICE_CALLS", "MILEAGE", "SUBLET", "ROUNDING", "NONE"
]

INVOICE_COLUMNS = (
    *("fullbay_invoice_id", "invoice_number", "invoice_date", "due_date", "exported"),
    *("shop_title", "shop_email", "shop_physical_address"),
    *(
        "customer_id",
        "customer_title",
        "customer_external_id",
        "customer_main_phone",
        "customer_secondary_phone",
    ),
    *("customer_billing_employee", "customer_billing_email", "customer_billing_address"),
    *("fullbay_service_order_id", "repair_order_number", "service_order_created", "service_order_start_date"),
    *("service_order_completion_date", "service_order_description"),
    *(
        "unit_id",
        "unit_number",
        "unit_nickname",
        "unit_type",
        "unit_subtype",
        "unit_year",
        "unit_make",
        "unit_model",
    ),
    *("unit_vin", "unit_license_plate"),
    *(
        "primary_technician",
        "primary_technician_number",
        "parts_manager",
        "parts_manager_number",
        "quickbooks_id",
    ),
    *("invoice_misc_charge_total", "invoice_service_call_total", "invoice_mileage_total"),
    *(
        "invoice_mileage_cost_total",
        "invoice_parts_total",
        "invoice_labor_hours_total",
        "invoice_labor_total",
    ),
    *("invoice_sublet_labor_total", "invoice_supplies_total", "invoice_subtotal", "invoice_tax_total"),
    *("invoice_total", "invoice_balance"),
    *(
        "so_total_parts_cost",
        "so_total_parts_price",
        "so_total_labor_hours",
        "so_total_labor_cost",
        "so_subtotal",
    ),
    *("so_tax_total", "so_total_amount", "ingestion_source"),
)
COMPLAINT_COLUMNS = (
    *("fullbay_complaint_id", "complaint_type", "complaint_subtype", "complaint_note", "complaint_cause"),
    *("complaint_cause_type", "complaint_authorized", "complaint_severity", "complaint_mileage_rate"),
    "complaint_labor_rate",
)
CORRECTION_COLUMNS = (
    *("fullbay_correction_id", "correction_title", "global_component", "global_system", "global_service"),
    *("unit_service", "recommended_correction", "actual_correction", "correction_performed"),
    *("correction_pre_authorized", "correction_pre_paid"),
)

_FREIGHT = re.compile(r"\bFREIGHT\b", re.IGNORECASE)
_CORE_TYPES = ("", "none", "dirty", "inherent")
_FINE_HOURS = Decimal("0.0001")
_INGESTION_SOURCE = "fullbay_api"


class Line(msgspec.Struct, gc=False):
    """One line of an invoice. The fields up to `quickbooks_item_type` are the columns of fullbay_line_items in order.

    Amounts in dollars, two decimals; hours billed (`labor_hours`) and clocked (`actual_hours`).
    """

    line_item_type: str
    fullbay_part_id: int | None = None
    part_description: str | None = None
    shop_part_number: str | None = None
    vendor_part_number: str | None = None
    part_category: str | None = None
    part_manufacturer: str | None = None
    labor_description: str | None = None
    labor_rate_type: str | None = None
    assigned_technician: str | None = None
    assigned_technician_number: str | None = None
    assigned_technician_actual_hours: Decimal | None = None
    assigned_technician_portion: int | None = None
    quantity: Decimal | None = None
    to_be_returned_quantity: Decimal | None = None
    returned_quantity: Decimal | None = None
    labor_hours: Decimal | None = None
    actual_hours: Decimal | None = None
    unit_cost: Decimal | None = None
    unit_price: Decimal | None = None
    line_total_cost: Decimal | None = None
    line_total_price: Decimal = ZERO
    price_overridden: bool = False
    taxable: bool = False
    tax_rate: Decimal = ZERO
    tax_amount: Decimal = ZERO
    inventory_item: bool = False
    core_type: str | None = None
    sublet: bool = False
    quickbooks_account: str | None = None
    quickbooks_item: str | None = None
    quickbooks_item_type: str | None = None
    source: Source = "NONE"
    complaint: tuple[Any, ...] | None = None
    correction: tuple[Any, ...] | None = None


LINE_COLUMNS = Line.__struct_fields__[:32]


class FlatInvoice(msgspec.Struct):
    """An invoice with its lines and what did not hold; `invoice_values` follows INVOICE_COLUMNS."""

    invoice_id: str
    invoice_date: date
    customer_id: int | None
    unit_vin: str | None
    total: Decimal
    invoice_values: tuple[Any, ...]
    lines: list[Line]
    findings: list[Finding]

    @property
    def reconciled(self) -> bool:
        return not any(finding.breaks_reconciliation for finding in self.findings)

    def rows(self) -> Iterator[dict[str, Any]]:
        """The lines as full rows, column name -> value."""
        for line in self.lines:
            yield {
                **dict(zip(INVOICE_COLUMNS, self.invoice_values, strict=True)),
                **dict(
                    zip(COMPLAINT_COLUMNS, line.complaint or (None,) * len(COMPLAINT_COLUMNS), strict=True)
                ),
                **dict(
                    zip(CORRECTION_COLUMNS, line.correction or (None,) * len(CORRECTION_COLUMNS), strict=True)
                ),
                **{column: getattr(line, column) for column in LINE_COLUMNS},
            }


class FlatteningRules(msgspec.Struct, frozen=True):
    """What a shop group decides: the zone its date-times are in, and how dirty cores are read."""

    time_zone: str = "America/New_York"
    dirty_cores: DirtyCores = "refund"


class Header(msgspec.Struct):
    """The facts of an invoice that are needed without its lines."""

    invoice_id: str
    invoice_date: date
    service_order_id: str | None
    total: Decimal
    subtotal: Decimal
    tax: Decimal
    labor: Decimal
    parts: Decimal
    balance: Decimal


def header(invoice: dict[str, Any]) -> Header:
    """The header facts. Raises `InvalidInvoice`: no primaryKey, no ServiceOrder, no date, a total that is no number."""
    try:
        invoice_id = key(invoice, "primaryKey")
        if invoice_id is None:
            raise InvalidField(
                "MISSING_PRIMARY_KEY", "primaryKey", invoice.get("primaryKey"), "a key was expected"
            )
        if not invoice.get("ServiceOrder"):
            raise InvalidField(
                "MISSING_SERVICE_ORDER", "ServiceOrder", invoice.get("ServiceOrder"), "an object was expected"
            )
        invoice_date = day(invoice, "invoiceDate")
        if invoice_date is None:
            raise InvalidField(
                "MISSING_INVOICE_DATE",
                "invoiceDate",
                invoice.get("invoiceDate"),
                "a date YYYY-MM-DD was expected",
            )
        return Header(
            invoice_id=invoice_id,
            invoice_date=invoice_date,
            service_order_id=key(child(invoice, "ServiceOrder"), "primaryKey"),
            total=cents(amount(invoice, "total")),
            subtotal=cents(amount(invoice, "subTotal")),
            tax=cents(amount(invoice, "taxTotal")),
            labor=cents(amount(invoice, "laborTotal")),
            parts=cents(amount(invoice, "partsTotal")),
            balance=cents(amount(invoice, "balance")),
        )
    except InvalidField as error:
        raise error.located(invoice) from None


def flatten(invoice: dict[str, Any], rules: FlatteningRules = FlatteningRules()) -> FlatInvoice:  # noqa: B008
    """All lines of an invoice, not yet taxed and not yet compared with its totals.

    Raises `InvalidInvoice` with the path of the first value that cannot be read; nothing is guessed.
    """
    head = header(invoice)
    findings: list[Finding] = []
    try:
        with losses() as lost:
            order = child(invoice, "ServiceOrder")
            values, customer_id, vin = _invoice_values(invoice, order, head, rules)
            lines = list(_complaint_lines(order, rules, findings))
            lines += _invoice_level_lines(invoice, order, lines)
    except InvalidField as error:
        raise error.located(invoice) from None
    # Once for each place: some fields are read for several lines, or twice to find the reading that closes.
    by_place = {(loss.rule, loss.path(invoice)): loss for loss in lost}
    for (rule, path), loss in by_place.items():
        findings.append(Finding(rule, loss.expected, loss.actual, None, path))
    return FlatInvoice(
        head.invoice_id, head.invoice_date, customer_id, vin, head.total, values, lines, findings
    )


def _invoice_values(
    invoice: dict[str, Any], order: dict[str, Any], head: Header, rules: FlatteningRules
) -> tuple[tuple[Any, ...], int | None, str | None]:
    billed, served = child(invoice, "Customer"), child(order, "Customer")
    unit = child(order, "Unit")
    customer = served if integer_id(served, "customerId") is not None else billed
    customer_id = integer_id(customer, "customerId")
    vin = (text(unit, "vin", 50) or "").strip() or None
    zone = rules.time_zone
    hours, sublet = number(invoice, "laborHoursTotal"), number(invoice, "subletLaborTotal")
    order_hours = number(order, "laborHoursTotal")
    values = (
        head.invoice_id,
        key(invoice, "invoiceNumber"),
        head.invoice_date,
        day(invoice, "dueDate"),
        switch(invoice, "exported") or False,
        text(invoice, "shopTitle", 255),
        text(invoice, "shopEmail", 255),
        text(invoice, "shopPhysicalAddress"),
        customer_id,
        text(customer, "title", 255) or text(invoice, "customerTitle", 255),
        text(customer, "externalId", 50),
        text(customer, "mainPhone", 50),
        text(customer, "secondaryPhone", 50),
        text(invoice, "customerBillingEmployee", 255),
        text(invoice, "customerBillingEmail", 255),
        text(invoice, "customerBillingAddress"),
        head.service_order_id,
        key(order, "repairOrderNumber"),
        moment(order, "created", zone),
        moment(order, "startDateTime", zone),
        moment(order, "completionDateTime", zone),
        text(order, "description"),
        key(unit, "customerUnitId"),
        text(unit, "number", 50),
        text(unit, "nickname", 100),
        text(unit, "type", 100),
        text(unit, "subType", 100),
        text(unit, "year", 10),
        text(unit, "make", 100),
        text(unit, "model", 100),
        vin,
        text(unit, "licensePlate", 20),
        text(order, "technician", 255),
        text(order, "technicianNumber", 50),
        text(order, "partsManager", 255),
        text(order, "partsManagerNumber", 50),
        text(invoice, "quickBooksId", 50),
        cents(amount(invoice, "miscChargeTotal")),
        cents(amount(invoice, "serviceCallTotal")),
        cents(amount(invoice, "mileageTotal")),
        cents(amount(invoice, "mileageCostTotal")),
        head.parts,
        None if hours is None else cents(hours),
        head.labor,
        None if sublet is None else cents(sublet),
        cents(amount(invoice, "suppliesTotal")),
        head.subtotal,
        head.tax,
        head.total,
        head.balance,
        cents(amount(order, "partsCostTotal")),
        cents(amount(order, "partsTotal")),
        None if order_hours is None else cents(order_hours),
        cents(amount(order, "laborTotal")),
        head.subtotal,
        head.tax,
        head.total,
        _INGESTION_SOURCE,
    )
    return values, customer_id, vin


def _complaint_lines(
    order: dict[str, Any], rules: FlatteningRules, findings: list[Finding]
) -> Iterator[Line]:
    for number_of, complaint in enumerate(children(order, "Complaints")):
        where = f"ServiceOrder.Complaints[{number_of}]"
        yield from _lines_of_complaint(complaint, order, where, rules, findings)


def _lines_of_complaint(
    complaint: dict[str, Any],
    order: dict[str, Any],
    where: str,
    rules: FlatteningRules,
    findings: list[Finding],
) -> Iterator[Line]:
    context = _complaint_values(complaint)
    sublet = switch(complaint, "sublet") or False
    corrections = children(complaint, "Corrections")
    crew = _crew(complaint, where, findings)
    shares = _shares(corrections) if crew else []
    for technician in crew:
        technician.clocked = [_split(technician.hours, shares, unit) for unit in (_FINE_HOURS, CENT)]
    for number_of, correction in enumerate(corrections):
        here = f"{where}.Corrections[{number_of}]"
        detail = _correction_values(correction)
        yield from _labor_lines(correction, number_of, complaint, order, crew, context, detail, sublet)
        parts = _part_lines(correction, here, rules, findings)
        for line in parts:
            line.complaint, line.correction = context, detail
            if sublet:
                line.line_item_type, line.sublet = "SUBLET", True
            yield line
    if not corrections:
        yield from _complaint_level_lines(complaint, order, crew, context, sublet)
    for field, kind, source, taxable in (
        ("serviceCallTotal", "SERVICE_CALL", "SERVICE_CALLS", "serviceCallTaxable"),
        ("mileageTotal", "MILEAGE", "MILEAGE", "mileageTaxable"),
    ):
        value = cents(amount(complaint, field))
        if value:
            yield Line(
                kind,
                quantity=Decimal(1),
                unit_price=value,
                line_total_price=value,
                taxable=switch(complaint, taxable) or False,
                line_total_cost=cents(amount(complaint, "mileageCostTotal")) if kind == "MILEAGE" else None,
                source=source,  # type: ignore[arg-type]
                complaint=context,
            )


def _complaint_level_lines(
    complaint: dict[str, Any],
    order: dict[str, Any],
    crew: list[_Technician],
    context: tuple[Any, ...],
    sublet: bool,
) -> Iterator[Line]:
    """Money of a complaint that has no corrections: one LABOR and one PART line without a correction."""
    labor, parts = cents(amount(complaint, "laborTotal")), cents(amount(complaint, "partsTotal"))
    if labor:
        who = crew[0] if len(crew) == 1 else _lead(order)
        clocked = sum((technician.hours for technician in crew), ZERO) or amount(
            complaint, "actualHoursTotal"
        )
        hours = (clocked.quantize(_FINE_HOURS, ROUND_HALF_UP), cents(clocked))
        line = _labor_line(who, labor, amount(complaint, "laborHoursTotal"), hours, HUNDRED)
        line.labor_description = text(complaint, "note")
        line.labor_rate_type = text(complaint, "laborRate", 50)
        line.taxable = switch(complaint, "laborTaxable") or False
        line.complaint, line.sublet = context, sublet
        line.quickbooks_account = text(complaint, "quickBooksAccount", 255)
        line.quickbooks_item = text(complaint, "quickBooksItem", 255)
        line.quickbooks_item_type = text(complaint, "quickBooksItemType", 100)
        if sublet:
            line.line_item_type = "SUBLET"
        yield line
    if parts:
        yield Line(
            "SUBLET" if sublet else "PART",
            part_description=text(complaint, "note"),
            part_category=text(complaint, "partCategory", 255),
            quantity=Decimal(1),
            unit_price=parts,
            line_total_price=parts,
            line_total_cost=cents(amount(complaint, "partsCostTotal")),
            sublet=sublet,
            quickbooks_account=text(complaint, "quickBooksAccount", 255),
            quickbooks_item=text(complaint, "quickBooksItem", 255),
            quickbooks_item_type=text(complaint, "quickBooksItemType", 100),
            source="PARTS",
            complaint=context,
        )


def _complaint_values(complaint: dict[str, Any]) -> tuple[Any, ...]:
    severity = text(complaint, "severity", 50)
    return (
        integer_id(complaint, "primaryKey"),
        text(complaint, "type", 100),
        text(complaint, "subType", 100),
        text(complaint, "note"),
        text(complaint, "cause"),
        text(complaint, "causeType", 100),
        switch(complaint, "authorized"),
        severity if severity and severity.strip(" -.") else None,
        text(complaint, "mileageRate", 50),
        text(complaint, "laborRate", 50),
    )


def _correction_values(correction: dict[str, Any]) -> tuple[Any, ...]:
    return (
        integer_id(correction, "primaryKey"),
        text(correction, "title", 255),
        text(correction, "globalComponent", 255),
        text(correction, "globalSystem", 255),
        text(correction, "globalService", 255),
        text(correction, "unitService", 255),
        text(correction, "recommendedCorrection"),
        text(correction, "actualCorrection"),
        text(correction, "correctionPerformed", 50),
        switch(correction, "preAuthorized"),
        switch(correction, "prePaid"),
    )


class _Technician(msgspec.Struct, gc=False):
    name: str | None
    number: str | None
    hours: Decimal
    portion: Decimal
    share: Decimal
    clocked: list[list[Decimal]] = []
    """The hours by correction, to four decimals and to two; the complaint's lead technician has none."""

    def clocked_on(self, place: int) -> tuple[Decimal, Decimal]:
        fine, coarse = self.clocked or ([], [])
        return (fine[place], coarse[place]) if fine else (ZERO, NO_CENTS)


def _shares(corrections: list[dict[str, Any]]) -> list[Decimal]:
    """Each correction's share of the hours clocked on its complaint: by billed hours, else equal shares.

    Billed hours of both signs have a sum that says nothing, so they count as none.
    """
    if len(corrections) == 1:
        return [Decimal(1)]
    billed = [amount(correction, "laborHoursTotal") for correction in corrections]
    in_all = sum(billed, ZERO)
    if not in_all or min(billed) < 0 < max(billed):
        return [Decimal(1) / len(billed) for _ in billed]
    return [hours / in_all for hours in billed]


def _split(whole: Decimal, shares: list[Decimal], unit: Decimal) -> list[Decimal]:
    """`whole` by share in steps of `unit`; the sum is the whole.

    The running sum is rounded, not each part: 0.02 over four would be three times 0.01 and a last one of -0.01.
    """
    if len(shares) == 1:
        return [whole.quantize(unit, ROUND_HALF_UP)]
    upto = [whole * share for share in accumulate(shares[:-1])] + [whole]
    rounded = [part.quantize(unit, ROUND_HALF_UP) for part in upto]
    return [after - before for before, after in pairwise([ZERO, *rounded])]


def _crew(complaint: dict[str, Any], where: str, findings: list[Finding]) -> list[_Technician]:
    """The technicians of a complaint with a portion, their shares adding up to 1; empty when nobody has one."""
    crew: list[_Technician] = []
    for assigned in children(complaint, "AssignedTechnicians"):
        portion = number(assigned, "portion")
        portion = HUNDRED if portion is None else portion
        if portion > 0:
            crew.append(
                _Technician(
                    text(assigned, "technician", 255),
                    text(assigned, "technicianNumber", 50),
                    amount(assigned, "actualHours"),
                    portion,
                    ZERO,
                )
            )
    in_all = sum((technician.portion for technician in crew), ZERO)
    for technician in crew:
        technician.share = technician.portion / in_all
    if crew and in_all != HUNDRED:
        findings.append(Finding("PORTIONS", "100", str(in_all), None, where, "split in proportion"))
    return crew


def _lead(order: dict[str, Any]) -> _Technician:
    return _Technician(
        text(order, "technician", 255), text(order, "technicianNumber", 50), ZERO, HUNDRED, Decimal(1)
    )


def _labor_line(
    who: _Technician, money: Decimal, billed: Decimal, clocked: tuple[Decimal, Decimal], portion: Decimal
) -> Line:
    """`clocked` holds the hours to four decimals and to two."""
    hours = cents(billed)
    return Line(
        "LABOR",
        assigned_technician=who.name,
        assigned_technician_number=who.number,
        assigned_technician_actual_hours=clocked[0],
        assigned_technician_portion=min(100, int(portion)),
        labor_hours=hours,
        actual_hours=clocked[1],
        unit_price=cents(money / hours) if hours else None,
        line_total_price=money,
        source="LABOR",
    )


def _labor_lines(
    correction: dict[str, Any],
    place: int,
    complaint: dict[str, Any],
    order: dict[str, Any],
    crew: list[_Technician],
    context: tuple[Any, ...],
    detail: tuple[Any, ...],
    sublet: bool,
) -> Iterator[Line]:
    """One line per technician. Money and billed hours are split by share, the last line takes what rounding left.

    Clocked hours stand on the complaint: each correction gets its part of them (by its `place`), or two corrections
    would count a technician's hours twice.
    """
    money, billed = cents(amount(correction, "laborTotal")), amount(correction, "laborHoursTotal")
    if not crew:
        if not billed and not money:
            return
        crew = [_lead(order)]
    taxable = switch(correction, "taxable")
    if taxable is None:
        taxable = switch(complaint, "laborTaxable") or False
    description = text(correction, "actualCorrection") or text(correction, "recommendedCorrection")
    rate_name = text(correction, "laborRate", 50)
    money_left, hours_left = money, cents(billed)
    for technician in crew:
        if technician is crew[-1]:
            part, hours = money_left, hours_left
        else:
            part, hours = cents(money * technician.share), cents(billed * technician.share)
        money_left, hours_left = money_left - part, hours_left - hours
        line = _labor_line(technician, part, hours, technician.clocked_on(place), technician.portion)
        line.labor_description, line.labor_rate_type, line.taxable = description, rate_name, taxable
        line.complaint, line.correction = context, detail
        if sublet:
            line.line_item_type, line.sublet = "SUBLET", True
        yield line


def _part_lines(
    correction: dict[str, Any], where: str, rules: FlatteningRules, findings: list[Finding]
) -> list[Line]:
    """The part lines of a correction; when only the other reading of pending returns closes its sum, that one is used.

    A returned part may be listed with `toBeReturnedQuantity` before `returnedQuantity` is booked, and no source says
    whether the total already leaves it out. The sum of the correction decides, and the choice is recorded.
    """
    parts = children(correction, "Parts")
    lines = _read_parts(parts, where, rules, findings, pending_counts=False)
    stated = number(correction, "partsTotal")
    found = sum((line.line_total_price for line in lines), ZERO)
    if stated is None or abs(cents(stated) - found) <= TOLERANCE:
        return lines
    note = ""
    if any(amount(part, "toBeReturnedQuantity") for part in parts):
        other = _read_parts(parts, where, rules, [], pending_counts=True)
        if abs(cents(stated) - sum((line.line_total_price for line in other), ZERO)) <= TOLERANCE:
            findings.append(
                Finding(
                    "RETURNS_READING",
                    str(cents(stated)),
                    str(found),
                    None,
                    where,
                    "pending returns subtracted",
                )
            )
            return other
    if any(_core_type(part) == "dirty" for part in parts):
        switched = FlatteningRules(dirty_cores="charge" if rules.dirty_cores == "refund" else "refund")
        other = _read_parts(parts, where, switched, [], pending_counts=False)
        if abs(cents(stated) - sum((line.line_total_price for line in other), ZERO)) <= TOLERANCE:
            note = f"closes with dirty cores read as {switched.dirty_cores}"
    findings.append(
        Finding("I7_CORRECTION_PARTS", str(cents(stated)), str(found), cents(stated) - found, where, note)
    )
    return lines


def _read_parts(
    parts: list[dict[str, Any]],
    where: str,
    rules: FlatteningRules,
    findings: list[Finding],
    *,
    pending_counts: bool,
) -> list[Line]:
    lines = []
    for number_of, part in enumerate(parts):
        line = _part_line(part, rules, pending_counts)
        if _core_type(part) not in _CORE_TYPES:
            here = f"{where}.Parts[{number_of}].coreType"
            found = repr(part["coreType"])[:80]
            findings.append(Finding("CORE_TYPE", "None, Dirty or Inherent", found, None, here))
        if line is not None:
            lines.append(line)
    return lines


def _core_type(part: dict[str, Any]) -> str:
    """None, Dirty, Inherent or what else stands there, in lower case: the source writes it by hand."""
    written = part.get("coreType")
    return written.strip().lower() if isinstance(written, str) else str(written or "")


def _part_line(part: dict[str, Any], rules: FlatteningRules, pending_counts: bool) -> Line | None:
    ordered, returned = amount(part, "quantity"), amount(part, "returnedQuantity")
    pending = amount(part, "toBeReturnedQuantity")
    price, cost = amount(part, "sellingPrice"), amount(part, "cost")
    core_type = text(part, "coreType", 50)
    if _core_type(part) == "dirty" and rules.dirty_cores == "refund":
        quantity, price, cost = returned, -price, -cost
    else:
        quantity = ordered - returned
        if pending_counts and not returned:
            quantity -= pending
    if not quantity:
        return None
    description = text(part, "description")
    number_in_shop, number_of_vendor = text(part, "shopPartNumber", 100), text(part, "vendorPartNumber", 100)
    category = text(part, "partCategory", 255)
    sublet = switch(part, "sublet") or False
    kind = "PART"
    if sublet:
        kind = "SUBLET"
    elif any(_FREIGHT.search(words) for words in (description, number_in_shop, category) if words):
        kind = "FREIGHT"
    return Line(
        kind,
        fullbay_part_id=integer_id(part, "primaryKey"),
        part_description=description,
        shop_part_number=number_in_shop,
        vendor_part_number=number_of_vendor,
        part_category=category,
        quantity=quantity,
        to_be_returned_quantity=pending,
        returned_quantity=returned,
        unit_cost=cost,
        unit_price=price,
        line_total_cost=cents(cost * quantity),
        line_total_price=cents(price * quantity),
        price_overridden=switch(part, "sellingPriceOverridden") or False,
        taxable=switch(part, "taxable") or False,
        inventory_item=switch(part, "inventory") or False,
        core_type=core_type,
        sublet=sublet,
        quickbooks_account=text(part, "quickBooksAccount", 255),
        quickbooks_item=text(part, "quickBooksItem", 255),
        quickbooks_item_type=text(part, "quickBooksItemType", 100),
        source="PARTS",
    )


def _invoice_level_lines(invoice: dict[str, Any], order: dict[str, Any], lines: list[Line]) -> Iterator[Line]:
    supplies = cents(amount(invoice, "suppliesTotal"))
    if supplies:
        yield Line(
            "SUPPLY",
            part_description="Shop supplies",
            part_category="Shop Supplies",
            quantity=Decimal(1),
            unit_price=supplies,
            line_total_price=supplies,
            taxable=True,
            source="SUPPLIES",
        )
    yield from _charge_lines(invoice, order)
    for field, kind, source in (
        ("serviceCallTotal", "SERVICE_CALL", "SERVICE_CALLS"),
        ("mileageTotal", "MILEAGE", "MILEAGE"),
    ):
        value = cents(amount(invoice, field))
        if value and not any(line.source == source for line in lines):
            yield Line(
                kind,
                quantity=Decimal(1),
                unit_price=value,
                line_total_price=value,
                source=source,  # type: ignore[arg-type]
            )
    sublet = cents(amount(invoice, "subletLaborTotal"))
    if sublet and sublet_is_extra(invoice):
        yield Line(
            "SUBLET",
            labor_description="Sublet labor",
            line_total_price=sublet,
            sublet=True,
            source="SUBLET",
        )


def sublet_is_extra(invoice: dict[str, Any]) -> bool:
    """Whether subletLaborTotal stands beside laborTotal (then it is a line of its own) or inside it.

    Undocumented, so the sub-total decides: extra only when the sub-total closes with it and not without it.
    """
    without = amount(invoice, "subTotal") - header_sum(invoice)
    return abs(without) > TOLERANCE and abs(without - amount(invoice, "subletLaborTotal")) <= TOLERANCE


def header_sum(invoice: dict[str, Any]) -> Decimal:
    """The right side of the sub-total identity, without sublet labor."""
    fields = (
        "partsTotal",
        "laborTotal",
        "suppliesTotal",
        "miscChargeTotal",
        "serviceCallTotal",
        "mileageTotal",
    )
    return sum((amount(invoice, field) for field in fields), ZERO)


def _charge_lines(invoice: dict[str, Any], order: dict[str, Any]) -> Iterator[Line]:
    charges = children(order, "MiscCharges")
    for charge in charges:
        quantity, rate = number(charge, "quantity"), number(charge, "rate")
        value = number(charge, "amount")
        if value is None:
            value = (rate or ZERO) * (Decimal(1) if quantity is None else quantity)
        value = cents(value)
        if not value:
            continue
        description = text(charge, "description")
        item = text(charge, "quickBooksItem", 255)
        yield Line(
            "FREIGHT" if any(_FREIGHT.search(words) for words in (description, item) if words) else "MISC",
            part_description=description,
            quantity=Decimal(1) if quantity is None else quantity,
            unit_price=rate,
            line_total_price=value,
            taxable=switch(charge, "taxable") or False,
            quickbooks_item=item,
            quickbooks_item_type=text(charge, "quickBooksItemType", 100),
            source="CHARGES",
        )
    total = cents(amount(invoice, "miscChargeTotal"))
    if total and not charges:
        yield Line(
            "MISC",
            part_description="Charges",
            quantity=Decimal(1),
            unit_price=total,
            line_total_price=total,
            source="CHARGES",
        )
