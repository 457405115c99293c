"""An upload's way into the catalogue and out of it, on a real server: who gets a SKU, what is written, what returns."""

from __future__ import annotations

import io
import itertools
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from commerce_assets import catalogue_store, staging
from commerce_assets.catalogue_store import Applied, Completed, HoldPolicy, Undone
from commerce_assets.reading import Limits, ProductFile
from commerce_assets.rules import Settings
from resources.database import connect
from resources.failures import PermanentError, TransientError
from resources.sql import Session

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from resources.settings import DatabaseSettings

Row = dict[str, Any]

COLUMNS = (
    "vendor_product_id",
    "product_name",
    "category",
    "subcategory",
    "description",
    "sku",
    "brand",
    "price",
    "compare_at_price",
    "stock_quantity",
    "unit",
    "weight_kg",
    "dimensions_cm",
    "image_url",
)


class Uploads:
    """What a vendor does: upload rows, and see the catalogue."""

    def __init__(self, open_connection: Callable[[], Connection]) -> None:
        self.session = Session(lambda _: open_connection())
        self._numbers = itertools.count(1)

    def query(self, text: str, parameters: Any = None) -> list[tuple[Any, ...]]:
        with self.session.connection.cursor() as cursor:
            cursor.execute(text, parameters)
            found = cursor.fetchall() if cursor.description else []
        self.session.connection.commit()
        return found

    def staged(
        self,
        *rows: Row,
        vendor: str = "VEND001",
        rejected: int = 0,
        absent: tuple[str, ...] = (),
        upload_id: str = "",
    ) -> str:
        """The id of an upload whose rows passed the rules, followed by some that did not."""
        upload_id = upload_id or f"UPLOAD_{next(self._numbers):03}"
        self.query(
            "insert into upload_history (upload_id, vendor_id, file_name, s3_key, processing_started_at, metadata)"
            " values (%s, %s, 'f.csv', 'incoming/f.csv', current_timestamp, %s)",
            [
                upload_id,
                vendor,
                json.dumps({"expected_records": len(rows) + rejected, "absent_columns": absent}),
            ],
        )
        for number, row in enumerate(rows, 1):
            self.query(
                f"insert into staged_rows (upload_id, row_number, verdict, original_data, {', '.join(row)})"
                f" values (%s, %s, 'valid', '{{}}', {', '.join(['%s'] * len(row))})",
                [upload_id, number, *row.values()],
            )
        for number in range(len(rows) + 1, len(rows) + rejected + 1):
            self.query(
                "insert into staged_rows (upload_id, row_number, verdict, codes, fields, messages, original_data)"
                " values (%s, %s, 'rejected', %s, %s, %s, %s)",
                [
                    upload_id,
                    number,
                    ["INVALID_PRICE", "INVALID_STOCK"],
                    ["price", "stock_quantity"],
                    ["No price.", "No stock."],
                    '{"vendor_product_id": "broken", "price": "x"}',
                ],
            )
        return upload_id

    def apply(self, upload_id: str, vendor: str = "VEND001", **options: Any) -> Applied:
        return self.session.transaction(
            lambda: catalogue_store.apply_upload(self.session, upload_id, vendor, **options), doing="testing"
        )

    def complete(self, upload_id: str, vendor: str = "VEND001", key: str | None = None) -> Completed:
        return self.session.transaction(
            lambda: catalogue_store.complete_upload(self.session, upload_id, vendor, error_file_s3_key=key),
            doing="testing",
        )

    def upload(self, *rows: Row, vendor: str = "VEND001", **options: Any) -> str:
        upload_id = self.staged(*rows, vendor=vendor, **options)
        self.apply(upload_id, vendor, hold=None)
        self.complete(upload_id, vendor)
        return upload_id

    def undo(self, upload_id: str) -> Undone:
        return self.session.transaction(
            lambda: catalogue_store.undo(self.session, upload_id), doing="testing"
        )

    def catalogue(self) -> list[tuple[Any, ...]]:
        """All that an upload may write, but the time of the last change and the number of a product."""
        return self.query(
            f"select vendor_id, {', '.join(COLUMNS)}, status, upload_id, created_at from products order by 1, 2"
        )

    def skus(self) -> dict[str, str]:
        return dict(self.query("select vendor_id || ' ' || vendor_product_id, sku from products"))

    def verdicts(self, upload_id: str) -> list[tuple[str, str | None]]:
        return [
            (verdict, codes and codes[0])
            for verdict, codes in self.query(
                "select verdict, codes from upload_rows where upload_id = %s order by row_number", [upload_id]
            )
        ]


