"""The Fullbay pipeline on a real Postgres, against a server that behaves like the API."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from decimal import Decimal

import dagster as dg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fullbay_assets.execution import running_step
from fullbay_assets.ingestion import build_lines, close_execution
from fullbay_assets.replay import held_invoices, replay
from fullbay_assets.resources import FullbayResource
from resources.failures import PermanentError, PipelineError, TransientError
from resources.settings import DatabaseSettings
from sandbox.fullbay.fixtures import hostile_invoices
from sandbox.fullbay.invoices import expected_day_totals
from sandbox.fullbay.server import FullbayServer
from tests.pipeline import FIRST, LAST, GivenWarehouse, Pipeline, contents, query, small_source, writes

DAYS = [FIRST + timedelta(days=n) for n in range((LAST - FIRST).days + 1)]


@pytest.fixture
def source() -> Iterator[FullbayServer]:
    with small_source() as server:
        yield server


@pytest.fixture
def pipeline(warehouse_as: Callable[[str], DatabaseSettings], source: FullbayServer) -> Pipeline:
    """As the login of the location: what it needs more rights for would fail here."""
    return Pipeline(warehouse_as("fullbay_etl"), source)


def a_key(source: FullbayServer, day: date = FIRST, *, shop: int = 0, with_parts: bool = False) -> str:
    for invoice in source.generator.generated(source.generator.shop_keys[shop], day):
        if not with_parts or (invoice.cents.parts > 0 and invoice.cents.total > 0):
            return invoice.primary_key
    raise AssertionError("no such invoice on that day")


def revenue(pipeline: Pipeline) -> Decimal:
    return pipeline.value("select coalesce(sum(total_revenue), 0) from daily_summary")


def source_total(pipeline: Pipeline) -> Decimal:
    """What the source says now, added up without the pipeline's code."""
    import json

    total = Decimal(0)
    for shop in pipeline.server.generator.shop_keys:
        for row in pipeline.server.overlay.rows(shop, FIRST, LAST):
            total += Decimal(str(json.loads(row, parse_float=Decimal)["total"]))
    return total


def test_everything_reconciles_to_the_cent(pipeline: Pipeline) -> None:
    facts = pipeline.run()
    expected = [expected_day_totals(pipeline.server.generator, day) for day in DAYS]
    assert facts["status"] == "SUCCESS"
    assert facts["processed"] == sum(day["invoices"] for day in expected)
    assert revenue(pipeline) == Decimal(sum(day["total_cents"] for day in expected)) / 100
    by_day = pipeline.query(
        "select summary_date, total_invoices, total_revenue from daily_summary order by 1"
    )
    assert by_day == [
        (day, totals["invoices"], Decimal(totals["total_cents"]) / 100)
        for day, totals in zip(DAYS, expected, strict=True)
        if totals["invoices"]
    ]
    kinds = pipeline.value(
        """select sum(total_parts_revenue + total_labor_revenue + total_supplies_revenue + total_misc_revenue
           + total_sublet_revenue) + (select sum(tax_amount) from fullbay_line_items) from daily_summary"""
    )
    assert kinds == revenue(pipeline)
    assert pipeline.value("select sum(total_revenue) from monthly_summary") == revenue(pipeline)
    assert pipeline.value("select bool_and(reconciled) from invoice_headers")
    assert pipeline.value("select count(*) from refresh_queue") == 0


def test_a_second_run_changes_no_row_but_the_tracker(pipeline: Pipeline) -> None:
    first = pipeline.run()
    before, rows = writes(pipeline.settings), contents(pipeline.settings)
    second = pipeline.run()
    assert writes(pipeline.settings) == before
    assert contents(pipeline.settings) == rows
    assert (second["inserted"], second["updated"], second["processed"]) == (0, 0, first["processed"])
    assert pipeline.query(
        "select distinct status, skip_reason, processing_count from processed_invoices_tracker"
    ) == [("SKIPPED", "UNCHANGED", 2)]


def test_dagster_runs_the_graph_with_all_checks_passing(pipeline: Pipeline) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        result = pipeline.materialize(instance=instance)
        assert result.success
        evaluations = result.get_asset_check_evaluations()
        assert len(evaluations) == 20
        assert [check.check_name for check in evaluations if not check.passed] == []
        materialization = result.asset_materializations_for_node("fullbay_line_items")[-1]
        assert materialization.metadata["dagster/row_count"].value == pipeline.value(
            "select count(*) from fullbay_line_items"
        )
    assert pipeline.value("select status from ingestion_metadata") == "SUCCESS"
    logged = pipeline.query("select split_part(check_description, ':', 1) from data_quality_log")
    assert {name for (name,) in logged} == {check.check_name for check in evaluations}


def test_every_call_query_and_stage_is_logged(pipeline: Pipeline) -> None:
    facts = pipeline.run()
    calls = pipeline.query(
        "select request_params, response_status_code, response_time_ms from api_request_log"
    )
    assert len(calls) == len(pipeline.server.requests)
    assert {(params["key"], params["token"]) for params, _, _ in calls} == {("***", "***")}
    stages = {row[0] for row in pipeline.query("select distinct processing_stage from data_processing_log")}
    assert stages == {"API_FETCH", "JSON_PARSE", "DATA_TRANSFORM", "DB_INSERT"}
    assert pipeline.value("select count(*) from database_query_log where execution_time_ms is null") == 0
    assert pipeline.value("select count(*) from performance_metrics_log") == 9
    validated = pipeline.query(
        "select validation_rule, sum(records_validated) from business_validation_log group by 1"
    )
    assert {count for _, count in validated} == {facts["processed"]}
    summary = pipeline.query("select * from get_execution_summary(%s)", (facts["execution_id"],))
    assert len(summary) == 1


