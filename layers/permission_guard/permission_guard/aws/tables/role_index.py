"""Which functions run with which role: an index in the findings table, updated by checks and rebuilt by the sweep.

| pk    | sk                              | content                                                     |
|-------|---------------------------------|-------------------------------------------------------------|
| ROLES | ROLE#(account)/(name)#(arn)     | the function, or one of its versions, runs with the role;   |
|       |                                 | `listed`: from the sweep, not confirmed by a check yet      |
| ROLES | COMPLETE                        | the sweep has added every function; before, Lambda is read  |

A check writes the roles of its function together with its findings, including those of versions that only a mapping
names. So a change of a role finds its functions by one query, however many functions there are. Only a check removes
an entry that a check has written, in the transaction that also removes it from the checkpoint. Otherwise a recreated
function could be in neither. A removed entry is not deleted but gets an expiry time, so that no function needs the
permission to delete items.
"""

from __future__ import annotations

import time
from contextlib import suppress
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any

from permission_guard.aws.tables import schema
from permission_guard.errors import DeliveryError
from permission_guard.model import limits
from permission_guard.model.arns import parse_function_arn
from permission_guard.model.targets import FunctionTarget, RoleTarget

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

    from permission_guard.aws.readers.functions import FunctionReader

_PK = {"S": "ROLES"}
_COMPLETE = {"pk": _PK, "sk": {"S": "COMPLETE"}}
_ENTRIES = "ROLE#"
_TRIES = 5


class RoleIndex:
    """Finds the functions of roles. It reads `functions` as long as the index is not complete."""

    def __init__(
        self,
        client: DynamoDBClient,
        table_name: str,
        functions: FunctionReader,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._dynamodb = client
        self._name = table_name
        self._functions = functions
        self._clock = clock
        self._is_complete = False
        self.forget()

    def forget(self) -> None:
        """Drop the cache, so that everything is read again. A complete index stays complete."""
        self._listed: Mapping[RoleTarget, tuple[FunctionTarget, ...]] | None = None

    @property
    def is_complete(self) -> bool:
        """Whether the sweep has added every function."""
        if not self._is_complete:
            reply = self._dynamodb.get_item(TableName=self._name, Key=_COMPLETE, ConsistentRead=True)
            self._is_complete = "Item" in reply
        return self._is_complete

    def functions(self) -> tuple[FunctionTarget, ...] | None:
        """Return the indexed functions, in the order of their ARNs; None as long as the index is not complete."""
        if not self.is_complete:
            return None
        return tuple(sorted({function for (_, function), _ in self._entries(_ENTRIES)}, key=lambda one: one.arn))

    def functions_of_roles(self, roles: Iterable[RoleTarget]) -> Mapping[RoleTarget, tuple[FunctionTarget, ...]]:
        """List the functions that run with each of the roles, sorted by name. A denied call raises."""
        wanted = tuple(dict.fromkeys(roles))
        if not wanted:
            return {}
        if not self.is_complete:
            return self._list(wanted)
        # For several roles the whole index is read: its items are small, and one page has thousands of them.
        entries = self._entries(_prefix(wanted[0]) if len(wanted) == 1 else _ENTRIES)
        found: dict[RoleTarget, list[FunctionTarget]] = {role: [] for role in wanted}
        for (role, function), _ in entries:
            if role in found:
                found[role].append(function)
        return {role: tuple(sorted(functions)) for role, functions in found.items()}

    def _list(self, roles: tuple[RoleTarget, ...]) -> Mapping[RoleTarget, tuple[FunctionTarget, ...]]:
        """List the functions of roles from Lambda, once for all checks of a batch."""
        if self._listed is None:
            found: dict[RoleTarget, list[FunctionTarget]] = {}
            for function, role in self._functions.roles_of_functions():
                found.setdefault(role, []).append(function)
            self._listed = {role: tuple(sorted(functions)) for role, functions in found.items()}
        return {role: self._listed.get(role, ()) for role in roles}

    def rebuild(self) -> tuple[tuple[FunctionTarget, ...], tuple[FunctionTarget, ...]]:
        """Add every function that exists. Return those, and the indexed ones that do not exist, for checks to remove.

        The index is read before the functions are listed, so that a new function is not mistaken for a deleted one.
        """
        before = dict(self._entries(_ENTRIES))
        existing = dict(self._functions.roles_of_functions())
        now = {(role, function) for function, role in existing.items()}
        entries = [entry_of(*entry, listed=True) for entry in sorted(now - before.keys())]
        self._write({"PutRequest": {"Item": item}} for item in entries)
        for entry in sorted(entry for entry, listed in before.items() if listed and entry not in now):
            self._remove(*entry)
        self._dynamodb.put_item(TableName=self._name, Item={**_COMPLETE, **schema.ATTRIBUTE})
        deleted = {function for (_, function), listed in before.items() if not listed and function not in existing}
        return tuple(existing), tuple(sorted(deleted))

    def _remove(self, role: RoleTarget, function: FunctionTarget) -> None:
        """Remove an entry, unless a check has just confirmed it."""
        with suppress(self._dynamodb.exceptions.ConditionalCheckFailedException):
            self._dynamodb.put_item(
                TableName=self._name,
                Item=entry_of(role, function, expires_at=int(self._clock())),
                ConditionExpression="attribute_exists(listed)",
            )

    def _entries(self, prefix: str) -> Iterator[tuple[tuple[RoleTarget, FunctionTarget], bool]]:
        """Yield the entries that do not expire, and whether each is not confirmed by a check yet."""
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._name,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
            ExpressionAttributeValues={":pk": _PK, ":prefix": {"S": prefix}},
            ConsistentRead=True,
        )
        for page in pages:
            for item in page["Items"]:
                if "expires_at" in item:
                    continue
                with suppress(ValueError):  # not an item of ours
                    yield _entry(item["sk"]["S"]), "listed" in item

    def _write(self, requests: Iterable[Any]) -> None:
        remaining = iter(requests)
        while batch := list(islice(remaining, limits.BATCH_WRITE_ITEMS)):
            for _ in range(_TRIES):
                reply = self._dynamodb.batch_write_item(RequestItems={self._name: batch})
                batch = reply.get("UnprocessedItems", {}).get(self._name, [])
                if not batch:
                    break
            else:
                raise DeliveryError(f"DynamoDB did not write {len(batch)} entries of the role index")


def entry_of(role: RoleTarget, function: FunctionTarget, *, expires_at: int | None = None, listed: bool = False) -> Any:
    """Return the item of an entry. `expires_at` is in seconds since 1970; a removed entry has it."""
    item: dict[str, Any] = {"pk": _PK, "sk": {"S": f"{_prefix(role)}{function.arn}"}, **schema.ATTRIBUTE}
    if expires_at is not None:
        return {**item, "expires_at": {"N": str(expires_at)}}
    return {**item, "listed": {"BOOL": True}} if listed else item


def _prefix(role: RoleTarget) -> str:
    return f"{_ENTRIES}{role.account}/{role.name}#"


@lru_cache(maxsize=16_384)  # the checks of a batch read the same entries
def _entry(sk: str) -> tuple[RoleTarget, FunctionTarget]:
    account, _, rest = sk.removeprefix(_ENTRIES).partition("/")
    name, _, arn = rest.partition("#")
    return RoleTarget(account, name), parse_function_arn(arn)[0]