def row(product: str = "P1", sku: str = "S1", **overrides: Any) -> Row:
    return {
        "vendor_product_id": product,
        "sku": sku,
        "product_name": "Keyboard",
        "category": "Electronics",
        "price": Decimal("10.00"),
        "stock_quantity": 5,
        **overrides,
    }


@pytest.fixture
def open_connection(warehouse_as: Callable[[str], DatabaseSettings]) -> Callable[[], Connection]:
    return lambda: connect(warehouse_as("commerce_etl"), application_name="test")


@pytest.fixture
def uploads(open_connection: Callable[[], Connection]) -> Iterator[Uploads]:
    uploads = Uploads(open_connection)
    yield uploads
    uploads.session.close()


# -- who gets in --------------------------------------------------------------------------------------------


def test_each_row_is_new_updated_unchanged_or_rejected(uploads: Uploads) -> None:
    uploads.upload(row("P1", "S1"), row("P2", "S2"))
    uploads.upload(row("X1", "T1"), vendor="VEND002")
    second = uploads.staged(
        row("P1", "S1"), row("P2", "S2", price=11), row("P3", "S3"), row("P4", "T1"), rejected=1
    )
    applied = uploads.apply(second)
    assert (applied, applied.rows) == (Applied(1, 1, 1, 2), 5)
    assert uploads.verdicts(second) == [
        ("unchanged", None),
        ("updated", None),
        ("accepted", None),
        ("rejected", "DUPLICATE_SKU"),
        ("rejected", "INVALID_PRICE"),
    ]
    assert uploads.apply(second) == applied


def test_no_vendor_overwrites_or_learns_of_another_ones_product(uploads: Uploads) -> None:
    """An upsert by SKU let one vendor overwrite the other's product."""
    uploads.upload(row("P1", "S1"))
    before = uploads.catalogue()
    other = uploads.upload(row("P1", "S1", price=1), vendor="VEND002")
    assert uploads.catalogue() == before
    ((message,),) = uploads.query("select messages[1] from upload_rows where upload_id = %s", [other])
    assert message == 'The SKU "S1" is the one of another vendor\'s product.'
    same_id = uploads.upload(row("P1", "S2", price=1), vendor="VEND002")
    assert uploads.verdicts(same_id) == [("accepted", None)]
    assert uploads.skus() == {"VEND001 P1": "S1", "VEND002 P1": "S2"}


def test_a_sku_of_another_product_of_the_same_vendor_is_refused_by_name(uploads: Uploads) -> None:
    uploads.upload(row("P1", "S1"))
    second = uploads.upload(row("P2", "S1"))
    assert uploads.query("select messages[1] from upload_rows where upload_id = %s", [second]) == [
        ('The SKU "S1" is the one of your product "P1".',)
    ]


def test_products_may_swap_and_pass_on_their_skus(uploads: Uploads) -> None:
    uploads.upload(row("P1", "S1"), row("P2", "S2"), row("P3", "S3"))
    uploads.upload(row("P1", "S2"), row("P2", "S1"), row("P3", "S4"), row("P4", "S3"))
    assert uploads.skus() == {"VEND001 P1": "S2", "VEND001 P2": "S1", "VEND001 P3": "S4", "VEND001 P4": "S3"}


def test_who_counts_on_a_sku_that_is_not_given_up_is_refused_too(uploads: Uploads) -> None:
    uploads.upload(row("P1", "S1"), row("P2", "S2"))
    uploads.upload(row("X1", "T1"), vendor="VEND002")
    before = uploads.catalogue()
    second = uploads.upload(row("P1", "T1"), row("P2", "S1"), row("P3", "S2"))
    assert uploads.verdicts(second) == [("rejected", "DUPLICATE_SKU")] * 3
    assert uploads.catalogue() == before


def test_of_repeated_rows_the_first_counts(uploads: Uploads) -> None:
    """The rules reject these before; if they ever do not, it is still no error."""
    upload = uploads.upload(row("P1", "S1"), row("P1", "S2"), row("P2", "S1"), row("P3", "S3"))
    assert uploads.verdicts(upload) == [
        ("accepted", None),
        ("rejected", "DUPLICATE_VENDOR_PRODUCT_ID"),
        ("rejected", "DUPLICATE_SKU"),
        ("accepted", None),
    ]


