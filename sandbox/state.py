"""The sandbox as a whole: what `make up`, `down`, `status` and `clean` do, and the `.env` they keep.

Here belongs the order of things, the databases and logins, and the file of settings. How one server is
started is in its own module. Everything the sandbox keeps is in `.sandbox/` (and, under root, in the Postgres
home named there).
"""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from commerce_assets.shoppulse.tokens import SETTING as TOKEN_KEY
from commerce_assets.shoppulse.tokens import as_setting, install_key, new_key, token_key
from resources.database import connect
from resources.settings import check_dagster_settings, database_settings, require
from sandbox.aws import REGION, aws_server, ensure_bucket
from sandbox.odoo_apn.sources import a_thread_for, build_sources, source_urls, world_of
from sandbox.postgres import PostgresServer
from sandbox.processes import LOCALHOST, HttpService, SandboxError, file_lock, last_lines, write_private
from sandbox.shoppulse import left_out, place_files, place_tenants

ROOT = Path(__file__).resolve().parent.parent
MARKER = '# written by "make up" for the sandbox'
WAREHOUSE, DAGSTER = "warehouse", "dagster"
OWNER = "warehouse_owner"
BUCKET = "vendor-uploads"
SOURCES_PORT = 15433
FULLBAY_PORT = 15080
FULLBAY_SEED = 20261120
INVOICES_PER_DAY = 30
HISTORY = dt.timedelta(days=60)
"""The shops of the sandbox have posted invoices since so long before it was made; earlier dates are empty."""
SHOPS = {"": "default", "_NORTH": "north", "_SOUTH": "south"}
"""Suffix of FULLBAY_API_KEY -> the name under which the source server knows the shop."""
LOGINS = {
    "FULLBAY": ("fullbay_etl", "fullbay_writer"),
    "ODOO_APN": ("odoo_apn_etl", "odoo_apn_writer"),
    "COMMERCE": ("commerce_etl", "commerce_writer"),
    "SHOPPULSE": ("shoppulse_api", "shoppulse_app"),
    "SHOPPULSE_MAINTENANCE": ("shoppulse_maintainer", "shoppulse_maintenance"),
    "ANALYST": ("analyst_login", "analyst"),
}
"""Prefix in `.env` -> login and the group role of the migrations whose rights it gets."""
SEARCH_PATH = "fullbay, commerce, shoppulse, public"

Say = Callable[[str], None]


@dataclass(frozen=True)
class Status:
    """One server as `make status` shows it."""

    name: str
    running: bool
    address: str
    pid: int | None


@dataclass
class Started:
    """The servers that one `up` started itself, filled as it goes: an interrupted `up` can be undone."""

    names: list[str] = field(default_factory=list)


