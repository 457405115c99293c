"""The assets and checks of CORE as Dagster runs them, on a real server: each check fires, and is silent else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest

from odoo_apn_assets import core_checks
from odoo_apn_assets.assets import core
from resources.postgres import PostgresResource
from tests.raw_rows import Raw

if TYPE_CHECKING:
    from resources.settings import DatabaseSettings

ASSETS = (core.aws_accounts, core.odoo_opportunities, core.ace_opportunities)
CHECKS = dg.load_asset_checks_from_modules([core_checks])


@pytest.fixture
def raw(warehouse_as: Callable[[str], DatabaseSettings], monkeypatch: pytest.MonkeyPatch) -> Iterator[Raw]:
    settings = warehouse_as("odoo_apn_etl")
    for name, value in {
        "HOST": settings.host,
        "PORT": str(settings.port),
        "NAME": settings.name,
        "USER": settings.user,
        "PASSWORD": settings.password,
        "SSLMODE": "disable",
    }.items():
        monkeypatch.setenv(f"ODOO_APN_DB_{name}", value)
    monkeypatch.setenv("ENVIRONMENT", "test")
    built = Raw(settings)
    built.put("odoo_crm_stage", 1, name="New")
    built.put("odoo_crm_lead", 1, name="One", stage_id=1)
    built.put("odoo_c_aws_accounts", 1, name="111111111111", c_aws_account_name="First")
    built.put("apn_opportunity", "O1", name="Two", aws_account="111111111111")
    yield built
    built.connection.close()


def materialize(*, select: Any, config: dict[str, Any] | None = None) -> dg.ExecuteInProcessResult:
    return dg.materialize(
        [*ASSETS, *CHECKS],
        selection=select,
        resources={"warehouse": PostgresResource(location="ODOO_APN")},
        run_config={"ops": config or {}},
    )


def outcomes(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    return {one.check_name: one.passed for one in result.get_asset_check_evaluations()}


def test_a_run_builds_the_three_tables_and_every_check_is_silent_and_recorded(raw: Raw) -> None:
    result = materialize(select=list(ASSETS))
    found = outcomes(result)
    assert len(found) == 13
    assert all(found.values()), found
    assert raw.query("select count(*), bool_and(passed) from ops.data_quality_checks") == [(13, True)]
    assert raw.query("select aws_account_name from core.ace_opportunities") == [("First",)]
    metadata = result.asset_materializations_for_node("core__odoo_opportunities")[0].metadata
    assert (metadata["dagster/row_count"].value, metadata["inserted"].value) == (1, 1)
    again = materialize(select=list(ASSETS), config={"core__odoo_opportunities": {"config": {"full": True}}})
    metadata = again.asset_materializations_for_node("core__odoo_opportunities")[0].metadata
    assert (metadata["affected"].value, metadata["unchanged"].value, metadata["updated"].value) == (1, 1, 0)


BROKEN = [
    ("odoo_opportunities_equal_raw", "insert into core.odoo_opportunities (source_id, name) values (9, 'x')"),
    ("odoo_opportunities_equal_raw", "delete from core.odoo_opportunities"),
    ("odoo_opportunities_resolved", "update core.odoo_opportunities set stage_name = null"),
    ("odoo_opportunities_have_no_orphans", "update raw.odoo_crm_stage set _deleted_at = now()"),
    ("odoo_opportunities_have_current_rules", "update ops.core_state set rules_version = 'old'"),
    (
        "odoo_opportunities_keys_are_unique",
        "insert into ops.quarantine (stage, table_name, source_id, reason, message, rules_version)"
        " values ('core', 'core.odoo_opportunities', '1', 'x', 'x', 'x')",
    ),
    ("ace_opportunities_equal_raw", "delete from core.ace_opportunities"),
    ("ace_opportunities_resolved", "update core.ace_opportunities set aws_account_name = null"),
    ("ace_opportunities_have_current_rules", "delete from ops.core_state"),
    (
        "ace_opportunities_keys_are_unique",
        "insert into ops.quarantine (stage, table_name, source_id, reason, message, rules_version)"
        " values ('core', 'core.ace_opportunities', 'O1', 'x', 'x', 'x')",
    ),
    ("aws_accounts_equal_raw", "delete from core.aws_accounts"),
    ("aws_accounts_resolved", "update core.aws_accounts set partner_id = 5"),
    ("aws_accounts_have_current_rules", "update ops.core_state set rules_version = 'old'"),
    (
        "aws_accounts_keys_are_unique",
        "alter table core.aws_accounts drop constraint aws_accounts_pkey;"
        " insert into core.aws_accounts (account_id) values ('111111111111')",
    ),
]


@pytest.mark.parametrize(("name", "damage"), BROKEN)
def test_each_check_fires(raw: Raw, name: str, damage: str) -> None:
    raw.transform_all()
    raw.query(damage)
    (check,) = [one for one in CHECKS for spec in one.check_specs if spec.name == name]
    result = materialize(select=dg.AssetSelection.checks(check))
    assert outcomes(result) == {name: False}
    recorded = raw.row("select * from ops.data_quality_checks")
    assert (recorded["passed"], recorded["check_type"]) == (False, name)
    assert recorded["records_failed"] > 0


def test_every_check_can_fire() -> None:
    assert {name for name, _ in BROKEN} == {spec.name for one in CHECKS for spec in one.check_specs}
