"""The sandbox as a whole, on a copy of the tree: up, up again, down, and what happens to `.env`."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg2
import pytest
from dotenv import dotenv_values

from commerce_assets.shoppulse import tokens
from fullbay_assets.protocol import token
from resources.database import connect
from resources.settings import database_settings
from sandbox.processes import LOCALHOST, birth_mark
from sandbox.state import MARKER, Sandbox
from tests.conftest import ROOT, guarded
from tests.shoppulse import rows

COPIED = (
    "sandbox", "resources", "sql", "fullbay_assets", "odoo_apn_assets", "commerce_assets",
    "dagster.yaml", "workspace.yaml",
)  # fmt: skip
SOURCE_URLS = ("ODOO_DATABASE_URL", "APN_DATABASE_URL")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A checkout of its own (with a space in its path), with its sandbox up."""
    tree = tmp_path_factory.mktemp("a checkout")
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif (ROOT / name).exists():
            shutil.copy(ROOT / name, tree / name)
    with guarded(tree / ".sandbox" / "postgres"), guarded(tree / ".sandbox" / "sources"):
        try:
            done = sandbox_command(tree, "up")
            assert done.returncode == 0, done.stdout + done.stderr
            yield tree
        finally:
            sandbox_command(tree, "clean", "--yes")


def sandbox_command(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "sandbox", *arguments], cwd=tree, capture_output=True, text=True, timeout=120
    )


def settings(tree: Path) -> dict[str, str]:
    return {name: value or "" for name, value in dotenv_values(tree / ".env").items()}


def pids(tree: Path) -> list[int | None]:
    return [row.pid for row in Sandbox(tree).status()]


def test_six_runs_started_at_once_on_a_new_machine_all_work(tree: Path) -> None:
    """The first use of Dagster's storage and of the warehouse by six processes at the same moment, two on the same day.

    Those two take turns by step; the one that would have to wait longer than 4 s for the other's lease is refused by
    name. First in this file, because the machine must be new: no Dagster command has run. It is the slowest test of the
    suite (six imports of Dagster on two cores), so both cases share one start.
    """
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    days = [yesterday - timedelta(days=n) for n in (4, 3, 2, 1, 0, 0)]
    command = [sys.executable, "-m", "dagster", "asset", "materialize", "-m", "fullbay_assets.definitions"]
    runs = [
        subprocess.Popen(
            [*command, "--select", "*", "--partition", str(day)],
            cwd=tree, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )
        for day in days
    ]  # fmt: skip
    said = [run.communicate(timeout=180)[0] for run in runs]
    statuses = [run.returncode for run in runs]
    assert statuses[:4] == [0, 0, 0, 0], said[:4]
    assert 0 in statuses[4:], said[4:]
    for status, text in zip(statuses[4:], said[4:], strict=True):
        assert status == 0 or "taking the write lease on fullbay invoices" in text, text
    env = settings(tree)
    with psycopg2.connect(
        host=env["DB_HOST"], port=env["DB_PORT"], dbname=env["DB_NAME"],
        user=env["FULLBAY_DB_USER"], password=env["FULLBAY_DB_PASSWORD"],
    ) as connection, connection.cursor() as cursor:  # fmt: skip
        cursor.execute("set search_path = fullbay, public")
        cursor.execute("select invoice_date, sum(total_amount) from invoice_headers group by 1 order by 1")
        stored = cursor.fetchall()
        cursor.execute("select summary_date, total_revenue from daily_summary order by 1")
        assert cursor.fetchall() == stored
        assert {day for day, _ in stored} == set(days)
        cursor.execute("select count(*) from fullbay_raw_data where version > 1 or not processed")
        assert cursor.fetchall() == [(0,)], "nothing was written twice, and no document waits for its lines"
        cursor.execute(
            "select count(*) filter (where status in ('SUCCESS', 'PARTIAL')),"
            " count(*) filter (where status = 'RUNNING') from ingestion_metadata"
        )
        assert cursor.fetchall() == [(statuses.count(0), 0)]
    connection.close()


def test_everything_answers_after_up(tree: Path) -> None:
    assert all(row.running for row in Sandbox(tree).status())
    env = settings(tree)
    assert env["DAGSTER_HOME"] == str(tree)
    assert urllib.request.urlopen(f"{env['AWS_ENDPOINT_URL']}/{env['UPLOAD_BUCKET']}").status == 200


@pytest.mark.parametrize(
    "prefix", ["", "DAGSTER_", "FULLBAY_", "ODOO_APN_", "COMMERCE_", "SHOPPULSE_", "ANALYST_"]
)
def test_every_login_of_env_gets_in(tree: Path, prefix: str) -> None:
    env = settings(tree)
    psycopg2.connect(
        host=env["DB_HOST"],
        port=env["DB_PORT"],
        dbname=env.get(f"{prefix}DB_NAME", env["DB_NAME"]),
        user=env[f"{prefix}DB_USER"],
        password=env[f"{prefix}DB_PASSWORD"],
    ).close()


