"""The canary test: distinctive secrets, a failure forced at every stage, and then no trace of a secret anywhere.

Each kind of failure runs through Dagster with the location's own definitions and an instance on disk, most of them in
this process, three as `dagster asset materialize`; further variants of one kind run the step without Dagster, which
takes a tenth of the time. Afterwards every place that anything is written to is searched:
all columns of the schemas fullbay and ops, every file below DAGSTER_HOME (event log, run storage, compute logs), what
the process printed and logged at DEBUG, the texts of the exceptions, and the log of the Postgres server.

Every secret repeats one word every few characters, so a fragment of sixteen characters is found as well as the
whole, and so are its URL, HTML, JSON and base64 forms. A token, which is a hash, is searched for in fragments.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import logging
import os
import shutil
import sqlite3
import subprocess
import sys
import traceback
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar
from urllib.parse import parse_qs, quote, unquote, urlsplit

import dagster as dg
import pytest

from fullbay_assets import definitions
from fullbay_assets.client import FullbayClient
from fullbay_assets.execution import running_step
from fullbay_assets.ingestion import build_lines, ingest
from fullbay_assets.replay import main as replay_command
from fullbay_assets.resources import FullbayResource
from resources import redaction, sql
from resources.failures import retrying
from resources.migrations import main as migrate_command
from resources.postgres import PostgresResource
from resources.settings import DatabaseSettings, database_settings, forget_secrets, fullbay_settings
from sandbox.fullbay.invoices import InvoiceGenerator
from sandbox.fullbay.server import FullbayServer
from sandbox.postgres import PostgresServer
from tests.conftest import ROOT, settings_of

DAY = date(2026, 10, 5)
ADDRESS = "127.0.0.1"
# Put together here, so that a traceback that quotes this file is no hit.
WORD = "".join(("cAn", "ArY"))
LOGIN = "etl_with_a_distinctive_password"

API_KEYS = {
    # The shop that is asked first has the key that everybody quotes in another way.
    "NORTH": f"{WORD}/one+{WORD}=two\"{WORD}'&<{WORD}>",
    "SOUTH": f"{WORD}-south-{WORD}",
}
DB_PASSWORD = f"{WORD} p'\\{WORD}@w0rd/{WORD}"
OLD_DB_PASSWORD = f"{WORD}-old-{WORD}%2F{WORD}"
AWS = {
    "AWS_ACCESS_KEY_ID": f"AKIA{WORD}ID{WORD}",
    "AWS_SECRET_ACCESS_KEY": f"{WORD}/aws+{WORD}/secret",
    "AWS_SESSION_TOKEN": f"{WORD}//ses+{WORD}==",
}
STORED_SECRET = f"{WORD}-kept-{WORD}"
IN_A_URL = f"{WORD}-url-{WORD}"

DAGSTER_YAML = """
python_logs:
  managed_python_loggers: [resources, fullbay_assets, urllib3, requests, botocore, boto3]
  python_log_level: DEBUG
telemetry:
  enabled: false
"""


def tokens() -> set[str]:
    """The tokens of yesterday, today and tomorrow (UTC): a run over midnight makes two."""
    days = [datetime.now(UTC).date() + timedelta(days=n) for n in (-1, 0, 1)]
    return {
        hashlib.sha1(f"{key}{day}{ADDRESS}".encode(), usedforsecurity=False).hexdigest()
        for key in API_KEYS.values()
        for day in days
    }


def needles() -> list[bytes]:
    """What must be nowhere: the word, plain and at each of the three places base64 may cut it, and parts of tokens."""
    found = {WORD, WORD[1:], WORD[:-1]}
    for token in tokens():
        found.update(token[start : start + 12] for start in range(0, len(token) - 11, 7))
        found.update(in_base64(token))
    found.update(in_base64(WORD))
    return sorted(text.encode() for text in found)


def in_base64(text: str) -> list[str]:
    """The characters that stand for `text` alone when it is encoded within something longer."""
    found = []
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + text.encode()).decode()
        whole = (shift + len(text)) * 8 // 6
        found.append(encoded[-(-shift * 8 // 6) : whole])
    return found


def hits(places: dict[str, bytes], wanted: list[bytes]) -> list[str]:
    """Where a needle was found, with what stands around it; one line a place."""
    found = []
    for place, content in places.items():
        for needle in wanted:
            at = content.find(needle)
            if at >= 0:
                around = content[max(0, at - 80) : at + 80].decode(errors="replace")
                found.append(f"{place}: ...{around}...")
                break
    return found


# A source that shows what it was sent


class Echo(BaseHTTPRequestHandler):
    """Answers with whatever the test wants, made from the request."""

    answer: ClassVar[Callable[[Echo], None]]
    shown: ClassVar[bytes] = b""
    port: ClassVar[int] = 0

    def do_GET(self) -> None:
        type(self).answer(self)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        type(self).answer(self)

    @property
    def query(self) -> str:
        return urlsplit(self.path).query

    @property
    def sent(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(self.query).items()}

    def reply(self, body: str, *, status: int = 200, kind: str = "application/json", **headers: str) -> None:
        content = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)
        type(self).shown += content + str(headers).encode()

    def raw(self, content: str) -> None:
        self.wfile.write(content.encode())
        self.close_connection = True
        type(self).shown += content.encode()

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing."""


