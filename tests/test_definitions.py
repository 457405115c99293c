"""The convention test: what every asset, check and schedule of every location carries; import does nothing."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
LOCATIONS = ("fullbay_assets", "odoo_apn_assets", "commerce_assets")
EXPECTED = {
    "fullbay_assets": {
        *(
            "fullbay_raw_data",
            "fullbay_work_orders",
            "fullbay_line_items",
            "daily_summary",
            "monthly_summary",
        ),
        *("customer_summary", "vehicle_summary", "processed_invoices_tracker", "ingestion_metadata"),
    },
}


def definitions(location: str) -> dg.Definitions:
    loaded = importlib.import_module(f"{location}.definitions").defs
    return loaded() if callable(loaded) else loaded


ASSETS = [
    pytest.param(spec, definitions(location), id=f"{location}:{spec.key.to_user_string()}")
    for location in LOCATIONS
    for spec in sorted(definitions(location).resolve_all_asset_specs(), key=lambda spec: spec.key)
]


def test_the_workspace_names_the_three_locations() -> None:
    workspace = yaml.safe_load((ROOT / "workspace.yaml").read_text())
    modules = [entry["python_module"] for entry in workspace["load_from"]]
    assert [module["module_name"] for module in modules] == [f"{name}.definitions" for name in LOCATIONS]
    assert all(module["working_directory"] == "." for module in modules)


@pytest.mark.parametrize("location", LOCATIONS)
def test_a_location_loads_in_a_fresh_interpreter_with_an_empty_environment(location: str) -> None:
    """No network, no environment, no database at import: a code server starts whatever is down."""
    code = f"""
import socket, sys
def refuse(*_, **__): raise AssertionError("the network was used at import")
socket.socket.connect = refuse
import {location}.definitions as module
defs = module.defs() if callable(module.defs) else module.defs
heavy = sorted({{"pandas", "boto3", "sqlalchemy", "moto"}} & set(sys.modules))
assert not heavy, heavy
"""
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=ROOT, env={"PATH": os.defpath}, check=True
    )


@pytest.mark.parametrize("location", sorted(EXPECTED))
def test_the_assets_are_those_that_the_design_names(location: str) -> None:
    keys = {spec.key.to_user_string() for spec in definitions(location).resolve_all_asset_specs()}
    assert keys == EXPECTED[location]


@pytest.mark.parametrize(("spec", "defs"), ASSETS)
def test_every_asset_says_what_it_is(spec: dg.AssetSpec, defs: dg.Definitions) -> None:
    assert spec.owners, "an owner to ask"
    assert spec.group_name not in (None, "default")
    assert spec.kinds
    assert spec.description is not None
    assert "one row per" in spec.description.lower(), "the grain"
    assert spec.freshness_policy is not None
    assert spec.code_version
    assert "." in spec.metadata["dagster/table_name"]
    columns = spec.metadata["dagster/column_schema"].columns
    assert columns
    assert all(column.type for column in columns)


@pytest.mark.parametrize(("spec", "defs"), ASSETS)
def test_every_asset_has_a_check_and_every_check_a_description(
    spec: dg.AssetSpec, defs: dg.Definitions
) -> None:
    checks = [check for definition in defs.asset_checks or [] for check in definition.check_specs]
    of_asset = [check for check in checks if check.asset_key == spec.key]
    assert of_asset
    assert all(check.description for check in of_asset)


@pytest.mark.parametrize("location", LOCATIONS)
def test_one_partitions_definition_and_one_run_for_any_range(location: str) -> None:
    """A mix of partitions makes `--select '*' --partition D` fail, and a range needs the policy on every asset."""
    assets = [asset for asset in definitions(location).assets or [] if isinstance(asset, dg.AssetsDefinition)]
    partitions = {asset.partitions_def for asset in assets if asset.partitions_def is not None}
    assert len(partitions) <= 1
    if partitions:
        for asset in assets:
            assert asset.backfill_policy == dg.BackfillPolicy.single_run(), asset.key


@pytest.mark.parametrize("location", LOCATIONS)
def test_runs_happen_in_one_process(location: str) -> None:
    """A killed worker of the multiprocess executor leaves its step running, and each step costs 3.5 CPU seconds."""
    assert definitions(location).executor is dg.in_process_executor


def test_the_blocking_checks_stand_between_raw_lines_and_summaries() -> None:
    checks: list[Any] = [
        check
        for definition in definitions("fullbay_assets").asset_checks or []
        for check in definition.check_specs
    ]
    blocking = {(check.asset_key.to_user_string(), check.name) for check in checks if check.blocking}
    assert blocking == {
        ("fullbay_raw_data", "every_received_invoice_is_stored"),
        ("fullbay_line_items", "lines_equal_invoices"),
    }


def test_the_schedules() -> None:
    schedules = {schedule.name: schedule for schedule in definitions("fullbay_assets").schedules or []}
    assert schedules["fullbay_ingestion"].cron_schedule == "0 0 * * *"
    assert schedules["fullbay_open_balances"].cron_schedule == "0 3 * * 0"
    assert schedules["fullbay_purge_logs"].cron_schedule == "0 5 * * 0"
    assert all(schedule.execution_timezone == "UTC" for schedule in schedules.values())


def test_the_schedule_expression_of_the_environment_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    from fullbay_assets.automation import schedules

    monkeypatch.setenv("SCHEDULE_EXPRESSION", "cron(0 9 ? * MON-FRI *)")
    assert schedules()[0].cron_schedule == "0 9 * * MON-FRI"


def test_the_partitions_start_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    def first() -> str:
        assets = [asset for asset in definitions("fullbay_assets").assets or [] if asset.partitions_def]
        (partitions,) = {asset.partitions_def for asset in assets}
        return partitions.get_first_partition_key()

    assert first() == "2021-01-01"
    monkeypatch.setenv("FULLBAY_FIRST_DATE", "2024-03-01")
    assert first() == "2024-03-01"


def test_only_dagster_modules_import_dagster() -> None:
    """The pure modules of a location can be used, tested and timed without it."""
    allowed = {
        "definitions.py",
        "automation.py",
        "checks.py",
        "core_checks.py",
        "shoppulse_checks.py",
        "tenant_data_checks.py",
        "audit_checks.py",
        "partitions.py",
        "resources.py",
    }
    for location in LOCATIONS:
        for path in (ROOT / location).rglob("*.py"):
            if path.name not in allowed and path.parent.name != "assets":
                assert "dagster as dg" not in path.read_text(), path
