"""Read which functions of the account run with a role, in every region that is enabled: roles are global."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

from permission_guard.aws.calls import read
from permission_guard.aws.readers.regions import OF_THE_REGION
from permission_guard.model.state import Unread

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Executor

    from mypy_boto3_lambda import LambdaClient

    from permission_guard.aws.readers.regions import EnabledRegions

_ACTION = "lambda:ListFunctions"
_MOST_CALLS_AT_A_TIME = 8


class RoleUsers:
    """Lists the functions that run with a role. `client_in` returns the client of a region, `pool` some threads."""

    def __init__(
        self,
        regions: EnabledRegions,
        client_in: Callable[[str], LambdaClient],
        pool: Callable[[int], Executor] = ThreadPoolExecutor,
    ) -> None:
        self._regions = regions
        self._client_in = client_in
        self._pool = pool

    def functions_of(self, role_arn: str) -> tuple[str, ...] | Unread:
        """Return the ARNs of the functions whose `$LATEST` runs with a role, sorted.

        Unread if one of the regions could not be read: a function there may use the role.
        https://docs.aws.amazon.com/lambda/latest/api/API_ListFunctions.html
        """
        regions = self._regions.read()
        if isinstance(regions, Unread):
            return regions
        # boto3 creates clients in one thread only.
        clients = [self._client_in(region) for region in regions]
        with self._pool(_MOST_CALLS_AT_A_TIME) as pool:
            replies = list(pool.map(lambda client: _functions_of(client, role_arn), clients))
        found: set[str] = set()
        unread: list[Unread] = []
        for region, reply in zip(regions, replies, strict=True):
            if isinstance(reply, Unread):
                is_permanent = reply.denied or reply.code in OF_THE_REGION
                unread.append(replace(reply, message=f"{reply.message} ({region})", denied=is_permanent))
            else:
                found.update(reply)
        # A denied call first, because a retry does not help.
        return min(unread, key=lambda one: not one.denied) if unread else tuple(sorted(found))


def _functions_of(client: LambdaClient, role_arn: str) -> list[str] | Unread:
    def pages() -> list[str]:
        listed = client.get_paginator("list_functions").paginate()
        return [one["FunctionArn"] for page in listed for one in page["Functions"] if one.get("Role") == role_arn]

    reply = read(_ACTION, pages)
    return Unread(_ACTION, "NotFound", "no list", denied=False) if reply is None else reply