@contextmanager
def echoing(answer: Callable[[Echo], None]) -> Iterator[type[Echo]]:
    """A server with one answer; its class has `shown`, everything that it sent, and `port`."""

    class Handler(Echo):
        pass

    Handler.answer = answer
    server = ThreadingHTTPServer((ADDRESS, 0), Handler)
    server.daemon_threads = True
    Handler.port = server.server_address[1]
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield Handler
    finally:
        server.shutdown()
        server.server_close()


def fail_with(message: Callable[[Echo], str]) -> Callable[[Echo], None]:
    return lambda echo: echo.reply(json.dumps({"status": "FAIL", "message": message(echo)}))


def both(echo: Echo) -> str:
    return f"key {echo.sent['key']} token {echo.sent['token']}"


def lower_case_escapes(text: str) -> str:
    """`%2f` for `%2F`, as some servers write it."""
    return "".join(f"%{part[:2].lower()}{part[2:]}" if n else part for n, part in enumerate(text.split("%")))


ECHOES: dict[str, tuple[Callable[[Echo], None], str]] = {
    "FAIL, wrong key, with key and token": (
        fail_with(lambda echo: f"Invalid API key: {both(echo)}"),
        "Invalid API key",
    ),
    "FAIL, repeated, with the query": (fail_with(lambda echo: f"Busy: {echo.query}"), "Busy"),
    "FAIL, base64 of key and token": (
        fail_with(lambda echo: "Invalid " + base64.b64encode(f"ab{both(echo)}".encode()).decode()),
        "Invalid",
    ),
    "FAIL, base64 at another place": (
        fail_with(lambda echo: "Invalid " + base64.urlsafe_b64encode(both(echo).encode()).decode()),
        "Invalid",
    ),
    "HTTP 500 with the URL": (lambda echo: echo.reply(f"cannot GET {echo.path}", status=500), "HTTP 500"),
    "HTTP 500 with the URL unquoted": (
        lambda echo: echo.reply(f"cannot GET {unquote(echo.path)}", status=500),
        "HTTP 500",
    ),
    "HTTP 400 with lower case escapes": (
        lambda echo: echo.reply(lower_case_escapes(echo.path), status=400),
        "HTTP 400",
    ),
    "HTTP 401 in the JSON of PHP": (
        lambda echo: echo.reply(json.dumps({"sent": echo.sent}).replace("/", "\\/"), status=401),
        "HTTP 401",
    ),
    "HTTP 403 in the HTML of PHP": (
        lambda echo: echo.reply(f"<b>{html.escape(both(echo))}</b>", status=403, kind="text/html"),
        "HTTP 403",
    ),
    "HTTP 404, in XML": (
        lambda echo: echo.reply(
            f"<a>{both(echo).replace('&', '&amp;').replace('<', '&lt;')}</a>", status=404
        ),
        "HTTP 404",
    ),
    "HTTP 400, one token after the other": (
        lambda echo: echo.reply("x" + echo.sent["token"] * 300, status=400),
        "HTTP 400",
    ),
    "HTTP 400, one key after the other": (
        lambda echo: echo.reply("x" + echo.sent["key"] * 300, status=400),
        "HTTP 400",
    ),
    "HTTP 429 and headers": (
        lambda echo: echo.reply(
            "{}", status=429, Retry_After="4000", X_Sent=echo.sent["token"], ETag=echo.sent["token"]
        ),
        "4000",
    ),
    "redirect to another host": (
        lambda echo: echo.reply(
            f"Moved to {echo.path}", status=302, Location=f"https://elsewhere.invalid{echo.path}"
        ),
        "HTTP 302",
    ),
    "HTML with the query": (
        lambda echo: echo.reply(
            f"<html><body>You asked {html.escape(echo.path)} {both(echo)}", kind="text/html"
        ),
        "not JSON",
    ),
    "JSON that was cut": (
        lambda echo: echo.reply('{"status": "SUCCESS", "self": ' + json.dumps(echo.path)),
        "not JSON",
    ),
    "JSON that is no object": (lambda echo: echo.reply(json.dumps([both(echo)] * 40)), "no object"),
    "a token for a status": (lambda echo: echo.reply(json.dumps({"status": echo.sent["token"]})), "status"),
    "a key for a status": (lambda echo: echo.reply(json.dumps({"status": echo.sent["key"]})), "status"),
    "a key for a count": (
        lambda echo: echo.reply(json.dumps({"status": "SUCCESS", "totalCount": echo.sent["key"]})),
        "totalCount",
    ),
    "an error field": (
        lambda echo: echo.reply(json.dumps({"status": "SUCCESS", "error": {"you": echo.sent}})),
        "FAIL",
    ),
    "no HTTP at all": (lambda echo: echo.raw(f"{both(echo)} {echo.path}\r\n\r\n"), "failed"),
    "a header that is none": (
        lambda echo: echo.raw(
            f"HTTP/1.1 500 {echo.sent['token']}\r\n{echo.sent['token']}\r\n\r\n{echo.path}"
        ),
        "HTTP 500",
    ),
    "a body that is no gzip": (
        lambda echo: echo.reply(both(echo), Content_Encoding="gzip"),
        "gzip",
    ),
    "an encoding with a token": (
        lambda echo: echo.reply("{}", Content_Encoding=echo.sent["token"]),
        "encoding",
    ),
}


