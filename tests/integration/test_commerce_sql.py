"""The tables, views and triggers of vendor uploads on a real server: what the seed prints, and what was repaired."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2
import psycopg2.errors
import pytest

from resources.database import connect
from resources.ddl import tables
from resources.sql import Session

if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

    from resources.settings import DatabaseSettings
    from sandbox.postgres import PostgresServer

TESTS = Path(__file__).resolve().parent.parent
PRINTED_TABLES = TESTS / "seed_004_tables.sql"
PRINTED_INDEXES = TESTS / "seed_004_indexes.sql"
TABLES = ("vendors", "products", "upload_history", "product_categories", "validation_errors")

COLUMNS = """
select column_name, data_type, character_maximum_length, numeric_precision, numeric_scale,
    replace(column_default, 'commerce.', '')
from information_schema.columns where table_schema = %s and table_name = %s
order by ordinal_position
"""


@pytest.fixture
def db(warehouse_as: Callable[[str], DatabaseSettings]) -> Iterator[Connection]:
    """A connection of the commerce location's own login."""
    connection = connect(warehouse_as("commerce_etl"), application_name="test")
    yield connection
    connection.close()


@pytest.fixture
def owner(warehouse: DatabaseSettings) -> Iterator[Connection]:
    connection = connect(warehouse, application_name="test")
    yield connection
    connection.close()


def query(db: Connection, text: str, parameters: Any = None) -> list[tuple[Any, ...]]:
    with db.cursor() as cursor:
        cursor.execute(text, parameters)
        return cursor.fetchall() if cursor.description else []


def refused(db: Connection, text: str, parameters: Any = None) -> str | None:
    """The constraint that refuses a statement; what went before it in the transaction stays."""
    query(db, "savepoint refused")
    try:
        query(db, text, parameters)
    except psycopg2.IntegrityError as error:
        query(db, "rollback to savepoint refused")
        return error.diag.constraint_name or str(error.diag.column_name)
    return None


def product(db: Connection, **overrides: Any) -> str | None:
    """Insert one product; the constraint that refuses it, if one does."""
    row = {
        "vendor_id": "VEND001",
        "vendor_product_id": "P1",
        "product_name": "Keyboard",
        "category": "Electronics",
        "sku": "SKU-1",
        "price": 10,
        "stock_quantity": 5,
        **overrides,
    }
    return refused(
        db,
        f"insert into products ({', '.join(row)}) values ({', '.join(['%s'] * len(row))})",
        list(row.values()),
    )


def upload(db: Connection, upload_id: str, vendor: str = "VEND001", **counts: int) -> None:
    row = {
        "upload_id": upload_id,
        "vendor_id": vendor,
        "file_name": "f.csv",
        "s3_key": "incoming/f.csv",
        **counts,
    }
    names = ", ".join(row)
    query(
        db,
        f"insert into upload_history ({names}) values ({', '.join(['%s'] * len(row))})",
        list(row.values()),
    )


# -- what the seed prints -----------------------------------------------------------------------------------


def test_the_printed_tables_run_as_printed_and_are_ours(
    postgres: PostgresServer, warehouse: DatabaseSettings
) -> None:
    """Every printed column is there with its type and default; only the keys are wider, as upserts use numbers up."""
    postgres.create_database("seed_004")
    try:
        with postgres.session("seed_004") as printed, postgres.session(warehouse.name) as ours:
            query(printed, PRINTED_TABLES.read_text())
            for table in TABLES:
                wanted = {row[0]: row[1:] for row in query(printed, COLUMNS, ["public", table])}
                found = {row[0]: row[1:] for row in query(ours, COLUMNS, ["commerce", table])}
                for name, (kind, *rest) in wanted.items():
                    found_kind, *found_rest = found[name]
                    if name in ("product_id", "error_id"):
                        assert (kind, found_kind) == ("integer", "bigint")
                    elif (table, name) == ("products", "stock_quantity"):
                        assert found_rest[-1] == "0"
                    else:
                        assert (name, found_kind, found_rest) == (name, kind, rest)
                assert list(found) == [name for name, _, _ in tables("commerce")[table]]
    finally:
        postgres.drop_database("seed_004")


