"""What maintenance and the baseline store: items in the findings table.

| pk           | sk     | content                                                                                 |
|--------------|--------|-----------------------------------------------------------------------------------------|
| MAINTENANCE  | STATE  | where maintenance continues, and what it remembers of exceptions                        |
| BASELINE     | STATE  | whether the checks of the first sweep belong to its digest                              |
| DIGEST#(id)  | DIGEST | a digest; expires after 400 days                                                        |

Each has its `document` as JSON. `revision` counts the writes of a state; each is conditional on the one before, so that
of two runs at the same time one goes on. A digest is never changed: it may have been sent.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from permission_guard.aws.tables import schema
from permission_guard.aws.tables.finding_items import expires_in, partition_key
from permission_guard.errors import UNREADABLE, ConflictError, DeliveryError
from permission_guard.findings.baseline import Baseline, BaselineStatus
from permission_guard.maintenance.state import MaintenanceState
from permission_guard.model import limits
from permission_guard.model.digests import Digest
from permission_guard.model.targets import Direction

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mypy_boto3_dynamodb import DynamoDBClient

    from permission_guard.model.targets import JSON, FunctionTarget

KEEP_DIGESTS: Final = timedelta(days=400)

_STATE: Final = {"pk": {"S": "MAINTENANCE"}, "sk": {"S": "STATE"}}
_BASELINE: Final = {"pk": {"S": "BASELINE"}, "sk": {"S": "STATE"}}
_UNREADABLE_BASELINE: Final = Baseline(status=BaselineStatus.CLOSED, opened_at="1970-01-01T00:00:00+00:00")
_UNKNOWN: Final = -1
"""The revision of a state that cannot be read. The next write replaces it, and counts from 1."""
_TRIES: Final = 5


class DigestReader:
    """Reads the baseline and digests, consistently."""

    def __init__(self, client: DynamoDBClient, table_name: str) -> None:
        self._dynamodb = client
        self._name = table_name

    def baseline(self) -> Baseline | None:
        """Return the baseline, None if the first sweep has not begun. One that cannot be read is closed."""
        item = self._item(_BASELINE)
        if item is None:
            return None
        with suppress(*UNREADABLE):
            baseline = Baseline.from_document(json.loads(item["document"]["S"]))
            if item["revision"] == {"N": str(baseline.revision)}:
                return baseline
        return _UNREADABLE_BASELINE

    def digest(self, digest_id: str) -> Digest | None:
        """Return a digest, None if there is none. One of UNREADABLE if the item is not that digest."""
        item = self._item(_digest_key(digest_id))
        if item is None:
            return None
        digest = Digest.from_document(json.loads(item["document"]["S"]))
        if digest.id != digest_id:
            raise ValueError(f"the digest {digest.id} has another key")
        return digest

    def _item(self, key: Any) -> Mapping[str, Any] | None:
        return self._dynamodb.get_item(TableName=self._name, Key=key, ConsistentRead=True).get("Item")


class MaintenanceTable(DigestReader):
    """Stores the state of maintenance, the baseline and digests; says which functions were checked."""

    def state(self) -> MaintenanceState:
        """Return the state; a new one if there is none or it cannot be read."""
        item = self._item(_STATE)
        if item is None:
            return MaintenanceState()
        with suppress(*UNREADABLE):
            state = MaintenanceState.from_document(json.loads(item["document"]["S"]))
            if item["revision"] == {"N": str(state.revision)}:
                return state
        return MaintenanceState(revision=_UNKNOWN)

    def put_state(self, state: MaintenanceState) -> MaintenanceState:
        """Store a state; return it with its new revision. ConflictError if another run has stored one since."""
        stored = replace(state, revision=max(state.revision, 0) + 1)
        self._put(_STATE, stored.to_document(), state.revision, stored.revision)
        return stored

    def put_baseline(self, baseline: Baseline) -> Baseline:
        """Store a baseline; return it with its new revision. ConflictError if another run has stored one since."""
        stored = replace(baseline, revision=baseline.revision + 1)
        self._put(_BASELINE, stored.to_document(), baseline.revision, stored.revision)
        return stored

    def put_digest(self, digest: Digest) -> None:
        """Store a digest, unless one with its id is stored already: it may have been sent."""
        item = {
            **_digest_key(digest.id),
            **schema.ATTRIBUTE,
            "document": {"S": json.dumps(digest.to_document(), sort_keys=True)},
            "expires_at": expires_in(KEEP_DIGESTS, digest.created_at),
        }
        with suppress(self._dynamodb.exceptions.ConditionalCheckFailedException):
            self._dynamodb.put_item(TableName=self._name, Item=item, ConditionExpression="attribute_not_exists(pk)")

    def unchecked(self, functions: Sequence[FunctionTarget]) -> tuple[FunctionTarget, ...]:
        """Return which functions were not checked in both directions."""
        keys = {function: [_check_key(function, direction) for direction in Direction] for function in functions}
        every = iter([key for own in keys.values() for key in own])
        checked: set[tuple[str, str]] = set()
        while part := list(islice(every, limits.BATCH_GET_ITEMS)):
            checked |= self._written(part)
        return tuple(function for function, own in keys.items() if not checked.issuperset(map(_texts, own)))

    def unknowns(self, functions: Sequence[FunctionTarget]) -> list[str]:
        """Return what the last checks of functions could not evaluate: each rule with its reason."""
        every = iter([_check_key(function, direction) for function in functions for direction in Direction])
        found: list[str] = []
        while part := list(islice(every, limits.BATCH_GET_ITEMS)):
            for item in self._items(part, "unknowns"):
                with suppress(*UNREADABLE):
                    found += [str(one["S"]) for one in item["unknowns"]["L"]]
        return found

    def _written(self, keys: list[Any]) -> set[tuple[str, str]]:
        """Return the keys of the checks that were written."""
        return {_texts(item) for item in self._items(keys, "written") if "written" in item}

    def _items(self, keys: list[Any], attribute: str) -> list[Mapping[str, Any]]:
        """Return the items with some keys: their keys and one attribute."""
        found: list[Mapping[str, Any]] = []
        for _ in range(_TRIES):
            reply = self._dynamodb.batch_get_item(
                RequestItems={self._name: {"Keys": keys, "ProjectionExpression": f"pk, sk, {attribute}"}}
            )
            found += reply["Responses"].get(self._name, ())
            unprocessed: Any = reply.get("UnprocessedKeys", {}).get(self._name, {})
            keys = unprocessed.get("Keys", [])
            if not keys:
                return found
        raise DeliveryError(f"DynamoDB did not return {len(keys)} checks")

    def _put(self, key: Any, document: dict[str, JSON], before: int, revision: int) -> None:
        item = {
            **key,
            **schema.ATTRIBUTE,
            "revision": {"N": str(revision)},
            "document": {"S": json.dumps(document, sort_keys=True)},
        }
        condition: Any = {"ConditionExpression": "attribute_not_exists(pk)"}
        if before == _UNKNOWN:
            condition = {}
        elif before:
            condition = {
                "ConditionExpression": "revision = :revision",
                "ExpressionAttributeValues": {":revision": {"N": str(before)}},
            }
        try:
            self._dynamodb.put_item(TableName=self._name, Item=item, **condition)
        except self._dynamodb.exceptions.ConditionalCheckFailedException as error:
            raise ConflictError(f"another run has written the item {key['pk']['S']}") from error


def _check_key(function: FunctionTarget, direction: Direction) -> Any:
    return {"pk": {"S": partition_key(function)}, "sk": {"S": f"CHECK#{direction}"}}


def _texts(key: Mapping[str, Any]) -> tuple[str, str]:
    return key["pk"]["S"], key["sk"]["S"]


def _digest_key(digest_id: str) -> Any:
    return {"pk": {"S": f"DIGEST#{digest_id}"}, "sk": {"S": "DIGEST"}}
