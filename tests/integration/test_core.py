"""CORE from RAW on a real server: every name resolved, what does not fit held back, nothing written twice."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from odoo_apn_assets import domains
from odoo_apn_assets.core import CORE_READERS
from resources.ddl import tables
from resources.failures import PermanentError
from tests.raw_rows import Raw

if TYPE_CHECKING:
    from resources.settings import DatabaseSettings

KEYS = {"aws_accounts": "account_id", "odoo_opportunities": "source_id", "ace_opportunities": "source_id"}
SEED = Path(__file__).resolve().parent.parent / "seed_002_tables.sql"
UNSTABLE = {"opportunity_id", "created_at", "updated_at"}


@pytest.fixture
def raw(warehouse_as: Callable[[str], DatabaseSettings]) -> Iterator[Raw]:
    built = Raw(warehouse_as("odoo_apn_etl"))
    yield built
    built.connection.close()


def a_business(raw: Raw) -> None:
    """One of everything, with other values in every column that must not be taken."""
    raw.put("lookup_res_country", 1, code="DE", name="Germany")
    raw.put("lookup_res_country", 2, code="US", name="United States")
    raw.put("odoo_res_country_state", 10, name="Bavaria", country_id=1)
    raw.put(
        "odoo_res_partner",
        100,
        name="Example GmbH",
        website="https://www.example.de/x",
        commercial_partner_id=100,
    )
    raw.put(
        "odoo_res_partner",
        101,
        name="Jane Doe",
        email="jane@example.de",
        mobile="+49 1",
        street="Main Street 1",
        street2="Floor 2",
        city="Munich",
        state_id=10,
        is_company=False,
        commercial_partner_id=100,
        user_id=7,
    )
    raw.put("odoo_res_partner", 102, name="Sam Seller")
    raw.put("lookup_res_users", 7, partner_id=102, login="sam@partner.example")
    raw.put("odoo_crm_team", 3, name="Cloud")
    raw.put("odoo_crm_stage", 4, name="Won", sequence=70)
    raw.put(
        "odoo_c_aws_accounts", 20, name="111111111111", c_aws_account_name="Payer", is_payer=True, active=True
    )
    raw.put(
        "odoo_c_aws_accounts",
        21,
        name="222222222222",
        c_aws_account_name="Production",
        c_aws_account_alias="example-prod",
        c_aws_company_id=100,
        c_aws_primary_contact_id=101,
        user_id=7,
        payer_id=20,
        is_not_billable=True,
        c_environment="prod",
        active=True,
    )
    raw.put(
        "odoo_crm_lead",
        1,
        name="Migration",
        type="opportunity",
        partner_id=101,
        user_id=7,
        team_id=3,
        stage_id=4,
        c_aws_account_id=21,
        probability=33.333,
        expected_revenue=Decimal("1000.005"),
        origination="AWS",
        c_aws_am_name="A. Manager",
        c_aws_psm_name="P. Manager",
        create_date=datetime(2026, 1, 2, 3, 4, 5),
        date_closed=datetime(2026, 2, 2),
        date_deadline=date(2026, 3, 3),
        description="<p>Lift   and\nshift</p>",
        email_from="not@taken.example",
        partner_name="Not taken",
        active=False,
    )
    raw.put(
        "apn_opportunity",
        "O1",
        name="Example Inc.",
        partner_project_title="Data lake",
        customer_first_name="Jane",
        customer_last_name="Doe",
        customer_email="Jane@Example.COM",
        customer_website="www.example.com",
        aws_account="222222222222",
        project_budget=Decimal("12.30"),
        opportunity_type="Net New Business",
        opportunity_ownership="Partner Referral",
        delivery_model="SaaS",
        use_case="Analytics",
        industry="Retail",
        partner_sales_rep_name="a",
        partner_sales_rep_email="b",
        aws_sales_rep_name="c",
        aws_sales_rep_email="d",
        psm_name="e",
        psm_email="f",
        status="Approved",
        aws_status="In review",
        partner_acceptance_status="Accepted",
        close_date=date(2026, 5, 5),
        aws_create_date=datetime(2026, 1, 1),
        aws_last_modified_date=datetime(2026, 1, 3),
        project_description_business_need="Reports\n are slow",
        stage_name="Qualified",
        aws_stage="Engaged",
        owner_id="U1",
    )
    raw.put("apn_users", "U1", name="Owner of the record")
    raw.put(
        "apn_end_user",
        "EU1",
        account_name="End user",
        company_name="End Co",
        website="https://end.example.org",
        aws_account_id="333333333333",
        payer_account_id="111111111111",
    )


def test_every_column_of_an_odoo_opportunity_comes_from_where_the_map_says(raw: Raw) -> None:
    a_business(raw)
    raw.transform_all()
    row = raw.row("select * from core.odoo_opportunities")
    assert {name: value for name, value in row.items() if name not in UNSTABLE} == {
        "source_id": 1,
        "name": "Migration",
        "partner_id": 101,
        "partner_name": "Jane Doe",
        "partner_email": "jane@example.de",
        "partner_phone": "+49 1",
        "partner_website": "https://www.example.de/x",
        "partner_street": "Main Street 1, Floor 2",
        "partner_city": "Munich",
        "partner_state": "Bavaria",
        "partner_country": "Germany",
        "partner_is_company": False,
        "user_id": 7,
        "user_name": "Sam Seller",
        "user_email": "sam@partner.example",
        "team_id": 3,
        "team_name": "Cloud",
        "stage_id": 4,
        "stage_name": "Won",
        "stage_sequence": 70,
        "aws_account_id": "222222222222",
        "aws_account_name": "Production",
        "aws_account_alias": "example-prod",
        "aws_payer_account_id": "111111111111",
        "aws_payer_account_name": "Payer",
        "probability": Decimal("33.33"),
        "expected_revenue": Decimal("1000.01"),
        "origination": "AWS",
        "c_aws_am_name": "A. Manager",
        "c_aws_psm_name": "P. Manager",
        "create_date": datetime(2026, 1, 2, 3, 4, 5),
        "close_date": datetime(2026, 2, 2),
        "date_deadline": date(2026, 3, 3),
        "domain": "www.example.de",
        "normalized_domain": "example.de",
        "normalized_company_name": "example",
        "combined_text": "Migration | Example GmbH | www.example.de | Won | Cloud | Production | AWS | "
        "<p>Lift and shift</p>",
    }


def test_an_opportunity_without_a_partner_has_what_the_lead_says(raw: Raw) -> None:
    raw.put(
        "odoo_crm_lead",
        1,
        name="New",
        partner_name="Fresh Ltd",
        email_from="a@gmail.com",
        phone="1",
        website="fresh.example.com",
        c_payer_account_id=20,
    )
    raw.put("odoo_c_aws_accounts", 20, name="111111111111", c_aws_account_name="Payer")
    raw.put("odoo_crm_lead", 2, name="Mail only", email_from="a@firm.com")
    raw.put("odoo_crm_lead", 3, name="Free mail only", email_from="a@gmail.com")
    raw.transform("odoo_opportunities")
    rows = raw.query(
        "select partner_name, partner_email, partner_phone, partner_website, aws_payer_account_id, domain,"
        " normalized_domain, normalized_company_name from core.odoo_opportunities order by source_id"
    )
    fresh = (
        "Fresh Ltd",
        "a@gmail.com",
        "1",
        "fresh.example.com",
        "111111111111",
        "fresh.example.com",
        "example.com",
    )
    assert rows == [
        (*fresh, "fresh"),
        (None, "a@firm.com", None, None, None, "firm.com", "firm.com", None),
        (None, "a@gmail.com", None, None, None, None, None, None),
    ]


def test_every_column_of_an_ace_opportunity_comes_from_where_the_map_says(raw: Raw) -> None:
    a_business(raw)
    raw.transform_all()
    row = raw.row("select * from core.ace_opportunities")
    same = [
        *(
            "project_budget",
            "opportunity_type",
            "opportunity_ownership",
            "delivery_model",
            "use_case",
            "industry",
        ),
        *("partner_sales_rep_name", "partner_sales_rep_email", "aws_sales_rep_name", "aws_sales_rep_email"),
        *("psm_name", "psm_email", "status", "aws_status", "partner_acceptance_status"),
        *("close_date", "aws_create_date", "aws_last_modified_date", "stage_name", "aws_stage", "owner_id"),
    ]
    source = raw.row("select * from raw.apn_opportunity")
    assert {name: row[name] for name in same} == {name: source[name] for name in same}
    assert {name: value for name, value in row.items() if name not in UNSTABLE and name not in same} == {
        "source_id": "O1",
        "name": "Data lake",
        "account_name": "Example Inc.",
        "customer_email": "jane@example.com",
        "customer_name": "Jane Doe",
        "aws_account": "222222222222",
        "aws_account_name": "Production",
        "owner_name": "Owner of the record",
        "domain": "www.example.com",
        "normalized_domain": "example.com",
        "normalized_company_name": "example",
        "combined_text": "Data lake | Example Inc. | www.example.com | Reports are slow | Analytics | Retail"
        " | Qualified",
    }


def test_every_column_of_an_aws_account_comes_from_where_the_map_says(raw: Raw) -> None:
    a_business(raw)
    raw.transform("aws_accounts")
    rows = raw.rows("select * from core.aws_accounts order by account_id")
    assert [row["account_id"] for row in rows] == ["111111111111", "222222222222", "333333333333"]
    assert rows[0]["is_payer"] is True
    assert rows[0]["payer_account_id"] is None
    expected: dict[str, Any] = {
        "account_name": "Production",
        "account_alias": "example-prod",
        "company_id": 100,
        "company_name": "Example GmbH",
        "company_website": "https://www.example.de/x",
        "company_domain": "example.de",
        "partner_id": 101,
        "partner_name": "Jane Doe",
        "partner_email": "jane@example.de",
        "salesperson_id": 7,
        "salesperson_name": "Sam Seller",
        "salesperson_email": "sam@partner.example",
        "is_payer": False,
        "payer_account_id": "111111111111",
        "payer_account_name": "Payer",
        "is_billable": False,
        "environment": "prod",
    }
    assert {name: rows[1][name] for name in expected} == expected
    known_to_apn = {name: rows[2][name] for name in expected if rows[2][name] is not None}
    assert known_to_apn == {
        "account_name": "End user",
        "company_name": "End Co",
        "company_website": "https://end.example.org",
        "company_domain": "example.org",
        "is_payer": False,
        "payer_account_id": "111111111111",
        "payer_account_name": "Payer",
        "is_billable": True,
    }


def test_leads_stay_out_and_names_of_deleted_rows_stay(raw: Raw) -> None:
    """A former colleague's deals keep their owner; a lead becomes an opportunity when its type says so."""
    a_business(raw)
    raw.put("odoo_crm_lead", 2, name="Cold", type="lead")
    raw.transform_all()
    raw.delete("odoo_res_partner", 102)
    raw.transform_all()
    assert raw.query("select source_id, user_name from core.odoo_opportunities") == [(1, "Sam Seller")]
    raw.put("odoo_crm_lead", 2, type="opportunity")
    assert raw.transform("odoo_opportunities").inserted == 1
    raw.put("odoo_crm_lead", 2, type="lead")
    assert raw.transform("odoo_opportunities").deleted == 1


