"""Rows put straight into the mirrors, for tests of what is checked there: good by default, one change at a time."""

from __future__ import annotations

from typing import Any

import psycopg2
from psycopg2 import sql
from psycopg2.extras import Json

from resources.settings import DatabaseSettings


def connection_to(settings: DatabaseSettings) -> psycopg2.extensions.connection:
    """A connection with the session settings of the project."""
    from resources.database import connect

    return connect(settings, application_name="tests")


def insert(connection: psycopg2.extensions.connection, table: str, /, **values: Any) -> None:
    """One row of `schema.table`. A dict becomes jsonb, a list an array."""
    text = sql.SQL("insert into {} ({}) values ({})").format(
        sql.Identifier(*table.split(".")),
        sql.SQL(", ").join(map(sql.Identifier, values)),
        sql.SQL(", ").join(sql.Placeholder() for _ in values),
    )
    with connection.cursor() as cursor:
        cursor.execute(text, [Json(value) if isinstance(value, dict) else value for value in values.values()])


def opportunity(**overrides: Any) -> dict[str, Any]:
    """An opportunity that breaks no rule: a launched partner referral of a customer in the United States."""
    return {
        "id": "O1",
        "account_name": "Example Hospital",
        "partner_project_title": "Cloud migration",
        "project_description_business_need": "The hospital's servers are at the end of their life.",
        "opportunity_type": "Net New Business",
        "opportunity_ownership": "Partner Referral",
        "partner_crm_unique_identifier": "4711",
        "parent_opportunity_id": "O2",
        "customer_email": "jane.doe@example.com",
        "customer_phone": "+12065550100",
        "customer_website": "https://www.example.com/about",
        "customer_duns": "123456789",
        "industry": "Healthcare",
        "country": "United States",
        "state": "Washington",
        "postal_code": "98101-1234",
        "aws_account": "012345678901",
        "national_security": False,
        "project_budget": "1200.50",
        "use_case": "Migration/Database Migration",
        "delivery_model": "SaaS or PaaS;Resell",
        "solution_offered": ["S-0001"],
        "sales_activities": "SOW Signed",
        "partner_primary_need_from_aws": "Co-Sell - Deal Support",
        "stage_name": "Launched",
        "aws_status": "Approved",
        "close_date": "2026-09-01",
        "is_opp_from_marketing_activity": True,
        "marketing_campaign_name": "Summit",
        "is_marketing_development_funded": False,
        "partner_sales_rep_email": "rep@partner.example",
        "aws_create_date": "2026-06-01 10:00",
        "aws_last_modified_date": "2026-07-01 10:00",
    } | overrides


def funding_request(**overrides: Any) -> dict[str, Any]:
    """A funding request whose money adds up."""
    return {
        "id": "FR1",
        "opportunity_id": "O1",
        "stage": "Cash Claim",
        "benefit_id": "ben-0123456789abcd",
        "benefit_application_id": "benappl-0123456789abcd",
        "allocation_id": "benalloc-0123456789abcd",
        "customer_aws_account": "012345678901",
        "partner_contact_email": "funds@partner.example",
        "customer_website": "example.com",
        "currency": "USD",
        "requested_amount": "1000",
        "requested_cash_amount": "800",
        "requested_credit_amount": "200",
        "approved_cash_amount": "700",
        "claimed_amount": "300.25",
        "paid_amount": "300.25",
        "remaining_amount": "399.75",
        "planned_start_date": "2026-02-01",
        "planned_end_date": "2026-05-01",
    } | overrides


def cash_claim(**overrides: Any) -> dict[str, Any]:
    """A claim inside its request."""
    return {
        "id": "CC1",
        "funding_request_id": "FR1",
        "currency": "USD",
        "claimed_amount": "300.25",
        "approved_amount": "300.25",
        "paid_amount": "300.25",
        "planned_start_date": "2026-02-01",
        "planned_end_date": "2026-03-01",
        "actual_start_date": "2026-02-01",
        "actual_end_date": "2026-03-10",
    } | overrides


def history(**overrides: Any) -> dict[str, Any]:
    """A step of a request's history."""
    return {"id": "H1", "funding_request_id": "FR1", "date": "2026-01-01", "to_stage": "Created"} | overrides


def end_user(**overrides: Any) -> dict[str, Any]:
    """An end customer that breaks no rule."""
    return {
        "id": "E1",
        "company_name": "Example Hospital",
        "website": "www.example.com",
        "duns_number": "123456789",
        "country": "United States",
        "state": "Washington",
        "postal_code": "98101",
        "aws_account_id": "012345678901",
        "payer_account_id": "000000000001",
        "opportunity_id": "O1",
    } | overrides


def user(**overrides: Any) -> dict[str, Any]:
    """A user of Partner Central."""
    return {"id": "U1", "email": "rep@partner.example"} | overrides
