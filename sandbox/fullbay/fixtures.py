"""Invoices written out: the captured shape, the hard cases in one, and those that must not be stored.

All names and numbers are made up.
"""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

Json = dict[str, Any]

_FIXTURE_A = """
{
 "primaryKey": "17500001",
 "exported": "1",
 "invoiceDate": "2025-06-03",
 "dueDate": "2025-06-18",
 "invoiceNumber": "14550",
 "customerTitle": "SAMPLE HAULING LLC",
 "customerBillingEmployee": "PAT SAMPLE",
 "customerBillingEmail": "",
 "customerBillingAddress": "100 Sample Rd, Springfield, MI 48000, US",
 "Customer": {
  "customerId": 3300001,
  "title": "SAMPLE HAULING LLC",
  "externalId": null,
  "mainPhone": "(555) 555-0100",
  "secondaryPhone": ""
 },
 "shopTitle": "Example Truck Repair - North",
 "shopEmail": "north@example.com",
 "shopPhysicalAddress": "Facility ID F000000 1 Shop St, Springfield, MI 48000, US",
 "miscChargeTotal": 4.73,
 "serviceCallTotal": 0,
 "mileageTotal": 0,
 "mileageCostTotal": 0,
 "partsTotal": 0,
 "laborHoursTotal": 1,
 "laborTotal": 150,
 "subletLaborTotal": null,
 "suppliesTotal": 7.5,
 "subTotal": 162.23,
 "TaxInformation": {
  "taxTitle": "State Non-Exempt",
  "taxRate": "6",
  "taxTotal": 0.45,
  "TaxLineInformation": [
   {
    "taxTitle": "Non-Exempt",
    "taxRate": 6,
    "taxTotal": "0.45"
   }
  ]
 },
 "taxTitle": "State Non-Exempt",
 "taxRate": "6",
 "taxTotal": 0.45,
 "total": 162.68,
 "balance": 0,
 "quickBooksId": "200800",
 "promiseToPayDate": "",
 "createdByTechnician": "ALEX WRITER",
 "createdByTechnicianNumber": "",
 "created": "2025-06-03 12:31:27",
 "ServiceOrder": {
  "primaryKey": "19250001",
  "repairOrderNumber": "16025",
  "technician": "Robin Lead",
  "technicianNumber": "",
  "partsManager": "",
  "partsManagerNumber": "",
  "customerAuthorizedOnHoursOnly": "No",
  "Customer": {
   "customerId": 3300001,
   "title": "SAMPLE HAULING LLC",
   "externalId": null,
   "mainPhone": "(555) 555-0100",
   "secondaryPhone": ""
  },
  "Unit": {
   "customerUnitId": "7240001",
   "number": "FLATBED",
   "nickname": "",
   "type": "Truck",
   "subType": null,
   "year": "2012",
   "make": "Hino",
   "model": "Conventional Type Truck",
   "vin": "1XSAMPLE000000001",
   "licensePlate": ""
  },
  "description": "",
  "submitterContact": "PAT SAMPLE",
  "submitterContactEmail": "",
  "submitterContactPhone": "(555) 555-0100",
  "submitterContactCellPhone": null,
  "authorizerContact": "PAT SAMPLE",
  "authorizerContactEmail": "",
  "authorizerContactPhone": "(555) 555-0100",
  "authorizerContactCellPhone": null,
  "billingCustomer": "SAMPLE HAULING LLC",
  "BillingAddress": {
   "title": "Springfield, MI",
   "line1": "100 Sample Rd",
   "line2": "",
   "city": "Springfield",
   "state": "MI",
   "country": "US",
   "postalCode": "48000"
  },
  "RemitToAddress": {
   "title": null,
   "line1": null,
   "line2": null,
   "city": null,
   "state": null,
   "country": null,
   "postalCode": null
  },
  "ShipToAddress": {
   "title": "Springfield, MI",
   "line1": "100 Sample Rd",
   "line2": "",
   "city": "Springfield",
   "state": "MI",
   "country": "US",
   "postalCode": "48000"
  },
  "unitAccessMethod": null,
  "unitAvailableDateTime": "2025-05-30 12:30:00",
  "unitMustBeAccessedAtAvailableDateTime": "No",
  "unitReturnDateTime": null,
  "unitReturnAsap": "Yes",
  "UnitPickUpAddress": {
   "title": null,
   "line1": null,
   "line2": null,
   "city": null,
   "state": null,
   "country": null,
   "postalCode": null
  },
  "locationInformation": "",
  "authorizationNumber": "",
  "poNumber": "",
  "partsPoNumber": "28600001",
  "hot": "No",
  "followInUseSchedule": "No",
  "unscheduled": "No",
  "customerThreshold": 2197.18,
  "preAuthorized": "Yes",
  "laborHoursTotal": 1,
  "actualHoursTotal": 1.2622222222222221,
  "laborTotal": 150,
  "subletLaborTotal": null,
  "partsCostTotal": 0,
  "partsTotal": 0,
  "mileageTotal": 0,
  "mileageCostTotal": 0,
  "overrideSuppliesTotal": "No",
  "overridenSuppliesTotal": 0,
  "serviceCallTotal": 0,
  "allPartsPricedDateTime": "",
  "startDateTime": "2025-05-31 11:45:03",
  "completionDateTime": "2025-06-03 11:02:34",
  "createdByTechnician": "ALEX WRITER",
  "createdByTechnicianNumber": "",
  "created": "2025-05-30 12:26:29",
  "MiscCharges": [
   {
    "primaryKey": "4550001",
    "description": "3% CREDIT CARD SURCHARGE",
    "quantity": 1,
    "rate": 4.73,
    "amount": "4.73",
    "taxable": "No",
    "quickBooksItem": "DISCOUNT",
    "quickBooksItemType": "misc"
   }
  ],
  "Complaints": [
   {
    "primaryKey": 48600001,
    "mileageRate": "Standard",
    "laborRate": "Standard",
    "type": "Complaint",
    "subType": "",
    "authorized": "Yes",
    "severity": " - ",
    "note": "CHK ENGINE LIGHT- LOW POWER",
    "cause": ".",
    "causeType": null,
    "laborHoursTotal": 1,
    "actualHoursTotal": 1.2527777777777778,
    "laborTaxable": "",
    "laborTotal": 150,
    "partsCostTotal": 0,
    "partsTotal": 0,
    "mileageTaxable": "",
    "mileageTotal": 0,
    "mileageCostTotal": 0,
    "serviceCallTaxable": "",
    "serviceCallTotal": 0,
    "sublet": "No",
    "partCategory": null,
    "quickBooksAccount": null,
    "quickBooksItem": null,
    "quickBooksItemType": null,
    "created": "2025-05-30 12:26:30",
    "AssignedTechnicians": [
     {
      "actualHours": 1.2527777777777778,
      "portion": 100,
      "primaryKey": "50300001",
      "quickBooksLaborItem": null,
      "technician": "Sam Wrench",
      "technicianNumber": ""
     }
    ],
    "Corrections": [
     {
      "primaryKey": "43200002",
      "globalComponent": "CHASSIS MAINTENANCE",
      "globalSystem": "MAINTENANCE",
      "globalService": null,
      "unitService": null,
      "laborRate": "Standard",
      "title": "",
      "recommendedCorrection": "DPF FAULT CODES.\\n6/2 - CUSTOMER DENIED SERVICE.",
      "actualCorrection": "DPF FAULT CODES.\\n6/2 - CUSTOMER DENIED SERVICE.",
      "correctionPerformed": "Performed",
      "preAuthorized": "No",
      "prePaid": "No",
      "laborHoursTotal": 1,
      "laborTotal": 150,
      "taxable": "No",
      "partsCostTotal": 0,
      "partsTotal": 0,
      "created": "2025-05-30 12:26:30",
      "Parts": []
     }
    ]
   },
   {
    "primaryKey": 48600000,
    "mileageRate": "Standard",
    "laborRate": "Standard",
    "type": "Complaint",
    "subType": "PM",
    "authorized": "Yes",
    "severity": " - ",
    "note": "QUALITY CONTROL",
    "cause": "Customer request",
    "causeType": null,
    "laborHoursTotal": 0,
    "actualHoursTotal": 0.009444444444444445,
    "laborTaxable": "",
    "laborTotal": 0,
    "partsCostTotal": 0,
    "partsTotal": 0,
    "mileageTaxable": "",
    "mileageTotal": 0,
    "mileageCostTotal": 0,
    "serviceCallTaxable": "",
    "serviceCallTotal": 0,
    "sublet": "No",
    "partCategory": null,
    "quickBooksAccount": null,
    "quickBooksItem": null,
    "quickBooksItemType": null,
    "created": "2025-05-30 12:26:29",
    "AssignedTechnicians": [
     {
      "actualHours": 0.009444444444444445,
      "portion": 100,
      "primaryKey": "50400001",
      "quickBooksLaborItem": null,
      "technician": "Sam Wrench",
      "technicianNumber": ""
     }
    ],
    "Corrections": [
     {
      "primaryKey": "43200001",
      "globalComponent": "CHASSIS MAINTENANCE",
      "globalSystem": "MAINTENANCE",
      "globalService": "QUALITY CONTROL",
      "unitService": "QUALITY CONTROL",
      "laborRate": "Standard",
      "title": "QUALITY CONTROL",
      "recommendedCorrection": "QUALITY CONTROL INSPECTION",
      "actualCorrection": "QUALITY CONTROL INSPECTION",
      "correctionPerformed": "Performed",
      "preAuthorized": "Yes",
      "prePaid": "No",
      "laborHoursTotal": 0,
      "laborTotal": 0,
      "taxable": "No",
      "partsCostTotal": 0,
      "partsTotal": 0,
      "created": "2025-05-30 12:26:30",
      "Parts": []
     }
    ]
   }
  ]
 }
}
"""


