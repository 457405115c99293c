"""Small invoices for tests: complete, reconciling, and changed by keyword."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

Json = dict[str, Any]


def part(**overrides: Any) -> Json:
    return {
        "primaryKey": "14600001",
        "description": "BRAKE SHOE KIT",
        "shopPartNumber": "BSK-1",
        "vendorPartNumber": "V-1",
        "quantity": 1,
        "toBeReturnedQuantity": 0,
        "returnedQuantity": 0,
        "cost": 10,
        "sellingPrice": 20,
        "sellingPriceOverridden": "No",
        "taxable": "No",
        "inventory": "Yes",
        "coreType": "None",
        "sublet": "No",
        "created": "2025-06-02 09:00:00",
    } | overrides


def technician(name: str = "Sam Wrench", portion: Any = 100, hours: Any = 1) -> Json:
    return {
        "primaryKey": "503",
        "technician": name,
        "technicianNumber": "",
        "portion": portion,
        "actualHours": hours,
    }


def correction(**overrides: Any) -> Json:
    return {
        "primaryKey": "43200001",
        "laborRate": "Standard",
        "title": "",
        "actualCorrection": "replaced",
        "recommendedCorrection": "",
        "taxable": "No",
        "laborHoursTotal": 0,
        "laborTotal": 0,
        "partsTotal": 0,
        "Parts": [],
    } | overrides


def complaint(*corrections: Json, **overrides: Any) -> Json:
    sums = {
        name: sum(c.get(name) or 0 for c in corrections)
        for name in ("laborTotal", "partsTotal", "laborHoursTotal")
    }
    return {
        "primaryKey": 48600001,
        "type": "Complaint",
        "note": "noise",
        "severity": " - ",
        "laborTaxable": "",
        "actualHoursTotal": 0,
        "AssignedTechnicians": [technician()] if sums["laborTotal"] or sums["laborHoursTotal"] else [],
        "Corrections": list(corrections),
        "serviceCallTotal": 0,
        "mileageTotal": 0,
        **sums,
    } | overrides


def invoice(*complaints: Json, charges: list[Json] | None = None, **overrides: Any) -> Json:
    """An invoice whose totals follow from its complaints and charges unless they are given."""

    def total(name: str) -> Any:
        return sum(c.get(name) or 0 for c in complaints)

    charges = charges or []
    top = {
        "primaryKey": "17500001",
        "exported": "1",
        "invoiceDate": "2025-06-03",
        "dueDate": "2025-06-18",
        "invoiceNumber": "14550",
        "customerTitle": "SAMPLE HAULING LLC",
        "Customer": {"customerId": 3300001, "title": "SAMPLE HAULING LLC"},
        "shopTitle": "Example Truck Repair - North",
        "miscChargeTotal": sum(float(charge["amount"]) for charge in charges),
        "serviceCallTotal": total("serviceCallTotal"),
        "mileageTotal": total("mileageTotal"),
        "partsTotal": total("partsTotal"),
        "laborTotal": total("laborTotal"),
        "laborHoursTotal": total("laborHoursTotal"),
        "subletLaborTotal": None,
        "suppliesTotal": 0,
        "taxRate": "0",
        "taxTotal": 0,
        "balance": 0,
    } | overrides
    lines = (
        "partsTotal",
        "laborTotal",
        "suppliesTotal",
        "miscChargeTotal",
        "serviceCallTotal",
        "mileageTotal",
    )
    top.setdefault("subTotal", round(sum(top[name] for name in lines), 2))
    top.setdefault("total", round(top["subTotal"] + top["taxTotal"], 2))
    top.setdefault(
        "TaxInformation", {"taxRate": top["taxRate"], "taxTotal": top["taxTotal"], "TaxLineInformation": []}
    )
    top.setdefault(
        "ServiceOrder",
        {
            "primaryKey": "19250001",
            "repairOrderNumber": "16025",
            "technician": "Robin Lead",
            "technicianNumber": "7",
            "created": "2025-05-30 12:26:29",
            "Customer": {"customerId": 3300001, "title": "SAMPLE HAULING LLC"},
            "Unit": {"customerUnitId": "7240001", "vin": "1XSAMPLE000000001", "make": "Hino"},
            "laborTotal": top["laborTotal"],
            "partsTotal": top["partsTotal"],
            "MiscCharges": charges,
            "Complaints": list(complaints),
        },
    )
    return deepcopy(top)


def simple(**overrides: Any) -> Json:
    """One complaint, one correction: two hours of labor for 200.00 and one part for 20.00."""
    work = correction(laborHoursTotal=2, laborTotal=200, partsTotal=20, Parts=[part()])
    return invoice(complaint(work), **overrides)


def as_bytes(document: Json) -> bytes:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
