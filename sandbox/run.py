"""`make run` and `make materialize`: set everything up, materialise all three locations, serve the UI.

Here belongs the order of the steps, the table of results and the ending of processes. Each location is
materialised by plain `dagster asset materialize` in a process of its own, exactly as a user would call it;
what it did is read from the Dagster instance afterwards, not from its output.

Ctrl-C and SIGTERM may come at any moment. Every process that this command started is in a session of its own,
which is signalled as a whole (SIGINT, after 4 s SIGTERM, after 7 s SIGKILL): `dagster dev` alone leaves
children for over 20 s. The sandbox's servers are stopped only when this command started them.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime as dt
import fcntl
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import psutil

from resources.failures import PipelineError
from sandbox.processes import (
    LOCALHOST,
    SandboxError,
    birth_mark,
    interrupts_deferred,
    last_lines,
    port_is_free,
)
from sandbox.state import Sandbox, Started

if TYPE_CHECKING:
    from dagster import DagsterInstance

LOCATIONS = ("fullbay_assets", "odoo_apn_assets", "commerce_assets")
SIGNAL_STEPS = ((0.0, signal.SIGINT), (4.0, signal.SIGTERM), (7.0, signal.SIGKILL))
UI_SECONDS = 600.0  # a machine that had its cores in use took 190
LOCATIONS_QUERY = """{ workspaceOrError { ... on Workspace { locationEntries {
    name loadStatus locationOrLoadError { __typename ... on PythonError { message } } } } } }"""


@dataclass
class Progress:
    """How far this command came: what to stop and what to return when it is interrupted."""

    started: Started = field(default_factory=Started)
    status: int = 1
    serving: bool = False
    finished: bool = False


@dataclass
class AssetResult:
    """What one materialisation of one asset did. `rows` is None when the asset reported no row count."""

    asset: str
    rows: int | None = None
    seconds: float | None = None
    passed: int = 0
    warned: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    materialised: bool = False
    step: str | None = None


@dataclass
class LocationResult:
    """One location's run: its assets in the planned order, and why it failed, if it did."""

    location: str
    seconds: float = 0.0
    assets: dict[str, AssetResult] = field(default_factory=dict)
    error: str | None = None

    @property
    def ok(self) -> bool:
        return self.error is None and all(a.materialised and not a.failed for a in self.assets.values())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it: 0 when all was materialised, 1 when not, 130 on Ctrl-C before that was known."""
    parser = argparse.ArgumentParser(
        prog="python -m sandbox.run", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--no-ui", action="store_true", help="end after the materialisation")
    parser.add_argument(
        "--days", type=int, help="finished days of Fullbay to load (default: all that the sandbox has)"
    )
    chosen = parser.parse_args(arguments)
    # SIGINT too: a shell that starts us in the background hands it over as ignored.
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, _interrupt)
    sandbox, progress = Sandbox(), Progress()
    try:
        return _run(sandbox, progress, ui=not chosen.no_ui, days=chosen.days)
    except KeyboardInterrupt:
        _ignore_interrupts()
        if not progress.started.names:
            print("The sandbox was up before: it stays up (`make down` stops it).", flush=True)
        return progress.status if progress.serving else 130
    except (SandboxError, PipelineError) as error:
        _ignore_interrupts()
        print(f"error: {error}", file=sys.stderr, flush=True)
        return 1
    finally:
        if not progress.finished:
            _ignore_interrupts()
            _stop_what_was_started(sandbox, progress.started)


def _run(sandbox: Sandbox, progress: Progress, *, ui: bool, days: int | None) -> int:
    """Set up, materialise, serve; what was reached stands in `progress` when this is interrupted."""
    with contextlib.ExitStack() as stack:
        # Both refusals come before minutes of work, not after.
        port = _ui_port() if ui else None
        if port is not None:
            stack.enter_context(_only_daemon(sandbox))
        sandbox.up(progress.started)
        os.environ.update(sandbox.environment())
        progress.status = 0 if _materialise_all(sandbox, days) else 1
        if port is not None:
            server = stack.enter_context(_serve(sandbox, port))
            progress.serving = True
            if progress.status:
                print("Some of it failed (see above); the UI shows the runs.", flush=True)
            print(f"\nThe UI is on http://{LOCALHOST}:{port}  (Ctrl-C ends it)", flush=True)
            server.wait()
            raise SandboxError(f"dagster dev ended by itself. Its log:\n{last_lines(_log(sandbox, 'ui'))}")
    progress.finished = True
    print("The sandbox stays up; `make down` stops it.")
    return progress.status


def _interrupt(_signum: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _ignore_interrupts() -> None:
    """From here on everything is being ended already: a second Ctrl-C must not cut that short."""
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)


def _stop_what_was_started(sandbox: Sandbox, started: Started) -> None:
    if started.names:
        print(f"Stopping what this command started: {', '.join(started.names)}. The data stays.", flush=True)
        sandbox.down(only=started.names)


def _ui_port() -> int:
    """The port of the UI, refused before anything is set up when it cannot be had."""
    text = os.environ.get("PORT") or "3000"
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 0 < int(text) < 65536:
        raise SandboxError(f"PORT={text!r} is no port.")
    if not port_is_free(int(text)):
        raise SandboxError(
            f"Port {text} of the UI is taken by another program: say PORT=3001 make run, or end it."
        )
    return int(text)


@contextlib.contextmanager
def _only_daemon(sandbox: Sandbox) -> Iterator[None]:
    """Refuse a second `make run` in this checkout: two daemons start one schedule's tick twice now and then."""
    sandbox.folder.mkdir(mode=0o700, exist_ok=True)
    with (sandbox.folder / "daemon.lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as taken:
            raise SandboxError(
                "`make run` runs in this checkout already: use its UI, or end it first."
            ) from taken
        yield


def _log(sandbox: Sandbox, name: str) -> Path:
    return sandbox.folder / "logs" / f"{name}.log"


# -- processes -----------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _process(arguments: Sequence[str], *, cwd: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A child in a session of its own; all of its descendants are gone when the block is left."""
    log.parent.mkdir(mode=0o700, exist_ok=True)
    child: subprocess.Popen[bytes] | None = None
    try:
        with interrupts_deferred(), log.open("wb") as output:
            child = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=cwd,
                start_new_session=True,
            )
        yield child
    finally:
        if child is not None:
            with interrupts_deferred():
                _end_session(child)


