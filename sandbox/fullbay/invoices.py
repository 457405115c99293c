"""Deterministic invoices: the payload of `getInvoices.php` and, beside it, the integer cents it was made from.

Belongs here: how an invoice is drawn, its money, its JSON, and the oracle over a day. Not here: HTTP (`server`), edits
(`overlay`, `totals`), written-out cases (`fixtures`).

An invoice is a pure function of (seed, shop, day, number of the day): every draw comes from a generator seeded with
sha256 of those words, through `random()` alone, so the bytes are equal in every process and Python version. Money is
integer cents until it is printed. Nothing is kept but a small cache of days, so a million invoices cost no memory.
"""

from __future__ import annotations

import json
from bisect import bisect
from collections import OrderedDict
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from itertools import accumulate
from threading import Lock
from typing import Any, Final, NamedTuple

from sandbox.fullbay import catalogue as words
from sandbox.fullbay.money import number, percent_number, percent_of, text
from sandbox.fullbay.oddities import RATE
from sandbox.fullbay.parties import (
    DEFAULT_SHOPS,
    NO_ADDRESS,
    Parties,
    SandboxShop,
    Unit,
    pick,
    rng_for,
)

Draw = Callable[[], float]

EPOCH: Final = date(2020, 1, 1)
LAST_DAY: Final = date(2035, 12, 31)
MOST_SHOPS: Final = 8
MOST_A_SHOP_DAY: Final = 1024
MOST_PARTS: Final = 31
MOST_CORRECTIONS: Final = 15
CACHED_INVOICES: Final = 3000  # about 40 MB of JSON
DEFAULT_AS_OF: Final = date(2026, 11, 20)

# First number of each kind of key. Complaint, correction and part keys must fit PostgreSQL's integer for every day up
# to LAST_DAY: 5,844 days x 8 shops x 1,024 x 32 parts = 1.53e9, plus the base, is below 2.147e9.
INVOICE_BASE: Final = 17_000_000
SERVICE_ORDER_BASE: Final = 19_250_000
COMPLAINT_BASE: Final = 48_000_000
CORRECTION_BASE: Final = 43_000_000
ASSIGNMENT_BASE: Final = 50_000_000
PART_BASE: Final = 14_000_000
CHARGE_BASE: Final = 4_500_000
PURCHASE_ORDER_BASE: Final = 28_000_000

WEEKDAY_SHARE: Final = (
    1.30,
    1.28,
    1.26,
    1.26,
    1.25,
    0.50,
    0.15,
)  # sums to 7: the mean over a week is the rate asked for
HOLIDAYS: Final = frozenset({(1, 1), (7, 4), (12, 25)})


def _cumulative(first: int, last: int, ratio: float) -> tuple[float, ...]:
    """Cumulative chances of a geometric count from `first` to `last`, for `bisect`."""
    weights = [ratio**step for step in range(last - first + 1)]
    return tuple(share / sum(weights) for share in accumulate(weights))


# Ratios solve the means of the reference: 2.75 complaints (55.6 % of invoices above one) and 6.4 parts an invoice.
SEVERAL_COMPLAINTS: Final = 0.556
MORE_COMPLAINTS: Final = _cumulative(2, 14, 0.694)
PART_COUNT: Final = _cumulative(1, MOST_PARTS, 0.8725)

PORTIONS: Final[dict[int, tuple[tuple[int, ...], ...]]] = {
    1: ((100,),),
    2: ((50, 50), (60, 40), (70, 30)),
    3: ((34, 33, 33), (40, 30, 30), (50, 25, 25)),
    4: ((25, 25, 25, 25), (40, 20, 20, 20)),
}
CREW: Final = (0.20, 0.52, 0.82, 1.0)  # cumulative chance of 1, 2, 3, 4 technicians
QUALITY_CREW: Final = (0.45, 1.0)
ODD_PORTIONS: Final = ((60, 60), (50, 25), (100, 100), (30, 30, 30))

PART_SPECIALS: Final = (
    "fully_returned",
    "partly_returned",
    "pending_return",
    "dirty_core_refund",
    "dirty_core_kept",
    "inherent_core",
    "negative_quantity",
    "zero_price",
    "sublet_part",
    "freight_part",
    "fractional_quantity",
)
PART_SPECIAL_LIMITS: Final = tuple(accumulate(RATE[name] for name in PART_SPECIALS))

_encode: Final = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


class InvoiceCents(NamedTuple):
    """What one invoice is worth, in integer cents, before anything was printed. `lines` counts the rows that the rules
    of reference section 6 give: parts with an effect, labor by technician with a portion, supplies, charges, calls."""

    total: int
    subtotal: int
    tax: int
    parts: int
    labor: int
    supplies: int
    misc: int
    service_call: int
    mileage: int
    balance: int
    lines: int


class GeneratedInvoice(NamedTuple):
    """One invoice: its key, its JSON (ASCII, as PHP escapes it), its cents, and the oddities it carries."""

    primary_key: str
    row: bytes
    cents: InvoiceCents
    oddities: frozenset[str]


class _Head(NamedTuple):
    """What two invoices of one service order have in common."""

    key: int
    customer_position: int
    unit_position: int
    opened_days_ago: int
    opened_seconds: int


