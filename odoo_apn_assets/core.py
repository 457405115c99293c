"""Bringing a table of CORE in line with RAW: which rows to look at, what they should be, what is written and logged.

Belongs here: the order of the statements of sql/core/transforms, and what is told when one of them fails. Does not
belong here: filling RAW, the rules for names (`company_names`, `domains`), or Dagster.

One transaction does it all: it takes the announced changes (ops.raw_changes), works out which rows they touch, writes
those that differ, and logs them. Rolled back, the announcements are still there and CORE is as it was.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from odoo_apn_assets import company_names, domains
from resources.failures import is_transient, permanent
from resources.leases import Lease
from resources.sql import Session

logger = logging.getLogger(__name__)

CORE_READERS: dict[str, tuple[str, ...]] = {
    "aws_accounts": ("odoo_c_aws_accounts", "odoo_res_partner", "lookup_res_users", "apn_end_user"),
    "odoo_opportunities": (
        "odoo_crm_lead",
        "odoo_res_partner",
        "odoo_crm_team",
        "odoo_crm_stage",
        "odoo_c_aws_accounts",
        "odoo_res_country_state",
        "lookup_res_users",
        "lookup_res_country",
    ),
    "ace_opportunities": ("apn_opportunity", "apn_users", "odoo_c_aws_accounts", "apn_end_user"),
}
"""Table of CORE -> the mirrors it reads; a changed row of one is announced in ops.raw_changes for that table."""

RULES = "1"
"""To be raised with every change of a statement that changes what CORE holds: each table is then rebuilt once."""

LEASE = "core"
MOST_NAMED = 10
"""Offending records that an error names."""


def rules_version() -> str:
    """Everything that a row of CORE depends on beside RAW."""
    return f"core {RULES}, names {company_names.RULES_VERSION}, domains {domains.rules_version()}"


@dataclass(frozen=True)
class Transformed:
    """What one transformation did, in rows. `row_count`: of the table afterwards; `affected`: looked at;
    `quarantined`: of those, not fit for the table."""

    row_count: int
    affected: int
    inserted: int
    updated: int
    unchanged: int
    deleted: int
    quarantined: int


def transform(session: Session, target: str, lease: Lease, *, full: bool = False) -> Transformed:
    """Bring core.<target> in line with RAW, in one transaction under the lease; nothing is written that is the same.

    Looks at the rows that changes of RAW touch, or at all of them: when `full`, when a whole table was announced, and
    when the rules are others than the last time. A row that does not fit is held in ops.quarantine; the rest loads.

    Raises PermanentError that names the offending records; CORE, RAW and the announcements are then as they were.
    """
    if target not in CORE_READERS:
        raise ValueError(f"{target!r} is none of {', '.join(CORE_READERS)}")
    step = _Step(session, target, lease)
    doing = f"transforming core.{target}"
    try:
        return session.transaction(lambda: step.run(full=full), doing=doing)
    except Exception as error:
        import psycopg2

        if not isinstance(error, psycopg2.Error) or is_transient(error):
            raise
        raise permanent(
            doing,
            found=f"{_message(error)}; {step.offenders(full=full)}",
            do_next="Nothing was written; the changes stay announced. Mend the records or the rule, then run again.",
        ) from error


class _Step:
    """One transformation of one table; all methods run inside a transaction of the caller's."""

    def __init__(self, session: Session, target: str, lease: Lease) -> None:
        self._session, self._target, self._lease = session, target, lease
        self._table = f"core.{target}"

    def run(self, *, full: bool) -> Transformed:
        self._lease.check(self._session.connection.cursor())
        everything, affected = self._find_affected(full=full)
        written = self._write(everything=everything)
        self._run("core/transforms/note_state", {"target": self._target, "rules": rules_version()})
        inserted, updated, unchanged, deleted, quarantined = written
        rows = self._session.count(self._table)
        return Transformed(rows, affected, inserted, updated, unchanged, deleted, quarantined)

    def _find_affected(self, *, full: bool) -> tuple[bool, int]:
        """Fill the temporary table `affected`; whether that is every row, and how many there are."""
        ((whole_table, changes),) = self._run("core/transforms/take_changes", {"target": self._target})
        ((same_rules,),) = self._run(
            "core/transforms/same_rules", {"target": self._target, "rules": rules_version()}
        )
        full = bool(full or whole_table or not same_rules)
        # Which of two accounts with one number counts depends on both: after any change all of them are looked at.
        everything = full or (self._target == "aws_accounts" and changes > 0)
        self._run(f"core/transforms/{self._target}_create")
        self._run(f"core/transforms/{self._target}_{'all' if full else 'affected'}")
        ((affected,),) = self._run("core/transforms/count_affected")
        return everything, int(affected)

    def _write(self, *, everything: bool) -> tuple[int, ...]:
        """Write the rows in the temporary table `affected`: inserted, updated, unchanged, deleted, quarantined."""
        self._run(f"core/transforms/{self._target}_incoming")
        self._run("core/transforms/analyze_incoming")
        self._look_up(
            "hosts", domains.rules_version(), lambda keys: [domains.normalized_domain(key) for key in keys]
        )
        self._look_up(
            "names",
            company_names.RULES_VERSION,
            lambda keys: [company_names.normalized_company_name(key) for key in keys],
        )
        ((quarantined,),) = self._run(
            "core/transforms/quarantine",
            {"table": self._table, "rules": rules_version(), "everything": everything},
        )
        logged_rules = json.dumps({"rules_version": rules_version()})
        (written,) = self._run(
            f"core/transforms/{self._target}_write", {"logged_rules": logged_rules}, table=self._table
        )
        return (*written, quarantined)

    def _look_up(self, what: str, rules: str, compute: Callable[[list[str]], list[str | None]]) -> None:
        """Add to a dictionary what `incoming` needs and it lacks."""
        keys = [key for (key,) in self._run(f"core/transforms/missing_{what}", {"rules": rules})]
        for first in range(0, len(keys), 10_000):
            batch = keys[first : first + 10_000]
            self._run(
                f"core/transforms/store_{what}", {"keys": batch, "values": compute(batch), "rules": rules}
            )

    def offenders(self, *, full: bool) -> str:
        """Which records make the transformation fail, found by halving; every attempt is rolled back."""
        import psycopg2

        found: list[str] = []
        try:
            with self._session.connection.cursor() as cursor:
                self._find_affected(full=full)
                cursor.execute(
                    "select source_key::text from affected where source_key is not null order by 1"
                )
                keys = [key for (key,) in cursor.fetchall()]
                cursor.execute("create temporary table every_key on commit drop as table affected")
                pending = [keys]
                while pending and len(found) < MOST_NAMED:
                    some = pending.pop()
                    if (error := self._failure(some)) is None:
                        continue
                    if len(some) == 1:
                        found.append(f"{some[0]} ({_column(error) or _message(error)})")
                    else:
                        middle = len(some) // 2
                        pending += [some[middle:], some[:middle]]
        except psycopg2.Error as error:
            logger.warning("the offending records could not be looked for: %s", type(error).__name__)
        finally:
            if not self._session.connection.closed:
                self._session.connection.rollback()
        return f"records: {', '.join(found)}" if found else "no single record fails by itself"

    def _failure(self, keys: Sequence[str]) -> BaseException | None:
        import psycopg2

        with self._session.connection.cursor() as cursor:
            cursor.execute("savepoint attempt")
            try:
                cursor.execute("truncate affected")
                cursor.execute(
                    "insert into affected select * from every_key where source_key::text = any (%s)",
                    (list(keys),),
                )
                self._write(everything=False)
            except psycopg2.Error as error:
                return error
            finally:
                cursor.execute("rollback to savepoint attempt")
        return None

    def _run(
        self, name: str, params: dict[str, object] | None = None, *, table: str | None = None
    ) -> list[tuple[Any, ...]]:
        return self._session.run(name, params, table=table or self._table)


def _message(error: BaseException) -> str:
    """The server's first line; the lines after it quote whole rows."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _column(error: BaseException) -> str | None:
    diag = getattr(error, "diag", None)
    where = getattr(diag, "column_name", None) or getattr(diag, "constraint_name", None)
    return str(where) if where else None
