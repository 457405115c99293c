"""Uploads from the bucket to the catalogue and back, on stand-ins for S3 and DynamoDB and a real Postgres."""

from __future__ import annotations

import csv
import io
import json
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from commerce_assets import onboarding
from commerce_assets.catalogue_store import HoldPolicy
from commerce_assets.dynamo import PENDING, UploadRecords
from commerce_assets.ledger import scan
from commerce_assets.objects import UploadStore
from commerce_assets.onboarding import Onboarding
from commerce_assets.reading import Limits
from commerce_assets.release import refuse_upload, release_upload
from resources.aws import aws_client
from resources.database import connect
from resources.embedding import HttpEmbedder, LocalEmbedder
from resources.failures import PermanentError
from resources.leases import lease
from resources.settings import AwsSettings, DatabaseSettings, EmbeddingSettings
from resources.sql import Session
from sandbox.aws import ensure_bucket

HEADER = "vendor_product_id,Name,category,SKU,price,Stock\n"
STAGES = (
    *(onboarding.receive, onboarding.record, onboarding.validate),
    *(onboarding.apply, onboarding.complete, onboarding.answer),
)


class Marketplace:
    """One bucket, one table of items and one warehouse."""

    def __init__(self, aws: AwsSettings, warehouse: DatabaseSettings) -> None:
        assert aws.endpoint_url is not None
        name = uuid.uuid4().hex[:12]
        self.store = UploadStore(f"uploads-{name}", aws)
        ensure_bucket(int(aws.endpoint_url.rpartition(":")[2]), self.store.bucket)
        self.client = aws_client("dynamodb", aws, connections=6)
        self.records = UploadRecords(self.client, name=f"UploadRecords-{name}")
        self.records.create()
        self.warehouse = warehouse
        self.session = Session(lambda retry: connect(warehouse, application_name="test", retry=retry))
        self.told: list[str] = []

    def put(self, name: str, content: bytes | str, **declared: str) -> None:
        sent = content.encode() if isinstance(content, str) else content
        self.store.put(f"incoming/{name}", sent, "text/csv", metadata=declared)

    def run(self, *stages: Callable[[Onboarding], Any], **options: Any) -> None:
        scan(self.session, self.store)
        with lease(self.warehouse, onboarding.DATASET, None, holder="test", execution_id=None) as held:
            run = Onboarding(
                self.session, self.store, self.records, held,
                tell=lambda subject, text: self.told.append(subject), **options,
            )  # fmt: skip
            for stage in stages or STAGES:
                stage(run)

    def query(self, text: str) -> list[tuple[Any, ...]]:
        with self.session.connection, self.session.connection.cursor() as cursor:
            cursor.execute(text)
            return cursor.fetchall()

    def answers(self) -> dict[str, bytes]:
        listed = self.store.client.list_objects_v2(Bucket=self.store.bucket).get("Contents", ())
        keys = [found["Key"] for found in listed if not found["Key"].startswith("incoming/")]
        return {
            key: self.store.client.get_object(Bucket=self.store.bucket, Key=key)["Body"].read()
            for key in keys
        }

    def answer(self, kind: str) -> bytes:
        (content,) = [content for key, content in self.answers().items() if kind in key.rpartition("/")[2]]
        return content

    def close(self) -> None:
        self.session.close()
        self.store.close()
        self.client.close()


@pytest.fixture
def market(aws: AwsSettings, warehouse_as: Callable[[str], DatabaseSettings]) -> Iterator[Marketplace]:
    made = Marketplace(aws, warehouse_as("commerce_etl"))
    yield made
    made.close()


GOOD = HEADER + "P1,A,Books,S1,1.00,5\nP2,B,Books,S2,2.00,6\n"


