"""Which functions run with which role: an index in the findings table, kept by looks and rebuilt by the sweep.

| pk    | sk                              | what                                                        |
|-------|---------------------------------|-------------------------------------------------------------|
| ROLES | ROLE#(account)/(name)#(arn)     | the function, or one of its versions, runs with the role;   |
|       |                                 | `listed`: no look has seen it yet, the sweep alone          |
| ROLES | COMPLETE                        | the sweep has put every function in: until then it is asked |

A look writes what it saw of its function together with its findings, versions that only a mapping knows among them. So
a change of a role finds its functions by one query, however many functions there are. What a look has written only a
look takes out, in the transaction that forgets it in its notes: else the function could come back and be in neither. An
entry that is over is marked with the time that it expires at, rather than deleted: so nobody needs to be allowed to
delete from the table.
"""

from __future__ import annotations

import time
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any

from permission_guard.aws.tables import schema
from permission_guard.errors import DeliveryError
from permission_guard.model.arns import parse_function_arn
from permission_guard.model.targets import FunctionTarget, RoleTarget

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from mypy_boto3_dynamodb import DynamoDBClient

    from permission_guard.aws.readers.functions import FunctionReader

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
        self.forget()

    def forget(self) -> None:
        """Read everything anew from now on."""
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
        for (role, function), _ in entries:
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

    def rebuild(self) -> tuple[tuple[FunctionTarget, ...], tuple[FunctionTarget, ...]]:
        """Put in every function that exists; return those, and those that do not exist, which looks are to take out.

        The index is read first: what is not listed after that was deleted, and is not just new.
        """
        before = dict(self._entries(_ENTRIES))
        existing = dict(self._functions.roles_of_functions())
        now = {(role, function) for function, role in existing.items()}
        entries = [entry_of(*entry, listed=True) for entry in sorted(now - before.keys())]
        self._write({"PutRequest": {"Item": item}} for item in entries)
        for entry in sorted(entry for entry, listed in before.items() if listed and entry not in now):
            self._take_out(*entry)
        self._dynamodb.put_item(TableName=self._name, Item={**_COMPLETE, **schema.ATTRIBUTE})
        gone = {function for (_, function), listed in before.items() if not listed and function not in existing}
        return tuple(existing), tuple(sorted(gone))

    def _take_out(self, role: RoleTarget, function: FunctionTarget) -> None:
        """Take out an entry, unless a look has seen just now that it is right."""
        with suppress(self._dynamodb.exceptions.ConditionalCheckFailedException):
            self._dynamodb.put_item(
                TableName=self._name,
                Item=entry_of(role, function, until=int(self._clock())),
                ConditionExpression="attribute_exists(listed)",
            )

    def _entries(self, prefix: str) -> Iterator[tuple[tuple[RoleTarget, FunctionTarget], bool]]:
        """Yield the entries that are not over, and whether no look has seen one yet."""
        pages = self._dynamodb.get_paginator("query").paginate(
            TableName=self._name,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
            ExpressionAttributeValues={":pk": _PK, ":prefix": {"S": prefix}},
            ConsistentRead=True,
        )
        for page in pages:
            for item in page["Items"]:
                if "expires_at" not in item:
                    yield _entry(item["sk"]["S"]), "listed" in item

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


def entry_of(role: RoleTarget, function: FunctionTarget, *, until: int | None = None, listed: bool = False) -> Any:
    """Return the item of an entry, one that is over where it has an end, in seconds since 1970."""
    item: dict[str, Any] = {"pk": _PK, "sk": {"S": f"{_prefix(role)}{function.arn}"}, **schema.ATTRIBUTE}
    if until is not None:
        return {**item, "expires_at": {"N": str(until)}}
    return {**item, "listed": {"BOOL": True}} if listed else item


def _prefix(role: RoleTarget) -> str:
    return f"{_ENTRIES}{role.account}/{role.name}#"


def _entry(sk: str) -> tuple[RoleTarget, FunctionTarget]:
    account, _, rest = sk.removeprefix(_ENTRIES).partition("/")
    name, _, arn = rest.partition("#")
    return RoleTarget(account, name), parse_function_arn(arn)[0]