@pytest.mark.parametrize("mask", ["Accept To View", "  accept  to VIEW "])
def test_what_aws_masks_is_null(raw: Raw, mask: str) -> None:
    raw.put(
        "apn_opportunity",
        "O1",
        name=mask,
        partner_project_title=mask,
        customer_first_name=mask,
        customer_email=mask,
        customer_website=mask,
        aws_account=mask,
        industry="Retail",
        psm_name=mask,
    )
    raw.transform_all()
    row = raw.row("select * from core.ace_opportunities")
    filled = {name for name, value in row.items() if value is not None} - UNSTABLE
    assert filled == {"source_id", "name", "industry", "combined_text"}
    assert row["name"] == "O1"


def limits(target: str) -> list[tuple[str, int]]:
    """The columns with a length that come from RAW as they are, and their lengths."""
    computed = {
        "domain",
        "normalized_domain",
        "normalized_company_name",
        "company_domain",
        "account_id",
        "source_id",
    }
    found = [(name, re.fullmatch(r"varchar\((\d+)\)", kind)) for name, kind, _ in tables("core")[target]]
    return [(name, int(match[1])) for name, match in found if match and name not in computed]


ODOO_SOURCES = {
    "name": ("odoo_crm_lead", 1, "name"),
    "partner_name": ("odoo_res_partner", 101, "name"),
    "partner_email": ("odoo_res_partner", 101, "email"),
    "partner_phone": ("odoo_res_partner", 101, "mobile"),
    "partner_website": ("odoo_res_partner", 100, "website"),
    "partner_street": ("odoo_res_partner", 101, "street"),
    "partner_city": ("odoo_res_partner", 101, "city"),
    "partner_state": ("odoo_res_country_state", 10, "name"),
    "partner_country": ("lookup_res_country", 1, "name"),
    "user_name": ("odoo_res_partner", 102, "name"),
    "user_email": ("lookup_res_users", 7, "login"),
    "team_name": ("odoo_crm_team", 3, "name"),
    "stage_name": ("odoo_crm_stage", 4, "name"),
    "aws_account_id": ("odoo_c_aws_accounts", 21, "name"),
    "aws_account_name": ("odoo_c_aws_accounts", 21, "c_aws_account_name"),
    "aws_account_alias": ("odoo_c_aws_accounts", 21, "c_aws_account_alias"),
    "aws_payer_account_id": ("odoo_c_aws_accounts", 20, "name"),
    "aws_payer_account_name": ("odoo_c_aws_accounts", 20, "c_aws_account_name"),
    "origination": ("odoo_crm_lead", 1, "origination"),
    "c_aws_am_name": ("odoo_crm_lead", 1, "c_aws_am_name"),
    "c_aws_psm_name": ("odoo_crm_lead", 1, "c_aws_psm_name"),
}


