"""Which functions run with which role: an index in the findings table, kept by looks and rebuilt by the sweep.

| pk    | sk                              | what                                                        |
|-------|---------------------------------|-------------------------------------------------------------|
| ROLES | ROLE#(account)/(name)#(arn)     | the function, or one of its versions, runs with the role    |
| ROLES | COMPLETE                        | the sweep has put every function in: until then it is asked |

A look writes what it saw of its function together with its findings, versions that only a mapping knows among them. So
a change of a role finds its functions by one query, however many functions there are. An entry that is over is marked
with the time that it expires at, rather than deleted: so nobody needs to be allowed to delete from the table.
"""

from __future__ import annotations

import time
from itertools import islice
from typing import TYPE_CHECKING, Any

from permission_guard.arns import parse_function_arn
from permission_guard.errors import DeliveryError
from permission_guard.model import FunctionTarget, RoleTarget

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

    from permission_guard.aws.functions import FunctionReader

_PK = {"S": "ROLES"}
_COMPLETE = {"pk": _PK, "sk": {"S": "COMPLETE"}}
_ENTRIES = "ROLE#"
_WRITES_A_CALL = 25
_TRIES = 5


class RoleIndex:
    """Finds the functions of roles. `functions` is asked as long as the index is not complete."""

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
        self._listed: Mapping[RoleTarget, tuple[FunctionTarget, ...]] | None = None

    @property
    def is_complete(self) -> bool:
        """Whether the sweep has put every function in."""
        if not self._is_complete:
            reply = self._dynamodb.get_item(TableName=self._name, Key=_COMPLETE, ConsistentRead=True)
            self._is_complete = "Item" in reply
        return self._is_complete

    def functions_of_roles(self, roles: Iterable[RoleTarget]) -> Mapping[RoleTarget, tuple[FunctionTarget, ...]]:
        """List, for each of some roles, the functions that run with it, by name; a refused call raises."""
        asked = tuple(dict.fromkeys(roles))
        if not asked:
            return {}
        if not self.is_complete:
            return self._list(asked)
        # Of several roles the whole index is read: it is a line a function, and thousands of them are one page.
        entries = self._entries(_prefix(asked[0]) if len(asked) == 1 else _ENTRIES)
        found: dict[RoleTarget, list[FunctionTarget]] = {role: [] for role in asked}
        for role, function in entries:
            if role in found:
                found[role].append(function)
        return {role: tuple(sorted(functions)) for role, functions in found.items()}

    def _list(self, roles: tuple[RoleTarget, ...]) -> Mapping[RoleTarget, tuple[FunctionTarget, ...]]:
        """List the functions of roles, from Lambda; one list serves all looks of a batch."""
        if self._listed is None:
            found: dict[RoleTarget, list[FunctionTarget]] = {}
            for function, role in self._functions.roles_of_functions():
                found.setdefault(role, []).append(function)
            self._listed = {role: tuple(sorted(functions)) for role, functions in found.items()}
        return {role: self._listed.get(role, ()) for role in roles}

    def rebuild(self) -> tuple[FunctionTarget, ...]:
        """Put in every function that exists, take out those that do not, and return the former.

        The index is read first: what is not listed after that was deleted, and is not just new.
        """
        before = set(self._entries(_ENTRIES))
        existing = dict(self._functions.roles_of_functions())
        now = {(role, function) for function, role in existing.items()}
        # Entries of other roles are of versions, or of a role that the function had: its next look knows which.
        gone = {entry for entry in before if entry[1] not in existing}
        entries = [entry_of(*entry) for entry in sorted(now - before)]
        over = [entry_of(*entry, until=int(self._clock())) for entry in sorted(gone)]
        self._write({"PutRequest": {"Item": item}} for item in (*entries, *over))
        self._dynamodb.put_item(TableName=self._name, Item=_COMPLETE)
        return tuple(existing)

    def _entries(self, prefix: str) -> Iterator[tuple[RoleTarget, FunctionTarget]]:
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._name,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
            ExpressionAttributeValues={":pk": _PK, ":prefix": {"S": prefix}},
            ConsistentRead=True,
        )
        for page in pages:
            for item in page["Items"]:
                if "expires_at" not in item:
                    yield _entry(item["sk"]["S"])

    def _write(self, requests: Iterable[Any]) -> None:
        remaining = iter(requests)
        while batch := list(islice(remaining, _WRITES_A_CALL)):
            for _ in range(_TRIES):
                reply = self._dynamodb.batch_write_item(RequestItems={self._name: batch})
                batch = reply.get("UnprocessedItems", {}).get(self._name, [])
                if not batch:
                    break
            else:
                raise DeliveryError(f"DynamoDB did not take {len(batch)} entries of the index of roles")


def entry_of(role: RoleTarget, function: FunctionTarget, *, until: int | None = None) -> Any:
    """Return the item of an entry, one that is over where it has an end, in seconds since 1970."""
    key = {"pk": _PK, "sk": {"S": f"{_prefix(role)}{function.arn}"}}
    return key if until is None else {**key, "expires_at": {"N": str(until)}}


def _prefix(role: RoleTarget) -> str:
    return f"{_ENTRIES}{role.account}/{role.name}#"


def _entry(sk: str) -> tuple[RoleTarget, FunctionTarget]:
    account, _, rest = sk.removeprefix(_ENTRIES).partition("/")
    name, _, arn = rest.partition("#")
    return RoleTarget(account, name), parse_function_arn(arn)[0]