class InvoiceGenerator:
    """Invoices of a group of shops.

    `invoices_per_day` is the mean over all shops and a whole week (weekends have few, some Sundays and three holidays
    none). 465 a day from 2021-01-01 to 2026-11-20 are 1,000,000. `as_of` decides which balances are still open: an
    invoice on terms is paid some days after its date. It is a constant by default: nothing depends on the clock.
    """

    def __init__(
        self,
        seed: int = 7,
        invoices_per_day: int = 30,
        first_day: date = date(2021, 1, 1),
        shops: tuple[SandboxShop, ...] = DEFAULT_SHOPS,
        as_of: date = DEFAULT_AS_OF,
    ) -> None:
        if invoices_per_day < 0 or not 1 <= len(shops) <= MOST_SHOPS or first_day < EPOCH:
            raise ValueError(
                f"invoices_per_day {invoices_per_day} must be >= 0, shops {len(shops)} 1..{MOST_SHOPS},"
                f" first_day {first_day} not before {EPOCH}"
            )
        weight = sum(shop.weight for shop in shops)
        busiest = (
            invoices_per_day * max(shop.weight for shop in shops) / weight * max(WEEKDAY_SHARE) * 1.2 + 1
        )
        if busiest > MOST_A_SHOP_DAY:
            raise ValueError(
                f"{invoices_per_day} invoices a day would give one shop up to {busiest:.0f} in a day; keys leave room"
                f" for {MOST_A_SHOP_DAY}. Spread them over more days or shops"
            )
        self.seed = seed
        self.invoices_per_day = invoices_per_day
        self.first_day = first_day
        self.shops = shops
        self.as_of = as_of
        self.shop_keys = tuple(shop.key for shop in shops)
        self._shop_index = {shop.key: index for index, shop in enumerate(shops)}
        self._daily_mean = {shop.key: invoices_per_day * shop.weight / weight for shop in shops}
        self._numbers_a_day = max(1, round(invoices_per_day * 1.6))
        self.parties = Parties(seed, shops, min(4000, max(150, invoices_per_day * 8)))
        self._cache: OrderedDict[tuple[str, date], tuple[GeneratedInvoice, ...]] = OrderedDict()
        self._cached = 0
        self._lock = Lock()

    # What a caller asks for

    def count(self, shop_key: str, day: date) -> int:
        """How many invoices that shop posted that day, without making them."""
        mean = self._daily_mean[shop_key]
        if not self.first_day <= day <= LAST_DAY or (day.month, day.day) in HOLIDAYS:
            return 0
        draw = rng_for(self.seed, "count", shop_key, day.toordinal()).random
        expected = mean * WEEKDAY_SHARE[day.weekday()] * (0.8 + 0.4 * draw())
        if day.weekday() == 6:
            expected *= 2.0 if draw() < 0.5 else 0.0  # closed every other Sunday
        return min(int(expected + draw()), MOST_A_SHOP_DAY)

    def generated(self, shop_key: str, day: date) -> tuple[GeneratedInvoice, ...]:
        """That shop's invoices of that day with their cents and oddities, in order of posting."""
        with self._lock:
            found = self._cache.get((shop_key, day))
            if found is not None:
                self._cache.move_to_end((shop_key, day))
                return found
        made = tuple(_Invoice(self, shop_key, day, n).finish() for n in range(self.count(shop_key, day)))
        with self._lock:
            if (shop_key, day) not in self._cache:
                self._cache[shop_key, day] = made
                self._cached += len(made)
            while self._cached > CACHED_INVOICES and len(self._cache) > 1:
                self._cached -= len(self._cache.popitem(last=False)[1])
        return made

    def invoices(self, shop_key: str, day: date) -> list[dict[str, Any]]:
        """That shop's invoices of that day as new dictionaries, the caller's to change."""
        return [json.loads(invoice.row) for invoice in self.generated(shop_key, day)]

    def locate(self, primary_key: str) -> tuple[str, date, int] | None:
        """Shop, day and position of the day of a generated invoice; None for a key that this generator never gives."""
        if not (primary_key.isascii() and primary_key.isdigit()):
            return None
        key, position = divmod(int(primary_key) - INVOICE_BASE, MOST_A_SHOP_DAY)
        day_number, shop_index = divmod(key, MOST_SHOPS)
        if not 0 <= day_number <= (LAST_DAY - EPOCH).days or shop_index >= len(self.shops):
            return None
        shop_key, day = self.shop_keys[shop_index], EPOCH + timedelta(days=day_number)
        return (shop_key, day, position) if position < self.count(shop_key, day) else None

    def find(self, primary_key: str) -> GeneratedInvoice | None:
        """The invoice of that key, or None."""
        place = self.locate(primary_key)
        return None if place is None else self.generated(place[0], place[1])[place[2]]

    def oddities(self, primary_key: str) -> frozenset[str]:
        """The oddities that invoice carries, by the names of `oddities.ODDITY_RATES`; empty for an unknown key."""
        found = self.find(primary_key)
        return frozenset() if found is None else found.oddities

    # What the builder asks for

    def shop_index(self, shop_key: str) -> int:
        """Position of the shop; KeyError for one that is not of the group."""
        return self._shop_index[shop_key]

    def invoice_number(self, day: date, position: int) -> int:
        """Printed number: counts up per shop, so that the same number occurs in every shop."""
        return 10_000 + (day - EPOCH).days * self._numbers_a_day + position

    def head(self, shop_key: str, day: date, position: int, draw: Draw) -> _Head:
        """Customer, unit and opening of the service order; the first five draws of an invoice."""
        shared, who, which, age, second = draw(), draw(), draw(), draw(), draw()
        if shared < RATE["shared_service_order"] and position > 0:
            before = rng_for(self.seed, "invoice", shop_key, day.toordinal(), position - 1).random
            return self.head(shop_key, day, position - 1, before)
        shop_index = self._shop_index[shop_key]
        customer_position = int(who**1.6 * self.parties.customers_per_shop)
        customer = self.parties.customer(shop_index, customer_position)
        key = ((day - EPOCH).days * MOST_SHOPS + shop_index) * MOST_A_SHOP_DAY + position
        return _Head(
            key, customer_position, int(which * customer.units), int(age**2 * 14), int(second * 36_000)
        )