def test_the_printed_indexes_are_ours(owner: Connection) -> None:
    statements = [text.strip() for text in PRINTED_INDEXES.read_text().split(";") if text.strip()]
    assert len(statements) == 6
    for statement in statements:
        name = re.findall(r"CREATE INDEX (\w+)", statement)[0]
        shape = "select pg_get_indexdef(to_regclass(%s))"
        before = query(owner, shape, [name])
        query(owner, f"drop index {name}")
        query(owner, statement)
        assert query(owner, shape, [name]) == before != [(None,)]


def test_the_tables_of_the_system_are_there_with_their_rows(db: Connection) -> None:
    """The verification queries of the seed, as printed."""
    vendors = query(db, "SELECT vendor_id, vendor_name, email FROM vendors;")
    assert [row[:2] for row in sorted(vendors)] == [
        ("VEND001", "TechGear"),
        ("VEND002", "StyleWear"),
        ("VEND003", "HomeEssentials"),
    ]
    counts = query(
        db,
        """
-- Check table counts
SELECT 
    'vendors' as table_name, COUNT(*) as rows FROM vendors
UNION ALL
SELECT 'products', COUNT(*) FROM products
UNION ALL
SELECT 'upload_history', COUNT(*) FROM upload_history
UNION ALL
SELECT 'product_categories', COUNT(*) FROM product_categories;
""",  # noqa: W291
    )
    assert counts == [("vendors", 3), ("products", 0), ("upload_history", 0), ("product_categories", 20)]


def test_the_first_test_of_the_seed_registers_a_vendor(db: Connection) -> None:
    query(
        db,
        """
-- Insert a test vendor
INSERT INTO vendors (vendor_id, vendor_name, email, phone, business_name, city, state)
VALUES ('VEND999', 'Test Vendor', 'test@example.com', '+1-555-9999', 'Test Corp', 'Boston', 'MA');
""",
    )
    assert len(query(db, "SELECT * FROM vendors WHERE vendor_id = 'VEND999';")) == 1
    ((*row, created),) = query(db, "SELECT * FROM vendor_summary WHERE vendor_id = 'VEND999';")
    assert row == ["VEND999", "Test Vendor", "test@example.com", "active", 0, 0, 0, None, 0]
    assert created is not None


def test_the_second_test_of_the_seed_stores_a_product(db: Connection) -> None:
    query(
        db,
        """
-- Insert a test product
INSERT INTO products (
    vendor_id, vendor_product_id, product_name, category, 
    sku, brand, price, stock_quantity
)
VALUES (
    'VEND001', 'TEST001', 'Test Product', 'Electronics',
    'TEST-SKU-001', 'TestBrand', 99.99, 50
);
""",  # noqa: W291
    )
    assert len(query(db, "SELECT * FROM products WHERE sku = 'TEST-SKU-001';")) == 1
    ((_, vendor, name, *_rest),) = query(db, "SELECT * FROM product_catalog WHERE vendor_id = 'VEND001';")
    assert (vendor, name) == ("VEND001", "TechGear")


def test_the_printed_reset_finds_the_tables(owner: Connection) -> None:
    query(
        owner,
        """
DROP TABLE IF EXISTS products CASCADE;
DROP TABLE IF EXISTS upload_history CASCADE;
DROP TABLE IF EXISTS vendors CASCADE;
""",
    )
    assert query(owner, "select to_regclass('commerce.vendors')") == [(None,)]


def test_no_other_schema_hides_what_the_seed_names(owner: Connection) -> None:
    """The schema fullbay comes first in the search path: a table of the same name there would be found instead."""
    names = [*TABLES, "vendor_summary", "recent_uploads", "product_catalog"]
    found = query(
        owner,
        "select n.nspname || '.' || c.relname from unnest(%s) as name"
        " join pg_class as c on c.oid = to_regclass(name) join pg_namespace as n on n.oid = c.relnamespace",
        [names],
    )
    assert sorted(row[0] for row in found) == sorted(f"commerce.{name}" for name in names)
    functions = query(
        owner,
        "select distinct p.pronamespace::regnamespace::text from pg_trigger as t"
        " join pg_class as c on c.oid = t.tgrelid join pg_proc as p on p.oid = t.tgfoid"
        " where c.relnamespace = 'commerce'::regnamespace and not t.tgisinternal",
    )
    assert functions == [("commerce",)]


