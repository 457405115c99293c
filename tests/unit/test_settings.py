"""Settings: names, defaults, errors that name everything at once, and secrets from Secrets Manager."""

from __future__ import annotations

import json
import os
import re
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import boto3  # type: ignore[import-untyped]
import pytest
from moto import mock_aws

from resources import settings as module
from resources.failures import PermanentError, TransientError
from resources.redaction import redact
from resources.settings import (
    DAGSTER_SETTINGS,
    AwsSettings,
    DatabaseSettings,
    MissingSettings,
    aws_settings,
    check_dagster_settings,
    check_url,
    database_settings,
    forget_secrets,
    fullbay_settings,
    read_env_file,
    source_database,
    upload_bucket,
)

DATABASE = {"DB_HOST": "db", "DB_USER": "etl", "DB_PASSWORD": "canary-db-password"}
KEY = "canary-11111111-2222"


@pytest.fixture
def secrets_manager(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name, value in {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    forget_secrets()
    with mock_aws():
        yield boto3.client("secretsmanager", region_name="us-east-1")
    forget_secrets()


def test_database_settings_have_the_defaults_of_the_printed_table() -> None:
    found = database_settings("FULLBAY", DATABASE)
    assert (found.host, found.port, found.name, found.user) == ("db", 5432, "fullbay_data", "etl")
    assert found.sslmode == "prefer"


def test_the_password_is_in_no_text_of_the_settings() -> None:
    found = database_settings("FULLBAY", DATABASE)
    assert "canary" not in repr(found) + str(found)
    assert redact("canary-db-password") == "***"


def test_each_location_may_live_on_a_server_of_its_own() -> None:
    env = {
        **DATABASE,
        "ODOO_APN_DB_HOST": "other",
        "ODOO_APN_DB_PORT": "6000",
        "ODOO_APN_DB_NAME": "apn",
        "ODOO_APN_DB_USER": "apn_etl",
        "ODOO_APN_DB_PASSWORD": "canary-other",
        "ODOO_APN_DB_SSLMODE": "verify-full",
    }
    own = database_settings("ODOO_APN", env)
    assert (own.host, own.port, own.name, own.user) == ("other", 6000, "apn", "apn_etl")
    assert (own.password, own.sslmode) == ("canary-other", "verify-full")
    assert database_settings("COMMERCE", env).host == "db"


def test_all_missing_names_come_at_once_and_an_empty_value_is_missing() -> None:
    with pytest.raises(MissingSettings, match="missing: DB_HOST, DB_USER, DB_PASSWORD") as raised:
        database_settings("FULLBAY", {"DB_USER": "  "})
    assert raised.value.names == ("DB_HOST", "DB_USER", "DB_PASSWORD")


def test_missing_and_wrong_values_are_told_together() -> None:
    with pytest.raises(MissingSettings) as raised:
        database_settings("FULLBAY", {"DB_HOST": "db", "DB_PORT": "5432x", "DB_SSLMODE": "on"})
    assert "missing: DB_USER, DB_PASSWORD" in str(raised.value)
    assert "DB_PORT='5432x' (must be a whole number from 1 to 65535)" in str(raised.value)
    assert "DB_SSLMODE='on' (must be one of disable, allow, prefer" in str(raised.value)


def test_fullbay_settings_have_the_documented_defaults() -> None:
    found = fullbay_settings({"FULLBAY_API_KEY": KEY})
    assert found.endpoint("getInvoices.php") == "https://app.fullbay.com/services/getInvoices.php"
    assert (found.api_version, found.public_ip, found.lookback_days) == ("v1", None, 30)
    assert (found.time_zone, found.dirty_cores) == ("America/New_York", "refund")
    assert [shop.key for shop in found.shops] == ["default"]
    assert KEY not in repr(found)


def test_the_version_replaces_its_place_in_the_base_url() -> None:
    env = {
        "FULLBAY_API_KEY": KEY,
        "FULLBAY_API_BASE_URL": "https://api.example.com/{version}",
        "FULLBAY_API_VERSION": "v2",
    }
    assert fullbay_settings(env).endpoint("x.php") == "https://api.example.com/v2/x.php"


def test_each_key_is_a_shop_in_the_order_of_the_shop_keys() -> None:
    env = {
        "FULLBAY_API_KEY_WEST": "key-west",
        "FULLBAY_SHOP_NAME_WEST": "Example Truck Repair - West",
        "FULLBAY_API_KEY": "key-main",
        "FULLBAY_API_KEY_EAST": "key-east",
        "FULLBAY_API_KEY_EMPTY": "",
    }
    shops = fullbay_settings(env).shops
    assert [(shop.key, shop.api_key, shop.name) for shop in shops] == [
        ("default", "key-main", None),
        ("east", "key-east", None),
        ("west", "key-west", "Example Truck Repair - West"),
    ]


def test_one_api_key_for_two_shops_is_refused_without_showing_it() -> None:
    """It would read every invoice twice, under two shops."""
    with pytest.raises(PermanentError, match=r"FULLBAY_API_KEY_B .clashes with the key of shop a") as raised:
        fullbay_settings({"FULLBAY_API_KEY_A": KEY, "FULLBAY_API_KEY_B": KEY})
    assert KEY not in str(raised.value)


def test_no_key_at_all_is_a_missing_setting() -> None:
    with pytest.raises(MissingSettings, match="missing: FULLBAY_API_KEY"):
        fullbay_settings({})


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("FULLBAY_LOOKBACK_DAYS", "-1", "whole number"),
        ("FULLBAY_LOOKBACK_DAYS", "1_0", "whole number"),
        ("FULLBAY_LOOKBACK_DAYS", "١٢", "whole number"),
        ("FULLBAY_DIRTY_CORES", "maybe", "refund or charge"),
        ("FULLBAY_TIME_ZONE", "Mars/Olympus", "IANA time zone"),
        ("FULLBAY_PUBLIC_IP", "unknown", "4 octets"),
        ("FULLBAY_READ_TIMEOUT", "soon", "number of seconds"),
        ("FULLBAY_API_VERSION", "v1/../x", "short word"),
        ("FULLBAY_API_BASE_URL", "http://app.fullbay.com/services/", "scheme 'http'"),
    ],
)
def test_a_value_that_cannot_be_is_named_with_the_reason(name: str, value: str, reason: str) -> None:
    with pytest.raises(PermanentError, match=reason) as raised:
        fullbay_settings({"FULLBAY_API_KEY": KEY, name: value})
    assert name in str(raised.value)
    assert not isinstance(raised.value, MissingSettings)


