"""Detached server processes: start one, know it again later, stop exactly that one.

Here belongs what Postgres, moto and the source systems share: file locks, free ports, process identity,
signals. What a server needs to be configured or probed is in the module of that server.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import http
import http.client
import json
import os
import random
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import FrameType

import psutil

LOCALHOST = "127.0.0.1"
MAX_LOG_BYTES = 20_000_000

_children: list[subprocess.Popen[bytes]] = []
"""Servers that this process started: kept so that one that died can be reaped (a zombie is no server)."""


class SandboxError(Exception):
    """The sandbox cannot do what was asked; the text says what was found and what to do."""


@dataclass(frozen=True)
class SystemUser:
    """The account that a server runs under when we are root and it must not be."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True)
class ProcessRecord:
    """A process and the proof that a pid still means the same process: its birth mark."""

    pid: int
    birth: str
    port: int
    command_hash: str = ""

    def write(self, path: Path) -> None:
        write_private(path, json.dumps(asdict(self)))

    @classmethod
    def read(cls, path: Path) -> ProcessRecord | None:
        """The record at `path`; None when there is none, or half of one (a kill while it was written)."""
        try:
            raw = json.loads(path.read_text())
            return cls(int(raw["pid"]), str(raw["birth"]), int(raw["port"]), str(raw.get("command_hash", "")))
        except (OSError, ValueError, KeyError, TypeError):
            return None


def write_private(path: Path, text: str) -> None:
    """Replace the file in one step, readable by its owner alone from its first byte on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    partial.replace(path)


@contextlib.contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Hold an exclusive lock; waits for it. The kernel drops it when the holder dies, however it dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def port_is_free(port: int) -> bool:
    """Whether a server could listen on 127.0.0.1:`port` now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Without this a port counts as taken for a minute after its server stopped (TIME_WAIT) and would
        # wander.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOCALHOST, port))
        except OSError:
            return False
        return True


def free_port(preferred: int | None) -> int:
    """`preferred` when it is free, else a free one below the range that outgoing connections use."""
    if preferred is not None and port_is_free(preferred):
        return preferred
    for _ in range(200):
        port = random.randint(20_000, 32_000)
        if port_is_free(port):
            return port
    raise SandboxError("No free port between 20000 and 32000 on 127.0.0.1 after 200 tries.")


def birth_mark(pid: int) -> str | None:
    """What tells this process from a later one with the same pid; None when it is gone or a zombie.

    On Linux the kernel's own start tick and boot id: psutil's create_time moves when the wall clock is
    stepped.
    """
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        stat = Path(f"/proc/{pid}/stat")
        if stat.exists():
            boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
            return f"{boot}:{stat.read_text().rpartition(')')[2].split()[19]}"
        return f"{process.create_time():.2f}"
    except (psutil.Error, OSError, IndexError):
        return None


def is_same_process(record: ProcessRecord) -> bool:
    """Whether the recorded process still lives: same pid and same birth mark."""
    for child in _children:
        child.poll()
    return birth_mark(record.pid) == record.birth


@contextlib.contextmanager
def interrupts_deferred() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM wait until the block is done: a started process is never left unrecorded.

    Not by a signal mask, which the child would inherit and then could not be stopped.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived: list[int] = []

    def remember(signum: int, _frame: FrameType | None) -> None:
        arrived.append(signum)

    names = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {name: signal.signal(name, remember) for name in names}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
        for signum in arrived[:1]:
            signal.raise_signal(signum)


