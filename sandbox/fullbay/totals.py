"""Totals of a payload that was changed by hand, put right again from its lines.

Belongs here: the way from parts, labor and charges up to header and tax, in integer cents, by the rules of reference
sections 6 and 7. The generator does not use it (it adds while it draws), so either may be checked by the other.
"""

from __future__ import annotations

from typing import Any

from sandbox.fullbay.money import number, percent_number, percent_of, text, to_cents, to_milli_percent

Json = dict[str, Any]


def effective_hundredths(part: Json) -> int:
    """What a part counts for, in hundredths of a unit: quantity less returned; a dirty core only what came back,
    negative."""
    returned = to_cents(part["returnedQuantity"])
    return -returned if part["coreType"] == "Dirty" else to_cents(part["quantity"]) - returned


def part_cents(part: Json, price: str = "sellingPrice") -> int:
    """Price (or `cost`) times effective quantity, rounded half up."""
    return percent_of(to_cents(part[price]), effective_hundredths(part) * 1_000)


def recompute(invoice: Json) -> None:
    """Close every identity of an invoice in place, from parts, labor, charges, calls, supplies and the tax rate.

    An invoice that was exempt (a rate, something taxable, tax 0) stays exempt. A balance that was open in full stays
    open in full; any other is cut to lie between 0 and the total.
    """
    order = invoice["ServiceOrder"]
    complaints = order["Complaints"]
    was_exempt = to_cents(invoice["taxTotal"]) == 0 and taxable_cents(invoice) != 0
    was_open = to_cents(invoice["balance"]) == to_cents(invoice["total"]) != 0
    for complaint in complaints:
        for correction in complaint["Corrections"]:
            correction["partsTotal"] = number(sum(part_cents(part) for part in correction["Parts"]))
            correction["partsCostTotal"] = number(
                sum(part_cents(part, "cost") for part in correction["Parts"])
            )
        if complaint["Corrections"]:
            for field in ("partsTotal", "partsCostTotal", "laborTotal", "laborHoursTotal"):
                complaint[field] = _sum(complaint["Corrections"], field)
    for field in (
        "partsTotal", "partsCostTotal", "laborTotal", "laborHoursTotal", "serviceCallTotal", "mileageTotal",
        "mileageCostTotal",
    ):  # fmt: skip
        order[field] = _sum(complaints, field)
        if field != "partsCostTotal":
            invoice[field] = order[field]
    invoice["miscChargeTotal"] = _sum(order.get("MiscCharges", []), "amount")
    subtotal = sum(
        to_cents(invoice[field])
        for field in (
            "partsTotal", "laborTotal", "suppliesTotal", "miscChargeTotal", "serviceCallTotal", "mileageTotal",
        )
    )  # fmt: skip
    invoice["subTotal"] = number(subtotal)
    set_tax(
        invoice, 0 if was_exempt else percent_of(taxable_cents(invoice), to_milli_percent(invoice["taxRate"]))
    )
    total = to_cents(invoice["total"])
    invoice["balance"] = number(max(0, total if was_open else min(to_cents(invoice["balance"]), total)))


def change_rate(invoice: Json, rate: str) -> None:
    """Give the invoice another tax rate (percent as text, one authority) and close tax, total and balance."""
    was_open = to_cents(invoice["balance"]) == to_cents(invoice["total"]) != 0
    milli_percent = to_milli_percent(rate)
    invoice["taxRate"] = invoice["TaxInformation"]["taxRate"] = rate
    invoice["TaxInformation"]["TaxLineInformation"] = [
        {"taxTitle": "Non-Exempt", "taxRate": percent_number(milli_percent), "taxTotal": "0.00"}
    ]
    set_tax(invoice, percent_of(taxable_cents(invoice), milli_percent))
    total = to_cents(invoice["total"])
    invoice["balance"] = number(max(0, total if was_open else min(to_cents(invoice["balance"]), total)))


def set_tax(invoice: Json, tax: int) -> None:
    """Write the tax in all its places (authorities by their rates, the last takes the residue) and the total."""
    information = invoice["TaxInformation"]
    authorities = information["TaxLineInformation"]
    rest = tax
    for place, authority in enumerate(authorities):
        share = percent_of(taxable_cents(invoice), to_milli_percent(authority["taxRate"])) if tax else 0
        share = rest if place == len(authorities) - 1 else share
        authority["taxTotal"] = text(share)
        rest -= share
    invoice["taxTotal"] = information["taxTotal"] = number(tax)
    invoice["total"] = number(to_cents(invoice["subTotal"]) + tax)


def taxable_cents(invoice: Json) -> int:
    """The tax base: taxable parts, labor, calls and charges, and the supplies."""
    base = to_cents(invoice["suppliesTotal"])
    for charge in invoice["ServiceOrder"].get("MiscCharges", []):
        base += to_cents(charge["amount"]) * (charge["taxable"] == "Yes")
    for complaint in invoice["ServiceOrder"]["Complaints"]:
        labor_taxable = complaint["laborTaxable"] == "Yes"
        base += to_cents(complaint["serviceCallTotal"]) * (complaint["serviceCallTaxable"] == "Yes")
        base += to_cents(complaint["mileageTotal"]) * (complaint["mileageTaxable"] == "Yes")
        if not complaint["Corrections"]:
            base += to_cents(complaint["laborTotal"]) * labor_taxable
        for correction in complaint["Corrections"]:
            flag = correction["taxable"]
            base += to_cents(correction["laborTotal"]) * (flag == "Yes" or (flag == "" and labor_taxable))
            base += sum(part_cents(part) for part in correction["Parts"] if part["taxable"] == "Yes")
    return base


def _sum(rows: list[Json], field: str) -> int | float:
    return number(sum(to_cents(row[field]) for row in rows))
