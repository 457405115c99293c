"""Every setting, read from the environment or Secrets Manager, checked at the edge, and typed.

Belongs here: names, defaults, bounds, and where a secret comes from. Secrets are registered for redaction
as they are read. Does not belong here: opening connections. Nothing is read at import.

A name that is set to the empty string counts as missing, so a copied `.env.example` fails with a list of
names.
"""

from __future__ import annotations

import json
import logging
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address, ip_address
from typing import Literal, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit
from zoneinfo import ZoneInfo

from resources.failures import PermanentError, PipelineError, permanent, retrying, transient
from resources.redaction import register_secret

T = TypeVar("T")

Location = Literal["FULLBAY", "ODOO_APN", "COMMERCE", "SHOPPULSE", "SHOPPULSE_MAINTENANCE", "MIGRATION"]
DirtyCores = Literal["refund", "charge"]

DEFAULT_SHOP = "default"
DEFAULT_BASE_URL = "https://app.fullbay.com/services/"
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
# A rotated secret is seen after at most this long, and Secrets Manager is asked at most this often.
SECRET_LIFETIME_SECONDS = 300.0

# The password or the query of a URL.
_MAY_HOLD_A_SECRET = re.compile(r"[@?=]")
_SHOP_KEY_NAME = re.compile(r"FULLBAY_API_KEY_([A-Za-z0-9_]+)", re.IGNORECASE)
_LONGEST_SHOP_KEY = 50  # width of every shop_key column

_NOT_JSON = object()

# What RDS keeps in a secret beside the password: masked, messages would not say where and as whom.
_KEPT_BESIDE_A_PASSWORD = frozenset(
    (
        "username",
        "engine",
        "host",
        "port",
        "dbname",
        "dbinstanceidentifier",
        "dbclusteridentifier",
        "masterarn",
    )
)

_secrets_read: dict[tuple[str, str, str], tuple[float, Mapping[str, str]]] = {}


class MissingSettings(PermanentError):
    """Names that have no value; all of them at once, so that one look at the message is enough."""

    def __init__(self, doing: str, found: str, do_next: str) -> None:
        super().__init__(doing, found, do_next)
        self.names: tuple[str, ...] = ()


@dataclass(frozen=True)
class DatabaseSettings:
    """Where one Postgres database is and who connects to it."""

    host: str
    port: int
    name: str
    user: str
    password: str = field(repr=False)
    sslmode: str = "prefer"

    def __str__(self) -> str:
        return f"{self.user}@{self.host}:{self.port}/{self.name}"


@dataclass(frozen=True)
class Shop:
    """One Fullbay shop: `key` is our short name for it (column shop_key), `api_key` its secret."""

    key: str
    api_key: str = field(repr=False)
    name: str | None = None


@dataclass(frozen=True)
class EmbeddingSettings:
    """The OpenAI-style embedding service, or `url=None`: the model that is installed with us. Times in seconds."""

    url: str | None = None
    model: str = ""
    revision: str = ""
    api_key: str | None = field(default=None, repr=False)
    texts_per_call: int = 32  # what the servers of today accept without being told
    connect_timeout: float = 5.0
    read_timeout: float = 60.0
    call_deadline: float = 120.0
    max_answer_bytes: int = 64 * 1024 * 1024
    max_retry_after: float = 120.0


@dataclass(frozen=True)
class FullbaySettings:
    """How Fullbay is asked. Times in seconds, sizes in bytes of the decoded body."""

    base_url: str
    api_version: str
    shops: tuple[Shop, ...]
    public_ip: str | None = None
    lookback_days: int = 30
    log_retention_days: int = 90
    time_zone: str = "America/New_York"
    dirty_cores: DirtyCores = "refund"
    connect_timeout: float = 10.0
    read_timeout: float = 300.0
    call_deadline: float = 1200.0
    max_page_bytes: int = 64 * 1024 * 1024
    max_retry_after: float = 120.0

    def endpoint(self, script: str) -> str:
        """Return the URL of one script, with `{version}` in the base URL replaced by the API version."""
        return f"{self.base_url.replace('{version}', self.api_version).rstrip('/')}/{script}"


@dataclass(frozen=True)
class AwsSettings:
    """Where AWS, or a stand-in for it, is. Times in seconds. Credentials come from the usual AWS chain."""

    region: str = "us-east-1"
    endpoint_url: str | None = None
    connect_timeout: float = 5.0
    read_timeout: float = 30.0


