"""The generated invoices: equal bytes everywhere, money that reconciles, the shares and oddities of the reference.

The checker below reads only the JSON text, with Decimal, and is written from the reference, not from the generator.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise
from typing import Any

import pytest

from sandbox.fullbay import catalogue as words
from sandbox.fullbay.fixtures import fixture_a, fixture_b, hostile_invoices, hostile_rows
from sandbox.fullbay.invoices import (
    LAST_DAY,
    GeneratedInvoice,
    InvoiceGenerator,
    days,
    expected_day_totals,
    expected_totals_by_shop,
)
from sandbox.fullbay.money import number, percent_of, text, to_cents
from sandbox.fullbay.oddities import ODDITY_RATES
from sandbox.fullbay.overlay import Overlay
from sandbox.fullbay.totals import recompute

Json = dict[str, Any]
CENT = Decimal("0.01")
FIRST, LAST = date(2026, 10, 5), date(2026, 10, 18)


@pytest.fixture(scope="module")
def generator() -> InvoiceGenerator:
    return InvoiceGenerator(seed=7, invoices_per_day=300)


@pytest.fixture(scope="module")
def sample(generator: InvoiceGenerator) -> list[tuple[GeneratedInvoice, Json]]:
    """Two weeks of three shops, some 4,000 invoices: what was generated, and what its JSON says in exact decimals."""
    return [(made, exact(made.row)) for made in of_days(generator, FIRST, LAST)]


def of_days(generator: InvoiceGenerator, first: date, last: date) -> Iterator[GeneratedInvoice]:
    for day in days(first, last):
        for shop in generator.shop_keys:
            yield from generator.generated(shop, day)


def exact(row: bytes) -> Json:
    return dict(json.loads(row, parse_float=Decimal))


# An independent reading of reference sections 6 and 7


def money(value: Any) -> Decimal:
    return Decimal(value if value not in (None, "") else 0)


def rounded(value: Decimal) -> Decimal:
    return value.quantize(CENT, ROUND_HALF_UP)


def effect_of(part: Json) -> Decimal:
    quantity, returned = money(part["quantity"]), money(part["returnedQuantity"])
    if part["coreType"] == "Dirty":
        return -returned if returned > 0 else Decimal(0)
    return quantity - returned


def total_of(rows: list[Json], field: str) -> Decimal:
    return sum((money(row[field]) for row in rows), Decimal(0))


def lines_of(invoice: Json) -> list[tuple[str, Decimal, bool]]:
    """The rows of section 6 as (source, amount, taxable)."""
    order, lines = invoice["ServiceOrder"], []
    for complaint in order["Complaints"]:
        labor_taxable = complaint["laborTaxable"] == "Yes"
        crew = complaint["AssignedTechnicians"]
        for correction in complaint["Corrections"]:
            for part in correction["Parts"]:
                if effect_of(part):
                    amount = rounded(money(part["sellingPrice"]) * effect_of(part))
                    lines.append(("PART", amount, part["taxable"] == "Yes"))
            labor, flag = money(correction["laborTotal"]), correction["taxable"]
            taxable = flag == "Yes" or (flag == "" and labor_taxable)
            portions = [Decimal(one["portion"]) for one in crew if one["portion"] > 0]
            if portions:
                shares = [rounded(labor * portion / sum(portions)) for portion in portions]
                shares[-1] += labor - sum(shares)
                lines += [("LABOR", share, taxable) for share in shares]
            elif labor or correction["laborHoursTotal"] > 0:
                lines.append(("LABOR", labor, taxable))
        if not complaint["Corrections"] and money(complaint["laborTotal"]):
            lines.append(("LABOR", money(complaint["laborTotal"]), labor_taxable))
        for kind, field in (("SERVICE_CALL", "serviceCall"), ("MILEAGE", "mileage")):
            if money(complaint[f"{field}Total"]):
                lines.append((kind, money(complaint[f"{field}Total"]), complaint[f"{field}Taxable"] == "Yes"))
    if money(invoice["suppliesTotal"]):
        lines.append(("SUPPLIES", money(invoice["suppliesTotal"]), True))
    for charge in order.get("MiscCharges", []):
        lines.append(("MISC", money(charge["amount"]), charge["taxable"] == "Yes"))
    return lines


def broken_identities(invoice: Json) -> list[str]:
    """The names of the identities I1 to I10 (and the sums of lines, L) that do not hold to the cent."""
    order, header = invoice["ServiceOrder"], invoice
    tax, lines = invoice["TaxInformation"], lines_of(invoice)
    complaints = order["Complaints"]
    charges = order.get("MiscCharges", [])
    corrected = [complaint for complaint in complaints if complaint["Corrections"]]
    corrections = [correction for complaint in corrected for correction in complaint["Corrections"]]
    base = sum((amount for _, amount, taxable in lines if taxable), Decimal(0))
    by_kind = {
        kind: sum((a for k, a, _ in lines if k == kind), Decimal(0)) for kind in {k for k, _, _ in lines}
    }
    kinds = {
        "PART": "partsTotal",
        "LABOR": "laborTotal",
        "SUPPLIES": "suppliesTotal",
        "MISC": "miscChargeTotal",
        "SERVICE_CALL": "serviceCallTotal",
        "MILEAGE": "mileageTotal",
    }
    total = money(header["total"])
    holds = {
        "I1": money(header["subTotal"]) == sum(money(header[field]) for field in kinds.values()),
        "I2": total == money(header["subTotal"]) + money(header["taxTotal"]),
        "I3": money(header["taxTotal"])
        == money(tax["taxTotal"])
        == (total_of(tax["TaxLineInformation"], "taxTotal") if tax["TaxLineInformation"] else 0),
        "I3 rates": not tax["TaxLineInformation"]
        or money(tax["taxRate"]) == total_of(tax["TaxLineInformation"], "taxRate"),
        "I4": money(header["taxTotal"]) in (0, rounded(base * money(invoice["taxRate"]) / 100)),
        "I5": all(
            money(order[field]) == total_of(complaints, field)
            for field in ("laborTotal", "partsTotal", "partsCostTotal", "laborHoursTotal", "mileageTotal")
        )
        and abs(money(order["actualHoursTotal"]) - total_of(complaints, "actualHoursTotal"))
        < Decimal("1e-9"),
        "I6": all(
            money(complaint[field]) == total_of(complaint["Corrections"], field)
            for complaint in corrected
            for field in ("laborTotal", "partsTotal", "partsCostTotal", "laborHoursTotal")
        ),
        "I7": all(
            money(correction[field])
            == sum((rounded(money(p[price]) * effect_of(p)) for p in correction["Parts"]), Decimal(0))
            for correction in corrections
            for field, price in (("partsTotal", "sellingPrice"), ("partsCostTotal", "cost"))
        ),
        "I8": money(header["miscChargeTotal"]) == total_of(charges, "amount")
        and all(money(one["amount"]) == money(one["quantity"]) * money(one["rate"]) for one in charges),
        "I9": all(
            header[field] == order[field]
            for field in ("laborTotal", "partsTotal", "mileageTotal", "serviceCallTotal", "subletLaborTotal")
        ),
        "I10": 0 <= money(header["balance"]) <= max(total, Decimal(0)),
        "L": all(by_kind.get(kind, Decimal(0)) == money(header[field]) for kind, field in kinds.items()),
    }
    return [name for name, held in holds.items() if not held]


# Hours


def test_technicians_bill_about_as_many_hours_as_they_clock(
    sample: list[tuple[GeneratedInvoice, Json]],
) -> None:
    """Clocked hours drawn without regard to the billed ones made every technician 33 to 41% efficient."""
    billed, clocked = dict.fromkeys(words.TECHNICIANS, 0.0), dict.fromkeys(words.TECHNICIANS, 0.0)
    for _, document in sample:
        for complaint in document["ServiceOrder"]["Complaints"]:
            crew = complaint["AssignedTechnicians"]
            in_all = sum(one["portion"] for one in crew)
            for one in crew if in_all else ():
                hours = float(complaint["laborHoursTotal"]) * float(one["portion"]) / float(in_all)
                billed[one["technician"]] += hours
                clocked[one["technician"]] += float(one["actualHours"])
    efficiency = {name: 100 * billed[name] / clocked[name] for name in clocked}
    assert min(efficiency.values()) > 80, efficiency
    assert max(efficiency.values()) < 110, efficiency
    assert len({round(percent) for percent in efficiency.values()}) > 1, "not all the same"


# Bytes


def test_the_bytes_are_those_that_were_pinned() -> None:
    """Prepared benchmark files and documented numbers rest on them: change this digest only with the generator."""
    made = of_days(InvoiceGenerator(), date(2026, 10, 1), date(2026, 10, 3))
    digest = hashlib.sha256(b"\n".join(one.row for one in made)).hexdigest()
    assert digest == "231580c481b1f90aeb73bbc25bfdbc6b3e2dbfecf7f1c93bc6dc5c9f48de783f"


def test_another_process_makes_the_same_bytes() -> None:
    """`hash()` differs between processes; a generator that leans on it would give every run other invoices."""
    code = (
        "import hashlib; from datetime import date; from sandbox.fullbay.invoices import InvoiceGenerator\n"
        "rows = [one.row for one in InvoiceGenerator(3).generated('NORTH', date(2025, 5, 6))]\n"
        "print(hashlib.sha256(b''.join(rows)).hexdigest())"
    )
    there = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    ]
    rows = [one.row for one in InvoiceGenerator(3).generated("NORTH", date(2025, 5, 6))]
    assert there == [hashlib.sha256(b"".join(rows)).hexdigest()] * 2


def test_a_day_does_not_depend_on_what_was_asked_before(generator: InvoiceGenerator) -> None:
    alone = InvoiceGenerator(seed=7, invoices_per_day=300)
    assert alone.generated("SOUTH", LAST) == generator.generated("SOUTH", LAST)
    assert InvoiceGenerator(seed=8).generated("SOUTH", LAST) != InvoiceGenerator().generated("SOUTH", LAST)


def test_invoices_are_the_callers_to_change(generator: InvoiceGenerator) -> None:
    generator.invoices("NORTH", FIRST)[0]["ServiceOrder"]["Complaints"].clear()
    assert generator.invoices("NORTH", FIRST)[0] == json.loads(generator.generated("NORTH", FIRST)[0].row)


def test_the_cache_stays_small() -> None:
    generator = InvoiceGenerator(invoices_per_day=600)
    for day in days(FIRST, LAST):
        generator.generated("DEFAULT", day)
    assert sum(map(len, generator._cache.values())) == generator._cached <= 3000


# Keys and counts


def test_keys_are_unique_and_lead_back_to_their_invoice(
    generator: InvoiceGenerator, sample: list[tuple[GeneratedInvoice, Json]]
) -> None:
    keys: dict[str, Counter[Any]] = {
        name: Counter() for name in ("invoice", "complaint", "correction", "part")
    }
    for made, invoice in sample:
        keys["invoice"][invoice["primaryKey"]] += 1
        assert generator.find(made.primary_key) == made
        for complaint in invoice["ServiceOrder"]["Complaints"]:
            keys["complaint"][complaint["primaryKey"]] += 1
            for correction in complaint["Corrections"]:
                keys["correction"][correction["primaryKey"]] += 1
                keys["part"].update(part["primaryKey"] for part in correction["Parts"])
    assert [kind for kind, seen in keys.items() if max(seen.values()) > 1] == []
    assert generator.locate("1") is generator.locate("99000001234567") is generator.locate("x") is None


def test_the_largest_keys_fit_the_integer_columns_of_the_warehouse() -> None:
    from sandbox.fullbay import invoices as made

    largest = ((LAST_DAY - made.EPOCH).days + 1) * made.MOST_SHOPS * made.MOST_A_SHOP_DAY
    assert made.PART_BASE + largest * 32 < 2**31
    assert made.COMPLAINT_BASE + largest * 16 < 2**31


@pytest.mark.parametrize("rate", [30, 465])
def test_the_rate_asked_for_is_the_mean_of_all_shops(rate: int) -> None:
    generator = InvoiceGenerator(invoices_per_day=rate)
    span = list(days(date(2025, 1, 6), date(2025, 12, 28)))
    made = sum(generator.count(shop, day) for day in span for shop in generator.shop_keys)
    assert made / len(span) == pytest.approx(rate, rel=0.05)


def test_a_million_invoices_from_2021_to_november_2026() -> None:
    generator = InvoiceGenerator(invoices_per_day=470)
    span = days(date(2021, 1, 1), date(2026, 11, 20))
    assert sum(generator.count(shop, day) for day in span for shop in generator.shop_keys) >= 1_000_000


def test_weekends_are_quiet_and_some_windows_empty() -> None:
    generator = InvoiceGenerator()
    assert generator.generated("DEFAULT", date(2026, 12, 25)) == ()
    assert generator.generated("DEFAULT", date(2020, 12, 31)) == ()
    sundays = [generator.count("SOUTH", date(2026, 3, 1) + timedelta(weeks=week)) for week in range(20)]
    assert 0 in sundays
    assert max(sundays) > 0


def test_more_invoices_than_there_are_keys_for_is_refused() -> None:
    with pytest.raises(ValueError, match="Spread them over more days or shops"):
        InvoiceGenerator(invoices_per_day=5000)


def test_the_same_invoice_number_occurs_in_every_shop(generator: InvoiceGenerator) -> None:
    numbers = [
        {row["invoiceNumber"] for row in generator.invoices(shop, FIRST)} for shop in generator.shop_keys
    ]
    assert set.intersection(*numbers)


# Money


def test_every_identity_holds_to_the_cent(sample: list[tuple[GeneratedInvoice, Json]]) -> None:
    assert len(sample) >= 2000
    broken = {made.primary_key: names for made, invoice in sample if (names := broken_identities(invoice))}
    assert broken == {}


def test_no_tax_on_a_taxable_base_is_an_exempt_customer_only(
    sample: list[tuple[GeneratedInvoice, Json]],
) -> None:
    for made, invoice in sample:
        base = sum(amount for _, amount, taxable in lines_of(invoice) if taxable)
        if money(invoice["taxTotal"]) == 0 and rounded(base * money(invoice["taxRate"]) / 100) != 0:
            assert "exempt_with_rate" in made.oddities


def test_the_cents_beside_an_invoice_are_those_in_its_json(
    sample: list[tuple[GeneratedInvoice, Json]],
) -> None:
    fields = {
        "total": "total",
        "subtotal": "subTotal",
        "tax": "taxTotal",
        "parts": "partsTotal",
        "balance": "balance",
    }
    fields |= {"labor": "laborTotal", "supplies": "suppliesTotal", "misc": "miscChargeTotal"}
    fields |= {"service_call": "serviceCallTotal", "mileage": "mileageTotal"}
    for made, invoice in sample:
        told = {name: made.cents._asdict()[name] for name in fields}
        assert told == {name: int(money(invoice[field]) * 100) for name, field in fields.items()}
        assert made.cents.lines == len(lines_of(invoice))


def test_the_oracle_sums_the_shops(
    generator: InvoiceGenerator, sample: list[tuple[GeneratedInvoice, Json]]
) -> None:
    of_day = [invoice for _, invoice in sample if invoice["invoiceDate"] == "2026-10-06"]
    day = date(2026, 10, 6)
    totals, shops = expected_day_totals(generator, day), expected_totals_by_shop(generator, day)
    assert totals["invoices"] == len(of_day)
    assert totals["total_cents"] == sum(money(invoice["total"]) for invoice in of_day) * 100
    assert totals == {field: sum(shop[field] for shop in shops.values()) for field in totals}


def test_the_checker_itself_sees_a_cent(sample: list[tuple[GeneratedInvoice, Json]]) -> None:
    invoice = fixture_b()
    exactly = exact(json.dumps(invoice).encode())
    assert broken_identities(exactly) == []
    assert broken_identities(exactly | {"total": Decimal("1016.63")}) == ["I2"]
    exactly["ServiceOrder"]["Complaints"][0]["Corrections"][0]["Parts"][0]["sellingPrice"] = "31.29"
    assert {"I7", "L"} <= set(broken_identities(exactly))


# Shares


def share(sample: list[tuple[GeneratedInvoice, Json]], wanted: Any) -> float:
    return sum(bool(wanted(made, invoice)) for made, invoice in sample) / len(sample)


SHARES = {
    "parts": (0.851, 0.02, lambda made, _: made.cents.parts > 0),
    "labor": (0.867, 0.02, lambda made, _: made.cents.labor > 0),
    "supplies": (0.802, 0.025, lambda made, _: made.cents.supplies > 0),
    "misc charges": (0.366, 0.025, lambda _, invoice: invoice["ServiceOrder"].get("MiscCharges")),
    "tax": (0.101, 0.015, lambda made, _: made.cents.tax > 0),
    "QuickBooks id": (0.483, 0.025, lambda _, invoice: invoice["quickBooksId"]),
    "technician": (0.998, 0.004, lambda _, invoice: invoice["ServiceOrder"]["technician"]),
    "several complaints": (0.556, 0.025, lambda _, invoice: len(invoice["ServiceOrder"]["Complaints"]) > 1),
    "location": (0, 0, lambda _, invoice: invoice["ServiceOrder"]["locationInformation"]),
}


@pytest.mark.parametrize("name", SHARES)
def test_shares_are_those_of_the_reference(sample: list[tuple[GeneratedInvoice, Json]], name: str) -> None:
    expected, tolerance, wanted = SHARES[name]
    assert share(sample, wanted) == pytest.approx(expected, abs=tolerance)


def test_means_are_those_of_the_reference(sample: list[tuple[GeneratedInvoice, Json]]) -> None:
    complaints = [one for _, invoice in sample for one in invoice["ServiceOrder"]["Complaints"]]
    corrections = [one for complaint in complaints for one in complaint["Corrections"]]
    count = len(sample)
    assert len(complaints) / count == pytest.approx(2.75, abs=0.12)
    assert len(corrections) / len(complaints) == pytest.approx(1, abs=0.03)
    assert sum(len(one["Parts"]) for one in corrections) / count == pytest.approx(6.4, abs=0.4)
    assert sum(made.cents.lines for made, _ in sample) / count == pytest.approx(14, abs=0.8)
    assert sum(len(made.row) for made, _ in sample) / count == pytest.approx(13_000, abs=800)


# Oddities


def test_every_oddity_occurs_and_none_is_unlisted(sample: list[tuple[GeneratedInvoice, Json]]) -> None:
    seen = Counter(oddity for made, _ in sample for oddity in made.oddities)
    assert set(seen) == {entry.oddity for entry in ODDITY_RATES}


@pytest.mark.parametrize(
    "entry",
    [entry for entry in ODDITY_RATES if entry.per == "invoice" and "of th" not in entry.what],
    ids=lambda entry: entry.oddity,
)
def test_oddities_of_invoices_come_at_their_rate(
    sample: list[tuple[GeneratedInvoice, Json]], entry: Any
) -> None:
    seen = share(sample, lambda made, _: entry.oddity in made.oddities)
    assert 0.3 * entry.rate < seen < 2.2 * entry.rate


def parts_of(invoice: Json) -> list[Json]:
    return [
        part
        for complaint in invoice["ServiceOrder"]["Complaints"]
        for correction in complaint["Corrections"]
        for part in correction["Parts"]
    ]


def crews_of(invoice: Json) -> list[list[Json]]:
    return [complaint["AssignedTechnicians"] for complaint in invoice["ServiceOrder"]["Complaints"]]


SIGNS: dict[str, Callable[[Json], bool]] = {
    "credit_invoice": lambda i: i["total"] < 0,
    "zero_invoice": lambda i: i["total"] == 0,
    "no_complaints": lambda i: i["ServiceOrder"]["Complaints"] == [],
    "third_party_billing": lambda i: (
        i["Customer"]["customerId"] != i["ServiceOrder"]["Customer"]["customerId"]
    ),
    "unit_missing": lambda i: "Unit" not in i["ServiceOrder"],
    "unit_empty": lambda i: i["ServiceOrder"].get("Unit") == {},
    "vin_empty": lambda i: i["ServiceOrder"].get("Unit", {}).get("vin") == "",
    "year_zero": lambda i: i["ServiceOrder"].get("Unit", {}).get("year") == "0",
    "no_lead_technician": lambda i: i["ServiceOrder"]["technician"] == "",
    "charges_key_missing": lambda i: "MiscCharges" not in i["ServiceOrder"],
    "discount": lambda i: any(money(c["amount"]) < 0 for c in i["ServiceOrder"].get("MiscCharges", [])),
    "tax_authorities": lambda i: len(i["TaxInformation"]["TaxLineInformation"]) > 1,
    "fully_returned": lambda i: any(
        p["coreType"] != "Dirty" and money(p["quantity"]) == money(p["returnedQuantity"]) for p in parts_of(i)
    ),
    "pending_return": lambda i: any(money(p["toBeReturnedQuantity"]) > 0 for p in parts_of(i)),
    "dirty_core_refund": lambda i: any(effect_of(p) < 0 and p["coreType"] == "Dirty" for p in parts_of(i)),
    "dirty_core_kept": lambda i: any(effect_of(p) == 0 and p["coreType"] == "Dirty" for p in parts_of(i)),
    "negative_quantity": lambda i: any(money(p["quantity"]) < 0 for p in parts_of(i)),
    "sublet_part": lambda i: any(p["sublet"] == "Yes" for p in parts_of(i)),
    "quantity_as_text": lambda i: any(isinstance(p["quantity"], str) for p in parts_of(i)),
    "price_as_text": lambda i: any(isinstance(p["sellingPrice"], str) for p in parts_of(i)),
    "no_technicians": lambda i: [] in crews_of(i),
    "portions_not_100": lambda i: any(sum(t["portion"] for t in c) not in (0, 100) for c in crews_of(i)),
    "portions_all_zero": lambda i: any(c and sum(t["portion"] for t in c) == 0 for c in crews_of(i)),
    "technician_twice": lambda i: any(len({t["technician"] for t in c}) < len(c) for c in crews_of(i)),
    "complaint_labor": lambda i: any(
        c["laborTotal"] and not c["Corrections"] for c in i["ServiceOrder"]["Complaints"]
    ),
    "sublet_complaint": lambda i: any(c["sublet"] == "Yes" for c in i["ServiceOrder"]["Complaints"]),
    "service_call": lambda i: i["serviceCallTotal"] > 0,
    "mileage": lambda i: i["mileageTotal"] > 0,
    "long_phone": lambda i: len(i["ServiceOrder"]["Customer"]["mainPhone"]) >= 30,
    "long_title": lambda i: len(i["ServiceOrder"]["Customer"]["title"]) > 100,
    "open_balance": lambda i: i["balance"] > 0,
}


@pytest.mark.parametrize("oddity", SIGNS)
def test_what_is_said_to_carry_an_oddity_shows_it_and_nothing_else_does(
    sample: list[tuple[GeneratedInvoice, Json]], oddity: str
) -> None:
    differing = [
        made.primary_key for made, invoice in sample if SIGNS[oddity](invoice) != (oddity in made.oddities)
    ]
    assert differing == []


def test_two_invoices_of_one_service_order_agree_on_customer_and_unit(
    sample: list[tuple[GeneratedInvoice, Json]],
) -> None:
    orders: dict[str, list[Json]] = {}
    for _, invoice in sample:
        orders.setdefault(invoice["ServiceOrder"]["primaryKey"], []).append(invoice["ServiceOrder"])
    shared = [found for found in orders.values() if len(found) > 1]
    assert shared
    for one, other in (pair for found in shared for pair in pairwise(found)):
        assert one["Customer"] == other["Customer"]
        assert one["repairOrderNumber"] == other["repairOrderNumber"]
        if one.get("Unit") and other.get("Unit"):
            assert one["Unit"] == other["Unit"]


def test_a_renamed_customer_keeps_its_id() -> None:
    generator = InvoiceGenerator()
    renamed = [
        customer
        for place in range(generator.parties.customers_per_shop)
        if "renamed_customer" in (customer := generator.parties.customer(0, place)).oddities
    ]
    assert renamed
    before, after = (renamed[0].payload(day) for day in (date(2020, 12, 31), date(2027, 1, 1)))
    assert before["customerId"] == after["customerId"]
    assert before["title"] != after["title"]


def test_balances_are_paid_as_time_passes() -> None:
    """An edit of the source that nobody orders: the same invoice, seen two months later, is paid."""
    day = date(2026, 11, 2)
    early, late = (InvoiceGenerator(as_of=day + timedelta(days=after)) for after in (0, 90))
    assert expected_day_totals(early, day)["balance_cents"] > 0
    assert expected_day_totals(late, day)["balance_cents"] == 0
    assert expected_day_totals(early, day)["total_cents"] == expected_day_totals(late, day)["total_cents"]


def test_forms_are_mixed_as_the_service_mixes_them(sample: list[tuple[GeneratedInvoice, Json]]) -> None:
    invoice = next(i for _, i in sample if i["ServiceOrder"].get("MiscCharges") and parts_of(i))
    complaint = invoice["ServiceOrder"]["Complaints"][0]
    assert isinstance(invoice["Customer"]["customerId"], int)
    assert isinstance(complaint["primaryKey"], int)
    assert isinstance(complaint["Corrections"][0]["primaryKey"], str)
    assert isinstance(invoice["taxRate"], str)
    assert isinstance(invoice["ServiceOrder"]["MiscCharges"][0]["amount"], str)
    assert invoice["ServiceOrder"]["UnitPickUpAddress"]["city"] is None
    noisy = [t["actualHours"] for _, i in sample for crew in crews_of(i) for t in crew]
    assert any(isinstance(hours, Decimal) and len(str(hours)) > 15 for hours in noisy)


@pytest.mark.parametrize("part", ["", "ServiceOrder", "Complaint", "Correction", "Customer", "Charge"])
def test_an_invoice_has_the_fields_of_a_real_one_in_their_order(
    sample: list[tuple[GeneratedInvoice, Json]], part: str
) -> None:
    paths = {
        "": lambda i: i,
        "ServiceOrder": lambda i: i["ServiceOrder"],
        "Complaint": lambda i: i["ServiceOrder"]["Complaints"][0],
        "Correction": lambda i: i["ServiceOrder"]["Complaints"][0]["Corrections"][0],
        "Customer": lambda i: i["Customer"],
        "Charge": lambda i: i["ServiceOrder"]["MiscCharges"][0],
    }
    whole = next(
        i
        for _, i in sample
        if i["ServiceOrder"].get("MiscCharges")
        and i["ServiceOrder"]["Complaints"]
        and "Unit" in i["ServiceOrder"]
    )
    assert list(paths[part](whole)) == list(paths[part](fixture_a()))


# Written-out cases, and totals put right after an edit


def test_fixture_b_is_the_case_of_the_reference() -> None:
    invoice = exact(json.dumps(fixture_b()).encode())
    assert broken_identities(invoice) == []
    assert (invoice["subTotal"], invoice["taxTotal"], invoice["total"]) == tuple(
        map(Decimal, ("998.3", "18.32", "1016.62"))
    )
    assert sorted(amount for _, amount, _ in lines_of(invoice)) == sorted(
        map(Decimal, ["62.56", "125", "-27", "19.99", "255", "170", "85", "30", "25", "18.75", "150", "84"])
    )


def test_hostile_invoices_differ_from_a_good_one() -> None:
    cases = hostile_invoices()
    assert len({json.dumps(case) for case in cases.values()}) == len(cases)
    assert len(json.dumps(cases["10 MB note"])) > 10_000_000
    assert len(set(hostile_rows().values())) == len(hostile_rows())


def test_recomputing_an_untouched_invoice_changes_nothing(generator: InvoiceGenerator) -> None:
    """Generator and re-computation reach the totals on two ways; what is half paid stays so."""
    for day in days(FIRST, FIRST + timedelta(days=1)):
        for invoice in generator.invoices("DEFAULT", day):
            before = json.dumps(invoice)
            recompute(invoice)
            assert json.dumps(invoice) == before


@pytest.mark.parametrize("change", ["remove_part", "change_tax"])
def test_an_edit_keeps_every_identity(generator: InvoiceGenerator, change: str) -> None:
    overlay, edited = Overlay(generator), 0
    for made in generator.generated("DEFAULT", FIRST):
        if change == "change_tax":
            overlay.change_tax(made.primary_key, "7.25")
        elif parts_of(json.loads(made.row)):
            overlay.remove_part(made.primary_key)
        else:
            continue
        edited += 1
        now = exact(json.dumps(overlay.invoice(made.primary_key)).encode())
        assert broken_identities(now) == []
    assert edited > 100


@pytest.mark.parametrize(
    ("cents", "as_number", "as_text"),
    [
        (0, "0", "0.00"),
        (750, "7.5", "7.50"),
        (15000, "150", "150.00"),
        (-5, "-0.05", "-0.05"),
        (473, "4.73", "4.73"),
    ],
)
def test_money_is_printed_as_the_service_prints_it(cents: int, as_number: str, as_text: str) -> None:
    assert json.dumps(number(cents)) == as_number
    assert text(cents) == as_text
    assert to_cents(number(cents)) == to_cents(text(cents)) == cents


@pytest.mark.parametrize(
    ("cents", "rate", "expected"), [(750, 6000, 45), (50, 1000, 1), (-50, 1000, -1), (49, 1000, 0)]
)
def test_halves_of_a_cent_are_rounded_away_from_zero(cents: int, rate: int, expected: int) -> None:
    assert percent_of(cents, rate) == expected
