"""The command that sets up ShopPulse's database, on a server that has none yet."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from commerce_assets.shoppulse import init_database, tokens
from resources.database import connect
from resources.failures import PermanentError
from resources.settings import forget_secrets
from sandbox.postgres import PostgresServer
from tests.conftest import OWNER, PASSWORD, settings_of
from tests.shoppulse import rows, run

if TYPE_CHECKING:
    from resources.settings import AwsSettings

VERIFIED = [
    "tables: 8 of 8 (tenants, users, orders, fulfillment, marketing_campaigns, role_metric_visibility,"
    " governance_rules, audit_logs)",
    "tenant indexes: 13 of 13; further indexes: 9 of 9",
    "triggers: 7 of 7",
]


@pytest.fixture
def server(
    postgres: PostgresServer, warehouse_template: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[PostgresServer]:
    """A server whose owner login may create databases, as the master user of RDS may; settings without a database."""
    with postgres.session() as connection, connection.cursor() as cursor:
        cursor.execute(f"alter role {OWNER} createdb")
    postgres.drop_database("shoppulse")
    # On RDS the master user may create the extension; here it comes with the template of new databases.
    with postgres.session("template1") as connection, connection.cursor() as cursor:
        cursor.execute("create extension if not exists vector with schema public")
    for name, value in {"HOST": postgres.host, "PORT": str(postgres.port), "SSLMODE": "disable"}.items():
        monkeypatch.setenv(f"DB_{name}", value)
    monkeypatch.chdir("/")  # no .env
    yield postgres
    postgres.drop_database("shoppulse")
    with postgres.session() as connection, connection.cursor() as cursor:
        cursor.execute(f"alter role {OWNER} nocreatedb")
    with postgres.session("template1") as connection, connection.cursor() as cursor:
        cursor.execute("drop extension vector")


@pytest.fixture
def secret(aws: AwsSettings, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The ARN of a secret as RDS keeps it; the host comes from the settings, as a proxy's does."""
    from resources.aws import aws_client

    client = aws_client("secretsmanager", aws)
    value = {"username": OWNER, "password": PASSWORD, "engine": "postgres", "port": 1, "host": "db.invalid"}
    arn = client.create_secret(Name=f"shoppulse-{uuid.uuid4()}", SecretString=json.dumps(value))["ARN"]
    client.close()
    monkeypatch.setenv("DB_SECRET_ARN", arn)
    yield arn
    forget_secrets()


