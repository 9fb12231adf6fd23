"""The list of findings reads what DynamoDB leaves out of a reply again, and gives up with a plain reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import EndpointConnectionError

from permission_guard.aws.tables.finding_items import finding_item
from permission_guard.aws.tables.finding_list import FindingList
from permission_guard.errors import ConfigurationError, RetryableError
from permission_guard.findings.listed import ItemKey
from permission_guard.model.findings import Status
from tests.fakes import NOW, a_finding
from tests.stack_tables import TABLE_NAME

if TYPE_CHECKING:
    from collections.abc import Callable

ITEMS = [finding_item(a_finding(id=f"{number:032x}", first_seen=NOW, last_seen=NOW)) for number in range(230)]
KEYS = [ItemKey(item["pk"]["S"], item["sk"]["S"]) for item in ITEMS]


class Client:
    """A table that returns at most `most` items of a request, after the first `empty` replies that have none."""

    def __init__(self, most: int = 100, empty: int = 0) -> None:
        self.most, self.empty = most, empty
        self.requests: list[int] = []

    def batch_get_item(self, RequestItems: Any) -> Any:  # noqa: N803 - boto3's name
        """Return the first items, and the keys of the others."""
        keys = RequestItems[TABLE_NAME]["Keys"]
        assert RequestItems[TABLE_NAME]["ConsistentRead"] is True
        self.requests.append(len(keys))
        most = 0 if len(self.requests) <= self.empty else self.most
        found = [item for item in ITEMS if {"pk": item["pk"], "sk": item["sk"]} in keys[:most]]
        left = {**RequestItems[TABLE_NAME], "Keys": keys[most:]}
        return {"Responses": {TABLE_NAME: found}, "UnprocessedKeys": {TABLE_NAME: left} if keys[most:] else {}}


def listing(client: Any, waits: list[float] | None = None) -> FindingList:
    """Return the list of the table."""
    wait: Callable[[float], None] = (waits if waits is not None else []).append
    return FindingList(client, TABLE_NAME, wait)


def test_what_a_reply_leaves_out_is_read_again() -> None:
    """Without a wait while there is progress; and at most a hundred keys are in a request."""
    client, waits, progress = Client(most=60), list[float](), list[int]()
    listed = listing(client, waits).read(KEYS, progress.append)
    assert sorted(one.id for one in listed.findings) == [key.finding_id for key in KEYS]
    assert client.requests == [100, 40, 100, 40, 30]
    assert (waits, progress) == ([], [100, 200, 230])


def test_a_throttled_table_is_asked_again_after_growing_waits() -> None:
    """And the reason is plain if it never answers."""
    client, waits = Client(empty=3), list[float]()
    assert len(listing(client, waits).read(KEYS[:5]).findings) == 5
    assert waits == [0.1, 0.2, 0.4]
    with pytest.raises(RetryableError, match="DynamoDB throttles the table findings: run the command again"):
        listing(Client(empty=99)).read(KEYS[:5])


def test_a_finding_whose_status_changes_meanwhile_is_listed_once() -> None:
    """It is in the index under both."""

    class Index:
        def get_paginator(self, _name: str) -> Any:
            return self

        def paginate(self, **_: Any) -> Any:
            return [{"Items": [{"pk": ITEMS[0]["pk"], "sk": ITEMS[0]["sk"]}]}]

    assert list(listing(Index()).keys(Status)) == KEYS[:1]


def test_a_finding_that_was_deleted_meanwhile_is_left_out() -> None:
    """Resolved ones expire."""
    assert listing(Client()).read([ItemKey(KEYS[0].partition, "FINDING#" + "f" * 32)]).findings == ()


def test_without_a_connection_the_error_names_the_call() -> None:
    """The address of an endpoint can be misspelt."""

    class Unreachable:
        def batch_get_item(self, **_: Any) -> Any:
            raise EndpointConnectionError(endpoint_url="https://dynamodb.example")

        def get_paginator(self, _name: str) -> Any:
            return self

        def paginate(self, **_: Any) -> Any:
            return iter(self.batch_get_item, None)

    with pytest.raises(ConfigurationError, match="dynamodb:BatchGetItem on the table findings failed"):
        listing(Unreachable()).read(KEYS[:1])
    with pytest.raises(ConfigurationError, match="dynamodb:Query on the index by-status of the table findings failed"):
        list(listing(Unreachable()).keys([Status.OPEN]))
