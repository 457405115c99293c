"""Invoices to lines and back to their totals."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fullbay_assets.flattening import (
    COMPLAINT_COLUMNS,
    CORRECTION_COLUMNS,
    INVOICE_COLUMNS,
    LINE_COLUMNS,
    FlatInvoice,
    FlatteningRules,
)
from fullbay_assets.parsing import InvalidInvoice, decode
from fullbay_assets.reconciliation import reconcile
from resources.ddl import tables
from tests.invoices import Json, as_bytes, complaint, correction, invoice, part, simple, technician


def flat(document: Json, rules: FlatteningRules = FlatteningRules()) -> FlatInvoice:  # noqa: B008
    return reconcile(decode(as_bytes(document)), rules)


def kinds(result: FlatInvoice) -> list[tuple[str, str]]:
    return [(line.line_item_type, str(line.line_total_price)) for line in result.lines]


def total(result: FlatInvoice) -> Decimal:
    return sum((line.line_total_price + line.tax_amount for line in result.lines), Decimal(0))


def rules_of(result: FlatInvoice) -> set[str]:
    return {finding.rule for finding in result.findings}


def test_the_lines_fill_every_column_of_the_table() -> None:
    """116 columns, of which four are the database's own."""
    own = {"id", "raw_data_id", "ingestion_timestamp", "created_at", "updated_at"}
    columns = [name for name, _, _ in tables("fullbay")["fullbay_line_items"]]
    assert len(columns) == 116
    assert {*INVOICE_COLUMNS, *COMPLAINT_COLUMNS, *CORRECTION_COLUMNS, *LINE_COLUMNS} == {*columns} - own


def test_the_real_shape_flattens_as_documented() -> None:
    """The structure of a captured answer: two complaints, supplies taxed alone, a surcharge."""
    from sandbox.fullbay.fixtures import fixture_a

    result = flat(fixture_a())
    assert kinds(result) == [("LABOR", "150.00"), ("LABOR", "0.00"), ("SUPPLY", "7.50"), ("MISC", "4.73")]
    labor = result.lines[0]
    assert (labor.labor_hours, labor.assigned_technician_actual_hours) == (Decimal("1.00"), Decimal("1.2528"))
    assert [str(line.tax_amount) for line in result.lines if line.tax_amount] == ["0.45"]
    assert total(result) == Decimal("162.68")
    assert result.reconciled
    assert not result.findings


def test_the_hard_cases_of_one_invoice() -> None:
    """A client that ignores negative tax ends at 20.63 of tax, one that drops the core at a sub-total of 1025.30."""
    from sandbox.fullbay.fixtures import fixture_b

    result = flat(fixture_b())
    found = sorted((line.line_item_type, str(line.line_total_price)) for line in result.lines)
    assert found == sorted(
        [
            *(("PART", "62.56"), ("PART", "125.00"), ("PART", "-27.00"), ("PART", "19.99")),
            *(("LABOR", "255.00"), ("LABOR", "170.00"), ("LABOR", "85.00"), ("SUPPLY", "30.00")),
            *(("FREIGHT", "25.00"), ("MISC", "18.75"), ("SERVICE_CALL", "150.00"), ("MILEAGE", "84.00")),
        ]
    )
    tax = {str(line.line_total_price): str(line.tax_amount) for line in result.lines if line.tax_amount}
    assert tax == {"62.56": "5.32", "125.00": "10.62", "-27.00": "-2.30", "30.00": "2.55", "25.00": "2.13"}
    assert total(result) == Decimal("1016.62")
    assert result.reconciled


def test_a_part_number_is_a_number_or_a_text() -> None:
    work = correction(partsTotal=41.3, Parts=[part(quantity="2.5", sellingPrice="16.52", primaryKey="x12")])
    line = flat(invoice(complaint(work))).lines[0]
    assert (line.quantity, line.line_total_price, line.fullbay_part_id) == (
        Decimal("2.5"),
        Decimal("41.30"),
        None,
    )


@pytest.mark.parametrize(
    ("returned", "lines"),
    [(0, [("PART", "40.00")]), (1, [("PART", "20.00")]), (2, [("MISC", "0")]), (3, [("PART", "-20.00")])],
)
def test_only_what_was_not_returned_counts(returned: int, lines: list[tuple[str, str]]) -> None:
    """A fully returned part leaves no line; a credit keeps its negative one."""
    work = correction(partsTotal=40 - 20 * returned, Parts=[part(quantity=2, returnedQuantity=returned)])
    result = flat(invoice(complaint(work)))
    assert kinds(result) == lines
    assert result.reconciled