def test_a_new_server_is_set_up_and_a_second_run_changes_nothing(
    server: PostgresServer, secret: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    key = tokens.new_key("first")
    monkeypatch.setenv(tokens.SETTING, tokens.as_setting(key))
    assert init_database.main(["--seed"]) == 0
    first = capsys.readouterr().out.splitlines()
    assert first[0] == f"credentials: from the secret {secret}"
    assert first[1].startswith("connected: PostgreSQL 1")
    assert "database shoppulse: created" in first
    assert "sample data: 51 rows added" in first
    assert "token key: first installed" in first
    assert first[-4:-1] == VERIFIED
    assert init_database.main(["--seed"]) == 0
    second = capsys.readouterr().out.splitlines()
    assert second[2:-4] == [
        "database shoppulse: was there",
        "schema: up to date",
        "sample data: 0 rows added",
        "token key: first was there",
    ]
    assert second[-4:] == first[-4:]
    assert PASSWORD not in str([first, second])
    with closing(connect(settings_of(server, "shoppulse"), application_name="test")) as owner:
        for tenant_id, name in (
            ("T001", "Fashion Boutique"),
            ("T002", "Tech Gadgets Inc"),
            ("T003", "Home Decor Co"),
        ):
            with owner:
                run(owner, "select shoppulse.administer(%s)", (tenant_id,))
                assert rows(owner, "select tenant_name from shoppulse.tenants") == [(name,)]
                assert rows(
                    owner, "select role, count(*) from shoppulse.role_metric_visibility group by 1 order by 1"
                ) == [("Admin", 4), ("Finance", 4), ("Marketing", 4), ("Operations", 4)]
        # Seeded again, a tenant who was erased got his roles back.
        with owner:
            run(owner, "select shoppulse.administer('T003')")
            run(owner, "delete from shoppulse.role_metric_visibility")
            run(owner, "update shoppulse.tenants set is_active = false")
        assert init_database.main(["--seed"]) == 0
        assert "sample data: 0 rows added" in capsys.readouterr().out
        # Nobody but the pipelines makes temporary tables in it.
        assert rows(owner, "select has_database_privilege('shoppulse_app', 'shoppulse', 'temporary')") == [
            (False,)
        ]


def test_without_seed_there_is_no_tenant(
    server: PostgresServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DB_USER", OWNER)
    monkeypatch.setenv("DB_PASSWORD", PASSWORD)
    assert init_database.main(["--database", "shoppulse"]) == 0
    said = capsys.readouterr().out
    assert "credentials: from the settings MIGRATION_DB_* and DB_*\n" in said
    assert "token key: SHOPPULSE_TOKEN_KEY is not set, so no application can enter yet\n" in said
    with server.session("shoppulse") as superuser:
        assert rows(superuser, "select count(*) from shoppulse.tenants") == [(0,)]


def test_a_wrong_password_is_said_at_once_and_creates_nothing(
    server: PostgresServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DB_USER", OWNER)
    monkeypatch.setenv("DB_PASSWORD", "wrong-password")
    assert init_database.main(["--database", "shoppulse"]) == 1
    said = capsys.readouterr().err
    assert "password authentication failed" in said
    assert "Check the DB_* settings" in said
    with server.session() as superuser:
        assert rows(superuser, "select count(*) from pg_database where datname = 'shoppulse'") == [(0,)]


def test_a_login_that_may_not_create_the_database_is_told_who_can(
    server: PostgresServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with server.session() as connection, connection.cursor() as cursor:
        cursor.execute(f"alter role {OWNER} nocreatedb")
    monkeypatch.setenv("DB_USER", OWNER)
    monkeypatch.setenv("DB_PASSWORD", PASSWORD)
    assert init_database.main(["--database", "shoppulse"]) == 1
    said = capsys.readouterr().err
    assert "creating the database shoppulse" in said
    assert f"Let an administrator create it, owned by {OWNER}" in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"password": "x"}', "no username"),
        ('{"username": "x"}', "no password"),
        ("not json", "a value that is not JSON"),
    ],
)
def test_a_secret_without_credentials_is_named(aws: AwsSettings, text: str, said: str) -> None:
    from resources.aws import aws_client

    client = aws_client("secretsmanager", aws)
    name = f"shoppulse-{uuid.uuid4()}"
    client.create_secret(Name=name, SecretString=text)
    client.close()
    env = {
        "DB_SECRET_ARN": name,
        "DB_HOST": "h",
        "AWS_ENDPOINT_URL": str(aws.endpoint_url),
        "AWS_REGION": aws.region,
    }
    with pytest.raises(PermanentError, match=said) as raised:
        init_database.init_settings(env)
    assert name in str(raised.value)
    forget_secrets()


def test_everything_that_is_missing_is_named(shoppulse_database: str, postgres: PostgresServer) -> None:
    settings = settings_of(postgres, shoppulse_database)
    with closing(connect(settings, application_name="test")) as owner:
        with owner:
            for change in (
                "drop index shoppulse.idx_orders_date",
                "drop index shoppulse.idx_audit_action",
                "create index idx_audit_action on shoppulse.audit_logs (action)",
                "alter table shoppulse.users disable trigger update_users_updated_at",
                "alter table shoppulse.orders no force row level security",
            ):
                run(owner, change)
        with pytest.raises(PermanentError, match="verifying the schema shoppulse") as raised:
            init_database.verify(owner)
    assert raised.value.found == (
        "table orders is open: no forced row security; index idx_orders_date is missing;"
        " index idx_audit_action is on audit_logs action; trigger update_users_updated_at is missing"
    )


@pytest.fixture
def shoppulse_database(shoppulse: object, warehouse: object) -> str:
    return str(warehouse.name)  # type: ignore[attr-defined]