def test_a_text_too_long_for_any_column_is_held_and_loads_once_it_fits(raw: Raw) -> None:
    """The statement lists the lengths of the table by hand: a column forgotten there would fail the whole load."""
    a_business(raw)
    raw.put("odoo_crm_lead", 2, name="Fits")
    raw.transform_all()
    assert dict(limits("odoo_opportunities")).keys() == ODOO_SOURCES.keys()
    for column, longest in limits("odoo_opportunities"):
        table, id, source = ODOO_SOURCES[column]
        ((before,),) = raw.query(f"select {source} from raw.{table} where id = %s", [id])
        raw.put(table, id, **{source: "é" * (longest + 1)})
        found = raw.transform("odoo_opportunities")
        assert (found.quarantined, found.deleted) == (1, 1), column
        held = raw.row(
            "select * from ops.quarantine where table_name = 'core.odoo_opportunities' and closed_at is null"
        )
        assert (held["source_id"], held["stage"], held["reason"]) == ("1", "core", "TOO_LONG")
        assert re.search(rf"{column}: {longest + 1:d}|{column}: 510", held["message"]), column
        assert f"characters found, at most {longest} fit" in held["message"]
        assert held["payload"]["source_id"] == 1
        raw.put(table, id, **{source: before})
        found = raw.transform("odoo_opportunities")
        assert (found.quarantined, found.inserted) == (0, 1), column
    assert raw.query(
        "select count(*), count(closed_at) from ops.quarantine where table_name = 'core.odoo_opportunities'"
    ) == [(len(ODOO_SOURCES), len(ODOO_SOURCES))]


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"probability": float("nan")}, "NOT_A_NUMBER"),
        ({"probability": float("inf")}, "NOT_A_NUMBER"),
        ({"probability": 999.996}, "OUT_OF_RANGE"),
        ({"expected_revenue": Decimal("NaN")}, "NOT_A_NUMBER"),
        ({"expected_revenue": Decimal("-1e13")}, "OUT_OF_RANGE"),
        ({"name": None}, "MISSING"),
    ],
)
def test_a_number_or_name_that_does_not_fit_is_held_and_the_rest_loads(
    raw: Raw, columns: dict[str, Any], reason: str
) -> None:
    raw.put("odoo_crm_lead", 1, **{"name": "Bad", **columns})
    raw.put("odoo_crm_lead", 2, name="Good", probability=999.99, expected_revenue=Decimal("9999999999999.99"))
    found = raw.transform("odoo_opportunities")
    assert (found.inserted, found.quarantined) == (1, 1)
    assert raw.query("select source_id, reason from ops.quarantine") == [("1", reason)]