def fixture_a() -> Json:
    """One order with two complaints, taxed supplies and a surcharge; total 162.68. The form of a real answer."""
    return dict(json.loads(_FIXTURE_A))


def fixture_b() -> Json:
    """Two technicians, five parts with a refund and a full return, charges, service call, mileage; total 1016.62."""
    invoice = fixture_a()
    order = invoice["ServiceOrder"]
    first, second = order["Complaints"]
    third = deepcopy(first)
    work = first["Corrections"][0]
    work.update(laborHoursTotal=2.5, laborTotal=425, partsTotal=180.55, partsCostTotal=0, taxable="No")
    work["Parts"] = [
        _part("14680001", "OIL FILTER", "2", "31.28"),
        _part("14680002", "BRAKE SHOE KIT", 2, 62.5),
        _part("14680003", "CORE (DIRTY)", 1, 27, returned=1, core="Dirty"),
        _part("14680004", "DECAL", 1, 19.99, taxable="No"),
        _part("14680005", "HOSE", 1, 45.1, returned=1),
    ]
    first.update(laborHoursTotal=2.5, laborTotal=425, partsTotal=180.55)
    crew = first["AssignedTechnicians"][0]
    first["AssignedTechnicians"] = [
        crew | {"portion": 60, "technician": "Sam Wrench"},
        crew | {"portion": 40, "technician": "Robin Lead", "primaryKey": "50300002"},
    ]
    second.update(Corrections=[], AssignedTechnicians=[], actualHoursTotal=0)
    third.update(
        primaryKey=48600002, laborHoursTotal=0.5, laborTotal=85, serviceCallTotal=150, mileageTotal=84
    )
    third["Corrections"][0].update(primaryKey="43200003", laborHoursTotal=0.5, laborTotal=85, Parts=[])
    order["Complaints"] = [first, second, third]
    order["MiscCharges"] = [
        _charge("4550001", "FREIGHT", "25.00", "Yes"),
        _charge("4550002", "3% CREDIT CARD SURCHARGE", "18.75", "No"),
    ]
    hours = sum(complaint["actualHoursTotal"] for complaint in order["Complaints"])
    order.update(laborTotal=510, partsTotal=180.55, laborHoursTotal=3, actualHoursTotal=hours)
    order.update(serviceCallTotal=150, mileageTotal=84)
    tax = {"taxTitle": "Sales tax", "taxRate": "8.5", "taxTotal": 18.32}
    invoice.update(
        partsTotal=180.55, laborTotal=510, laborHoursTotal=3, suppliesTotal=30, miscChargeTotal=43.75
    )
    invoice.update(
        serviceCallTotal=150, mileageTotal=84, subTotal=998.3, total=1016.62, primaryKey="17500002", **tax
    )
    invoice["TaxInformation"] = tax | {
        "TaxLineInformation": [{"taxTitle": "Sales tax", "taxRate": 8.5, "taxTotal": "18.32"}]
    }
    return invoice