def test_the_database_accepts_what_the_key_of_env_has_signed(tree: Path) -> None:
    env = settings(tree)
    with closing(connect(database_settings("SHOPPULSE", env), application_name="test")) as app, app:
        ((challenge,),) = rows(app, "select shoppulse.challenge()")
    assert challenge
    with closing(connect(database_settings("MIGRATION", env), application_name="test")) as owner, owner:
        ((challenge,),) = rows(owner, "select shoppulse.challenge()")
        signed = tokens.issue(tokens.token_key(env), "T001", "U101", challenge)
        assert rows(owner, "select shoppulse.verified_token(%s) ->> 'tenant'", (signed,)) == [("T001",)]


def test_the_analyst_does_not_get_into_dagsters_database(tree: Path) -> None:
    env = settings(tree)
    with pytest.raises(psycopg2.OperationalError, match="permission denied"):
        psycopg2.connect(
            host=LOCALHOST, port=env["DB_PORT"], dbname="dagster",
            user=env["ANALYST_DB_USER"], password=env["ANALYST_DB_PASSWORD"],
        )  # fmt: skip


def test_env_holds_secrets_and_is_private(tree: Path) -> None:
    assert stat.S_IMODE((tree / ".env").stat().st_mode) == 0o600
    assert (tree / ".env").read_text().startswith(MARKER)


def test_no_password_is_in_the_postgres_log(tree: Path) -> None:
    logs = "".join((tree / ".sandbox" / name / "server.log").read_text() for name in ("postgres", "sources"))
    values = settings(tree)
    passwords = {name: value for name, value in values.items() if name.endswith("_PASSWORD")}
    passwords |= {name: str(urlsplit(values[name]).password) for name in SOURCE_URLS}
    assert [name for name, password in passwords.items() if password in logs] == []


@pytest.mark.parametrize("name", SOURCE_URLS)
def test_the_source_addresses_of_env_lead_to_data_on_another_server(tree: Path, name: str) -> None:
    table = "crm_lead" if name == "ODOO_DATABASE_URL" else "opportunity"
    env = settings(tree)
    assert urlsplit(env[name]).port != int(env["DB_PORT"])
    assert rows_of(env[name], table) >= 1000


def test_the_sources_are_built_once(tree: Path) -> None:
    """A row deleted there is still gone after the next `up`: what a user does to the sources stays."""
    url = settings(tree)["ODOO_DATABASE_URL"]
    before = rows_of(url, "crm_lead")
    done = subprocess.run(
        [sys.executable, "-m", "sandbox.odoo_apn", "edit", "--odoo", "20", "--seed", "4"],
        cwd=tree, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "odoo deleted: 2 crm_lead" in done.stdout
    assert rows_of(url, "crm_lead") == before + 4 - 2
    assert sandbox_command(tree, "up").returncode == 0
    assert rows_of(url, "crm_lead") == before + 4 - 2


def test_a_column_is_added_from_the_command_line_and_a_mistake_is_explained(tree: Path) -> None:
    command = [sys.executable, "-m", "sandbox.odoo_apn", "edit"]

    def edit(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*command, *arguments], cwd=tree, capture_output=True, text=True, timeout=60)

    assert edit("--add-column", "crm_stage.c_new:integer").returncode == 0
    again = edit("--add-column", "crm_stage.c_new:integer")
    assert again.returncode == 1
    assert "already exists" in again.stderr
    assert "no table" in edit("--drop-column", "nothing.here").stderr


def rows_of(url: str, table: str) -> int:
    connection = psycopg2.connect(url)
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"select count(*) from {table}")
            return int(cursor.fetchone()[0])  # type: ignore[index]
    finally:
        connection.close()


def test_up_again_changes_nothing(tree: Path) -> None:
    before, text = pids(tree), (tree / ".env").read_text()
    done = sandbox_command(tree, "up")
    assert "up already" in done.stdout, done.stdout + done.stderr
    assert pids(tree) == before
    assert (tree / ".env").read_text() == text