def test_accounts_that_are_not_12_digits_or_double_are_held(raw: Raw) -> None:
    raw.put("odoo_c_aws_accounts", 1, name="111111111111", active=False)
    raw.put("odoo_c_aws_accounts", 2, name="111111111111", active=True)
    raw.put("odoo_c_aws_accounts", 3, name="12345")
    raw.put("odoo_c_aws_accounts", 4, name=None)
    raw.put("odoo_c_aws_accounts", 5, name="555555555555", c_aws_account_name="x" * 501)
    raw.put("apn_end_user", "A", aws_account_id="111111111111")
    raw.put("apn_end_user", "B", aws_account_id="Accept To View")
    found = raw.transform("aws_accounts")
    assert (found.inserted, found.quarantined) == (1, 4)
    held = "select source_id, reason from ops.quarantine where closed_at is null order by source_id"
    assert raw.query(held) == [
        ("1", "DUPLICATE_ACCOUNT"),
        ("3", "NOT_12_DIGITS"),
        ("4", "NOT_12_DIGITS"),
        ("5", "TOO_LONG"),
    ]
    raw.delete("odoo_c_aws_accounts", 2)
    raw.put("odoo_c_aws_accounts", 3, name="333333333333")
    assert raw.transform("aws_accounts").quarantined == 2
    assert [row[0] for row in raw.query(held)] == ["4", "5"]