def test_pending_returns_count_when_only_that_closes_the_sum() -> None:
    listed = [part(quantity=2, toBeReturnedQuantity=1)]
    booked = flat(invoice(complaint(correction(partsTotal=20, Parts=listed))))
    assert kinds(booked) == [("PART", "20.00")]
    assert rules_of(booked) == {"RETURNS_READING"}
    assert booked.reconciled
    open_still = flat(invoice(complaint(correction(partsTotal=40, Parts=listed))))
    assert kinds(open_still) == [("PART", "40.00")]
    assert not open_still.findings


def test_a_dirty_core_is_a_refund_or_a_charge() -> None:
    refunded = part(coreType="Dirty", quantity=1, returnedQuantity=1, sellingPrice=27)
    assert kinds(flat(invoice(complaint(correction(partsTotal=-27, Parts=[refunded]))))) == [
        ("PART", "-27.00")
    ]
    kept = part(coreType="Dirty", quantity=1, returnedQuantity=0, sellingPrice=27)
    document = invoice(complaint(correction(partsTotal=27, Parts=[kept])))
    as_refund = flat(document)
    assert not as_refund.reconciled
    note = next(finding.note for finding in as_refund.findings if finding.rule == "I7_CORRECTION_PARTS")
    assert note == "closes with dirty cores read as charge"
    assert kinds(flat(document, FlatteningRules(dirty_cores="charge"))) == [("PART", "27.00")]


@pytest.mark.parametrize("written", ["dirty", "DIRTY", " Dirty "])
def test_a_core_type_is_read_in_any_case(written: str) -> None:
    """A refund written "DIRTY" was charged: the invoice was off by twice the price of the core."""
    refunded = part(coreType=written, quantity=1, returnedQuantity=1, sellingPrice=27)
    result = flat(invoice(complaint(correction(partsTotal=-27, Parts=[refunded]))))
    assert kinds(result) == [("PART", "-27.00")]
    assert not result.findings


def test_an_unknown_core_type_is_an_ordinary_part_and_is_recorded() -> None:
    result = flat(invoice(complaint(correction(partsTotal=20, Parts=[part(coreType="Rusty")]))))
    assert result.reconciled
    assert rules_of(result) == {"CORE_TYPE"}


@pytest.mark.parametrize(
    ("description", "kind"),
    [("FREIGHT IN", "FREIGHT"), ("freight", "FREIGHT"), ("FREIGHTLINER MIRROR", "PART"), ("COIL", "PART")],
)
def test_freight_is_a_word_not_a_part_of_one(description: str, kind: str) -> None:
    result = flat(invoice(complaint(correction(partsTotal=20, Parts=[part(description=description)]))))
    assert kinds(result) == [(kind, "20.00")]


def test_labor_is_split_by_portion_and_the_last_takes_the_rest() -> None:
    crew = [technician("A", 33, 1), technician("B", 33, 1), technician("C", 34, 1)]
    work = correction(laborHoursTotal=1, laborTotal=100.01)
    result = flat(invoice(complaint(work, AssignedTechnicians=crew)))
    assert [str(line.line_total_price) for line in result.lines] == ["33.00", "33.00", "34.01"]
    assert sum(line.labor_hours or 0 for line in result.lines) == 1


def test_portions_that_are_not_100_are_normalised_and_recorded() -> None:
    work = correction(laborHoursTotal=1, laborTotal=100)
    result = flat(invoice(complaint(work, AssignedTechnicians=[technician("A", 60), technician("B", 60)])))
    assert [str(line.line_total_price) for line in result.lines] == ["50.00", "50.00"]
    assert rules_of(result) == {"PORTIONS"}
    assert result.reconciled


@pytest.mark.parametrize("crew", [[], [technician("A", 0)]])
def test_without_a_portion_the_lead_gets_the_labor(crew: list[Json]) -> None:
    """Flat-rate labor has money without hours; dropping it lost 150.00 an order."""
    work = correction(laborHoursTotal=0, laborTotal=150)
    result = flat(invoice(complaint(work, AssignedTechnicians=crew)))
    assert [(line.assigned_technician, str(line.line_total_price)) for line in result.lines] == [
        ("Robin Lead", "150.00")
    ]