# The place

RAW, LINES = "fullbay_raw_data", "fullbay_line_items"
REPORTED: set[str] = set()
SEARCHED: dict[Path, tuple[int, int]] = {}
THROUGH_DAGSTER = {
    "FAIL, wrong key, with key and token",
    "HTTP 500 with the URL",
    "redirect to another host",
    "HTML with the query",
    "a header that is none",
    "a signature that does not match",
    "a password that is refused",
    "password in the URL",
    "URL as host",
}
"""The failures that stand for their kind; of each other one the same step is run without Dagster."""


@dataclass
class Place:
    """An instance on disk, a warehouse, an environment of secrets, and everything that is written to any of them."""

    home: Path
    owner: DatabaseSettings
    env: dict[str, str]
    server_log: Path
    patch: pytest.MonkeyPatch
    output: Callable[[], bytes]
    instance: dg.DagsterInstance | None = None
    told: dict[str, bytes] = field(default_factory=dict)

    def set(self, **env: str | None) -> None:
        for name, value in env.items():
            if value is None:
                self.env.pop(name, None)
                self.patch.delenv(name, raising=False)
            else:
                self.env[name] = value
                self.patch.setenv(name, value)

    def failing(self, name: str) -> str:
        return self.failing_run(RAW) if name in THROUGH_DAGSTER else self.failing_step()

    def load(self, *assets: str) -> None:
        """What these assets do, without Dagster: a run that fails late need not begin at the beginning."""
        warehouse, fullbay = PostgresResource(location="FULLBAY"), FullbayResource()
        for asset in assets:
            with running_step(warehouse, asset, "before") as step:
                if asset == RAW:
                    ingest(step, fullbay.settings(), DAY, DAY)
                else:
                    build_lines(step, fullbay.rules(), DAY, DAY)

    def failing_run(self, asset: str) -> str:
        """Materialize an asset with the location's own definitions and instance; what the error says."""
        tags = {
            "dagster/asset_partition_range_start": DAY.isoformat(),
            "dagster/asset_partition_range_end": DAY.isoformat(),
        }
        selection = [dg.AssetKey(asset)]
        assert self.instance is not None
        try:
            whole_graph().execute_in_process(tags=tags, instance=self.instance, asset_selection=selection)
        except Exception as error:
            run_id = self.instance.get_runs(limit=1)[0].run_id
            failures = {dg.DagsterEventType.STEP_FAILURE}
            assert self.instance.get_records_for_run(run_id, of_type=failures).records
            return self.tell(error)
        raise AssertionError("the run did not fail")

    def failing_step(self) -> str:
        """The first asset's work without Dagster; what the error says."""
        warehouse, fullbay = PostgresResource(location="FULLBAY"), FullbayResource()
        try:
            with running_step(warehouse, RAW, "without dagster") as step:
                ingest(step, fullbay.settings(), DAY, DAY)
        except Exception as error:
            return self.tell(error)
        raise AssertionError("the step did not fail")

    def tell(self, error: BaseException) -> str:
        """Keep every text that the error can be turned into."""
        texts = ["".join(traceback.format_exception(error))]
        # Dagster raises the user's error while it handles its own, whose cause that is: the chain is a circle.
        seen: list[BaseException] = []
        waiting: list[BaseException | None] = [error]
        while waiting:
            link = waiting.pop()
            if link is not None and link not in seen:
                seen.append(link)
                texts += [str(link), repr(link), repr(link.args), repr(vars(link))]
                waiting += [link.__cause__, link.__context__]
        self.told["exception"] = "\n".join(texts).encode()
        return texts[0]

    def written(self) -> dict[str, bytes]:
        return {
            **self.told,
            "output": self.output(),
            "postgres log": self.server_log.read_bytes(),
            **self.files(),
            **columns(self.owner),
        }

    def files(self) -> dict[str, bytes]:
        """What is below DAGSTER_HOME and has changed since it was searched last, and the packed rows of its SQLite."""
        found = {}
        for path in self.home.rglob("*"):
            if not path.is_file():
                continue
            state = (path.stat().st_size, path.stat().st_mtime_ns)
            if SEARCHED.get(path) != state:
                SEARCHED[path] = state
                found[str(path.relative_to(self.home))] = path.read_bytes()
        with closing(sqlite3.connect(self.home / "history" / "runs.db")) as runs:
            bodies = [body for (body,) in runs.execute("select snapshot_body from snapshots")]
        found["snapshots of runs.db"] = b"".join(map(zlib.decompress, bodies))
        return found

    def shows_nothing(self) -> None:
        """The files are shared by the tests: what an earlier one complained of is not said again."""
        found = [hit for hit in hits(self.written(), needles()) if hit not in REPORTED]
        REPORTED.update(found)
        assert found == []

    def owner_runs(self, *statements: str) -> None:
        with connection_of(self.owner) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)