def test_running_again_writes_no_row(raw: Raw) -> None:
    a_business(raw)
    raw.put("odoo_crm_lead", 2, name=None)
    raw.transform_all()
    raw.transform_all()
    versions = " union all ".join(
        f"select '{table}', xmin::text, ctid::text from {table}"
        for table in (
            *(f"core.{target}" for target in CORE_READERS),
            *("core.domains", "core.company_names"),
            *("ops.quarantine", "ops.transformation_log", "ops.core_state", "ops.raw_changes"),
        )
    )
    before = sorted(raw.query(versions))
    for result in raw.transform_all().values():
        assert (result.affected, result.inserted, result.updated, result.deleted) == (0, 0, 0, 0)
    for result in raw.transform_all(full=True).values():
        assert (result.inserted, result.updated, result.deleted) == (0, 0, 0)
        assert result.unchanged > 0
    assert sorted(raw.query(versions)) == before


def test_each_written_row_is_logged_with_rules_and_changed_columns(raw: Raw) -> None:
    a_business(raw)
    raw.transform_all()
    ((before,),) = raw.query("select opportunity_id from core.odoo_opportunities")
    raw.put("odoo_crm_stage", 4, name="Lost")
    raw.transform_all()
    assert raw.query("select opportunity_id from core.odoo_opportunities") == [(before,)]
    raw.delete("odoo_crm_lead", 1)
    raw.transform_all()
    log = raw.rows(
        "select * from ops.transformation_log where target_table = 'core.odoo_opportunities' order by transformed_at"
    )
    assert [row["transformation_type"] for row in log] == ["insert", "update", "delete"]
    assert {row["source_record_id"] for row in log} == {"1"}
    assert {row["target_record_id"] for row in log} == {before}
    assert {row["source_table"] for row in log} == {"raw.odoo_crm_lead"}
    assert all("public suffix list" in row["transformation_rules"]["rules_version"] for row in log)
    assert log[1]["transformation_rules"]["columns"] == ["stage_name", "combined_text"]