# -- triggers -----------------------------------------------------------------------------------------------


def test_the_published_triggers_are_there(db: Connection) -> None:
    found = query(
        db,
        "select tgname from pg_trigger as t join pg_class as c on c.oid = t.tgrelid"
        " where c.relnamespace = 'commerce'::regnamespace and not tgisinternal",
    )
    assert {
        "update_vendors_updated_at",
        "update_products_updated_at",
        "update_upload_duration",
        "update_product_status_on_stock_change",
    } <= {row[0] for row in found}


@pytest.mark.parametrize("table", ["vendors", "products"])
def test_a_change_moves_updated_at(db: Connection, table: str) -> None:
    """Two transactions: the time is that of the transaction's beginning."""
    assert product(db) is None
    db.commit()
    query(db, f"update {table} set created_at = created_at where vendor_id = 'VEND001'")
    db.commit()
    assert query(db, f"select updated_at > created_at from {table} where vendor_id = 'VEND001'") == [(True,)]


def test_the_duration_is_in_whole_seconds_once_both_ends_are_known(db: Connection) -> None:
    upload(db, "U1")
    query(db, "update upload_history set processing_started_at = '2026-01-01 10:00:00'")
    assert query(db, "select processing_duration_seconds from upload_history") == [(None,)]
    query(db, "update upload_history set processing_completed_at = '2026-01-01 10:01:05.9'")
    assert query(db, "select processing_duration_seconds from upload_history") == [(65,)]


@pytest.mark.parametrize(
    ("status", "stock", "becomes"),
    [
        ("active", 0, "out_of_stock"),
        ("out_of_stock", 3, "active"),
        ("discontinued", 0, "discontinued"),
        ("inactive", 3, "inactive"),
    ],
)
def test_the_status_follows_the_stock(db: Connection, status: str, stock: int, becomes: str) -> None:
    assert product(db, status=status, stock_quantity=stock) is None
    assert query(db, "select status from products") == [(becomes,)]
    listed = query(db, "select count(*) from product_catalog")
    assert listed == [(int(becomes == "active"),)]


def test_stock_that_comes_back_brings_the_product_back(db: Connection) -> None:
    assert product(db, stock_quantity=0) is None
    assert query(db, "select count(*) from product_catalog") == [(0,)]
    query(db, "update products set stock_quantity = 1")
    assert query(db, "select count(*) from product_catalog") == [(1,)]


# -- what was repaired --------------------------------------------------------------------------------------


def test_an_upload_ends_with_its_three_counts_at_once(db: Connection) -> None:
    """P1: writing the total first broke valid_record_counts, so every upload of the published parser failed there."""
    session = Session(lambda _: db)
    given: dict[str, Any] = {
        "upload_id": "U1",
        "vendor_id": "VEND001",
        "file_name": "VEND001_20260101_100000.csv",
        "s3_key": "incoming/VEND001_20260101_100000.csv",
        "expected_records": 5,
    }

    def run(name: str, **values: Any) -> list[tuple[Any, ...]]:
        return session.run(f"commerce/transforms/{name}", given | values, table="upload_history")

    assert run("open_upload") == [("U1",)]
    assert run("open_upload", file_name="other.csv") == []
    assert query(db, "select total_records, metadata from upload_history") == [(0, {"expected_records": 5})]
    for statement in ("set total_records = 5", "set valid_records = valid_records + 1"):
        assert refused(db, f"update upload_history {statement}") == "valid_record_counts"
    key = "errors/VEND001/U1_errors.csv"
    assert run("complete_upload", valid_records=3, error_records=1, error_file_s3_key=key) == []
    done = {"valid_records": 3, "error_records": 2, "error_file_s3_key": key}
    assert run("complete_upload", **done) == [("U1", "partial")]
    assert run("complete_upload", **done) == []
    assert query(
        db,
        "select status, total_records, success_rate_percent, processing_duration_seconds from recent_uploads",
    ) == [("partial", 5, 60, 0)]