@contextmanager
def connection_of(owner: DatabaseSettings) -> Iterator[Any]:
    import psycopg2

    opened = psycopg2.connect(
        host=owner.host, port=owner.port, dbname=owner.name, user=owner.user, password=owner.password
    )
    opened.autocommit = True
    try:
        yield opened
    finally:
        opened.close()


@cache
def whole_graph() -> dg.JobDefinition:
    return definitions.defs().resolve_job_def("fullbay_range")


def columns(owner: DatabaseSettings) -> dict[str, bytes]:
    """The content of every column that can hold a text, in all tables of the schemas fullbay and ops."""
    found = {}
    with connection_of(owner) as connection, connection.cursor() as cursor:
        cursor.execute(
            """select table_schema, table_name,
                   array_agg(quote_ident(column_name) || case when data_type = 'bytea' then '' else '::text' end)
            from information_schema.columns join information_schema.tables using (table_schema, table_name)
            where table_schema in ('fullbay', 'ops') and table_type = 'BASE TABLE'
              and data_type in ('text', 'character varying', 'character', 'json', 'jsonb', 'bytea', 'ARRAY')
            group by 1, 2 order by 1, 2"""
        )
        tables = cursor.fetchall()
        assert len(tables) > 15
        for schema, table, names in tables:
            cursor.execute(f'select {", ".join(names)} from "{schema}"."{table}"')
            values = (value for row in cursor for value in row if value is not None)
            found[f"{schema}.{table}"] = b"\n".join(
                value.encode() if isinstance(value, str) else bytes(value) for value in values
            )
    return found