def read_env_file(path: str | os.PathLike[str] = ".env") -> list[str]:
    """Put the values of an env file into `os.environ` and return the names that were set.

    A name that is already in the environment keeps its value. A missing file is no error. The grammar is
    that of python-dotenv, which Dagster's own commands use for the same file.
    """
    from dotenv import dotenv_values

    added = []
    for name, value in dotenv_values(path).items():
        if value is not None and name not in os.environ:
            os.environ[name] = value
            added.append(name)
    return added


def database_settings(location: Location, env: Mapping[str, str] | None = None) -> DatabaseSettings:
    """Return the database of one code location.

    Each setting is `{LOCATION}_DB_...` when that is set, else `DB_...`. The password is looked for from the
    special to the general, at each step first in Secrets Manager, then in the environment:
    `{location}_db_password`, then `db_password`.

    Raises MissingSettings with every missing name, PermanentError for a value that cannot be.
    """
    source = _Source(env, f"reading the database settings of {location}")

    def read(name: str, default: str | None = None) -> str:
        special = source.value(f"{location}_{name}", secret=name == "DB_PASSWORD")
        return special or source.required(name, default, secret=name == "DB_PASSWORD")

    host, user, password = read("DB_HOST"), read("DB_USER"), read("DB_PASSWORD")
    name, sslmode = read("DB_NAME", "fullbay_data"), read("DB_SSLMODE", "prefer")
    for part, value in (("DB_HOST", host), ("DB_NAME", name), ("DB_USER", user)):
        source.refuse_connection_string(part, value)
    port = source.check("DB_PORT", read("DB_PORT", "5432"), _whole_number(1, 65535), 5432)
    source.check("DB_SSLMODE", sslmode, _one_of(SSL_MODES), "prefer")
    source.complain()
    return DatabaseSettings(host=host, port=port, name=name, user=user, password=password, sslmode=sslmode)


def source_database(name: str, env: Mapping[str, str] | None = None) -> DatabaseSettings:
    """Return the database of a connection URL such as ODOO_DATABASE_URL, from Secrets Manager or the environment.

    `postgresql://user:password@host:port/database?sslmode=verify-full`; `postgresql+psycopg2://` and `postgres://` mean
    the same. The URL and its password are registered for redaction, and no message shows them.

    Raises MissingSettings when it is not set, PermanentError for one that is no such URL.
    """
    source = _Source(env, f"reading {name}")
    url = source.required(name, None, secret=True)
    source.complain()
    # Not written as a URL: its password would be masked, and the remedy could not be read.
    do_next = f"Set {name} to postgresql:// and then user:password, @, host:port/database; special characters as %XX."
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or 5432
        query = dict(parse_qsl(parts.query, strict_parsing=True)) if parts.query else {}
    except ValueError:
        parts = None
    if parts is None:  # raised out here: the parser's error may quote the URL
        raise permanent(source.doing, found="a URL that cannot be parsed", do_next=do_next)
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    database = unquote(parts.path.lstrip("/"))
    if password:
        register_secret(password)
    if parts.scheme not in ("postgresql", "postgresql+psycopg2", "postgres"):
        raise permanent(source.doing, found="a URL of another kind than postgresql://", do_next=do_next)
    sslmode = query.pop("sslmode", "prefer")
    lacking = [what for what, value in (("host", host), ("user", user), ("database", database)) if not value]
    if lacking or query or sslmode not in SSL_MODES:
        found = f"a URL without {', '.join(lacking)}" if lacking else "parameters other than a known sslmode"
        raise permanent(source.doing, found=found, do_next=do_next)
    return DatabaseSettings(
        host=host or "", port=port, name=database, user=user, password=password, sslmode=sslmode
    )


DAGSTER_SETTINGS = (
    *("DAGSTER_HOME", "DAGSTER_STATE_DIR", "DAGSTER_DB_HOST", "DAGSTER_DB_PORT", "DAGSTER_DB_NAME"),
    *("DAGSTER_DB_USER", "DAGSTER_DB_PASSWORD"),
)
"""What `dagster.yaml` takes from the environment, and where that file is. None has a default there."""


