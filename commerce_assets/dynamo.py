"""The DynamoDB table UploadRecords: one item per row of an upload, from its arrival to its verdict.

Belongs here: the table's definition, ids, what an item is in DynamoDB's own types, writing, deciding, reading, the
stream. Does not belong here: rules, Postgres, Dagster.

What makes a repeated or late event change nothing:
- Rows are put in batches, which DynamoDB cannot make conditional. So what is there already is looked up first and not
  put again, and after a failure that leaves open what arrived it is looked up anew. One upload has one writer at a
  time.
- A verdict is written on the condition that the item is pending, so an item is decided once.
- Of the stream only INSERT images that are pending count; a verdict is a MODIFY.
"""

from __future__ import annotations

import logging
import re
import secrets
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from typing import Any, TypeVar

import msgspec

from resources.aws import TRANSIENT_CODES, AwsRefusal, ask
from resources.failures import PermanentError, TransientError, permanent, retrying, transient

logger = logging.getLogger(__name__)

T = TypeVar("T")
R = TypeVar("R")

Value = str | int | Decimal | bool | None | Sequence["Value"] | Mapping[str, "Value"]
Item = dict[str, Any]
"""An item in DynamoDB's own notation: {"status": {"S": "error"}}."""

TABLE_NAME = "UploadRecords"
VENDOR_INDEX, STATUS_INDEX = "VendorIndex", "StatusIndex"
PENDING, VALIDATED, ERROR = "pending_validation", "validated", "error"

BATCH_ITEMS = 25  # of BatchWriteItem
TRANSACTION_ITEMS = 100  # of TransactWriteItems
MAX_ITEM_BYTES = 400_000  # "400 KB"; the servers allow a little more, none less
# Kept free for the verdict, so that every item that could be stored can also be decided.
VERDICT_BYTES = 8_000
_LONGEST_REASON = 1_000
_LONGEST_DETAILS = 3_500
MAX_ROW_NUMBER = 999_999
MAX_UPLOAD_ID = 100
_MOST_DIGITS = 38

_ACTIVE_WITHIN_SECONDS = 300.0
_CREATE = "python -m commerce_assets.upload_records create"


# -- ids ----------------------------------------------------------------------------------------------------


def new_upload_id(vendor_id: str, now: datetime, random: Callable[[int], str] = secrets.token_hex) -> str:
    """`UPLOAD_<yyyymmdd_hhmmss>_<vendor>_<random>`, in UTC, at most 100 characters.

    Vendor and random part are there because two uploads in one second must not share an id. The id becomes part of S3
    keys, so other characters of a vendor id than letters, digits, hyphen and underscore become hyphens.
    """
    stamp = now.astimezone(UTC).strftime("%Y%m%d_%H%M%S")
    end = random(6)
    vendor = re.sub(r"[^A-Za-z0-9_-]", "-", vendor_id)
    room = MAX_UPLOAD_ID - len(f"UPLOAD_{stamp}__{end}")
    return f"UPLOAD_{stamp}_{vendor[:room]}_{end}"


def record_id(row_number: int) -> str:
    """`REC_000001`: padded, because DynamoDB sorts it as text."""
    if not 1 <= row_number <= MAX_ROW_NUMBER:
        raise permanent(
            "naming a row of an upload",
            found=f"row number {row_number}",
            do_next=f"Row numbers go from 1 to {MAX_ROW_NUMBER}: split the file.",
        )
    return f"REC_{row_number:06d}"


# -- items --------------------------------------------------------------------------------------------------


class UploadRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One row of an upload. `product_data` holds every column of the file under its name, text as it came."""

    upload_id: str
    record_id: str
    vendor_id: str
    row_number: int
    product_data: Mapping[str, Value]
    created_at: str
    status: str = PENDING
    error_reason: str | None = None
    error_details: Value = None
    processed_at: str | None = None
    ttl: int | None = None


def new_record(
    upload_id: str,
    vendor_id: str,
    row_number: int,
    product_data: Mapping[str, Value],
    created_at: datetime,
    ttl: int | None = None,
) -> UploadRecord:
    """A row as it arrives, pending. `ttl`: when DynamoDB may delete it, in seconds since 1970, if ever."""
    return UploadRecord(
        upload_id=upload_id,
        record_id=record_id(row_number),
        vendor_id=vendor_id,
        row_number=row_number,
        product_data=product_data,
        created_at=_iso(created_at),
        ttl=ttl,
    )


class Unstorable(ValueError):
    """A value that no item can hold; the text says why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def to_item(record: UploadRecord) -> tuple[Item, int]:
    """The record in DynamoDB's notation, and its size in bytes as DynamoDB counts. Raises Unstorable."""
    data, size = _encoded(record.product_data)
    item: Item = {
        "upload_id": {"S": record.upload_id},
        "record_id": {"S": record.record_id},
        "vendor_id": {"S": record.vendor_id},
        "row_number": {"N": str(record.row_number)},
        "product_data": data,
        "status": {"S": record.status},
        "error_reason": {"NULL": True} if record.error_reason is None else {"S": record.error_reason},
        "created_at": {"S": record.created_at},
    }
    if record.ttl is not None:
        item["ttl"] = {"N": str(record.ttl)}
    names = sum(map(len, item))
    texts = sum(
        _bytes(text) for text in (record.upload_id, record.record_id, record.vendor_id, record.status)
    )
    return item, size + names + texts + _bytes(record.created_at) + _bytes(record.error_reason or "") + 32


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _encoded(value: Value) -> tuple[dict[str, Any], int]:
    # The order is that of how often each comes: nearly everything is text, and this runs for every cell.
    if isinstance(value, str):
        try:
            return {"S": value}, _bytes(value)
        except UnicodeEncodeError:
            raise Unstorable("INVALID_TEXT", "holds half of a UTF-16 character pair") from None
    if value is None:
        return {"NULL": True}, 1
    if isinstance(value, bool):
        return {"BOOL": value}, 1
    if isinstance(value, int | Decimal):
        return _number(value)
    if isinstance(value, Mapping):
        members, size = {}, 3
        for name, member in value.items():
            members[name], member_size = _encoded(member)
            size += member_size + _bytes(name) + 1
        return {"M": members}, size
    if isinstance(value, list | tuple):
        entries = [_encoded(entry) for entry in value]
        return {"L": [entry for entry, _ in entries]}, 3 + sum(size + 1 for _, size in entries)
    raise Unstorable("INVALID_VALUE", f"holds a {type(value).__name__}; numbers are exact, so int or Decimal")


def _number(value: int | Decimal) -> tuple[dict[str, Any], int]:
    exact = Decimal(value) if isinstance(value, int) else value
    # adjusted() first: str() of a number with a million digits would be the slow way to refuse it.
    if not exact.is_finite() or not -130 <= exact.adjusted() <= 125:
        raise Unstorable("INVALID_VALUE", "holds a number that is not finite or out of range")
    digits = len(exact.as_tuple().digits)
    if digits > _MOST_DIGITS and exact != 0:
        raise Unstorable("INVALID_VALUE", f"holds a number of {digits} digits; {_MOST_DIGITS} can be stored")
    return {"N": str(exact)}, digits // 2 + 2


def _decoded(value: Mapping[str, Any]) -> Any:
    ((kind, found),) = value.items()
    if kind == "S":
        return found
    if kind == "N":
        return Decimal(found)
    if kind == "NULL":
        return None
    if kind == "M":
        return {name: _decoded(member) for name, member in found.items()}
    if kind == "L":
        return [_decoded(entry) for entry in found]
    return found  # BOOL, B and the sets; none of ours but BOOL