def test_a_file_becomes_products_and_an_answer(market: Marketplace) -> None:
    market.put("VEND001/VEND001_20261121_100000.csv", GOOD + "P3,C,Bookz,S3,x,1\nP4,short\n")
    market.run()
    assert market.query("select sku, price::text from product_catalog order by 1") == [
        ("S1", "1.00"),
        ("S2", "2.00"),
    ]
    ((upload_id, *counts),) = market.query(
        "select upload_id, total_records, valid_records, error_records, status from upload_history"
    )
    assert counts == [4, 2, 2, "partial"]
    assert market.records.count_by_status(upload_id) == {"validated": 2, "error": 2}
    assert market.query("select row_number, error_type from validation_errors order by 1") == [
        (3, "INVALID_PRICE"),
        (4, "TOO_FEW_CELLS"),
    ]
    summary = json.loads(market.answer("summary.json"))
    assert market.query("select stage from commerce.upload_objects") == [("answered",)]
    assert market.query("select count(*) from commerce.staged_rows") == [(0,)]
    annotated = list(csv.reader(io.StringIO(market.answer("annotated").decode("utf-8-sig"))))
    assert [row[:2] for row in annotated[1:]] == [["P1", "A"], ["P2", "B"], ["P3", "C"], ["P4", "short"]]
    assert summary
    assert len(market.told) == 1


def test_the_same_file_again_changes_nothing(market: Marketplace) -> None:
    market.put("VEND001/a.csv", GOOD)
    market.run()
    before = market.query("select ctid, xmin, product_id from commerce.products order by 3")
    market.put("VEND001/b.csv", GOOD)
    market.run()
    assert market.query("select ctid, xmin, product_id from commerce.products order by 3") == before
    assert market.query("select status, count(*) from upload_history group by 1") == [("completed", 2)]


def test_running_again_without_a_new_file_does_nothing(market: Marketplace) -> None:
    market.put("VEND001/a.csv", GOOD)
    market.run()
    before = market.answers()
    market.run()
    assert market.answers() == before
    assert len(market.told) == 1


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("VEND001/a.csv", "", "EMPTY_FILE"),
        ("VEND001/a.csv", HEADER, "HEADER_ONLY"),
        ("VEND001/a.csv", "sku,price\n1,2\n", "MISSING_COLUMNS"),
        ("VEND001/a.csv", b"PK\x03\x04xl/workbook", "XLSX_FILE"),
        ("VEND001/a.csv", GOOD * 2, None),
        ("VEND002/VEND001_x.csv", GOOD, "VENDOR_MISMATCH"),
    ],
)
def test_a_file_that_is_refused_is_answered_with_a_code(
    market: Marketplace, name: str, content: str, code: str | None
) -> None:
    market.put(name, content)
    market.run()
    assert market.query("select stage, failure_code from commerce.upload_objects") == [("answered", code)]
    assert code is None or code.encode() in market.answer("summary.json")
    assert market.query("select count(*) from upload_history where status = 'processing'") == [(0,)]


@pytest.mark.parametrize("name", ["VEND404/a.csv", "a.csv"])
def test_a_file_of_nobody_is_refused(market: Marketplace, name: str) -> None:
    market.put(name, GOOD)
    market.run()
    assert market.query("select stage, failure_code from commerce.upload_objects") == [
        ("refused", "UNKNOWN_VENDOR")
    ]
    assert b"UNKNOWN_VENDOR" in market.answer("summary.json")


def test_too_many_rows_leave_nothing_pending(market: Marketplace) -> None:
    market.put("VEND001/a.csv", HEADER + "".join(f"P{n},A,Books,S{n},1,1\n" for n in range(6_000)))
    market.run(limits=Limits(rows=5_000))
    ((upload_id, status),) = market.query("select upload_id, status from upload_history")
    assert status == "failed"
    assert PENDING not in market.records.count_by_status(upload_id)
    assert market.query("select count(*) from products") == [(0,)]


