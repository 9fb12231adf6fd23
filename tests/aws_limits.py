"""AWS's limits on sizes, for clients of moto, which accepts what AWS rejects."""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import ClientError

from permission_guard.model import limits


def enforce(client: Any) -> None:
    """Make a client of EventBridge or DynamoDB reject what AWS rejects."""
    for event, check in _CHECKS.items():
        client.meta.events.register(f"provide-client-params.{event}", check)


def entry_size(entry: dict[str, Any]) -> int:
    """Return the size of an entry of PutEvents, as AWS calculates it.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html
    """
    parts = [entry["Source"], entry["DetailType"], entry["Detail"], *entry.get("Resources", ())]
    return sum(len(part.encode()) for part in parts)


def item_size(item: dict[str, Any]) -> int:
    """Return the size of a table's item: its names and values.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(value: dict[str, Any]) -> int:
    (content,) = value.values()
    return len(content.encode()) if isinstance(content, str) else len(json.dumps(content, default=bytes.hex))


def _put_events(params: dict[str, Any], **_more: Any) -> None:
    if sum(map(entry_size, params["Entries"])) > limits.EVENT_ENTRY:
        raise _rejected("PutEvents", "Total size of the entries in the request is over the limit.")


def _put_item(params: dict[str, Any], **_more: Any) -> None:
    if item_size(params["Item"]) > limits.TABLE_ITEM:
        raise _rejected("PutItem", "Item size has exceeded the maximum allowed size")


def _transact(params: dict[str, Any], **_more: Any) -> None:
    items = [action["Put"]["Item"] for action in params["TransactItems"] if "Put" in action]
    if len(params["TransactItems"]) > limits.TRANSACTION_ACTIONS or sum(map(item_size, items)) > limits.TRANSACTION:
        raise _rejected("TransactWriteItems", "Transaction request is over the limit")
    for item in items:
        _put_item({"Item": item})


def _rejected(operation: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": "ValidationException", "Message": message}}, operation)


_CHECKS = {
    "events.PutEvents": _put_events,
    "dynamodb.PutItem": _put_item,
    "dynamodb.TransactWriteItems": _transact,
}