def from_item(item: Item) -> UploadRecord:
    """The record of an item, without attributes that are not ours. Raises PermanentError when one of ours lacks."""
    values = {name: _decoded(value) for name, value in item.items()}
    try:
        return UploadRecord(
            upload_id=values["upload_id"],
            record_id=values["record_id"],
            vendor_id=values["vendor_id"],
            row_number=int(values["row_number"]),
            product_data=values["product_data"],
            created_at=values["created_at"],
            status=values["status"],
            error_reason=values.get("error_reason"),
            error_details=values.get("error_details"),
            processed_at=values.get("processed_at"),
            ttl=None if values.get("ttl") is None else int(values["ttl"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        name = error.args[0] if isinstance(error, KeyError) else "row_number or ttl"
        key = f"{values.get('upload_id')} / {values.get('record_id')}"
    raise permanent(
        f"reading the item {key}",
        found=f"no usable attribute {name}",
        do_next="It was written by something else: delete it or complete it.",
    )


def _iso(when: datetime) -> str:
    return when.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


# -- results ------------------------------------------------------------------------------------------------


class Refused(msgspec.Struct, frozen=True):
    """A record that no item can hold: it goes to validation_errors with this code and message."""

    record: UploadRecord
    code: str
    message: str


class Written(msgspec.Struct):
    """What became of the records given: written + unchanged + refused = given."""

    written: int = 0
    unchanged: int = 0
    refused: list[Refused] = msgspec.field(default_factory=list)


class Verdict(msgspec.Struct, frozen=True):
    """What validation says of a record. Stored are 1,000 characters of the reason, and details up to 3,500 bytes."""

    record_id: str
    status: str
    error_reason: str | None = None
    error_details: Value = None


class Decided(msgspec.Struct):
    """What became of the verdicts given: changed + unchanged (decided before) + missing = given."""

    changed: int = 0
    unchanged: list[str] = msgspec.field(default_factory=list)
    missing: list[str] = msgspec.field(default_factory=list)


Position = dict[str, str]
"""How far a stream was read: its ARN under "stream", and shard id -> last sequence number, with "/" behind it when the
shard is read to its end."""
_STREAM = "stream"


class StreamRead(msgspec.Struct):
    """Pending records, how far they reach, and whether the stream had lost some, so that they came from the table."""

    records: list[UploadRecord]
    position: Position
    lost: bool = False


class _Lost(Exception):
    """The stream no longer holds what comes after the position."""


# -- the table ----------------------------------------------------------------------------------------------


def table_definition(name: str = TABLE_NAME) -> dict[str, Any]:
    """The parameters of CreateTable."""

    def key(hash_key: str, range_key: str) -> list[dict[str, str]]:
        return [
            {"AttributeName": hash_key, "KeyType": "HASH"},
            {"AttributeName": range_key, "KeyType": "RANGE"},
        ]

    def index(index_name: str, hash_key: str, range_key: str) -> dict[str, Any]:
        return {
            "IndexName": index_name,
            "KeySchema": key(hash_key, range_key),
            "Projection": {"ProjectionType": "ALL"},
        }

    return {
        "TableName": name,
        "KeySchema": key("upload_id", "record_id"),
        "AttributeDefinitions": [
            {"AttributeName": attribute, "AttributeType": "S"}
            for attribute in ("upload_id", "record_id", "vendor_id", "status")
        ],
        "GlobalSecondaryIndexes": [
            index(VENDOR_INDEX, "vendor_id", "upload_id"),
            index(STATUS_INDEX, "upload_id", "status"),
        ],
        "BillingMode": "PAY_PER_REQUEST",
        "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    }


def differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """How an existing table differs from the definition in what this module relies on. Billing may differ."""

    def shape(part: Mapping[str, Any]) -> str:
        return ", ".join(f"{key['AttributeName']} {key['KeyType']}" for key in part["KeySchema"])

    def types(table: Mapping[str, Any]) -> dict[str, str]:
        return {one["AttributeName"]: one["AttributeType"] for one in table["AttributeDefinitions"]}

    told = []
    if shape(found) != shape(wanted):
        told.append(f"key is {shape(found)} instead of {shape(wanted)}")
    kinds = types(found)
    told += [
        f"{name} is {kinds[name]} instead of {kind}"
        for name, kind in types(wanted).items()
        if kinds.get(name, kind) != kind
    ]
    indexes = {one["IndexName"]: one for one in found.get("GlobalSecondaryIndexes") or ()}
    for index in wanted["GlobalSecondaryIndexes"]:
        name, present = index["IndexName"], indexes.get(index["IndexName"])
        if present is None:
            told.append(f"index {name} is missing")
        elif shape(present) != shape(index):
            told.append(f"index {name} is {shape(present)} instead of {shape(index)}")
        elif present["Projection"]["ProjectionType"] != "ALL":
            told.append(f"index {name} projects {present['Projection']['ProjectionType']} instead of ALL")
    stream = found.get("StreamSpecification") or {}
    view = stream.get("StreamViewType") if stream.get("StreamEnabled") else "off"
    if view not in ("NEW_IMAGE", "NEW_AND_OLD_IMAGES"):
        told.append(f"stream is {view} instead of NEW_IMAGE")
    return told


class UploadRecords:
    """The table, through a DynamoDB client and, for `read_stream`, a client of its streams.

    Every call is retried after 2, 4 and 8 s when waiting may help. `writers` is how many threads write at once.
    """

    def __init__(
        self,
        client: Any,
        streams: Any = None,
        *,
        name: str = TABLE_NAME,
        writers: int = 4,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.name = name
        self._client = client
        self._streams = streams
        self._writers = writers
        self._sleep = sleep

    # -- its life

    def create(self, tell: Callable[[str], None] = lambda line: None) -> dict[str, Any]:
        """Have the table, and return its description once it and its indexes are ACTIVE.

        An existing one is taken when it has the same keys, indexes and stream. Raises PermanentError naming every
        difference, TransientError when it is not ACTIVE within five minutes.
        """
        doing = f"creating the DynamoDB table {self.name}"
        definition = table_definition(self.name)
        found = self.describe()
        while found is not None and found["TableStatus"] == "DELETING":
            self._wait_until(lambda: self.describe() is None, f"waiting until {self.name} is deleted")
            found = self.describe()
        if found is None:
            try:
                found = self._ask(lambda: self._client.create_table(**definition), doing)["TableDescription"]
                tell(f"✓ Table creation initiated: {self.name}")
            except AwsRefusal as refusal:
                if refusal.code != "ResourceInUseException":  # made by somebody else in this moment
                    raise
        else:
            tell(f"Table {self.name} exists already.")
        tell("Waiting for table to become ACTIVE...")
        self._wait_until(self._is_active, f"waiting until {self.name} is ACTIVE")
        found = self.describe() or {}
        wrong = differences(found, definition)
        if wrong:
            raise permanent(
                doing,
                found=f"a table of this name whose {'; '.join(wrong)}",
                do_next=f"Delete it (python -m commerce_assets.upload_records delete) and run {_CREATE}.",
            )
        return found

    def describe(self) -> dict[str, Any] | None:
        """The table's description; None when there is none."""
        doing = f"describing the DynamoDB table {self.name}"
        try:
            answer = self._ask(lambda: self._client.describe_table(TableName=self.name), doing)
        except AwsRefusal as refusal:
            if refusal.code == "ResourceNotFoundException":
                return None
            raise
        description: dict[str, Any] = answer["Table"]
        return description

    def delete(self) -> bool:
        """Delete the table with everything in it and wait until it is gone; False when there was none."""
        doing = f"deleting the DynamoDB table {self.name}"
        try:
            self._ask(lambda: self._client.delete_table(TableName=self.name), doing)
        except AwsRefusal as refusal:
            if refusal.code == "ResourceNotFoundException":
                return False
            raise
        self._wait_until(lambda: self.describe() is None, f"waiting until {self.name} is deleted")
        return True

    def _is_active(self) -> bool:
        found = self.describe()
        if found is None:
            return False
        parts = [found["TableStatus"]]
        parts += [index.get("IndexStatus") for index in found.get("GlobalSecondaryIndexes") or ()]
        return all(part == "ACTIVE" for part in parts)

    def _wait_until(self, done: Callable[[], bool], doing: str) -> None:
        waited = 0.0
        while not done():
            if waited >= _ACTIVE_WITHIN_SECONDS:
                do_next = "Look at the table in the AWS console, then run again."
                raise transient(doing, found=f"not so after {waited:g} s", do_next=do_next)
            self._sleep(1.0)
            waited += 1.0

    # -- writing

    def write(self, upload_id: str, records: Iterable[UploadRecord]) -> Written:
        """Put the records of one upload, in batches of 25 by several threads. Those that are there already stay as is.

        Reads `records`, which come in the order of their ids, as it goes: at most a few batches are held. Raises
        PermanentError for a record out of order or of another upload, and what DynamoDB fails with; what was written
        until then stays and is skipped next time.
        """
        there = self._record_ids(upload_id)
        result = Written()

        def storable() -> Iterator[tuple[UploadRecord, Item]]:
            last = ""
            for record in records:
                if record.upload_id != upload_id or record.record_id <= last:
                    raise permanent(
                        f"writing the upload {upload_id} to {self.name}",
                        found=f"{record.record_id} of {record.upload_id} after {last or 'nothing'}",
                        do_next="Give the rows of one upload, each once, in their order.",
                    )
                last = record.record_id
                if record.record_id in there:
                    result.unchanged += 1
                    continue
                try:
                    item, size = to_item(record)
                except Unstorable as reason:
                    result.refused.append(Refused(record, reason.code, f"The row {reason}."))
                    continue
                if size > MAX_ITEM_BYTES - VERDICT_BYTES:
                    result.refused.append(_too_large(record, size))
                    continue
                yield record, item

        for written in self._in_parallel(self._put, _groups(storable(), BATCH_ITEMS)):
            result.written += written.written
            result.refused += written.refused
        result.refused.sort(key=lambda one: one.record.row_number)
        return result

    def put_new(self, record: UploadRecord) -> bool:
        """Put one record unless it is there; False when it is."""
        item, _ = to_item(record)
        try:
            self._ask(
                lambda: self._client.put_item(
                    TableName=self.name, Item=item, ConditionExpression="attribute_not_exists(record_id)"
                ),
                f"writing {record.record_id} of {record.upload_id} to {self.name}",
            )
        except AwsRefusal as refusal:
            if refusal.code == "ConditionalCheckFailedException":
                return False
            raise
        return True

    def _put(self, batch: list[tuple[UploadRecord, Item]]) -> Written:
        doing = f"writing {len(batch)} items to {self.name}"
        remaining = [{"PutRequest": {"Item": item}} for _, item in batch]
        arrived_is_open = False

        def attempt() -> None:
            nonlocal remaining, arrived_is_open
            if arrived_is_open:
                # Somebody may have decided the items that did arrive: putting them again would undo that.
                remaining = self._absent(remaining)
                arrived_is_open = False
            if not remaining:
                return
            try:
                answer = ask(
                    lambda: self._client.batch_write_item(RequestItems={self.name: remaining}), doing=doing
                )
            except TransientError:
                arrived_is_open = True
                raise
            remaining = (answer.get("UnprocessedItems") or {}).get(self.name, [])
            if remaining:
                raise transient(
                    doing,
                    found=f"{len(remaining)} of {len(batch)} items came back unprocessed",
                    do_next="The table is throttled: run again later, what is written is kept.",
                )

        try:
            retrying(attempt, doing=doing, sleep=self._sleep)
        except AwsRefusal as refusal:
            if refusal.code != "ValidationException" or "size" not in refusal.message.lower():
                raise
            # DynamoDB counts a few bytes differently than we do, and refuses the whole batch for one item.
            if len(batch) == 1:
                return Written(refused=[_too_large(batch[0][0], to_item(batch[0][0])[1])])
            middle = len(batch) // 2
            halves = [self._put(batch[:middle]), self._put(batch[middle:])]
            return Written(
                written=sum(half.written for half in halves),
                refused=[one for half in halves for one in half.refused],
            )
        return Written(written=len(batch))

    def _absent(self, puts: list[dict[str, Any]]) -> list[dict[str, Any]]:
        keys = [
            {name: put["PutRequest"]["Item"][name] for name in ("upload_id", "record_id")} for put in puts
        ]
        doing = f"looking which of {len(keys)} items are in {self.name}"
        asked = {"Keys": keys, "ProjectionExpression": "record_id", "ConsistentRead": True}
        answer = ask(lambda: self._client.batch_get_item(RequestItems={self.name: asked}), doing=doing)
        if answer.get("UnprocessedKeys"):
            raise transient(doing, found="keys came back unprocessed", do_next="Run again later.")
        there = {item["record_id"]["S"] for item in answer["Responses"].get(self.name, ())}
        return [put for put in puts if put["PutRequest"]["Item"]["record_id"]["S"] not in there]

    def _record_ids(self, upload_id: str) -> set[str]:
        pages = self._pages(
            f"looking what {self.name} has of the upload {upload_id}",
            KeyConditionExpression="upload_id = :upload",
            ExpressionAttributeValues={":upload": {"S": upload_id}},
            ProjectionExpression="record_id",
            ConsistentRead=True,
        )
        return {item["record_id"]["S"] for page in pages for item in page}

    # -- deciding

    def decide(self, upload_id: str, verdicts: Iterable[Verdict], processed_at: datetime) -> Decided:
        """Move pending records of one upload to validated or error, once: a later verdict changes nothing.

        100 records a call, in transactions: those are the only conditional writes that come in batches.
        """
        result = Decided()

        def decide(group: list[Verdict]) -> Decided:
            return self._decide(upload_id, group, _iso(processed_at))

        for decided in self._in_parallel(decide, _groups(verdicts, TRANSACTION_ITEMS)):
            result.changed += decided.changed
            result.unchanged += decided.unchanged
            result.missing += decided.missing
        result.unchanged.sort()
        result.missing.sort()
        return result

    def _decide(self, upload_id: str, group: list[Verdict], processed_at: str) -> Decided:
        doing = f"deciding {len(group)} records of the upload {upload_id}"
        result = Decided()
        waiting = {verdict.record_id: verdict for verdict in group}
        if len(waiting) < len(group):
            do_next = "Give one verdict for each record."
            raise permanent(doing, found="a record with two verdicts", do_next=do_next)
        while waiting:
            token = str(
                uuid.uuid4()
            )  # one for all attempts, so that a lost answer does not count as a refusal
            updates = [self._update(upload_id, verdict, processed_at) for verdict in waiting.values()]
            try:
                retrying(
                    lambda updates=updates, token=token: self._transact(updates, token, doing),  # type: ignore[misc]
                    doing=doing,
                    sleep=self._sleep,
                )
            except AwsRefusal as refusal:
                if refusal.code == "ValidationException" and len(waiting) > 1:
                    # A transaction of large items is over 4 MB: half of it may not be.
                    return _sum(result, *self._halves(upload_id, list(waiting.values()), processed_at))
                done = [
                    (name, reason.get("Item"))
                    for name, reason in zip(waiting, refusal.reasons, strict=False)
                    if reason.get("Code") == "ConditionalCheckFailed"
                ]
                if not done:
                    raise
                for name, old in done:
                    (result.unchanged if old else result.missing).append(name)
                    del waiting[name]
            else:
                result.changed += len(waiting)
                waiting = {}
        return result

    def _halves(self, upload_id: str, verdicts: list[Verdict], processed_at: str) -> list[Decided]:
        middle = len(verdicts) // 2
        return [
            self._decide(upload_id, half, processed_at) for half in (verdicts[:middle], verdicts[middle:])
        ]

    def _transact(self, updates: list[dict[str, Any]], token: str, doing: str) -> None:
        try:
            ask(
                lambda: self._client.transact_write_items(TransactItems=updates, ClientRequestToken=token),
                doing=doing,
            )
        except AwsRefusal as refusal:
            busy = sorted({str(reason.get("Code")) for reason in refusal.reasons} & TRANSIENT_CODES)
            if not busy:
                raise
            failure = transient(doing, found=", ".join(busy), do_next="Run again later.")
        else:
            return
        raise failure

    def _update(self, upload_id: str, verdict: Verdict, processed_at: str) -> dict[str, Any]:
        if verdict.status not in (VALIDATED, ERROR):
            raise permanent(
                f"deciding {verdict.record_id} of the upload {upload_id}",
                found=f"the status {verdict.status!r}",
                do_next=f"A verdict is {VALIDATED} or {ERROR}.",
            )
        values: Item = {
            ":pending": {"S": PENDING},
            ":status": {"S": verdict.status},
            ":at": {"S": processed_at},
        }
        changes = "#status = :status, processed_at = :at"
        if verdict.error_reason is not None:
            values[":reason"] = {
                "S": verdict.error_reason[:_LONGEST_REASON].encode(errors="replace").decode()
            }
            changes += ", error_reason = :reason"
        if verdict.error_details is not None:
            try:
                details, size = _encoded(verdict.error_details)
            except Unstorable:  # they may quote the row: what could not be stored there cannot be stored here
                size = _LONGEST_DETAILS + 1
            if size <= _LONGEST_DETAILS:
                values[":details"] = details
                changes += ", error_details = :details"
        return {
            "Update": {
                "TableName": self.name,
                "Key": {"upload_id": {"S": upload_id}, "record_id": {"S": verdict.record_id}},
                "UpdateExpression": f"SET {changes}",
                "ConditionExpression": "#status = :pending",
                "ExpressionAttributeNames": {"#status": "status"},
                "ExpressionAttributeValues": values,
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        }

    # -- reading

    def of_upload(self, upload_id: str) -> Iterator[UploadRecord]:
        """All records of an upload by their ids, as they are at the moment of reading."""
        return self._records(
            f"reading the upload {upload_id} from {self.name}",
            KeyConditionExpression="upload_id = :upload",
            ExpressionAttributeValues={":upload": {"S": upload_id}},
            ConsistentRead=True,
        )

    def with_status(self, upload_id: str, status: str) -> Iterator[UploadRecord]:
        """The records of an upload that have a status, through StatusIndex: in no order, a moment behind the table."""
        return self._records(
            f"reading the {status} records of the upload {upload_id} from {self.name}",
            IndexName=STATUS_INDEX,
            KeyConditionExpression="upload_id = :upload and #status = :status",
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues={":upload": {"S": upload_id}, ":status": {"S": status}},
        )

    def of_vendor(self, vendor_id: str, upload_id: str | None = None) -> Iterator[UploadRecord]:
        """The records of a vendor, or of one of his uploads, through VendorIndex; a moment behind the table."""
        values = {":vendor": {"S": vendor_id}}
        condition = "vendor_id = :vendor"
        if upload_id is not None:
            values[":upload"] = {"S": upload_id}
            condition += " and upload_id = :upload"
        return self._records(
            f"reading the records of the vendor {vendor_id} from {self.name}",
            IndexName=VENDOR_INDEX,
            KeyConditionExpression=condition,
            ExpressionAttributeValues=values,
        )

    def count_by_status(self, upload_id: str) -> dict[str, int]:
        """How many records of an upload have each status, counted in the table itself."""
        counts: dict[str, int] = {}
        pages = self._pages(
            f"counting the upload {upload_id} in {self.name}",
            KeyConditionExpression="upload_id = :upload",
            ExpressionAttributeNames={"#status": "status"},
            ExpressionAttributeValues={":upload": {"S": upload_id}},
            ProjectionExpression="#status",
            ConsistentRead=True,
        )
        for page in pages:
            for item in page:
                status = item["status"]["S"]
                counts[status] = counts.get(status, 0) + 1
        return counts

    def _records(self, doing: str, **query: Any) -> Iterator[UploadRecord]:
        for page in self._pages(doing, **query):
            yield from map(from_item, page)

    def _pages(self, doing: str, **query: Any) -> Iterator[list[Item]]:
        start: dict[str, Any] = {}
        while True:
            answer = self._ask(
                lambda start=start: self._client.query(TableName=self.name, **query, **start),  # type: ignore[misc]
                doing,
            )
            yield answer["Items"]
            if not answer.get("LastEvaluatedKey"):
                return
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    # -- the stream

    def read_stream(
        self, position: Position, open_uploads: Iterable[str], *, most: int = 1_000, empty_pages: int = 3
    ) -> StreamRead:
        """Records that were inserted as pending after `position` ({} = the oldest there is), about `most` of them.

        The image is that of the insert: the record may have been decided since, which `decide` finds out. When the
        stream has lost a part (it keeps 24 hours) or is another one, the pending records of `open_uploads` come from
        StatusIndex instead, all of them, and the position starts anew: a record may then come twice, none is missed.
        """
        try:
            return self._read_stream(position, most, empty_pages)
        except _Lost:
            records = [one for upload_id in open_uploads for one in self.with_status(upload_id, PENDING)]
            return StreamRead(records, {}, lost=True)

    def _read_stream(self, position: Position, most: int, empty_pages: int) -> StreamRead:
        arn = self._stream_arn()
        shards = self._shards(arn)
        known = {name: at for name, at in position.items() if name != _STREAM}
        unread = [name for name, at in known.items() if name not in shards and not at.endswith("/")]
        if unread or (known and not known.keys() & set(shards)) or position.get(_STREAM, arn) != arn:
            raise _Lost
        read = StreamRead([], {_STREAM: arn, **{name: at for name, at in known.items() if name in shards}})
        # No order is needed between shards: each image stands for itself, and a record is decided once.
        for shard in shards:
            at = read.position.get(shard, "")
            if at.endswith("/"):
                continue
            iterator: str | None = self._iterator(arn, shard, at)
            empty = 0
            # Empty pages come before the end, too; what is behind many of them is found at the next call.
            while iterator is not None and empty < empty_pages and len(read.records) < most:
                page = self._stream_page(iterator)
                if page is None:
                    iterator = self._iterator(arn, shard, at)  # expired: an iterator lives for 15 minutes
                    page = self._stream_page(iterator)
                    if page is None:
                        raise _Lost
                events = page["Records"]
                empty = 0 if events else empty + 1
                if events:
                    at = events[-1]["dynamodb"]["SequenceNumber"]
                    read.position[shard] = at
                read.records += [record for event in events for record in _inserted(event)]
                iterator = page.get("NextShardIterator")
            if iterator is None:
                read.position[shard] = f"{at}/"
        return read

    def _stream_arn(self) -> str:
        found = self.describe() or {}
        arn: str | None = found.get("LatestStreamArn")
        if not arn:
            raise permanent(
                f"reading the stream of {self.name}",
                found="no table of this name with a stream",
                do_next=f"Run {_CREATE}.",
            )
        return arn

    def _shards(self, arn: str) -> list[str]:
        doing = f"looking for the shards of the stream of {self.name}"
        shards: list[str] = []
        start: dict[str, str] = {}
        while True:
            found = self._ask(
                lambda start=start: self._streams.describe_stream(StreamArn=arn, **start),  # type: ignore[misc]
                doing,
            )["StreamDescription"]
            shards += [shard["ShardId"] for shard in found["Shards"]]
            if not found.get("LastEvaluatedShardId"):
                return shards
            start = {"ExclusiveStartShardId": found["LastEvaluatedShardId"]}

    def _iterator(self, arn: str, shard: str, at: str) -> str:
        where: dict[str, str] = {"ShardIteratorType": "TRIM_HORIZON"}
        if at:
            where = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": at}
        answer = self._stream_call(
            lambda: self._streams.get_shard_iterator(StreamArn=arn, ShardId=shard, **where)
        )
        if answer is None:
            raise _Lost
        iterator: str = answer["ShardIterator"]
        return iterator

    def _stream_page(self, iterator: str) -> dict[str, Any] | None:
        return self._stream_call(lambda: self._streams.get_records(ShardIterator=iterator, Limit=1000))

    def _stream_call(self, call: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
        """The answer; None when the iterator has expired. Raises _Lost when what was asked for is gone."""
        try:
            return self._ask(call, f"reading the stream of {self.name}")
        except AwsRefusal as refusal:
            if refusal.code == "ExpiredIteratorException":
                return None
            # ResourceNotFound: the shard went away, or the table was made anew, between two calls.
            if refusal.code not in ("TrimmedDataAccessException", "ResourceNotFoundException"):
                raise
        raise _Lost

    # -- calling

    def _ask(self, call: Callable[[], T], doing: str) -> T:
        return retrying(lambda: ask(call, doing=doing), doing=doing, sleep=self._sleep)

    def _in_parallel(self, work: Callable[[T], R], groups: Iterable[T]) -> Iterator[R]:
        """What `work` gives for each group, in any order; twice as many groups as threads are held at most."""
        stopped = threading.Event()

        def unless_stopped(group: T) -> R:
            if stopped.is_set():
                raise TimeoutError("another thread failed")  # nobody looks at it any more
            return work(group)

        with ThreadPoolExecutor(self._writers, thread_name_prefix=self.name) as pool:
            running: set[Future[R]] = set()
            try:
                for group in groups:
                    if len(running) >= 2 * self._writers:
                        done, running = wait(running, return_when=FIRST_COMPLETED)
                        yield from (future.result() for future in done)
                    running.add(pool.submit(unless_stopped, group))
                for future in running:
                    yield future.result()
            finally:
                stopped.set()


def _groups(values: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(values)
    while group := list(islice(iterator, size)):
        yield group


def _too_large(record: UploadRecord, size: int) -> Refused:
    limit = MAX_ITEM_BYTES - VERDICT_BYTES
    return Refused(
        record,
        "ITEM_TOO_LARGE",
        f"The row is {size:,} bytes long; {limit:,} can be stored. Shorten its texts.",
    )


def _sum(*parts: Decided) -> Decided:
    return Decided(
        changed=sum(part.changed for part in parts),
        unchanged=[name for part in parts for name in part.unchanged],
        missing=[name for part in parts for name in part.missing],
    )


def _inserted(event: Mapping[str, Any]) -> Iterator[UploadRecord]:
    image = event["dynamodb"].get("NewImage")
    if event["eventName"] == "INSERT" and image and image.get("status") == {"S": PENDING}:
        try:
            yield from_item(image)
        except PermanentError as error:
            # Not written by us. Raised, it would stop the reading of everybody's uploads at this place for a day.
            logger.warning("%s", error)
