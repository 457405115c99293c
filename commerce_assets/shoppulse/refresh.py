"""The metrics follow the days that changed, and only those.

Belongs here: the order of the statements, the transactions, the lease. Does not belong here: what a metric is
(metrics.py), how it is computed (sql/shoppulse/transforms), and Dagster.

Whoever changes source rows notes their days in `shoppulse.changed_days` in his own transaction. A refresh takes some of
them away and writes what it computes for them in one transaction: killed anywhere, the days are still noted. A full
rebuild is the same with every day noted.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from resources.leases import Lease
from resources.sql import Session

logger = logging.getLogger(__name__)

SOURCES: dict[str, tuple[str, ...]] = {
    "tenant_daily_metrics": ("orders", "fulfillment"),
    "campaign_metrics": ("campaigns",),
}
"""Table -> the sources whose changed days it follows."""

DAYS_A_TRANSACTION = 4_000
"""Noted days of one transaction: about 300,000 orders of tenants with 130 a day, and a few seconds."""


@dataclass(frozen=True)
class Refreshed:
    """What a refresh did: tenant-days computed, cells written because they differ, cells removed, tenants in it."""

    days: int = 0
    written: int = 0
    removed: int = 0
    transactions: int = 0

    def __add__(self, other: Refreshed) -> Refreshed:
        return Refreshed(
            self.days + other.days,
            self.written + other.written,
            self.removed + other.removed,
            self.transactions + other.transactions,
        )


def refresh(
    session: Session,
    held: Lease,
    table: str,
    *,
    at: datetime | None = None,
    rebuild: bool = False,
    tenants: Sequence[str] = (),
    days: int = DAYS_A_TRANSACTION,
) -> Refreshed:
    """Compute the noted days of `table` until none is left.

    `at`: the moment that decides which day it is where a tenant is (None: now, of the database). `rebuild`: note every
    day first, of `tenants` only if any are named.
    """
    _note(session, held, table, at, rebuild, list(tenants) or None)
    done = Refreshed()
    while True:
        one = session.transaction(
            lambda: _refresh_some(session, held, table, days), doing=f"refreshing {table}"
        )
        if not one.days:
            return done
        done += one
        logger.info("%s: %d tenant-days so far, %d cells written", table, done.days, done.written)


def _note(
    session: Session,
    held: Lease,
    table: str,
    at: datetime | None,
    rebuild: bool,
    tenants: list[str] | None,
) -> None:
    def work() -> None:
        held.check(session.connection.cursor())
        _run(session, "note_turned_days", table, {"at": at})
        if rebuild:
            _run(session, "note_all_days", table, {"sources": list(SOURCES[table]), "tenants": tenants})

    session.transaction(work, doing=f"noting the days of {table} that count otherwise")


def _refresh_some(session: Session, held: Lease, table: str, days: int) -> Refreshed:
    held.check(session.connection.cursor())
    _run(session, "create_refreshing", table)
    _run(session, "take_changed_days", table, {"sources": list(SOURCES[table]), "days": days})
    ((taken,),) = _run(session, "count_refreshing", table)
    if not taken:
        return Refreshed()
    _run(session, "analyze_refreshing", table)
    _run(session, f"compute_{table}", table)
    _run(session, "analyze_fresh_metrics", table)
    ((removed,),) = _run(session, f"remove_{table}", table)
    ((written,),) = _run(session, f"write_{table}", table)
    return Refreshed(taken, written, removed, 1)


def _run(
    session: Session, name: str, table: str, params: dict[str, Any] | None = None
) -> list[tuple[Any, ...]]:
    return session.run(f"shoppulse/transforms/{name}", params, table=table)
