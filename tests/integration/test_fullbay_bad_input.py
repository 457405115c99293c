"""What happens to the pipeline when settings, database, source or documents are not what they should be.

Each case ends in a message that says what was asked, what came and what to do, or in tables that equal those of an
undisturbed run; nothing is lost in either.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import dagster as dg
import psutil
import psycopg2
import pytest

from fullbay_assets import client
from fullbay_assets.execution import running_step
from fullbay_assets.ingestion import close_execution
from fullbay_assets.line_copy import landing_rows
from resources.failures import PermanentError, PipelineError, TransientError, retrying
from resources.migrations import migrate
from resources.settings import DatabaseSettings, FullbaySettings, Shop
from resources.sql import Session
from sandbox.fullbay.server import FullbayServer
from sandbox.postgres import PostgresServer
from tests.conftest import LOGINS, OWNER, PASSWORD, ROOT, TEMPLATE, guarded, settings_of
from tests.invoices import Json, as_bytes, complaint, correction, invoice, part
from tests.pipeline import FIRST, Pipeline, contents, query, small_source, writes


@pytest.fixture(scope="module")
def shared_source() -> Iterator[FullbayServer]:
    """Few invoices, for tests that do not edit them."""
    with small_source(invoices_per_day=8) as server:
        yield server


@pytest.fixture
def source() -> Iterator[FullbayServer]:
    with small_source(invoices_per_day=4) as server:
        yield server


@pytest.fixture
def pipeline(warehouse_as: Callable[[str], DatabaseSettings], source: FullbayServer) -> Pipeline:
    return Pipeline(warehouse_as("fullbay_etl"), source)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that every retry of connections, transactions and requests would have waited."""
    waited: list[float] = []
    for function in (retrying, client.FullbayClient.__init__):
        monkeypatch.setitem(function.__kwdefaults__ or {}, "sleep", waited.append)
    return waited


# Commands on a machine that is not set up


COMMANDS: dict[str, tuple[list[str], dict[str, str]]] = {
    "nothing is set": (["asset", "materialize", "--select", "*", "--partition", "2026-10-05"], {}),
    "a date before the first": (["asset", "materialize", "--select", "*", "--partition", "2020-12-31"], {}),
    "no such schedule": (["definitions", "validate"], {"SCHEDULE_EXPRESSION": "cron(0 9 L * ? *)"}),
}