# Edits


def test_a_paid_invoice_is_replaced_and_nothing_else_is_touched(pipeline: Pipeline) -> None:
    source = pipeline.server
    key = next(
        invoice.primary_key
        for day in DAYS
        for shop in source.generator.shop_keys
        for invoice in source.generator.generated(shop, day)
        if invoice.cents.total > 0
    )
    source.overlay.edit(key, lambda invoice: invoice.update(balance=invoice["total"]))
    pipeline.run()
    source.overlay.pay(key)
    facts = pipeline.run()
    assert (facts["inserted"], facts["updated"]) == (0, 1)
    assert pipeline.query(
        "select distinct invoice_balance from fullbay_line_items where fullbay_invoice_id = %s", (key,)
    ) == [(Decimal("0.00"),)]
    assert pipeline.value("select version from fullbay_raw_data where fullbay_invoice_id = %s", (key,)) == 2


def test_a_removed_part_changes_lines_and_all_four_summaries(pipeline: Pipeline) -> None:
    key = a_key(pipeline.server, with_parts=True)
    pipeline.run()
    pipeline.server.overlay.remove_part(key)
    pipeline.run()
    assert revenue(pipeline) == source_total(pipeline)
    assert_rebuild_changes_nothing(pipeline)


def test_a_re_dated_invoice_moves_and_both_dates_are_refreshed(pipeline: Pipeline) -> None:
    key = a_key(pipeline.server)
    pipeline.run()
    target = LAST + timedelta(days=30)
    pipeline.server.overlay.re_date(key, target)
    pipeline.run(target, target)
    assert pipeline.query(
        "select distinct invoice_date from fullbay_line_items where fullbay_invoice_id = %s", (key,)
    ) == [(target,)]
    assert (
        pipeline.value("select missing_since from invoice_headers where fullbay_invoice_id = %s", (key,))
        is None
    )
    assert pipeline.value("select total_revenue from daily_summary where summary_date = %s", (FIRST,)) == sum(
        (
            row[0]
            for row in pipeline.query(
                "select total_amount from invoice_headers where invoice_date = %s", (FIRST,)
            )
        ),
        Decimal(0),
    )
    assert_rebuild_changes_nothing(pipeline)


def test_a_vanished_invoice_is_flagged_and_kept_and_comes_back(pipeline: Pipeline) -> None:
    key = a_key(pipeline.server)
    pipeline.run()
    before = contents(pipeline.settings)["fullbay_line_items"]
    pipeline.server.overlay.void(key)
    pipeline.run()
    flagged = pipeline.query("select fullbay_invoice_id from invoice_headers where missing_since is not null")
    assert flagged == [(key,)]
    assert contents(pipeline.settings)["fullbay_line_items"] == before
    assert pipeline.value("select count(*) from ingestion_run_invoices where outcome = 'VANISHED'") == 1
    pipeline.run()
    assert pipeline.value("select count(*) from ingestion_run_invoices where outcome = 'VANISHED'") == 1
    pipeline.server.overlay.restore(key)
    pipeline.run()
    assert pipeline.value("select count(*) from invoice_headers where missing_since is not null") == 0


def assert_rebuild_changes_nothing(pipeline: Pipeline) -> None:
    before = contents(pipeline.settings)
    for call in (
        "refresh_daily_summaries(null)",
        "refresh_monthly_summaries(null)",
        "refresh_customer_summary(null)",
        "refresh_vehicle_summary(null)",
    ):
        pipeline.query(f"select {call}")
    assert contents(pipeline.settings) == before


edit = st.tuples(
    st.sampled_from(["pay", "remove_part", "change_tax", "re_date", "void", "restore"]),
    st.integers(0, 10_000),
)


