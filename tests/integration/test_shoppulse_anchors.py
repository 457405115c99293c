"""Anchors of the audit trail on a stand-in for S3: what only they can tell, and that nobody talks them out of it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest

from commerce_assets.assets.audit import audit_anchors, audit_trail
from commerce_assets.audit_checks import (
    AnchorConfig,
    audit_anchors_are_there,
    audit_chain_is_whole,
    audit_chain_is_whole_since_anchored,
    audit_guards_stand,
)
from commerce_assets.resources import AuditAnchorsResource
from commerce_assets.shoppulse import audit
from commerce_assets.shoppulse.anchors import Anchor, AnchorStore
from commerce_assets.shoppulse.audit import Anchored, Verdict, anchor_chains, verify_database
from resources.failures import PermanentError
from resources.postgres import PostgresResource
from resources.settings import AwsSettings
from resources.sql import statement
from sandbox.aws import ensure_bucket
from sandbox.postgres import PostgresServer
from tests.integration.test_shoppulse_audit import (
    ALL_GONE,
    CUT_TAIL,
    FORGED,
    FOURTH,
    RECOMPUTED,
    note,
    tamper,
)
from tests.shoppulse import ShopPulse, refusal, rows, run


@pytest.fixture(params=[False, True], ids=["versions", "object lock"])
def store(
    aws: AwsSettings, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[AnchorStore]:
    bucket = f"anchors-{uuid.uuid4().hex[:12]}"
    made = AnchorStore(bucket, aws)
    if request.param:
        made.client.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    else:
        assert aws.endpoint_url is not None
        ensure_bucket(int(aws.endpoint_url.rpartition(":")[2]), bucket)
    monkeypatch.setenv("AUDIT_ANCHOR_BUCKET", bucket)
    yield made
    made.close()


@pytest.fixture
def trail(shoppulse: ShopPulse) -> ShopPulse:
    """T001 with links 1 to 11, T002 with one."""
    with shoppulse.connection(shoppulse.owner.user) as connection:
        for number in range(2, 12):
            note(connection, "T001", f"link {number}")
    return shoppulse


def anchored(shoppulse: ShopPulse, store: AnchorStore) -> Anchored:
    with shoppulse.connection("commerce_etl") as connection:
        return anchor_chains(connection, store)


def verified(shoppulse: ShopPulse, store: AnchorStore, **options: Any) -> dict[str, Verdict]:
    with shoppulse.connection("commerce_etl") as connection:
        return {one.tenant_id: one for one in verify_database(connection, store, **options)}


def test_a_chain_is_anchored_where_it_ends_and_again_only_when_it_moved(
    trail: ShopPulse, store: AnchorStore
) -> None:
    assert anchored(trail, store).written == 2
    again = anchored(trail, store)
    assert (again.written, again.unchanged) == (0, 2)
    with trail.connection(trail.owner.user) as connection:
        note(connection, "T001", "more")
    assert anchored(trail, store).written == 1
    assert sorted(store.of_tenant("T001")) == [11, 12]
    newest = store.newest("T001")
    assert newest is not None
    assert newest.seq == 12
    assert [verdict.finding for verdict in verified(trail, store).values()] == [None, None]
    since = verified(trail, store, since_anchor=True)
    assert [(verdict.links, verdict.finding) for verdict in since.values()] == [(0, None), (0, None)]


@pytest.mark.parametrize("since_anchor", [False, True], ids=["whole", "since the anchor"])
@pytest.mark.parametrize(
    ("text", "seq", "what"),
    [
        (CUT_TAIL, 9, "the tail is cut: links 9 to 11"),
        (ALL_GONE, 1, "the tail is cut: links 1 to 11"),
        (RECOMPUTED, 11, "computed anew"),
    ],
    ids=["cut tail", "all gone", "recomputed"],
)
def test_what_the_database_cannot_tell_from_the_truth_the_anchor_can(
    trail: ShopPulse,
    store: AnchorStore,
    postgres: PostgresServer,
    text: str,
    seq: int,
    what: str,
    since_anchor: bool,
) -> None:
    anchored(trail, store)
    tamper(postgres, trail, text)
    verdicts = verified(trail, store, since_anchor=since_anchor)
    finding = verdicts["T001"].finding
    assert finding is not None
    assert finding.seq == seq
    assert what in finding.what
    assert verdicts["T002"].finding is None


def test_older_anchors_say_between_which_links_the_forgery_begins(
    shoppulse: ShopPulse, store: AnchorStore, postgres: PostgresServer
) -> None:
    with shoppulse.connection(shoppulse.owner.user) as connection:
        for number in range(2, 12):
            note(connection, "T001", f"link {number}")
            anchored(shoppulse, store)
    tamper(postgres, shoppulse, RECOMPUTED)
    finding = verified(shoppulse, store)["T001"].finding
    assert finding is not None
    assert finding.seq == 4
    assert "between link 4 and link 4" in finding.what


def test_a_forged_chain_is_never_anchored(
    trail: ShopPulse, store: AnchorStore, postgres: PostgresServer
) -> None:
    """An anchor over a forgery would make it the truth an hour later."""
    anchored(trail, store)
    tamper(postgres, trail, RECOMPUTED)
    with trail.connection(trail.owner.user) as connection:
        note(connection, "T001", "more")
        note(connection, "T002", "more")
    done = anchored(trail, store)
    assert (done.written, len(done.refused)) == (1, 1), "the other tenant's is anchored all the same"
    assert sorted(store.of_tenant("T001")) == [11]
    assert sorted(store.of_tenant("T002")) == [1, 2]


def test_entries_put_in_by_hand_since_the_anchor_are_found_by_the_hourly_check(
    trail: ShopPulse, store: AnchorStore, postgres: PostgresServer
) -> None:
    anchored(trail, store)
    forged = FORGED.replace("{link}", "gen_random_uuid()").replace("{position}", "1")
    tamper(postgres, trail, forged.replace("created_at", "(now() at time zone 'UTC')", 1))
    finding = verified(trail, store, since_anchor=True)["T001"].finding
    assert finding is not None
    assert "belongs to no link" in finding.what


def forget(store: AnchorStore, monkeypatch: pytest.MonkeyPatch) -> AnchorStore:
    """The same as a bucket that lost everything: an empty one, which is asked from now on."""
    assert store.settings.endpoint_url is not None
    empty = AnchorStore(f"anchors-{uuid.uuid4().hex[:12]}", store.settings)
    ensure_bucket(int(store.settings.endpoint_url.rpartition(":")[2]), empty.bucket)
    monkeypatch.setenv("AUDIT_ANCHOR_BUCKET", empty.bucket)
    return empty


def noted(shoppulse: ShopPulse) -> list[tuple[Any, ...]]:
    with shoppulse.connection("commerce_etl") as connection:
        columns = "anchored_seq, anchored_hash = hash, anchored_entries = entries"
        return rows(connection, f"select {columns} from shoppulse.audit_heads order by tenant_id")


@pytest.mark.parametrize(
    ("text", "what"),
    [(CUT_TAIL, "the tail is cut: links 9 to 11"), (RECOMPUTED, "computed anew")],
    ids=["cut tail", "recomputed"],
)
def test_a_forgery_is_found_after_s3_has_lost_the_anchors_and_is_not_anchored_anew(
    trail: ShopPulse,
    store: AnchorStore,
    postgres: PostgresServer,
    monkeypatch: pytest.MonkeyPatch,
    text: str,
    what: str,
) -> None:
    """A chain that had been cut was whole then, and the next run anchored what was left of it."""
    anchored(trail, store)
    assert noted(trail) == [(11, True, True), (1, True, True)]
    empty = forget(store, monkeypatch)
    tamper(postgres, trail, text)
    for since_anchor in (False, True):
        verdict = verified(trail, empty, since_anchor=since_anchor)["T001"]
        assert verdict.finding is not None
        assert what in verdict.finding.what
        assert (verdict.anchors, "anchors were lost" in (verdict.warning or "")) == (0, True)
    done = anchored(trail, empty)
    assert (done.written, len(done.refused)) == (1, 1)
    assert list(empty.tenants()) == ["T002"]
    empty.close()


def test_lost_anchors_are_told_and_a_whole_chain_is_anchored_anew(
    trail: ShopPulse,
    store: AnchorStore,
    resources: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The sandbox forgets its objects at each stop: that is told, and stops nothing."""
    anchored(trail, store)
    empty = forget(store, monkeypatch)
    assert audit.main(["verify"]) == 3
    told = capsys.readouterr().out
    assert "WARNING tenant T001: link 11 was anchored at" in told
    assert "compared with no anchor" in told
    lost = audit_anchors_are_there(AnchorConfig(), resources["warehouse"], resources["audit_store"])
    assert isinstance(lost, dg.AssetCheckResult)
    assert (lost.passed, lost.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert set(lost.metadata["tenants"].value) == {"T001", "T002"}  # type: ignore[arg-type]
    result = dg.materialize(DEFINITIONS, resources=resources)
    (event,) = result.asset_materializations_for_node("audit_anchors")
    assert set(event.metadata["lost"].value) == {"T001", "T002"}  # type: ignore[arg-type]
    assert all(check.passed for check in result.get_asset_check_evaluations())
    assert audit.main(["verify"]) == 0
    empty.close()


def test_a_chain_that_is_old_and_has_no_anchor_is_named(
    trail: ShopPulse, store: AnchorStore, resources: dict[str, Any]
) -> None:
    def asked(hours: float) -> dg.AssetCheckResult:
        config = AnchorConfig(hours=hours)
        result = audit_anchors_are_there(config, resources["warehouse"], resources["audit_store"])
        assert isinstance(result, dg.AssetCheckResult)
        return result

    assert asked(2).passed, "they are young"
    assert set(asked(1e-9).metadata["tenants"].value) == {"T001", "T002"}  # type: ignore[arg-type]
    anchored(trail, store)
    assert asked(1e-9).passed


def test_what_is_noted_as_anchored_is_a_link_and_never_goes_back(
    trail: ShopPulse, store: AnchorStore
) -> None:
    anchored(trail, store)
    call = (
        "select shoppulse.audit_anchored('T001', c.seq, c.hash) from shoppulse.audit_chain c"
        " where c.tenant_id = 'T001'"
    )
    with trail.connection("commerce_etl") as connection:
        assert {answer for (answer,) in rows(connection, call)} == {False}
        other = "select shoppulse.audit_anchored('T001', 12, sha256(''))"
        assert rows(connection, other) == [(False,)]
    with trail.connection() as connection:
        assert refusal(connection, call).pgcode == "42501"
    assert noted(trail)[0] == (11, True, True)


def test_a_run_that_was_killed_before_the_note_leaves_it_to_the_next(
    trail: ShopPulse, store: AnchorStore
) -> None:
    for tenant, verdict in verified(trail, store).items():
        last = verdict.last
        assert last.hash is not None
        store.write(Anchor(tenant, last.seq, last.hash, last.entries, "2026-11-21T15:00:00Z"))
    assert noted(trail) == [(None, None, None)] * 2
    assert anchored(trail, store).written == 0
    assert noted(trail) == [(11, True, True), (1, True, True)]


def test_a_deleted_anchor_still_counts(
    trail: ShopPulse, store: AnchorStore, postgres: PostgresServer
) -> None:
    anchored(trail, store)
    newest = store.newest("T001")
    assert newest is not None
    store.client.delete_object(Bucket=store.bucket, Key=newest.key)
    tamper(postgres, trail, CUT_TAIL)
    assert verified(trail, store)["T001"].finding is not None


def test_an_anchor_is_never_overwritten_and_locked_where_the_bucket_can(store: AnchorStore) -> None:
    anchor = Anchor("T'1/ü", 5, "ab" * 32, 9, "2026-11-21T15:00:00Z")
    assert store.write(anchor)
    assert not store.write(anchor)
    assert list(store.tenants()) == ["T'1/ü"]
    found = store.newest("T'1/ü")
    assert found is not None
    assert (found.seq, found.hash, found.entries) == (5, "ab" * 32, 9)
    (version,) = store.client.list_object_versions(Bucket=store.bucket)["Versions"]
    stored = store.client.head_object(Bucket=store.bucket, Key=anchor.key, VersionId=version["VersionId"])
    assert (stored.get("ObjectLockMode") == "COMPLIANCE") == store.locks()


def test_two_anchors_that_contradict_each_other_are_reported(store: AnchorStore) -> None:
    store.write(Anchor("T001", 5, "ab" * 32, 9, "2026-11-21T15:00:00Z"))
    store.write(Anchor("T001", 5, "cd" * 32, 9, "2026-11-21T15:00:00Z"))
    with pytest.raises(PermanentError, match="contradict"):
        store.of_tenant("T001")
    store.client.put_object(Bucket=store.bucket, Key="audit-anchors/T002/x.json", Body=b"")
    with pytest.raises(PermanentError, match="an object that is none"):
        store.newest("T002")


@pytest.fixture
def resources(trail: ShopPulse, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    login = trail.as_login("commerce_etl")
    for name in ("host", "port", "name", "user", "password", "sslmode"):
        monkeypatch.setenv(f"COMMERCE_DB_{name.upper()}", str(getattr(login, name)))
    return {"warehouse": PostgresResource(location="COMMERCE"), "audit_store": AuditAnchorsResource()}


DEFINITIONS: list[Any] = [
    audit_trail,
    audit_anchors,
    audit_chain_is_whole,
    audit_chain_is_whole_since_anchored,
    audit_guards_stand,
    audit_anchors_are_there,
]


def test_the_assets_run_twice_and_their_checks_pass(store: AnchorStore, resources: dict[str, Any]) -> None:
    first = dg.materialize(DEFINITIONS, resources=resources)
    assert all(check.passed for check in first.get_asset_check_evaluations())
    (event,) = first.asset_materializations_for_node("audit_trail")
    assert event.metadata["links"].value == 12
    second = dg.materialize(DEFINITIONS, resources=resources)
    (event,) = second.asset_materializations_for_node("audit_anchors")
    assert event.metadata["dagster/row_count"].value == 0
    assert len(second.get_asset_check_evaluations()) == 4


def test_the_blocking_checks_name_tenant_link_and_entry(
    trail: ShopPulse, store: AnchorStore, postgres: PostgresServer, resources: dict[str, Any]
) -> None:
    tamper(postgres, trail, f"update shoppulse.audit_logs set details = '{{}}' where {FOURTH}")
    result = dg.materialize(DEFINITIONS, resources=resources, raise_on_error=False)
    checks = [
        check for check in result.get_asset_check_evaluations() if check.check_name == "audit_chain_is_whole"
    ]
    assert [check.passed for check in checks] == [False, False]
    assert {check.severity for check in checks} == {dg.AssetCheckSeverity.ERROR}
    for check in checks:
        (finding,) = check.metadata["findings"].value  # type: ignore[misc]
        assert (finding["tenant_id"], finding["seq"]) == ("T001", 4)
        assert finding["log_id"] is not None
        assert "altered" in finding["what"]
    assert store.newest("T001") is None
    assert store.newest("T002") is not None


@pytest.mark.parametrize(
    "text",
    [
        "alter table shoppulse.users disable trigger audit_changes",
        "alter table shoppulse.users enable trigger audit_changes",
        "drop trigger refuse_truncate on shoppulse.governance_rules",
        "alter table shoppulse.audit_logs no force row level security",
        "drop table shoppulse.audit_open",
    ],
)
def test_a_trigger_that_was_switched_off_is_reported(
    trail: ShopPulse, postgres: PostgresServer, resources: dict[str, Any], text: str
) -> None:
    """What is not written leaves no gap in a chain: a change of users made meanwhile would be known to nobody."""
    with trail.connection("commerce_etl") as connection:
        ((guards, failed, _),) = rows(connection, statement("shoppulse/checks/audit_guards"))
        assert (guards, failed) == (21, 0)
    with postgres.session(trail.owner.name) as superuser:
        superuser.autocommit = True
        run(superuser, text)
    result = audit_guards_stand(resources["warehouse"])
    assert isinstance(result, dg.AssetCheckResult)
    assert not result.passed


def test_the_command_verifies_and_says_what_is_broken(
    trail: ShopPulse,
    store: AnchorStore,
    postgres: PostgresServer,
    resources: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert audit.main(["verify"]) == 0
    told = capsys.readouterr().out
    assert "tenant T001: whole, 11 links with 35 entries looked at, compared with no anchor, ends" in told
    anchored(trail, store)
    assert audit.main(["verify"]) == 0
    assert "looked at, compared with 1 anchor, ends" in capsys.readouterr().out
    tamper(postgres, trail, f"delete from shoppulse.audit_logs where {FOURTH}")
    assert audit.main(["verify", "--tenant", "T001"]) == 2
    assert "BROKEN tenant T001, link 4: its 1 entries are missing" in capsys.readouterr().out
    assert audit.main(["verify", "--tenant", "T002"]) == 0
