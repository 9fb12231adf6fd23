"""Read which aliases and published versions a function has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.aws.calls import read
from permission_guard.model.state import Unread

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_lambda import LambdaClient

    from permission_guard.model.targets import FunctionTarget

_LATEST = "$LATEST"


def aliases_of(client: LambdaClient, target: FunctionTarget) -> tuple[str, ...] | Unread:
    """Return the names of a function's aliases.

    https://docs.aws.amazon.com/lambda/latest/api/API_ListAliases.html
    """
    pages = client.get_paginator("list_aliases").paginate(FunctionName=target.arn)
    return _names("lambda:ListAliases", lambda: [alias["Name"] for page in pages for alias in page["Aliases"]])


def versions_of(client: LambdaClient, target: FunctionTarget) -> tuple[str, ...] | Unread:
    """Return the numbers of a function's published versions.

    https://docs.aws.amazon.com/lambda/latest/api/API_ListVersionsByFunction.html
    """
    pages = client.get_paginator("list_versions_by_function").paginate(FunctionName=target.arn)
    return _names(
        "lambda:ListVersionsByFunction", lambda: [version["Version"] for page in pages for version in page["Versions"]]
    )


def _names(action: str, call: Callable[[], list[str]]) -> tuple[str, ...] | Unread:
    """Return a list of names; empty if the function does not exist."""
    reply = read(action, call)
    return reply if isinstance(reply, Unread) else tuple(name for name in reply or () if name != _LATEST)