def _end_session(leader: subprocess.Popen[bytes]) -> None:
    """Signal the whole session in steps until none of it is left, also what lost its parent."""
    begin = time.monotonic()
    steps = list(SIGNAL_STEPS)
    members = _members(leader.pid)
    while members and time.monotonic() - begin < 9.5:
        if steps and time.monotonic() - begin >= steps[0][0]:
            _after, signum = steps.pop(0)
            for process in members:
                with contextlib.suppress(psutil.Error):
                    process.send_signal(signum)
        time.sleep(0.1)
        leader.poll()
        members = _members(leader.pid)


def _members(session: int) -> list[psutil.Process]:
    """Live processes of a session, and descendants of its leader that left it.

    The session id outlives parents, the process tree does not: a child of a killed child is still found.
    """
    found = []
    for process in psutil.process_iter(["status"]):
        with contextlib.suppress(OSError):
            if os.getsid(process.pid) == session and process.info["status"] != psutil.STATUS_ZOMBIE:
                found.append(process)
    with contextlib.suppress(psutil.Error):
        found += [child for child in psutil.Process(session).children(recursive=True) if child not in found]
    return found


# -- materialising -------------------------------------------------------------------------------------------


def _first_date(sandbox: Sandbox, yesterday: dt.date) -> dt.date:
    """The first partition, so that the asset graph is complete; a month of a source that is not ours."""
    given = sandbox.environment().get("FULLBAY_FIRST_DATE", "")
    if sandbox.is_foreign() or not given:
        return yesterday - dt.timedelta(days=29)
    return dt.date.fromisoformat(given)


def _materialise_all(sandbox: Sandbox, days: int | None) -> bool:
    """Materialise the locations one after the other; whether all of it went well."""
    from dagster import DagsterInstance

    yesterday = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1)
    first = _first_date(sandbox, yesterday) if days is None else yesterday - dt.timedelta(days=days - 1)
    results = []
    with DagsterInstance.get() as instance:
        if not sandbox.is_foreign():
            _fail_orphaned_runs(instance)
        for location in LOCATIONS:
            extra = ["--partition-range", f"{first}...{yesterday}"] if location == "fullbay_assets" else []
            results.append(_materialise(sandbox, instance, location, extra))
    _print_table(results)
    return all(result.ok for result in results)


