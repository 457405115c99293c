"""SQL expressions that draw values for row `i`: the same seed, table, key and row always give the same value.

A draw is a hash of the row number, so that millions of rows are made by one INSERT ... SELECT and no row is computed in
Python. Every value put into the text of a statement comes from this package or from the catalogue, never from a user.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from odoo_apn_assets.specs import Column
from sandbox.odoo_apn import words

_SPAN = 1 << 20


def text(value: str) -> str:
    """A string literal."""
    return "'" + value.replace("'", "''") + "'"


def texts(values: Sequence[str]) -> str:
    """A literal of an array of strings, parsed once and not for each row."""
    quoted = ('"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' for value in values)
    return text("{" + ",".join(quoted) + "}") + "::text[]"


@dataclass(frozen=True)
class Draws:
    """The draws of one table. `of` is the SQL expression of the row number."""

    seed: int
    table: str
    of: str = "i"

    def bits(self, key: str) -> str:
        """A bigint that looks random; two keys are independent."""
        constant = zlib.crc32(f"{self.seed}/{self.table}/{key}".encode())
        return f"hashint8extended({self.of}, {constant})"

    def chance(self, key: str, share: float) -> str:
        """True for this share of the rows."""
        return f"({self.bits(key)} & {_SPAN - 1}) < {round(share * _SPAN)}"

    def number(self, key: str, below: int) -> str:
        """0 <= n < below, independent of `chance` and `unit` under the same key."""
        return f"((({self.bits(key)} >> 20) & 4294967295) % {max(below, 1)})"

    def unit(self, key: str) -> str:
        """0 <= x < 1 as double precision."""
        return f"((({self.bits(key)} >> 20) & 4294967295) / 4294967296.0::float8)"

    def pick(self, key: str, values: Sequence[str]) -> str:
        """One of the values."""
        return f"({texts(values)})[1 + {self.number(key, len(values))}]"

    def maybe(self, key: str, share: float, value: str) -> str:
        """The value for this share of the rows, null for the others."""
        return f"case when {self.chance(key, share)} then {value} end"

    def money(self, key: str, largest: float) -> str:
        """An amount of cents, small ones oftener."""
        return f"round(({self.unit(key)} ^ 2 * {largest})::numeric, 2)"

    def link(self, key: str, rows: int, share: float = 1.0, unresolved: float = 0.004) -> str:
        """The id of an existing row; now and then that of a row that is not there."""
        found = (
            f"case when {self.chance(key + ' lost', unresolved)} then {rows + 1000} + {self.number(key, 50)}"
            f" else 1 + {self.number(key, rows)} end"
        )
        return f"({found})" if share >= 1 else self.maybe(key, share, found)

    def person(self, key: str) -> str:
        """First and last name."""
        return f"{self.pick(key + ' first', words.FIRST_NAMES)} || ' ' || {self.pick(key + ' last', words.LAST_NAMES)}"

    def sentences(self, key: str) -> str:
        """One to three sentences."""
        return (
            f"{self.pick(key, words.SENTENCES)} || case {self.number(key + ' more', 3)} when 0 then ''"
            f" when 1 then ' ' || {self.pick(key + ' 2', words.SENTENCES)}"
            f" else E'\\n' || {self.pick(key + ' 2', words.SENTENCES)} || ' ' || {self.pick(key + ' 3', words.SENTENCES)} end"
        )

    def day(self, key: str, last: str, days: int) -> str:
        """A date in the `days` before `last`."""
        return f"({last} - {self.number(key, days)}::integer)"

    def moment(self, key: str, last: str, days: int) -> str:
        """A timestamp in the `days` before `last`, to the microsecond as Odoo writes it."""
        return f"({last}::timestamp - {self.unit(key)} * interval '{days} days')"


_SELECTIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"^Yes/No", ("Yes", "No")),
    (r"(?i)region", ("amer", "emea", "apac", "latam")),
    (r"(?i)practice", ("migration", "data", "security", "managed_services", "devops")),
    (r"(?i)engagement", ("assessment", "build", "migrate", "operate", "resale")),
    (r"(?i)funding program|program ", ("map", "poc", "mdf", "iwmp", "other")),
    (r"(?i)support", ("basic", "developer", "business", "enterprise")),
    (r"(?i)warning", ("no-message", "warning", "block")),
    (r"(?i)traffic light|health", ("green", "amber", "red")),
    (r"(?i)risk|difficulty|priority|score", ("low", "medium", "high")),
    (r"(?i)workflow|state|status|progress|approval", ("draft", "open", "waiting", "done", "cancel")),
    (r"(?i)invoice", ("no", "to invoice", "invoiced")),
    (r"(?i)section or note", ("line_section", "line_note")),
    (r"(?i)industry|vertical", ("healthcare", "finance", "retail", "public_sector", "software")),
    (r"(?i)use case|workload", ("migration", "data_analytics", "containers", "ai_ml", "backup")),
)
_SOURCED: tuple[tuple[str, str], ...] = (
    (r"(?i)e-?mail", "email"), (r"(?i)phone|mobile", "phone"), (r"(?i)url$|website$|_role$|linkedin", "url"),
    (r"(?i)name$|owner$|manager$|pdm$|by$|contact$", "person"), (r"(?i)currency$", "currency"), (r"(?i)period$", "period"),
    (r"(?i)duns", "duns"), (r"(?i)region$", "region"), (r"(?i)(id|ref|number|code|sku|key|identifier|token|origin)$", "reference"),
)  # fmt: skip


def plausible(draws: Draws, column: Column, rows: Mapping[str, int], today: str) -> str:
    """A value for a column that no rule of its table fills: right for its type, believable for its name, often null.

    Row 5 is filled whole, so that no column is null everywhere.
    """
    name = column.name
    filled = f"case when {draws.chance(name, _filled(name))} or i = 5 then"
    kind = column.type
    if column.relation and kind == "integer":
        return f"{filled} {draws.link(name, rows.get(column.relation.replace('.', '_'), 12))} end"
    if kind == "boolean":
        return f"case when {draws.chance(name, 0.7)} then {draws.number(name, 3)} = 0 end"
    value = _value(draws, column, today)
    if (length := re.fullmatch(r"(?:character varying|varchar)\((\d+)\)", kind)) is not None:
        value = f"left({value}, {length[1]})"
    return f"{filled} {value} end"


def _filled(name: str) -> float:
    """How often a column is filled: between a tenth and a half, always the same for the same name."""
    return 0.10 + (zlib.crc32(name.encode()) % 1000) / 2500


def _value(draws: Draws, column: Column, today: str) -> str:
    name, description = column.name, column.description or ""
    match column.type.partition("(")[0]:
        case "integer":
            return f"{draws.number(name, 365 if 'days' in name else 40)}::integer"
        case "numeric":
            return f"case {draws.number(name + ' form', 8)} when 0 then 0 when 1 then -{draws.money(name, 900)} else {draws.money(name, 250000)} end"
        case "double precision":
            return f"round(({draws.unit(name)} * 100)::numeric, 3)::float8"
        case "date":
            return draws.day(name, today, 900)
        case "timestamp without time zone" | "timestamp":
            return draws.moment(name, today, 900)
        case "timestamptz":
            return f"{draws.moment(name, today, 900)} at time zone 'UTC'"
        case "text[]":
            return f"array[{draws.pick(name, words.SERVICES)}, {draws.pick(name + ' 2', words.SERVICES)}]"
        case "jsonb":
            return f"jsonb_build_array(jsonb_build_object('date', {draws.day(name, today, 300)}, 'note', {draws.pick(name, words.SENTENCES)}))"
        case "text":
            return draws.sentences(name)
    for pattern, values in _SELECTIONS:
        if re.search(pattern, description) and not re.search(r"(?i)name|comment|email", name):
            return draws.pick(name, values)
    for pattern, sort in _SOURCED:
        if re.search(pattern, name):
            return _sorted(draws, name, sort, today)
    return f"{draws.pick(name, words.WORDS)} || ' ' || {draws.pick(name + ' 2', words.WORDS)}"


def _sorted(draws: Draws, name: str, sort: str, today: str) -> str:
    match sort:
        case "email":
            mail = f"replace(replace({draws.person(name)}, ' ', '.'), '''', '')"
            return f"lower({mail}) || '@' || lower(replace({draws.pick(name + ' host', words.TRADES)}, ' & ', '')) || '.example.com'"
        case "phone":
            return f"'+1 ' || (200 + {draws.number(name, 700)}) || '-555-01' || lpad({draws.number(name + ' 2', 100)}::text, 2, '0')"
        case "url":
            return f"'https://docs.example.com/' || {draws.pick(name, words.WORDS)} || '/' || {draws.number(name, 100000)}"
        case "person":
            return draws.person(name)
        case "currency":
            return draws.pick(name, ("USD", "USD", "USD", "EUR", "GBP"))
        case "period":
            return f"to_char({draws.day(name, today, 900)}, 'YYYY-MM')"
        case "duns":
            return f"lpad({draws.number(name, 1000000000)}::text, 9, '0')"
        case "region":
            return draws.pick(name, ("us-east-1", "us-west-2", "eu-central-1", "ap-southeast-2"))
    return f"{text(name[:3].upper() + '-')} || {draws.number(name, 1000000)}"