def test_clocked_hours_are_counted_once_over_corrections() -> None:
    works = [correction(laborHoursTotal=1, laborTotal=100), correction(laborHoursTotal=3, laborTotal=300)]
    result = flat(
        invoice(complaint(*works, AssignedTechnicians=[technician("A", 100, 8)], actualHoursTotal=8))
    )
    assert [line.assigned_technician_actual_hours for line in result.lines] == [Decimal(2), Decimal(6)]


@pytest.mark.parametrize("billed", [(1, 1, 1, 1), (0, 0, 0), (1, 2, 4), (2, -1, 1)])
@pytest.mark.parametrize("clocked", ["1", "8.005", "1.252777777777", "0.02"])
def test_clocked_hours_over_corrections_lose_nothing_to_rounding(
    billed: tuple[int, ...], clocked: str
) -> None:
    """One hour over three corrections was 0.33 three times: v_technician_performance lacked a cent of each."""
    works = [correction(laborHoursTotal=hours, laborTotal=100) for hours in billed]
    crew = [technician("A", 60, clocked), technician("B", 40, clocked)]
    result = flat(invoice(complaint(*works, AssignedTechnicians=crew)))
    for name in ("A", "B"):
        lines = [line for line in result.lines if line.assigned_technician == name]
        assert len(lines) == len(billed)
        coarse = sum(line.actual_hours or 0 for line in lines)
        fine = sum(line.assigned_technician_actual_hours or 0 for line in lines)
        assert coarse == Decimal(clocked).quantize(Decimal("0.01"), "ROUND_HALF_UP")
        assert fine == Decimal(clocked).quantize(Decimal("0.0001"), "ROUND_HALF_UP")
        assert all(line.actual_hours is not None and line.actual_hours >= 0 for line in lines)


def test_money_of_a_complaint_without_corrections_is_kept() -> None:
    result = flat(invoice(complaint(laborTotal=80, laborHoursTotal=1, partsTotal=12.5)))
    assert kinds(result) == [("LABOR", "80.00"), ("PART", "12.50")]
    assert all(line.correction is None and line.complaint is not None for line in result.lines)
    assert result.reconciled


def test_charges_without_rows_are_kept_and_recorded() -> None:
    result = flat(invoice(miscChargeTotal=12))
    assert kinds(result) == [("MISC", "12.00")]
    assert rules_of(result) == {"I8_CHARGES"}


def test_a_discount_is_a_negative_charge() -> None:
    rows = [
        {
            "primaryKey": "1",
            "description": "DISCOUNT",
            "quantity": 1,
            "rate": -5,
            "amount": "-5.00",
            "taxable": "",
        }
    ]
    result = flat(invoice(complaint(correction(laborHoursTotal=1, laborTotal=100)), charges=rows))
    assert kinds(result)[-1] == ("MISC", "-5.00")
    assert result.reconciled


def test_sublet_work_is_its_own_kind() -> None:
    work = correction(laborHoursTotal=1, laborTotal=90, partsTotal=20, Parts=[part(sublet="Yes")])
    assert kinds(flat(invoice(complaint(work)))) == [("LABOR", "90.00"), ("SUBLET", "20.00")]
    whole = flat(invoice(complaint(work, sublet="Yes")))
    assert {line.line_item_type for line in whole.lines} == {"SUBLET"}


def test_sublet_labor_is_a_line_only_when_the_subtotal_needs_it() -> None:
    work = correction(laborHoursTotal=1, laborTotal=100)
    inside = flat(invoice(complaint(work), subletLaborTotal=40))
    beside = flat(invoice(complaint(work), subletLaborTotal=40, subTotal=140))
    assert kinds(inside) == [("LABOR", "100.00")]
    assert kinds(beside) == [("LABOR", "100.00"), ("SUBLET", "40.00")]
    assert inside.reconciled
    assert beside.reconciled


def test_the_served_customer_stands_on_the_lines() -> None:
    document = simple()
    document["ServiceOrder"]["Customer"] = {"customerId": 42, "title": "UNIT OWNER", "mainPhone": "1" * 80}
    row = next(flat(document).rows())
    assert (row["customer_id"], row["customer_title"], len(row["customer_main_phone"])) == (
        42,
        "UNIT OWNER",
        50,
    )
    assert row["invoice_date"] == date(2025, 6, 3)
    assert row["complaint_severity"] is None


