"""Each validation rule of the APN tables fires on a row that breaks it and is silent on one that keeps it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest

from odoo_apn_assets.apn_rules import RULES, parameters, rules_of
from odoo_apn_assets.specs import specs_of
from resources.sql import statement
from sandbox.postgres import PostgresServer
from tests.apn_rows import (
    cash_claim,
    connection_to,
    end_user,
    funding_request,
    history,
    insert,
    opportunity,
    user,
)
from tests.conftest import OWNER, settings_of

Row = tuple[str, dict[str, Any]]
MASKED = "Accept To View"


def rows(build: Any, table: str, *changes: dict[str, Any]) -> list[Row]:
    return [(table, build(**change)) for change in changes]


def opp(*changes: Any, **change: Any) -> list[Row]:
    return rows(opportunity, "apn_opportunity", *(changes or (change,)))


def fund(**change: Any) -> list[Row]:
    return rows(funding_request, "apn_funding_request", change)


def claim(**change: Any) -> list[Row]:
    return [*fund(), *rows(cash_claim, "apn_cash_claim", change)]


def steps(*changes: dict[str, Any]) -> list[Row]:
    return [
        *fund(stage="Tech Approval"),
        *(
            (
                "apn_funding_request_history",
                history(**{"id": f"H{number}", "date": f"2026-01-0{number}", **change}),
            )
            for number, change in enumerate(changes, 1)
        ),
    ]


def end(**change: Any) -> list[Row]:
    return rows(end_user, "apn_end_user", change)


NO_WEBSITE = {"customer_website": None, "postal_code": None}

# code -> rows that keep the rule, rows that break it
CASES: dict[str, tuple[list[Row], list[Row]]] = {
    "OPP_ID": (opp(), opp(id="0061234")),
    "OPP_PARENT_ID": (opp(), opp(parent_opportunity_id="12")),
    "OPP_SOLUTION_ID": (opp(), opp(solution_offered=["S-1", "s-2"])),
    "OPP_ACCOUNT": (opp(), opp(aws_account="12345678901")),
    "OPP_DUNS": (opp(), opp(customer_duns="12345")),
    "OPP_CUSTOMER_EMAIL": (opp(), opp(customer_email="Jane.Doe@example.com")),
    "OPP_TEAM_EMAIL": (opp(), opp(psm_email="psm at aws")),
    "OPP_PHONE": (opp(), opp(customer_phone="206-555-0100")),
    "OPP_WEBSITE": (opp(), opp(customer_website="http://")),
    "OPP_COMPANY_LENGTH": (opp(account_name="x" * 120), opp(account_name="x" * 121)),
    "OPP_PROBLEM_LENGTH": (opp(), opp(project_description_business_need="too short")),
    "OPP_POSTAL_CODE": (opp(), opp(postal_code="9810")),
    "OPP_CRM_ID_UNIQUE": (
        opp({"id": "O1"}, {"id": "O2", "partner_crm_unique_identifier": "4712"}),
        opp({"id": "O1"}, {"id": "O2"}),
    ),
    "OPP_SPEND": (opp(), opp(project_budget="0")),
    "OPP_CLOSE_DATE": (opp(), opp(close_date="2026-05-31")),
    "OPP_NEEDS_COMPANY": (opp(), opp(account_name="")),
    "OPP_NEEDS_INDUSTRY": (opp(), opp(industry=None)),
    "OPP_NEEDS_COUNTRY": (opp(), opp(country=None)),
    "OPP_NEEDS_TITLE": (opp(), opp(partner_project_title=None)),
    "OPP_NEEDS_PROBLEM": (opp(), opp(project_description_business_need=None)),
    "OPP_NEEDS_CLOSE_DATE": (opp(), opp(close_date=None)),
    "OPP_NEEDS_SPEND": (opp(), opp(project_budget=None)),
    "OPP_NEEDS_WEBSITE": (opp(), opp(customer_website=None)),
    "OPP_NEEDS_POSTAL_CODE": (opp(), opp(postal_code=None)),
    "OPP_SUBMITTED_USE_CASE": (opp(), opp(use_case=None)),
    "OPP_SUBMITTED_DELIVERY_MODEL": (opp(), opp(delivery_model=None)),
    "OPP_SUBMITTED_SALES_ACTIVITIES": (opp(), opp(sales_activities="")),
    "OPP_SUBMITTED_PRIMARY_NEED": (opp(), opp(partner_primary_need_from_aws=None)),
    "OPP_SUBMITTED_SOLUTION": (
        opp(solution_offered=[], other_solution_offered="Our own"),
        opp(solution_offered=[]),
    ),
    "OPP_INDUSTRY_OTHER": (opp(industry="Other", industry_other="Circus"), opp(industry="Other")),
    "OPP_STATE_OF_US": (opp(), opp(state=None)),
    "OPP_CLOSED_LOST_REASON": (
        opp(stage_name="Closed Lost", closed_lost_reason="Price"),
        opp(stage_name="Closed Lost"),
    ),
    "OPP_REJECTION_REASON": (
        opp(partner_acceptance_status="Rejected", rejection_reason="Other"),
        opp(partner_acceptance_status="REJECTED"),
    ),
    "OPP_LAUNCHED_ACCOUNT": (opp(), opp(aws_account=None)),
    "OPP_COMMITTED_SOLUTION": (opp(), opp(stage_name="Committed", solution_offered=None)),
    "OPP_RENEWAL_PARENT": (
        opp(opportunity_type="Flat Renewal"),
        opp(opportunity_type="Flat Renewal", parent_opportunity_id=None),
    ),
    "OPP_MDF_FLAG": (opp(), opp(is_marketing_development_funded=None)),
    "OPP_NO_MARKETING": (
        opp(
            is_opp_from_marketing_activity=False,
            marketing_campaign_name=None,
            is_marketing_development_funded=None,
        ),
        opp(is_opp_from_marketing_activity=False),
    ),
    "OPP_NATIONAL_SECURITY": (
        opp(national_security=True, industry="Government"),
        opp(national_security=True),
    ),
    "OPP_NEED_EXCLUSIVE": (
        opp(partner_primary_need_from_aws="Do Not Need Support from AWS Sales Rep"),
        opp(partner_primary_need_from_aws="Co-Sell - Deal Support;Do Not Need Support from AWS Sales Rep"),
    ),
    "FR_BENEFIT_ID": (fund(), fund(benefit_id="ben-1")),
    "FR_APPLICATION_ID": (fund(), fund(benefit_application_id="ben-0123456789abcd")),
    "FR_ALLOCATION_ID": (fund(), fund(allocation_id="benalloc-0123456789ABCD")),
    "FR_OPPORTUNITY_ID": (fund(), fund(opportunity_id="1")),
    "FR_ACCOUNT": (fund(), fund(customer_aws_account="1234-5678-9012")),
    "FR_EMAIL": (fund(), fund(psm_email="PSM@amazon.example")),
    "FR_WEBSITE": (fund(), fund(customer_website="example")),
    "FR_AMOUNTS": (fund(), fund(total_project_cost="-0.01")),
    "FR_REQUESTED": (fund(), fund(requested_amount="1000.01")),
    "FR_CLAIMED": (fund(), fund(claimed_amount="700.01", remaining_amount="-0.01")),
    "FR_PAID": (fund(), fund(paid_amount="300.26")),
    "FR_REMAINING": (fund(), fund(remaining_amount="400")),
    "FR_DATES": (fund(), fund(planned_end_date="2026-01-31")),
    "FR_LAST_STAGE": (
        steps({"to_stage": "Created"}, {"from_stage": "Created", "to_stage": "Tech Approval"}),
        steps({"to_stage": "Created"}),
    ),
    "CC_AMOUNTS": (claim(), claim(approved_amount="NaN")),
    "CC_PAID": (claim(), claim(claimed_amount="300.24")),
    "CC_CURRENCY": (claim(), claim(currency="EUR")),
    "CC_DATES": (claim(), claim(actual_end_date="2026-01-31")),
    "CC_INSIDE_REQUEST": (claim(), claim(planned_end_date="2026-05-02")),
    "FH_CHAIN": (
        steps({"to_stage": "Created"}, {"from_stage": "Created", "to_stage": "Tech Approval"}),
        steps({"to_stage": "Created"}, {"from_stage": "AWS Review", "to_stage": "Tech Approval"}),
    ),
    "EU_ACCOUNT": (end(), end(aws_account_id="n/a")),
    "EU_PAYER_ACCOUNT": (end(), end(payer_account_id="1")),
    "EU_DUNS": (end(), end(duns_number="12-345678")),
    "EU_WEBSITE": (end(), end(website="-")),
    "EU_COMPANY_LENGTH": (end(), end(company_name="x" * 121)),
    "EU_POSTAL_CODE": (end(), end(postal_code="98101-12")),
    "EU_OPPORTUNITY_ID": (end(), end(opportunity_id="o1")),
    "USR_EMAIL": (
        rows(user, "apn_users", {}),
        rows(user, "apn_users", {"email": "a@b"}),
    ),
}


@pytest.fixture(scope="module")
def connection(postgres: PostgresServer, warehouse_template: str) -> Iterator[psycopg2.extensions.connection]:
    name = "apn_rules"
    postgres.create_database(name, owner=OWNER, template=warehouse_template)
    opened = connection_to(settings_of(postgres, name))
    yield opened
    opened.close()
    postgres.drop_database(name)


def judged(
    connection: psycopg2.extensions.connection, table: str, given: list[Row]
) -> dict[str, tuple[int, int, list[str] | None]]:
    """Code -> checked, failed, examples, over these rows alone."""
    try:
        for name, values in given:
            insert(connection, f"raw.{name}", **values)
        with connection.cursor() as cursor:
            cursor.execute(statement(f"raw/checks/{table}"), parameters())
            return {code: (checked, failed, ids) for code, checked, failed, ids in cursor.fetchall()}
    finally:
        connection.rollback()


def test_every_rule_has_its_cases() -> None:
    assert set(CASES) == {rule.code for rule in RULES}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_a_rule_fires_and_stays_silent(connection: psycopg2.extensions.connection, rule: Any) -> None:
    good, bad = CASES[rule.code]
    checked, failed, examples = judged(connection, rule.table, good)[rule.code]
    assert (checked > 0, failed, examples) == (True, 0, None)
    checked, failed, examples = judged(connection, rule.table, bad)[rule.code]
    assert checked >= failed > 0
    assert examples


def test_the_default_rows_break_no_rule(connection: psycopg2.extensions.connection) -> None:
    """A builder that breaks a rule by itself would make every case of it fire."""
    everything = [
        *opp(),
        *claim(),
        *end(),
        *rows(user, "apn_users", {}),
        ("apn_funding_request_history", history(to_stage="Cash Claim")),
    ]
    for spec in specs_of("apn"):
        found = judged(connection, spec.raw_name, everything)
        assert not [code for code, (_, failed, _) in found.items() if failed]


@pytest.mark.parametrize("table", [spec.raw_name for spec in specs_of("apn")])
def test_the_statements_and_the_table_of_rules_name_the_same_codes(table: str) -> None:
    import re

    codes = re.findall(r"^        \('([A-Z_]+)', ", statement(f"raw/checks/{table}"), re.MULTILINE)
    assert codes == [rule.code for rule in rules_of(table)]


def test_rules_name_columns_that_their_tables_have() -> None:
    for spec in specs_of("apn"):
        known = {column.name for column in spec.columns}
        for rule in rules_of(spec.raw_name):
            assert set(rule.columns) <= known, rule.code


def test_a_row_of_nulls_breaks_only_what_is_required(connection: psycopg2.extensions.connection) -> None:
    found = judged(connection, "apn_opportunity", [("apn_opportunity", {"id": "O1"})])
    assert {code for code, (_, failed, _) in found.items() if failed} == {
        rule.code for rule in RULES if rule.code.startswith("OPP_NEEDS_")
    }
    for table in ("apn_funding_request", "apn_cash_claim", "apn_end_user", "apn_users"):
        assert judged(connection, table, [(table, {"id": "X"})]) == {}


def test_a_referral_that_is_not_accepted_need_not_be_complete(
    connection: psycopg2.extensions.connection,
) -> None:
    """AWS masks contact, address and account until the referral is accepted: that is not the partner's fault."""
    masked = {
        "opportunity_ownership": "AWS Referral",
        "aws_status": None,
        "partner_crm_unique_identifier": None,
        "stage_name": "Prospect",
        **dict.fromkeys(
            ("account_name", "customer_email", "customer_phone", "postal_code", "aws_account"), MASKED
        ),
        **dict.fromkeys(("customer_website", "state", "project_budget", "use_case"), None),
    }
    pending = judged(connection, "apn_opportunity", opp(**masked, partner_acceptance_status="Pending"))
    assert not [code for code, (_, failed, _) in pending.items() if failed]
    accepted = judged(connection, "apn_opportunity", opp(**masked, partner_acceptance_status="ACCEPTED"))
    assert {code for code, (_, failed, _) in accepted.items() if failed} == {
        *("OPP_NEEDS_COMPANY", "OPP_NEEDS_SPEND", "OPP_NEEDS_WEBSITE", "OPP_NEEDS_POSTAL_CODE"),
        "OPP_STATE_OF_US",
    }