def _materialise(
    sandbox: Sandbox, instance: DagsterInstance, location: str, extra: Sequence[str]
) -> LocationResult:
    """One location, one run, one process; a line for each asset as soon as it is done."""
    print(f"\n{' '.join([location, *extra])}", flush=True)
    log = _log(sandbox, location)
    command = [
        sys.executable, "-m", "dagster", "asset", "materialize",
        "-m", f"{location}.definitions", "--select", "*", *extra,
    ]  # fmt: skip
    result = LocationResult(location)
    # A minute of grace: the database's clock stamps the run, ours is compared with it.
    since = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=1)
    begin = time.monotonic()
    cursor: str | None = None
    run_id: str | None = None
    with _process(command, cwd=sandbox.root, log=log) as child:
        running = True
        while running:
            running = child.poll() is None
            run_id = run_id or _run_id(instance, child.pid, since)
            if run_id is not None:
                cursor = _read_events(instance, run_id, cursor, result)
            if running:
                time.sleep(0.3)
    result.seconds = time.monotonic() - begin
    if child.returncode:
        reason = result.error or f"status {child.returncode}:\n{last_lines(log)}"
        result.error = f"{location} failed: {reason}\n  The whole log: {log}"
    return result


def _run_id(instance: DagsterInstance, pid: int, since: dt.datetime) -> str | None:
    """The run that the process `pid` executes.

    The command prints no id at the log level of dagster.yaml, and another terminal may start runs at the same time.
    """
    from dagster import RunsFilter

    for run in instance.get_runs(RunsFilter(created_after=since), limit=20):
        if pid in _noted_pids(instance, run.run_id):
            return str(run.run_id)
    return None


def _noted_pids(instance: DagsterInstance, run_id: str) -> set[int]:
    """The processes that executed a run: Dagster's executors note their own pid in an event."""
    from dagster import DagsterEventType

    pids = set()
    for record in instance.get_records_for_run(run_id, of_type=DagsterEventType.ENGINE_EVENT).records:
        event = record.event_log_entry.dagster_event
        noted = event.engine_event_data.metadata.get("pid") if event is not None else None
        if noted is not None and str(noted.value).isdecimal():
            pids.add(int(str(noted.value)))
    return pids


def _fail_orphaned_runs(instance: DagsterInstance) -> None:
    """Mark runs as failed whose process is gone, as after kill -9 or a power cut.

    They would stay "started" and keep their place in the limits of dagster.yaml until the maximum run time. In the
    sandbox all runs are processes of this machine; a recycled pid only means that one waits for that time.
    """
    from dagster import DagsterRunStatus, RunsFilter

    for run in instance.get_runs(RunsFilter(statuses=[DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING])):
        pids = _noted_pids(instance, run.run_id)
        if pids and not any(birth_mark(pid) for pid in pids):
            instance.report_run_failed(
                run, "The process of this run is gone (found when `make run` started)."
            )
            print(f"Run {run.run_id[:8]} had lost its process: marked as failed.", flush=True)


def _read_events(
    instance: DagsterInstance, run_id: str, cursor: str | None, result: LocationResult
) -> str | None:
    """Add the events after `cursor` to the result, print the assets that they finish, return the cursor."""
    more = True
    while more:
        page = instance.get_records_for_run(run_id, cursor=cursor, limit=500)
        for record in page.records:
            event = record.event_log_entry.dagster_event
            if event is not None:
                _take(event, result)
        cursor, more = page.cursor, page.has_more
    return cursor


def _take(event: Any, result: LocationResult) -> None:
    """What one event says about an asset: its rows, its time, its checks, its failure."""
    kind = event.event_type_value
    if kind == "ASSET_MATERIALIZATION_PLANNED":
        _asset(result, event.event_specific_data.asset_key.to_user_string())
    elif kind == "ASSET_MATERIALIZATION":
        materialization = event.step_materialization_data.materialization
        asset = _asset(result, materialization.asset_key.to_user_string())
        rows = materialization.metadata.get("dagster/row_count")
        # A run over a range says the same once for each partition: the rows of the run, not to be added.
        asset.rows = int(rows.value) if rows is not None else asset.rows
        if not asset.materialised:
            asset.materialised, asset.step = True, event.step_key
            counted = "" if asset.rows is None else f"{asset.rows:>12,} rows"
            print(f"  done  {asset.asset:<44} {counted}", flush=True)
    elif kind == "STEP_SUCCESS":
        for asset in result.assets.values():
            if asset.step == event.step_key:
                asset.seconds = event.step_success_data.duration_ms / 1000
    elif kind == "ASSET_CHECK_EVALUATION":
        check = event.event_specific_data
        asset = _asset(result, check.asset_key.to_user_string())
        if check.passed:
            asset.passed += 1
        elif check.severity.value == "WARN":
            asset.warned.append(check.check_name)
        else:
            asset.failed.append(check.check_name)
    elif kind == "STEP_FAILURE":
        error = event.step_failure_data.error
        cause = error.cause if error is not None and error.cause is not None else error
        result.error = f"{event.step_key}: {cause.message.strip() if cause is not None else event.message}"