def test_an_inactive_category_is_an_error_of_the_row_unless_the_product_has_it(uploads: Uploads) -> None:
    uploads.upload(row("P1", "S1", category="Books"), row("P2", "S2"))
    uploads.query("update product_categories set is_active = false where category_name = 'Books'")
    upload = uploads.upload(
        row("P1", "S1", category="Books", price=7),
        row("P2", "S2", category="Books"),
        row("P3", "S3", category="Books"),
        row("P4", "S4", category="Bookz"),
    )
    refused = ("rejected", "INVALID_CATEGORY")
    assert uploads.verdicts(upload) == [("updated", None), refused, refused, refused]


@pytest.mark.parametrize(
    "broken",
    [
        {"price": 0},
        {"price": Decimal("NaN")},
        {"price": None},
        {"stock_quantity": -1},
        {"stock_quantity": None},
        {"compare_at_price": 9},
        {"compare_at_price": Decimal("NaN")},
        {"weight_kg": 0},
        {"product_name": None},
        {"sku": None},
        {"vendor_product_id": None},
        {"category": None},
    ],
    ids=str,
)
def test_what_the_table_would_refuse_costs_its_row_and_not_the_upload(uploads: Uploads, broken: Row) -> None:
    upload = uploads.upload(row("P1", "S1"), row("P2", "S2") | broken)
    ((good, _), (bad, code)) = uploads.verdicts(upload)
    assert (good, bad, code in ("VALIDATION_ERROR", "INVALID_CATEGORY")) == ("accepted", "rejected", True)


def test_the_status_follows_the_stock_and_a_withdrawn_product_stays_withdrawn(uploads: Uploads) -> None:
    uploads.upload(row("P1", "S1"), row("P2", "S2", stock_quantity=0), row("P3", "S3"))
    uploads.query("update products set status = 'discontinued' where vendor_product_id = 'P3'")
    uploads.upload(row("P1", "S1", stock_quantity=0), row("P2", "S2"), row("P3", "S3", stock_quantity=9))
    statuses = uploads.query("select vendor_product_id, status from products order by 1")
    assert statuses == [("P1", "out_of_stock"), ("P2", "active"), ("P3", "discontinued")]


# -- what is written ----------------------------------------------------------------------------------------


def test_the_same_file_again_writes_no_product(uploads: Uploads) -> None:
    rows = [row(f"P{n}", f"S{n}", brand="B" if n % 2 else None, weight_kg="1.5") for n in range(20)]
    uploads.upload(*rows)
    before = uploads.query("select product_id, xmin, ctid from products order by 1")
    assert uploads.apply(uploads.staged(*rows)) == Applied(0, 0, 20, 0)
    assert uploads.query("select product_id, xmin, ctid from products order by 1") == before
    assert uploads.query("select count(*) from product_changes") == [(20,)]


def test_a_cell_with_the_separator_of_stored_cells_comes_back_as_it_was(uploads: Uploads) -> None:
    header = b"vendor_product_id,product_name,category,sku,price,stock_quantity,note\n"
    lines = ["P1,A,Books,S1,5,1,\x1f", 'P2,B,Books,S2,5,1,"a ""b"", c"', "P3,C,Books,S3,5,1,"]
    upload = uploads.staged()
    file = ProductFile(io.BytesIO(header + "\n".join(lines).encode() + b"\n"), Limits())
    staging.stage_file(uploads.session, upload, file, Settings(frozenset({"Books"})))
    found = uploads.query(
        "select original_data ->> 'note', original_data ->> 'sku' from upload_rows order by row_number"
    )
    assert found == [("\x1f", "S1"), ('a "b", c', "S2"), ("", "S3")]


def test_the_difference_of_each_field_is_kept(uploads: Uploads) -> None:
    uploads.upload(row("P1", "S1", brand="Old"))
    upload = uploads.upload(row("P1", "S1", price="12.5", description="New"))
    assert uploads.query("select changes from upload_rows where upload_id = %s", [upload]) == [
        ({"brand": ["Old", None], "price": ["10.00", "12.50"], "description": [None, "New"]},)
    ]
    assert uploads.query(
        "select kind, before::text, after::text, upload_id_before from product_changes where upload_id = %s",
        [upload],
    ) == [
        (
            "update",
            '{"brand": "Old", "price": 10.00, "description": null}',
            '{"brand": null, "price": 12.50, "description": "New"}',
            "UPLOAD_001",
        )
    ]


