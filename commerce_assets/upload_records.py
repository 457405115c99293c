"""The table UploadRecords from the command line: create it, delete it, put a sample into it, show how it is asked.

`python -m commerce_assets.upload_records create|delete|sample|queries`, or 1 to 4, or nothing for a menu. Works on the
DynamoDB of AWS_ENDPOINT_URL and AWS_REGION. Exit status 0, 1 when nothing was done, 2 for an error.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from typing import Any

from commerce_assets.dynamo import (
    ERROR,
    PENDING,
    STATUS_INDEX,
    TABLE_NAME,
    VENDOR_INDEX,
    UploadRecord,
    UploadRecords,
    Value,
    new_record,
    table_definition,
)
from commerce_assets.resources import UploadRecordsResource
from resources import redaction
from resources.failures import PipelineError
from resources.settings import read_env_file

COMMANDS = ("create", "delete", "sample", "queries")
SAMPLE_UPLOAD, SAMPLE_VENDOR = "UPLOAD_20241221_103045", "VEND001"
_RULE = "=" * 80
_SHOWN = 5

Tell = Callable[[str], None]


def create(table: UploadRecords, tell: Tell) -> int:
    """Make the table, wait until it is ACTIVE and describe it. One that is there already is only described."""
    _title(tell, f"Creating DynamoDB Table: {table.name}")
    tell("Creating table with configuration:")
    tell(json.dumps(table_definition(table.name), indent=2) + "\n")
    found = table.create(tell)
    tell(f"✓ Table {table.name} is now ACTIVE!\n")
    tell("Table Details:")
    tell(f"  Table Name: {found['TableName']}")
    tell(f"  Table ARN: {found['TableArn']}")
    tell(f"  Table Status: {found['TableStatus']}")
    tell(f"  Item Count: {found['ItemCount']}")
    tell(f"  Table Size: {found['TableSizeBytes']} bytes")
    tell(f"  Billing Mode: {(found.get('BillingModeSummary') or {}).get('BillingMode', 'PROVISIONED')}\n")
    stream = found["StreamSpecification"]
    tell("DynamoDB Stream:")
    tell(f"  Stream ARN: {found['LatestStreamArn']}")
    tell(f"  Stream Enabled: {stream['StreamEnabled']}")
    tell(f"  Stream View Type: {stream['StreamViewType']}\n")
    tell("Global Secondary Indexes:")
    for index in found["GlobalSecondaryIndexes"]:
        tell(f"  - {index['IndexName']} ({index['IndexStatus']})")
    return 0


def delete(table: UploadRecords, tell: Tell, confirmed: bool) -> int:
    """Delete the table with all its items, after a "yes"."""
    _title(tell, f"Deleting DynamoDB Table: {table.name}")
    if table.describe() is None:
        tell(f"There is no table {table.name}.")
        return 1
    if (
        not confirmed
        and _answer(f"Delete {table.name} with everything in it? Type 'yes' to confirm: ") != "yes"
    ):
        tell("Nothing was deleted.")
        return 1
    table.delete()
    tell(f"✓ Table {table.name} is deleted.")
    return 0


def sample(table: UploadRecords, tell: Tell) -> int:
    """Put the sample record of the set-up guide into the table; one that is there stays as it is."""
    _title(tell, "Inserting Sample Record")
    record = new_record(SAMPLE_UPLOAD, SAMPLE_VENDOR, 1, _SAMPLE_PRODUCT, datetime.now(UTC))
    if table.put_new(record):
        tell(f"✓ Sample record inserted: {record.upload_id} / {record.record_id}")
    else:
        tell(f"{record.upload_id} / {record.record_id} is there already and stays as it is.")
    return 0


def queries(table: UploadRecords, tell: Tell) -> int:
    """Show how the table and its two indexes are asked, and what the sample upload answers now."""
    _title(tell, "Query Examples")
    examples: list[tuple[str, str, Iterable[UploadRecord]]] = [
        (
            "All records of an upload",
            f"table.query(KeyConditionExpression=Key('upload_id').eq('{SAMPLE_UPLOAD}'))",
            table.of_upload(SAMPLE_UPLOAD),
        ),
        (
            f"All uploads of a vendor ({VENDOR_INDEX})",
            f"table.query(IndexName='{VENDOR_INDEX}',"
            f" KeyConditionExpression=Key('vendor_id').eq('{SAMPLE_VENDOR}'))",
            table.of_vendor(SAMPLE_VENDOR),
        ),
        *(
            (
                f"{what} of an upload ({STATUS_INDEX})",
                f"table.query(IndexName='{STATUS_INDEX}', KeyConditionExpression="
                f"Key('upload_id').eq('{SAMPLE_UPLOAD}') & Key('status').eq('{status}'))",
                table.with_status(SAMPLE_UPLOAD, status),
            )
            for what, status in (("Records that wait", PENDING), ("Errors", ERROR))
        ),
    ]
    for number, (what, code, records) in enumerate(examples, start=1):
        found = list(islice(records, _SHOWN + 1))
        tell(f"{number}. {what}\n   {code}")
        more = len(found) > _SHOWN
        tell(f"   Found {f'more than {_SHOWN}' if more else len(found)} records")
        for record in found[:_SHOWN]:
            tell(f"     {record.upload_id} / {record.record_id}, Status: {record.status}")
        tell("")
    return 0


_SAMPLE_PRODUCT: dict[str, Value] = {
    "vendor_product_id": "PROD001",
    "product_name": "Wireless Mouse",
    "category": "Computer Accessories",
    "sku": "TG-MOUSE-001",
    "brand": "TechGear",
    "price": Decimal("29.99"),
    "stock_quantity": 100,
}


def _title(tell: Tell, text: str) -> None:
    tell(f"{_RULE}\n{text}\n{_RULE}\n")


def _answer(question: str) -> str:
    try:
        return input(question).strip()
    except EOFError:
        return ""


def main(arguments: Sequence[str] | None = None, resource: UploadRecordsResource | None = None) -> int:
    """Run one command and return the exit status."""
    aliases = [str(number) for number in range(1, len(COMMANDS) + 1)]
    parser = argparse.ArgumentParser(
        prog="python -m commerce_assets.upload_records", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument(
        "command",
        nargs="?",
        choices=[*COMMANDS, *aliases],
        help="1 create, 2 delete, 3 sample, 4 queries; asked for when not given",
    )
    parser.add_argument("--table", default=TABLE_NAME, help=f"name of the table (default: {TABLE_NAME})")
    parser.add_argument("--yes", action="store_true", help="delete without asking")
    options = parser.parse_args(arguments)
    read_env_file()
    redaction.install()
    command = options.command or _chosen()
    command = COMMANDS[int(command) - 1] if command in aliases else command
    if command not in COMMANDS:
        print(f"{command!r} is none of 1 to {len(COMMANDS)}; nothing was done.", file=sys.stderr)
        return 1
    resource = resource or UploadRecordsResource(table_name=options.table)
    run: dict[str, Callable[[UploadRecords], Any]] = {
        "create": lambda table: create(table, print),
        "delete": lambda table: delete(table, print, options.yes),
        "sample": lambda table: sample(table, print),
        "queries": lambda table: queries(table, print),
    }
    try:
        with resource.opened() as table:
            status: int = run[command](table)
    except PipelineError as error:
        print(error, file=sys.stderr)
        return 2
    return status


def _chosen() -> str:
    for number, name in enumerate(COMMANDS, start=1):
        print(f"{number}. {name}")
    return _answer(f"Choose 1 to {len(COMMANDS)}: ")


if __name__ == "__main__":
    sys.exit(main())
