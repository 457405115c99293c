"""Jobs, schedules and the sensor of the Odoo and APN location, on real servers and through Dagster's own runs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import dagster as dg
import pytest

from odoo_apn_assets import automation
from odoo_apn_assets.definitions import defs
from odoo_apn_assets.specs import specs, specs_of
from resources.postgres import PostgresResource
from resources.settings import DatabaseSettings
from tests.conftest import ROOT
from tests.odoo_apn_pipeline import Mirror


def url_of(database: DatabaseSettings, **others: Any) -> str:
    port = others.get("port", database.port)
    password = quote(database.password, safe="")
    return f"postgresql://{database.user}:{password}@{database.host}:{port}/{database.name}?sslmode=disable"


@pytest.fixture
def place(
    odoo_admin: DatabaseSettings,
    odoo_source: DatabaseSettings,
    apn_source: DatabaseSettings,
    warehouse_as: Callable[[str], DatabaseSettings],
    monkeypatch: pytest.MonkeyPatch,
) -> Mirror:
    """The environment of a run, and the Odoo side of it."""
    target = warehouse_as("odoo_apn_etl")
    for name, value in {
        "HOST": target.host, "PORT": str(target.port), "NAME": target.name, "USER": target.user,
        "PASSWORD": target.password, "SSLMODE": "disable",
    }.items():  # fmt: skip
        monkeypatch.setenv(f"ODOO_APN_DB_{name}", value)
    monkeypatch.setenv("ODOO_DATABASE_URL", url_of(odoo_source))
    monkeypatch.setenv("APN_DATABASE_URL", url_of(apn_source))
    return Mirror("odoo", odoo_admin, odoo_source, target)


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    from resources import failures

    defaults = {**(failures.retrying.__kwdefaults__ or {}), "sleep": lambda seconds: None}
    monkeypatch.setattr(failures.retrying, "__kwdefaults__", defaults)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def run(job: str, instance: dg.DagsterInstance, **options: Any) -> dg.ExecuteInProcessResult:
    return defs().resolve_job_def(job).execute_in_process(instance=instance, raise_on_error=False, **options)


def jobs(place: Mirror) -> list[tuple[Any, ...]]:
    return place.in_warehouse(
        "select source_system, job_type, status, attempts from ops.sync_jobs order by created_at, 1"
    )


def due(place: Mirror, system: str, minutes: int, attempts: int = 1) -> str:
    """A sync that waits for its source, to be tried again in so many minutes; its id."""
    ((job_id,),) = place.in_warehouse(
        "insert into ops.sync_jobs (source_system, job_type, status, attempts, next_attempt_at) values"
        " (%s, 'incremental', 'pending_retry', %s, current_timestamp + %s * interval '1 minute')"
        " returning job_id::text",
        (system, attempts, minutes),
    )
    return str(job_id)


def asked_for() -> list[dg.RunRequest | dg.SkipReason]:
    with dg.build_sensor_context(resources={"warehouse": PostgresResource(location="ODOO_APN")}) as context:
        found = automation.pending_syncs(context)
        assert found is not None
        return list(found)  # type: ignore[arg-type, call-overload]


# -- the sensor ----------------------------------------------------------------------------------------------------


def test_the_sensor_skips_when_no_sync_waits(place: Mirror) -> None:
    (skip,) = asked_for()
    assert isinstance(skip, dg.SkipReason)


def test_the_sensor_waits_until_a_sync_is_due(place: Mirror) -> None:
    due(place, "odoo", minutes=5)
    (skip,) = asked_for()
    assert isinstance(skip, dg.SkipReason)


def test_the_sensor_asks_once_for_each_attempt_of_each_system(place: Mirror) -> None:
    """Dagster starts one run for a key: asked again within an attempt, it starts none; the next attempt is new."""
    odoo, apn = due(place, "odoo", minutes=-1, attempts=2), due(place, "apn", minutes=-2)
    assert {(one.job_name, one.run_key) for one in asked_for() if isinstance(one, dg.RunRequest)} == {
        ("odoo_incremental", f"{odoo}:2"),
        ("apn_incremental", f"{apn}:1"),
    }
    place.in_warehouse("update ops.sync_jobs set attempts = 3 where source_system = 'odoo'")
    assert f"{odoo}:3" in {one.run_key for one in asked_for() if isinstance(one, dg.RunRequest)}


@pytest.mark.parametrize("status", ["pending", "running", "success", "partial", "failed"])
def test_the_sensor_asks_for_no_sync_that_has_ended_or_runs(place: Mirror, status: str) -> None:
    due(place, "odoo", minutes=-1)
    place.in_warehouse("update ops.sync_jobs set status = %s", (status,))
    assert isinstance(asked_for()[0], dg.SkipReason)


@pytest.mark.usefixtures("no_waiting")
def test_a_run_of_the_sensor_continues_the_job_that_waits(
    place: Mirror,
    odoo_source: DatabaseSettings,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Source away: the job waits; away again: the same job, a further attempt; back: the same job succeeds."""
    monkeypatch.setenv("ODOO_DATABASE_URL", url_of(odoo_source, port=1))
    keys = set()
    for attempt in (1, 2):
        assert not run("odoo_incremental", instance).success
        assert jobs(place) == [("odoo", "incremental", "pending_retry", attempt)]
        assert isinstance(asked_for()[0], dg.SkipReason), "half an hour has not gone by"
        place.in_warehouse(
            "update ops.sync_jobs set next_attempt_at = current_timestamp - interval '1 second'"
        )
        (request,) = asked_for()
        assert isinstance(request, dg.RunRequest)
        keys.add(request.run_key)
    assert len(keys) == 2
    monkeypatch.setenv("ODOO_DATABASE_URL", url_of(odoo_source))
    assert request.job_name is not None
    assert run(request.job_name, instance, tags=request.tags, run_config=request.run_config).success
    assert jobs(place) == [("odoo", "incremental", "success", 3)]
    assert isinstance(asked_for()[0], dg.SkipReason)
    assert place.differences() == {}


