"""The oddities that generated invoices carry, each with its rate. What carries which is told by
`InvoiceGenerator.oddities`, never by the payload.

Rates are parts of one of the base named in `per`; what an oddity needs (a technician, a part, a taxed customer) makes
the share among invoices differ from the rate itself.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Base = Literal["invoice", "complaint", "correction", "part", "charge", "customer", "unit", "shop"]


class OddityRate(NamedTuple):
    """One oddity: its name, how often it is drawn (0..1 of `per`), and what a reader will find."""

    oddity: str
    rate: float
    per: Base
    what: str


ODDITY_RATES: tuple[OddityRate, ...] = (
    OddityRate("credit_invoice", 0.012, "invoice", "total below zero: parts and labor taken back"),
    OddityRate("zero_invoice", 0.010, "invoice", "total exactly zero: warranty or everything returned"),
    OddityRate("no_complaints", 0.002, "invoice", "Complaints is [] and only charges are billed"),
    OddityRate("third_party_billing", 0.03, "invoice", "Customer is not ServiceOrder.Customer"),
    OddityRate("shared_service_order", 0.008, "invoice", "a second invoice of the previous service order"),
    OddityRate("unit_missing", 0.006, "invoice", "ServiceOrder has no Unit key"),
    OddityRate("unit_empty", 0.005, "invoice", "Unit is {}"),
    OddityRate("no_lead_technician", 0.002, "invoice", 'ServiceOrder.technician is ""'),
    OddityRate("charges_key_missing", 0.012, "invoice", "MiscCharges is absent instead of []"),
    OddityRate("exempt_with_rate", 0.05, "invoice", "a tax rate, taxable lines and taxTotal 0"),
    OddityRate("tax_authorities", 0.35, "invoice", "of the taxed: two or three TaxLineInformation rows"),
    OddityRate(
        "sublet_total_given", 0.4, "invoice", "of those with a sublet complaint: subletLaborTotal a number"
    ),
    OddityRate("sublet_total_zero", 0.03, "invoice", "subletLaborTotal is 0 instead of null"),
    OddityRate(
        "supplies_overridden", 0.01, "invoice", "overrideSuppliesTotal Yes, overridenSuppliesTotal filled"
    ),
    OddityRate(
        "awkward_text", 0.04, "invoice", "quotes, tabs, non-ASCII, characters beyond the BMP in a note"
    ),
    OddityRate("all_null_billing_address", 0.03, "invoice", "BillingAddress with all values null"),
    OddityRate("dates_blank", 0.01, "invoice", "start and completion null, available null"),
    OddityRate("open_balance", 0.45, "invoice", "of those just posted; falls with age, see as_of"),
    OddityRate("part_paid", 0.1, "invoice", "of the open ones: balance between 0 and total"),
    OddityRate("shop_title_drift", 0.01, "invoice", "another spelling of shopTitle"),
    OddityRate("shop_address_drift", 0.05, "invoice", "another spelling of shopPhysicalAddress"),
    OddityRate(
        "quality_control", 0.92, "invoice", "of those with several complaints: a zero-hour inspection"
    ),
    OddityRate("no_technicians", 0.02, "complaint", "AssignedTechnicians is []"),
    OddityRate("portion_zero", 0.03, "complaint", "one technician with portion 0 beside others"),
    OddityRate("portions_all_zero", 0.003, "complaint", "every portion is 0"),
    OddityRate("portions_not_100", 0.015, "complaint", "portions such as 60/60 or 50/25"),
    OddityRate("technician_twice", 0.012, "complaint", "one technician on two assignments"),
    OddityRate("no_corrections", 0.03, "complaint", "Corrections is [], no money"),
    OddityRate("complaint_labor", 0.0025, "complaint", "Corrections is [] and the complaint has laborTotal"),
    OddityRate("service_call", 0.03, "complaint", "serviceCallTotal on the complaint"),
    OddityRate("mileage", 0.03, "complaint", "mileageTotal on the complaint"),
    OddityRate("sublet_complaint", 0.008, "complaint", 'complaint with sublet "Yes"'),
    OddityRate("flat_rate_labor", 0.02, "correction", "laborTotal without hours"),
    OddityRate("hours_without_money", 0.02, "correction", "hours with laborTotal 0 (warranty)"),
    OddityRate("labor_tax_blank", 0.15, "correction", 'Corrections[].taxable is ""'),
    OddityRate(
        "labor_tax_by_complaint", 0.25, "correction", 'of the blank ones: complaint laborTaxable "Yes"'
    ),
    OddityRate("labor_taxable", 0.06, "correction", 'Corrections[].taxable is "Yes"'),
    OddityRate("fully_returned", 0.018, "part", "returnedQuantity = quantity, still listed"),
    OddityRate("partly_returned", 0.012, "part", "returnedQuantity below quantity"),
    OddityRate("pending_return", 0.012, "part", "toBeReturnedQuantity > 0, nothing returned yet"),
    OddityRate("dirty_core_refund", 0.018, "part", 'coreType "Dirty" and returned: a refund'),
    OddityRate("dirty_core_kept", 0.010, "part", 'coreType "Dirty", nothing returned: no money'),
    OddityRate("inherent_core", 0.010, "part", 'coreType "Inherent", an ordinary charge'),
    OddityRate("negative_quantity", 0.004, "part", "a negative line on an ordinary invoice"),
    OddityRate("zero_price", 0.008, "part", "sellingPrice 0"),
    OddityRate("sublet_part", 0.006, "part", 'sublet "Yes" on a part'),
    OddityRate("freight_part", 0.010, "part", "freight listed as a part"),
    OddityRate("quantity_as_text", 0.25, "part", "quantities are strings"),
    OddityRate("price_as_text", 0.30, "part", "cost and sellingPrice are strings"),
    OddityRate("fractional_quantity", 0.04, "part", "quantity with .25 or .5 (exact to the cent)"),
    OddityRate("part_taxable_blank", 0.03, "part", 'taxable "", read as not taxable'),
    OddityRate("part_not_taxable", 0.15, "part", 'taxable "No"; a puzzle on taxed invoices'),
    OddityRate("discount", 0.16, "charge", "a negative amount"),
    OddityRate("freight_charge", 0.14, "charge", "freight among MiscCharges"),
    OddityRate("long_charge_type", 0.10, "charge", 'quickBooksItemType "Other Charge Item"'),
    OddityRate("long_phone", 0.03, "customer", "mainPhone of 30 characters or more"),
    OddityRate("long_title", 0.02, "customer", "title of more than 100 characters"),
    OddityRate(
        "renamed_customer", 0.05, "customer", "another title for the same customerId from some day on"
    ),
    OddityRate("non_ascii_title", 0.03, "customer", "accents in the title"),
    OddityRate("vin_empty", 0.03, "unit", 'vin ""'),
    OddityRate("vin_short", 0.015, "unit", "vin of fewer than 17 characters"),
    OddityRate("vin_numeric", 0.010, "unit", "vin is a string of digits"),
    OddityRate("vin_placeholder", 0.010, "unit", "vin is a word or the customer's name"),
    OddityRate("vin_shared", 0.010, "unit", "the vin of another customer's unit (sold truck)"),
    OddityRate("year_zero", 0.020, "unit", 'year "0"'),
)

RATE: dict[str, float] = {entry.oddity: entry.rate for entry in ODDITY_RATES}
"""Rate by oddity name; a name that is not in the table is a KeyError, so no oddity goes unlisted."""

STRUCTURAL: frozenset[str] = frozenset({"same_number_in_shops", "hours_with_noise", "empty_window"})
"""Present by construction rather than by a draw: invoice numbers repeat in every shop, hours are seconds / 3600."""