@pytest.mark.parametrize(
    ("valid", "errors", "status"),
    [(5, 0, "completed"), (0, 5, "failed"), (0, 0, "failed"), (4, 1, "partial")],
)
def test_the_status_of_an_upload_says_what_became_of_its_rows(
    db: Connection, valid: int, errors: int, status: str
) -> None:
    session = Session(lambda _: db)
    opened = {"upload_id": "U1", "vendor_id": "VEND001", "file_name": "f", "s3_key": "f"}
    session.run(
        "commerce/transforms/open_upload",
        opened | {"expected_records": valid + errors},
        table="upload_history",
    )
    done = {"upload_id": "U1", "valid_records": valid, "error_records": errors, "error_file_s3_key": None}
    assert session.run("commerce/transforms/complete_upload", done, table="upload_history") == [
        ("U1", status)
    ]


def test_an_error_file_needs_errors(db: Connection) -> None:
    upload(db, "U1")
    assert refused(db, "update upload_history set error_file_s3_key = 'x'") == "valid_error_file"


def test_the_summary_counts_each_upload_once(db: Connection) -> None:
    """P2: joined with two products, 4 errors were shown as 8."""
    for number in (1, 2):
        assert (
            product(db, vendor_product_id=f"P{number}", sku=f"S{number}", stock_quantity=number - 1) is None
        )
    upload(db, "U1", total_records=3, valid_records=2, error_records=1)
    upload(db, "U2", total_records=4, valid_records=1, error_records=3)
    assert query(
        db,
        "select total_products, active_products, total_uploads, total_errors, last_upload_date is not null"
        " from vendor_summary where vendor_id = 'VEND001'",
    ) == [(2, 1, 2, 4, True)]
    assert query(db, "select count(*) from vendor_summary") == [(3,)]


def test_an_upload_without_rows_has_no_rate_and_the_newest_comes_first(db: Connection) -> None:
    upload(db, "U1")
    db.commit()
    upload(db, "U2", total_records=3, valid_records=2, error_records=1)
    found = query(db, "select upload_id, vendor_name, success_rate_percent from recent_uploads")
    assert [(name, vendor, rate if rate is None else float(rate)) for name, vendor, rate in found] == [
        ("U2", "TechGear", 66.67),
        ("U1", "TechGear", None),
    ]


def test_a_category_that_is_not_on_the_list_is_refused(db: Connection) -> None:
    """P3: every text was stored as a category."""
    assert product(db, category="Elektronics") == "fk_category"
    assert refused(db, "delete from product_categories where category_name = 'Books'") is None
    assert product(db, category="Books") == "fk_category"


def test_a_deactivated_category_takes_no_new_product_and_keeps_its_old_ones(db: Connection) -> None:
    assert product(db, category="Books") is None
    assert product(db, vendor_product_id="P2", sku="S2") is None
    query(db, "update product_categories set is_active = false where category_name = 'Books'")
    query(db, "update products set price = 11, category = 'Books' where category = 'Books'")
    upsert = (
        "insert into products (vendor_id, vendor_product_id, product_name, category, sku, price, stock_quantity)"
        " values ('VEND001', 'P1', 'Keyboard', 'Books', 'SKU-1', 12, 0) on conflict (vendor_id, vendor_product_id)"
        " do update set price = excluded.price, stock_quantity = excluded.stock_quantity,"
        " category = excluded.category"
    )
    query(db, upsert)
    assert query(db, "select price, status from products where category = 'Books'") == [(12, "out_of_stock")]
    assert product(db, vendor_product_id="P3", sku="S3", category="Books") == "category_is_active"
    assert refused(db, "update products set category = 'Books'") == "category_is_active"


@pytest.mark.parametrize("active", [True, False])
def test_a_renamed_category_takes_its_products_along_and_one_in_use_stays(
    db: Connection, active: bool
) -> None:
    assert product(db, category="Books") is None
    query(db, "update product_categories set is_active = %s where category_name = 'Books'", [active])
    assert refused(db, "delete from product_categories where category_name = 'Books'") == "fk_category"
    query(db, "update product_categories set category_name = 'Printed Books' where category_name = 'Books'")
    assert query(db, "select category from products") == [("Printed Books",)]


def test_a_product_names_an_upload_that_there_is_and_outlives_it(db: Connection) -> None:
    """P4: upload ids of products led nowhere."""
    assert product(db, upload_id="U1") == "fk_upload"
    upload(db, "U1")
    assert product(db, upload_id="U1") is None
    query(db, "delete from upload_history")
    assert query(db, "select upload_id from products") == [(None,)]