@pytest.mark.parametrize(
    ("change", "codes"),
    [
        ({"national_security": True, "industry": "Government", **NO_WEBSITE}, set()),
        ({"country": "Hong Kong", "state": None, "postal_code": None}, set()),
        ({"country": "Hong Kong", "postal_code": "99999"}, set()),
        ({"country": "Hong Kong", "postal_code": "12345"}, {"OPP_POSTAL_CODE"}),
        ({"country": "Germany", "state": None, "postal_code": "anything"}, set()),
        ({"aws_status": "Draft", "use_case": None, "delivery_model": None}, set()),
        ({"aws_status": None, "status": "Submitted", "use_case": None}, {"OPP_SUBMITTED_USE_CASE"}),
        ({"opportunity_ownership": "Partner Originated", "use_case": None}, {"OPP_SUBMITTED_USE_CASE"}),
        ({"project_budget": "NaN"}, {"OPP_SPEND"}),
        ({"close_date": "infinity"}, {"OPP_CLOSE_DATE"}),
        ({"close_date": "2086-07-01"}, set()),
        ({"close_date": "2086-07-02"}, {"OPP_CLOSE_DATE"}),
        ({"partner_crm_unique_identifier": ""}, set()),
        ({"customer_website": "https://example.co.uk/a-b_c?d=e"}, set()),
        ({"_deleted_at": "2026-10-01", "id": "x"}, set()),
    ],
)
def test_the_edges_of_the_rules(
    connection: psycopg2.extensions.connection, change: dict[str, Any], codes: set[str]
) -> None:
    found = judged(connection, "apn_opportunity", opp(**change))
    assert {code for code, (_, failed, _) in found.items() if failed} == codes