CHANGES: list[tuple[str, int | str, dict[str, Any], str]] = [
    ("odoo_res_partner", 101, {"city": "Berlin"}, "partner_city"),
    ("odoo_res_partner", 100, {"website": "other.example.net"}, "partner_website"),
    ("odoo_res_partner", 102, {"name": "Sam Changed"}, "user_name"),
    ("lookup_res_users", 7, {"login": "new@partner.example"}, "user_email"),
    ("odoo_crm_team", 3, {"name": "Data"}, "team_name"),
    ("odoo_crm_stage", 4, {"sequence": 1}, "stage_sequence"),
    ("odoo_res_country_state", 10, {"name": "Hesse"}, "partner_state"),
    ("odoo_res_country_state", 10, {"country_id": 2}, "partner_country"),
    ("lookup_res_country", 1, {"name": "Deutschland"}, "partner_country"),
    ("odoo_c_aws_accounts", 21, {"c_aws_account_alias": "new"}, "aws_account_alias"),
    ("odoo_c_aws_accounts", 20, {"c_aws_account_name": "New payer"}, "aws_payer_account_name"),
]


@pytest.mark.parametrize(("table", "id", "columns", "changed"), CHANGES)
def test_a_change_of_a_referenced_row_reaches_the_opportunities_that_name_it(
    raw: Raw, table: str, id: int, columns: dict[str, Any], changed: str
) -> None:
    a_business(raw)
    raw.put("odoo_crm_lead", 2, name="Another")
    raw.transform_all()
    raw.put(table, id, **columns)
    found = raw.transform("odoo_opportunities")
    assert (found.affected, found.updated) == (1, 1)
    ((rules,),) = raw.query(
        "select transformation_rules from ops.transformation_log where transformation_type = 'update'"
        " and target_table = 'core.odoo_opportunities'"
    )
    assert changed in rules["columns"]


def test_an_owner_that_gets_another_name_reaches_the_ace_opportunities(raw: Raw) -> None:
    a_business(raw)
    raw.transform_all()
    raw.put("apn_users", "U1", name="Renamed")
    assert raw.transform("ace_opportunities").updated == 1
    assert raw.row("select owner_name from core.ace_opportunities") == {"owner_name": "Renamed"}


def test_an_account_that_gets_another_number_or_name_reaches_the_ace_opportunities(raw: Raw) -> None:
    a_business(raw)
    raw.transform_all()
    raw.put("odoo_c_aws_accounts", 21, name="444444444444")
    raw.transform_all()
    assert raw.query("select aws_account, aws_account_name from core.ace_opportunities") == [
        ("222222222222", None)
    ]
    raw.put("odoo_c_aws_accounts", 22, name="222222222222", c_aws_account_name="Back")
    # Out of order: ACE takes the announcement before the account is in CORE.
    raw.transform("ace_opportunities")
    raw.transform("aws_accounts")
    raw.transform("ace_opportunities")
    assert raw.query("select aws_account_name from core.ace_opportunities") == [("Back",)]


def test_other_rules_rebuild_a_table_whole(raw: Raw, monkeypatch: pytest.MonkeyPatch) -> None:
    a_business(raw)
    raw.transform_all()
    monkeypatch.setattr(domains, "RULES", "next")
    monkeypatch.setattr(domains, "normalized_domain", lambda host: "changed.example")
    domains.rules_version.cache_clear()
    try:
        raw.transform_all()
    finally:
        domains.rules_version.cache_clear()
    assert raw.query("select distinct normalized_domain from core.ace_opportunities") == [
        ("changed.example",)
    ]


def test_a_whole_table_announced_looks_at_every_row(raw: Raw) -> None:
    a_business(raw)
    raw.put("odoo_crm_lead", 2, name="Another")
    raw.transform_all()
    raw.announce("odoo_crm_team", None)
    assert raw.transform("odoo_opportunities").affected == 2


