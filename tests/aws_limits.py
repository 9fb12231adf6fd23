"""AWS's limits on sizes, for clients of moto, which accepts what AWS rejects."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from permission_guard.model import limits

if TYPE_CHECKING:
    from collections.abc import Mapping


def enforce(client: Any) -> None:
    """Make a client reject what AWS rejects."""
    for event, check in _CHECKS.items():
        client.meta.events.register(f"provide-client-params.{event}", check)


def entry_size(entry: dict[str, Any]) -> int:
    """Return the size of an entry of PutEvents, as AWS calculates it.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html
    """
    parts = [*(entry.get(name, "") for name in ("Source", "DetailType", "Detail")), *entry.get("Resources", ())]
    return sum(len(part.encode()) for part in parts)


def item_size(item: dict[str, Any]) -> int:
    """Return the size of a table's item: its names and values.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(value: dict[str, Any]) -> int:
    (content,) = value.values()
    return (
        len(content.encode())
        if isinstance(content, str)
        else len(json.dumps(content, ensure_ascii=False, default=bytes.hex).encode())
    )


def written_items(params: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the items that a TransactWriteItems request writes; of an update, the key and what it sets."""
    return [
        action["Put"]["Item"] if "Put" in action else _updated(action["Update"]) for action in params["TransactItems"]
    ]


def publication_size(params: Mapping[str, Any]) -> int:
    """Return the size of an SNS message: its text, its subject and its attributes."""
    attributes = params.get("MessageAttributes", {}).items()
    parts = (part for name, value in attributes for part in (name, value["DataType"], value["StringValue"]))
    return sum(len(part.encode()) for part in (params["Message"], params.get("Subject", ""), *parts))


def batch_size(params: dict[str, Any]) -> int:
    """Return the size of a SendMessageBatch request: its messages together."""
    return sum(len(entry["MessageBody"].encode()) for entry in params["Entries"])


def _updated(update: dict[str, Any]) -> dict[str, Any]:
    values = update["ExpressionAttributeValues"].items()
    return {**update["Key"], **{name: value for name, value in values if name in update["UpdateExpression"]}}


def _put_events(params: dict[str, Any], **_more: Any) -> None:
    entries = params["Entries"]
    if len(entries) != 1 or entry_size(entries[0]) > limits.EVENT_ENTRY:
        raise _rejected("PutEvents", "Total size of the entries in the request is over the limit.")


def _put_item(params: dict[str, Any], **_more: Any) -> None:
    if item_size(params["Item"]) > limits.TABLE_ITEM:
        raise _rejected("PutItem", "Item size has exceeded the maximum allowed size")


def _transact(params: dict[str, Any], **_more: Any) -> None:
    items = written_items(params)
    if len(items) > limits.TRANSACTION_ACTIONS or sum(map(item_size, items)) > limits.TRANSACTION:
        raise _rejected("TransactWriteItems", "Transaction request is over the limit")
    for item in items:
        _put_item({"Item": item})


def _batch_write(params: dict[str, Any], **_more: Any) -> None:
    if any(len(requests) > limits.BATCH_WRITE_ITEMS for requests in params["RequestItems"].values()):
        raise _rejected("BatchWriteItem", "Too many items requested for the BatchWriteItem call")


def _send_messages(params: dict[str, Any], **_more: Any) -> None:
    if len(params["Entries"]) > limits.QUEUE_BATCH_MESSAGES or batch_size(params) > limits.QUEUE_MESSAGE:
        raise _rejected("SendMessageBatch", "Batch requests cannot be longer than 262144 bytes")


def _publish(params: dict[str, Any], **_more: Any) -> None:
    if publication_size(params) > limits.TOPIC_MESSAGE or len(params["Subject"]) > limits.TOPIC_SUBJECT_CHARACTERS:
        raise _rejected("Publish", "Invalid parameter: Message or Subject too long")


def _ops_item(params: dict[str, Any], **_more: Any) -> None:
    data, tags = params["OperationalData"].values(), params.get("Tags", ())
    if (
        len(params["Title"]) > limits.OPS_ITEM_TITLE
        or len(params["Description"]) > limits.OPS_ITEM_DESCRIPTION
        or any(len(value["Value"].encode()) > limits.OPS_ITEM_VALUE for value in data)
        or any(len(tag["Value"]) > limits.OPS_ITEM_TAG for tag in tags)
    ):
        raise _rejected("OpsItem", "OpsItem is over the limit")


def _rejected(operation: str, message: str) -> ClientError:
    return ClientError({"Error": {"Code": "ValidationException", "Message": message}}, operation)


_CHECKS = {
    "events.PutEvents": _put_events,
    "dynamodb.PutItem": _put_item,
    "dynamodb.TransactWriteItems": _transact,
    "dynamodb.BatchWriteItem": _batch_write,
    "sqs.SendMessageBatch": _send_messages,
    "sns.Publish": _publish,
    "ssm.CreateOpsItem": _ops_item,
    "ssm.UpdateOpsItem": _ops_item,
}
