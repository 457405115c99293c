"""The specs of the mirrored tables: the numbers of the seed, and the migration made from them."""

from __future__ import annotations

import pytest

from odoo_apn_assets.specs import MIGRATION, migration_text, spec_of, specs

COUNTS = {
    "odoo_crm_lead": 179,
    "odoo_res_partner": 157,
    "odoo_crm_team": 29,
    "odoo_crm_stage": 12,
    "odoo_sale_order": 101,
    "odoo_sale_order_line": 51,
    "odoo_c_aws_accounts": 78,
    "odoo_c_aws_funding_request": 71,
    "odoo_res_country_state": 8,
    "odoo_c_billing_spp_bill": 16,
    "odoo_product_template": 107,
    "odoo_account_move": 75,
    "odoo_account_move_line": 59,
    "odoo_project_project": 148,
    "odoo_c_billing_internal_cur": 14,
    "odoo_c_billing_bill": 16,
    "odoo_c_billing_bill_line": 13,
    "apn_opportunity": 66,
    "apn_funding_request": 57,
    "apn_cash_claim": 26,
    "apn_funding_request_history": 14,
    "apn_end_user": 18,
    "apn_users": 6,
}


def test_the_mirror_has_the_23_tables_and_1321_columns_of_the_seed() -> None:
    mirrored = {spec.raw_name: len(spec.columns) for spec in specs() if not spec.is_lookup}
    assert mirrored == COUNTS
    assert sum(mirrored.values()) == 1321


def test_the_lookups_hold_no_secret_of_res_users() -> None:
    names = [column.name for column in spec_of("lookup_res_users").columns]
    assert names == ["id", "partner_id", "login", "active", "write_date"]


def test_the_migration_is_what_the_catalogue_makes_of_it() -> None:
    """A catalogue that was edited without the migration would mirror columns that the table does not have."""
    assert MIGRATION.read_text(encoding="utf-8") == migration_text()


@pytest.mark.parametrize(
    ("raw_name", "mark"),
    [("odoo_crm_lead", "write_date"), ("apn_opportunity", "aws_last_modified_date"), ("apn_users", None)],
)
def test_a_table_knows_the_column_that_moves_with_an_edit(raw_name: str, mark: str | None) -> None:
    assert spec_of(raw_name).mark == mark
