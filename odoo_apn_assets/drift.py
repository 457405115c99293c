"""What a live source table looks like beside its mirror: which columns are copied, how, and what differs.

Belongs here: pure comparison and its result, the layout that every statement of a sync is made from. Does not belong
here: reading columns from a server (`odoo_apn_assets.source`), storing a drift.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from odoo_apn_assets.source import LiveColumn
from odoo_apn_assets.specs import METADATA, TableSpec

DriftKind = Literal["table_missing", "column_added", "column_dropped", "column_retyped"]
HashMethod = Literal["record", "text", "none"]

OLDEST_RECORD_HASH = 140000
"""hash_record_extended came with PostgreSQL 14; it costs less than half of hashing the row's text."""

METADATA_NAMES = frozenset(name for name, _, _ in METADATA)
# Types that can be hashed as they are. numeric and jsonb are not among them: 1.0 and 1.00 are equal there, and an exact
# mirror must see the difference.
_HASHED_AS_THEY_ARE = (
    *(
        "boolean",
        "smallint",
        "integer",
        "bigint",
        "real",
        "double precision",
        "date",
        "text",
        "uuid",
        "character",
    ),
    *("timestamp without time zone", "timestamp with time zone", "character varying", "text[]"),
)
_FLOATS = ("real", "double precision")
_CARRIED_OVER = (
    *_HASHED_AS_THEY_ARE, "numeric", "json", "jsonb", "bytea", "time without time zone", "interval", "inet",
    "integer[]", "bigint[]", "character varying[]", "numeric[]", "boolean[]", "date[]",
)  # fmt: skip
"""Types that every server has: a new column of one of them keeps its type. Of any other type the text is mirrored."""


@dataclass(frozen=True)
class Drift:
    """One difference between mirror and source, and what is done about it."""

    kind: DriftKind
    column: str
    expected: str | None
    found: str | None
    action: str


@dataclass(frozen=True)
class CopiedColumn:
    """A column that is read. `source_type` differs from `type` when the source changed: text is then converted."""

    name: str
    type: str
    source_type: str

    @property
    def as_text(self) -> bool:
        """Whether the text form is read: the types differ, and the mirror's is not the same without a limit."""
        return self.source_type != self.type != base_type(self.source_type)

    @property
    def retyped(self) -> bool:
        """Whether that is a drift; types that the warehouse need not have are mirrored as text from the start."""
        return self.type != self.source_type and not (self.type == "text" and not _known(self.source_type))


@dataclass(frozen=True)
class Layout:
    """How one table is copied now."""

    spec: TableSpec
    columns: tuple[CopiedColumn, ...]
    added: tuple[LiveColumn, ...]
    drifts: tuple[Drift, ...]
    mark: str | None
    hash_method: HashMethod
    widened_key: str | None = None
    """The type that the mirror's key must get first: the source's ids may be larger than it can hold."""

    @property
    def hashed_columns(self) -> list[str]:
        """What the row hash covers; another list makes every row look changed."""
        return [f"{column.name} {column.source_type}" for column in self.columns]

    @property
    def verifiable(self) -> bool:
        """Whether the mirror's own content must give the same hashes as the source's."""
        return self.hash_method != "none" and not any(column.as_text for column in self.columns)


class KeyChanged(Exception):
    """The column `id` is gone or of another kind: rows cannot be told apart any more."""


def compare(
    spec: TableSpec,
    source: Sequence[LiveColumn],
    mirror: Sequence[LiveColumn],
    *,
    server_version: int,
    hashed: bool = True,
) -> Layout:
    """The layout of a table whose live columns are `source` and whose mirror has the columns `mirror`.

    Raises `KeyChanged` when there is no key to go by.
    """
    there = {column.name: column.type for column in source}
    here = {column.name: column.type for column in mirror if column.name not in METADATA_NAMES}
    drifts: list[Drift] = []
    key = _key_type(there.get("id"), here["id"])
    widened_key = key if key != here["id"] else None
    if widened_key is not None:
        drifts.append(
            Drift("column_retyped", "id", here["id"], key, f"the mirror's key is {key} from now on")
        )
    there["id"] = here["id"] = key
    copied = [CopiedColumn(name, kind, there[name]) for name, kind in here.items() if name in there]
    for column in copied:
        if column.retyped and (column.as_text or spec.contract != "fixed"):
            action = "taken as it is: every value fits"
            if column.as_text:
                action = "converted; what cannot be is null in the mirror and kept in ops.quarantine"
            drifts.append(Drift("column_retyped", column.name, column.type, column.source_type, action))
    for name, kind in here.items():
        if name not in there:
            drifts.append(
                Drift("column_dropped", name, kind, None, "kept in the mirror with its last values")
            )
    added: list[LiveColumn] = []
    if spec.contract != "fixed":
        for new in source:
            if new.name in here:
                continue
            if spec.contract == "freeze" or new.name in METADATA_NAMES:
                action = (
                    "not mirrored: the table is frozen"
                    if spec.contract == "freeze"
                    else "not mirrored: name taken"
                )
            else:
                mirrored = LiveColumn(new.name, new.type if _known(new.type) else "text")
                added.append(mirrored)
                copied.append(CopiedColumn(new.name, mirrored.type, new.type))
                action = f"added to the mirror as {mirrored.type}"
            drifts.append(Drift("column_added", new.name, None, new.type, action))
    mark = (
        spec.mark
        if spec.mark is not None and spec.mark in there and there[spec.mark] == here[spec.mark]
        else None
    )
    method: HashMethod = "record" if server_version >= OLDEST_RECORD_HASH else "text"
    if not hashed and mark is not None:
        method = "none"
    return Layout(spec, tuple(copied), tuple(added), tuple(drifts), mark, method, widened_key)


def _key_type(source: str | None, mirror: str) -> str:
    """The type of the mirror's key from now on: one that holds all ids of the source, each as itself.

    Raises `KeyChanged` when there is none.
    """
    if source is not None and (source == mirror or (source, mirror) == ("bigint", "integer")):
        return source
    if source is not None and base_type(source) == base_type(mirror) == "character varying":
        longest = float("inf")
        return source if _limit(source, longest) > _limit(mirror, longest) else mirror
    raise KeyChanged(f"the key id is {source or 'gone'}, the mirror's is {mirror}")


def _limit(kind: str, otherwise: float) -> float:
    found = re.search(r"\((\d+)\)", kind)
    return int(found[1]) if found else otherwise


def base_type(kind: str) -> str:
    """A type without its length or precision: `character varying(20)` -> `character varying`."""
    if "(" not in kind:
        return kind
    head, _, tail = kind.partition("(")
    return (head + tail.partition(")")[2]).strip()


def hash_operand(method: HashMethod, name: str, kind: str) -> str:
    """The SQL that a column of type `kind`, given as the expression `name`, adds to the row hash."""
    base = base_type(kind)
    if method == "text" and base in _FLOATS:
        return f"encode(float{4 if base == 'real' else 8}send({name}), 'hex')"  # servers before 12 round the text
    return name if base in _HASHED_AS_THEY_ARE else f"{name}::text"


def _known(kind: str) -> bool:
    return base_type(kind) in _CARRIED_OVER
