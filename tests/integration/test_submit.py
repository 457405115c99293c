"""A product file from its bytes to staged rows and a dry run, on a real Postgres."""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from commerce_assets import submit
from commerce_assets.catalogue_store import apply_upload
from commerce_assets.objects import PART_BYTES, UploadStore
from commerce_assets.reading import Limits, ProductFile
from commerce_assets.rules import Settings
from commerce_assets.staging import Staged, stage_file
from resources.database import connect
from resources.failures import PermanentError
from resources.settings import AwsSettings, DatabaseSettings
from resources.sql import Session
from sandbox.aws import ensure_bucket

HEADER = "vendor_product_id,Name,category,SKU,price,Stock,description\n"
CATEGORIES = Settings(frozenset({"Books", "Electronics"}))


@pytest.fixture
def warehouse_of_commerce(warehouse_as: Callable[[str], DatabaseSettings]) -> DatabaseSettings:
    return warehouse_as("commerce_etl")


@pytest.fixture
def session(warehouse_of_commerce: DatabaseSettings) -> Iterator[Session]:
    opened = Session(lambda retry: connect(warehouse_of_commerce, application_name="test", retry=retry))
    yield opened
    opened.close()


def stage(session: Session, content: bytes, upload_id: str = "UP1", **options: Any) -> Staged:
    with session.connection.cursor() as cursor:
        cursor.execute(
            "insert into commerce.upload_history (upload_id, vendor_id, file_name, s3_key)"
            " values (%s, 'VEND001', 'f', 'k') on conflict do nothing",
            (upload_id,),
        )
    return stage_file(session, upload_id, ProductFile(io.BytesIO(content), Limits()), CATEGORIES, **options)


def rows(session: Session, columns: str, table: str = "staged_rows") -> list[tuple[Any, ...]]:
    with session.connection.cursor() as cursor:
        cursor.execute(f"select {columns} from commerce.{table} order by row_number")
        return cursor.fetchall()


def test_each_row_is_staged_with_its_verdict_and_its_text_as_it_came(session: Session) -> None:
    content = HEADER + (
        'P1,"Book, large",Books,S1,9.90,5,"He said ""no"" {a} \\ b"\n'
        "P2,,Books,S2,abc,-1,x\n"
        "P3,Pen,Electroncs,S3,1.00,1,\n"
        "P4,too few\n"
    )
    found = stage(session, content.encode())
    assert (found.rows, found.valid, found.rejected) == (4, 1, 3)
    assert found.codes == {"MISSING_REQUIRED_FIELDS": 1, "INVALID_CATEGORY": 1, "TOO_FEW_CELLS": 1}
    assert rows(session, "row_number, record_id, verdict, vendor_product_id, sku, price::text, codes") == [
        (1, "REC_000001", "valid", "P1", "S1", "9.90", None),
        (
            2,
            "REC_000002",
            "rejected",
            "P2",
            "S2",
            None,
            ["MISSING_REQUIRED_FIELDS", "INVALID_PRICE", "INVALID_STOCK"],
        ),
        (3, "REC_000003", "rejected", "P3", "S3", None, ["INVALID_CATEGORY"]),
        (4, "REC_000004", "rejected", None, None, None, ["TOO_FEW_CELLS"]),
    ]
    originals = [original for (original,) in rows(session, "original_data", "upload_rows")]
    assert originals[0] == {
        "vendor_product_id": "P1", "Name": "Book, large", "category": "Books", "SKU": "S1", "price": "9.90",
        "Stock": "5", "description": 'He said "no" {a} \\ b',
    }  # fmt: skip
    assert originals[3] == {"_cells": ["P4", "too few"]}
    ((messages, fixes),) = rows(session, "messages, fixes")[2:3]
    assert "Electroncs" in messages[0]
    assert "Electronics" in fixes[0]


@pytest.mark.parametrize(("policy", "valid"), [("first", [1, 3]), ("last", [2, 3]), ("reject", [3])])
def test_of_rows_with_one_sku_the_policy_chooses(session: Session, policy: str, valid: list[int]) -> None:
    content = HEADER + "P1,A,Books,S1,1,1,\nP2,B,Books,S1,1,1,\nP3,C,Books,S3,1,1,\n"
    found = stage(session, content.encode(), duplicates=policy)
    assert [number for number, verdict in rows(session, "row_number, verdict") if verdict == "valid"] == valid
    assert found.codes == {"DUPLICATE_SKU": 3 - len(valid)}