def check_dagster_settings(env: Mapping[str, str] | None = None) -> None:
    """Raise MissingSettings with every name that Dagster itself would miss, one at a time."""
    source = _Source(env, "reading the settings of Dagster's own storage")
    for name in DAGSTER_SETTINGS:
        source.required(name, None)
    source.complain()


def fullbay_settings(env: Mapping[str, str] | None = None) -> FullbaySettings:
    """Return the Fullbay settings with one shop for each API key that is set.

    `FULLBAY_API_KEY` is the shop "default"; `FULLBAY_API_KEY_<SHOPID>` is the shop with the key `<shopid>` in
    lower case, named by `FULLBAY_SHOP_NAME_<SHOPID>`. Shops are in the order of their keys.

    Raises MissingSettings when there is no API key at all, PermanentError for values that cannot be and for
    one API key given to two shops, which would read every invoice twice.
    """
    source = _Source(env, "reading the Fullbay settings")
    shops = _shops(source)
    settings = FullbaySettings(
        base_url=source.checked("FULLBAY_API_BASE_URL", _base_url, DEFAULT_BASE_URL),
        api_version=source.checked("FULLBAY_API_VERSION", _version, "v1"),
        shops=shops,
        public_ip=source.checked("FULLBAY_PUBLIC_IP", _ipv4, None),
        lookback_days=source.checked("FULLBAY_LOOKBACK_DAYS", _whole_number(1, 3660), 30),
        log_retention_days=source.checked("FULLBAY_LOG_RETENTION_DAYS", _whole_number(1, 36600), 90),
        time_zone=source.checked("FULLBAY_TIME_ZONE", _time_zone, "America/New_York"),
        dirty_cores=source.checked("FULLBAY_DIRTY_CORES", _dirty_cores, "refund"),
        connect_timeout=source.checked("FULLBAY_CONNECT_TIMEOUT", _seconds(0.1, 300), 10.0),
        read_timeout=source.checked("FULLBAY_READ_TIMEOUT", _seconds(0.1, 3600), 300.0),
        call_deadline=source.checked("FULLBAY_CALL_DEADLINE", _seconds(0.1, 7200), 1200.0),
        max_page_bytes=source.checked(
            "FULLBAY_MAX_PAGE_BYTES", _whole_number(1024, 1024**3), 64 * 1024 * 1024
        ),
        max_retry_after=source.checked("FULLBAY_MAX_RETRY_AFTER", _seconds(0, 3600), 120.0),
    )
    source.complain()
    return settings


def aws_settings(env: Mapping[str, str] | None = None) -> AwsSettings:
    """Return region and address of AWS. Asks Secrets Manager for nothing: it is itself reached by these.

    Keys of the environment are registered for redaction. Raises PermanentError for values that cannot be.
    """
    source = _AwsSource(env, "reading the AWS settings")
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        source.value(name, secret=True)
    default = source.checked("AWS_DEFAULT_REGION", _region, "us-east-1")
    settings = AwsSettings(
        region=source.checked("AWS_REGION", _region, default),
        endpoint_url=source.checked("AWS_ENDPOINT_URL", _endpoint_url, None),
    )
    source.complain()
    return settings


def secret_setting(name: str, env: Mapping[str, str] | None = None) -> str:
    """Return one secret by the name of its setting, from Secrets Manager (in lower case) or the environment.

    Raises MissingSettings when it is set nowhere.
    """
    source = _Source(env, f"reading {name}")
    found = source.required(name, None, secret=True)
    source.complain()
    return found


def upload_bucket(env: Mapping[str, str] | None = None) -> str:
    """Return the bucket that vendors upload to. Raises MissingSettings when UPLOAD_BUCKET is not set."""
    source = _AwsSource(env, "reading UPLOAD_BUCKET")
    bucket = source.check("UPLOAD_BUCKET", source.required("UPLOAD_BUCKET", None), _bucket, "")
    source.complain()
    return bucket


def anchor_bucket(env: Mapping[str, str] | None = None) -> str:
    """Return the bucket of the audit anchors: AUDIT_ANCHOR_BUCKET, else UPLOAD_BUCKET. Raises MissingSettings."""
    source = _AwsSource(env, "reading AUDIT_ANCHOR_BUCKET")
    name = "AUDIT_ANCHOR_BUCKET" if source.value("AUDIT_ANCHOR_BUCKET") else "UPLOAD_BUCKET"
    bucket = source.check(name, source.required(name, None), _bucket, "")
    source.complain()
    return bucket