@pytest.fixture(scope="module")
def empty_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DAGSTER_HOME whose SQLite files are made already: a copy of it costs nothing."""
    home = tmp_path_factory.mktemp("dagster_home")
    (home / "dagster.yaml").write_text(DAGSTER_YAML)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", str(home))
        with dg.DagsterInstance.get() as instance:
            assert instance.get_runs() == []
    return home


@pytest.fixture(scope="module")
def instance(empty_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dg.DagsterInstance]:
    home = tmp_path_factory.mktemp("instance") / "home"
    shutil.copytree(empty_home, home)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", str(home))
        with dg.DagsterInstance.get() as instance:
            yield instance


@pytest.fixture(scope="module")
def login(postgres: PostgresServer, warehouse_template: str) -> str:
    postgres.ensure_login(LOGIN, DB_PASSWORD)
    with postgres.session() as connection, connection.cursor() as cursor:
        cursor.execute(f"grant fullbay_writer to {LOGIN}")
    return LOGIN


@pytest.fixture(scope="module")
def source() -> Iterator[FullbayServer]:
    """A well-behaved source with few invoices, for failures that come after the fetch."""
    generator = InvoiceGenerator(seed=11, invoices_per_day=4)
    shops = generator.shop_keys
    keys = {API_KEYS["NORTH"]: shops[0], API_KEYS["SOUTH"]: shops[1]}
    with FullbayServer(generator, keys) as server:
        yield server


def environment(owner: DatabaseSettings, base_url: str) -> dict[str, str]:
    return {
        "DB_HOST": owner.host,
        "DB_PORT": str(owner.port),
        "DB_NAME": owner.name,
        "DB_SSLMODE": "disable",
        "FULLBAY_DB_USER": LOGIN,
        "FULLBAY_DB_PASSWORD": DB_PASSWORD,
        **{f"FULLBAY_API_KEY_{shop}": key for shop, key in API_KEYS.items()},
        "FULLBAY_API_BASE_URL": base_url,
        "FULLBAY_PUBLIC_IP": ADDRESS,
        "FULLBAY_READ_TIMEOUT": "5",
        "LOG_LEVEL": "DEBUG",
        **AWS,
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@pytest.fixture
def place(
    instance: dg.DagsterInstance,
    login: str,
    warehouse: DatabaseSettings,
    postgres: PostgresServer,
    source: FullbayServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> Place:
    """Nothing is registered as a secret yet, waits take no time, and all loggers are at DEBUG."""
    monkeypatch.setattr(redaction, "_known", set())
    monkeypatch.setattr(redaction, "_pattern", None)
    for waits in (retrying, FullbayClient.__init__):
        monkeypatch.setitem(waits.__kwdefaults__ or {}, "sleep", lambda seconds: None)
    forget_secrets()
    caplog.set_level(logging.DEBUG)

    def output() -> bytes:
        printed = capfd.readouterr()
        return (printed.out + printed.err + caplog.text).encode()

    home = Path(instance.root_directory)
    place = Place(home, warehouse, {}, postgres.log, monkeypatch, output, instance)
    place.set(**environment(warehouse, source.base_url))
    return place


# The search itself


@pytest.mark.parametrize("secret", [*API_KEYS.values(), DB_PASSWORD, OLD_DB_PASSWORD, *AWS.values()])
def test_the_search_finds_every_form_and_every_fragment(secret: str) -> None:
    """Without it an empty list of hits would prove nothing."""
    forms = {
        "plain": secret,
        "url": quote(secret, safe=""),
        "json": json.dumps(secret),
        "html": html.escape(secret),
        **{f"base64 {n}": base64.b64encode(b"x" * n + secret.encode()).decode() for n in range(3)},
        **{f"fragment {n}": secret[n : n + 16] for n in range(len(secret) - 15)},
    }
    assert len(hits({name: text.encode() for name, text in forms.items()}, needles())) == len(forms)


def test_the_search_finds_a_token_and_its_fragments() -> None:
    token = next(iter(tokens()))
    assert hits(
        {"whole": token.encode(), "part": token[3:21].encode(), "none": token[:9].encode()}, needles()
    )
    encoded = base64.b64encode(f"x{token}".encode())
    assert len(hits({"base64": encoded}, needles())) == 1


# Fetch


@pytest.mark.parametrize("name", ECHOES)
def test_a_source_that_echoes_its_request(place: Place, name: str) -> None:
    answer, words = ECHOES[name]
    with echoing(answer) as server:
        place.set(FULLBAY_API_BASE_URL=f"http://{ADDRESS}:{server.port}/services/")
        assert words in place.failing(name)
        assert server.shown
    place.shows_nothing()


@pytest.mark.parametrize(
    ("base_url", "words"),
    [
        (f"http://{ADDRESS}:9/services/", "Connection refused"),
        ("https://no-such-host.invalid/services/", "no-such-host.invalid"),
        (f"https://{ADDRESS}:9/services/", "refused"),
    ],
    ids=["connection refused", "unresolvable host", "no TLS server"],
)
def test_a_source_that_is_not_there(place: Place, base_url: str, words: str) -> None:
    place.set(FULLBAY_API_BASE_URL=base_url)
    assert words in place.failing_run(RAW)
    place.shows_nothing()


# Settings


SETTINGS: dict[str, tuple[dict[str, str | None], str]] = {
    "password in the URL": (
        {"FULLBAY_API_BASE_URL": f"https://etl:{IN_A_URL}@host.invalid/"},
        "FULLBAY_API_BASE_URL",
    ),
    "password with an @ in the URL": (
        {"FULLBAY_API_BASE_URL": f"https://etl:{IN_A_URL}@{WORD}/{WORD}@host.invalid/"},
        "FULLBAY_API_BASE_URL",
    ),
    "key in the URL": (
        {"FULLBAY_API_BASE_URL": f"https://host.invalid/?key={IN_A_URL}"},
        "FULLBAY_API_BASE_URL",
    ),
    "other key in the URL": (
        {"FULLBAY_API_BASE_URL": f"https://host.invalid/?k={IN_A_URL}"},
        "FULLBAY_API_BASE_URL",
    ),
    "one key twice": ({"FULLBAY_API_KEY_EAST": API_KEYS["SOUTH"]}, "clashes with the key"),
    "long shop id": ({f"FULLBAY_API_KEY_{'LONG' * 20}": IN_A_URL}, "longer than 50"),
    "missing": ({"DB_HOST": None, "FULLBAY_DB_USER": None}, "DB_HOST, DB_USER"),
    "wrong": ({"DB_PORT": "x", "DB_SSLMODE": "y"}, "DB_PORT='x'"),
    "URL as host": ({"DB_HOST": f"postgresql://etl:{IN_A_URL}@db.invalid:5432/warehouse"}, "DB_HOST"),
    "URL with an @ as host": ({"DB_HOST": f"postgresql://etl:{IN_A_URL}@{WORD}@db.invalid/x"}, "DB_HOST"),
    "DSN as host": ({"DB_HOST": f"host=db.invalid password={IN_A_URL}"}, "DB_HOST"),
    "URL as database": ({"DB_NAME": f"postgresql://etl:{IN_A_URL}@db.invalid:5432/x"}, "DB_NAME"),
    "DSN as database": ({"DB_NAME": f"dbname=warehouse password='{IN_A_URL} {WORD}'"}, "DB_NAME"),
    "URL as user": ({"FULLBAY_DB_USER": f"postgresql://etl:{IN_A_URL}@db.invalid/x"}, "DB_USER"),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_wrong_settings(place: Place, name: str) -> None:
    """People paste the connection string that they have into the setting that they find."""
    change, words = SETTINGS[name]
    place.set(**change)
    assert words in place.failing(name)
    place.shows_nothing()


# Secrets Manager


def stored(value: object) -> Callable[[Echo], None]:
    return lambda echo: echo.reply(
        json.dumps({"ARN": "arn:x", "Name": "fullbay", "SecretString": value}),
        kind="application/x-amz-json-1.1",
    )


def refused(kind: str, status: int = 400) -> Callable[[Echo], None]:
    def answer(echo: Echo) -> None:
        canonical = "\n".join(f"{name}:{value}" for name, value in echo.headers.items())
        message = f"The Canonical String for this request should have been POST / {canonical}"
        echo.reply(
            json.dumps({"__type": kind, "message": message}), status=status, kind="application/x-amz-json-1.1"
        )

    return answer


MANAGERS: dict[str, tuple[Callable[[Echo], None], str]] = {
    # The message of the real service quotes the signed headers, the session token among them.
    "a signature that does not match": (refused("SignatureDoesNotMatch"), "SignatureDoesNotMatch"),
    "a fault of the service": (refused("InternalServiceError", 500), "InternalServiceError"),
    "no JSON object": (stored(f"{STORED_SECRET} {STORED_SECRET}"), "not JSON"),
    "JSON that was cut": (stored(json.dumps({"db_password": STORED_SECRET})[:-1]), "not JSON"),
    "values that are no text": (stored(json.dumps({"db_password": [STORED_SECRET]})), "no text"),
    "a list": (stored(json.dumps([STORED_SECRET])), "list"),
    "a password that is refused": (
        stored(json.dumps({"fullbay_db_password": STORED_SECRET, "fullbay_api_key": STORED_SECRET})),
        "password authentication failed",
    ),
    "an answer that is no JSON": (
        lambda echo: echo.reply('{"SecretString": ' + json.dumps(STORED_SECRET)),
        "Secrets Manager",
    ),
    "no HTTP": (lambda echo: echo.raw(f"{STORED_SECRET} {echo.headers}\r\n\r\n"), "Secrets Manager"),
}


@pytest.mark.parametrize("name", MANAGERS)
def test_secrets_manager_refuses_or_gives_something_unusable(place: Place, name: str) -> None:
    answer, words = MANAGERS[name]
    with echoing(answer) as server:
        place.set(SECRETS_MANAGER_SECRET_NAME="fullbay", AWS_ENDPOINT_URL=f"http://{ADDRESS}:{server.port}")
        assert words in place.failing(name)
        assert WORD.encode() in server.shown
    place.shows_nothing()


# Database


def test_a_password_that_the_server_refuses(place: Place) -> None:
    place.set(FULLBAY_DB_PASSWORD=OLD_DB_PASSWORD)
    assert "password authentication failed" in place.failing_run(RAW)
    place.shows_nothing()


DIES = """
    create function public.dies() returns trigger language plpgsql as
    $$ begin perform pg_terminate_backend(pg_backend_pid()); perform pg_sleep(1); return new; end $$;
    create trigger dies before insert on {table} for each row execute function public.dies()