@pytest.fixture(scope="module", autouse=True)
def commands(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, subprocess.Popen[str]]]:
    """Started together before the other tests, which they need not wait for."""
    started = {}
    for name, (arguments, env) in COMMANDS.items():
        started[name] = subprocess.Popen(
            [sys.executable, "-m", "dagster", *arguments, "-m", "fullbay_assets.definitions"],
            cwd=tmp_path_factory.mktemp("command"),
            env={"PATH": os.defpath, "PYTHONPATH": str(ROOT), **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    yield started
    for process in started.values():
        if process.poll() is None:
            process.kill()
            process.communicate()


def said_by(process: subprocess.Popen[str]) -> str:
    """What a command that must fail has printed."""
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 1, output
    return output


def test_missing_settings_are_named_all_at_once(commands: dict[str, subprocess.Popen[str]]) -> None:
    output = said_by(commands["nothing is set"])
    message = next(line for line in output.splitlines() if "MissingSettings" in line)
    assert "missing: DB_HOST, DB_USER, DB_PASSWORD, FULLBAY_API_KEY" in message
    assert ".env.example" in message


def test_a_partition_before_the_first_is_refused_by_name(commands: dict[str, subprocess.Popen[str]]) -> None:
    assert "2020-12-31" in said_by(commands["a date before the first"])


def test_a_schedule_that_cron_cannot_say_stops_the_location_with_its_text(
    commands: dict[str, subprocess.Popen[str]],
) -> None:
    output = said_by(commands["no such schedule"])
    assert "reading SCHEDULE_EXPRESSION 'cron(0 9 L * ? *)': L, W or #, which cron does not have" in output
    assert "rate(15 minutes | 6 hours | 1 day)" in output


# Postgres away


def test_postgres_down_at_the_start_is_told_after_three_retries(
    source: FullbayServer, waits: list[float]
) -> None:
    down = DatabaseSettings("127.0.0.1", 9, "warehouse_that_is_down", "fullbay_etl", "secret of the test")
    with pytest.raises(TransientError) as raised:
        Pipeline(down, source).run()
    assert waits == [2.0, 4.0, 8.0]
    text = str(raised.value)
    assert "fullbay_etl@127.0.0.1:9/warehouse_that_is_down" in text
    assert "Connection refused" in text
    assert "4 attempts" in text
    assert "secret of the test" not in text
    assert source.requests == [], "nothing was asked of the source that could not be stored"


@pytest.fixture(scope="module")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """A server to be killed, with fsync on as in production; its template is migrated."""
    folder = tmp_path_factory.mktemp("postgres_to_kill")
    with guarded(folder):
        server = PostgresServer(folder, port=25532, settings={"shared_buffers": "64MB"})
        server.start()
        server.ensure_login(OWNER, PASSWORD, create_role=True)
        server.create_database(TEMPLATE, owner=OWNER)
        with server.session(TEMPLATE) as connection, connection.cursor() as cursor:
            cursor.execute("create extension if not exists vector")
        migrate(settings_of(server, TEMPLATE))
        server.ensure_login("fullbay_etl", PASSWORD)
        with server.session() as connection, connection.cursor() as cursor:
            cursor.execute(f"grant {LOGINS['fullbay_etl']} to fullbay_etl")
        yield server


@pytest.fixture(scope="module")
def undisturbed(
    postgres: PostgresServer, warehouse_template: str, shared_source: FullbayServer
) -> Iterator[dict[str, list[str]]]:
    """The tables after a run that nothing happened to."""
    name = "undisturbed_by_bad_input"
    postgres.create_database(name, owner=OWNER, template=warehouse_template)
    Pipeline(as_etl(settings_of(postgres, name)), shared_source).run()
    yield contents(settings_of(postgres, name))
    postgres.drop_database(name)


def as_etl(owner: DatabaseSettings) -> DatabaseSettings:
    return dataclasses.replace(owner, user="fullbay_etl")


def at_statement(monkeypatch: pytest.MonkeyPatch, table: str, disturb: Callable[[], object]) -> list[str]:
    """Disturb once, just before the first statement on a table; the list then holds the table."""
    done: list[str] = []
    lock = threading.Lock()
    run, copy = Session.run, Session.copy

    def disturbed(place: str) -> None:
        with lock:
            if place == table and not done:
                done.append(place)
                disturb()

    def running(self: Session, name: str, *args: Any, table: str, **facts: Any) -> Any:
        disturbed(table)
        return run(self, name, *args, table=table, **facts)

    def copying(self: Session, table: str, *args: Any) -> Any:
        disturbed(table)
        return copy(self, table, *args)

    monkeypatch.setattr(Session, "run", running)
    monkeypatch.setattr(Session, "copy", copying)
    return done


def kill(server: PostgresServer) -> None:
    """As a crash of the machine leaves it: the postmaster is gone, its children follow.

    They are waited for: one that had not noticed yet ran the statement and its commit, and the run was well.
    """
    pid = server.pid
    assert pid is not None
    children = psutil.Process(pid).children(recursive=True)
    os.kill(pid, signal.SIGKILL)
    _, left = psutil.wait_procs(children, timeout=30)
    assert not left


@pytest.mark.parametrize(
    ("table", "back"),
    [
        ("fullbay.fullbay_raw_data", "after the run"),
        ("invoice_headers", "while it waits"),
        ("incoming_lines", "after the run"),
        ("fullbay_line_items", "while it waits"),
        ("fullbay_work_orders", "after the run"),
        ("vehicle_summary", "while it waits"),
        ("ingestion_metadata", "after the run"),
    ],
)
def test_after_a_kill_of_postgres_the_next_run_completes_the_window_exactly(
    own_server: PostgresServer,
    shared_source: FullbayServer,
    undisturbed: dict[str, list[str]],
    waits: list[float],
    monkeypatch: pytest.MonkeyPatch,
    table: str,
    back: str,
) -> None:
    name = f"killed_{table.replace('.', '_')}_{back.split()[0]}"
    own_server.create_database(name, owner=OWNER, template=TEMPLATE)
    settings = as_etl(settings_of(own_server, name))
    pipeline = Pipeline(settings, shared_source)
    if back == "while it waits":
        restart = threading.Lock()

        def wait(seconds: float) -> None:
            with restart:
                own_server.start()

        monkeypatch.setitem(retrying.__kwdefaults__ or {}, "sleep", wait)
    with monkeypatch.context() as patch:
        killed = at_statement(patch, table, lambda: kill(own_server))
        try:
            finished = pipeline.run()["status"] == "SUCCESS"
        except (PipelineError, psycopg2.Error):
            finished = False
        assert killed
    own_server.start()
    if back == "after the run":
        assert not finished
    pipeline.run()
    assert contents(settings) == undisturbed
    assert query(settings, "select count(*) from ops.write_leases") == [(0,)]
    own_server.drop_database(name)


@pytest.mark.parametrize("ends", ["well", "badly"])
def test_after_a_restart_of_postgres_in_a_step_its_records_are_complete(
    own_server: PostgresServer, shared_source: FullbayServer, ends: str
) -> None:
    """The journal kept its dead connection: the row stayed RUNNING until it was swept, the error was nowhere."""
    name = f"restarted_ends_{ends}"
    own_server.create_database(name, owner=OWNER, template=TEMPLATE)
    pipeline = Pipeline(as_etl(settings_of(own_server, name)), shared_source)

    def step() -> None:
        with running_step(pipeline.warehouse, "a step", ends) as running:
            running.main.transaction(lambda: running.main.count("fullbay.daily_summary"), doing="counting")
            own_server.stop()
            own_server.start()
            running.journal.log_stage("DB_INSERT", 1.0, records=3)
            if ends == "badly":
                raise ValueError("the body failed")
            close_execution(running)

    if ends == "badly":
        with pytest.raises(ValueError, match="the body failed"):
            step()
    else:
        step()
    assert pipeline.query("select status, error_message from ingestion_metadata") == [
        ("SUCCESS", None) if ends == "well" else ("ERROR", "a step: the body failed")
    ]
    logged = {
        table: pipeline.value(f"select count(*) from {table}")
        for table in ("data_processing_log", "performance_metrics_log", "error_tracking_log")
    }
    failures = 1 if ends == "badly" else 0
    assert logged == {"data_processing_log": 1, "performance_metrics_log": 1, "error_tracking_log": failures}
    statements = pipeline.query("select query_type from database_query_log where query_type = 'SELECT'")
    assert statements, "what was collected before the restart was written after it"
    own_server.drop_database(name)


def test_a_journal_without_a_server_waits_for_it_once_and_fails_no_step(
    own_server: PostgresServer,
    shared_source: FullbayServer,
    waits: list[float],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Each of a failing step's records waited 14 s for the same dead server."""
    name = "gone_for_good"
    own_server.create_database(name, owner=OWNER, template=TEMPLATE)
    pipeline = Pipeline(as_etl(settings_of(own_server, name)), shared_source)

    def step() -> None:
        with running_step(pipeline.warehouse, "a step", "gone"):
            own_server.stop()
            raise ValueError("the body failed")

    with pytest.raises(ValueError, match="the body failed"):
        step()
    own_server.start()
    assert waits == [2.0, 4.0, 8.0]
    assert "3 records of run gone are lost: fail_execution, log_error, log_performance" in caplog.text
    own_server.drop_database(name)


@pytest.mark.parametrize(
    ("application", "table"),
    [
        ("journal", "invoice_headers"),
        ("lease", "invoice_headers"),
        ("fullbay_raw_data", "invoice_headers"),
        ("fullbay_raw_data", "fullbay.ingestion_run_invoices"),
        ("fullbay_line_items", "incoming_lines"),
        ("fullbay_line_items", "processed_invoices_tracker"),
        ("lease", "fullbay_line_items"),
        ("daily_summary", "daily_summary"),
    ],
)
def test_one_terminated_backend_costs_nothing(
    warehouse: DatabaseSettings,
    shared_source: FullbayServer,
    undisturbed: dict[str, list[str]],
    waits: list[float],
    monkeypatch: pytest.MonkeyPatch,
    application: str,
    table: str,
) -> None:
    """The run goes on, or fails and the next one completes it: the tables are the same either way."""
    pipeline = Pipeline(as_etl(warehouse), shared_source)

    def terminate() -> None:
        ended = query(
            pipeline.settings,
            """select pg_terminate_backend(pid, 5000) from pg_stat_activity
            where datname = current_database() and application_name like %s""",
            (f"{application} %",),
        )
        assert ended

    with monkeypatch.context() as patch:
        done = at_statement(patch, table, terminate)
        try:
            finished = pipeline.run()["status"] == "SUCCESS"
        except (PipelineError, psycopg2.Error):
            finished = False
        assert done
    if finished:
        assert contents(pipeline.settings) == undisturbed
    assert pipeline.run()["status"] == "SUCCESS"
    assert contents(pipeline.settings) == undisturbed


# The source


def test_a_window_over_seven_days_is_refused_with_the_servers_message(
    pipeline: Pipeline, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client cuts every range; this is what an operator would read if it did not."""
    monkeypatch.setattr(client, "windows", lambda start, end: iter([(start, end)]))
    with pytest.raises(PermanentError, match="may not be longer than 7 days") as raised:
        pipeline.run(FIRST, FIRST + timedelta(days=7))
    assert f"{FIRST} to {FIRST + timedelta(days=7)}" in str(raised.value)
    assert waits == []
    assert pipeline.value("select count(*) from fullbay_raw_data") == 0
    assert pipeline.query("select status, error_message like '%7 days%' from ingestion_metadata") == [
        ("ERROR", True)
    ]


@pytest.mark.parametrize(
    ("base_url", "words"),
    [
        ("ftp://host/services/", "scheme 'ftp'"),
        ("http://app.fullbay.com/services/", "scheme 'http' for the host app.fullbay.com"),
        ("app.fullbay.com/services/", "without a host"),
        ("https:///services/", "without a host"),
        ("https://host:port/services/", "cannot be parsed"),
        ("https://etl:word@host/services/", "a user, query or fragment"),
        ("https://host/services/?key=word", "a user, query or fragment"),
        ("https://host/services/#top", "a user, query or fragment"),
    ],
)
def test_a_base_url_that_cannot_be_is_named_with_the_reason(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, base_url: str, words: str
) -> None:
    from resources.settings import fullbay_settings

    with pytest.raises(PermanentError) as raised:
        fullbay_settings({"FULLBAY_API_KEY": "some-key", "FULLBAY_API_BASE_URL": base_url})
    assert "FULLBAY_API_BASE_URL" in str(raised.value)
    assert words in str(raised.value)
    assert "word@" not in str(raised.value)
    assert "key=word" not in str(raised.value)


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (404, b"not found", "HTTP 404, 'not found'"),
        (301, b"", "HTTP 301"),
        (200, b'{"hello": "world"}', "JSON without a status"),
        (200, b"<html>Welcome to nginx!</html>", "not JSON: '<html>Welcome to nginx!"),
        (200, b"[]", "JSON that is no object"),
        (200, b"", "not JSON: nothing"),
    ],
)
def test_a_base_url_of_something_else_says_what_to_check(
    pipeline: Pipeline, waits: list[float], status: int, body: bytes, words: str
) -> None:
    with Independent({"some-key": []}, other=(status, body)) as service:
        with pytest.raises(PipelineError) as raised:
            Pipeline(pipeline.settings, Other(service.settings)).run()  # type: ignore[arg-type]
        assert words in str(raised.value)
        assert "FULLBAY_API_BASE_URL" in str(raised.value)
        assert waits == ([] if status != 200 else [2.0, 4.0, 8.0])
        assert len(service.asked) == 1 + len(waits)


@dataclass
class Other:
    """What `Pipeline` needs of a server: an address and its keys."""

    settings: FullbaySettings

    @property
    def base_url(self) -> str:
        return self.settings.base_url

    @property
    def keys(self) -> dict[str, str]:
        return {shop.api_key: shop.key.upper() for shop in self.settings.shops}


# Documents


def a_key(server: FullbayServer, number: int = 0) -> str:
    invoices = [
        invoice.primary_key
        for shop in server.generator.shop_keys
        for invoice in server.generator.generated(shop, FIRST)
        if invoice.cents.parts > 0
    ]
    return invoices[number]


def peak_mb() -> int:
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) // 1024


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the peak can be reset on Linux only")
def test_notes_of_ten_megabytes_are_stored_whole_and_cut_on_the_lines(pipeline: Pipeline) -> None:
    keys = [a_key(pipeline.server, number) for number in range(3)]
    note = "long\n" * 2_000_000

    def write(invoice: Json) -> None:
        for one in invoice["ServiceOrder"]["Complaints"]:
            one["note"] = note

    for number, key in enumerate(keys):
        pipeline.server.overlay.edit(key, write)
        pipeline.server.overlay.re_date(key, FIRST + timedelta(days=number))
    complaints = sum(len(pipeline.server.overlay.invoice(key)["ServiceOrder"]["Complaints"]) for key in keys)
    Path("/proc/self/clear_refs").write_text("5")
    before = peak_mb()
    assert pipeline.run()["status"] == "SUCCESS"
    assert peak_mb() - before < 300
    stored = pipeline.query(
        """select distinct length(complaint->>'note') from fullbay_raw_data,
            jsonb_array_elements(raw_json_data->'ServiceOrder'->'Complaints') as complaint
        where fullbay_invoice_id = any(%s)""",
        (keys,),
    )
    assert stored == [(len(note),)]
    assert complaints >= len(keys)
    cut = pipeline.query(
        "select distinct complaint_note from fullbay_line_items where fullbay_invoice_id = any(%s)"
        " and complaint_note is not null",
        (keys,),
    )
    assert cut == [(note[:65_536],)]
    assert pipeline.value("select count(*) from invoice_quarantine") == 0


LARGE = {
    "lines": """
        from fullbay_assets.ingestion import build_lines
        from fullbay_assets.flattening import FlatteningRules
        done = build_lines(step, FlatteningRules(), first, first).documents
    """,
    "replay": """
        from fullbay_assets.replay import held_invoices, replay
        from fullbay_assets.resources import FullbayResource
        done = len(replay(step, FullbayResource(), held_invoices(step.main, None, None)).stored)
    """,
}
"""What a process of its own does with forty stored, or twenty held, documents of ten megabytes."""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read as Linux tells it")
@pytest.mark.parametrize("work", LARGE)
def test_memory_follows_neither_the_number_nor_the_size_of_documents(
    warehouse: DatabaseSettings, work: str
) -> None:
    """A chunk was 250 documents whatever their size: forty notes of 10 MB took 457 MB."""
    document = invoice(
        complaint(correction(laborTotal=100, laborHoursTotal=1)), invoiceDate=FIRST.isoformat()
    )
    count = 40 if work == "lines" else 20
    large = f"""
        select number, (%(document)s::jsonb || jsonb_build_object('primaryKey', number::text, 'note', note)) as document
        from generate_series(1, {count}) as number, repeat('long note ', 1000000) as note"""
    if work == "lines":
        query(
            warehouse,
            f"""with large as ({large}), raw as (
                insert into fullbay_raw_data
                    (fullbay_invoice_id, raw_json_data, content_hash, invoice_date, shop_key)
                select number::text, document, repeat('0', 64), %(day)s, 'default' from large returning *
            )
            insert into invoice_headers (fullbay_invoice_id, raw_data_id, shop_key, invoice_date, payload_hash,
                payload_bytes, content_hash)
            select fullbay_invoice_id, id, shop_key, invoice_date, content_hash, 10000000, content_hash from raw""",
            {"document": json.dumps(document), "day": FIRST},
        )
    else:
        query(
            warehouse,
            f"""with large as ({large})
            insert into invoice_quarantine (fullbay_invoice_id, shop_key, invoice_date, stage, reason, message,
                payload, payload_hash, rule_version)
            select number::text, 'default', %(day)s, 'STORE', 'X', 'x', convert_to(document::text, 'UTF8'),
                lpad(number::text, 64, '0'), '1'
            from large""",
            {"document": json.dumps(document), "day": FIRST},
        )
    script = f"""
        from datetime import date
        from fullbay_assets.execution import running_step
        from resources.postgres import PostgresResource
        first = date.fromisoformat("{FIRST}")
        with running_step(PostgresResource(location="FULLBAY"), "large", "large") as step:
            {textwrap.dedent(LARGE[work]).strip().replace(chr(10), chr(10) + " " * 12)}
        # Not getrusage: it starts from the peak of the process that started this one.
        [peak] = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")]
        print(done, int(peak) // 1024)
    """
    finished = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        cwd=ROOT,
        env={
            "PATH": os.defpath,
            "DB_HOST": warehouse.host,
            "DB_PORT": str(warehouse.port),
            "DB_NAME": warehouse.name,
            "DB_USER": "fullbay_etl",
            "DB_PASSWORD": warehouse.password,
            "DB_SSLMODE": "disable",
            "FULLBAY_API_KEY": "key of the test",
        },
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert finished.returncode == 0, finished.stderr
    done, peak = map(int, finished.stdout.split())
    assert done == count
    assert peak < 300


@pytest.mark.parametrize("nothing", ["0000-00-00", "", None, "0000-00-00 00:00:00"])
def test_a_date_that_only_describes_may_be_missing(pipeline: Pipeline, nothing: str | None) -> None:
    key = a_key(pipeline.server)

    def erase(invoice: Json) -> None:
        invoice["dueDate"] = nothing
        order = invoice["ServiceOrder"]
        order.update(created=nothing, startDateTime=nothing, completionDateTime=nothing)

    pipeline.server.overlay.edit(key, erase)
    assert pipeline.run()["status"] == "SUCCESS"
    found = pipeline.query(
        """select distinct due_date, service_order_created, service_order_start_date, service_order_completion_date
        from fullbay_line_items where fullbay_invoice_id = %s""",
        (key,),
    )
    assert found == [(None, None, None, None)]
    assert pipeline.value("select count(*) from invoice_quarantine") == 0


def test_an_unknown_kind_of_line_is_refused_by_the_table(pipeline: Pipeline) -> None:
    with pytest.raises(psycopg2.errors.CheckViolation) as raised:
        pipeline.query(
            """insert into fullbay_line_items (raw_data_id, fullbay_invoice_id, invoice_date, line_item_type)
            values (1, '1', '2026-10-05', 'BRIBE')"""
        )
    assert raised.value.diag.constraint_name == "fullbay_line_items_kind"


def test_an_invoice_with_an_unknown_kind_of_line_is_held_and_costs_no_other(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistake of our own rules, found by the table and not by a reader of the summaries."""
    key = a_key(pipeline.server)

    def mistaken(flats: Any) -> dict[str, str]:
        listed = list(flats)
        rows = landing_rows(listed)
        if any(flat.invoice_id == key for _, flat in listed):
            rows["incoming_lines"] = rows["incoming_lines"].replace("\tPART\t", "\tBRIBE\t")
        return rows

    monkeypatch.setattr("fullbay_assets.line_store.landing_rows", mistaken)
    facts = pipeline.run()
    assert facts["status"] == "PARTIAL"
    assert pipeline.query("select fullbay_invoice_id, stage, reason from invoice_quarantine") == [
        (key, "FLATTEN", "POSTGRES_23514")
    ]
    assert "fullbay_line_items_kind" in pipeline.value("select message from invoice_quarantine")
    assert pipeline.value("select count(*) from fullbay_raw_data where not processed") == 1
    monkeypatch.undo()
    assert pipeline.run()["status"] == "SUCCESS"
    assert pipeline.query("select distinct resolution from invoice_quarantine") == [("SUPERSEDED",)]


# Another server


@dataclass
class Independent:
    """A service that shares nothing with the sandbox but the protocol.

    Its keys are numbers, some beyond 2^53, its shop titles hold letters of several scripts, its pages have three rows,
    its counts are texts, and its envelope has only what the protocol needs. `other`: status and body instead.
    """

    invoices: dict[str, list[Json]]
    page_size: int = 3
    port: int = 0
    other: tuple[int, bytes] | None = None
    asked: list[dict[str, str]] = field(default_factory=list)

    def __enter__(self) -> Independent:
        service = self

        class Handler(_Handler):
            answers = service

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def settings(self) -> FullbaySettings:
        shops = tuple(
            Shop(f"werkstatt-{number}", key, "Müller & Söhne") for number, key in enumerate(self.invoices)
        )
        return FullbaySettings(
            f"http://127.0.0.1:{self.port}/a/b/{{version}}/", "v7.2", shops, public_ip="198.51.100.7"
        )

    def answer(self, path: str, params: dict[str, str]) -> Json:
        key, today = params["key"], datetime.now(UTC).date()
        expected = hashlib.sha1(f"{key}{today}198.51.100.7".encode(), usedforsecurity=False).hexdigest()
        if path != "/a/b/v7.2/getInvoices.php" or params["token"] != expected:
            return {"status": "FAIL", "message": "no"}
        first, last = date.fromisoformat(params["startDate"]), date.fromisoformat(params["endDate"])
        if (last - first).days > 6:
            return {"status": "FAIL", "message": "too long"}
        found = [
            invoice
            for invoice in self.invoices[key]
            if first <= date.fromisoformat(invoice["invoiceDate"]) <= last
        ]
        start = (int(params["page"]) - 1) * self.page_size
        return {
            "totalPages": str(max(1, -(-len(found) // self.page_size))),
            "resultSet": found[start : start + self.page_size],
            "totalCount": str(len(found)),
            "status": "success",
        }


class _Handler(BaseHTTPRequestHandler):
    answers: ClassVar[Independent]

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        params = {name: values[0] for name, values in parse_qs(url.query).items()}
        self.answers.asked.append(params)
        if self.answers.other is None:
            page = self.answers.answer(url.path, params)
            status, body = 200, json.dumps(page, indent=1, ensure_ascii=False).encode()
        else:
            status, body = self.answers.other
        self.send_response(status)
        self.end_headers()  # no Content-Length, no Content-Type: the end of the connection is the end
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing."""


def other_invoices(count: int, first_key: int) -> list[Json]:
    """Invoices over twelve days: big numbers, letters where the sandbox has digits, other shops."""
    made = []
    for number in range(count):
        price, hours = 1_234_567.89 if number == 0 else 10.01 + number, 1 + number % 3
        work = correction(
            primaryKey=first_key * 10 + number,
            laborTotal=100 * hours,
            laborHoursTotal=hours,
            partsTotal=price,
            Parts=[part(primaryKey=first_key * 100 + number, sellingPrice=price, shopPartNumber="Ö-β-№ 7")],
        )
        one = invoice(
            complaint(work, primaryKey=first_key * 1000 + number),
            primaryKey=first_key + number,
            invoiceDate=(FIRST + timedelta(days=number % 12)).isoformat(),
            invoiceNumber=f"RE-{number:05d}/Ä",
            shopTitle=["Werkstatt Süd-Ost", "ガレージ", "Гараж №1"][number % 3],
            Customer={"customerId": 2_147_483_000 + number % 5, "title": "Ōkami"},
        )
        one["ServiceOrder"]["primaryKey"] = first_key * 7 + number
        one["ServiceOrder"]["Unit"]["vin"] = f"VIN{number % 4}"
        made.append(one)
    return made


def test_any_server_that_speaks_the_protocol_will_do(warehouse_as: Callable[[str], DatabaseSettings]) -> None:
    """Nothing may depend on the sandbox's ids, page sizes, field order or hosts."""
    sold = {
        "schlüssel eins": other_invoices(17, 9_007_199_254_740_993),
        "key-2": other_invoices(9, 40_000_000_017),
    }
    last = FIRST + timedelta(days=11)
    with Independent(sold) as service:
        pipeline = Pipeline(warehouse_as("fullbay_etl"), Other(service.settings))  # type: ignore[arg-type]
        pipeline.fullbay = type(pipeline.fullbay).of(service.settings)
        facts = pipeline.run(FIRST, last)
        assert (facts["status"], facts["processed"], facts["inserted"]) == ("SUCCESS", 26, 26)
        everything = [invoice for invoices in sold.values() for invoice in invoices]
        total = sum(Decimal(str(invoice["total"])) for invoice in everything)
        for table in ("daily_summary", "monthly_summary", "customer_summary", "vehicle_summary"):
            assert pipeline.value(f"select sum(total_revenue) from {table}") == total
        keys = {str(invoice["primaryKey"]) for invoice in everything}
        assert {key for (key,) in pipeline.query("select fullbay_invoice_id from fullbay_raw_data")} == keys
        assert pipeline.value("select bool_and(reconciled) from invoice_headers")
        assert {shop for (shop,) in pipeline.query("select distinct shop_title from fullbay_line_items")} == {
            *("Werkstatt Süd-Ost", "ガレージ", "Гараж №1")
        }
        assert pipeline.query("select distinct shop_key from fullbay_raw_data order by 1") == [
            ("werkstatt-0",),
            ("werkstatt-1",),
        ]
        before = writes(pipeline.settings)
        again = pipeline.run(FIRST, last)
        assert (again["processed"], again["inserted"], again["updated"]) == (26, 0, 0)
        assert writes(pipeline.settings) == before
        with dg.DagsterInstance.ephemeral() as instance:
            result = pipeline.materialize(FIRST, last, instance=instance)
            assert result.success
            failed = [check.check_name for check in result.get_asset_check_evaluations() if not check.passed]
            assert failed == []
    assert {(params["startDate"], params["endDate"]) for params in service.asked} == {
        ("2026-10-05", "2026-10-11"),
        ("2026-10-12", "2026-10-16"),
    }


def test_the_raw_document_of_another_server_is_what_it_sent(
    warehouse_as: Callable[[str], DatabaseSettings],
) -> None:
    """Numbers beyond 2^53 and all scripts come back as they came, not as a binary float would show them."""
    [sent] = other_invoices(1, 9_007_199_254_740_993)
    with Independent({"k3": [sent]}) as service:
        pipeline = Pipeline(warehouse_as("fullbay_etl"), Other(service.settings))  # type: ignore[arg-type]
        pipeline.fullbay = type(pipeline.fullbay).of(service.settings)
        pipeline.run(FIRST, FIRST)
    stored = pipeline.value("select raw_json_data::text from fullbay_raw_data")
    assert json.loads(stored, parse_float=Decimal) == json.loads(as_bytes(sent), parse_float=Decimal)
    assert pipeline.query(
        "select distinct fullbay_invoice_id, fullbay_service_order_id from fullbay_line_items"
    ) == [("9007199254740993", str(9_007_199_254_740_993 * 7))]
