"""List the findings of the deployed table for a person, whatever their functions."""

from __future__ import annotations

import time
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from permission_guard.aws.plain_errors import plain_errors
from permission_guard.aws.tables.finding_items import read_finding
from permission_guard.aws.tables.findings import STATUS_INDEX
from permission_guard.errors import UNREADABLE, RetryableError
from permission_guard.findings.listed import FINDING_PREFIX, ItemKey, ListedFindings
from permission_guard.model import limits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

    from permission_guard.model.findings import Finding, Status, Transition

_WAITS: Final = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
"""Seconds before each new try to read the items that DynamoDB left out of a reply."""


class FindingList:
    """Reads the findings of the deployed table with the credentials of a person.

    ConfigurationError or RetryableError, in plain words, if AWS denies a call or cannot answer it.
    """

    def __init__(self, client: DynamoDBClient, table_name: str, wait: Callable[[float], None] = time.sleep) -> None:
        self._dynamodb = client
        self._name = table_name
        self._wait = wait

    def keys(self, statuses: Iterable[Status | Transition]) -> Iterator[ItemKey]:
        """Yield the keys of every finding with one of these statuses, each once. They may be a second old.

        The transitions `Fix Applied` and `Fix Undone` of 400 days are found in the same way.
        """
        seen: set[ItemKey] = set()  # a finding whose status changes meanwhile is in the index twice
        for status in statuses:
            pages = self._dynamodb.get_paginator("query").paginate(
                TableName=self._name,
                IndexName=STATUS_INDEX,
                KeyConditionExpression="#status = :status",
                ExpressionAttributeNames={"#status": "status"},
                ExpressionAttributeValues={":status": {"S": status}},
            )
            with plain_errors("dynamodb:Query", f"the index {STATUS_INDEX} of the table {self._name}"):
                for item in (item for page in pages for item in page["Items"]):
                    if (key := ItemKey(item["pk"]["S"], item["sk"]["S"])) not in seen:
                        seen.add(key)
                        yield key

    def read(self, keys: Iterable[ItemKey], progress: Callable[[int], None] = lambda _count: None) -> ListedFindings:
        """Read the findings of these keys, consistently; those that were deleted meanwhile are left out.

        `progress` is called with the number of items that were read.
        """
        found: list[Finding] = []
        unreadable: list[ItemKey] = []
        count, remaining = 0, iter(keys)
        while some := list(islice(remaining, limits.BATCH_GET_ITEMS)):
            for item in self._items(some):
                try:
                    found.append(_finding(item))
                except UNREADABLE:
                    unreadable.append(ItemKey(item["pk"]["S"], item["sk"]["S"]))
            count += len(some)
            progress(count)
        return ListedFindings(tuple(found), tuple(unreadable))

    def _items(self, keys: Sequence[ItemKey]) -> Iterator[Mapping[str, Any]]:
        """Yield the items of at most a hundred keys. DynamoDB leaves out what exceeds its limits."""
        wanted: Any = {
            self._name: {
                "Keys": [{"pk": {"S": key.partition}, "sk": {"S": key.sort}} for key in keys],
                "ConsistentRead": True,
            }
        }
        waits = iter(_WAITS)
        while wanted:
            with plain_errors("dynamodb:BatchGetItem", f"the table {self._name}"):
                reply = self._dynamodb.batch_get_item(RequestItems=wanted)
            items = reply["Responses"].get(self._name, [])
            yield from items
            wanted = reply.get("UnprocessedKeys")
            if wanted and not items:
                if (delay := next(waits, None)) is None:
                    raise RetryableError(f"DynamoDB throttles the table {self._name}: run the command again")
                self._wait(delay)


def _finding(item: Mapping[str, Any]) -> Finding:
    """Read an item as a finding or a transition; one of UNREADABLE if the index has it under another status."""
    finding = read_finding(item)
    status = finding.status if item["sk"]["S"].startswith(FINDING_PREFIX) else finding.transition
    if item["status"] != {"S": status}:
        raise ValueError(f"not a finding with the status {status}")
    return finding
