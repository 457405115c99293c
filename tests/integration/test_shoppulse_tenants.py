"""A tenant's data exported and erased: whole, of one moment, on record, killed anywhere and run again."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from commerce_assets.objects import UploadStore
from commerce_assets.shoppulse import audit, tenants
from commerce_assets.shoppulse.anchors import AnchorStore
from commerce_assets.shoppulse.audit import Verdict, anchor_chains, verify_database, verify_export
from resources.failures import PermanentError
from resources.settings import AwsSettings
from resources.sql import Session
from sandbox.aws import ensure_bucket
from sandbox.postgres import PostgresServer
from tests.integration.test_shoppulse_audit import note
from tests.integration.test_shoppulse_metrics import refreshed
from tests.shoppulse import ShopPulse, rows


@pytest.fixture
def bucket(aws: AwsSettings, monkeypatch: pytest.MonkeyPatch) -> str:
    name = f"uploads-{uuid.uuid4().hex[:12]}"
    assert aws.endpoint_url is not None
    ensure_bucket(int(aws.endpoint_url.rpartition(":")[2]), name)
    monkeypatch.setenv("UPLOAD_BUCKET", name)
    return name


@pytest.fixture
def store(aws: AwsSettings, bucket: str) -> Iterator[UploadStore]:
    made = UploadStore(bucket, aws)
    for key in (
        "tenants/T001/orders/a.csv",
        "tenants/T001/b.csv",
        "tenants/T0011/c.csv",
        "tenants/T002/d.csv",
    ):
        made.put(key, b"one", "text/csv")
        made.put(key, b"two", "text/csv")
    made.client.delete_object(Bucket=bucket, Key="tenants/T001/b.csv")
    yield made
    made.close()


@pytest.fixture
def anchors(aws: AwsSettings, bucket: str) -> Iterator[AnchorStore]:
    made = AnchorStore(bucket, aws)
    yield made
    made.close()


@pytest.fixture
def session(shoppulse: ShopPulse) -> Iterator[Session]:
    with closing(tenants.open_session(shoppulse.as_login("keeper"))) as opened:
        yield opened


def verified(shoppulse: ShopPulse, anchors: AnchorStore) -> dict[str, Verdict]:
    with shoppulse.connection("commerce_etl") as connection:
        return {one.tenant_id: one for one in verify_database(connection, anchors)}


def counts(shoppulse: ShopPulse, postgres: PostgresServer, tenant: str) -> dict[str, int]:
    """Rows of a tenant in every table that has a tenant_id."""
    with postgres.session(shoppulse.owner.name) as superuser:
        tables = rows(
            superuser,
            "select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id'"
            " where c.relnamespace = 'shoppulse'::regnamespace and c.relkind in ('r', 'p') and not a.attisdropped",
        )
        return {
            table: rows(superuser, f"select count(*) from shoppulse.{table} where tenant_id = %s", (tenant,))[
                0
            ][0]
            for (table,) in tables
        }


def test_maintenance_reaches_every_table_of_a_tenant(shoppulse: ShopPulse, postgres: PostgresServer) -> None:
    """A table that a later migration adds and nobody grants would be left behind by export and erasure alike."""
    with postgres.session(shoppulse.owner.name) as superuser:
        closed = rows(
            superuser,
            "select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id'"
            " where c.relnamespace = 'shoppulse'::regnamespace and c.relkind in ('r', 'p') and not a.attisdropped"
            " and c.relname <> all (array['audit_open', 'audit_heads', 'audit_chain', 'tenants'])"
            " and not (has_table_privilege('shoppulse_maintenance', c.oid, 'select')"
            "   and has_table_privilege('shoppulse_maintenance', c.oid, 'delete')"
            "   and exists (select from pg_policy p where p.polrelid = c.oid"
            "               and p.polname in ('tenant_isolation', 'maintenance')))",
        )
    assert closed == []


def test_an_export_holds_every_row_and_its_audit_trail_verifies_without_the_database(
    shoppulse: ShopPulse,
    postgres: PostgresServer,
    session: Session,
    anchors: AnchorStore,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with shoppulse.connection(shoppulse.owner.user) as connection:
        note(connection, "T001", 'ÄÖ 🙂 "quoted" \\ \t \x7f', 3)
    with shoppulse.connection("commerce_etl") as connection:
        anchor_chains(connection, anchors)
    out = tmp_path / "exported"
    files = tenants.export_tenant(session, anchors, "T001", out)
    there = counts(shoppulse, postgres, "T001")
    assert {file.file: file.rows for file in files} == {
        **{f"{table}.jsonl": count for table, count in there.items() if not table.startswith("audit_")},
        "audit_trail.jsonl": there["audit_logs"],
    }
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["tenant_id"] == "T001"
    for entry in manifest["files"]:
        content = (out / entry["file"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == entry["sha256"]
        assert len(content) == entry["bytes"]
        lines = [json.loads(line) for line in content.splitlines()]
        assert len(lines) == entry["rows"] + (entry["file"] == "audit_trail.jsonl")
        assert {line["tenant_id"] for line in lines if "tenant_id" in line} <= {"T001"}
    assert (out.stat().st_mode & 0o777, (out / "users.jsonl").stat().st_mode & 0o777) == (0o700, 0o600)
    verdict = verify_export(out / "audit_trail.jsonl")
    assert verdict.finding is None
    assert verdict.links == 3, "the export itself is on record, and in the export"
    assert audit.main(["verify", "--from-export", str(out / "audit_trail.jsonl")]) == 0
    text = (out / "audit_trail.jsonl").read_text()
    altered = tmp_path / "altered.jsonl"
    altered.write_text(text.replace("quoted", "forged", 1))
    assert audit.main(["verify", "--from-export", str(altered)]) == 2
    assert "link 2" in capsys.readouterr().out
    cut = tmp_path / "cut.jsonl"
    cut.write_text("".join(text.splitlines(keepends=True)[:-1]))
    assert verify_export(cut).finding is not None
    with pytest.raises(PermanentError, match="none of an export"):
        verify_export(out / "users.jsonl")


def test_an_export_that_was_killed_leaves_nothing_that_looks_like_one(
    shoppulse: ShopPulse,
    session: Session,
    anchors: AnchorStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "exported"

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(tenants, "_export_trail", killed)
        with pytest.raises(KeyboardInterrupt):
            tenants.export_tenant(session, anchors, "T001", out)
    assert not out.exists()
    session.connection.rollback()
    assert tenants.export_tenant(session, anchors, "T001", out)
    assert [path.name for path in tmp_path.iterdir()] == ["exported"]
    with pytest.raises(PermanentError, match="is there already"):
        tenants.export_tenant(session, anchors, "T001", out)


def test_an_erased_tenant_is_gone_and_his_chain_still_whole(
    shoppulse: ShopPulse,
    postgres: PostgresServer,
    session: Session,
    store: UploadStore,
    anchors: AnchorStore,
) -> None:
    with shoppulse.connection("commerce_etl") as connection:
        anchor_chains(connection, anchors)
    others = counts(shoppulse, postgres, "T002")
    entries = counts(shoppulse, postgres, "T001")["audit_logs"]
    done = tenants.erase_tenant(session, store, "T001")
    assert done.objects == 4
    assert done.rows["orders"] == 12
    left = {table: count for table, count in counts(shoppulse, postgres, "T001").items() if count}
    assert set(left) == {"tenants", "users", "audit_logs", "audit_chain", "audit_heads"}
    assert left["users"] == 1, "the one of whom the trail speaks"
    assert left["audit_logs"] > entries
    with postgres.session(shoppulse.owner.name) as superuser:
        everything = "select string_agg(t::text, ' ') from shoppulse.{} t where tenant_id = 'T001'"
        text = "".join(
            rows(superuser, everything.format(table))[0][0] for table in ("tenants", "users", "audit_logs")
        )
    assert "example.com" not in text
    assert "Ltd" not in text
    assert counts(shoppulse, postgres, "T002") == others
    refreshed(shoppulse)  # which looks for midnights of all tenants
    assert counts(shoppulse, postgres, "T001")["metric_states"] == 0
    assert [verdict.finding for verdict in verified(shoppulse, anchors).values()] == [None, None]
    kept = {version.key for version in store.versions("tenants/").objects}
    assert kept == {"tenants/T0011/c.csv", "tenants/T002/d.csv"}
    again = tenants.erase_tenant(session, store, "T001")
    assert (again.rows, again.objects) == ({}, 0)
    assert verified(shoppulse, anchors)["T001"].finding is None


@pytest.mark.parametrize("place", ["before the objects", "amid the objects", "amid the rows"])
def test_an_erasure_that_was_killed_is_finished_by_the_next(
    shoppulse: ShopPulse,
    postgres: PostgresServer,
    session: Session,
    store: UploadStore,
    anchors: AnchorStore,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
) -> None:
    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        if place == "before the objects":
            patch.setattr(tenants, "remove_objects", killed)
        elif place == "amid the objects":
            patch.setattr(store.client, "delete_objects", killed)
        else:
            noted = tenants._note
            patch.setattr(
                tenants, "_note", lambda s, t, a, d: killed() if a == "tenant.erased" else noted(s, t, a, d)
            )
        with pytest.raises(KeyboardInterrupt):
            tenants.erase_tenant(session, store, "T001")
    session.connection.rollback()
    assert verified(shoppulse, anchors)["T001"].finding is None
    assert counts(shoppulse, postgres, "T001")["orders"] == 12
    with shoppulse.connection("commerce_etl") as connection:
        active = "select is_active from shoppulse.tenants where tenant_id = 'T001'"
        assert rows(connection, active) == [(False,)], "nobody enters a tenant who is being erased"
    assert tenants.erase_tenant(session, store, "T001").rows["orders"] == 12
    assert verified(shoppulse, anchors)["T001"].finding is None
    assert store.versions("tenants/T001/").objects == ()


def test_an_unknown_tenant_is_refused(
    session: Session, store: UploadStore, anchors: AnchorStore, tmp_path: Path
) -> None:
    for tenant in ("T999", "", "T001'; --", "T001/orders"):
        with pytest.raises(PermanentError, match="no such tenant"):
            tenants.erase_tenant(session, store, tenant)
        with pytest.raises(PermanentError, match="no such tenant"):
            tenants.export_tenant(session, anchors, tenant, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
    assert len(store.versions("tenants/").objects) == 8


def test_only_maintenance_exports_and_erases(
    shoppulse: ShopPulse, store: UploadStore, anchors: AnchorStore, tmp_path: Path
) -> None:
    for login in ("commerce_etl", "shoppulse_api", "reader_one"):
        with closing(tenants.open_session(shoppulse.as_login(login))) as session:
            with pytest.raises(PermanentError, match="shoppulse_maintenance"):
                tenants.erase_tenant(session, store, "T001")
            with pytest.raises(PermanentError, match="shoppulse_maintenance"):
                tenants.export_tenant(session, anchors, "T001", tmp_path / "out")


def test_the_commands_say_what_they_did(
    shoppulse: ShopPulse,
    store: UploadStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    login = shoppulse.as_login("keeper")
    for name in ("host", "port", "name", "user", "password", "sslmode"):
        monkeypatch.setenv(f"SHOPPULSE_MAINTENANCE_DB_{name.upper()}", str(getattr(login, name)))
    assert tenants.main(["export", "T001", "--out", str(tmp_path / "out")]) == 0
    assert "orders.jsonl: 12 rows" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        tenants.main(["erase", "T001", "--confirm", "T002"])
    assert "nothing was erased" in capsys.readouterr().err
    assert tenants.main(["erase", "T001", "--confirm", "T001"]) == 0
    said = capsys.readouterr().out
    assert "orders: 12 rows" in said
    assert "objects on S3: 4 versions" in said
    assert tenants.main(["erase", "T999", "--confirm", "T999"]) == 1
    with shoppulse.connection("commerce_etl") as connection:
        done = "select action from shoppulse.audit_logs where action like 'tenant.%' order by created_at"
        assert rows(connection, done) == [
            ("tenant.exported",),
            ("tenant.erasure_begun",),
            ("tenant.erased",),
        ]