def _asset(result: LocationResult, name: str) -> AssetResult:
    return result.assets.setdefault(name, AssetResult(name))


def _print_table(results: Sequence[LocationResult]) -> None:
    """Asset, rows, seconds, checks; then what failed."""
    print(f"\n{'asset':<52} {'rows':>14} {'seconds':>8}  checks")
    for result in results:
        for asset in result.assets.values():
            name = f"{result.location.removesuffix('_assets')}: {asset.asset}"
            rows = "-" if asset.rows is None else f"{asset.rows:,}"
            seconds = "-" if asset.seconds is None else f"{asset.seconds:.1f}"
            print(f"{name:<52} {rows:>14} {seconds:>8}  {_checks(asset)}")
        mark = "ok" if result.ok else "FAILED"
        print(f"{result.location + ' in all':<52} {'':>14} {result.seconds:>8.1f}  {mark}")
    for result in results:
        if result.error:
            print(f"\n{result.error}", file=sys.stderr)
    sys.stdout.flush()


def _checks(asset: AssetResult) -> str:
    if not asset.materialised:
        return "NOT MATERIALISED"
    total = asset.passed + len(asset.warned) + len(asset.failed)
    parts = [f"{asset.passed}/{total} passed"] if total else ["none"]
    parts += [f"warned: {', '.join(asset.warned)}"] if asset.warned else []
    parts += [f"FAILED: {', '.join(asset.failed)}"] if asset.failed else []
    return "; ".join(parts)


# -- serving -------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _serve(sandbox: Sandbox, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """`dagster dev`, given to the block when its GraphQL answers with all locations loaded."""
    print("\nStarting the UI ...", flush=True)
    log = _log(sandbox, "ui")
    command = [
        sys.executable, "-m", "dagster", "dev", "-w", "workspace.yaml", "-h", LOCALHOST, "-p", str(port),
    ]  # fmt: skip
    with _process(command, cwd=sandbox.root, log=log) as server:
        deadline = time.monotonic() + UI_SECONDS
        while (missing := _missing_locations(port)) is None or missing:
            if server.poll() is not None:
                raise SandboxError(f"dagster dev ended at once. The end of {log}:\n{last_lines(log)}")
            if time.monotonic() > deadline:
                what = "It did not answer" if missing is None else f"It did not load {', '.join(missing)}"
                raise SandboxError(f"{what} for {UI_SECONDS:.0f} s. The end of {log}:\n{last_lines(log)}")
            time.sleep(0.5)
        yield server


def _missing_locations(port: int) -> list[str] | None:
    """The locations not loaded yet; None while the UI does not answer. Raises when one cannot load."""
    connection = http.client.HTTPConnection(LOCALHOST, port, timeout=10)
    try:
        body = json.dumps({"query": LOCATIONS_QUERY})
        connection.request("POST", "/graphql", body, {"Content-Type": "application/json"})
        answer = json.loads(connection.getresponse().read())
        entries = answer["data"]["workspaceOrError"]["locationEntries"]
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return None
    finally:
        connection.close()
    loaded = set()
    for entry in entries:
        found = entry["locationOrLoadError"] or {}
        if found.get("__typename") == "PythonError":
            raise SandboxError(f"{entry['name']} cannot be loaded: {found['message'].strip()}")
        if entry["loadStatus"] == "LOADED" and found.get("__typename") == "RepositoryLocation":
            loaded.add(entry["name"])
    return [name for name in LOCATIONS if name not in loaded]


if __name__ == "__main__":
    raise SystemExit(main())