class Sandbox:
    """The servers, databases and settings of one checkout."""

    def __init__(self, root: Path = ROOT, say: Say = print) -> None:
        self.root = root
        self.folder = root / ".sandbox"
        self.env_path = root / ".env"
        self.postgres = PostgresServer(self.folder / "postgres")
        # Odoo and APN are on a server of their own, as they are outside.
        self.sources = PostgresServer(
            self.folder / "sources", SOURCES_PORT, settings={"shared_buffers": "128MB"}
        )
        self.aws = aws_server(self.folder / "servers")
        self._written_path = self.folder / "env.json"
        self._keys_path = self.folder / "fullbay_keys.json"
        self._say = say

    # -- what the commands do --------------------------------------------------------------------------------

    def is_foreign(self) -> bool:
        """Whether there is a `.env` that is not ours to serve.

        One that the sandbox did not write; or one in which somebody has put another machine's address: the keys and
        passwords in it are then real, and the sandbox's own must not be sent there.
        """
        if not self.env_path.exists():
            return False
        values = _read_env(self.env_path)
        source = urlsplit(values.get("FULLBAY_API_BASE_URL", "")).hostname
        elsewhere = any(host not in (None, "", LOCALHOST) for host in (source, values.get("DB_HOST")))
        return elsewhere or not self.env_path.read_text().startswith(MARKER)

    def up(self, started: Started | None = None) -> None:
        """Have everything running, migrated and written to `.env`. Safe to repeat, and by several at once."""
        started = started if started is not None else Started()
        self.folder.mkdir(mode=0o700, exist_ok=True)
        with file_lock(self.folder / "lock"), a_thread_for(self.sources) as beside:
            if self.is_foreign():
                self._say(".env was not written by the sandbox: no server is started, and it stays as it is.")
                values = {**_read_env(self.env_path), **os.environ}
                require(
                    lambda: database_settings("MIGRATION", values), lambda: check_dagster_settings(values)
                )
                self._migrate(values)
                self._prepare_dagster_storage(values)
                return
            scale = os.environ.get("SCALE", "")
            world_of(scale)  # refused, if it is to be, before anything is started
            known = _read_env(self.env_path)
            api_keys = self._api_keys(known)
            first_day = known.get("FULLBAY_FIRST_DATE") or str(dt.datetime.now(dt.UTC).date() - HISTORY)
            fullbay = self._fullbay(api_keys, first_day)
            services = [self.aws, fullbay]
            (self.folder / "servers").mkdir(mode=0o700, exist_ok=True)
            for service in services:
                if not service.is_running():
                    started.names.append(service.name)
                service.launch()
            for name, server in (("postgres", self.postgres), ("sources", self.sources)):
                if not server.is_running():
                    started.names.append(name)
            if "postgres" in started.names:
                self._say("Starting PostgreSQL ...")
            # The sources start and fill beside the warehouse, which has its migrations to run meanwhile.
            sources_started = beside.submit(self.sources.start)
            self.postgres.start()
            for service in services:
                service.wait()
            sources_started.result()
            urls = source_urls(known, self.sources.port)
            values = self._settings(known, api_keys, fullbay.port) | {"FULLBAY_FIRST_DATE": first_day} | urls
            self._write_env(values)
            sources_built = beside.submit(build_sources, self.sources, urls, scale, self._say)
            self._prepare_databases(values)
            ensure_bucket(self.aws.port, BUCKET)
            self._migrate(values)
            self._grant_groups()
            self._install_token_key(values)
            self._place_tenants()
            self._prepare_dagster_storage(values)
            sources_built.result()
        self._say("The sandbox is up." if started.names else "The sandbox was up already.")

    def down(self, only: list[str] | None = None) -> None:
        """Stop the servers (or those named in `only`); data is kept, but for the AWS stand-in's."""
        if not self.folder.exists():
            self._say("There is no sandbox here.")
            return
        with file_lock(self.folder / "lock"):
            for service in (self._fullbay({}), self.aws):
                if (only is None or service.name in only) and service.stop():
                    self._say(f"{service.name} stopped.")
            for name, server in (("sources", self.sources), ("postgres", self.postgres)):
                if (only is None or name in only) and server.pid is not None:
                    server.stop()
                    self._say(f"{name} stopped.")

    def status(self) -> list[Status]:
        """Each server with its address and whether it really answers."""
        fullbay = self._fullbay({})
        return [
            *(
                Status(name, server.is_running(), f"{LOCALHOST}:{server.port}", server.pid)
                for name, server in (("postgres", self.postgres), ("sources", self.sources))
            ),
            *(
                Status(service.name, service.is_running(), f"http://{LOCALHOST}:{service.port}", service.pid)
                for service in (self.aws, fullbay)
            ),
        ]

    def clean(self) -> None:
        """Stop everything and delete all data of the sandbox; a `.env` that was changed by hand is kept."""
        self.down()
        if not self.folder.exists():
            return
        with file_lock(self.folder / "lock"):
            if self.env_path.exists() and not self.is_foreign():
                if _read_env(self.env_path) == self._written():
                    self.env_path.unlink()
                else:
                    self._say(
                        f"{self.env_path.name} is kept: it holds settings that the sandbox did not write."
                    )
            self.postgres.destroy()
            self.sources.destroy()
            shutil.rmtree(self.folder)
        self._say("The sandbox and its data are deleted.")

    def environment(self) -> dict[str, str]:
        """The environment of this process with `.env` over it, as Dagster's own commands see it."""
        return {**os.environ, **_read_env(self.env_path)}

    # -- servers ---------------------------------------------------------------------------------------------

    def _fullbay(self, keys: Mapping[str, str], first_day: str = "") -> HttpService:
        named = ",".join(f"{SHOPS[suffix]}={key}" for suffix, key in keys.items())
        return HttpService(
            "fullbay",
            self.folder / "servers",
            default_port=FULLBAY_PORT,
            health_path="/healthz",
            command=lambda port: [
                sys.executable, "-m", "sandbox.fullbay.server", "--host", LOCALHOST, "--port", str(port),
                "--seed", str(FULLBAY_SEED), "--invoices-per-day", str(INVOICES_PER_DAY),
                "--first-day", first_day, "--edits", str(self.folder / "servers" / "fullbay_edits.json"),
            ],
            cwd=self.root,
            secrets={"SANDBOX_FULLBAY_KEYS": named},
        )  # fmt: skip

    # -- settings --------------------------------------------------------------------------------------------

    def _api_keys(self, known: Mapping[str, str]) -> dict[str, str]:
        """The key of each shop at our source server, by the suffix of its setting: made once, and then kept here.

        Not read back from `.env`: a wrong key there must be refused, as by the real service. Only a sandbox that
        has none yet takes those of a `.env` that is there.
        """
        if self._keys_path.exists():
            return dict(json.loads(self._keys_path.read_text()))
        keys = {suffix: known.get(f"FULLBAY_API_KEY{suffix}") or secrets.token_hex(16) for suffix in SHOPS}
        write_private(self._keys_path, json.dumps(keys))
        return keys

    def _settings(
        self, known: Mapping[str, str], api_keys: Mapping[str, str], fullbay_port: int
    ) -> dict[str, str]:
        """Every line of the sandbox's `.env`; passwords that are known already stay what they are."""

        def password(name: str) -> str:
            return known.get(name) or secrets.token_urlsafe(24)

        values = {
            "ENVIRONMENT": "development",
            "LOG_LEVEL": "INFO",
            "DAGSTER_HOME": str(self.root),
            "DAGSTER_STATE_DIR": str(self.folder / "dagster"),
            "DAGSTER_DB_HOST": LOCALHOST,
            "DAGSTER_DB_PORT": str(self.postgres.port),
            "DAGSTER_DB_NAME": DAGSTER,
            "DAGSTER_DB_USER": DAGSTER,
            "DAGSTER_DB_PASSWORD": password("DAGSTER_DB_PASSWORD"),
            "DB_HOST": LOCALHOST,
            "DB_PORT": str(self.postgres.port),
            "DB_NAME": WAREHOUSE,
            "DB_USER": OWNER,
            "DB_PASSWORD": password("DB_PASSWORD"),
        }
        for prefix, (login, _group) in LOGINS.items():
            values[f"{prefix}_DB_USER"] = login
            values[f"{prefix}_DB_PASSWORD"] = password(f"{prefix}_DB_PASSWORD")
        # A name of its own: a database that outlived its `.env` knows the old one for another key.
        fresh_key = as_setting(new_key(f"sandbox-{secrets.token_hex(4)}"))
        values[TOKEN_KEY] = known.get(TOKEN_KEY) or fresh_key
        for suffix, key in api_keys.items():
            values[f"FULLBAY_API_KEY{suffix}"] = key
            values[f"FULLBAY_SHOP_NAME{suffix}"] = f"{SHOPS[suffix].replace('default', 'main').title()} shop"
        return values | {
            "FULLBAY_API_BASE_URL": f"http://{LOCALHOST}:{fullbay_port}/services/",
            "FULLBAY_API_VERSION": "v1",
            "FULLBAY_PUBLIC_IP": LOCALHOST,
            "AWS_ENDPOINT_URL": f"http://{LOCALHOST}:{self.aws.port}",
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "sandbox",
            "AWS_SECRET_ACCESS_KEY": "sandbox",
            "UPLOAD_BUCKET": BUCKET,
        }

    def _write_env(self, values: Mapping[str, str]) -> None:
        """Bring our `.env` up to date by line: lines of the user, and values that the user changed, stay."""
        written = self._written()
        lines = self.env_path.read_text().splitlines() if self.env_path.exists() else []
        if not lines:
            lines = [f"{MARKER}; delete this line and it is yours: it will not be touched again"]
        current = _read_env(self.env_path)
        for name, value in values.items():
            line = f"{name}={_quoted(value)}"
            if name not in current:
                lines.append(line)
            elif current[name] != value and current[name] == written.get(name, current[name]):
                lines = [line if re.match(rf"\s*(export\s+)?{name}\s*=", old) else old for old in lines]
        text = "\n".join(lines) + "\n"
        if not self.env_path.exists() or text != self.env_path.read_text():
            write_private(self.env_path, text)
        write_private(self._written_path, json.dumps(dict(values)))

    def _written(self) -> dict[str, str]:
        """What the sandbox wrote into `.env` last."""
        try:
            return dict(json.loads(self._written_path.read_text()))
        except (OSError, ValueError):
            return {}

    # -- databases -------------------------------------------------------------------------------------------

    def _prepare_databases(self, values: Mapping[str, str]) -> None:
        """Logins and databases. A password is set only when it does not work (a new `.env` or cluster)."""
        accounts = {values["DB_USER"]: values["DB_PASSWORD"], DAGSTER: values["DAGSTER_DB_PASSWORD"]}
        accounts |= {login: values[f"{prefix}_DB_PASSWORD"] for prefix, (login, _) in LOGINS.items()}
        for login, password in accounts.items():
            if not self.postgres.accepts(login, password):
                self.postgres.ensure_login(login, password, create_role=login == OWNER)
        if self.postgres.create_database(DAGSTER, owner=DAGSTER):
            # Run configuration and logs of every location are in there: no business of the other logins.
            self._as_superuser(DAGSTER, f"revoke all on database {DAGSTER} from public")
        self.postgres.create_database(WAREHOUSE, owner=OWNER)
        # pgvector is no trusted extension: the owner, who runs the migrations, may not create it.
        self._as_superuser(WAREHOUSE, "create extension if not exists vector")
        # For psql and BI tools: the printed queries name their tables without a schema.
        self._as_superuser(WAREHOUSE, f"alter database {WAREHOUSE} set search_path = {SEARCH_PATH}")

    def _as_superuser(self, database: str, statement: str) -> None:
        with self.postgres.session(database) as connection, connection.cursor() as cursor:
            cursor.execute(statement)

    def _migrate(self, values: Mapping[str, str]) -> None:
        from resources.migrations import migrate

        applied = migrate(database_settings("MIGRATION", values))
        if applied:
            self._say(f"Migrations applied: {len(applied)}.")

    def _grant_groups(self) -> None:
        """Give each login the rights of its group role; the roles are made by the migrations."""
        for login, group in LOGINS.values():
            self._as_superuser(WAREHOUSE, f"grant {group} to {login}")

    def _install_token_key(self, values: Mapping[str, str]) -> None:
        """Let the warehouse accept tokens of the key in `.env`."""
        with closing(
            connect(database_settings("MIGRATION", values), application_name="sandbox")
        ) as connection:
            install_key(connection, token_key(values))

    def _place_tenants(self) -> None:
        """ShopPulse's tenants in the warehouse, and what they deliver in the bucket."""
        with self.postgres.session(WAREHOUSE) as connection:
            placed = place_tenants(connection)
            without = left_out(connection)
        if place_files(self.aws.port, BUCKET, without) or placed:
            but = f" but {', '.join(sorted(without))}" if without else ""
            self._say(f"Ten tenants{but} have delivered their orders.")

    def _prepare_dagster_storage(self, values: Mapping[str, str]) -> None:
        """Make and upgrade Dagster's tables once, here, under the lock.

        Dagster makes them at the first use, and processes that do so at the same moment leave them broken.
        The version is kept as the comment of the database itself, so that it can neither survive the data nor
        be lost before it.
        """
        import psycopg2

        Path(values.get("DAGSTER_STATE_DIR") or self.folder / "dagster").mkdir(
            mode=0o700, parents=True, exist_ok=True
        )
        connection = psycopg2.connect(
            host=values["DAGSTER_DB_HOST"],
            port=values.get("DAGSTER_DB_PORT", "5432"),
            dbname=values["DAGSTER_DB_NAME"],
            user=values["DAGSTER_DB_USER"],
            password=values["DAGSTER_DB_PASSWORD"],
            connect_timeout=10,
        )
        connection.autocommit = True
        mark = f"storage of dagster {importlib.metadata.version('dagster')}"
        try:
            with connection.cursor() as cursor:
                cursor.execute(
                    "select shobj_description(oid, 'pg_database') from pg_database"
                    " where datname = current_database()"
                )
                if cursor.fetchone() == (mark,):
                    return
                self._say("Preparing Dagster's storage ...")
                self._dagster("instance", "migrate", values=values)
                cursor.execute("select quote_ident(current_database())")
                row = cursor.fetchone()
                cursor.execute(f"comment on database {row[0] if row else ''} is %s", (mark,))
        finally:
            connection.close()

    def _dagster(self, *arguments: str, values: Mapping[str, str]) -> None:
        log = self.folder / "servers" / "dagster-storage.log"
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with log.open("wb") as output:
            done = subprocess.run(
                [sys.executable, "-m", "dagster", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.root,
                env={**os.environ, **values},
                start_new_session=True,
            )
        if done.returncode:
            raise SandboxError(f"dagster {' '.join(arguments)} failed. The end of {log}:\n{last_lines(log)}")


def _read_env(path: Path) -> dict[str, str]:
    """Names and values of an env file, read as Dagster reads it; empty when there is none."""
    from dotenv import dotenv_values

    return (
        {name: value for name, value in dotenv_values(path).items() if value is not None}
        if path.exists()
        else {}
    )


def _quoted(value: str) -> str:
    """A value as python-dotenv reads it back unchanged, for instance a path with a space."""
    if re.fullmatch(r"[\w./:@%+=,-]*", value):
        return value
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