def test_columns_that_a_file_lacks_stay_as_they_are(uploads: Uploads) -> None:
    """A list of prices must not wipe out brands and descriptions."""
    uploads.upload(row("P1", "S1", brand="B", unit="box", weight_kg=2, image_url="https://i.example/1"))
    lacking = tuple(catalogue_store.OPTIONAL_COLUMNS)
    prices = uploads.staged(row("P1", "S1", price=11), row("P2", "S2"), absent=lacking)
    assert uploads.apply(prices) == Applied(1, 1, 0, 0)
    assert uploads.query("select brand, unit, weight_kg, image_url, price from products order by sku") == [
        ("B", "box", 2, "https://i.example/1", 11),
        (None, "piece", None, None, 10),
    ]
    assert uploads.apply(uploads.staged(row("P1", "S1", price=11), absent=lacking)) == Applied(0, 0, 1, 0)


def test_a_file_of_prices_is_staged_as_one(uploads: Uploads) -> None:
    """Its products lost brand and description: an absent column was taken for an empty one."""
    uploads.upload(row("P1", "S1", brand="B", description="D"))
    text = (
        b"vendor_product_id,product_name,category,sku,price,stock_quantity,description\n"
        b"P1,Keyboard,Electronics,S1,11,5,\n"
    )
    upload = uploads.staged()
    staged = staging.stage_file(
        uploads.session,
        upload,
        ProductFile(io.BytesIO(text), Limits()),
        Settings(frozenset({"Electronics"}), False),
    )
    assert (staged.valid, staged.problem) == (1, None)
    assert uploads.apply(upload) == Applied(0, 1, 0, 0)
    assert uploads.query("select price, brand, description from products") == [(11, "B", None)]


def test_a_preview_says_what_would_be_done_and_writes_nothing(uploads: Uploads) -> None:
    uploads.upload(row("P1", "S1"), row("P2", "S2"))
    before = uploads.catalogue()
    upload = uploads.staged(
        row("P1", "S1", price=11), row("P2", "S2", stock_quantity=4), row("P3", "S1"), rejected=1
    )
    preview = catalogue_store.preview_upload(uploads.session, upload, "VEND001", examples=1)
    uploads.session.connection.commit()
    assert preview.applied == Applied(0, 2, 0, 2)
    assert preview.codes == {"DUPLICATE_SKU": 1, "INVALID_PRICE": 1}
    assert preview.differences == (catalogue_store.Difference(1, "P1", {"price": ["10.00", "11.00"]}),)
    assert uploads.catalogue() == before
    assert uploads.verdicts(upload)[:3] == [("valid", None)] * 3


def test_an_upload_of_another_vendor_or_of_nobody_is_refused(uploads: Uploads) -> None:
    upload = uploads.staged(row())
    with pytest.raises(PermanentError, match="of the vendor VEND001, not of VEND002"):
        uploads.apply(upload, "VEND002")
    with pytest.raises(PermanentError, match="no such upload"):
        uploads.apply("UPLOAD_?")


def test_several_uploads_fit_into_one_transaction(uploads: Uploads) -> None:
    first, second = uploads.staged(row("P1", "S1")), uploads.staged(row("P1", "S1", price=11))

    def both() -> list[Applied]:
        return [catalogue_store.apply_upload(uploads.session, name, "VEND001") for name in (first, second)]

    assert uploads.session.transaction(both, doing="testing") == [Applied(1, 0, 0, 0), Applied(0, 1, 0, 0)]


# -- at the same instant ------------------------------------------------------------------------------------