def test_an_error_changes_nothing_and_names_the_records(raw: Raw, warehouse: DatabaseSettings) -> None:
    a_business(raw)
    raw.transform_all()
    for number in range(2, 30):
        raw.put("odoo_crm_lead", number, name=f"Lead {number}", probability=50 if number % 10 else 77)
    owner = Raw(warehouse)
    owner.query("set role odoo_apn_writer")
    owner.query("alter table core.odoo_opportunities add constraint not_77 check (probability <> 77)")
    queued = raw.query("select count(*) from ops.raw_changes")
    with pytest.raises(PermanentError) as told:
        raw.transform("odoo_opportunities")
    assert "10 (not_77), 20 (not_77)" in told.value.found
    assert "Failing row" not in str(told.value)
    assert raw.query("select count(*) from core.odoo_opportunities") == [(1,)]
    assert raw.query("select count(*) from ops.raw_changes") == queued
    assert raw.query("select count(*) from raw.odoo_crm_lead where _deleted_at is null") == [(29,)]
    owner.query("alter table core.odoo_opportunities drop constraint not_77")
    owner.connection.close()
    assert raw.transform("odoo_opportunities").inserted == 28


def test_a_lost_lease_writes_nothing(raw: Raw) -> None:
    from resources.leases import Lease
    from resources.sql import Session

    a_business(raw)
    session = Session(raw._connect)
    from odoo_apn_assets.core import transform

    with pytest.raises(PermanentError, match="lost the lease"):
        transform(session, "odoo_opportunities", Lease(10**6, "core", None, "orphan"))
    session.close()
    assert raw.query("select count(*) from core.odoo_opportunities") == [(0,)]


def content(raw: Raw, target: str) -> list[tuple[Any, ...]]:
    columns = ", ".join(name for name, _, _ in tables("core")[target] if name not in UNSTABLE)
    return raw.query(f"select {columns} from core.{target} order by {KEYS[target]}")


