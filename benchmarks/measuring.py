"""What a piece of work took: wall time, and the CPU time of both sides of the connection.

The machine is shared, so wall times waver by a third; the CPU seconds of the client's process tree and of the Postgres
server do not, and stand beside them. Knows nothing of what is measured.
"""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import msgspec
import psutil

T = TypeVar("T")


class Reading(msgspec.Struct, frozen=True):
    """Seconds of one repetition: on the clock, of the client's processes, of the server's processes."""

    seconds: float
    client_cpu: float
    server_cpu: float

    @property
    def cpu(self) -> float:
        return self.client_cpu + self.server_cpu

    def __add__(self, other: Reading) -> Reading:
        return Reading(
            self.seconds + other.seconds,
            self.client_cpu + other.client_cpu,
            self.server_cpu + other.server_cpu,
        )


class Series(msgspec.Struct, frozen=True):
    """The repetitions of one side of a comparison; `units` is how many invoices (or runs) each of them handled."""

    readings: list[Reading]
    units: float = 1

    @property
    def seconds(self) -> float:
        return statistics.median(reading.seconds for reading in self.readings)

    @property
    def spread(self) -> tuple[float, float]:
        """Fastest and slowest repetition, seconds."""
        seconds = [reading.seconds for reading in self.readings]
        return min(seconds), max(seconds)

    @property
    def client_cpu(self) -> float:
        return statistics.median(reading.client_cpu for reading in self.readings)

    @property
    def server_cpu(self) -> float:
        return statistics.median(reading.server_cpu for reading in self.readings)


class Meter:
    """Measures work of this process tree against one Postgres server, or several whose CPU time is summed."""

    def __init__(self, *server_pids: int) -> None:
        self._client = psutil.Process()
        self._servers = [psutil.Process(pid) for pid in server_pids]

    def run(self, work: Callable[[], T]) -> tuple[Reading, T]:
        """Do the work; what it took, and its result.

        The server's figure includes its background processes (checkpoints, autovacuum): they work for us too.
        """
        client, server = self._both()
        began = time.perf_counter()
        result = work()
        seconds = time.perf_counter() - began
        client_after, server_after = self._both()
        return Reading(seconds, client_after - client, server_after - server), result

    def _both(self) -> tuple[float, float]:
        servers = {server.pid for server in self._servers}
        return tree_cpu(self._client, without=servers), sum(map(tree_cpu, self._servers))


def tree_cpu(root: psutil.Process, without: Collection[int] = ()) -> float:
    """CPU seconds of a process and everything below it, also of children that have ended and were reaped.

    `without` leaves children and what is below them out: whoever started a server is its parent.
    """
    total = 0.0
    below = [process for process in root.children() if process.pid not in without]
    for child in list(below):
        with suppress(psutil.Error):
            below += child.children(recursive=True)
    for process in [*below, root]:
        try:
            times = process.cpu_times()
        except psutil.Error:
            continue
        total += times.user + times.system
        # Not every system counts what its ended children took.
        total += getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
    return total


def peak_rss_mib() -> float:
    """The largest resident size of this process so far, in MiB.

    From the kernel's high-water mark where there is one: `ru_maxrss` of a new process begins with its parent's.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
