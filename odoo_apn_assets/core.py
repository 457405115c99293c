"""Which mirrors each table of CORE is made from.

Belongs here: bringing a table of CORE in line with RAW. Does not belong here: filling RAW, or Dagster.
"""

from __future__ import annotations

CORE_READERS: dict[str, tuple[str, ...]] = {
    "aws_accounts": ("odoo_c_aws_accounts", "odoo_res_partner", "lookup_res_users", "apn_end_user"),
    "odoo_opportunities": (
        "odoo_crm_lead",
        "odoo_res_partner",
        "odoo_crm_team",
        "odoo_crm_stage",
        "odoo_c_aws_accounts",
        "odoo_res_country_state",
        "lookup_res_users",
        "lookup_res_country",
    ),
    "ace_opportunities": ("apn_opportunity", "apn_users", "odoo_c_aws_accounts", "apn_end_user"),
}
"""Table of CORE -> the mirrors it reads; a changed row of one is announced in ops.raw_changes for that table."""
