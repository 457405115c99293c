"""The canary test of the Odoo and APN location: a failure forced at every stage, and no trace of a secret anywhere.

As in test_secrets: distinctive passwords that repeat one word, runs through Dagster with the location's definitions and
an instance on disk; then every column of RAW, CORE and OPS, every file below DAGSTER_HOME, what was printed and logged
at DEBUG, the texts of the exceptions, and the logs of both Postgres servers are searched. What `res_users` keeps secret
at the source holds a word of its own.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import traceback
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import dagster as dg
import pytest

from odoo_apn_assets import automation
from odoo_apn_assets.definitions import defs
from resources import failures, redaction
from resources.notification import notify
from resources.postgres import PostgresResource
from resources.settings import DatabaseSettings, forget_secrets
from sandbox.odoo_apn.odoo import CANARY
from sandbox.postgres import PostgresServer
from tests.conftest import ROOT
from tests.integration.test_secrets import DAGSTER_YAML, WORD, Echo, echoing, hits, in_base64
from tests.odoo_apn_pipeline import query
from tests.odoo_apn_source import SourceServer

LOGIN, READER = "odoo_apn_with_a_password", "reader_with_a_password"
DB_PASSWORD = f"{WORD} d'\\{WORD}@b/{WORD}"
SOURCE_PASSWORD = f"{WORD}@s:{WORD}/#?{WORD}% +{WORD}"
WRONG = f"{WORD}-old-{WORD}"
NEEDLES = sorted(
    {word.encode() for secret in (WORD, CANARY) for word in (secret, *in_base64(secret))}
    | {WORD[1:].encode()}
)


@dataclass
class Place:
    """The environment of a run, and everything that is written."""

    home: Path
    owner: DatabaseSettings
    source: DatabaseSettings
    logs: list[Path]
    log_starts: list[int]
    patch: pytest.MonkeyPatch
    output: Callable[[], bytes]
    instance: dg.DagsterInstance
    told: list[str] = field(default_factory=list)

    def url(
        self, password: str = SOURCE_PASSWORD, *, port: object = None, rest: str = "?sslmode=disable"
    ) -> str:
        at = f"{self.source.host}:{port or self.source.port}/{self.source.name}"
        return f"postgresql://{READER}:{quote(password, safe='')}@{at}{rest}"

    def set(self, **env: str) -> None:
        forget_secrets()
        for name, value in env.items():
            self.patch.setenv(name, value)

    def run(self, *assets: str) -> dg.ExecuteInProcessResult:
        """One run of the job of Odoo; its error is kept."""
        selection = [dg.AssetKey(asset.split("/")) for asset in assets] or None
        job = defs().resolve_job_def("odoo_incremental")
        done = job.execute_in_process(instance=self.instance, asset_selection=selection, raise_on_error=False)
        for event in done.all_events:
            if event.is_step_failure:
                self.told.append(str(event.event_specific_data))
        return done

    def failing_run(self, *assets: str) -> str:
        done = self.run(*assets)
        assert not done.success
        return self.told[-1]

    def keep(self, error: BaseException) -> str:
        self.told.append("".join(traceback.format_exception(error)) + repr(error) + repr(vars(error)))
        return self.told[-1]

    def shows_nothing(self) -> None:
        places = {"told": "\n".join(self.told).encode(), "output": self.output()}
        for path, start in zip(self.logs, self.log_starts, strict=True):
            places[str(path)] = path.read_bytes()[start:]
        for path in self.home.rglob("*"):
            if path.is_file():
                places[str(path)] = path.read_bytes()
        import sqlite3

        with closing(sqlite3.connect(self.home / "history" / "runs.db")) as runs:
            bodies = [body for (body,) in runs.execute("select snapshot_body from snapshots")]
        places["snapshots"] = b"".join(map(zlib.decompress, bodies))
        tables = query(
            self.owner,
            "select table_schema, table_name from information_schema.tables where table_type = 'BASE TABLE'"
            " and table_schema in ('raw', 'core', 'ops', 'search')",
        )
        assert len(tables) > 35
        for schema, table in tables:
            rows = query(self.owner, f'select to_jsonb(t)::text from {schema}."{table}" t')
            places[f"{schema}.{table}"] = "\n".join(row for (row,) in rows).encode()
        assert len(places["output"]) + len(places["told"]) > 100
        assert hits(places, NEEDLES) == []


@pytest.fixture(scope="module")
def logins(postgres: PostgresServer, warehouse_template: str, source_server: SourceServer) -> None:
    postgres.ensure_login(LOGIN, DB_PASSWORD)
    with postgres.session() as connection, connection.cursor() as cursor:
        cursor.execute(f"grant odoo_apn_writer to {LOGIN}")
    source_server.server.ensure_login(READER, SOURCE_PASSWORD)
    with source_server.server.session() as connection, connection.cursor() as cursor:
        cursor.execute(f"grant odoo_reader to {READER}")


@pytest.fixture
def place(
    logins: None,
    warehouse: DatabaseSettings,
    odoo_admin: DatabaseSettings,
    postgres: PostgresServer,
    source_server: SourceServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> Iterator[Place]:
    """Nothing is registered as a secret yet, waits take no time, and all loggers are at DEBUG."""
    monkeypatch.setattr(redaction, "_known", set())
    monkeypatch.setattr(redaction, "_pattern", None)
    defaults = {**(failures.retrying.__kwdefaults__ or {}), "sleep": lambda seconds: None}
    monkeypatch.setattr(failures.retrying, "__kwdefaults__", defaults)
    forget_secrets()
    caplog.set_level(logging.DEBUG)

    def output() -> bytes:
        printed = capfd.readouterr()
        return (printed.out + printed.err + caplog.text).encode()

    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text(DAGSTER_YAML.replace("fullbay_assets", "odoo_apn_assets"))
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    logs = [postgres.log, source_server.server.log]
    with dg.DagsterInstance.get() as instance:
        place = Place(
            home,
            warehouse,
            odoo_admin,
            logs,
            [log.stat().st_size for log in logs],
            monkeypatch,
            output,
            instance,
        )
        place.set(
            ODOO_APN_DB_HOST=warehouse.host,
            ODOO_APN_DB_PORT=str(warehouse.port),
            ODOO_APN_DB_NAME=warehouse.name,
            ODOO_APN_DB_USER=LOGIN,
            ODOO_APN_DB_PASSWORD=DB_PASSWORD,
            ODOO_APN_DB_SSLMODE="disable",
            ODOO_DATABASE_URL=place.url(),
            APN_DATABASE_URL=place.url(),
        )
        yield place
    forget_secrets()


def test_a_run_that_succeeds_shows_nothing_and_takes_no_secret_of_the_users(place: Place) -> None:
    ((kept,),) = query(
        place.source, "select count(*) from res_users where password like %s", (f"%{CANARY}%",)
    )
    assert kept > 0, "the source has secrets to lose"
    assert place.run().success
    assert query(place.owner, "select count(*) > 0 from raw.lookup_res_users") == [(True,)]
    query(
        place.source, "update res_users set write_date = now() at time zone 'utc', password = password || 'x'"
    )
    assert place.run().success
    place.shows_nothing()


def test_secrets_of_the_users_stay_away_although_the_login_may_read_them(place: Place) -> None:
    """Rights on the whole table, another type, values that are refused: only the fixed columns are ever asked for."""
    query(place.source, f"grant select on res_users to {READER}")
    query(place.source, "alter table res_users alter column partner_id type text using 'not ' || partner_id")
    assert place.run("raw/lookup_res_users").success
    assert query(place.owner, "select count(*) > 0 from ops.quarantine") == [(True,)]
    place.shows_nothing()


@pytest.mark.parametrize(
    "wrong",
    [
        "password",
        "database",
        "port that is none",
        "mode of TLS",
        "parameter",
        "TLS that is not there",
        "no password",
    ],
)
def test_a_source_that_refuses_shows_nothing(place: Place, wrong: str) -> None:
    urls = {
        "password": place.url(WRONG),
        "database": place.url().replace("/odoo_", "/none_"),
        "port that is none": place.url(port=f"x{WORD}"),
        "mode of TLS": place.url(rest=f"?sslmode={WORD}"),
        "parameter": place.url(rest=f"?password={WORD}"),
        "TLS that is not there": place.url(rest="?sslmode=require"),
        "no password": f"postgresql://{WORD}@/odoo",
    }
    place.set(ODOO_DATABASE_URL=urls[wrong])
    assert "ODOO_DATABASE_URL" in place.failing_run("raw/odoo_crm_team")
    place.shows_nothing()


def test_a_warehouse_that_refuses_shows_nothing(place: Place) -> None:
    place.set(ODOO_APN_DB_PASSWORD=WRONG)
    assert "password authentication failed" in place.failing_run("raw/odoo_crm_team")
    with (
        pytest.raises(failures.PermanentError) as refused,
        dg.build_sensor_context(resources={"warehouse": PostgresResource(location="ODOO_APN")}) as context,
    ):
        list(automation.pending_syncs(context))  # type: ignore[arg-type, call-overload]
    place.keep(refused.value)
    place.shows_nothing()


def test_a_source_that_is_away_is_told_to_a_webhook_that_quotes_what_it_got(place: Place) -> None:
    """Its path is its password; it refuses the message and shows the path in its answer."""

    def refuse(echo: Echo) -> None:
        echo.reply(f"no such hook {echo.path}", status=404)

    with echoing(refuse) as server:
        place.set(
            ODOO_DATABASE_URL=place.url(port=1),
            ALERT_WEBHOOK_URL=f"http://127.0.0.1:{server.port}/services/{WORD}/{WORD}",
            ALERT_SNS_TOPIC_ARN="arn:aws:sns:us-east-1:123456789012:operations",
            AWS_ENDPOINT_URL=f"http://127.0.0.1:{server.port}",
            AWS_ACCESS_KEY_ID=f"AKIA{WORD}",
            AWS_SECRET_ACCESS_KEY=f"{WORD}/{WORD}",
        )
        for _ in range(3):
            assert "Connection refused" in place.failing_run("raw/odoo_crm_team")
        assert WORD.encode() in server.shown, "the webhook was asked"
    assert query(place.owner, "select status, attempts, notified_at is not null from ops.sync_jobs") == [
        ("pending_retry", 3, True)
    ]
    place.set(ALERT_WEBHOOK_URL=f"ftp://{WORD}:{WORD}@{WORD}/{WORD}", ALERT_SNS_TOPIC_ARN="")
    notify("Away", "Text")
    place.shows_nothing()


def test_tables_that_fail_show_nothing(place: Place) -> None:
    assert place.run().success
    query(place.source, "alter table crm_stage rename to crm_stage_old")
    query(place.source, "revoke select on crm_team from odoo_reader")
    query(place.source, "alter table res_country_state rename column id to old_id")
    query(place.source, "truncate res_partner cascade")
    text = place.failing_run()
    assert "4 failed" in text
    place.shows_nothing()


def test_a_transformation_that_fails_shows_nothing(place: Place) -> None:
    query(place.owner, "alter table core.odoo_opportunities add check (name is null)")
    assert not place.run().success
    assert "core.odoo_opportunities" in "\n".join(place.told)
    place.shows_nothing()


@pytest.mark.parametrize("name", ["ODOO_DATABASE_URL", "ODOO_APN_DB_PASSWORD"])
def test_a_command_that_fails_shows_nothing(place: Place, name: str) -> None:
    place.set(**{name: place.url(WRONG) if name.endswith("URL") else WRONG})
    done = subprocess.run(
        [
            *(sys.executable, "-m", "dagster", "asset", "materialize", "-m", "odoo_apn_assets.definitions"),
            *("--select", 'key:"raw/odoo_crm_team"'),
        ],
        cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode != 0
    assert "password authentication failed" in done.stderr
    place.told += [done.stdout, done.stderr]
    place.shows_nothing()
