"""What a benchmark is given, and what it gives back."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import msgspec

from benchmarks.documents import Documents, prepared
from benchmarks.measuring import Meter, Reading
from benchmarks.report import Row
from benchmarks.server import BenchServer
from benchmarks.worker import run_worker

INVOICES = 20_000
PER_DAY = 220
FIRST_DAY = date(2026, 1, 1)


@dataclass
class Outcome:
    """Rows of the table, and what was verified or found beside them."""

    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass
class Bench:
    """One run of the benchmarks: the server, how often everything is repeated, and what was chosen."""

    server: BenchServer
    chosen: tuple[str, ...]
    repetitions: int
    scale: float = 1
    """Of the tables that are mirrored: a tenth is enough to see whether everything runs."""
    kept: dict[str, Any] = field(default_factory=dict)
    """What one benchmark measured and another one reads too."""

    @property
    def meter(self) -> Meter:
        return Meter(self.server.pid)

    def documents(self, count: int = INVOICES) -> Documents:
        """Invoices of about 13 KB of one shop; 20,000 of them span three months."""
        self.say(f"{count:,} invoices, generated unless there is a file of them")
        return prepared(count, per_day=PER_DAY, first_day=FIRST_DAY)

    def worker(
        self,
        function: str,
        database: str | None,
        *,
        environment: Mapping[str, str] | None = None,
        **arguments: Any,
    ) -> Any:
        """Run a function in a process of its own, with a database as the Fullbay location's warehouse, or with none."""
        if database is not None:
            environment = {**self.server.environment(database), **(environment or {})}
            arguments = {**arguments, "server_pid": self.server.pid}
        return run_worker(function, arguments, folder=self.server.folder, environment=environment)

    def load(self, documents: Documents, database: str, *, reread: bool = False) -> dict[str, Any]:
        """`loading.load` of the documents into a database, its readings as `Reading`s by step."""
        result = self.worker(
            "benchmarks.loading:load", database, documents=msgspec.to_builtins(documents), reread=reread
        )
        return {**result, "readings": msgspec.convert(result["readings"], dict[str, Reading])}

    def say(self, text: str) -> None:
        """Tell what is going on: on stderr, so that stdout holds the table alone."""
        sys.stderr.write(f"  {text}\n")
        sys.stderr.flush()


def reading(value: object) -> Reading:
    """A reading as a worker gives it."""
    return msgspec.convert(value, Reading)