"""


def no_right(table: str, right: str = "insert") -> str:
    return f"revoke {right} on {table} from fullbay_writer"


STAGES: dict[str, tuple[tuple[str, ...], str, str]] = {
    "journal": ((RAW,), no_right("fullbay.ingestion_metadata", "all"), "permission denied"),
    "lease": ((RAW,), no_right("ops.write_leases", "all"), "permission denied"),
    "raw": ((RAW,), no_right("fullbay.fullbay_raw_data"), "permission denied"),
    "raw, the connection dies": ((RAW,), DIES.format(table="fullbay.fullbay_raw_data"), "storing"),
    "raw, a row is refused": (
        (RAW,),
        """create function public.refuses() returns trigger language plpgsql as
        $$ begin raise exception 'not this row: %', new; end $$;
        create trigger refuses before insert on fullbay.invoice_headers
        for each row execute function public.refuses()""",
        "not this row",
    ),
    "lines": ((RAW, LINES), no_right("fullbay.fullbay_line_items"), "permission denied"),
    "lines, the connection dies": (
        (RAW, LINES),
        DIES.format(table="fullbay.fullbay_line_items"),
        "storing the lines",
    ),
    "tracker": (
        (RAW, LINES),
        no_right("fullbay.processed_invoices_tracker", "insert, update"),
        "permission denied",
    ),
    **{
        table: ((RAW, LINES, table), no_right(f"fullbay.{table}"), "permission denied")
        for table in (
            *("fullbay_work_orders", "daily_summary", "monthly_summary"),
            *("customer_summary", "vehicle_summary"),
        )
    },
}


@pytest.mark.parametrize("stage", STAGES)
def test_postgres_refuses_in_the_middle_of_a_run(place: Place, stage: str) -> None:
    (*before, asset), statement, words = STAGES[stage]
    place.load(*before)
    place.owner_runs(statement)
    assert words in place.failing_run(asset)
    place.shows_nothing()


@pytest.mark.parametrize(
    ("check", "before", "asset"),
    [("every_received_invoice_is_stored", (), RAW), ("lines_equal_invoices", (RAW,), LINES)],
    ids=["raw", "lines"],
)
def test_a_check_whose_statement_fails(place: Place, check: str, before: tuple[str, ...], asset: str) -> None:
    place.load(*before)
    read = sql.statement
    place.patch.setattr(sql, "statement", lambda name: "select 1 / 0" if name.endswith(check) else read(name))
    assert "division by zero" in place.failing_run(asset)
    place.shows_nothing()


# Commands, and what objects say about themselves


@pytest.mark.parametrize("command", [lambda: replay_command([]), migrate_command], ids=["replay", "migrate"])
def test_a_command_that_cannot_connect(place: Place, command: Callable[[], int]) -> None:
    place.set(DB_USER=LOGIN, DB_PASSWORD=OLD_DB_PASSWORD, FULLBAY_DB_PASSWORD=OLD_DB_PASSWORD)
    place.patch.chdir(place.home)
    try:
        status: object = command()
    except SystemExit as ended:
        status = ended.code
    assert status not in (0, None)
    place.shows_nothing()


def test_resources_and_settings_do_not_show_secrets(place: Place) -> None:
    with echoing(
        stored(json.dumps({"db_password": STORED_SECRET, "fullbay_api_key_west": STORED_SECRET}))
    ) as server:
        place.set(SECRETS_MANAGER_SECRET_NAME="fullbay", AWS_ENDPOINT_URL=f"http://{ADDRESS}:{server.port}")
        resources = definitions.defs().resources or {}
        fullbay, warehouse = fullbay_settings(), database_settings("FULLBAY")
        assert any(shop.api_key == STORED_SECRET for shop in fullbay.shops)
    client = FullbayClient(fullbay, fullbay.shops[0])
    with PostgresResource(location="FULLBAY").session("x") as session:
        objects = [*resources.values(), fullbay, *fullbay.shops, warehouse, client, client.stats, session]
        texts = [form(thing) for thing in objects for form in (str, repr)]
        texts += [f"{session.connection!r} {session.connection.dsn}"]
    client.close()
    place.told["objects"] = "\n".join(texts).encode()
    place.shows_nothing()


def test_a_secret_is_known_to_the_redaction_as_soon_as_it_was_read(place: Place) -> None:
    """Also when nothing has been sent with it yet."""
    database_settings("FULLBAY")
    fullbay_settings()
    for secret in (DB_PASSWORD, *API_KEYS.values()):
        said = f"before {secret} {quote(secret)} {html.escape(secret)} {base64.b64encode(secret.encode())!r} after"
        shown = redaction.redact(said)
        assert shown.startswith("before ***")
        assert hits({"redacted": shown.encode()}, needles()) == []


# The real command, in a process of its own


@dataclass
class Command:
    """A `dagster asset materialize` that is under way."""

    place: Place
    process: subprocess.Popen[bytes]
    words: str
    server: type[Echo] | None = None


COMMANDS = ("wrong key", "secrets manager", "no right")


@pytest.fixture(scope="module", autouse=True)
def commands(
    tmp_path_factory: pytest.TempPathFactory,
    empty_home: Path,
    login: str,
    postgres: PostgresServer,
    warehouse_template: str,
    source: FullbayServer,
) -> Iterator[dict[str, Command]]:
    """All of them started at once, before the other tests: they take most of the module's time."""
    started: dict[str, Command] = {}
    with (
        echoing(fail_with(lambda echo: f"Invalid API key: {both(echo)} {echo.path}")) as fullbay,
        echoing(refused("SignatureDoesNotMatch")) as manager,
    ):
        changes: dict[str, tuple[dict[str, str], str]] = {
            "wrong key": (
                {"FULLBAY_API_BASE_URL": f"http://{ADDRESS}:{fullbay.port}/services/"},
                "Invalid API key",
            ),
            "secrets manager": (
                {
                    "SECRETS_MANAGER_SECRET_NAME": "fullbay",
                    "AWS_ENDPOINT_URL": f"http://{ADDRESS}:{manager.port}",
                },
                "SignatureDoesNotMatch",
            ),
            "no right": ({}, "permission denied"),
        }
        servers = {"wrong key": fullbay, "secrets manager": manager}
        with pytest.MonkeyPatch.context() as patch:
            for number, name in enumerate(COMMANDS):
                database = f"warehouse_of_secrets_{number}"
                postgres.create_database(database, owner="warehouse_owner", template=warehouse_template)
                owner = settings_of(postgres, database)
                home = tmp_path_factory.mktemp("command") / "home"
                shutil.copytree(empty_home, home)
                change, words = changes[name]
                env = {**environment(owner, source.base_url), **change, "DAGSTER_HOME": str(home)}
                place = Place(home, owner, env, postgres.log, patch, lambda: b"")
                if name == "no right":
                    place.owner_runs("revoke insert on fullbay.daily_summary from fullbay_writer")
                started[name] = Command(place, materialize(home, env), words, servers.get(name))
            try:
                yield started
            finally:
                for command in started.values():
                    if command.process.poll() is None:
                        command.process.kill()
                        command.process.communicate()
                    postgres.drop_database(command.place.owner.name)


def materialize(home: Path, env: dict[str, str]) -> subprocess.Popen[bytes]:
    arguments = ["-m", "dagster", "asset", "materialize", "-m", "fullbay_assets.definitions", "--select", "*"]
    return subprocess.Popen(
        [sys.executable, *arguments, "--partition-range", f"{DAY}...{DAY}"],
        cwd=home,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_dagster_asset_materialize(commands: dict[str, Command], name: str) -> None:
    command = commands[name]
    output, _ = command.process.communicate(timeout=120)
    assert command.process.returncode == 1, output.decode()
    assert command.words in output.decode()
    assert command.server is None or WORD.encode() in command.server.shown
    command.place.told["output of the command"] = output
    logs = [path for path in command.place.home.rglob("*") if path.suffix in (".err", ".out")]
    assert logs, "compute logs are captured"
    command.place.shows_nothing()
