"""`python -m benchmarks [names...]`: run the benchmarks and print one table (what `make bench` does).

The exit status is 0 also when a number is missed, and 1 when a benchmark could not be run.
"""

from __future__ import annotations

import argparse
import os
import platform
import signal
import sys
import time
from collections.abc import Callable, Sequence
from typing import Final

from benchmarks import (
    core,
    deliveries,
    invoices,
    mirror,
    run30,
    shoppulse,
    summaries,
    unchanged,
    upload_items,
    vendor_csv,
    vendor_way,
)
from benchmarks.bench import Bench, Outcome
from benchmarks.report import table
from benchmarks.server import bench_server
from benchmarks.worker import WorkerFailed

BENCHMARKS: Final[dict[str, Callable[[Bench], Outcome]]] = {
    "invoices": invoices.run,
    "unchanged": unchanged.run,
    "summaries": summaries.run,
    "run30": run30.run,
    "core": core.run,
    "mirror": mirror.run,
    "vendor_csv": vendor_csv.run,
    "deliveries": deliveries.run,
    "vendor_way": vendor_way.run,
    "upload_items": upload_items.run,
    "shoppulse": shoppulse.run,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was chosen and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(BENCHMARKS)}; all without")
    parser.add_argument("--repetitions", type=int, default=3, help="of everything (default 3)")
    parser.add_argument(
        "--scale", type=float, default=1, help="of the mirrored tables and the tenants' orders (default 1)"
    )
    chosen = parser.parse_args(arguments)
    names = tuple(dict.fromkeys(chosen.names)) or tuple(BENCHMARKS)
    if unknown := [name for name in names if name not in BENCHMARKS]:
        parser.error(f"no benchmark is called {', '.join(unknown)}: there are {', '.join(BENCHMARKS)}")
    if chosen.repetitions < 1:
        parser.error("at least one repetition is needed")
    if not 0.01 <= chosen.scale <= 10:
        parser.error("the scale is between 0.01 and 10")
    # Ended politely is interrupted: the server goes, and nothing is left in temporary folders.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return _measure(names, chosen.repetitions, chosen.scale)
    except KeyboardInterrupt:
        print("Interrupted; the benchmarks' server is stopped and its data deleted.", file=sys.stderr)
        return 130


def _measure(names: tuple[str, ...], repetitions: int, scale: float) -> int:
    began, outcome, failures = time.monotonic(), Outcome(), []
    load = os.getloadavg()[0]
    with bench_server() as server:
        bench = Bench(server, names, repetitions, scale)
        for name in names:
            bench.say(f"{name}:")
            try:
                found = BENCHMARKS[name](bench)
            except (WorkerFailed, RuntimeError) as error:
                failures.append(f"{name} could not be measured: {error}")
                continue
            outcome.rows += found.rows
            outcome.notes += found.notes
        version = server.version()
    print(table(outcome.rows))
    print(
        "\nSeconds: median (fastest-slowest). CPU seconds: client + Postgres. Ratio of medians per invoice or row:\n"
        "our time over theirs where at most is asked, our speed over theirs where at least is asked.\n"
    )
    for note in outcome.notes:
        print(f"- {note}")
    print(
        f"- {repetitions} repetitions, interleaved; PostgreSQL {version}, Python {platform.python_version()}, "
        f"{os.cpu_count()} cores; load average {load:.1f} before, {os.getloadavg()[0]:.1f} after; "
        f"{time.monotonic() - began:.0f} s in all"
    )
    for failure in failures:
        print(failure, file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