def test_the_first_ten_ids_are_named(connection: psycopg2.extensions.connection) -> None:
    changes = [
        {"id": f"O{number:02}", "aws_account": "1", "partner_crm_unique_identifier": str(number)}
        for number in range(25, 0, -1)
    ]
    checked, failed, examples = judged(connection, "apn_opportunity", opp(*changes))["OPP_ACCOUNT"]
    assert (checked, failed) == (25, 25)
    assert examples == [f"O{number:02}" for number in range(1, 11)]


def test_events_that_move_no_stage_do_not_break_the_chain(
    connection: psycopg2.extensions.connection,
) -> None:
    given = steps(
        {"to_stage": "Created"},
        {"to_stage": None, "from_stage": None, "action": "Amended"},
        {"from_stage": "Created", "to_stage": "Tech Approval"},
    )
    assert judged(connection, "apn_funding_request_history", given) == {"FH_CHAIN": (1, 0, None)}


def test_countries_are_named_as_in_the_list_of_countries() -> None:
    """A misspelled country would silently never be checked."""
    from odoo_apn_assets.value_lists import value_lists

    countries = set(value_lists()["opportunity", "country"].values)
    given = parameters()
    assert set(given["countries_with_format"]) <= countries
    assert set(given["countries_without_codes"]) <= countries