class _Invoice:
    """One invoice while it is drawn; `finish` gives the result. Sums are cents, hundredths of hours, seconds."""

    def __init__(self, generator: InvoiceGenerator, shop_key: str, day: date, position: int) -> None:
        self.generator = generator
        self.day = day
        self.position = position
        self.shop_index = generator.shop_index(shop_key)
        self.shop = generator.shops[self.shop_index]
        self.key = ((day - EPOCH).days * MOST_SHOPS + self.shop_index) * MOST_A_SHOP_DAY + position
        self.draw: Draw = rng_for(generator.seed, "invoice", shop_key, day.toordinal(), position).random
        self.head = generator.head(shop_key, day, position, self.draw)
        self.oddities: set[str] = {"shared_service_order"} if self.head.key != self.key else set()
        self.customer = generator.parties.customer(self.shop_index, self.head.customer_position)
        self.day_text = day.isoformat()
        opened_on = day - timedelta(days=self.head.opened_days_ago)
        self.opened = f"{opened_on.isoformat()} {_clock(self.head.opened_seconds)}"
        self.corrections_made = self.assignments_made = self.parts_made = 0
        self.taxable_cents = self.parts_cost = self.mileage_cost = 0
        self.parts_cents = self.labor_cents = self.service_call = self.mileage = 0
        self.labor_hundredths = self.actual_seconds = self.sublet_cents = self.lines = 0
        self._last_parts = self._last_cost = 0
        self.lead = ""
        self.credit = self.zero = False
        self.wants_labor = self.wants_parts = False

    def finish(self) -> GeneratedInvoice:
        """Draw everything, close the sums, print."""
        draw = self.draw
        complaints = self._complaints()
        charges, misc = self._charges(complaints)
        supplies = self._supplies()
        tax, tax_rate, tax_title, authorities = self._tax(supplies)
        subtotal = self.parts_cents + self.labor_cents + supplies + misc + self.service_call + self.mileage
        total = subtotal + tax
        if total < 0:
            self.oddities.add("credit_invoice")
        elif total == 0:
            self.oddities.add("zero_invoice")
        balance = self._balance(total)
        sublet = self._sublet_total()
        self.lines += (supplies != 0) + len(charges)

        customer, billing = self.customer, self._billing_customer()
        self.oddities |= customer.oddities
        if draw() < RATE["no_lead_technician"]:
            self.lead = ""
            self.oddities.add("no_lead_technician")
        title, address = self.shop.title, self.shop.address
        if draw() < RATE["shop_title_drift"]:
            title = self.shop.drifted_title
            self.oddities.add("shop_title_drift")
        if draw() < RATE["shop_address_drift"] and self.shop.drifted_address != address:
            address = self.shop.drifted_address
            self.oddities.add("shop_address_drift")
        writer = pick(draw, words.WRITERS)
        booked = draw() < 0.483
        numeral = self.generator.invoice_number(self.day, self.position)
        tax_total = number(tax)
        payload: dict[str, Any] = {
            "primaryKey": str(INVOICE_BASE + self.key),
            "exported": "1" if booked else "0",
            "invoiceDate": self.day_text,
            "dueDate": (self.day + timedelta(days=customer.terms)).isoformat(),
            "invoiceNumber": str(numeral),
            "customerTitle": billing["title"],
            "customerBillingEmployee": customer.contact,
            "customerBillingEmail": customer.email,
            "customerBillingAddress": customer.address_line,
            "Customer": billing,
            "shopTitle": title,
            "shopEmail": self.shop.email,
            "shopPhysicalAddress": address,
            "miscChargeTotal": number(misc),
            "serviceCallTotal": number(self.service_call),
            "mileageTotal": number(self.mileage),
            "mileageCostTotal": number(self.mileage_cost),
            "partsTotal": number(self.parts_cents),
            "laborHoursTotal": number(self.labor_hundredths),
            "laborTotal": number(self.labor_cents),
            "subletLaborTotal": sublet,
            "suppliesTotal": number(supplies),
            "subTotal": number(subtotal),
            "TaxInformation": {
                "taxTitle": tax_title,
                "taxRate": tax_rate,
                "taxTotal": tax_total,
                "TaxLineInformation": authorities,
            },
            "taxTitle": tax_title,
            "taxRate": tax_rate,
            "taxTotal": tax_total,
            "total": number(total),
            "balance": number(balance),
            "quickBooksId": str(200_000 + self.key % 900_000) if booked else "",
            "promiseToPayDate": (self.day + timedelta(days=20)).isoformat()
            if balance > 0 and draw() < 0.1
            else "",
            "createdByTechnician": writer,
            "createdByTechnicianNumber": "",
            "created": f"{self.day_text} {_clock(int(draw() * 43_200) + 3_600)}",
            "ServiceOrder": self._service_order(
                complaints, charges, sublet, supplies, billing["title"], writer, numeral
            ),
        }
        cents = InvoiceCents(
            total, subtotal, tax, self.parts_cents, self.labor_cents, supplies, misc,
            self.service_call, self.mileage, balance, self.lines,
        )  # fmt: skip
        return GeneratedInvoice(
            payload["primaryKey"], _encode(payload).encode("ascii"), cents, frozenset(self.oddities)
        )

    # Parties and the service order

    def _billing_customer(self) -> dict[str, Any]:
        draw = self.draw
        if draw() >= RATE["third_party_billing"]:
            return self.customer.payload(self.day)
        self.oddities.add("third_party_billing")
        company = int(draw() * len(words.BILLING_COMPANIES))
        return {
            "customerId": 3_290_000 + self.shop_index * 100 + company,
            "title": words.BILLING_COMPANIES[company],
            "externalId": f"FC-{company + 1:04d}",
            "mainPhone": "(555) 555-0199",
            "secondaryPhone": "(555) 555-0198",
        }

    def _service_order(
        self,
        complaints: list[dict[str, Any]],
        charges: list[dict[str, Any]],
        sublet: int | float | None,
        supplies: int,
        billing_title: str,
        writer: str,
        numeral: int,
    ) -> dict[str, Any]:
        draw, customer = self.draw, self.customer
        overridden = supplies > 0 and draw() < RATE["supplies_overridden"]
        if overridden:
            self.oddities.add("supplies_overridden")
        billing_address = customer.address
        if draw() < RATE["all_null_billing_address"]:
            billing_address = NO_ADDRESS
            self.oddities.add("all_null_billing_address")
        blank = draw() < RATE["dates_blank"]
        if blank:
            self.oddities.add("dates_blank")
        manager = pick(draw, words.WRITERS) if draw() < 0.3 else ""
        order: dict[str, Any] = {
            "primaryKey": str(SERVICE_ORDER_BASE + self.head.key),
            "repairOrderNumber": str(numeral - self.position + self.head.key % MOST_A_SHOP_DAY + 1475),
            "technician": self.lead,
            "technicianNumber": "",
            "partsManager": manager,
            "partsManagerNumber": "",
            "customerAuthorizedOnHoursOnly": "No",
            "Customer": customer.payload(self.day),
        }
        fate = draw()
        if fate < RATE["unit_missing"]:
            self.oddities.add("unit_missing")
        elif fate < RATE["unit_missing"] + RATE["unit_empty"]:
            order["Unit"] = {}
            self.oddities.add("unit_empty")
        else:
            unit: Unit = self.generator.parties.unit(
                self.shop_index, self.head.customer_position, self.head.unit_position
            )
            order["Unit"] = unit.payload
            self.oddities |= unit.oddities
        order.update(
            {
                "description": "" if draw() < 0.8 else "CUSTOMER WAITING, CALL WHEN DONE",
                "submitterContact": customer.contact,
                "submitterContactEmail": customer.email,
                "submitterContactPhone": customer.phone,
                "submitterContactCellPhone": None,
                "authorizerContact": customer.contact,
                "authorizerContactEmail": customer.email,
                "authorizerContactPhone": customer.phone,
                "authorizerContactCellPhone": None,
                "billingCustomer": billing_title,
                "BillingAddress": billing_address,
                "RemitToAddress": NO_ADDRESS,
                "ShipToAddress": customer.address,
                "unitAccessMethod": None,
                "unitAvailableDateTime": None if blank else self.opened,
                "unitMustBeAccessedAtAvailableDateTime": "No",
                "unitReturnDateTime": None,
                "unitReturnAsap": "Yes",
                "UnitPickUpAddress": NO_ADDRESS,
                "locationInformation": "",
                "authorizationNumber": "" if draw() < 0.9 else f"A{int(draw() * 100_000):05d}",
                "poNumber": "" if draw() < 0.7 else f"PO-{int(draw() * 100_000)}",
                "partsPoNumber": str(PURCHASE_ORDER_BASE + self.key),
                "hot": "Yes" if draw() < 0.05 else "No",
                "followInUseSchedule": "No",
                "unscheduled": "Yes" if draw() < 0.1 else "No",
                "customerThreshold": number(50_000 + int(draw() * 300_000)),
                "preAuthorized": "Yes" if draw() < 0.6 else "No",
                "laborHoursTotal": number(self.labor_hundredths),
                "actualHoursTotal": _hours(self.actual_seconds),
                "laborTotal": number(self.labor_cents),
                "subletLaborTotal": sublet,
                "partsCostTotal": number(self.parts_cost),
                "partsTotal": number(self.parts_cents),
                "mileageTotal": number(self.mileage),
                "mileageCostTotal": number(self.mileage_cost),
                "overrideSuppliesTotal": "Yes" if overridden else "No",
                "overridenSuppliesTotal": number(supplies) if overridden else 0,
                "serviceCallTotal": number(self.service_call),
                "allPartsPricedDateTime": "" if draw() < 0.5 else f"{self.day_text} 09:15:00",
                "startDateTime": None if blank else self.opened,
                "completionDateTime": None if blank else f"{self.day_text} {_clock(int(draw() * 30_000))}",
                "createdByTechnician": writer,
                "createdByTechnicianNumber": "",
                "created": self.opened,
            }
        )
        if charges or draw() >= RATE["charges_key_missing"]:
            order["MiscCharges"] = charges
        else:
            self.oddities.add("charges_key_missing")
        order["Complaints"] = complaints
        return order

    # Complaints, corrections, technicians

    def _complaints(self) -> list[dict[str, Any]]:
        """Plan the structure (which complaints, how many corrections and parts each), then draw each."""
        draw = self.draw
        fate = draw()
        self.credit = fate < RATE["credit_invoice"]
        self.zero = not self.credit and fate < RATE["credit_invoice"] + RATE["zero_invoice"]
        self.lead = pick(draw, words.TECHNICIANS)
        ordinary = not self.credit and not self.zero
        if ordinary and draw() < RATE["no_complaints"]:
            self.oddities.add("no_complaints")
            return []
        self.wants_labor = draw() < (0.4 if self.credit else 0.8715)
        self.wants_parts = draw() < (0.9 if self.credit else 0.5 if self.zero else 0.8740)
        if not self.wants_labor and not self.wants_parts:
            self.wants_labor = ordinary
            self.wants_parts = self.credit
        count = 2 + bisect(MORE_COMPLAINTS, draw()) if draw() < SEVERAL_COMPLAINTS else 1
        quality = count > 1 and draw() < RATE["quality_control"]
        kinds = [
            "plain"
        ] * count  # the first is always plain: it carries the money that the invoice must have
        for index in range(1, count):
            fate = draw()
            if fate < RATE["no_corrections"]:
                kinds[index] = "bare"
            elif fate < RATE["no_corrections"] + RATE["complaint_labor"] and self.wants_labor and ordinary:
                kinds[index] = "labor_only"
            elif fate > 1 - RATE["sublet_complaint"] and self.wants_labor and ordinary:
                kinds[index] = "sublet"
        if quality:
            kinds[-1] = "quality"
            self.oddities.add("quality_control")
        corrections = [0 if kind in ("bare", "labor_only") else 1 for kind in kinds]
        for index, kind in enumerate(kinds):
            if kind == "plain" and draw() < 0.028 and sum(corrections) < MOST_CORRECTIONS:
                corrections[index] = 2
        slots = [
            index for index, kind in enumerate(kinds) if kind == "plain" for _ in range(corrections[index])
        ]
        parts = [0] * len(slots)
        if self.wants_parts:
            parts[0] = 1
            for _ in range(bisect(PART_COUNT, draw())):
                parts[int(draw() * len(slots))] += 1
        complaints = []
        for index, kind in enumerate(kinds):
            mine = (
                [parts.pop(0) for _ in range(corrections[index])]
                if kind == "plain"
                else [0] * corrections[index]
            )
            complaints.append(self._complaint(index, kind, mine))
        return complaints

    def _complaint(self, index: int, kind: str, part_counts: list[int]) -> dict[str, Any]:
        draw = self.draw
        quality = kind == "quality"
        component, system, service, note = (
            "CHASSIS MAINTENANCE",
            "MAINTENANCE",
            "QUALITY CONTROL",
            "QUALITY CONTROL",
        )
        if not quality:
            component, system, service, note = pick(draw, words.JOBS)
        if kind == "sublet":
            self.oddities.add("sublet_complaint")
        elif kind == "bare":
            self.oddities.add("no_corrections")
        labor_taxable = "" if draw() < 0.9 else "No"
        hours, labor, parts, cost = 0, 0, 0, 0
        technicians, pace, working = self._technicians(kind)
        corrections = []
        for position, part_count in enumerate(part_counts):
            correction_hours, money = self._labor(kind, first=index == 0 and position == 0)
            taxable = "No"
            fate = draw()
            if fate < RATE["labor_taxable"]:
                taxable = "Yes"
                self.oddities.add("labor_taxable")
            elif fate < RATE["labor_taxable"] + RATE["labor_tax_blank"]:
                taxable = ""
                self.oddities.add("labor_tax_blank")
                if draw() < RATE["labor_tax_by_complaint"]:
                    labor_taxable = "Yes"
                    self.oddities.add("labor_tax_by_complaint")
            correction = self._correction(quality, component, system, service, part_count)
            correction["laborHoursTotal"], correction["laborTotal"] = number(correction_hours), number(money)
            correction["taxable"] = taxable
            corrections.append((correction, taxable, money))
            hours += correction_hours
            labor += money
            parts += self._last_parts
            cost += self._last_cost
            self.lines += working or (1 if correction_hours > 0 or money else 0)
        if kind == "labor_only":
            hours, labor = 100, self.shop.labor_rate * 100
            self.lines += 1
            self.oddities.add("complaint_labor")
            if draw() < 0.2:
                labor_taxable = "Yes"
            if labor_taxable == "Yes":
                self.taxable_cents += labor
        # A later correction may have made the complaint's labor taxable, so blanks are judged at the end.
        for _, taxable, money in corrections:
            if taxable == "Yes" or (taxable == "" and labor_taxable == "Yes"):
                self.taxable_cents += money
        seconds = _clock_in(technicians, pace, hours, quality=quality)
        service_call, service_call_taxable, mileage, mileage_cost, mileage_taxable = self._call(kind)
        self.labor_hundredths += hours
        self.labor_cents += labor
        self.parts_cents += parts
        self.parts_cost += cost
        self.actual_seconds += seconds
        if kind == "sublet":
            self.sublet_cents += labor
        if not quality and draw() < RATE["awkward_text"] / 2:
            note = f"{note}\n{pick(draw, words.AWKWARD_TEXT)}"
            self.oddities.add("awkward_text")
        outside = kind == "sublet"
        return {
            "primaryKey": COMPLAINT_BASE + self.key * 16 + index,
            "mileageRate": "Standard",
            "laborRate": "Standard",
            "type": "Complaint",
            "subType": "PM" if quality else "",
            "authorized": "Yes" if kind != "bare" or draw() < 0.5 else "No",
            "severity": pick(draw, words.SEVERITIES),
            "note": note,
            "cause": pick(draw, words.CAUSES),
            "causeType": pick(draw, words.CAUSE_TYPES),
            "laborHoursTotal": number(hours),
            "actualHoursTotal": _hours(seconds),
            "laborTaxable": labor_taxable,
            "laborTotal": number(labor),
            "partsCostTotal": number(cost),
            "partsTotal": number(parts),
            "mileageTaxable": mileage_taxable,
            "mileageTotal": number(mileage),
            "mileageCostTotal": number(mileage_cost),
            "serviceCallTaxable": service_call_taxable,
            "serviceCallTotal": number(service_call),
            "sublet": "Yes" if outside else "No",
            "partCategory": "SUBLET" if outside else None,
            "quickBooksAccount": "Cost of Goods Sold" if outside else None,
            "quickBooksItem": "SUBLET" if outside else None,
            "quickBooksItemType": "Service" if outside else None,
            "created": self.opened,
            "AssignedTechnicians": technicians,
            "Corrections": [correction for correction, _, _ in corrections],
        }

    def _technicians(self, kind: str) -> tuple[list[dict[str, Any]], list[float], int]:
        """Assignments without their hours, the pace of each (0 to 1), and how many have a portion above 0."""
        draw = self.draw
        if kind == "sublet" or draw() < RATE["no_technicians"]:
            self.oddities.add("no_technicians")
            return [], [], 0
        crew = 1 + bisect(QUALITY_CREW if kind == "quality" else CREW, draw())
        portions = pick(draw, PORTIONS[min(crew, 4)])
        fate, twice = draw(), False
        if fate < RATE["portion_zero"]:
            portions = (*portions[:3], 0)
            self.oddities.add("portion_zero")
            if sum(portions) != 100:
                portions = (100, 0)
        elif (fate := fate - RATE["portion_zero"]) < RATE["portions_all_zero"]:
            portions = (0,) * len(portions)
            self.oddities.add("portions_all_zero")
        elif (fate := fate - RATE["portions_all_zero"]) < RATE["portions_not_100"]:
            portions = pick(draw, ODD_PORTIONS)
            self.oddities.add("portions_not_100")
        elif fate - RATE["portions_not_100"] < RATE["technician_twice"]:
            portions, twice = (60, 40), True
            self.oddities.add("technician_twice")
        start = int(draw() * len(words.TECHNICIANS))
        assigned, pace = [], []
        for place, portion in enumerate(portions):
            pace.append(draw())
            assigned.append(
                {
                    "actualHours": 0,
                    "portion": portion,
                    "primaryKey": str(ASSIGNMENT_BASE + self.key * 64 + self.assignments_made),
                    "quickBooksLaborItem": None,
                    "technician": words.TECHNICIANS[
                        (start + (0 if twice else place)) % len(words.TECHNICIANS)
                    ],
                    "technicianNumber": "",
                }
            )
            self.assignments_made += 1
        return assigned, pace, sum(portion > 0 for portion in portions)

    def _labor(self, kind: str, *, first: bool) -> tuple[int, int]:
        """Billed hundredths of hours and cents of one correction. Quarter hours at whole dollars are exact in cents."""
        draw = self.draw
        if kind == "quality" or not (self.wants_labor and (first or draw() < 0.8)):
            return 0, 0
        quarters = 1 + int(draw() ** 2 * 24)
        money = quarters * 25 * self.shop.labor_rate
        if self.zero:
            self.oddities.add("hours_without_money")
            return quarters * 25, 0
        if self.credit:
            return -quarters * 25, -money
        if kind == "sublet":
            return 0, 5_000 + int(draw() * 80_000)
        fate = draw()
        if fate < RATE["flat_rate_labor"]:
            self.oddities.add("flat_rate_labor")
            return 0, 2_995 + int(draw() * 20) * 1_000
        if fate < RATE["flat_rate_labor"] + RATE["hours_without_money"] and not first:
            self.oddities.add("hours_without_money")
            return quarters * 25, 0
        return quarters * 25, money

    def _call(self, kind: str) -> tuple[int, str, int, int, str]:
        """Service call, its flag, mileage, its cost, its flag; cents. Flags are blank on nearly every complaint."""
        draw = self.draw
        service_call = mileage = mileage_cost = 0
        service_call_taxable = mileage_taxable = ""
        if kind in ("plain", "bare") and not self.zero and not self.credit:
            if draw() < RATE["service_call"]:
                service_call = 9_500 + int(draw() * 30) * 500
                service_call_taxable = "Yes" if draw() < 0.1 else ""
                self.oddities.add("service_call")
            if draw() < RATE["mileage"]:
                miles = 4 + int(draw() * 90)
                mileage, mileage_cost = miles * 350, miles * 120
                mileage_taxable = "Yes" if draw() < 0.1 else "No" if draw() < 0.2 else ""
                self.oddities.add("mileage")
        self.taxable_cents += service_call * (service_call_taxable == "Yes") + mileage * (
            mileage_taxable == "Yes"
        )
        self.service_call += service_call
        self.mileage += mileage
        self.mileage_cost += mileage_cost
        self.lines += (service_call != 0) + (mileage != 0)
        return service_call, service_call_taxable, mileage, mileage_cost, mileage_taxable

    def _correction(
        self, quality: bool, component: str, system: str, service: str, part_count: int
    ) -> dict[str, Any]:
        """A correction without its labor; `_last_parts` and `_last_cost` hold the cents of its parts."""
        draw = self.draw
        if quality:
            recommended = actual = "QUALITY CONTROL INSPECTION"
        else:
            recommended = "\n".join(
                [service, *(pick(draw, words.FINDINGS) for _ in range(6 + int(draw() * 9)))]
            )
            actual = recommended
            fate = draw()
            if fate < 0.5:
                actual = f"{recommended}\n{self.day.month}/{self.day.day} - {pick(draw, words.FINDINGS)}"
            elif fate < 0.55:
                actual = ""
            if draw() < RATE["awkward_text"] / 3:
                actual = f"{actual}\n{pick(draw, words.AWKWARD_TEXT)}"
                self.oddities.add("awkward_text")
        key = CORRECTION_BASE + self.key * 16 + self.corrections_made
        self.corrections_made += 1
        self._last_parts = self._last_cost = 0
        parts = [self._part() for _ in range(part_count)]
        named = quality or draw() < 0.7
        return {
            "primaryKey": str(key),
            "globalComponent": component,
            "globalSystem": system,
            "globalService": service if named else None,
            "unitService": service if named else None,
            "laborRate": "Standard",
            "title": service if named else "",
            "recommendedCorrection": recommended,
            "actualCorrection": actual,
            "correctionPerformed": "Performed" if draw() < 0.97 else "Declined",
            "preAuthorized": "Yes" if quality or draw() < 0.3 else "No",
            "prePaid": "No",
            "laborHoursTotal": 0,
            "laborTotal": 0,
            "taxable": "No",
            "partsCostTotal": number(self._last_cost),
            "partsTotal": number(self._last_parts),
            "created": self.opened,
            "Parts": parts,
        }

    # Parts

    def _part(self) -> dict[str, Any]:
        """One part. Quantities are counted in quarters, so that price times quantity is exact in cents."""
        draw = self.draw
        special = ""
        if self.parts_made and not self.credit and not self.zero:
            fate = draw()
            if fate < PART_SPECIAL_LIMITS[-1]:
                special = PART_SPECIALS[bisect(PART_SPECIAL_LIMITS, fate)]
                self.oddities.add(special)
        kind = pick(draw, words.PARTS)
        description, category = f"{kind.description} {kind.number}", kind.category
        price = kind.low + int(draw() * (kind.high - kind.low))
        quarters = 4 * (1 + int(draw() ** 3 * kind.most))
        returned = pending = 0
        core = "None" if draw() < 0.5 else ""
        item_type = "Inventory" if draw() < 0.7 else "Part"
        if self.zero:
            returned = quarters
            self.oddities.add("fully_returned")
        elif self.credit:
            quarters = -quarters
            self.oddities.add("negative_quantity")
        elif special:
            if special == "fully_returned":
                returned = quarters
            elif special == "partly_returned":
                quarters += 4
                returned = 4
            elif special == "pending_return":
                pending = 4
            elif special in ("dirty_core_refund", "dirty_core_kept"):
                description, core, category = f"{pick(draw, words.CORE_PARTS)} (DIRTY)", "Dirty", "CORES"
                quarters, price = 4, 1_000 + int(draw() * 60) * 100
                returned = 4 if special == "dirty_core_refund" else 0
            elif special == "inherent_core":
                description, core, category = (
                    f"{pick(draw, words.CORE_PARTS)} (INHERENT)",
                    "Inherent",
                    "CORES",
                )
                quarters, price = 4, 1_000 + int(draw() * 60) * 100
            elif special == "negative_quantity":
                quarters, price = -4, min(price, 4_000)
            elif special == "zero_price":
                price = 0
            elif special == "sublet_part":
                description, category, item_type = pick(draw, words.SUBLET_PARTS), "SUBLET", "Service"
            elif special == "freight_part":
                description, category, item_type = pick(draw, words.FREIGHT_PARTS), "FREIGHT", "Service"
                quarters, price = 4, 1_500 + int(draw() * 9_000)
            else:
                quarters += 1 + int(draw() * 2)  # .25 or .5
                price &= ~3
        cost = price * (55 + int(draw() * 25)) // 100 & ~3
        effective = quarters - returned if core != "Dirty" else -returned
        amount = price * effective // 4
        self._last_parts += amount
        self._last_cost += cost * effective // 4
        self.lines += effective != 0
        taxable = "Yes"
        fate = draw()
        if fate < RATE["part_not_taxable"]:
            taxable = "No"
            self.oddities.add("part_not_taxable")
        elif fate < RATE["part_not_taxable"] + RATE["part_taxable_blank"]:
            taxable = ""
            self.oddities.add("part_taxable_blank")
        else:
            self.taxable_cents += amount
        quantities: tuple[Any, Any, Any] = (
            number(quarters * 25),
            number(pending * 25),
            number(returned * 25),
        )
        if draw() < RATE["quantity_as_text"]:
            quantities = (str(quantities[0]), str(quantities[1]), str(quantities[2]))
            self.oddities.add("quantity_as_text")
        money: tuple[Any, Any] = (number(cost), number(price))
        if draw() < RATE["price_as_text"]:
            money = (text(cost), text(price))
            self.oddities.add("price_as_text")
        key = PART_BASE + self.key * 32 + self.parts_made
        self.parts_made += 1
        stocked = draw() < 0.8
        return {
            "primaryKey": str(key),
            "description": description,
            "shopPartNumber": f"{kind.number}-{price % 97:02d}" if draw() < 0.97 else "",
            "vendorPartNumber": f"V{price % 9973:04d}{kind.number}" if draw() < 0.6 else "",
            "quantity": quantities[0],
            "toBeReturnedQuantity": quantities[1],
            "returnedQuantity": quantities[2],
            "cost": money[0],
            "sellingPrice": money[1],
            "sellingPriceOverridden": "Yes" if draw() < 0.06 else "No",
            "taxable": taxable,
            "inventory": "Yes" if stocked else "No",
            "coreType": core,
            "sublet": "Yes" if special == "sublet_part" else "No",
            "partCategory": category if draw() < 0.95 else None,
            "quickBooksAccount": "Parts Income" if stocked else None,
            "quickBooksItem": "Part",
            "quickBooksItemType": item_type,
            "created": self.opened,
        }

    # Money beside the tree

    def _charges(self, complaints: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], int]:
        draw = self.draw
        worked = self.parts_cents + self.labor_cents
        if self.zero or self.credit or (complaints and draw() >= 0.3735):
            return [], 0
        charges, misc = [], 0
        for position in range(1 + (draw() < 0.25) + (draw() < 0.05)):
            fate = draw()
            quantity, rate = 1, 200 + int(draw() * 4_000)
            taxable = "Yes" if draw() < 0.3 else "No"
            item, item_type = "MISC", "misc"
            if fate < RATE["discount"] and worked > 5_000:
                title, rate, item = (
                    pick(draw, words.DISCOUNTS),
                    -(1 + int(draw() * (worked // 20))),
                    "DISCOUNT",
                )
                self.oddities.add("discount")
            elif fate > 1 - RATE["freight_charge"]:
                title, rate, item = pick(draw, words.FREIGHT_CHARGES), 1_500 + int(draw() * 12_000), "FREIGHT"
                self.oddities.add("freight_charge")
            else:
                title = pick(draw, words.SURCHARGES)
                if title.startswith("STORAGE"):
                    quantity = 1 + int(draw() * 5)
            if draw() < RATE["long_charge_type"]:
                item_type = "Other Charge Item"
                self.oddities.add("long_charge_type")
            amount = quantity * rate
            misc += amount
            if taxable == "Yes":
                self.taxable_cents += amount
            charges.append(
                {
                    "primaryKey": str(CHARGE_BASE + self.key * 4 + position),
                    "description": title,
                    "quantity": quantity,
                    "rate": number(rate),
                    "amount": text(amount),
                    "taxable": taxable,
                    "quickBooksItem": item,
                    "quickBooksItemType": item_type,
                }
            )
        return charges, misc

    def _supplies(self) -> int:
        """Shop supplies: a percentage of labor with a ceiling; always taxable, so part of the tax base at once."""
        if self.labor_cents <= 0 or self.credit or self.draw() >= 0.9245:
            return 0
        supplies = max(1, min(percent_of(self.labor_cents, 5_000 + int(self.draw() * 5) * 1_000), 7_500))
        self.taxable_cents += supplies
        return supplies

    def _tax(self, supplies: int) -> tuple[int, str, str, list[dict[str, Any]]]:
        """Tax in cents, rate as text, title, authorities (whose taxes sum to the tax: the last takes the residue)."""
        draw = self.draw
        fate = draw()
        if fate < 0.1055:
            title, milli_percent = pick(draw, words.TAX_TITLES)
            tax = percent_of(self.taxable_cents, milli_percent)
            rates = [milli_percent]
            if draw() < RATE["tax_authorities"]:
                city = 250 + int(draw() * 3) * 250
                rates = (
                    [milli_percent - 1_000 - city, 1_000, city]
                    if draw() < 0.5
                    else [milli_percent - city, city]
                )
                self.oddities.add("tax_authorities")
            shares = [percent_of(self.taxable_cents, rate) for rate in rates]
            shares[-1] += tax - sum(shares)
            names = ("Non-Exempt", "County", "City")
            authorities = [
                {"taxTitle": names[place], "taxRate": percent_number(rate), "taxTotal": text(share)}
                for place, (rate, share) in enumerate(zip(rates, shares, strict=True))
            ]
            return tax, str(percent_number(milli_percent)), title, authorities
        title = pick(draw, words.EXEMPT_TITLES)
        if fate < 0.1055 + RATE["exempt_with_rate"]:
            if self.taxable_cents:
                self.oddities.add("exempt_with_rate")
            return 0, "6", title, [{"taxTitle": "Exempt", "taxRate": 6, "taxTotal": "0.00"}]
        return (
            0,
            "0",
            title,
            [] if draw() < 0.5 else [{"taxTitle": "Exempt", "taxRate": 0, "taxTotal": "0.00"}],
        )

    def _balance(self, total: int) -> int:
        """What is unpaid on `as_of`: customers on terms pay 1 to 75 days after posting, a few in two steps."""
        draw = self.draw
        on_terms, delay, partly = draw(), draw(), draw()
        age = (self.generator.as_of - self.day).days
        if total <= 0 or on_terms >= RATE["open_balance"] or age > int(delay**1.5 * 75):
            return 0
        self.oddities.add("open_balance")
        if partly < RATE["part_paid"] and total > 1:
            self.oddities.add("part_paid")
            return total // 2
        return total

    def _sublet_total(self) -> int | float | None:
        """`subletLaborTotal`: null on nearly all; where a number, it is inside `laborTotal` (I1 holds without it)."""
        draw = self.draw
        if self.sublet_cents and draw() < RATE["sublet_total_given"]:
            self.oddities.add("sublet_total_given")
            return number(self.sublet_cents)
        if not self.sublet_cents and draw() < RATE["sublet_total_zero"]:
            self.oddities.add("sublet_total_zero")
            return 0
        return None


def _clock(seconds_after_six: int) -> str:
    """`HH:MM:SS` some seconds after 06:00."""
    minutes, seconds = divmod(seconds_after_six + 21_600, 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds:02d}"


def _clock_in(technicians: list[dict[str, Any]], pace: list[float], billed: int, *, quality: bool) -> int:
    """Write the clocked hours of each technician; the seconds of all. `billed` is in hundredths of hours.

    Work that is billed takes 0.85 to 1.35 of its time, by portion; looking on, or work billed by other means than the
    hour, a few minutes; a quality control under 90 s.
    """
    in_all = sum(technician["portion"] for technician in technicians)
    seconds = 0
    for technician, own in zip(technicians, pace, strict=True):
        expected = 36 * billed * technician["portion"] / in_all if in_all else 0
        if quality:
            clocked = int(own * 90) + 1
        else:
            clocked = int(expected * (0.85 + own / 2)) if expected > 0 else int(own * 600) + 1
        technician["actualHours"] = _hours(clocked)
        seconds += clocked
    return seconds


def _hours(seconds: int) -> int | float:
    """Seconds as hours with the binary noise of the real payload (`1.2527777777777778`)."""
    return seconds / 3600 if seconds % 3600 else seconds // 3600


def days(first: date, last: date) -> Iterator[date]:
    """Every day from `first` to `last`, both included."""
    for ordinal in range(first.toordinal(), last.toordinal() + 1):
        yield date.fromordinal(ordinal)


def totals_of(cents: list[InvoiceCents]) -> dict[str, int]:
    """Sums over invoices: `invoices`, `lines` and one `*_cents` for each other field of `InvoiceCents`."""
    totals = {"invoices": len(cents)}
    for place, field in enumerate(InvoiceCents._fields):
        totals["lines" if field == "lines" else f"{field}_cents"] = sum(entry[place] for entry in cents)
    return totals


def expected_day_totals(
    generator: InvoiceGenerator, day: date, shop_key: str | None = None
) -> dict[str, int]:
    """What a warehouse must show for that day: sums of the generator's own cents, never read back from JSON.

    Keys: invoices, lines, total_cents, subtotal_cents, tax_cents, parts_cents, labor_cents, supplies_cents, misc_cents,
    service_call_cents, mileage_cents, balance_cents. One shop, or all of them.
    """
    shops = generator.shop_keys if shop_key is None else (shop_key,)
    return totals_of([invoice.cents for key in shops for invoice in generator.generated(key, day)])


def expected_totals_by_shop(generator: InvoiceGenerator, day: date) -> dict[str, dict[str, int]]:
    """`expected_day_totals` of every shop, by shop key."""
    return {key: expected_day_totals(generator, day, key) for key in generator.shop_keys}