@settings(
    max_examples=6,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(edits=st.lists(st.lists(edit, min_size=1, max_size=4), min_size=1, max_size=3))
def test_incremental_refresh_equals_a_full_rebuild_over_any_edits(
    pipeline: Pipeline, edits: list[list[tuple[str, int]]]
) -> None:
    source = pipeline.server
    keys = [
        invoice.primary_key
        for day in DAYS
        for shop in source.generator.shop_keys
        for invoice in source.generator.generated(shop, day)
    ]
    pipeline.run()
    for round_of_edits in edits:
        for action, number in round_of_edits:
            key = keys[number % len(keys)]
            try:
                if action == "re_date":
                    source.overlay.re_date(key, DAYS[number % len(DAYS)])
                elif action == "change_tax":
                    source.overlay.change_tax(key, str(number % 12))
                else:
                    getattr(source.overlay, action)(key)
            except (KeyError, ValueError):
                continue  # void already, or without parts
        pipeline.run()
    assert pipeline.value(
        "select coalesce(sum(total_amount), 0) from invoice_headers where missing_since is null"
    ) == source_total(pipeline)
    assert_rebuild_changes_nothing(pipeline)


# What cannot be stored


def test_hostile_invoices_never_block_the_others_and_nothing_is_lost(pipeline: Pipeline) -> None:
    cases = hostile_invoices()
    for invoice in cases.values():
        if invoice["invoiceDate"] != "0000-00-00":
            invoice["invoiceDate"] = FIRST.isoformat()
        pipeline.server.overlay.add("DEFAULT", FIRST, invoice)
    facts = pipeline.run()
    good = sum(expected_day_totals(pipeline.server.generator, day)["invoices"] for day in DAYS)
    held = {
        row[0]: row[1:] for row in pipeline.query("select reason, path, value, stage from invoice_quarantine")
    }
    assert facts["status"] == "PARTIAL"
    assert facts["processed"] == good + len(cases)
    assert held["MISSING_PRIMARY_KEY"][0] == "primaryKey"
    assert held["MISSING_SERVICE_ORDER"][0] == "ServiceOrder"
    assert held["MISSING_INVOICE_DATE"][:2] == ("invoiceDate", "'0000-00-00'")
    assert held["NUL_CHARACTER"][0] == "ServiceOrder.Complaints[0].note"
    assert held["NOT_A_NUMBER"][0] in (
        "total",
        "ServiceOrder.Complaints[0].Corrections[0].Parts[1].sellingPrice",
    )
    assert held["NUMBER_TOO_LARGE"][0].endswith("Parts[1].sellingPrice")
    assert held["NOT_AN_OBJECT"][0] == "ServiceOrder.Unit"
    assert held["NOT_A_LIST"][0] == "ServiceOrder.Complaints"
    quarantined = pipeline.value("select count(*) from invoice_quarantine")
    stored = pipeline.value("select count(*) from fullbay_raw_data where processed")
    assert stored + quarantined == good + len(cases)
    off = cases["off by 12.34"]["primaryKey"]
    errors = pipeline.value(
        "select processing_errors from fullbay_raw_data where fullbay_invoice_id = %s", (off,)
    )
    assert "LINES_TOTAL: expected 1028.96, found 1016.62" in errors
    small = cases["off by 0.03"]["primaryKey"]
    assert pipeline.query(
        "select line_total_price from fullbay_line_items where fullbay_invoice_id = %s and line_item_type = 'ROUNDING'",
        (small,),
    ) == [(Decimal("0.03"),)]
    failed = pipeline.query(
        """select failed_records from business_validation_log
        where validation_rule = 'LINES_TOTAL' and records_failed > 0"""
    )
    assert {record["invoice_id"] for (records,) in failed for record in records} == {off, small}
    lost = pipeline.query(
        """select validation_rule, failed_records from business_validation_log
        where validation_rule in ('TEXT_CUT', 'ID_DROPPED') and records_failed > 0"""
    )
    assert {
        (rule, record["invoice_id"], record["actual"]) for rule, records in lost for record in records
    } == {
        ("TEXT_CUT", cases["10 MB note"]["primaryKey"], "10,000,000 characters"),
        ("TEXT_CUT", cases["VIN of 60 characters"]["primaryKey"], "60 characters"),
        ("ID_DROPPED", cases["part key that is no number"]["primaryKey"], "'A-17'"),
    }
    again = pipeline.run()
    assert again["processed"] == good + len(cases)
    assert pipeline.value("select count(*) from invoice_quarantine") == quarantined
    assert pipeline.value("select min(times_seen) from invoice_quarantine") == 2


def test_a_replay_after_a_fix_gives_the_rows_of_a_first_load(
    pipeline: Pipeline,
) -> None:
    """The held document is corrected by hand; the tables must then equal those of a run that saw it right at once."""
    key = a_key(pipeline.server, with_parts=True)
    pipeline.run()
    undisturbed = contents(pipeline.settings)
    for table in (
        "fullbay_raw_data",
        "daily_summary",
        "monthly_summary",
        "customer_summary",
        "vehicle_summary",
    ):
        pipeline.query(f"delete from {table}")
    pipeline.query("delete from fullbay_work_orders; delete from processed_invoices_tracker")
    right = pipeline.server.overlay.invoice(key)
    pipeline.server.overlay.edit(key, lambda invoice: invoice.update(total="n/a"))
    pipeline.run()
    assert contents(pipeline.settings) != undisturbed
    from tests.invoices import as_bytes

    with pipeline.warehouse.session("test") as session:
        held = held_invoices(session, None, None)
    assert [one.invoice_id for one in held] == [key]
    with running_step(pipeline.warehouse, "replay", "replay-1") as step:
        still = replay(step, pipeline.fullbay, held)
    assert still.held == [held[0].id]
    with running_step(pipeline.warehouse, "replay", "replay-2") as step:
        done = replay(step, pipeline.fullbay, held, as_bytes(right))
    assert done.stored == [held[0].id]
    assert pipeline.query("select resolution from invoice_quarantine") == [("REPLAYED",)]
    found = contents(pipeline.settings)
    # The header holds the hash of the bytes, which a corrected document has others of; the quarantine keeps its record.
    for table in ("invoice_headers", "invoice_quarantine"):
        del found[table], undisturbed[table]
    assert found == undisturbed


def test_a_replay_that_is_refused_again_leaves_a_newer_version_held(pipeline: Pipeline) -> None:
    """Because the older version was stored completely, the record of the newer one was closed as replayed."""
    key = a_key(pipeline.server)
    pipeline.run()
    pipeline.server.overlay.edit(key, lambda invoice: invoice.update(total="n/a"))
    pipeline.run()
    with pipeline.warehouse.session("test") as session:
        held = held_invoices(session, None, None)
    with running_step(pipeline.warehouse, "replay", "replay-1") as step:
        done = replay(step, pipeline.fullbay, held)
    assert (done.stored, done.held) == ([], [held[0].id])
    assert pipeline.query("select resolution from invoice_quarantine") == [(None,)]


@pytest.mark.parametrize("key", [12.5, True], ids=str)
def test_a_replay_without_a_fix_stores_nothing_that_a_load_refuses(pipeline: Pipeline, key: object) -> None:
    """It read the key by another rule and stored 12.5 as a text; each later run flagged it missing and held it."""
    document = {**pipeline.server.overlay.invoice(a_key(pipeline.server)), "primaryKey": key}
    pipeline.server.overlay.add("DEFAULT", FIRST, document)
    pipeline.run()
    stored = pipeline.value("select count(*) from fullbay_raw_data")
    with pipeline.warehouse.session("test") as session:
        held = held_invoices(session, None, None)
    with running_step(pipeline.warehouse, "replay", "replay-1") as step:
        done = replay(step, pipeline.fullbay, held)
    assert ([one.reason for one in held], done.held) == (["UNUSABLE_KEY"], [held[0].id])
    assert pipeline.value("select count(*) from fullbay_raw_data") == stored
    assert pipeline.query("select reason, resolved_at from invoice_quarantine") == [("UNUSABLE_KEY", None)]


def test_an_older_held_version_never_overwrites_a_newer_one(pipeline: Pipeline) -> None:
    key = a_key(pipeline.server)
    pipeline.server.overlay.edit(key, lambda invoice: invoice.update(total="n/a"))
    pipeline.run()
    with pipeline.warehouse.session("test") as session:
        held = held_invoices(session, None, None)
    pipeline.server.overlay.restore(key)
    pipeline.run()
    assert pipeline.query("select resolution from invoice_quarantine") == [("SUPERSEDED",)]
    assert len(held) == 1


def test_a_rebuild_leaves_a_newer_held_version_held(pipeline: Pipeline) -> None:
    """Deriving the stored version again once closed the record of the newer one that was refused."""
    key = a_key(pipeline.server)
    pipeline.run()
    pipeline.server.overlay.edit(key, lambda invoice: invoice.update(total="n/a"))
    pipeline.run()
    with running_step(pipeline.warehouse, "fullbay_line_items", "again") as step:
        build_lines(step, pipeline.fullbay.rules(), FIRST, LAST, rebuild=True)
    assert pipeline.query("select fullbay_invoice_id, resolved_at from invoice_quarantine") == [(key, None)]


def test_an_invoice_in_two_windows_is_stored_once_as_the_later_one_shows_it(pipeline: Pipeline) -> None:
    """Re-dated while it was being read, it stands in both windows; the run once ended with a unique violation."""
    key = a_key(pipeline.server)
    last = FIRST + timedelta(days=13)
    moved = pipeline.server.overlay.invoice(key) | {"invoiceDate": last.isoformat()}
    pipeline.server.overlay.add("DEFAULT", last, moved)
    facts = pipeline.run(FIRST, last)
    assert facts["status"] == "SUCCESS"
    seen = "select outcome, invoice_date from ingestion_run_invoices where fullbay_invoice_id = %s"
    assert pipeline.query(seen, (key,)) == [("NEW", last)]
    assert pipeline.query(
        "select invoice_date, count(*) over () from invoice_headers where fullbay_invoice_id = %s", (key,)
    ) == [(last, 1)]
    assert_rebuild_changes_nothing(pipeline)


def test_lines_of_a_document_that_was_replaced_meanwhile_are_not_stored(pipeline: Pipeline) -> None:
    """Another run, of other dates, may replace a document between our reading it and our writing its lines."""
    from fullbay_assets.line_store import LineCounts, LineStore, flatten_documents, read_documents

    pipeline.run()
    with running_step(pipeline.warehouse, "lines", "late") as step:
        lease = step.lease(FIRST, LAST)
        ids = [row[0] for row in pipeline.query("select id from fullbay_raw_data order by id limit 1")]
        (documents,) = read_documents(step.main, [ids])
        pipeline.query("update fullbay_raw_data set content_hash = repeat('0', 64) where id = %s", ids)
        before = contents(pipeline.settings)["fullbay_line_items"]
        counts = LineCounts()
        flattened = flatten_documents(documents, pipeline.fullbay.rules())
        LineStore(step.session(), lease, "late").store(flattened, counts)
    assert counts.documents == 0
    assert contents(pipeline.settings)["fullbay_line_items"] == before


def too_large_a_quantity(invoice: dict) -> None:  # type: ignore[type-arg]
    """For its column; parsing does not mind."""
    part = next(
        part
        for complaint in invoice["ServiceOrder"]["Complaints"]
        for correction in complaint["Corrections"]
        for part in correction["Parts"]
    )
    part["quantity"], part["sellingPrice"] = 90_000_000, 0


def test_a_value_only_postgres_refuses_is_held_with_its_column(pipeline: Pipeline) -> None:
    key = a_key(pipeline.server, with_parts=True)
    pipeline.server.overlay.edit(key, too_large_a_quantity)
    facts = pipeline.run()
    assert facts["status"] == "PARTIAL"
    held = pipeline.query("select fullbay_invoice_id, stage, reason, path from invoice_quarantine")
    assert held == [(key, "FLATTEN", "POSTGRES_22003", "quantity")]
    assert pipeline.value("select count(*) from fullbay_raw_data where not processed") == 1


def test_an_invoice_held_for_its_lines_is_unchanged_while_its_content_is(pipeline: Pipeline) -> None:
    """It counted as changed at every reading, and its document was written again each time."""
    key = a_key(pipeline.server, with_parts=True)
    pipeline.server.overlay.edit(key, too_large_a_quantity)
    first = pipeline.run()
    before = writes(pipeline.settings)
    second = pipeline.run()
    assert writes(pipeline.settings) == before
    assert (second["processed"], second["inserted"], second["updated"]) == (first["processed"], 0, 0)
    assert (second["status"], second["failed"]) == ("PARTIAL", 1), "it is still held, and said so"
    outcome = "select outcome from ingestion_run_invoices where fullbay_invoice_id = %s and execution_id = %s"
    assert pipeline.query(outcome, (key, second["execution_id"])) == [("UNCHANGED",)]
    assert pipeline.query("select stage, times_seen, resolved_at from invoice_quarantine") == [
        ("FLATTEN", 2, None)
    ]
    tracked = "select status from processed_invoices_tracker where fullbay_invoice_id = %s"
    assert pipeline.query(tracked, (key,)) == [("ERROR",)]
    pipeline.server.overlay.restore(key)
    assert pipeline.run()["status"] == "SUCCESS"


def test_a_step_that_is_repeated_in_its_run_counts_nothing_twice(pipeline: Pipeline) -> None:
    first = pipeline.run(execution_id="repeated")
    again = pipeline.run(execution_id="repeated")
    counts = ("processed", "inserted", "updated", "failed")
    assert [again[name] for name in counts] == [first[name] for name in counts]


# Two keys for one shop


def shop_of(pipeline: Pipeline, key: str) -> str:
    shop: str = pipeline.value("select shop_key from invoice_headers where fullbay_invoice_id = %s", (key,))
    return shop


def test_an_invoice_of_two_shops_stays_with_the_first_and_is_told(pipeline: Pipeline) -> None:
    """It changed hands at every reading: two versions a run, its lines and summaries written again."""
    overlay, (first, second, *_) = pipeline.server.overlay, pipeline.server.generator.shop_keys
    key = a_key(pipeline.server)
    overlay.add(second, FIRST, overlay.invoice(key))
    pipeline.run()
    before = writes(pipeline.settings)
    again = pipeline.run()
    assert writes(pipeline.settings) == before
    assert (again["inserted"], again["updated"]) == (0, 0)
    assert shop_of(pipeline, key) == first.lower()
    with dg.DagsterInstance.ephemeral() as instance:
        result = pipeline.materialize(instance=instance)
        failed = [check for check in result.get_asset_check_evaluations() if not check.passed]
    assert [check.check_name for check in failed] == ["every_invoice_has_one_shop"]
    assert pipeline.query(
        "select records_failed, issues_found from data_quality_log"
        " where check_description like 'every_invoice_has_one_shop:%%'"
    ) == [(1, [f"{key} of {first.lower()} came for {second.lower()} too"])]


def test_a_differing_version_of_another_shop_is_held_and_changes_nothing(pipeline: Pipeline) -> None:
    overlay, (first, second, *_) = pipeline.server.overlay, pipeline.server.generator.shop_keys
    key = a_key(pipeline.server)
    document = overlay.invoice(key)
    pipeline.run()
    before = writes(pipeline.settings)
    overlay.add(second, FIRST, document | {"invoiceNumber": "of the second shop"})
    held = "select fullbay_invoice_id, shop_key, reason, times_seen, resolution from invoice_quarantine"
    for times in (1, 2):
        facts = pipeline.run()
        assert (facts["status"], facts["updated"], facts["failed"]) == ("PARTIAL", 0, 1)
        assert pipeline.query(held) == [(key, second.lower(), "OTHER_SHOP", times, None)]
    assert writes(pipeline.settings) == before
    with running_step(pipeline.warehouse, "replay", "replay-1") as step, pipeline.warehouse.session("t") as t:
        assert replay(step, pipeline.fullbay, held_invoices(t, None, None)).stored == []
    overlay.clear()
    overlay.add(second, FIRST, document)
    assert pipeline.run()["status"] == "SUCCESS"
    assert pipeline.value("select resolution from invoice_quarantine") == "SUPERSEDED"
    assert shop_of(pipeline, key) == first.lower()


def test_an_invoice_that_left_its_shop_goes_to_the_one_that_shows_it(pipeline: Pipeline) -> None:
    """Also when the shop has another id in the settings: its invoices would never be updated again."""
    overlay, (_, second, *_) = pipeline.server.overlay, pipeline.server.generator.shop_keys
    key, other = a_key(pipeline.server), a_key(pipeline.server, shop=1)
    pipeline.run()
    document = overlay.invoice(key)
    overlay.void(key)
    overlay.add(second, FIRST, document)
    pipeline.run()
    assert shop_of(pipeline, key) == second.lower()
    given = pipeline.fullbay.settings()
    shops = tuple(
        dataclasses.replace(shop, key="renamed") if shop.key == second.lower() else shop
        for shop in given.shops
    )
    pipeline.fullbay = type(pipeline.fullbay).of(dataclasses.replace(given, shops=shops))
    pipeline.run()
    assert (shop_of(pipeline, key), shop_of(pipeline, other)) == ("renamed", "renamed")
    assert pipeline.value("select count(*) from invoice_headers where missing_since is not null") == 0


# The source misbehaves


def quick(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Waits are recorded instead of waited for."""
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    import fullbay_assets.ingestion as ingestion

    make = ingestion.FullbayClient
    monkeypatch.setattr(
        ingestion, "FullbayClient", lambda *args, **facts: make(*args, sleep=waits.append, **facts)
    )
    return waits


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "http", "status": 500, "times": 2},
        {"kind": "http", "status": 503, "times": 3},
        {"kind": "http", "status": 429, "retry_after": 3},
        {"kind": "http", "status": 429, "retry_after": 3, "as_date": True},
        {"kind": "cut"},
        {"kind": "cut_without_length"},
        {"kind": "html"},
        {"kind": "empty"},
        {"kind": "drift", "page": 2},
        {"kind": "missing_row"},
        {"kind": "repeat_row", "page": 2},
        {"kind": "fail", "message": "Try again later", "times": 2},
    ],
    ids=lambda fault: "-".join(str(value) for value in fault.values()),
)
def test_a_fault_of_the_source_costs_time_and_nothing_else(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, fault: dict[str, object]
) -> None:
    waits = quick(pipeline, monkeypatch)
    pipeline.server.fault(**fault)  # type: ignore[arg-type]
    facts = pipeline.run()
    assert facts["status"] == "SUCCESS"
    assert revenue(pipeline) == source_total(pipeline)
    assert waits


@pytest.mark.parametrize(
    ("fault", "words", "calls", "passing"),
    [
        ({"kind": "http", "status": 401, "times": 99}, "401", 3, False),
        ({"kind": "fail", "message": "Invalid API key", "times": 99}, "Invalid API key", 3, False),
        ({"kind": "fail", "message": "Database is busy", "times": 99}, "Database is busy", 12, True),
        ({"kind": "other_status", "times": 99}, "OK", None, False),
        ({"kind": "error_field", "times": 99}, "Something went wrong", None, True),
        ({"kind": "http", "status": 429, "retry_after": 4000, "times": 99}, "4000", 3, True),
    ],
    ids=["401", "wrong-key", "fail", "other-status", "error-field", "long-retry-after"],
)
def test_a_refusal_is_passed_on_and_recorded(
    pipeline: Pipeline,
    monkeypatch: pytest.MonkeyPatch,
    fault: dict[str, object],
    words: str,
    calls: int | None,
    passing: bool,
) -> None:
    quick(pipeline, monkeypatch)
    pipeline.server.fault(**fault)  # type: ignore[arg-type]
    with pytest.raises(PipelineError) as refused:
        pipeline.run(execution_id="refused")
    assert words in str(refused.value)
    assert "key-of" not in str(refused.value)
    # The last shop alone was named, as if the others had been read.
    for shop in pipeline.fullbay.settings().shops:
        assert f"shop {shop.key}: " in str(refused.value)
    assert isinstance(refused.value, TransientError) == passing
    if calls is not None:
        assert len(pipeline.server.requests) == calls
    status, message = pipeline.query("select status, error_message from ingestion_metadata")[0]
    assert status == "ERROR"
    assert words in message
    errors = "select count(*) from error_tracking_log where not resolved and stack_trace is not null"
    assert pipeline.value(errors) == 3, "one a shop"
    assert pipeline.value("select count(*) from api_request_log where error_message is not null") >= 1


# Two writers


def test_one_shops_refused_key_keeps_no_other_shop_waiting(pipeline: Pipeline) -> None:
    given = pipeline.fullbay.settings()
    shops = (dataclasses.replace(given.shops[0], api_key="a key that is none"), *given.shops[1:])
    pipeline.fullbay = type(pipeline.fullbay).of(dataclasses.replace(given, shops=shops))
    with pytest.raises(PipelineError, match="Invalid API key"):
        pipeline.run(execution_id="two of three")
    stored = pipeline.query("select distinct shop_key from invoice_headers order by 1")
    assert stored == [(shop.key,) for shop in given.shops[1:]]
    assert pipeline.value("select status from ingestion_metadata") == "ERROR"
    assert pipeline.value("select records_inserted from ingestion_metadata") > 0
    # The others are complete up to their summaries, and the refused one is not taken for vanished.
    assert pipeline.value("select bool_and(processed) from fullbay_raw_data")
    assert revenue(pipeline) == pipeline.value("select sum(total_amount) from invoice_headers")
    assert pipeline.value("select count(*) from invoice_headers where missing_since is not null") == 0


def test_one_shop_that_fails_for_a_while_fails_the_run_as_transient(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ended as a permanent error, which nothing and nobody tries again."""
    quick(pipeline, monkeypatch)
    pipeline.server.fault("fail", message="Database is busy", times=4)
    first, *others = (shop.key for shop in pipeline.fullbay.settings().shops)
    with pytest.raises(
        TransientError, match=f"reading 1 of the shops .*: shop {first}: .*Database is busy"
    ) as failed:
        pipeline.run(execution_id="two of three")
    assert not any(f"shop {other}" in str(failed.value) for other in others)
    stored = pipeline.query("select distinct shop_key from invoice_headers order by 1")
    assert stored == [(other,) for other in others]


def test_settings_that_cannot_be_used_fail_the_run_on_the_record(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that failed before its first step opened left no row; the first look said that all was well."""
    for name in ("FULLBAY_API_KEY", "FULLBAY_API_KEY_NORTH"):
        monkeypatch.setenv(name, "the-same-key")
    pipeline.fullbay = FullbayResource()  # type: ignore[assignment]
    result = pipeline.materialize(raise_on_error=False)
    assert not result.success
    assert pipeline.query("select execution_id, status, error_type from ingestion_metadata") == [
        (result.run_id, "ERROR", "PermanentError")
    ]
    message = failed_runs(pipeline)[result.run_id]
    assert "FULLBAY_API_KEY_NORTH (clashes with the key of shop default)" in message
    assert "the-same-key" not in message


@pytest.mark.parametrize("reachable", [True, False])
def test_unusable_settings_are_what_the_run_fails_with_also_without_a_warehouse(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, reachable: bool
) -> None:
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)

    def unreadable() -> object:
        raise PermanentError("reading the settings", "wrong: FULLBAY_API_KEY_NORTH", "Set them.")

    settings = pipeline.settings if reachable else dataclasses.replace(pipeline.settings, name="away", port=1)
    with (
        pytest.raises(PermanentError, match="wrong: FULLBAY_API_KEY_NORTH"),
        running_step(GivenWarehouse.of(settings), "first", "unusable", needs=(unreadable,)),
    ):
        raise AssertionError("the body ran")
    assert waits == []
    assert list(failed_runs(pipeline)) == (["unusable"] if reachable else [])


def test_a_run_of_some_assets_closes_its_own_record(pipeline: Pipeline) -> None:
    """A backfill of the partitioned assets in the UI is such a run; its record stayed RUNNING for ever."""
    tags = {"dagster/asset_partition_range_start": str(FIRST), "dagster/asset_partition_range_end": str(LAST)}
    job = pipeline.definitions().resolve_job_def("fullbay_range")
    for _ in range(2):
        result = job.execute_in_process(
            tags=tags, asset_selection=[dg.AssetKey("fullbay_raw_data"), dg.AssetKey("fullbay_line_items")]
        )
        assert result.success
    records = pipeline.query(
        "select status, records_processed, records_inserted from ingestion_metadata order by id"
    )
    assert {status for status, _, _ in records} == {"SUCCESS"}
    assert records[0][2] == records[0][1] == records[1][1]
    assert pipeline.query("select distinct status, processing_count from processed_invoices_tracker") == [
        ("SKIPPED", 2)
    ]


def test_checks_without_their_assets_run_and_close_their_record(pipeline: Pipeline) -> None:
    """As a job, or executed from an asset's page in the UI: they speak of all dates and leave no run at RUNNING."""
    pipeline.run()
    selection = dg.AssetSelection.all_asset_checks()
    alone = dg.Definitions(jobs=[dg.define_asset_job("checks_alone", selection=selection)])
    of_lines = dg.AssetCheckKey(dg.AssetKey("fullbay_line_items"), "lines_equal_invoices")
    of_run = dg.AssetCheckKey(dg.AssetKey("ingestion_metadata"), "rows_in_equal_rows_out")
    every = pipeline.definitions().resolve_implicit_global_asset_job_def()
    for job in (
        dg.Definitions.merge(pipeline.definitions(), alone).resolve_job_def("checks_alone"),
        every.get_subset(asset_selection=set(), asset_check_selection={of_lines}),
        every.get_subset(asset_selection=set(), asset_check_selection={of_run}),
    ):
        result = job.execute_in_process()
        found = result.get_asset_check_evaluations()
        assert result.success
        assert not result.get_asset_materialization_events()
        assert found
        assert [one.check_name for one in found if not one.passed] == []
    statuses = pipeline.query("select status, count(*) from ingestion_metadata group by 1")
    assert statuses == [("SUCCESS", 4)]


@pytest.mark.parametrize(
    ("config", "left"), [({}, {"recent", "young"}), ({"keep_days": 20}, {"young"})], ids=["setting", "config"]
)
def test_the_weekly_purge_takes_old_runs_and_no_invoice(
    pipeline: Pipeline, config: dict[str, int], left: set[str]
) -> None:
    """As the location's own login, and as long back as the setting says unless the run says otherwise."""
    for run, days in (("old", 100), ("recent", 40), ("young", 1)):
        pipeline.run(execution_id=run)
        pipeline.query(
            "update ingestion_metadata set created_at = now() - make_interval(days => %s) where execution_id = %s",
            (days, run),
        )
    before = contents(pipeline.settings)
    job = pipeline.definitions().resolve_job_def("fullbay_purge_logs")
    assert job.execute_in_process(run_config={"ops": {"purge_logs": {"config": config}}}).success
    kept = "select distinct execution_id from {} where execution_id in ('old', 'recent', 'young')"
    for table in ("ingestion_metadata", "ingestion_run_invoices", "api_request_log", "database_query_log"):
        found = {run for (run,) in pipeline.query(kept.format(table))}
        assert found == left, table
    assert contents(pipeline.settings) == before


def test_a_second_writer_of_the_same_dates_is_refused_within_five_seconds(pipeline: Pipeline) -> None:
    with running_step(pipeline.warehouse, "first", "first") as step:
        step.lease(FIRST, FIRST)
        began = time.monotonic()
        with pytest.raises(PermanentError) as refused:
            pipeline.run(execution_id="second")
        assert time.monotonic() - began < 5
    assert "first" in str(refused.value)
    assert str(FIRST) in str(refused.value)
    assert pipeline.run()["status"] == "SUCCESS"


def test_other_dates_may_be_written_at_the_same_time(pipeline: Pipeline) -> None:
    with running_step(pipeline.warehouse, "first", "first") as step:
        step.lease(LAST + timedelta(days=1), LAST + timedelta(days=9))
        assert pipeline.run()["status"] == "SUCCESS"


def test_a_run_that_is_alive_is_never_taken_for_an_interrupted_one(pipeline: Pipeline) -> None:
    """The record of a load from the command line that took longer than 6 hours was ended by the next run's start."""

    def minutes_later(label: str) -> str:
        """The status when another run begins two minutes after everything so far."""
        pipeline.query("update ingestion_metadata set start_time = start_time - interval '2 minutes'")
        pipeline.query(
            "update performance_metrics_log set metric_timestamp = metric_timestamp - interval '2 minutes'"
        )
        return after_another_run(label)

    def after_another_run(label: str) -> str:
        with running_step(pipeline.warehouse, "another", f"another {label}"):
            pass
        found: str = pipeline.value("select status from ingestion_metadata where execution_id = 'long'")
        return found

    with running_step(pipeline.warehouse, "first", "long"):
        assert minutes_later("in its step") == "RUNNING"
        assert failed_runs(pipeline) == {}
    assert after_another_run("between two steps") == "RUNNING"
    assert failed_runs(pipeline) == {}
    # Each step in a process of its own, and the next one late: taken for killed, and opened again by it.
    assert minutes_later("long after its step") == "ERROR"
    with running_step(pipeline.warehouse, "second", "long") as step:
        assert minutes_later("in its second step") == "RUNNING"
        # Its records' connection is lost and with it the lock; the lease still says that it is at work.
        step.lease(FIRST, LAST)
        terminate(pipeline, "journal long")
        assert minutes_later("without its records") == "RUNNING"
    with running_step(pipeline.warehouse, "third", "long") as step:
        terminate(pipeline, "journal long")
        assert minutes_later("alive, with nothing to show it") == "ERROR"
        close_execution(step)
    assert pipeline.query(
        "select status, error_type from ingestion_metadata where execution_id = 'long'"
    ) == [("SUCCESS", None)]


def test_a_killed_run_is_shown_at_once_and_closed_by_the_next_one(pipeline: Pipeline) -> None:
    """It stayed RUNNING for 6 hours and longer, and the query of the first look said that nothing had failed."""
    pipeline.query(
        "insert into ingestion_metadata (execution_id, start_time, status) values ('killed', now(), 'RUNNING')"
    )
    assert failed_runs(pipeline) == {}, "within its first minute it may be between two steps"
    pipeline.query("update ingestion_metadata set start_time = start_time - interval '2 minutes'")
    assert "No process of this run is alive" in failed_runs(pipeline)["killed"]
    pipeline.run()
    assert "killed, or its machine lost" in failed_runs(pipeline)["killed"]
    assert pipeline.query("select status, error_type from ingestion_metadata where end_time is not null") == [
        ("ERROR", "INTERRUPTED"),
        ("SUCCESS", None),
    ]


def failed_runs(pipeline: Pipeline) -> dict[str, str]:
    found = pipeline.query("select execution_id, error_summary from get_recent_executions_with_errors(24)")
    return dict(found)


def terminate(pipeline: Pipeline, application_name: str) -> None:
    """End the connections of that name as a server does that lost them, and wait until they are gone."""
    of_that_name = "from pg_stat_activity where application_name = %s and datname = current_database()"
    assert pipeline.query(f"select pg_terminate_backend(pid, 5000) {of_that_name}", (application_name,))


def test_open_balances_are_read_from_the_first_partition_on(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run over a date without a partition fails, and with it every other date of its range."""
    from datetime import UTC, datetime

    from fullbay_assets.automation import schedules

    pipeline.run()
    pipeline.query("update invoice_headers set balance = 1")
    balances = next(one for one in schedules() if one.name == "fullbay_open_balances")

    def asked(first: str) -> list[tuple[str, str]]:
        monkeypatch.setenv("FULLBAY_FIRST_DATE", first)
        with dg.build_schedule_context(
            scheduled_execution_time=datetime(2026, 12, 20, tzinfo=UTC),
            resources={"warehouse": pipeline.warehouse, "fullbay": pipeline.fullbay},
        ) as context:
            requests = balances.evaluate_tick(context).run_requests or []
        names = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
        return [(request.tags[names[0]], request.tags[names[1]]) for request in requests]

    assert asked("2021-01-01") == [(str(FIRST), str(LAST))]
    assert asked(str(DAYS[1])) == [(str(DAYS[1]), str(LAST))]
    assert asked(str(LAST + timedelta(days=1))) == []
    assert asked("2026-12-20") == []


def test_lines_can_be_derived_again(pipeline: Pipeline) -> None:
    """After a change of rules; the same rules give the same rows."""
    pipeline.run()
    before = contents(pipeline.settings)
    with running_step(pipeline.warehouse, "fullbay_line_items", "again") as step:
        counts = build_lines(step, pipeline.fullbay.rules(), FIRST, LAST, rebuild=True)
    assert counts.documents == pipeline.value("select count(*) from fullbay_raw_data")
    assert contents(pipeline.settings) == before


def test_an_analyst_reads_the_summaries_and_not_the_documents(
    pipeline: Pipeline, warehouse_as: Callable[[str], DatabaseSettings]
) -> None:
    import psycopg2

    pipeline.run()
    analyst = warehouse_as("analyst_login")
    assert query(analyst, "select count(*) from daily_summary")[0][0] > 0
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        query(analyst, "select count(*) from fullbay_raw_data")