def test_of_a_file_that_cannot_be_read_nothing_is_staged(session: Session) -> None:
    found = stage(session, b"vendor_product_id,name\nP1,x\n")
    assert found.problem is not None
    assert found.problem.code == "MISSING_COLUMNS"
    assert rows(session, "1") == []


def test_a_copy_that_fails_ends_the_staging(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches are copied by a thread of their own, whose failure nobody would hear of."""

    def fail(*_args: Any, **_options: Any) -> int:
        raise ConnectionError("gone")

    monkeypatch.setattr(session, "copy", fail)
    with pytest.raises(ConnectionError, match="gone"):
        stage(session, (HEADER + "P1,A,Books,S1,1,1,\n").encode())


def test_staging_again_replaces_what_was_staged(session: Session) -> None:
    content = (HEADER + "P1,A,Books,S1,1,1,\n").encode()
    stage(session, content)
    stage(session, content)
    assert len(rows(session, "1")) == 1


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n"), max_size=12)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(CELLS, CELLS, st.sampled_from(["Books", "x"]), CELLS, st.sampled_from(["1.5", "", "x"]))
    )
)
def test_every_row_gets_one_verdict_and_keeps_its_text(
    session: Session, products: list[tuple[str, ...]]
) -> None:
    quoted = [
        ",".join('"' + cell.replace('"', '""') + '"' for cell in (key, name, category, sku, price, "1", name))
        for key, name, category, sku, price in products
    ]
    found = stage(session, (HEADER + "".join(f"{line}\n" for line in quoted)).encode())
    staged = rows(
        session, "row_number, verdict, original_data ->> 'SKU', original_data ->> 'Name'", "upload_rows"
    )
    session.connection.rollback()
    if not products:
        assert found.problem is not None
        return
    assert [number for number, *_ in staged] == list(range(1, len(products) + 1))
    assert [verdict for _, verdict, *_ in staged].count("valid") == found.valid
    assert [(sku, name) for _, _, sku, name in staged] == [(sku, name) for _, name, _, sku, _ in products]


def test_a_dry_run_says_what_would_happen_and_writes_nothing(
    session: Session, warehouse_of_commerce: DatabaseSettings, tmp_path: Path
) -> None:
    first = HEADER + "P1,A,Books,S1,1.00,1,\nP2,B,Books,S2,2.00,2,\n"
    stage(session, first.encode())
    apply_upload(session, "UP1", "VEND001")
    session.connection.commit()
    file = tmp_path / "VEND001_20261121_120000.csv"
    file.write_text(
        HEADER + "P1,A,Books,S1,1.50,1,\nP2,B,Books,S2,2.00,2,\nP3,C,Books,S3,3,3,\nP4,D,Books,S1,3,3,\n"
    )
    facts = submit.as_facts(submit.dry_run(warehouse_of_commerce, file, "VEND001"))
    assert {name: facts[name] for name in ("rows", "create", "update", "unchanged", "reject")} == {
        "rows": 4, "create": 1, "update": 1, "unchanged": 1, "reject": 1,
    }  # fmt: skip
    assert facts["codes"] == {"DUPLICATE_SKU": 1}
    assert facts["rejected"] == [
        {"row": 4, "codes": ["DUPLICATE_SKU"], "messages": ["row 1 has the same sku"], "fixes": [ANY]}
    ]
    assert facts["changes"] == [{"row": 1, "vendor_product_id": "P1", "changes": {"price": ["1.00", "1.50"]}}]
    with session.connection.cursor() as cursor:
        cursor.execute("select count(*) from commerce.upload_history")
        assert cursor.fetchall() == [(1,)]
        cursor.execute("select price::text from commerce.products order by sku")
        assert cursor.fetchall() == [("1.00",), ("2.00",)]


@pytest.mark.parametrize("vendor", ["VEND404", "VEND002"])
def test_a_vendor_who_may_not_upload_is_told_so(
    session: Session, warehouse_of_commerce: DatabaseSettings, tmp_path: Path, vendor: str
) -> None:
    with session.connection, session.connection.cursor() as cursor:
        cursor.execute("update commerce.vendors set status = 'suspended' where vendor_id = 'VEND002'")
    file = tmp_path / "x.csv"
    file.write_text(HEADER)
    with pytest.raises(PermanentError, match=r"no such vendor|the vendor is suspended"):
        submit.dry_run(warehouse_of_commerce, file, vendor)


def test_the_command_answers_in_words_and_in_json(
    warehouse_of_commerce: DatabaseSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(submit, "database_settings", lambda location: warehouse_of_commerce)
    monkeypatch.setattr(submit, "read_env_file", lambda: [])
    good, bad, none = tmp_path / "good.csv", tmp_path / "bad.csv", tmp_path / "none.csv"
    good.write_text(HEADER + "P1,A,Books,S1,1.00,1,\n")
    bad.write_text("")
    some = tmp_path / "some.csv"
    some.write_text(HEADER + "P1,A,Bookz,S1,x,1,\n")
    assert submit.main([str(good), "--vendor", "VEND001", "--dry-run"]) == 0
    assert "1 row: 1 to create" in capsys.readouterr().out
    assert submit.main([str(good), "--vendor", "VEND001", "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["create"] == 1
    commas = tmp_path / "commas.csv"
    commas.write_text(HEADER.replace(",", ";") + "P1;A;Books;S1;1.234,50;1;\n")
    assert submit.main([str(commas), "--vendor", "VEND001", "--dry-run"]) == 2
    assert submit.main([str(commas), "--vendor", "VEND001", "--dry-run", "--locale", "de_de"]) == 0
    with pytest.raises(SystemExit):
        submit.main([str(commas), "--vendor", "VEND001", "--dry-run", "--locale", "tlh"])
    assert 'The locale "tlh" is none of' in capsys.readouterr().err
    assert submit.main([str(bad), "--vendor", "VEND001", "--dry-run"]) == 2
    assert "EMPTY_FILE" in capsys.readouterr().out
    assert submit.main([str(some), "--vendor", "VEND001", "--dry-run"]) == 2
    told = capsys.readouterr().out
    assert "Rejected rows:" in told
    assert "row 1: INVALID_PRICE" in told
    assert "row 1: INVALID_CATEGORY" in told
    assert submit.main([str(none), "--vendor", "VEND001", "--dry-run"]) == 1
    assert "Give the path of a file" in capsys.readouterr().err


def test_a_dry_run_suggests_the_categories_that_the_load_suggests(
    warehouse_of_commerce: DatabaseSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It looked at the spelling only, and a vendor was told what is meant by "Novels" once the file was uploaded."""
    monkeypatch.delenv("EMBEDDING_URL", raising=False)
    file = tmp_path / "p.csv"
    names = ("Kitchne", "Novels", "Zzyzx")
    file.write_text(HEADER + "".join(f"P{n},A,{name},S{n},1,1,\n" for n, name in enumerate(names)))
    trial = submit.dry_run(warehouse_of_commerce, file, "VEND001")
    fixes = [str(row.fixes[0]).partition("Perhaps: ")[2] for row in trial.rejected]
    assert fixes == ["Kitchen", "Books", ""]


def test_a_submitted_file_is_what_the_sensor_finds(aws: AwsSettings, tmp_path: Path) -> None:
    store = UploadStore(f"uploads-{uuid.uuid4().hex[:12]}", aws)
    assert aws.endpoint_url is not None
    ensure_bucket(int(aws.endpoint_url.rpartition(":")[2]), store.bucket)
    file = tmp_path / "products.csv"
    file.write_bytes(b"x" * (PART_BYTES + 1))  # large enough to go in parts
    now = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
    key = submit.upload(store, file, "VEND001", now, declared={"locale": "de"})
    assert key == "incoming/VEND001/VEND001_20261121_093000_products.csv"
    (found,) = store.versions("incoming/").objects
    with store.reading(found) as stream:
        assert stream.read() == file.read_bytes()
        assert stream.metadata == {"locale": "de"}
    with pytest.raises(PermanentError, match="Give the path of a file"):
        submit.upload(store, tmp_path / "none.csv", "VEND001", datetime(2026, 11, 21, tzinfo=UTC))
    store.close()