TEXTS = st.sampled_from(
    [None, "A", "B Inc", "x" * 501, "www.a.example.com", "b@b.example.org", "111111111111"]
)
IDS = st.integers(1, 3)
EDITS = st.one_of(
    st.tuples(
        st.just("odoo_crm_lead"),
        IDS,
        st.fixed_dictionaries(
            {
                "name": TEXTS,
                "partner_id": IDS | st.none(),
                "user_id": IDS,
                "c_aws_account_id": IDS,
                "team_id": IDS,
            },
            optional={"type": st.sampled_from(["lead", "opportunity"]), "probability": st.floats()},
        ),
    ),
    st.tuples(
        st.just("odoo_res_partner"),
        IDS,
        st.fixed_dictionaries(
            {"name": TEXTS, "website": TEXTS, "email": TEXTS, "commercial_partner_id": IDS, "state_id": IDS}
        ),
    ),
    st.tuples(
        st.just("odoo_c_aws_accounts"),
        IDS,
        st.fixed_dictionaries(
            {
                "name": st.sampled_from(["111111111111", "222222222222", "33"]),
                "c_aws_account_name": TEXTS,
                "payer_id": IDS,
                "active": st.booleans(),
                "user_id": IDS,
            }
        ),
    ),
    st.tuples(st.just("lookup_res_users"), IDS, st.fixed_dictionaries({"partner_id": IDS, "login": TEXTS})),
    st.tuples(
        st.just("odoo_res_country_state"), IDS, st.fixed_dictionaries({"name": TEXTS, "country_id": IDS})
    ),
    st.tuples(st.just("lookup_res_country"), IDS, st.fixed_dictionaries({"name": TEXTS})),
    st.tuples(st.just("odoo_crm_team"), IDS, st.fixed_dictionaries({"name": TEXTS})),
    st.tuples(
        st.just("apn_opportunity"),
        IDS.map(str),
        st.fixed_dictionaries(
            {
                "aws_account": st.sampled_from(["111111111111", "222222222222", "Accept To View"]),
                "account_name": st.sampled_from([None, "A", "Accept To View"]),
                "owner_id": IDS.map(str),
            }
        ),
    ),
    st.tuples(
        st.just("apn_users"), IDS.map(str), st.fixed_dictionaries({"name": st.sampled_from(["A", "B"])})
    ),
    st.tuples(
        st.just("apn_end_user"),
        IDS.map(str),
        st.fixed_dictionaries(
            {
                "aws_account_id": st.sampled_from(["111111111111", "222222222222", "444444444444"]),
                "payer_account_id": st.sampled_from(["111111111111", "444444444444", None]),
                "account_name": st.sampled_from([None, "E", "F"]),
            }
        ),
    ),
)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    st.lists(
        st.lists(EDITS | st.tuples(st.just("delete"), EDITS), min_size=1, max_size=5), min_size=1, max_size=4
    )
)
def test_following_the_changes_gives_what_a_rebuild_gives(raw: Raw, batches: list[list[Any]]) -> None:
    raw.empty()
    for batch in batches:
        for edit in batch:
            if edit[0] == "delete":
                raw.delete(edit[1][0], edit[1][1])
            else:
                raw.put(edit[0], edit[1], **edit[2])
        raw.transform_all()
        held = "select table_name, source_id, reason, message from ops.quarantine where closed_at is null order by 1, 2"
        followed = {target: content(raw, target) for target in CORE_READERS}, raw.query(held)
        rebuilt = raw.transform_all(full=True)
        assert ({target: content(raw, target) for target in CORE_READERS}, raw.query(held)) == followed
        assert all((one.inserted, one.updated, one.deleted) == (0, 0, 0) for one in rebuilt.values())
        for check in (
            "odoo_opportunities_equal_raw",
            "ace_opportunities_equal_raw",
            "aws_accounts_equal_raw",
        ):
            from resources.sql import statement

            ((_, failed, expected, actual, _),) = raw.query(statement(f"core/checks/{check}"))
            assert (failed, expected) == (0, actual), check


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example("https://www.Vendor.dev")
@example("v@five.cloud \v")
@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"))
    | st.from_regex(r"[a-zA-Z0-9._@:/\\>; ?#-]{0,40}", fullmatch=True)
)
def test_sql_and_python_read_the_same_host(raw: Raw, text: str) -> None:
    """Postgres took the tabulator `\\v` for the letter v: each host with one in it was no host."""
    ((website, email),) = raw.query("select core.host_of_website(%s), core.host_of_email(%s)", [text, text])
    assert (website, email) == (domains.host_of_website(text), domains.host_of_email(text))


def test_what_the_seed_prints_runs_as_printed_and_is_what_there_is(
    postgres: Any, warehouse: DatabaseSettings
) -> None:
    """In a database that has nothing of ours; what it makes there is here too, with the same names and types."""
    columns = """
        select table_schema || '.' || table_name || '.' || column_name, data_type, character_maximum_length,
            numeric_precision, numeric_scale
        from information_schema.columns where table_schema in ('core', 'ops')"""
    indexes = """
        select schemaname || '.' || indexname from pg_indexes
        where schemaname in ('core', 'ops') and indexname like 'idx%'"""
    postgres.create_database("as_printed")
    try:
        with postgres.session("as_printed") as connection, connection.cursor() as cursor:
            cursor.execute(
                "create extension vector; create schema core; create schema ops; create schema search"
            )
            cursor.execute(SEED.read_text())
            cursor.execute(columns)
            printed_columns = set(cursor.fetchall())
            cursor.execute(indexes)
            printed_indexes = set(cursor.fetchall())
    finally:
        postgres.drop_database("as_printed")
    with postgres.session(warehouse.name) as connection, connection.cursor() as cursor:
        cursor.execute(columns)
        assert printed_columns <= set(cursor.fetchall())
        cursor.execute(indexes)
        assert printed_indexes <= set(cursor.fetchall())
    assert (len(printed_columns), len(printed_indexes)) > (100, 10)