def spawn_detached(
    command: Sequence[str],
    *,
    port: int,
    log: Path,
    cwd: Path,
    env: Mapping[str, str],
    user: SystemUser | None = None,
) -> tuple[subprocess.Popen[bytes], ProcessRecord]:
    """Start a server in a session of its own, without our pipes and terminal; its output goes to `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    mode = "wb" if log.exists() and log.stat().st_size > MAX_LOG_BYTES else "ab"
    with log.open(mode) as output:
        log.chmod(0o600)
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=dict(env),
            start_new_session=True,
            user=user.uid if user else None,
            group=user.gid if user else None,
            extra_groups=[] if user else None,
        )
    _children.append(child)
    return child, ProcessRecord(pid=child.pid, birth=birth_mark(child.pid) or "gone", port=port)


def terminate(record: ProcessRecord, *, grace_seconds: float = 5.0) -> bool:
    """SIGTERM, then SIGKILL after the grace, to the recorded process and the session it leads.

    Returns False when that process is gone already; a later process with the same pid is left alone.
    """
    if not is_same_process(record):
        return False
    group = record.pid if os.getpgid(record.pid) == record.pid else None
    for signum, seconds in ((signal.SIGTERM, grace_seconds), (signal.SIGKILL, 5.0)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signum) if group else os.kill(record.pid, signum)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not is_same_process(record):
                return True
            time.sleep(0.05)
    raise SandboxError(f"Process {record.pid} does not end, not even on SIGKILL.")


def last_lines(log: Path, count: int = 15) -> str:
    """The end of a log, for an error text."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 8_000))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-count:])
    except OSError:
        return "(no log)"


class HttpService:
    """A server with a health page: started detached, probed before it is trusted, stopped by its own pid.

    `command` gives the command line for a port; `secrets` go into the environment, because everybody on the
    machine may read command lines. When either changes (a new key), a running server is replaced. Started in two
    steps, so that several slow starters overlap: `launch()`, then `wait()`.
    """

    def __init__(
        self,
        name: str,
        folder: Path,
        *,
        default_port: int,
        health_path: str,
        command: Callable[[int], Sequence[str]],
        cwd: Path,
        secrets: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._record_path = folder / f"{name}.json"
        self._default_port = default_port
        self._health_path = health_path
        self._command = command
        self._cwd = cwd
        self._secrets = dict(secrets or {})
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def record(self) -> ProcessRecord | None:
        return ProcessRecord.read(self._record_path)

    @property
    def port(self) -> int:
        """The port of the last start, else the one that will be tried first."""
        record = self.record
        return record.port if record else self._default_port

    @property
    def pid(self) -> int | None:
        """The live server's pid; None when there is none."""
        record = self.record
        return record.pid if record and is_same_process(record) else None

    def is_running(self) -> bool:
        """Whether the process that we started lives and its health page answers 200."""
        return self.pid is not None and self._answers(self.port)

    def launch(self) -> bool:
        """Start the process unless a healthy one runs; True when one was started. Callers hold a lock."""
        record = self.record
        if record and is_same_process(record):
            if record.command_hash == self._command_hash() and self._answers(record.port):
                return False
            terminate(record)
        self._spawn(free_port(self.port))
        return True

    def wait(self, seconds: float = 60.0) -> None:
        """Return when the launched server answers; on another port when its own was taken away."""
        deadline = time.monotonic() + seconds
        attempts = 1
        while not (self.pid is not None and self._answers(self.port)):
            child = self._child
            if child is not None and child.poll() is not None:
                if port_is_free(self.port) or attempts == 5:
                    raise SandboxError(
                        f"{self.name} ended at once with status {child.returncode}. The end of {self.log}:\n"
                        f"{last_lines(self.log)}"
                    )
                attempts += 1
                self._spawn(free_port(None))
            if time.monotonic() > deadline:
                raise SandboxError(
                    f"{self.name} did not answer on port {self.port} for {seconds:.0f} s. "
                    f"The end of {self.log}:\n{last_lines(self.log)}"
                )
            time.sleep(0.05)

    def stop(self) -> bool:
        """End the server; False when none was running."""
        record = self.record
        return record is not None and terminate(record)

    def _spawn(self, port: int) -> None:
        with interrupts_deferred():
            self._child, record = spawn_detached(
                self._command(port),
                port=port,
                log=self.log,
                cwd=self._cwd,
                env=plain_environment() | self._secrets,
            )
            replace(record, command_hash=self._command_hash()).write(self._record_path)

    def _command_hash(self) -> str:
        parts = [*self._command(0), *self._secrets.values()]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def _answers(self, port: int) -> bool:
        connection = http.client.HTTPConnection(LOCALHOST, port, timeout=2)
        try:
            connection.request("GET", self._health_path)
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def plain_environment() -> dict[str, str]:
    """What a sandbox server sees of our environment: no settings, no secrets, no addresses."""
    kept = {
        name: os.environ[name]
        for name in ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "LANG")
        if name in os.environ
    }
    return {**kept, "TZ": "UTC", "PYTHONUNBUFFERED": "1"}
