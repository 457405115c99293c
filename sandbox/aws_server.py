"""moto's server, with DynamoDB transactions that cost what they change.

moto copies the whole table before each transaction, to put it back when a condition fails: with 15,000 items one
transaction took over 30 seconds, and putting it back threw away what other threads had written meanwhile. Here the
conditions are looked at first, and nothing is written when one fails, so there is nothing to put back. Not atomic here
are only failures of other kinds (an item that grows too large).

Run as a script, with the arguments of `python -m moto.server`. To be removed when moto does so itself.
"""

from __future__ import annotations

import copy
import sys
import threading
from types import SimpleNamespace
from typing import Any

import moto.dynamodb.models as models
from moto.dynamodb.comparisons import get_filter_expression
from moto.dynamodb.exceptions import TransactionCanceledException
from moto.dynamodb.models.table import Table

_lock = threading.Lock()
_write = models.DynamoDBBackend.transact_write_items


def transact_write_items(backend: Any, transact_items: list[dict[str, Any]]) -> None:
    """Do all of it, or raise the reasons for which none of it is done."""
    with _lock:
        reasons = [_reason(backend, operation) for item in transact_items for operation in item.values()]
        if any(code is not None for code, _, _ in reasons):
            raise TransactionCanceledException(reasons)
        _write(backend, transact_items)


def _reason(backend: Any, operation: dict[str, Any]) -> tuple[Any, Any, Any]:
    condition = operation.get("ConditionExpression")
    if condition is None or operation.get("TableName") not in backend.tables:
        return None, None, None
    names = operation.get("ExpressionAttributeNames")
    wanted = get_filter_expression(condition, names, operation.get("ExpressionAttributeValues"))
    table = backend.get_table(operation["TableName"])
    key_names = [name for name in (table.hash_key_attr, table.range_key_attr) if name]
    found = operation.get("Key") or operation["Item"]
    current = backend.get_item(operation["TableName"], {name: found[name] for name in key_names})
    if wanted.expr(current):
        return None, None, None
    shown = operation.get("ReturnValuesOnConditionCheckFailure") == "ALL_OLD" and current
    return (
        "ConditionalCheckFailed",
        "The conditional request failed",
        current.to_json()["Attributes"] if shown else None,
    )


def _copied(value: Any, *rest: Any) -> Any:
    return value if isinstance(value, Table) else copy.deepcopy(value, *rest)


def install() -> None:
    """Put this into moto."""
    models.DynamoDBBackend.transact_write_items = transact_write_items  # type: ignore[assignment,method-assign]
    models.copy = SimpleNamespace(deepcopy=_copied)  # type: ignore[assignment,attr-defined]


if __name__ == "__main__":
    from moto.server import main

    install()
    main(sys.argv[1:])