def test_several_up_at_once_after_down_start_each_server_once(tree: Path) -> None:
    assert sandbox_command(tree, "down").returncode == 0
    assert pids(tree) == [None, None, None, None]
    text = (tree / ".env").read_text()
    command = [sys.executable, "-m", "sandbox", "up"]
    starters = [
        subprocess.Popen(command, cwd=tree, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for _ in range(3)
    ]
    said = [starter.communicate(timeout=120)[0] for starter in starters]
    assert [starter.returncode for starter in starters] == [0, 0, 0], said
    assert sum("The sandbox is up." in text for text in said) == 1
    assert all(row.running for row in Sandbox(tree).status())
    assert (tree / ".env").read_text() == text, "ports and passwords are kept"


def test_a_recycled_pid_is_not_killed(tree: Path) -> None:
    """The record names a pid; when that belongs to another program by now, `down` must leave it alone."""
    record = tree / ".sandbox" / "servers" / "aws.json"
    text = record.read_text()
    bystander = subprocess.Popen(["sleep", "60"])
    try:
        pid = Sandbox(tree).aws.pid
        record.write_text(text.replace(f'"pid": {pid}', f'"pid": {bystander.pid}'))
        assert Sandbox(tree).aws.pid is None
        assert not Sandbox(tree).aws.stop()
        assert birth_mark(bystander.pid) is not None
    finally:
        record.write_text(text)
        bystander.kill()
        bystander.wait()


def test_lines_and_values_of_the_user_stay_in_our_env(tree: Path) -> None:
    env = tree / ".env"
    before = env.read_text()
    own = before.replace("LOG_LEVEL=INFO", "LOG_LEVEL=DEBUG") + "EMBEDDING_URL=http://embed.example\n"
    env.write_text(own)
    try:
        assert sandbox_command(tree, "up").returncode == 0
        assert env.read_text() == own
    finally:
        env.write_text(before)


def asked(tree: Path, key: str) -> dict[str, Any]:
    """What the source server answers to a key, with the token that belongs to it."""
    base = settings(tree)["FULLBAY_API_BASE_URL"]
    today = datetime.now(UTC).date()
    mark = token(key, today, LOCALHOST)
    query = f"startDate={today}&endDate={today}&page=1&key={key}&token={mark}"
    with urllib.request.urlopen(f"{base}getInvoices.php?{query}") as answer:
        return dict(json.load(answer))


def test_a_wrong_key_in_env_is_refused_and_up_does_not_make_it_right(tree: Path) -> None:
    """`make up` once gave the server whatever key stood in `.env`: the runbook's first symptom could not be shown."""
    env = tree / ".env"
    before = env.read_text()
    right = settings(tree)["FULLBAY_API_KEY"]
    env.write_text(before.replace(right, "a-wrong-key"))
    try:
        assert sandbox_command(tree, "up").returncode == 0
        assert settings(tree)["FULLBAY_API_KEY"] == "a-wrong-key"
        assert asked(tree, "a-wrong-key") == {"status": "FAIL", "message": "Invalid API key"}
        assert asked(tree, right)["status"] == "SUCCESS"
    finally:
        env.write_text(before)


def test_edits_at_the_source_outlive_down_and_up(tree: Path) -> None:
    base = settings(tree)["FULLBAY_API_BASE_URL"].removesuffix("services/")
    order = {
        "action": "add",
        "shop_key": "NORTH",
        "day": "2026-01-05",
        "text": '{"primaryKey": "1", "total": 7}',
    }
    totals = f"{base}_sandbox/totals?startDate=2026-01-05&endDate=2026-01-05"
    urllib.request.urlopen(f"{base}_sandbox/edits", data=json.dumps(order).encode())
    try:
        assert sandbox_command(tree, "down").returncode == 0
        assert sandbox_command(tree, "up").returncode == 0
        assert json.load(urllib.request.urlopen(totals))["NORTH"] == {"invoices": 1, "total_cents": 700}
    finally:
        urllib.request.urlopen(urllib.request.Request(f"{base}_sandbox/edits", method="DELETE"))
    assert json.load(urllib.request.urlopen(totals))["NORTH"]["invoices"] == 0


def test_an_env_without_our_mark_is_never_touched(tree: Path, tmp_path: Path) -> None:
    other = tmp_path / "checkout"
    shutil.copytree(tree, other, ignore=shutil.ignore_patterns(".sandbox", "__pycache__"))
    own = "".join((tree / ".env").read_text().splitlines(keepends=True)[1:])
    (other / ".env").write_text(own)
    done = sandbox_command(other, "up")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no server is started" in done.stdout
    assert (other / ".env").read_text() == own
    assert not (other / ".sandbox" / "servers" / "aws.json").exists()


def test_an_env_of_the_users_own_hears_of_everything_it_lacks(tmp_path: Path) -> None:
    for name in COPIED:
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, tmp_path / name)
    (tmp_path / ".env").write_text("DB_HOST=db.example\nDAGSTER_DB_HOST=db.example\n")
    done = sandbox_command(tmp_path, "up")
    assert done.returncode == 1
    wanted = "DB_USER, DB_PASSWORD, DAGSTER_HOME, DAGSTER_STATE_DIR, DAGSTER_DB_PORT, DAGSTER_DB_NAME"
    assert f"missing: {wanted}" in done.stderr


def test_clean_without_a_terminal_wants_a_yes(tree: Path) -> None:
    done = sandbox_command(tree, "clean")
    assert done.returncode == 1
    assert "make clean YES=1" in done.stderr
    assert all(row.running for row in Sandbox(tree).status())


def test_nothing_but_env_and_the_state_folder_is_written(tree: Path) -> None:
    there = {name for name in os.listdir(tree) if name not in COPIED}
    assert there == {".env", ".sandbox"}