def test_a_text_that_is_cut_is_on_record_once_and_not_quoted() -> None:
    long_note, long_title = "x" * 70_000, "y" * 300
    work = correction(laborHoursTotal=1, laborTotal=100, actualCorrection=long_note, title=long_title)
    crew = [technician("A", 50), technician("B", 50)]
    result = flat(invoice(complaint(work, AssignedTechnicians=crew)))
    here = "ServiceOrder.Complaints[0].Corrections[0]"
    found = [(one.rule, one.expected, one.actual, one.path) for one in result.findings]
    assert found == [
        ("TEXT_CUT", "at most 255 characters", "300 characters", f"{here}.title"),
        ("TEXT_CUT", "at most 65,536 characters", "70,000 characters", f"{here}.actualCorrection"),
    ]
    assert result.reconciled


@pytest.mark.parametrize("given", ["C-17", 2**31, "99999999999", -9, True])
def test_an_id_that_does_not_fit_is_left_out_on_record(given: Any) -> None:
    """Such a customer counts in no customer_summary; nobody could see why."""
    document = simple()
    document["ServiceOrder"]["Customer"] = {}
    document["Customer"] = {"customerId": given, "title": "SAMPLE"}
    result = flat(document)
    assert result.customer_id is None
    found = [(one.rule, one.actual, one.path) for one in result.findings]
    assert found == [("ID_DROPPED", repr(given), "Customer.customerId")]
    assert result.reconciled


@pytest.mark.parametrize("nothing", [None, "", "  ", "-", "."])
def test_an_id_that_says_nothing_is_nothing(nothing: Any) -> None:
    document = simple()
    document["ServiceOrder"]["Customer"] = {}
    document["Customer"] = {"customerId": nothing, "title": "SAMPLE"}
    assert not flat(document).findings


@pytest.mark.parametrize("unit", [None, {}, "", []])
def test_a_missing_unit_is_no_error(unit: Any) -> None:
    document = simple()
    document["ServiceOrder"]["Unit"] = unit
    assert flat(document).unit_vin is None


def test_an_exempt_customer_pays_no_tax_on_any_line() -> None:
    result = flat(simple(taxRate="8.5", taxTotal=0, suppliesTotal=10))
    assert all(line.tax_amount == 0 for line in result.lines)
    assert not result.findings


def test_tax_that_the_lines_do_not_explain_is_spread_and_recorded() -> None:
    result = flat(simple(taxRate="6", taxTotal=30, suppliesTotal=10))
    assert "I4_TAX_BASE" in rules_of(result)
    assert sum(line.tax_amount for line in result.lines) == 30
    assert result.reconciled


def test_a_tax_is_never_blown_up_by_lines_that_cancel_out() -> None:
    """Lines of +1000.00 and -1000.01 and a tax of 5.00 once gave a line half a million of tax."""
    listed = [part(sellingPrice=1000, taxable="Yes"), part(sellingPrice=1000.01, quantity=-1, taxable="Yes")]
    work = correction(partsTotal=-0.01, Parts=listed)
    result = flat(invoice(complaint(work), taxRate="5", taxTotal=5))
    assert sum(line.tax_amount for line in result.lines) == 5
    assert max(abs(line.tax_amount) for line in result.lines) <= 5


@pytest.mark.parametrize("nothing", [[], {}, False, True])
def test_a_total_that_is_no_number_is_refused_even_when_it_is_empty(nothing: Any) -> None:
    with pytest.raises(InvalidInvoice) as refused:
        flat(simple(total=nothing))
    assert (refused.value.reason, refused.value.path) == ("NOT_A_NUMBER", "total")


def test_three_cents_become_a_rounding_line_on_record() -> None:
    result = flat(simple(total=220.03, subTotal=220.03))
    assert kinds(result)[-1] == ("ROUNDING", "0.03")
    assert total(result) == Decimal("220.03")
    assert result.reconciled
    assert [finding.rule for finding in result.findings if finding.corrected] == ["LINES_TOTAL"]
    assert {"I1_SUBTOTAL", "LINES_SUBTOTAL", "LINES_TOTAL"} == rules_of(result)


def test_one_cent_is_on_record_too() -> None:
    result = flat(simple(total=220.01, subTotal=220.01))
    assert kinds(result)[-1] == ("ROUNDING", "0.01")
    assert [(finding.rule, finding.handled) for finding in result.findings] == [
        ("LINES_TOTAL", "ROUNDING line")
    ]