@pytest.mark.parametrize(
    "url", ["https://host/", "http://127.0.0.1:8000/services", "http://localhost/x", "http://[::1]:80/"]
)
def test_a_url_that_keeps_secrets_on_the_way_is_taken(url: str) -> None:
    check_url(url, doing="testing")


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "http://127.0.0.1.example.com/",
        "ftp://host/",
        "host/path",
        "https://",
        "https://user:pw@host/",
        "https://host/?key=1",
        "http://[::1/",
        "https://host:port/",
    ],
)
def test_every_other_url_is_refused(url: str) -> None:
    with pytest.raises(PermanentError):
        check_url(url, doing="testing")


def test_an_env_file_fills_gaps_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / ".env"
    path.write_text("SETTING_A=from file  # a comment\nSETTING_B=from file\nexport SETTING_C='x y'\n")
    monkeypatch.setenv("SETTING_B", "from environment")
    for name in ("SETTING_A", "SETTING_C"):
        monkeypatch.setenv(name, "remembered for the end of the test")
        del os.environ[name]
    assert read_env_file(path) == ["SETTING_A", "SETTING_C"]
    assert [os.environ[f"SETTING_{x}"] for x in "ABC"] == ["from file", "from environment", "x y"]
    assert read_env_file(tmp_path / "missing") == []


def test_secrets_manager_wins_over_the_environment(secrets_manager: Any) -> None:
    values = {"fullbay_api_key": "sm-key", "fullbay_api_key_north": "sm-north", "db_password": "sm-pass"}
    secrets_manager.create_secret(Name="creds", SecretString=json.dumps(values))
    env = {**DATABASE, "FULLBAY_API_KEY": KEY, "SECRETS_MANAGER_SECRET_NAME": "creds"}
    shops = fullbay_settings(env).shops
    assert [(shop.key, shop.api_key) for shop in shops] == [("default", "sm-key"), ("north", "sm-north")]
    assert database_settings("FULLBAY", env).password == "sm-pass"
    assert redact("sm-north sm-pass") == "*** ***"


