"""The validation rules of the APN tables: their codes, columns and severity, and the lists that their SQL is given.

Belongs here: what a rule means. Does not belong here: the conditions, which are one statement per table in
sql/raw/checks/apn_*.sql; a test holds the codes there against this list. Source of the rules: the public model of the
Partner Central APIs, and money identities of our own.

ERROR: the row contradicts itself or cannot be joined. WARN: it is incomplete, or written in another form than AWS
asks for.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

Severity = Literal["ERROR", "WARN"]

EMAIL = (
    r"^[a-z0-9!#$%&'*+/=?^_`{|}~-]+([.][a-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@([a-z0-9]([a-z0-9-]*[a-z0-9])?[.])+[a-z0-9]([a-z0-9-]*[a-z0-9])?$"
)
"""The shape Email of the selling API: lower case only."""

WEBSITE = r"^(https?://)?(www[.])?[a-zA-Z0-9-]+[.][(-|]+$"
"""The shape CompanyWebsiteUrl of the selling API; its last class really is the range from ( to |."""

_POSTAL_CODES = Path(__file__).resolve().parent / "catalogue" / "apn_postal_codes.json"


class Rule(NamedTuple):
    """One rule: `table` is the mirror in schema raw, `columns` are those that it looks at."""

    code: str
    table: str
    columns: tuple[str, ...]
    severity: Severity
    description: str


def _rules(table: str, *rows: tuple[str, str, Severity, str]) -> tuple[Rule, ...]:
    return tuple(
        Rule(code, table, tuple(columns.split()), severity, text) for code, columns, severity, text in rows
    )


RULES: tuple[Rule, ...] = (
    *_rules(
        "apn_opportunity",
        ("OPP_ID", "id", "ERROR", "An opportunity's id is O and 1 to 19 digits"),
        ("OPP_PARENT_ID", "parent_opportunity_id", "ERROR", "The parent's id is O and 1 to 19 digits"),
        ("OPP_SOLUTION_ID", "solution_offered", "WARN", "Each solution is S- and 1 to 19 digits"),
        ("OPP_ACCOUNT", "aws_account", "ERROR", "The AWS account has 12 digits; others join to nothing"),
        ("OPP_DUNS", "customer_duns", "WARN", "A D-U-N-S number has 9 digits"),
        ("OPP_CUSTOMER_EMAIL", "customer_email", "WARN", "The customer's e-mail address has the API's form"),
        (
            "OPP_TEAM_EMAIL",
            "partner_sales_rep_email aws_sales_rep_email psm_email pdm_email",
            "WARN",
            "The e-mail addresses of the partner's and AWS's people have the API's form",
        ),
        ("OPP_PHONE", "customer_phone", "WARN", "The phone number is + and 2 to 15 digits"),
        ("OPP_WEBSITE", "customer_website", "WARN", "The website has 4 to 255 characters and the API's form"),
        ("OPP_COMPANY_LENGTH", "account_name", "WARN", "The company's name has at most 120 characters"),
        (
            "OPP_PROBLEM_LENGTH",
            "project_description_business_need",
            "WARN",
            "The business problem has 20 to 2,000 characters",
        ),
        (
            "OPP_POSTAL_CODE",
            "postal_code country",
            "WARN",
            "The postal code has its country's form; 99999 or none where a country has no codes",
        ),
        (
            "OPP_CRM_ID_UNIQUE",
            "partner_crm_unique_identifier",
            "WARN",
            "The partner's CRM id stands on one opportunity only: AWS matches updates on it",
        ),
        ("OPP_SPEND", "project_budget", "ERROR", "The estimated monthly spend is above 0"),
        (
            "OPP_CLOSE_DATE",
            "close_date aws_create_date aws_last_modified_date",
            "WARN",
            "The close date is not before the record's creation, nor over 60 years after its last change",
        ),
        ("OPP_NEEDS_COMPANY", "account_name", "WARN", "A visible opportunity names its company"),
        ("OPP_NEEDS_INDUSTRY", "industry", "WARN", "A visible opportunity has an industry"),
        ("OPP_NEEDS_COUNTRY", "country", "WARN", "A visible opportunity has a country"),
        ("OPP_NEEDS_TITLE", "partner_project_title", "WARN", "A visible opportunity has a title"),
        (
            "OPP_NEEDS_PROBLEM",
            "project_description_business_need",
            "WARN",
            "A visible opportunity has a business problem",
        ),
        ("OPP_NEEDS_CLOSE_DATE", "close_date", "WARN", "A visible opportunity has a close date"),
        ("OPP_NEEDS_SPEND", "project_budget", "WARN", "A visible opportunity has an estimated monthly spend"),
        (
            "OPP_NEEDS_WEBSITE",
            "customer_website national_security",
            "WARN",
            "A visible opportunity has a website, unless it is one of national security",
        ),
        (
            "OPP_NEEDS_POSTAL_CODE",
            "postal_code national_security country",
            "WARN",
            "A visible opportunity has a postal code, unless it is one of national security or its country has none",
        ),
        ("OPP_SUBMITTED_USE_CASE", "use_case", "WARN", "A submitted partner referral has a use case"),
        (
            "OPP_SUBMITTED_DELIVERY_MODEL",
            "delivery_model",
            "WARN",
            "A submitted partner referral has a delivery model",
        ),
        (
            "OPP_SUBMITTED_SALES_ACTIVITIES",
            "sales_activities",
            "WARN",
            "A submitted partner referral has sales activities",
        ),
        (
            "OPP_SUBMITTED_PRIMARY_NEED",
            "partner_primary_need_from_aws",
            "WARN",
            "A submitted partner referral says what it needs from AWS",
        ),
        (
            "OPP_SUBMITTED_SOLUTION",
            "solution_offered other_solution_offered",
            "WARN",
            "A submitted partner referral has a solution, or describes another one",
        ),
        ("OPP_INDUSTRY_OTHER", "industry industry_other", "WARN", "The industry Other is described"),
        (
            "OPP_STATE_OF_US",
            "state country",
            "WARN",
            "A visible opportunity in the United States has a state",
        ),
        (
            "OPP_CLOSED_LOST_REASON",
            "stage_name closed_lost_reason",
            "WARN",
            "A lost opportunity has a reason",
        ),
        (
            "OPP_REJECTION_REASON",
            "partner_acceptance_status rejection_reason",
            "WARN",
            "A rejected AWS referral has a reason",
        ),
        (
            "OPP_LAUNCHED_ACCOUNT",
            "stage_name aws_account",
            "WARN",
            "A launched opportunity has an AWS account",
        ),
        (
            "OPP_COMMITTED_SOLUTION",
            "stage_name solution_offered",
            "WARN",
            "A committed or launched opportunity has the id of a solution",
        ),
        (
            "OPP_RENEWAL_PARENT",
            "opportunity_type parent_opportunity_id",
            "WARN",
            "A flat renewal names the opportunity that it renews",
        ),
        (
            "OPP_MDF_FLAG",
            "is_opp_from_marketing_activity is_marketing_development_funded",
            "WARN",
            "An opportunity from marketing says whether development funds paid for it",
        ),
        (
            "OPP_NO_MARKETING",
            "is_opp_from_marketing_activity marketing_campaign_name is_marketing_development_funded",
            "WARN",
            "An opportunity not from marketing has no marketing fields",
        ),
        (
            "OPP_NATIONAL_SECURITY",
            "national_security industry",
            "ERROR",
            "National security goes with the industry Government only",
        ),
        (
            "OPP_NEED_EXCLUSIVE",
            "partner_primary_need_from_aws",
            "ERROR",
            "No support needed and a Co-Sell need exclude each other",
        ),
    ),
    *_rules(
        "apn_funding_request",
        ("FR_BENEFIT_ID", "benefit_id", "WARN", "A benefit is ben- and 14 letters or digits"),
        (
            "FR_APPLICATION_ID",
            "benefit_application_id",
            "WARN",
            "An application is benappl- and 14 letters or digits",
        ),
        ("FR_ALLOCATION_ID", "allocation_id", "WARN", "An allocation is benalloc- and 14 letters or digits"),
        ("FR_OPPORTUNITY_ID", "opportunity_id", "ERROR", "The opportunity's id is O and 1 to 19 digits"),
        (
            "FR_ACCOUNT",
            "customer_aws_account",
            "ERROR",
            "The AWS account has 12 digits; others join to nothing",
        ),
        (
            "FR_EMAIL",
            "partner_contact_email business_approver_email psm_email",
            "WARN",
            "The e-mail addresses have the API's form",
        ),
        ("FR_WEBSITE", "customer_website", "WARN", "The website has 4 to 255 characters and the API's form"),
        (
            "FR_AMOUNTS",
            "total_project_cost estimated_arr requested_amount requested_cash_amount requested_credit_amount"
            " approved_cash_amount approved_credit_amount claimed_amount paid_amount remaining_amount",
            "ERROR",
            "No amount is negative or not a number",
        ),
        (
            "FR_REQUESTED",
            "requested_amount requested_cash_amount requested_credit_amount",
            "ERROR",
            "Requested = cash + credit",
        ),
        (
            "FR_CLAIMED",
            "claimed_amount approved_cash_amount",
            "ERROR",
            "Claimed is at most the approved cash",
        ),
        ("FR_PAID", "paid_amount claimed_amount", "ERROR", "Paid is at most what was claimed"),
        (
            "FR_REMAINING",
            "remaining_amount approved_cash_amount claimed_amount",
            "ERROR",
            "Remaining = approved cash - claimed",
        ),
        (
            "FR_DATES",
            "planned_start_date planned_end_date",
            "ERROR",
            "The planned start is not after the planned end",
        ),
        ("FR_LAST_STAGE", "stage", "ERROR", "The last step of the history leads to the request's stage"),
    ),
    *_rules(
        "apn_cash_claim",
        (
            "CC_AMOUNTS",
            "planned_amount claimed_amount approved_amount paid_amount",
            "ERROR",
            "No amount is negative or not a number",
        ),
        ("CC_PAID", "paid_amount claimed_amount", "ERROR", "Paid is at most what was claimed"),
        (
            "CC_CURRENCY",
            "currency funding_request_id",
            "ERROR",
            "The claim's currency is that of its request",
        ),
        (
            "CC_DATES",
            "planned_start_date planned_end_date actual_start_date actual_end_date",
            "ERROR",
            "A start is not after its end",
        ),
        (
            "CC_INSIDE_REQUEST",
            "planned_start_date planned_end_date funding_request_id",
            "WARN",
            "The claim's planned dates lie inside those of its request",
        ),
    ),
    *_rules(
        "apn_funding_request_history",
        (
            "FH_CHAIN",
            "funding_request_id date from_stage to_stage",
            "ERROR",
            "Each step begins at the stage where the one before it ended",
        ),
    ),
    *_rules(
        "apn_end_user",
        ("EU_ACCOUNT", "aws_account_id", "ERROR", "The AWS account has 12 digits; others join to nothing"),
        ("EU_PAYER_ACCOUNT", "payer_account_id", "ERROR", "The paying account has 12 digits"),
        ("EU_DUNS", "duns_number", "WARN", "A D-U-N-S number has 9 digits"),
        ("EU_WEBSITE", "website", "WARN", "The website has 4 to 255 characters and the API's form"),
        ("EU_COMPANY_LENGTH", "company_name", "WARN", "The company's name has at most 120 characters"),
        (
            "EU_POSTAL_CODE",
            "postal_code country",
            "WARN",
            "The postal code has its country's form; 99999 or none where a country has no codes",
        ),
        ("EU_OPPORTUNITY_ID", "opportunity_id", "ERROR", "The opportunity's id is O and 1 to 19 digits"),
    ),
    *_rules(
        "apn_users",
        ("USR_EMAIL", "email", "WARN", "The e-mail address has the API's form"),
    ),
)


def rules_of(table: str) -> tuple[Rule, ...]:
    """The rules of one mirror, such as apn_opportunity; none for a table of Odoo."""
    return tuple(rule for rule in RULES if rule.table == table)


@cache
def parameters() -> dict[str, Any]:
    """What the statements in sql/raw/checks are given: patterns, and the postal codes by country."""
    codes = json.loads(_POSTAL_CODES.read_text(encoding="utf-8"))
    return {
        "email": EMAIL,
        "website": WEBSITE,
        "countries_with_format": list(codes["formats"]),
        "postal_formats": list(codes["formats"].values()),
        "countries_without_codes": codes["without"],
        "postal_placeholder": codes["placeholder"],
    }