def embedding_settings(env: Mapping[str, str] | None = None) -> EmbeddingSettings:
    """Return how texts become vectors. EMBEDDING_MODEL is `name` or `name@revision`, and needed with EMBEDDING_URL.

    EMBEDDING_URL may end before `/v1`, with it, or with `/v1/embeddings`. Raises MissingSettings or PermanentError.
    """
    source = _Source(env, "reading the embedding settings")
    url = source.checked("EMBEDDING_URL", _embeddings_url, None)
    if source.value("EMBEDDING_URL") is None:
        return EmbeddingSettings()
    name, _, revision = source.required("EMBEDDING_MODEL", None).partition("@")
    api_key = source.value("EMBEDDING_API_KEY", secret=True)
    most = source.checked("EMBEDDING_TEXTS_PER_CALL", _whole_number(1, 2048), 32)
    source.complain()
    return EmbeddingSettings(url, name, revision, api_key, texts_per_call=most)


def check_url(url: str, *, doing: str) -> None:
    """Raise PermanentError unless `url` may be sent a secret: https, or http to this machine itself."""
    do_next = "Give an address such as https://host/path/ (plain http only for a loopback host)."
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise permanent(doing, found="a URL that cannot be parsed", do_next=do_next) from None
    if not host:
        raise permanent(doing, found="a URL without a host", do_next=do_next)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        raise permanent(doing, found=f"scheme {parts.scheme!r} for the host {host}", do_next=do_next)
    if parts.username or parts.password or parts.query or parts.fragment:
        raise permanent(doing, found="a URL with a user, query or fragment", do_next=do_next)