def test_nothing_goes_along_with_what_is_deleted(db: Connection) -> None:
    """P5: with a vendor his history and his errors vanished, unless he had products."""
    upload(db, "U2", vendor="VEND002")
    assert refused(db, "delete from vendors where vendor_id = 'VEND002'") == "upload_history_vendor"
    query(
        db,
        "insert into validation_errors (upload_id, vendor_id, row_number, error_type, error_message)"
        " values ('U2', 'VEND003', 1, 'INVALID_PRICE', 'no')",
    )
    assert refused(db, "delete from vendors where vendor_id = 'VEND003'") == "validation_errors_vendor"
    assert refused(db, "delete from upload_history where upload_id = 'U2'") == "validation_errors_upload"
    assert product(db) is None
    assert refused(db, "delete from vendors where vendor_id = 'VEND001'") == "fk_vendor"
    query(db, "update vendors set vendor_id = 'VEND004' where vendor_id = 'VEND003'")
    assert query(db, "select vendor_id from validation_errors") == [("VEND004",)]


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ({"price": "NaN"}, "products_price_check"),
        ({"price": 0}, "products_price_check"),
        ({"price": -1}, "products_price_check"),
        ({"compare_at_price": "NaN"}, "products_compare_at_price_check"),
        ({"compare_at_price": 9}, "valid_price_comparison"),
        ({"weight_kg": 0}, "products_weight_kg_check"),
        ({"weight_kg": "NaN"}, "products_weight_kg_check"),
        ({"stock_quantity": -1}, "products_stock_quantity_check"),
        ({"status": "sold"}, "products_status_known"),
        ({"vendor_id": "NOBODY"}, "fk_vendor"),
    ],
)
def test_what_is_no_product_is_refused(db: Connection, values: dict[str, Any], constraint: str) -> None:
    """NaN is more than 0 for Postgres: a product with the price NaN was stored."""
    assert product(db, **values) == constraint


def test_skus_are_unique_over_all_vendors_and_product_ids_for_each(db: Connection) -> None:
    assert product(db) is None
    assert product(db, vendor_id="VEND002") == "products_sku_key"
    assert product(db, sku="SKU-2") == "unique_vendor_product"
    assert product(db, sku="SKU-2", vendor_id="VEND002") is None


@pytest.mark.parametrize(
    ("email", "taken"),
    [
        ("a@b.co", True),
        ("first.last+x%y_z-1@sub.example-one.museum", True),
        ("a@b.||", False),
        ("a@b.c|m", False),
        ("a@b.c", False),
        ("a b@c.de", False),
        ("a@b.de\n", False),
        ("@b.de", False),
        ("", False),
    ],
)
def test_an_address_that_is_none_is_refused(db: Connection, email: str, taken: bool) -> None:
    found = refused(db, "insert into vendors (vendor_id, vendor_name, email) values ('V', 'v', %s)", [email])
    assert found == (None if taken else "vendors_email_format")


def test_a_vendors_status_is_a_known_one(db: Connection) -> None:
    assert refused(db, "update vendors set status = 'gone'") == "vendors_status_known"


def test_catalogue_search_uses_its_index(db: Connection) -> None:
    query(db, "set local enable_seqscan = off")
    plan = query(
        db,
        "explain select 1 from products where to_tsvector('english', product_name || ' ' ||"
        " COALESCE(description, '')) @@ plainto_tsquery('english', 'keyboards')",
    )
    assert any("idx_products_search" in line for (line,) in plan)


# -- rights -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statement", "allowed"),
    [
        ("select * from product_catalog", True),
        ("select * from vendor_summary", True),
        ("select * from recent_uploads", True),
        ("select * from product_categories", True),
        ("select * from vendors", False),
        ("select * from products", False),
        ("select * from upload_history", False),
        ("select * from validation_errors", False),
        ("delete from product_categories", False),
    ],
)
def test_analysts_read_the_views_but_no_tax_numbers_and_no_rejected_rows(
    warehouse_as: Callable[[str], DatabaseSettings], statement: str, allowed: bool
) -> None:
    connection = connect(warehouse_as("analyst_login"), application_name="test")
    try:
        query(connection, statement)
        assert allowed
    except psycopg2.errors.InsufficientPrivilege:
        assert not allowed
    finally:
        connection.close()
