"""Ids of uploads and rows, sizes of items, and that an existing table's differences are all told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from commerce_assets.dynamo import (
    MAX_ROW_NUMBER,
    MAX_UPLOAD_ID,
    differences,
    from_item,
    new_record,
    new_upload_id,
    record_id,
    table_definition,
    to_item,
)
from resources.failures import PermanentError

NOW = datetime(2026, 11, 21, 12, 0, 5, tzinfo=UTC)


def test_an_upload_id_holds_time_vendor_and_a_random_part() -> None:
    assert (
        new_upload_id("VEND001", NOW, lambda size: "ab" * size)
        == "UPLOAD_20261121_120005_VEND001_abababababab"
    )
    east = NOW.astimezone(timezone(timedelta(hours=3)))
    assert new_upload_id("VEND001", east).startswith("UPLOAD_20261121_120005_")


def test_two_uploads_in_one_second_have_two_ids() -> None:
    """Vendors of the same second shared an id, and the second one's history was silently skipped."""
    ids = {new_upload_id(f"VEND{n % 2}", NOW) for n in range(1000)}
    assert len(ids) == 1000


@given(st.text(min_size=1, max_size=200))
def test_an_upload_id_fits_its_column_and_an_s3_key_whatever_the_vendor(vendor_id: str) -> None:
    found = new_upload_id(vendor_id, NOW)
    assert len(found) <= MAX_UPLOAD_ID
    assert found.isascii()
    assert set(found) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")


@given(st.integers(1, MAX_ROW_NUMBER), st.integers(1, MAX_ROW_NUMBER))
def test_record_ids_sort_as_the_rows_do(one: int, other: int) -> None:
    assert (record_id(one) < record_id(other)) == (one < other)


def test_the_first_record_id() -> None:
    assert record_id(1) == "REC_000001"


@pytest.mark.parametrize("number", [0, -1, MAX_ROW_NUMBER + 1])
def test_a_row_number_that_would_not_sort_is_refused(number: int) -> None:
    with pytest.raises(PermanentError, match="split the file"):
        record_id(number)


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.text()
    | st.integers(-(10**37), 10**37)
    | st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**12), max_value=10**12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), VALUES, max_size=5))
def test_an_item_is_what_the_client_library_makes_of_the_same_values(data: dict[str, Any]) -> None:
    """Ours is made for rows of texts; it must not differ."""
    record = new_record("UPLOAD", "VEND001", 7, data, NOW)
    item, size = to_item(record)
    serializer, deserializer = TypeSerializer(), TypeDeserializer()
    assert deserializer.deserialize(item["product_data"]) == serializer_round(serializer, deserializer, data)
    assert from_item(item) == record
    assert size >= sum(len(name.encode()) for name in data)


def serializer_round(serializer: Any, deserializer: Any, data: dict[str, Any]) -> Any:
    return deserializer.deserialize(serializer.serialize(data))


def test_sizes_are_those_of_utf_8() -> None:
    plain = to_item(new_record("U", "V", 1, {"a": "x" * 100}, NOW))[1]
    wide = to_item(new_record("U", "V", 1, {"a": "é" * 100}, NOW))[1]
    assert wide == plain + 100


def test_numbers_are_exact() -> None:
    item, _ = to_item(new_record("U", "V", 1, {"price": Decimal("29.990")}, NOW))
    assert item["product_data"] == {"M": {"price": {"N": "29.990"}}}


def described(**changes: Any) -> dict[str, Any]:
    return {**table_definition(), **changes}


def test_the_definition_does_not_differ_from_itself_and_billing_may() -> None:
    assert differences(described(BillingMode="PROVISIONED"), table_definition()) == []
    both = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    assert differences(described(StreamSpecification=both), table_definition()) == []


def test_every_difference_is_told() -> None:
    wrong_index = {
        "IndexName": "VendorIndex",
        "KeySchema": [{"AttributeName": "vendor_id", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }
    narrow_index = {
        **table_definition()["GlobalSecondaryIndexes"][1],
        "Projection": {"ProjectionType": "KEYS_ONLY"},
    }
    found = described(
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "status", "AttributeType": "N"}],
        GlobalSecondaryIndexes=[wrong_index, narrow_index],
        StreamSpecification=None,
    )
    assert differences(found, table_definition()) == [
        "key is id HASH instead of upload_id HASH, record_id RANGE",
        "status is N instead of S",
        "index VendorIndex is vendor_id HASH instead of vendor_id HASH, upload_id RANGE",
        "index StatusIndex projects KEYS_ONLY instead of ALL",
        "stream is off instead of NEW_IMAGE",
    ]
