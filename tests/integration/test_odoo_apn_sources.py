"""The generated sources: they look like the catalogue says, hold every oddity, and their reader may only read."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest

from odoo_apn_assets.specs import LOOKUPS, TableSpec, quoted
from resources.settings import DatabaseSettings
from sandbox.odoo_apn import schema
from sandbox.odoo_apn.build import SYSTEMS, build, build_odoo, built_from
from sandbox.odoo_apn.odoo import CANARY
from sandbox.odoo_apn.sources import a_thread_for
from tests.odoo_apn_source import OWNER, TINY, SourceServer

SPECS = [spec for system in SYSTEMS for spec in schema.tables(system)]
SHORT = {"timestamp": "timestamp without time zone", "timestamptz": "timestamp with time zone"}


@contextlib.contextmanager
def connected(database: DatabaseSettings) -> Iterator[Any]:
    connection = psycopg2.connect(
        host=database.host, port=database.port, dbname=database.name, user=database.user, password=database.password
    )  # fmt: skip
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()


def value(cursor: Any, statement: str) -> Any:
    cursor.execute(statement)
    return cursor.fetchone()[0]


@pytest.fixture(scope="module")
def odoo(source_server: SourceServer) -> Iterator[Any]:
    """A cursor on one Odoo source; these tests only read."""
    database = source_server.clone("odoo")
    with connected(database) as cursor:
        yield cursor
    source_server.drop(database)


@pytest.fixture(scope="module")
def apn(source_server: SourceServer) -> Iterator[Any]:
    database = source_server.clone("apn")
    with connected(database) as cursor:
        yield cursor
    source_server.drop(database)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.raw_name)
def test_a_table_has_the_columns_types_and_order_of_the_catalogue(
    spec: TableSpec, odoo: Any, apn: Any
) -> None:
    cursor = odoo if spec.system == "odoo" else apn
    cursor.execute(
        "select attname, format_type(atttypid, atttypmod) from pg_attribute"
        " where attrelid = %s::regclass and attnum > 0 and not attisdropped order by attnum",
        (quoted(spec.table),),
    )
    expected = [(column.name, column.type.replace("varchar", "character varying")) for column in spec.columns]
    assert cursor.fetchall() == [(name, SHORT.get(kind, kind)) for name, kind in expected]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.raw_name)
def test_a_table_has_as_many_rows_as_asked_for(spec: TableSpec, odoo: Any, apn: Any) -> None:
    cursor, rows = (odoo, TINY.odoo) if spec.system == "odoo" else (apn, TINY.apn)
    assert value(cursor, f"select count(*) from {quoted(spec.table)}") == rows[spec.table]


def test_odoo_gives_the_next_id_itself(odoo: Any) -> None:
    for spec in schema.tables("odoo"):
        following = value(odoo, f"select nextval(pg_get_serial_sequence('{spec.table}', 'id'))")
        assert following == value(odoo, f"select max(id) + 1 from {spec.table}"), spec.table


def test_the_references_of_apn_are_foreign_keys(apn: Any) -> None:
    assert value(apn, "select count(*) from pg_constraint where contype = 'f'") == 11


def test_the_migration_table_of_apn_is_there_to_be_skipped(apn: Any) -> None:
    assert value(apn, "select count(*) from _sqlx_migrations") == 3


@pytest.mark.parametrize(
    ("table", "low", "high"), [("crm_lead", 0.55, 0.70), ("res_partner", 0.5, 0.7), ("project_project", 0.5, 0.75)]
)  # fmt: skip
def test_wide_tables_are_as_sparse_as_real_ones(odoo: Any, table: str, low: float, high: float) -> None:
    columns = next(len(spec.columns) for spec in SPECS if spec.table == table)
    filled = value(
        odoo, f"select avg((select count(*) from jsonb_each(to_jsonb(t)) e where e.value <> 'null')) from {table} t"
    )  # fmt: skip
    assert low < 1 - float(filled) / columns < high


def test_every_column_holds_something(odoo: Any, apn: Any) -> None:
    """A column that is always null would not show whether it was copied."""
    empty = []
    for spec in SPECS:
        listed = ", ".join(f"count({quoted(column.name)})" for column in spec.columns)
        cursor = odoo if spec.system == "odoo" else apn
        cursor.execute(f"select {listed} from {quoted(spec.table)}")
        empty += [
            f"{spec.table}.{column.name}"
            for column, count in zip(spec.columns, cursor.fetchone(), strict=True)
            if count == 0
        ]
    assert empty == []


ODOO_ODDITIES = {
    "an archived lead": "select count(*) from crm_lead where not active",
    "leads": "select count(*) from crm_lead where type = 'lead'",
    "opportunities": "select count(*) from crm_lead where type = 'opportunity'",
    "a name longer than 500": "select count(*) from crm_lead where length(name) > 500",
    "a partner's name longer than 500": "select count(*) from res_partner where length(name) > 500",
    "an account's name longer than 500": "select count(*) from c_aws_accounts where length(c_aws_account_name) > 500",
    "a partner that is not there": "select count(*) from crm_lead l where partner_id is not null"
    " and not exists (select from res_partner p where p.id = l.partner_id)",
    "a stage that is not there": "select count(*) from crm_lead l where not exists (select from crm_stage s where s.id = l.stage_id)",
    "an account that is not there": "select count(*) from crm_lead l where c_aws_account_id is not null"
    " and not exists (select from c_aws_accounts a where a.id = l.c_aws_account_id)",
    "a user whose partner is not there": "select count(*) from res_users u where not exists (select from res_partner p where p.id = u.partner_id)",
    "an account number with 11 digits": "select count(*) from c_aws_accounts where name ~ '^[0-9]{11}$'",
    "an account number that is a word": "select count(*) from c_aws_accounts where name = 'TBD'",
    "an account number with dashes": "select count(*) from c_aws_accounts where name like '____-____-____'",
    "an account without a number": "select count(*) from c_aws_accounts where name is null",
    "a number twice": "select count(*) - count(distinct name) from c_aws_accounts where name is not null",
    "a number that begins with zero": "select count(*) from c_aws_accounts where name ~ '^0[0-9]{11}$'",
    "a payer that is none": "select count(*) from c_aws_accounts a join c_aws_accounts p on p.id = a.payer_id where not p.is_payer",
    "a payer that is not there": "select count(*) from c_aws_accounts a where payer_id is not null"
    " and not exists (select from c_aws_accounts p where p.id = a.payer_id)",
    "a row without a mark": "select count(*) from crm_lead where write_date is null",
    "rows with the same mark": "select count(*) - count(distinct write_date) from crm_lead where write_date is not null",
    "a site without a scheme": "select count(*) from res_partner where website like 'www.%'",
    "a site with a port": "select count(*) from res_partner where website ~ ':[0-9]+/'",
    "a site with a path": "select count(*) from res_partner where website like '%/about-us'",
    "a site that is none": "select count(*) from res_partner where website = 'n/a'",
    "free mail": "select count(*) from crm_lead where email_from ilike '%@gmail.com'",
    "a name before the address": "select count(*) from crm_lead where email_from like '\"%<%>'",
    "a state without its country": "select count(*) from res_partner where state_id is not null and country_id is null",
    "a value in a mixed-case column": 'select count("c_aws_ace_useCase") from crm_lead',
    "a tab in a text": "select count(*) from crm_lead where description like E'%\\t%'",
    "a line feed in a text": "select count(*) from crm_lead where description like E'%\\n%'",
    "the null mark of COPY in a text": r"select count(*) from crm_lead where position('\N' in description) > 0",
    "another spelling of an origin": "select count(*) from crm_lead where origination = 'AWS Referral'",
}


@pytest.mark.parametrize("oddity", ODOO_ODDITIES)
def test_odoo_holds(oddity: str, odoo: Any) -> None:
    assert value(odoo, ODOO_ODDITIES[oddity]) > 0


def _valid(column: str, pattern: str) -> str:
    return f"select count(*) from opportunity where {column} is not null and {column} <> 'Accept To View' and {column} !~ '{pattern}'"


APN_ODDITIES = {
    "a masked referral": "select count(*) from opportunity where customer_email = 'Accept To View' and aws_account = 'Accept To View'",
    "a bad phone": _valid("customer_phone", "^\\+[1-9][0-9]{1,14}$"),
    "a bad id": _valid("id", "^O[0-9]{1,19}$"),
    "a bad postal code": _valid("postal_code", "[0-9]"),
    "a bad D-U-N-S number": _valid("customer_duns", "^[0-9]{9}$"),
    "an account that is not 12 digits": _valid("aws_account", "^[0-9]{12}$"),
    "a launched deal without account": "select count(*) from opportunity where stage_name = 'Launched' and aws_account is null",
    "a spelling with an ampersand": "select count(*) from opportunity where industry like '% & %'",
    "a spaced use case": "select count(*) from opportunity where use_case like '% / %'",
    "an en dash": "select count(*) from opportunity where closed_lost_reason like '%\u2013%'",
    "a draft": "select count(*) from opportunity where status = 'Draft'",
    "an answer in capitals": "select count(*) from opportunity where partner_acceptance_status = upper(partner_acceptance_status)",
    "a shouted company": "select count(*) from opportunity where account_name ~ '^[A-Z &]{6,}'",
    "a CRM id twice": "select count(partner_crm_unique_identifier) - count(distinct partner_crm_unique_identifier) from opportunity"
    " where partner_crm_unique_identifier <> ''",
    "a hidden referral": "select count(*) from opportunity where partner_acceptance_status = 'Pending' and customer_email is null",
    "a deal known by its name alone": "select count(*) from opportunity where customer_website is null and aws_account is null"
    " and partner_crm_unique_identifier is null and split_part(lower(customer_email), '@', 2) in ('gmail.com', 'outlook.com')",
    "a renewal of nothing": "select count(*) from opportunity where opportunity_type = 'Flat Renewal' and parent_opportunity_id is null",
    "a blank CRM id": "select count(*) from opportunity where partner_crm_unique_identifier = ''",
    "a row without a mark": "select count(*) from opportunity where aws_last_modified_date is null",
    "rows with the same mark": "select count(aws_last_modified_date) - count(distinct aws_last_modified_date) from opportunity",
    "a claim over the approved sum": "select count(*) from funding_request where claimed_amount > approved_cash_amount",
    "a sum that is not its parts": "select count(*) from funding_request where requested_amount <> requested_cash_amount + requested_credit_amount",
    "a payment over the claim": "select count(*) from funding_request where paid_amount > claimed_amount",
    "a remainder that is wrong": "select count(*) from funding_request where remaining_amount <> approved_cash_amount - claimed_amount",
    "another currency than its request": "select count(*) from cash_claim c join funding_request r on r.id = c.funding_request_id where c.currency <> r.currency",
    "a claim before its request": "select count(*) from cash_claim c join funding_request r on r.id = c.funding_request_id"
    " where c.planned_start_date < r.planned_start_date",
    "a broken chain": 'select count(*) from (select from_stage, lag(to_stage) over (partition by funding_request_id order by "date")'
    " as before from funding_request_history) h where from_stage <> before",
    "a program by its short name": "select count(*) from funding_request where program in ('MAP', 'MDF', 'POC')",
}


@pytest.mark.parametrize("oddity", APN_ODDITIES)
def test_apn_holds(oddity: str, apn: Any) -> None:
    assert value(apn, APN_ODDITIES[oddity]) > 0


RARE = ("a bad", "a claim", "a broken chain", "a sum", "a payment", "a remainder", "another currency")


@pytest.mark.parametrize("oddity", [name for name in APN_ODDITIES if name.startswith(RARE)])
def test_most_rows_obey_the_rule(oddity: str, apn: Any) -> None:
    """A rule that half of the rows break would tell nothing about a check of it."""
    assert value(apn, APN_ODDITIES[oddity]) <= 3


def test_both_systems_tell_about_the_same_deals(odoo: Any, apn: Any) -> None:
    """By the CRM id, by the account, by the domain, and by the name alone."""
    odoo.execute(
        "select l.id::text, l.name, a.name, p.website from crm_lead l left join c_aws_accounts a on a.id = l.c_aws_account_id"
        " left join res_partner p on p.id = l.partner_id"
    )
    leads = odoo.fetchall()
    apn.execute(
        "select partner_crm_unique_identifier, aws_account, customer_website, partner_project_title, account_name from opportunity"
    )
    deals = apn.fetchall()
    ids, accounts, titles = (
        {lead[0] for lead in leads},
        {lead[2] for lead in leads if lead[2]},
        {lead[1].partition(" - ")[2] for lead in leads},
    )
    assert sum(deal[0] in ids for deal in deals) >= 40
    assert sum(deal[1] in accounts for deal in deals) >= 20
    assert sum(deal[3] in titles for deal in deals) >= 100
    sites = {str(lead[3]).rpartition("www.")[2].strip("/ ") for lead in leads if lead[3]}
    assert sum(str(deal[2]).rpartition("www.")[2].strip("/ ") in sites for deal in deals if deal[2]) >= 20


def test_the_same_seed_gives_the_same_rows_and_another_seed_others(source_server: SourceServer) -> None:
    server = source_server.server
    tables = ("crm_lead", "res_partner", "account_move_line")

    def digest(database: str) -> list[Any]:
        with server.session(database) as connection, connection.cursor() as cursor:
            return [
                value(cursor, f"select md5(string_agg(t::text, '|' order by id)) from {table} t")
                for table in tables
            ]

    other = type(TINY)(TINY.seed + 1, TINY.odoo, TINY.apn, TINY.as_of)
    try:
        assert build(server, "odoo", "odoo_again", TINY)
        assert build(server, "odoo", "odoo_other", other)
        assert digest("odoo_again") == digest("odoo_template")
        assert all(a != b for a, b in zip(digest("odoo_other"), digest("odoo_template"), strict=True))
    finally:
        server.drop_database("odoo_again")
        server.drop_database("odoo_other")


def test_a_built_source_is_left_as_it_is(source_server: SourceServer) -> None:
    assert not build(source_server.server, "odoo", "odoo_template", TINY, OWNER)
    with source_server.server.session("odoo_template") as connection, connection.cursor() as cursor:
        assert built_from(cursor, "odoo_template") == TINY


def test_a_build_that_failed_is_done_again(
    source_server: SourceServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sandbox.odoo_apn.build as module

    server, real = source_server.server, module.statements
    monkeypatch.setattr(module, "statements", lambda *a: [*real(*a), "select 1 / 0"])
    try:
        with pytest.raises(psycopg2.errors.DivisionByZero):
            build(server, "apn", "apn_half", TINY)
        monkeypatch.setattr(module, "statements", real)
        assert build(server, "apn", "apn_half", TINY)
    finally:
        server.drop_database("apn_half")


def test_an_interrupted_start_does_not_wait_for_the_sources(source_server: SourceServer) -> None:
    """At SCALE=100 Ctrl-C would be heard minutes later."""
    server = source_server.server
    builds, moments = [], []
    busy = "select count(*) from pg_stat_activity where datname = 'odoo' and query like 'insert into%'"

    def interrupted_start() -> None:
        with a_thread_for(server) as beside:
            builds.append(beside.submit(build_odoo, server, rows={"account_move_line": 2_000_000}))
            with server.session() as connection, connection.cursor() as cursor:
                while value(cursor, busy) == 0:
                    time.sleep(0.01)
            moments.append(time.monotonic())
            raise KeyboardInterrupt

    try:
        with pytest.raises(KeyboardInterrupt):
            interrupted_start()
        assert time.monotonic() - moments[0] < 5
        assert isinstance(builds[0].exception(), psycopg2.Error)
        with server.session() as connection, connection.cursor() as cursor:
            assert built_from(cursor, "odoo") is None
    finally:
        server.drop_database("odoo")


def test_the_reader_reads_every_table_of_the_catalogue(
    odoo_source: DatabaseSettings, apn_source: DatabaseSettings
) -> None:
    for database, system in ((odoo_source, "odoo"), (apn_source, "apn")):
        with connected(database) as cursor:
            for spec in schema.tables(system):
                assert value(cursor, f"select count(*) from {quoted(spec.table)}") > 0


@pytest.mark.parametrize("column", ["password", "totp_secret", "oauth_access_token", "signature", "*"])
def test_the_reader_does_not_see_what_else_res_users_holds(
    odoo_source: DatabaseSettings, column: str
) -> None:
    with connected(odoo_source) as cursor:
        listed = ", ".join(name for name, _, _ in LOOKUPS["res_users"])
        cursor.execute(f"select {listed} from res_users")
        assert cursor.rowcount == TINY.staff
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute(f"select {column} from res_users")


def test_passwords_and_tokens_can_be_recognised(odoo: Any) -> None:
    for column in ("password", "totp_secret", "oauth_access_token"):
        assert value(odoo, f"select count(*) from res_users where {column} like '%{CANARY}-%'") > 0
        assert value(odoo, f"select count(*) from res_users where {column} not like '%{CANARY}-%'") == 0


@pytest.mark.parametrize(
    "statement",
    [
        "create temp table t (a int)",
        "update crm_lead set name = 'x'",
        # The setting is a guard against accidents; the rights hold when it is switched off.
        "set default_transaction_read_only = off; update crm_lead set name = 'x'",
        "set default_transaction_read_only = off; delete from crm_lead",
        "set default_transaction_read_only = off; insert into crm_stage (name) values ('x')",
        "set default_transaction_read_only = off; create table public.t (a int)",
    ],
)
def test_the_reader_writes_nothing(odoo_source: DatabaseSettings, statement: str) -> None:
    refused = (psycopg2.errors.InsufficientPrivilege, psycopg2.errors.ReadOnlySqlTransaction)
    with connected(odoo_source) as cursor:
        first, _, second = statement.partition("; ")
        if second:
            cursor.execute(first)
        with pytest.raises(refused):
            cursor.execute(second or first)


def test_the_reader_does_not_see_the_migration_table(apn_source: DatabaseSettings) -> None:
    with connected(apn_source) as cursor, pytest.raises(psycopg2.errors.InsufficientPrivilege):
        cursor.execute("select * from _sqlx_migrations")