@pytest.mark.usefixtures("no_waiting")
def test_what_an_operator_asked_for_is_what_is_tried_again(
    place: Mirror,
    odoo_source: DatabaseSettings,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A weekly full sync whose source was away became an incremental one, and a sync of one table ended it for all."""
    place.sync()
    monkeypatch.setenv("ODOO_DATABASE_URL", url_of(odoo_source, port=1))
    full = {"ops": {"odoo_mirror": {"config": {"full": True}}}}
    assert not run("odoo_incremental", instance, run_config=full).success
    one_table = {"ops": {"odoo_mirror": {"config": {"resync": True}}}}
    assert not run(
        "odoo_incremental",
        instance,
        run_config=one_table,
        asset_selection=[dg.AssetKey(["raw", "odoo_crm_team"])],
    ).success
    assert [one[1:] for one in jobs(place)[1:]] == [("full_sync", "pending_retry", 1)] * 2
    monkeypatch.setenv("ODOO_DATABASE_URL", url_of(odoo_source))
    assert run("odoo_incremental", instance).success
    assert [one[1:] for one in jobs(place)[1:]] == [
        *[("full_sync", "pending_retry", 1)] * 2,
        ("incremental", "success", 1),
    ]
    place.in_warehouse(
        "update ops.sync_jobs set next_attempt_at = current_timestamp where status = 'pending_retry'"
    )
    requests = [one for one in asked_for() if isinstance(one, dg.RunRequest)]
    assert len(requests) == 2
    for one in reversed(requests):
        assert one.job_name is not None
        assert run(
            one.job_name,
            instance,
            tags=one.tags,
            run_config=one.run_config,
            asset_selection=one.asset_selection,
        ).success
    assert [one[1:] for one in jobs(place)[1:]] == [
        *[("full_sync", "success", 2)] * 2,
        ("incremental", "success", 1),
    ]
    methods = place.in_warehouse(
        "select raw_table, string_agg(method, ' ' order by table_sync_id) from ops.table_syncs"
        " where raw_table in ('odoo_crm_lead', 'odoo_crm_team') group by 1 order by 1"
    )
    assert methods == [
        ("odoo_crm_lead", "load incremental compare"),
        ("odoo_crm_team", "load incremental resync compare"),
    ]


# -- jobs and schedules --------------------------------------------------------------------------------------------


def test_every_schedule_has_a_job_that_resolves_and_a_sane_time() -> None:
    found = {schedule.name: schedule for schedule in defs().schedules or []}
    assert {name: (one.job.name, one.cron_schedule) for name, one in found.items()} == {  # type: ignore[union-attr]
        "odoo_apn_incremental": ("incremental", "17 * * * *"),
        "odoo_apn_full_sync": ("full_sync", "40 2 * * 0"),
        "odoo_apn_maintenance": ("maintenance", "10 4 * * *"),
    }
    for name, schedule in found.items():
        assert schedule.execution_timezone == "UTC", name
        assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING, name  # type: ignore[union-attr]
        assert defs().resolve_job_def(schedule.job.name).tags["dagster/max_runtime"]  # type: ignore[union-attr]


@pytest.mark.parametrize("job", ["incremental", "full_sync"])
def test_a_job_covers_all_mirrors_and_core(job: str) -> None:
    layer = defs().resolve_job_def(job).asset_layer
    keys = {"/".join(key.path) for key in layer.executable_asset_keys}
    assert keys >= {f"raw/{spec.raw_name}" for spec in specs()}
    assert keys >= {"core/aws_accounts", "core/odoo_opportunities", "core/ace_opportunities"}


@pytest.mark.parametrize(("system", "other"), [("odoo", "apn"), ("apn", "odoo")])
def test_the_job_of_one_system_leaves_the_other_alone(system: str, other: str) -> None:
    layer = defs().resolve_job_def(f"{system}_incremental").asset_layer
    keys = {"/".join(key.path) for key in layer.executable_asset_keys}
    assert keys >= {f"raw/{spec.raw_name}" for spec in specs_of(system)}
    assert not keys & {f"raw/{spec.raw_name}" for spec in specs_of(other)}
    assert "core/ace_opportunities" in keys


def test_a_full_sync_compares_and_an_incremental_one_does_not(
    place: Mirror, instance: dg.DagsterInstance
) -> None:
    assert run("incremental", instance).success
    assert run("full_sync", instance).success
    assert run("incremental", instance).success
    assert [(kind, status) for _, kind, status, _ in jobs(place)] == (
        [("incremental", "success")] * 2 + [("full_sync", "success")] * 2 + [("incremental", "success")] * 2
    )
    methods = place.in_warehouse(
        "select string_agg(method, ' ' order by table_sync_id) from ops.table_syncs where raw_table = 'odoo_crm_lead'"
    )
    assert methods == [("load compare incremental",)]
    assert place.differences() == {}


def test_maintenance_vacuums_and_analyzes_every_table(place: Mirror, instance: dg.DagsterInstance) -> None:
    place.sync()
    assert run("maintenance", instance).success
    left = place.in_warehouse(
        "select schemaname || '.' || relname from pg_stat_user_tables"
        " where schemaname in ('raw', 'core') and (last_vacuum is null or last_analyze is null)"
    )
    assert left == []
    vacuumed = place.in_warehouse(
        "select count(*) from pg_stat_user_tables where schemaname = 'ops' and last_vacuum is not null"
        " and relname in ('sync_jobs', 'table_syncs', 'raw_changes', 'mirror_state')"
    )
    assert vacuumed == [(4,)]


# -- some tables only ----------------------------------------------------------------------------------------------


def test_one_table_can_be_resynced_from_the_command_line(place: Mirror, tmp_path: Any) -> None:
    place.sync()
    other = place.in_warehouse("select * from ops.mirror_state where raw_table <> 'odoo_crm_lead' order by 1")
    place.in_warehouse("update raw.odoo_crm_lead set name = 'Broken by hand'")
    (tmp_path / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "dagster", "asset", "materialize", "-m", "odoo_apn_assets.definitions"),
            *("--select", "raw/odoo_crm_lead"),
            *("--config-json", '{"ops": {"odoo_mirror": {"config": {"resync": true}}}}'),
        ],
        cwd=ROOT, env={**os.environ, "DAGSTER_HOME": str(tmp_path)}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert place.differences() == {}
    assert (
        place.in_warehouse("select * from ops.mirror_state where raw_table <> 'odoo_crm_lead' order by 1")
        == other
    )
    assert jobs(place)[-1] == ("odoo", "full_sync", "success", 1)


def test_a_table_that_fails_fails_the_step_and_the_others_are_materialized(
    place: Mirror, instance: dg.DagsterInstance
) -> None:
    place.at_source("alter table crm_team rename to crm_team_old")
    result = run("odoo_incremental", instance)
    assert not result.success
    (failure,) = [
        event for event in result.all_events if event.is_step_failure and "mirror" in str(event.step_key)
    ]
    assert failure.step_key == "odoo_mirror"
    assert "the source has no such table" in str(failure.event_specific_data)
    done = {
        "/".join(event.asset_key.path)
        for event in result.get_asset_materialization_events()
        if event.asset_key
    }
    expected = {f"raw/{spec.raw_name}" for spec in specs_of("odoo")} - {"raw/odoo_crm_team"}
    assert {key for key in done if key.startswith("raw/")} == expected
    assert not {key for key in done if key.startswith("core/odoo")}, "CORE waits for the missing table"
    place.at_source("alter table crm_team_old rename to crm_team")
    assert run("odoo_incremental", instance).success
    assert place.differences() == {}