def test_a_locations_own_password_goes_before_the_general_one(secrets_manager: Any) -> None:
    secrets_manager.create_secret(
        Name="creds",
        SecretString=json.dumps({"db_password": "sm-pass", "commerce_db_password": "sm-commerce"}),
    )
    env = {**DATABASE, "SECRETS_MANAGER_SECRET_NAME": "creds", "FULLBAY_DB_PASSWORD": "env-fullbay"}
    assert database_settings("COMMERCE", env).password == "sm-commerce"
    assert database_settings("FULLBAY", env).password == "env-fullbay"
    assert database_settings("ODOO_APN", env).password == "sm-pass"


def test_a_rotated_secret_is_seen_after_at_most_five_minutes(
    secrets_manager: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The current stage is asked for by name: without it, the stand-in keeps giving the old version."""
    secrets_manager.create_secret(Name="creds", SecretString=json.dumps({"db_password": "old-pass"}))
    env = {**DATABASE, "SECRETS_MANAGER_SECRET_NAME": "creds"}
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    assert database_settings("FULLBAY", env).password == "old-pass"
    secrets_manager.put_secret_value(SecretId="creds", SecretString=json.dumps({"db_password": "new-pass"}))
    now[0] += 299
    assert database_settings("FULLBAY", env).password == "old-pass"
    now[0] += 2
    assert database_settings("FULLBAY", env).password == "new-pass"


@pytest.mark.parametrize(
    ("stored", "found"),
    [
        (None, "ResourceNotFoundException"),
        ("canary-not-json", "not JSON"),
        ('["canary"]', "type list"),
        ('{"db_password": {"canary": 1}}', "no text: db_password"),
    ],
)
def test_an_unusable_secret_is_a_permanent_error_that_shows_nothing_of_it(
    secrets_manager: Any, stored: str | None, found: str
) -> None:
    if stored is not None:
        secrets_manager.create_secret(Name="creds", SecretString=stored)
    with pytest.raises(PermanentError, match=found) as raised:
        database_settings("FULLBAY", {**DATABASE, "SECRETS_MANAGER_SECRET_NAME": "creds"})
    assert "canary" not in str(raised.value)


def test_secrets_manager_out_of_reach_is_transient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    slept: list[float] = []
    monkeypatch.setattr(module, "retrying", lambda work, doing: module_retrying(work, doing, slept))
    env = {**DATABASE, "SECRETS_MANAGER_SECRET_NAME": "creds", "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    with pytest.raises(TransientError, match="reading the secret creds"):
        database_settings("FULLBAY", env)
    assert slept == [2.0, 4.0, 8.0]


def module_retrying(work: Any, doing: str, slept: list[float]) -> Any:
    from resources.failures import retrying

    return retrying(work, doing=doing, sleep=slept.append)


def test_what_dagster_needs_is_named_all_at_once() -> None:
    """Dagster's own commands stop at the first setting of dagster.yaml that has no value."""
    given = dict.fromkeys(DAGSTER_SETTINGS, "x") | {"DAGSTER_DB_HOST": " "}
    del given["DAGSTER_STATE_DIR"], given["DAGSTER_DB_PASSWORD"]
    with pytest.raises(MissingSettings) as missing:
        check_dagster_settings(given)
    assert missing.value.names == ("DAGSTER_STATE_DIR", "DAGSTER_DB_HOST", "DAGSTER_DB_PASSWORD")
    check_dagster_settings(dict.fromkeys(DAGSTER_SETTINGS, "x"))


def test_the_settings_of_dagster_are_those_of_its_file() -> None:
    text = (Path(__file__).parent.parent.parent / "dagster.yaml").read_text()
    assert {*re.findall(r"env: (\w+)", text), "DAGSTER_HOME"} == set(DAGSTER_SETTINGS)


# -- the URL of a source database


def source_of(url: str) -> DatabaseSettings:
    return source_database("ODOO_DATABASE_URL", {"ODOO_DATABASE_URL": url})


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg2", "postgres"])
def test_a_source_url_is_taken_apart(scheme: str) -> None:
    found = source_of(f"{scheme}://reader:secret@odoo.example.com:5433/odoo?sslmode=verify-full")
    assert (found.host, found.port, found.name, found.user) == ("odoo.example.com", 5433, "odoo", "reader")
    assert (found.password, found.sslmode) == ("secret", "verify-full")


def test_a_source_url_has_the_usual_port_and_tls_where_there_is_any() -> None:
    found = source_of("postgresql://reader:secret@odoo.example.com/odoo")
    assert (found.port, found.sslmode) == (5432, "prefer")


@pytest.mark.parametrize("password", ["p@ss/w?rd#1:%+ ", "ünïcode", "a+b", "%41", "'; drop", "\\"])
def test_special_characters_of_a_source_url_stand_as_percent_signs(password: str) -> None:
    quoted = quote(password, safe="")
    found = source_of(f"postgresql://{quote('re@der', safe='')}:{quoted}@h/{quote('my db', safe='')}")
    assert (found.user, found.password, found.name) == ("re@der", password, "my db")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://reader:hidden-pass@:5432/odoo",
        "postgresql://:hidden-pass@host/odoo",
        "postgresql://reader:hidden-pass@host",
        "postgresql://reader:hidden-pass@host/",
        "postgresql://reader:hidden-pass@host:port/odoo",
        "postgresql://reader:hidden-pass@host:99999/odoo",
        "postgresql://reader:hidden-pass/with-slash@host/odoo",
        "postgresql://reader:hidden-pass#hash@host/odoo",
        "postgresql://reader:hidden-pass?mark@host/odoo",
        "postgresql://reader:hidden-pass@[::1/odoo",
        "postgresql://reader:hidden-pass@host/odoo?sslmode=sometimes",
        "postgresql://reader:hidden-pass@host/odoo?sslmode",
        "postgresql://reader:hidden-pass@host/odoo?password=hidden-pass",
        "mysql://reader:hidden-pass@host/odoo",
        "host=host user=reader password=hidden-pass dbname=odoo",
        "hidden-pass",
    ],
)
def test_a_source_url_that_is_none_is_refused_and_not_shown(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(PermanentError) as refused:
        source_of(url)
    shown = "".join(traceback.format_exception(refused.value)) + repr(refused.value.args) + caplog.text
    assert "hidden-pass" not in shown
    assert "reading ODOO_DATABASE_URL" in str(refused.value)
    assert "user:password, @, host:port/database" in str(refused.value)


def test_a_source_url_that_is_not_set_is_a_missing_setting() -> None:
    with pytest.raises(MissingSettings, match="APN_DATABASE_URL"):
        source_database("APN_DATABASE_URL", {"APN_DATABASE_URL": " "})


def test_url_and_password_of_a_source_are_masked_from_then_on() -> None:
    url = "postgresql://reader:p%40ss-hidden@host/odoo"
    source_of(url)
    assert redact(f"{url} p@ss-hidden p%40ss-hidden") == "*** *** ***"
    assert "hidden" not in repr(source_of(url))


# -- AWS ----------------------------------------------------------------------------------------------------


def test_aws_settings_have_a_region_and_no_address_by_default() -> None:
    assert aws_settings({}) == AwsSettings("us-east-1", None)
    given = {"AWS_DEFAULT_REGION": "eu-west-1", "AWS_ENDPOINT_URL": "http://127.0.0.1:15000"}
    assert aws_settings(given) == AwsSettings("eu-west-1", "http://127.0.0.1:15000")
    assert aws_settings({**given, "AWS_REGION": "eu-central-1"}).region == "eu-central-1"


def test_aws_settings_ask_no_secret_and_mask_the_keys() -> None:
    """Secrets Manager is reached by them, so they cannot wait for it."""
    env = {"SECRETS_MANAGER_SECRET_NAME": "unreachable", "AWS_SECRET_ACCESS_KEY": "canary/aws/secret"}
    assert aws_settings(env).endpoint_url is None
    assert redact("canary/aws/secret") == "***"


@pytest.mark.parametrize(
    ("name", "value"),
    [("AWS_REGION", "Frankfurt am Main"), ("AWS_ENDPOINT_URL", "http://elsewhere.example")],
)
def test_an_aws_setting_that_cannot_be_is_named(name: str, value: str) -> None:
    with pytest.raises(PermanentError, match=name):
        aws_settings({name: value})


def test_the_upload_bucket_has_no_default_and_is_a_buckets_name() -> None:
    assert upload_bucket({"UPLOAD_BUCKET": "vendor-uploads"}) == "vendor-uploads"
    with pytest.raises(MissingSettings, match="UPLOAD_BUCKET"):
        upload_bucket({})
    with pytest.raises(PermanentError, match="must be the name of a bucket"):
        upload_bucket({"UPLOAD_BUCKET": "s3://Vendor_Uploads"})