@pytest.mark.parametrize("vendors", [("VEND001", "VEND002"), ("VEND001", "VEND001")])
def test_of_two_uploads_at_one_instant_the_second_gets_the_code(
    uploads: Uploads, open_connection: Callable[[], Connection], vendors: tuple[str, str]
) -> None:
    """In opposite orders, which makes two plain inserts wait for each other until one is killed."""
    for attempt in range(4):
        # One vendor names different products, so that the SKUs are what they compete for.
        names = [f"{attempt}-{number}" for number in range(200)]
        ours = [row(f"P{name}", f"S{name}") for name in names]
        theirs = [row(f"Q{name}", f"S{name}") for name in reversed(names)]
        ids = [uploads.staged(*ours, vendor=vendors[0]), uploads.staged(*theirs, vendor=vendors[1])]
        start = threading.Barrier(2)
        results: dict[str, Applied | BaseException] = {}

        def run(upload_id: str, vendor: str, start: threading.Barrier, results: dict[str, Any]) -> None:
            mine = Uploads(open_connection)
            try:
                start.wait(10)
                results[upload_id] = mine.apply(upload_id, vendor)
            except BaseException as error:
                results[upload_id] = error
            finally:
                mine.session.close()

        threads = [
            threading.Thread(target=run, args=(upload_id, vendor, start, results))
            for upload_id, vendor in zip(ids, vendors, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert sorted(str(results[upload_id]) for upload_id in ids) == [
            str(Applied(0, 0, 0, 200)),
            str(Applied(200, 0, 0, 0)),
        ]
        loser = next(name for name in ids if results[name] == Applied(0, 0, 0, 200))
        assert Counter(uploads.verdicts(loser)) == {("rejected", "DUPLICATE_SKU"): 200}


def test_who_does_not_wait_for_his_turn_makes_the_upload_begin_again(
    uploads: Uploads, open_connection: Callable[[], Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A product inserted by hand between plan and write: the row that came second gets the code, when tried again."""
    upload = uploads.staged(row("P1", "S1"), row("P2", "S2"))
    by_hand = open_connection()
    plan = catalogue_store._Catalogue.plan

    def interrupted(self: Any, *args: Any) -> Any:
        planned = plan(self, *args)
        with by_hand, by_hand.cursor() as cursor:
            cursor.execute(
                "insert into products (vendor_id, vendor_product_id, product_name, category, sku, price)"
                " values ('VEND002', 'X', 'X', 'Books', 'S1', 1) on conflict do nothing"
            )
        return planned

    monkeypatch.setattr(catalogue_store._Catalogue, "plan", interrupted)
    with pytest.raises(TransientError, match="products_sku_key"):
        catalogue_store.apply_upload(uploads.session, upload, "VEND001")
    uploads.session.connection.rollback()
    assert uploads.apply(upload) == Applied(1, 0, 0, 1)
    by_hand.close()


def test_a_connection_lost_at_any_statement_leaves_nothing_behind(
    uploads: Uploads, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after each statement in turn; then the upload is applied as if nothing had happened."""
    uploads.upload(row("P1", "S1"), row("P2", "S2"))
    upload = uploads.staged(row("P1", "S2"), row("P2", "S1"), row("P3", "S3"), row("P4", "S4", price=0))
    before, statements = uploads.catalogue(), 0
    run = Session.run
    while True:
        left = statements

        def dying(self: Session, *args: Any, **options: Any) -> Any:
            nonlocal left
            found = run(self, *args, **options)
            left -= 1
            if left < 0:
                raise KeyboardInterrupt
            return found

        with monkeypatch.context() as patch:
            patch.setattr(Session, "run", dying)
            try:
                catalogue_store.apply_upload(uploads.session, upload, "VEND001")
                uploads.session.connection.rollback()
                break
            except KeyboardInterrupt:
                uploads.session.connection.close()
                uploads.session.connection = uploads.session._connect(True)
        assert (uploads.catalogue(), uploads.verdicts(upload)) == (before, [("valid", None)] * 4)
        statements += 1
    assert statements > 12
    assert uploads.apply(upload) == Applied(1, 2, 0, 1)


# -- hold ---------------------------------------------------------------------------------------------------

POLICY = HoldPolicy(prices_share=0.2, price_change=0.5, stock_share=0.3, minimum_products=3)


def ten(**changed: list[int]) -> list[Row]:
    """Ten products; `price=[1, 2]` moves two prices by more than half, `stock_quantity=[..]` empties the stock."""
    new = {"price": Decimal("1.00"), "stock_quantity": 0}
    return [
        row(f"P{n}", f"S{n}", **{name: new[name] for name, numbers in changed.items() if n in numbers})
        for n in range(10)
    ]


def test_a_slipped_decimal_point_waits_for_release(uploads: Uploads) -> None:
    uploads.upload(*ten())
    before = uploads.catalogue()
    upload = uploads.staged(*ten(price=[0, 1, 2], stock_quantity=[4, 5, 6, 7]))
    reason = (
        "3 of 10 prices move by more than 50% (allowed: 20% of them);"
        " 4 of 10 products in stock lose all of it (allowed: 30%)"
    )
    for _ in range(2):
        assert uploads.apply(upload, hold=POLICY) == Applied(0, 7, 3, 0, held=reason)
    assert uploads.catalogue() == before
    assert uploads.query("select metadata ->> 'held' from upload_history where upload_id = %s", [upload]) == [
        (reason,)
    ]
    with pytest.raises(PermanentError, match="10 of its rows were not applied"):
        uploads.complete(upload)
    with pytest.raises(PermanentError, match="held or still being worked on"):
        uploads.undo(upload)
    assert [catalogue_store.release(uploads.session, upload) for _ in range(2)] == [True, False]
    uploads.session.connection.commit()
    assert uploads.apply(upload, hold=POLICY) == Applied(0, 7, 3, 0)
    assert uploads.complete(upload) == Completed(10, 0, "completed")


@pytest.mark.parametrize(
    ("changed", "policy", "held"),
    [
        ({"price": [1, 2, 3]}, POLICY, True),
        ({"price": [1, 2]}, POLICY, False),
        ({"price": [1, 2, 3]}, HoldPolicy(0.3, 0.5, 0.3, 3), False),
        ({"price": [1, 2, 3]}, HoldPolicy(0.2, 0.9, 0.3, 3), False),
        ({"price": [1, 2, 3]}, HoldPolicy(0.2, 0.5, 0.3, 4), False),
        ({"stock_quantity": [1, 2, 3, 4]}, POLICY, True),
        ({"stock_quantity": [1, 2, 3]}, POLICY, False),
        ({"price": list(range(10))}, None, False),
    ],
)
def test_a_limit_is_passed_when_more_than_it_is_moved(
    uploads: Uploads, changed: dict[str, list[int]], policy: HoldPolicy | None, held: bool
) -> None:
    uploads.upload(*ten())
    assert (uploads.apply(uploads.staged(*ten(**changed)), hold=policy).held is not None) == held


def test_an_operator_may_release_at_once(uploads: Uploads) -> None:
    uploads.upload(*ten())
    upload = uploads.staged(*ten(price=[0, 1, 2]))
    assert uploads.apply(upload, hold=POLICY, released=True) == Applied(0, 3, 7, 0)


def test_only_a_held_upload_is_released(uploads: Uploads) -> None:
    assert catalogue_store.release(uploads.session, uploads.staged(row())) is False
    with pytest.raises(PermanentError, match="no such upload"):
        catalogue_store.release(uploads.session, "UPLOAD_?")


# -- complete -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "rejected", "done"),
    [
        (2, 0, Completed(2, 0, "completed")),
        (2, 1, Completed(2, 1, "partial")),
        (0, 2, Completed(0, 2, "failed")),
        (0, 0, Completed(0, 0, "failed")),
    ],
)
def test_a_finished_upload_has_its_counts_its_errors_and_its_duration(
    uploads: Uploads, rows: int, rejected: int, done: Completed
) -> None:
    upload = uploads.staged(*(row(f"P{n}", f"S{n}") for n in range(rows)), rejected=rejected)
    uploads.apply(upload)
    assert [uploads.complete(upload, key="errors/f.csv") for _ in range(2)] == [done, done]
    ((total, key, seconds),) = uploads.query(
        "select total_records, error_file_s3_key, processing_duration_seconds from upload_history"
    )
    assert (total, key, seconds) == (rows + rejected, "errors/f.csv" if rejected else None, 0)
    found = uploads.query(
        "select row_number, vendor_product_id, error_type, error_field, error_message, original_data"
        " from validation_errors order by 1"
    )
    assert found == [
        (
            rows + number,
            "broken",
            "INVALID_PRICE",
            "price",
            "No price.",
            {"vendor_product_id": "broken", "price": "x"},
        )
        for number in range(1, rejected + 1)
    ]


def test_an_upload_whose_rows_are_not_all_there_is_not_completed(uploads: Uploads) -> None:
    upload = uploads.staged(row(), rejected=1)
    uploads.apply(upload)
    uploads.query("delete from staged_rows where verdict = 'rejected'")
    with pytest.raises(PermanentError, match="1 rows are staged, but the file has 2"):
        uploads.complete(upload)
    assert uploads.query("select status, total_records from upload_history") == [("processing", 0)]


def test_staged_rows_leave_with_the_answer(uploads: Uploads) -> None:
    uploads.upload(row("P1", "S1"))
    upload = uploads.upload(row("P2", "S2"), row("P3", "S3"))
    assert [catalogue_store.remove_staged_rows(uploads.session, upload) for _ in range(2)] == [2, 0]
    assert uploads.query("select count(*) from staged_rows") == [(1,)]


def test_a_file_of_many_rows_is_not_compared_row_with_row(uploads: Uploads) -> None:
    """Without statistics each of 2,000 taken SKUs was looked for among all rows, 25 s for 200,000 of them; with those
    of an upload that was gone, writing its errors took more than ten minutes."""
    number = 6_000

    def content(price: int) -> bytes:
        lines = [f"P{n},A,Books,S{n},{'x' if n % 3 == 0 else price},1,10,\n" for n in range(number)]
        header = "vendor_product_id,product_name,category,sku,price,stock_quantity,weight_kg,brand\n"
        return (header + "".join(lines)).encode()

    def upload(upload_id: str, price: int, vendor: str) -> tuple[Applied, Completed]:
        uploads.staged(upload_id=upload_id, vendor=vendor, rejected=0)
        uploads.query(
            "update upload_history set metadata = jsonb_build_object('expected_records', %s)", [number]
        )
        file = ProductFile(io.BytesIO(content(price)), Limits())
        staging.stage_file(uploads.session, upload_id, file, Settings(frozenset({"Books"})))
        uploads.session.connection.commit()
        return uploads.apply(upload_id, vendor, hold=None), uploads.complete(upload_id, vendor)

    assert upload("UP1", 5, "VEND001")[0] == Applied(4_000, 0, 0, 2_000)
    uploads.query("analyze staged_rows, row_outcomes, products")
    catalogue_store.remove_staged_rows(uploads.session, "UP1")
    uploads.session.connection.commit()
    began = time.perf_counter()
    applied, completed = upload("UP2", 5, "VEND002")
    assert time.perf_counter() - began < 20
    assert (applied, completed.error_records) == (Applied(0, 0, 0, 6_000), 6_000)
    found = uploads.query(
        "select error_type, count(*), count(*) filter (where original_data ->> 'sku' = 'S' || (row_number - 1))"
        " from validation_errors where upload_id = 'UP2' group by 1 order by 1"
    )
    assert found == [("DUPLICATE_SKU", 4_000, 4_000), ("INVALID_PRICE", 2_000, 2_000)]


# -- undo ---------------------------------------------------------------------------------------------------


def test_an_undo_gives_back_what_was_and_takes_out_what_came(uploads: Uploads) -> None:
    uploads.upload(row("P1", "S1", brand="B"), row("P2", "S2"), row("P3", "S3", stock_quantity=0))
    before = uploads.catalogue()
    upload = uploads.upload(
        row("P1", "S2", brand="C"), row("P2", "S1"), row("P3", "S3"), row("P4", "S4"), rejected=1
    )
    assert [uploads.undo(upload) for _ in range(2)] == [Undone(3, 1), Undone(0, 0)]
    assert uploads.catalogue() == before
    assert uploads.query(
        "select vendor_product_id, before ->> 'sku', after ->> 'sku' from product_changes where kind = 'undo'"
        " order by 1"
    ) == [("P1", "S2", "S1"), ("P2", "S1", "S2"), ("P3", None, None), ("P4", "S4", None)]
    ((noted,),) = uploads.query("select metadata from upload_history where upload_id = %s", [upload])
    assert (noted["restored"], noted["removed"], "undone_at" in noted) == (3, 1, True)


def test_an_undo_is_refused_where_a_later_upload_changed_the_same_product(uploads: Uploads) -> None:
    first = uploads.upload(row("P1", "S1"), row("P2", "S2"))
    second = uploads.upload(row("P1", "S1", price=11), row("P2", "S2"))
    before = uploads.catalogue()
    with pytest.raises(PermanentError, match=f"1 products cannot go back: P1 was changed later by {second}"):
        uploads.undo(first)
    assert uploads.catalogue() == before
    assert uploads.undo(second) == Undone(1, 0)
    assert uploads.undo(first) == Undone(0, 2)
    assert uploads.catalogue() == []


def test_what_was_undone_does_not_come_back_unnoticed(uploads: Uploads) -> None:
    """Staged again and applied under its old id, it could never be undone again."""
    upload = uploads.upload(row())
    uploads.undo(upload)
    assert uploads.apply(upload, hold=None) == Applied(1, 0, 0, 0)
    uploads.query("update upload_history set metadata = metadata - 'applied'")
    with pytest.raises(PermanentError, match="undone before"):
        uploads.apply(upload)
    assert uploads.catalogue() == []


def test_a_refusal_names_the_first_ten(uploads: Uploads) -> None:
    first = uploads.upload(*ten(), *(row(f"Q{n}", f"T{n}") for n in range(5)))
    uploads.upload(*ten(price=list(range(10))), *(row(f"Q{n}", f"T{n}", price=2) for n in range(5)))
    with pytest.raises(PermanentError, match=r"15 products cannot go back: P0 .*P9 was[^;]*; \.\.\."):
        uploads.undo(first)


def test_an_undo_keeps_what_was_done_by_hand_to_other_columns(uploads: Uploads) -> None:
    uploads.upload(row("P1", "S1"))
    upload = uploads.upload(row("P1", "S1", price=11))
    uploads.query("update products set brand = 'By hand', price = 12")
    assert uploads.undo(upload) == Undone(1, 0)
    assert uploads.query("select price, brand from products") == [(10, "By hand")]
    ((before,),) = uploads.query("select before::text from product_changes where kind = 'undo'")
    assert before == '{"price": 12.00}'


def test_an_undo_is_refused_when_a_sku_or_a_category_cannot_come_back(uploads: Uploads) -> None:
    uploads.upload(row("P1", "S1"), row("P2", "S2", category="Books"), row("P3", "S3"))
    upload = uploads.upload(row("P1", "S9"), row("P2", "S2"), row("P3", "S3", price=11))
    uploads.upload(row("X1", "S1"), vendor="VEND002")
    uploads.query("update product_categories set is_active = false where category_name = 'Books'")
    uploads.query("delete from products where vendor_product_id = 'P3'")
    with pytest.raises(PermanentError) as refused:
        uploads.undo(upload)
    assert refused.value.found == (
        '3 products cannot go back: P1 had the SKU "S1", which another product has now;'
        ' P2 had the category "Books", which is not active now; P3 is not in the catalogue any more'
    )


def test_an_undo_that_the_database_refuses_changes_nothing(uploads: Uploads) -> None:
    """Restored alone, a price may pass the price to compare with that somebody set meanwhile."""
    uploads.upload(row("P1", "S1"))
    upload = uploads.upload(row("P1", "S1", price=5))
    uploads.query("update products set compare_at_price = 7")
    with pytest.raises(PermanentError, match="valid_price_comparison of products"):
        uploads.undo(upload)
    assert uploads.query("select price, compare_at_price from products") == [(5, 7)]


def test_a_product_outlives_the_record_of_the_upload_before(uploads: Uploads) -> None:
    first = uploads.upload(row("P1", "S1"))
    second = uploads.upload(row("P1", "S1", price=11))
    uploads.query("delete from product_changes where upload_id = %s", [first])
    uploads.query("delete from upload_history where upload_id = %s", [first])
    assert uploads.undo(second) == Undone(1, 0)
    assert uploads.query("select price, upload_id from products") == [(10, None)]


# -- any sequence -------------------------------------------------------------------------------------------

names = st.integers(0, 5)
rows = st.lists(
    st.builds(
        lambda product, sku, price, stock, brand, category: row(
            f"P{product}",
            f"S{sku}",
            price=Decimal(price) / 2,
            stock_quantity=stock,
            brand=brand,
            category=category,
        ),
        names,
        names,
        st.integers(-1, 3),
        st.integers(0, 1),
        st.sampled_from([None, "B"]),
        st.sampled_from(["Books", "Kitchen", "Nowhere"]),
    ),
    max_size=7,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sequence=st.lists(st.tuples(st.sampled_from(["VEND001", "VEND002"]), rows, st.integers(0, 2)), max_size=5)
)
def test_uploads_undone_in_reverse_leave_the_start(
    uploads: Uploads, sequence: list[tuple[str, list[Row], int]]
) -> None:
    """Whatever is uploaded: each row ends in one verdict, repeating writes nothing, undoing leads back step by step."""
    done = []
    for vendor, given_rows, rejected in sequence:
        before = uploads.catalogue()
        upload = uploads.staged(*given_rows, vendor=vendor, rejected=rejected)
        applied = uploads.apply(upload, vendor, hold=None)
        verdicts = Counter(verdict for verdict, _ in uploads.verdicts(upload))
        assert applied.rows == len(given_rows) + rejected
        assert [applied.accepted, applied.updated, applied.unchanged, applied.rejected] == [
            verdicts[verdict] for verdict in ("accepted", "updated", "unchanged", "rejected")
        ]
        assert uploads.complete(upload, vendor).error_records == applied.rejected
        # What was taken is unchanged the second time; what was refused may be taken then, as a SKU has become free.
        versions = dict(uploads.query("select product_id, xmin::text from products"))
        taken = [
            number for number, (verdict, _) in enumerate(uploads.verdicts(upload)) if verdict != "rejected"
        ]
        again = uploads.staged(*(given_rows[number] for number in taken), vendor=vendor)
        assert uploads.apply(again, vendor, hold=None) == Applied(0, 0, len(taken), 0)
        assert dict(uploads.query("select product_id, xmin::text from products")) == versions
        done.append((upload, before))
    for upload, before in reversed(done):
        uploads.undo(upload)
        assert uploads.catalogue() == before