def hostile_invoices() -> dict[str, Json]:
    """Invoices that a client must survive, by what is wrong with them; each has a primaryKey of its own."""
    cases: dict[str, Json] = {}

    def case(name: str) -> Json:
        cases[name] = fixture_b()
        cases[name]["primaryKey"] = str(99_000_000 + len(cases))
        cases[name]["ServiceOrder"]["primaryKey"] = str(98_000_000 + len(cases))
        return cases[name]

    def part_of(invoice: Json) -> Json:
        part: Json = invoice["ServiceOrder"]["Complaints"][0]["Corrections"][0]["Parts"][1]
        return part

    case("no primaryKey")["primaryKey"] = None
    case("no ServiceOrder")["ServiceOrder"] = None
    part_of(case("amount that is no number"))["sellingPrice"] = "call us"
    part_of(case("amount too large"))["sellingPrice"] = 10**12
    case("total that is no number")["total"] = "12.x"
    case("date 0000-00-00")["invoiceDate"] = "0000-00-00"
    case("NUL in a note")["ServiceOrder"]["Complaints"][0]["note"] = "left\x00right"
    case("10 MB note")["ServiceOrder"]["Complaints"][0]["note"] = "x" * 10_000_000
    part_of(case("part key that is no number"))["primaryKey"] = "A-17"
    case("VIN of 60 characters")["ServiceOrder"]["Unit"]["vin"] = "V" * 60
    case("off by 0.03").update(subTotal=998.33, total=1016.65)
    case("off by 12.34").update(subTotal=1010.64, total=1028.96)
    case("text for an object")["ServiceOrder"]["Unit"] = "FLATBED"
    case("complaints that are no list")["ServiceOrder"]["Complaints"] = "none"
    part_of(case("unknown core type"))["coreType"] = "Rusty"
    return cases


