"""Shops, customers and their units: pure functions of the seed, made on demand.

Customer ids, unit ids and VINs depend on seed, shop and position only, so the same customer and truck come back over
the years and a day can be generated without any other day.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from random import Random
from typing import Any, Final, NamedTuple, TypeVar

from sandbox.fullbay import catalogue as words
from sandbox.fullbay.oddities import RATE

T = TypeVar("T")
VIN_LETTERS: Final = "ABCDEFGHJKLMNPRSTUVWXYZ0123456789"


@dataclass(frozen=True)
class SandboxShop:
    """One shop of the group: the key its API key maps to, what the payload says about it, its share of invoices."""

    key: str
    title: str
    drifted_title: str
    email: str
    address: str
    drifted_address: str
    labor_rate: int  # whole dollars an hour
    weight: float


DEFAULT_SHOPS: Final[tuple[SandboxShop, ...]] = (
    SandboxShop(
        "DEFAULT",
        "Example Truck Repair",
        "Example Truck Repair ",
        "service@example.com",
        "Facility ID F000000 1 Shop St, Springfield, MI 48000, US",
        "Facility ID F000000 1 Shop Street, Springfield, MI 48000, US",
        150,
        0.5,
    ),
    SandboxShop(
        "NORTH",
        "Example Truck Repair - North",
        "EXAMPLE TRUCK REPAIR-NORTH",
        "north@example.com",
        "200 Depot St, Riverton, IN 46000, US",
        "200 Depot St, Riverton, IN 46000, US",
        135,
        0.3,
    ),
    SandboxShop(
        "SOUTH",
        "Example Truck Repair - South",
        "Example Truck  Repair - South",
        "south@example.com",
        "31 Terminal Dr, Georgetown, PA 15000, US",
        "31 Terminal Dr, Georgetown, PA 15000, US",
        160,
        0.2,
    ),
)


def rng_for(*parts: object) -> Random:
    """A generator seeded by the words given: the same in every process (sha256, never `hash()`).

    Only `.random()` of it is used: that sequence is promised stable over Python versions, that of `choice` is not.
    """
    digest = hashlib.sha256("|".join(map(str, parts)).encode()).digest()
    return Random(int.from_bytes(digest[:16], "big"))


def pick(draw: Callable[[], float], items: tuple[T, ...]) -> T:
    """One of `items` by one draw."""
    return items[int(draw() * len(items))]


class Unit(NamedTuple):
    """A truck or trailer: the `Unit` object of the payload and the oddities it carries."""

    payload: dict[str, Any]
    oddities: frozenset[str]


class Customer(NamedTuple):
    """A customer of one shop, as the payload shows it; `titles` holds the old name and the new one."""

    customer_id: int
    titles: tuple[str, str]
    renamed_on: date
    phone: str
    contact: str
    email: str
    address: dict[str, Any]
    address_line: str
    terms: int  # days until payment is due
    units: int
    oddities: frozenset[str]

    def title_on(self, day: date) -> str:
        """The name in use on that day."""
        return self.titles[day >= self.renamed_on]

    def payload(self, day: date) -> dict[str, Any]:
        """The `Customer` object of invoice and service order."""
        return {
            "customerId": self.customer_id,
            "title": self.title_on(day),
            "externalId": None,
            "mainPhone": self.phone,
            "secondaryPhone": "",
        }


NO_ADDRESS: Final[dict[str, Any]] = dict.fromkeys(
    ("title", "line1", "line2", "city", "state", "country", "postalCode")
)
_NEVER: Final = date.max


class Parties:
    """Customers and units of one generator. Safe to share between threads: everything is a pure function, cached."""

    def __init__(self, seed: int, shops: tuple[SandboxShop, ...], customers_per_shop: int) -> None:
        self._seed = seed
        self._shops = shops
        self.customers_per_shop = customers_per_shop
        self.customer = lru_cache(maxsize=20_000)(self._customer)
        self.unit = lru_cache(maxsize=40_000)(self._unit)

    def _customer(self, shop_index: int, position: int) -> Customer:
        draw = rng_for(self._seed, "customer", self._shops[shop_index].key, position).random
        oddities = set()
        first = pick(draw, words.CUSTOMER_FIRST)
        if draw() < RATE["non_ascii_title"]:
            first = pick(draw, words.ACCENTED_FIRST)
            oddities.add("non_ascii_title")
        second = pick(draw, words.CUSTOMER_SECOND)
        form = pick(draw, words.CUSTOMER_FORM)
        title = f"{first} {second} {form}".strip()
        tail = ""
        if draw() < RATE["long_title"]:
            tail = words.LONG_TITLE_TAIL
            oddities.add("long_title")
        title += tail
        new_title, renamed_on = title, _NEVER
        if draw() < RATE["renamed_customer"]:
            new_title = f"{first} {second} GROUP {form}".strip() + tail
            renamed_on = date(2021 + int(draw() * 6), 1 + int(draw() * 12), 1 + int(draw() * 28))
            oddities.add("renamed_customer")
        line_number = f"01{int(draw() * 100):02d}"
        phone = f"(555) 555-{line_number}"
        if draw() < RATE["long_phone"]:
            phone = f"(555) 555-{line_number} ext 10{int(draw() * 10)} or 5123"  # 30 characters in all
            oddities.add("long_phone")
        city, state, postal_code = pick(draw, words.CITIES)
        street = f"{100 + int(draw() * 9000)} {pick(draw, words.STREETS)}"
        return Customer(
            customer_id=3_300_000 + shop_index * 100_000 + position + 1,
            titles=(title, new_title),
            renamed_on=renamed_on,
            phone=phone,
            contact=pick(draw, words.CONTACTS),
            email=f"ap{position}@example.com" if draw() < 0.5 else "",
            address={
                "title": f"{city}, {state}",
                "line1": street,
                "line2": "",
                "city": city,
                "state": state,
                "country": "US",
                "postalCode": postal_code,
            },
            address_line=f"{street}, {city}, {state} {postal_code}, US",
            terms=pick(draw, (0, 15, 15, 30, 30, 45)),
            units=1 + int(draw() ** 2 * 15),
            oddities=frozenset(oddities),
        )

    def _unit(self, shop_index: int, customer_position: int, position: int) -> Unit:
        draw = rng_for(self._seed, "unit", self._shops[shop_index].key, customer_position, position).random
        oddities = set()
        trailer = draw() < 0.25
        make, models = pick(draw, words.TRAILER_MAKES if trailer else words.MAKES)
        model = pick(draw, models)
        vin = "".join(pick(draw, tuple(VIN_LETTERS)) for _ in range(11)) + f"{int(draw() * 1_000_000):06d}"
        year = str(2005 + int(draw() * 21))
        fate = draw()
        for oddity in ("vin_empty", "vin_short", "vin_numeric", "vin_placeholder", "vin_shared"):
            fate -= RATE[oddity]
            if fate < 0:
                vin = self._odd_vin(oddity, vin, shop_index, customer_position, draw)
                oddities.add(oddity)
                break
        if draw() < RATE["year_zero"]:
            year = "0"
            oddities.add("year_zero")
        number = pick(draw, words.UNIT_WORDS) if draw() < 0.1 else str(1 + int(draw() * 999))
        payload = {
            "customerUnitId": str(
                7_240_000 + (shop_index * self.customers_per_shop + customer_position) * 16 + position
            ),
            "number": number,
            "nickname": "" if draw() < 0.9 else pick(draw, words.UNIT_WORDS),
            "type": "Trailer" if trailer else "Truck",
            "subType": None if draw() < 0.7 else "Heavy",
            "year": year,
            "make": make,
            "model": model,
            "vin": vin,
            "licensePlate": "" if draw() < 0.4 else f"X{int(draw() * 100_000):05d}",
        }
        return Unit(payload, frozenset(oddities))

    def _odd_vin(
        self, oddity: str, vin: str, shop_index: int, customer_position: int, draw: Callable[[], float]
    ) -> str:
        if oddity == "vin_empty":
            return ""
        if oddity == "vin_short":
            return vin[-8:]
        if oddity == "vin_numeric":
            return str(int(draw() * 900_000) + 100_000)
        if oddity == "vin_placeholder":
            title = self.customer(shop_index, customer_position).titles[0][:17]
            return pick(draw, (*words.VIN_PLACEHOLDERS, title))
        neighbour = (customer_position + 1) % self.customers_per_shop
        # The neighbour's first unit may itself have a shared VIN: the chain ends, as every step is one customer on and
        # the rate is small; a chain around all customers is cut by the plain VIN.
        if neighbour < customer_position:
            return vin
        shared = str(self.unit(shop_index, neighbour, 0).payload["vin"])
        return shared if len(shared) == len(vin) else vin
