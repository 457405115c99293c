"""`run30`: a 30-day run of all Fullbay assets on the small sandbox, beside the same graph with empty bodies.

Both run in one process through Dagster, with an ephemeral instance: what is measured is the cost of our bodies over
that of Dagster's own steps and events. The source is the sandbox's server, so the real run includes its HTTP.
"""

from __future__ import annotations

import secrets
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import date
from pathlib import Path

from benchmarks.bench import Bench, Outcome, reading
from benchmarks.measuring import Series
from benchmarks.report import Asked, Row
from benchmarks.worker import ROOT
from sandbox.processes import LOCALHOST, free_port, plain_environment

FIRST, LAST = date(2026, 10, 1), date(2026, 10, 30)
INVOICES_A_DAY = 30
SEED = 20261120
SHOPS = ("default", "north", "south")
START_SECONDS = 30.0


def run(bench: Bench) -> Outcome:
    with ExitStack() as stack:
        source = stack.enter_context(_source(bench.server.folder))
        bench.say(f"running all assets over {(LAST - FIRST).days + 1} days")
        # One for each repetition, and one to warm up: the first run of a range loads it.
        databases = [stack.enter_context(bench.server.warehouse()) for _ in range(bench.repetitions + 1)]
        measured = bench.worker(
            "benchmarks.graph:measure",
            databases[0],
            environment={**source.environment, "DAGSTER_DISABLE_TELEMETRY": "yes"},
            first=FIRST.isoformat(),
            last=LAST.isoformat(),
            databases=databases,
            source_pid=source.process.pid,
        )
    outcome = Outcome()
    empty = Series([reading(one) for one in measured["empty"]])
    for name, what in (("first", "first load"), ("again", "read again, unchanged")):
        outcome.rows.append(
            Row(
                "run30",
                f"30 days of all assets, {what}",
                "the same graph, empty bodies",
                Series([reading(one) for one in measured[name]]),
                empty,
                Asked("at most", 3.0),
                counts=name == "first",
            )
        )
    outcome.notes.append("run30: " + measured["facts"])
    return outcome


class _Source:
    """The running Fullbay stand-in and the settings that lead to it."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, keys: dict[str, str]) -> None:
        self.process = process
        self.environment = {
            "FULLBAY_API_BASE_URL": f"http://{LOCALHOST}:{port}/services/",
            "FULLBAY_API_VERSION": "v1",
            "FULLBAY_PUBLIC_IP": LOCALHOST,
        }
        for shop, key in keys.items():
            suffix = "" if shop == "default" else f"_{shop.upper()}"
            self.environment[f"FULLBAY_API_KEY{suffix}"] = key


@contextmanager
def _source(folder: Path) -> Iterator[_Source]:
    """The Fullbay stand-in on a free port, ended with the block."""
    keys = {shop: secrets.token_hex(16) for shop in SHOPS}
    port = free_port(None)
    log = folder / "fullbay.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "sandbox.fullbay.server", "--host", LOCALHOST, "--port", str(port),
             "--seed", str(SEED), "--invoices-per-day", str(INVOICES_A_DAY)],
            cwd=ROOT,
            env={
                **plain_environment(),
                "SANDBOX_FULLBAY_KEYS": ",".join(f"{shop}={key}" for shop, key in keys.items()),
            },
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(
                    f"the sandbox's Fullbay server did not start:\n{log.read_text(errors='replace')[-2000:]}"
                )
            time.sleep(0.05)
        yield _Source(process, port, keys)
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://{LOCALHOST}:{port}/healthz", timeout=2) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False