def hostile_rows() -> dict[str, bytes]:
    """What no dictionary can hold: rows of a page as bytes, by what is wrong with them.

    Those that are JSON stand in a page without breaking it; "not a number" is JSON to some parsers only.
    """
    whole = json.dumps(fixture_b() | {"primaryKey": "99500001"}, separators=(",", ":"))
    return {
        "a text for an invoice": b'"FLATBED"',
        "null for an invoice": b"null",
        "a list for an invoice": b"[1,2]",
        "half of a surrogate pair": whole.replace("LOW POWER", "LOW \\ud83d POWER").encode(),
        "a key given twice": whole.replace('"balance":0', '"balance":1,"balance":0').encode(),
        "not a number": whole.replace('"balance":0', '"balance":NaN').encode(),
        "an exponent for an amount": whole.replace('"total":1016.62', '"total":101662e-2').encode(),
        "thirty digits": whole.replace('"balance":0', '"balance":' + "9" * 30).encode(),
        "deep nesting": whole.replace(
            '"BillingAddress":{', '"deep":' + "[" * 400 + "]" * 400 + ',"BillingAddress":{'
        ).encode(),
    }


def _part(
    key: str,
    description: str,
    quantity: object,
    price: object,
    *,
    returned: int = 0,
    core: str = "None",
    taxable: str = "Yes",
) -> Json:
    return {
        "primaryKey": key,
        "description": description,
        "shopPartNumber": key[-3:],
        "vendorPartNumber": "",
        "quantity": quantity,
        "toBeReturnedQuantity": 0,
        "returnedQuantity": returned,
        "cost": 0,
        "sellingPrice": price,
        "sellingPriceOverridden": "No",
        "taxable": taxable,
        "inventory": "Yes",
        "coreType": core,
        "sublet": "No",
        "partCategory": None,
        "quickBooksAccount": None,
        "quickBooksItem": "Part",
        "quickBooksItemType": "Inventory",
        "created": "2025-05-31 10:00:00",
    }


def _charge(key: str, description: str, amount: str, taxable: str) -> Json:
    return {
        "primaryKey": key,
        "description": description,
        "quantity": 1,
        "rate": float(amount),
        "amount": amount,
        "taxable": taxable,
        "quickBooksItem": "CHARGE",
        "quickBooksItemType": "misc",
    }