def test_twelve_dollars_are_recorded_and_nothing_is_adjusted() -> None:
    result = flat(simple(total=232.34, subTotal=232.34))
    assert kinds(result) == [("LABOR", "200.00"), ("PART", "20.00")]
    assert not result.reconciled
    finding = next(f for f in result.findings if f.rule == "LINES_TOTAL")
    assert (finding.expected, finding.actual, finding.difference) == ("232.34", "220.00", Decimal("12.34"))


def test_an_invoice_without_lines_has_one_of_zero() -> None:
    """Summaries count invoices through their lines; without one a zero invoice would not exist there."""
    assert kinds(flat(invoice())) == [("MISC", "0")]


@pytest.mark.parametrize(
    ("change", "reason", "path"),
    [
        ({"primaryKey": None}, "MISSING_PRIMARY_KEY", "primaryKey"),
        ({"primaryKey": " "}, "MISSING_PRIMARY_KEY", "primaryKey"),
        ({"primaryKey": "9" * 51}, "KEY_TOO_LONG", "primaryKey"),
        ({"ServiceOrder": None}, "MISSING_SERVICE_ORDER", "ServiceOrder"),
        ({"ServiceOrder": "x"}, "NOT_AN_OBJECT", "ServiceOrder"),
        ({"invoiceDate": "0000-00-00"}, "MISSING_INVOICE_DATE", "invoiceDate"),
        ({"invoiceDate": "June"}, "NOT_A_DATE", "invoiceDate"),
        ({"total": "twelve"}, "NOT_A_NUMBER", "total"),
        ({"Customer": "SAMPLE"}, "NOT_AN_OBJECT", "Customer"),
        ({"shopTitle": {"a": 1}}, "NOT_A_TEXT", "shopTitle"),
    ],
)
def test_a_bad_invoice_is_refused_with_reason_and_path(change: Json, reason: str, path: str) -> None:
    with pytest.raises(InvalidInvoice) as refused:
        flat(simple(**change))
    assert (refused.value.reason, refused.value.path) == (reason, path)


def test_a_bad_amount_deep_in_a_part_is_named_with_its_path() -> None:
    document = simple()
    document["ServiceOrder"]["Complaints"][0]["Corrections"][0]["Parts"][0]["sellingPrice"] = "n/a"
    with pytest.raises(InvalidInvoice) as refused:
        flat(document)
    assert refused.value.path == "ServiceOrder.Complaints[0].Corrections[0].Parts[0].sellingPrice"
    assert refused.value.value == "'n/a'"


@settings(max_examples=200, deadline=None)
@given(
    parts=st.lists(st.tuples(st.integers(1, 9), st.integers(1, 99_999), st.booleans()), max_size=8),
    labor=st.lists(st.tuples(st.integers(0, 100_000), st.lists(st.integers(1, 100), max_size=4)), max_size=4),
    supplies=st.integers(0, 5_000),
    rate=st.integers(0, 1_200),
)
def test_lines_and_tax_always_add_up_to_the_total(
    parts: list[tuple[int, int, bool]], labor: list[tuple[int, list[int]]], supplies: int, rate: int
) -> None:
    """Any invoice that obeys the header's identities is closed to the cent, whatever the portions and the tax rate."""
    listed = [
        part(quantity=quantity, sellingPrice=price / 100, taxable="Yes" if taxed else "No")
        for quantity, price, taxed in parts
    ]
    in_parts = sum(quantity * price for quantity, price, _ in parts)
    complaints = [complaint(correction(partsTotal=in_parts / 100, Parts=listed))] if listed else []
    for money, portions in labor:
        work = correction(laborHoursTotal=1, laborTotal=money / 100)
        complaints.append(
            complaint(work, AssignedTechnicians=[technician("T", portion) for portion in portions])
        )
    base = sum(quantity * price for quantity, price, taxed in parts if taxed) + supplies
    tax = int((Decimal(base) * rate / 10_000).quantize(Decimal(1), "ROUND_HALF_UP"))
    subtotal = in_parts + sum(money for money, _ in labor) + supplies
    document = invoice(
        *complaints,
        partsTotal=in_parts / 100,
        laborTotal=sum(money for money, _ in labor) / 100,
        suppliesTotal=supplies / 100,
        taxRate=str(Decimal(rate) / 100),
        taxTotal=tax / 100,
        subTotal=subtotal / 100,
        total=(subtotal + tax) / 100,
    )
    result = flat(document)
    assert result.reconciled
    assert total(result) == Decimal(subtotal + tax) / 100
    assert not any(line.line_item_type == "ROUNDING" for line in result.lines)