def test_a_file_that_is_overwritten_is_two_uploads_in_their_order(market: Marketplace) -> None:
    market.put("VEND001/a.csv", GOOD)
    scan(market.session, market.store)
    market.put("VEND001/a.csv", GOOD.replace("1.00", "9.00"))
    market.run()
    assert market.query("select price::text from products order by sku") == [("9.00",), ("2.00",)]
    assert market.query("select count(*) from upload_history") == [(2,)]


STRICT = HoldPolicy(minimum_products=1)


def held(market: Marketplace, more: str = "") -> str:
    """The id of an upload that is held, and told of: its prices are a hundred times those of the one before."""
    market.put("VEND001/a.csv", GOOD)
    market.run()
    market.told.clear()
    market.put("VEND001/b.csv", GOOD.replace("1.00", "100.00").replace("2.00", "200.00") + more)
    market.run(hold=STRICT)
    assert market.query("select stage from commerce.upload_objects order by object_id") == [
        ("answered",),
        ("held",),
    ]
    ((upload_id,),) = market.query("select upload_id from commerce.upload_objects where stage = 'held'")
    return str(upload_id)


def summary_of(market: Marketplace, upload_id: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(market.answers()[f"results/VEND001/{upload_id}/summary.json"])
    return loaded


def test_a_held_upload_is_answered_once_with_the_reason_and_what_a_release_gives(market: Marketplace) -> None:
    """Before, its vendor heard nothing until somebody looked into the database."""
    upload_id = held(market, more="P3,C,Books,S3,3.00,1\nP4,D,Bookz,S4,4.00,1\n")
    summary = summary_of(market, upload_id)
    assert summary["outcome"] == "held"
    assert "2 of 2 prices move by more than 50%" in summary["hold_reason"]
    assert summary["after_release"] == {"accepted": 1, "updated": 2, "unchanged": 0, "rejected": 1}
    assert (summary["rows"]["waiting"], summary["rows"]["rejected"]) == (3, 1)
    page = market.answers()[f"results/VEND001/{upload_id}/summary.html"].decode()
    assert "2 of 2 prices move" in page
    assert "What a release gives" in page
    assert len(market.told) == 1
    assert "waits for release" in market.told[0]
    assert market.query(
        "select upload_id, would_be_accepted, would_be_updated, would_be_rejected, vendor_told_at is not null"
        " from commerce.held_uploads"
    ) == [(upload_id, 1, 2, 1, True)]
    before = market.answers()
    market.run(hold=STRICT)
    assert market.answers() == before
    assert len(market.told) == 1


def test_a_held_upload_goes_on_when_it_is_released(market: Marketplace) -> None:
    upload_id = held(market)
    assert release_upload(market.warehouse, upload_id)
    assert not refuse_upload(market.warehouse, upload_id, "too late")
    market.run(hold=STRICT)
    assert market.query("select price::text from products order by sku") == [("100.00",), ("200.00",)]
    summary = summary_of(market, upload_id)
    assert (summary["outcome"], summary["hold_reason"], summary["after_release"]) == ("completed", None, None)
    assert summary["rows"]["updated"] == 2
    assert len(market.told) == 2
    assert market.query("select count(*) from commerce.held_uploads") == [(0,)]


def test_a_held_upload_does_not_put_older_values_over_newer_ones_unnoticed(market: Marketplace) -> None:
    """A corrected file came in the meantime; releasing the held one put the mistake over it, and nobody was told."""
    upload_id = held(market)
    market.put("VEND001/corrected.csv", HEADER + "P1,A,Books,S1,1.10,5\n")
    market.run()
    with pytest.raises(PermanentError, match=r"uploads that came later: UPLOAD_.* changed 1 of its products"):
        release_upload(market.warehouse, upload_id)
    assert market.query("select stage from commerce.upload_objects where stage = 'held'") == [("held",)]
    assert release_upload(market.warehouse, upload_id, over_newer=True)
    market.run(hold=STRICT)
    assert market.query("select price::text from products order by sku") == [("100.00",), ("200.00",)]


def test_a_held_upload_that_is_refused_changes_no_product_and_says_why(market: Marketplace) -> None:
    upload_id = held(market, more="P4,D,Bookz,S4,4.00,1\n")
    before = market.query("select ctid, xmin, product_id from commerce.products order by 3")
    with pytest.raises(PermanentError, match="Say in 1 to 1000 characters"):
        refuse_upload(market.warehouse, upload_id, " ")
    assert refuse_upload(market.warehouse, upload_id, "prices in cents,\nplease in euros")
    assert not release_upload(market.warehouse, upload_id)
    assert not refuse_upload(market.warehouse, upload_id, "again")
    market.run(hold=STRICT)
    assert market.query("select ctid, xmin, product_id from commerce.products order by 3") == before
    assert market.query(
        "select total_records, valid_records, error_records, status from upload_history"
        f" where upload_id = '{upload_id}'"
    ) == [(3, 0, 3, "failed")]
    assert market.query("select error_type from validation_errors order by row_number") == [
        ("UPLOAD_REFUSED",),
        ("UPLOAD_REFUSED",),
        ("INVALID_CATEGORY",),
    ]
    summary = summary_of(market, upload_id)
    assert summary["outcome"] == "refused"
    assert summary["problem"]["code"] == "UPLOAD_REFUSED"
    assert summary["problem"]["message"] == "prices in cents, please in euros."
    assert (summary["rows"]["total"], summary["rows"]["rejected"]) == (3, 3)
    assert "held and then refused" in market.answers()[f"results/VEND001/{upload_id}/summary.html"].decode()
    assert "refused (UPLOAD_REFUSED)" in market.told[-1]
    assert market.records.count_by_status(upload_id) == {"error": 3}
    assert market.query("select count(*) from commerce.staged_rows") == [(0,)]


COMMAS = HEADER.replace(",", ";") + "P1;A;Books;S1;1.234,56;5\nP1;B;Books;S2;2,00;6\n"


def test_a_decimal_comma_needs_a_declared_locale(market: Marketplace) -> None:
    market.put("VEND001/a.csv", COMMAS)
    market.run()
    assert market.query("select status from upload_history") == [("failed",)]
    market.query(
        "insert into commerce.vendor_settings (vendor_id, locale) values ('VEND001', 'de') returning 1"
    )
    market.put("VEND001/b.csv", COMMAS)
    market.run()
    assert market.query("select vendor_product_id, price::text from products") == [("P1", "1234.56")]


def test_what_an_upload_declares_goes_before_its_vendors_settings(market: Marketplace) -> None:
    market.query(
        "insert into commerce.vendor_settings (vendor_id, locale, duplicates) values ('VEND001', 'en', 'reject')"
        " returning 1"
    )
    market.put("VEND001/a.csv", COMMAS, locale="de", duplicates="last")
    market.run()
    assert market.query("select sku, price::text from products") == [("S2", "2.00")]
    assert market.query("select row_number, error_type from validation_errors") == [
        (1, "DUPLICATE_VENDOR_PRODUCT_ID")
    ]


def test_what_an_upload_declares_comes_with_its_bytes(market: Marketplace) -> None:
    """The bucket was asked twice for each upload: what is said of the object came from a request of its own."""
    market.put("VEND001/a.csv", COMMAS, locale="de", duplicates="last")
    market.run(onboarding.receive)
    asked: list[str] = []

    def note(request: Any, **rest: Any) -> None:
        asked.append(request.method)

    market.store.client.meta.events.register("before-send.s3", note)
    market.run(onboarding.record)
    market.store.client.meta.events.unregister("before-send.s3", note)
    # The listing, and the object.
    assert asked == ["GET", "GET"]
    assert market.query("select file_facts ->> 'locale' from commerce.upload_objects") == [("de",)]


@pytest.mark.parametrize("declared", [{"locale": "tlh"}, {"duplicates": "newest"}])
def test_a_setting_that_nobody_knows_is_answered_with_those_that_there_are(
    market: Marketplace, declared: dict[str, str]
) -> None:
    market.put("VEND001/a.csv", GOOD, **declared)
    market.run()
    summary = json.loads(market.answer("summary.json"))
    assert summary["problem"]["code"] == "UNKNOWN_SETTING"
    assert next(iter(declared.values())) in summary["problem"]["message"]
    assert market.query("select count(*) from products") == [(0,)]


def test_limits_and_holds_are_a_vendors_own(market: Marketplace) -> None:
    market.query(
        "insert into commerce.vendor_settings (vendor_id, max_rows, hold_minimum_products)"
        " values ('VEND001', 1, null), ('VEND002', null, 1), ('VEND003', 2, 1) returning 1"
    )
    for vendor in ("VEND001", "VEND002", "VEND003"):
        market.put(f"{vendor}/a.csv", GOOD.replace("S1", f"{vendor}-1").replace("S2", f"{vendor}-2"))
    market.run()
    market.query(
        "update commerce.vendor_settings set hold_prices_share = 1 where vendor_id = 'VEND003' returning 1"
    )
    for vendor in ("VEND002", "VEND003"):
        dear = GOOD.replace("1.00", "100.00").replace("2.00", "200.00")
        market.put(f"{vendor}/b.csv", dear.replace("S1", f"{vendor}-1").replace("S2", f"{vendor}-2"))
    market.run()
    assert market.query(
        "select vendor_id, stage, failure_code from commerce.upload_objects order by vendor_id, object_id"
    ) == [
        ("VEND001", "answered", "TOO_MANY_ROWS"),
        *(("VEND002", "answered", None), ("VEND002", "held", None)),
        *(("VEND003", "answered", None), ("VEND003", "answered", None)),
    ]


def suggested(market: Marketplace, **options: Any) -> dict[str, str]:
    """The suggestion for the category of each row of a file with unknown ones."""
    names = ["Kitchne", "Cookware", "Novels", "Zzyzx", "Novels"]
    market.put("VEND001/a.csv", HEADER + "".join(f"P{n},A,{name},S{n},1,1\n" for n, name in enumerate(names)))
    market.run(**options)
    annotated = csv.DictReader(io.StringIO(market.answer("annotated").decode("utf-8-sig")))
    return {row["category"]: row["suggestion"].partition(": ")[2] for row in annotated}


def test_an_unknown_category_comes_back_with_the_one_that_may_be_meant(market: Marketplace) -> None:
    assert suggested(market, embedder=LocalEmbedder) == {
        **{"Kitchne": "Kitchen", "Cookware": "Kitchen", "Novels": "Books", "Zzyzx": ""},
    }


def test_an_embedding_service_that_is_away_costs_the_suggestion_and_not_the_upload(
    market: Marketplace, caplog: pytest.LogCaptureFixture
) -> None:
    away = EmbeddingSettings(url="http://127.0.0.1:9/v1/embeddings", model="some/model", revision="1")
    found = suggested(market, embedder=lambda: HttpEmbedder(away, sleep=lambda seconds: None))
    assert found == {"Kitchne": "Kitchen", "Cookware": "", "Novels": "", "Zzyzx": ""}
    assert market.query("select status, error_records from upload_history") == [("failed", 5)]
    assert caplog.text.count("by spelling only") == 1


def test_the_scorecard_knows_first_passes_from_corrections(market: Marketplace) -> None:
    """100 rows of which 10 are wrong, and the 10 once more: 90% came right at once, not 100 of 110."""

    def line(number: int, price: str) -> str:
        return f"P{number},A,Books,S{number},{price},1\n"

    files = (
        HEADER + "".join(line(number, "x" if number < 10 else "1") for number in range(100)),
        HEADER + "".join(line(number, "x" if number < 4 else "1") for number in range(10)),
        HEADER + "".join(line(number, "1") for number in range(3)),
    )
    for number, content in enumerate(files):
        market.put(f"VEND001/{number}.csv", content)
        market.run()
    columns = "uploads, total_rows, valid_rows, rejected_rows, fixed_rows, products_waiting_for_correction"
    assert market.query(f"select {columns} from commerce.vendor_scorecard where vendor_id = 'VEND001'") == [
        (3, 113, 99, 14, 9, 1)
    ]
    # 90 of the 100 that came for the first time; the others are 9 fixed and 4 repeated.
    ((yield_percent, codes, fixed_after, answered_after),) = market.query(
        "select first_pass_yield_percent, commonest_codes, median_time_to_fix, median_time_to_answer"
        " from commerce.vendor_scorecard where vendor_id = 'VEND001'"
    )
    assert yield_percent == 90
    assert codes == [{"code": "INVALID_PRICE", "rows": 14}]
    assert timedelta(0) < fixed_after < timedelta(minutes=5)
    assert timedelta(0) < answered_after < timedelta(minutes=5)
    assert market.query(
        f"select {columns}, first_pass_yield_percent, commonest_codes from commerce.vendor_scorecard"
        " where vendor_id = 'VEND002'"
    ) == [(0, 0, 0, 0, 0, 0, None, [])]


class Killed(BaseException):
    """As sudden as kill -9, but the test goes on."""


def test_a_run_that_ends_anywhere_is_taken_up_where_it_was(
    market: Marketplace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every second statement or call to DynamoDB and S3 is the last one of a run, before it or after it."""
    content = GOOD + "P3,C,Bookz,S3,x,1\nP4,D,Books,S1,3,1\nP5,short\n"
    market.put("VEND001/a.csv", content)
    point = count = 0
    original_run, original_write, original_put = Session.run, UploadRecords.write, onboarding.store_answer

    def counted(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            nonlocal count
            count += 1
            if count == point:
                raise Killed
            result = original(*args, **kwargs)
            count += 1
            if count == point:
                raise Killed
            return result

        return call

    monkeypatch.setattr(Session, "run", counted(original_run))
    monkeypatch.setattr(UploadRecords, "write", counted(original_write))
    monkeypatch.setattr(onboarding, "store_answer", counted(original_put))
    kills = 0
    for point in range(1, 2000, 2):
        count = 0
        try:
            market.run()
            if count < point:
                break
        except Killed:
            kills += 1
            market.session.connection.close()
            market.session.connection = connect(market.warehouse, application_name="test")
    assert kills > 20
    assert market.query("select sku, price::text from products order by 1") == [
        ("S1", "1.00"),
        ("S2", "2.00"),
    ]
    assert market.query("select total_records, valid_records, error_records, status from upload_history") == [
        (5, 2, 3, "partial")
    ]
    assert market.query("select row_number, error_type from validation_errors order by 1") == [
        (3, "INVALID_PRICE"),
        (4, "DUPLICATE_SKU"),
        (5, "TOO_FEW_CELLS"),
    ]
    assert market.query("select stage from commerce.upload_objects") == [("answered",)]


ROWS = st.lists(
    st.tuples(
        st.sampled_from(["P1", "P2", "P3", ""]),
        st.sampled_from(["Books", "Bookz"]),
        st.sampled_from(["S1", "S2", "S3"]),
        st.sampled_from(["1.00", "2.50", "x", "-1"]),
        st.sampled_from(["0", "7", "1.5"]),
    ),
    min_size=1,
    max_size=8,
)


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(ROWS)
def test_every_row_ends_in_exactly_one_verdict(market: Marketplace, rows: list[tuple[str, ...]]) -> None:
    lines = [",".join((key, "N", *cells)) for key, *cells in rows]
    market.put("VEND001/a.csv", HEADER + "".join(f"{line}\n" for line in lines))
    market.run()
    ((total, valid, errors),) = market.query(
        "select total_records, valid_records, error_records from upload_history"
        " order by upload_timestamp desc, upload_id limit 1"
    )
    assert total == len(rows) == valid + errors