def is_loopback(host: str) -> bool:
    """Say whether `host` is this machine: localhost, 127.0.0.0/8 or ::1."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def secret_values(env: Mapping[str, str]) -> Mapping[str, str]:
    """Return the values of the JSON secret named by SECRETS_MANAGER_SECRET_NAME; empty when unset.

    The current version is asked for by its stage, and is kept for five minutes. AWS_REGION (default
    us-east-1) and AWS_ENDPOINT_URL of `env` are honoured; credentials come from the usual AWS chain.

    Raises PermanentError when the secret is unknown, forbidden or not a JSON object of strings,
    TransientError when Secrets Manager cannot be reached after three retries.
    """
    name = env.get("SECRETS_MANAGER_SECRET_NAME", "").strip()
    if not name:
        return {}
    region = env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION") or "us-east-1"
    endpoint = env.get("AWS_ENDPOINT_URL", "")
    place = (name, region, endpoint)
    now = time.monotonic()
    kept = _secrets_read.get(place)
    if kept is not None and now - kept[0] < SECRET_LIFETIME_SECONDS:
        return kept[1]
    doing = f"reading the secret {name} from Secrets Manager in {region}"
    text = retrying(lambda: _get_secret_string(name, region, endpoint, doing), doing=doing)
    values = _parse_secret(text, doing)
    for key, value in values.items():
        if key not in _KEPT_BESIDE_A_PASSWORD:
            register_secret(value)
    _secrets_read[place] = (now, values)
    return values


def forget_secrets() -> None:
    """Drop the kept secrets, so that the next reading asks Secrets Manager (after a refused password)."""
    _secrets_read.clear()


def _get_secret_string(name: str, region: str, endpoint: str, doing: str) -> str:
    import boto3  # type: ignore[import-untyped]
    import botocore.exceptions  # type: ignore[import-untyped]
    from botocore.config import Config  # type: ignore[import-untyped]

    # Our own loop retries, so botocore must not; it would multiply the attempts and the time.
    config = Config(connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 1})
    with _without_debug_lines("botocore"):
        # A session of its own: the default one keeps the credentials of whoever asked first in this process.
        client = boto3.Session().client(
            "secretsmanager", region_name=region, endpoint_url=endpoint or None, config=config
        )
        try:
            answer = client.get_secret_value(SecretId=name, VersionStage="AWSCURRENT")
            return str(answer.get("SecretString", ""))
        except botocore.exceptions.ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", "unknown"))
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            if status >= 500 or "Throttl" in code:
                failure: PipelineError = transient(doing, found=code, do_next="Run again later.")
            else:
                do_next = "Check SECRETS_MANAGER_SECRET_NAME, AWS_REGION and secretsmanager:GetSecretValue."
                failure = permanent(doing, found=code, do_next=do_next)
        except (botocore.exceptions.HTTPClientError, botocore.exceptions.ConnectionError) as error:
            failure = transient(
                doing, found=type(error).__name__, do_next="Check the network and AWS_ENDPOINT_URL."
            )
        except botocore.exceptions.BotoCoreError as error:
            failure = permanent(
                doing, found=str(error), do_next="Check the AWS credentials and region of this process."
            )
        finally:
            client.close()
    # Raised out here, not in the handlers: AWS quotes the signed headers, the session token among them, in its
    # messages, and the foreign error must not stay as the cause or context.
    raise failure


@contextmanager
def _without_debug_lines(name: str) -> Iterator[None]:
    """botocore writes signed headers and whole answers, so the secret itself, at DEBUG."""
    its_logger = logging.getLogger(name)
    before = its_logger.level
    its_logger.setLevel(max(before, logging.INFO))
    try:
        yield
    finally:
        its_logger.setLevel(before)


def _parse_secret(text: str, doing: str) -> dict[str, str]:
    do_next = 'Store a JSON object such as {"fullbay_api_key": "...", "db_password": "..."}.'
    try:
        values = json.loads(text)
    except ValueError:
        values = _NOT_JSON  # raised below: the decoder's error carries the whole secret text
    if values is _NOT_JSON:
        raise permanent(doing, found="a value that is not JSON", do_next=do_next)
    if not isinstance(values, dict):
        raise permanent(doing, found=f"JSON of type {type(values).__name__}", do_next=do_next)
    wrong = sorted(key for key, value in values.items() if not isinstance(value, str | int))
    if wrong:
        raise permanent(doing, found=f"values that are no text: {', '.join(wrong[:10])}", do_next=do_next)
    return {key.lower(): str(value) for key, value in values.items()}


class _Source:
    """Reads values by name and collects what is missing or wrong, to report all of it at once."""

    def __init__(self, env: Mapping[str, str] | None, doing: str) -> None:
        self.env = os.environ if env is None else env
        self.doing = doing
        self.secrets = secret_values(self.env)
        self.missing: list[str] = []
        self.wrong: list[str] = []

    def value(self, name: str, *, secret: bool = False) -> str | None:
        """Return one value without surrounding white space, or None. A secret is registered for redaction."""
        if not secret:
            return self.env.get(name, "").strip() or None
        found = self.secrets.get(name.lower()) or self.env.get(name, "").strip()
        if found:
            register_secret(found)
        return found or None

    def required(self, name: str, default: str | None, *, secret: bool = False) -> str:
        found = self.value(name, secret=secret) or default
        if found is None:
            self.missing.append(name)
            return ""
        return found

    def checked(self, name: str, check: Callable[[str], T], default: T) -> T:
        found = self.value(name)
        return default if found is None else self.check(name, found, check, default)

    def check(self, name: str, found: str, check: Callable[[str], T], default: T) -> T:
        try:
            return check(found)
        except (ValueError, PermanentError) as error:
            reason = error.found if isinstance(error, PermanentError) else str(error)
            shown = f"={found!r}" if not _MAY_HOLD_A_SECRET.search(found) else ", which is not shown"
            self.wrong.append(f"{name}{shown} ({reason})")
            return default

    def refuse_connection_string(self, name: str, found: str) -> None:
        """A connection string in a place that is logged would take its password with it."""
        if "://" in found or "=" in found:
            self.wrong.append(f"{name}, which is not shown (a connection string; give each part by itself)")

    def complain(self) -> None:
        """Raise for everything collected so far, if anything."""
        if not self.missing and not self.wrong:
            return
        parts = [f"missing: {', '.join(self.missing)}"] if self.missing else []
        parts += [f"wrong: {'; '.join(self.wrong)}"] if self.wrong else []
        do_next = "Set them in the environment or in .env (see .env.example)."
        if not self.missing:
            raise permanent(self.doing, found="; ".join(parts), do_next=do_next)
        error = MissingSettings(self.doing, "; ".join(parts), do_next)
        error.names = tuple(self.missing)
        raise error


class _AwsSource(_Source):
    """Values that no secret holds, so that reading them needs no network."""

    def __init__(self, env: Mapping[str, str] | None, doing: str) -> None:
        given = os.environ if env is None else env
        names = (
            "AWS_REGION",
            "AWS_DEFAULT_REGION",
            "AWS_ENDPOINT_URL",
            "UPLOAD_BUCKET",
            "AUDIT_ANCHOR_BUCKET",
        )
        keys = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
        super().__init__({name: given[name] for name in (*names, *keys) if name in given}, doing)


def _shops(source: _Source) -> tuple[Shop, ...]:
    """Return the shops by their keys; names come from the environment and from the secret alike."""
    suffixes = {""}
    for name in (*source.env, *source.secrets):
        match = _SHOP_KEY_NAME.fullmatch(name)
        if match is not None:
            suffixes.add("_" + match[1])
    shops: dict[str, Shop] = {}
    owner_of: dict[str, str] = {}
    for suffix in sorted(suffixes):
        api_key = source.value(f"FULLBAY_API_KEY{suffix}", secret=True)
        if api_key is None:
            continue
        key = suffix[1:].lower() or DEFAULT_SHOP
        if len(key) > _LONGEST_SHOP_KEY:
            source.wrong.append(
                f"FULLBAY_API_KEY{suffix} (shop id longer than {_LONGEST_SHOP_KEY} characters)"
            )
        if key in shops and shops[key].api_key == api_key:
            continue  # the same shop, spelt in upper case in the environment and in lower case in the secret
        if key in shops or api_key in owner_of:
            other = owner_of.get(api_key, key)
            source.wrong.append(f"FULLBAY_API_KEY{suffix} (clashes with the key of shop {other})")
            continue
        shops[key] = Shop(key=key, api_key=api_key, name=source.value(f"FULLBAY_SHOP_NAME{suffix}"))
        owner_of[api_key] = key
    if not shops:
        source.missing.append("FULLBAY_API_KEY")
    return tuple(shops[key] for key in sorted(shops))


def _whole_number(low: int, high: int) -> Callable[[str], int]:
    def check(text: str) -> int:
        # The pattern first: int() takes "1_000" and digits of other scripts, and is slow on very long texts.
        if not re.fullmatch(r"[0-9]{1,12}", text) or not low <= int(text) <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(text)

    return check


def _seconds(low: float, high: float) -> Callable[[str], float]:
    def check(text: str) -> float:
        if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text) or not low <= float(text) <= high:
            raise ValueError(f"must be a number of seconds from {low:g} to {high:g}")
        return float(text)

    return check


def _one_of(allowed: tuple[str, ...]) -> Callable[[str], str]:
    def check(text: str) -> str:
        if text not in allowed:
            raise ValueError(f"must be one of {', '.join(allowed)}")
        return text

    return check


def _dirty_cores(text: str) -> DirtyCores:
    choices: dict[str, DirtyCores] = {"refund": "refund", "charge": "charge"}
    if text not in choices:
        raise ValueError("must be refund or charge")
    return choices[text]


def _base_url(text: str) -> str:
    check_url(text, doing="reading FULLBAY_API_BASE_URL")
    return text


def _endpoint_url(text: str) -> str | None:
    check_url(text, doing="reading AWS_ENDPOINT_URL")
    return text


def _region(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9-]{1,30}", text):
        raise ValueError("must be a region such as us-east-1")
    return text


def _bucket(text: str) -> str:
    if text and not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", text):
        raise ValueError("must be the name of a bucket: 3 to 63 lower case letters, digits, dots, hyphens")
    return text


def _embeddings_url(text: str) -> str | None:
    check_url(text, doing="reading EMBEDDING_URL")
    start = text.rstrip("/").removesuffix("/embeddings").removesuffix("/v1")
    return f"{start}/v1/embeddings"


def _version(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,20}", text):
        raise ValueError("must be a short word such as v1")
    return text


def _ipv4(text: str) -> str | None:
    return str(IPv4Address(text))


def _time_zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        raise ValueError("must be an IANA time zone such as America/New_York") from None
    return text


def require(*readers: Callable[[], object]) -> None:
    """Call each reader of settings and report everything that any of them misses in one MissingSettings."""
    missing: list[str] = []
    for read in readers:
        try:
            read()
        except MissingSettings as error:
            missing += [name for name in error.names if name not in missing]
    if missing:
        complaint = MissingSettings(
            "reading the settings",
            f"missing: {', '.join(missing)}",
            "Set them in the environment or in .env (see .env.example).",
        )
        complaint.names = tuple(missing)
        raise complaint
