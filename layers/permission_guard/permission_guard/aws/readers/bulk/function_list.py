"""The functions of the account and region from one list.

https://docs.aws.amazon.com/lambda/latest/api/API_ListFunctions.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.aws.calls import dropped_members
from permission_guard.aws.plain_errors import plain_errors
from permission_guard.aws.readers.functions import MEMBERS_OF_FEATURES, function_of
from permission_guard.errors import ConfigurationError, RetryableError
from permission_guard.model.arns import parse_function_arn
from permission_guard.model.state import Unread
from permission_guard.records import record
from permission_guard.sweep.gaps import SharedUnread

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_lambda.type_defs import FunctionConfigurationTypeDef

    from permission_guard.model.state import Function
    from permission_guard.model.targets import FunctionTarget

_ACTION: Final = "lambda:ListFunctions"
_LATEST: Final = "$LATEST"


@record
class ListedFunction:
    """A function as ListFunctions returns it, without its state, its last update and the runtime's version.

    `versions` are the published versions by number, None if the list has no versions.
    """

    target: FunctionTarget
    function: Function
    versions: Mapping[str, Function] | None


class FunctionList:
    """Lists the functions of the account and region with their published versions, page by page.

    With FunctionVersion=ALL the list has the published versions too, so that no call for each function is needed to
    know whether there are any: a page is 50 functions and versions.
    """

    def __init__(self, client: LambdaClient) -> None:
        self._client = client
        self._unread: list[SharedUnread] = []

    @property
    def unread(self) -> tuple[SharedUnread, ...]:
        """What the list lacks, so far."""
        return tuple(self._unread)

    def __iter__(self) -> Iterator[ListedFunction]:
        """Yield each function as its page arrives. An error of the first page raises; of a later one, it is unread.

        A function's entries follow each other. A version that AWS lists apart from its function is unread.
        """
        yielded: set[str] = set()
        apart: set[str] = set()
        entries: list[tuple[FunctionTarget, str, Function, bool]] = []
        for entry in self._entries():
            if entries and entry[0] != entries[0][0]:
                yield from self._listed(entries, yielded, apart)
                entries = []
            entries.append(entry)
        yield from self._listed(entries, yielded, apart)
        if apart:
            named = ", ".join(sorted(apart)[:5])
            message = f"AWS listed versions apart from their functions, so that they were not read: {named}"
            self._unread.append(SharedUnread(f"versions of {len(apart)} functions", _incomplete("Unordered", message)))

    def _listed(
        self, entries: list[tuple[FunctionTarget, str, Function, bool]], yielded: set[str], apart: set[str]
    ) -> Iterator[ListedFunction]:
        if not entries:
            return
        target = entries[0][0]
        latest = next((entry for entry in entries if entry[1] == _LATEST), None)
        if latest is None or target.name in yielded:
            apart.add(target.name)
            return
        yielded.add(target.name)
        versions = {version: function for _, version, function, _ in entries if version != _LATEST}
        # Where the list has versions, the ARN of the function itself ends in $LATEST.
        yield ListedFunction(target, latest[2], versions if versions or latest[3] else None)

    def _entries(self) -> Iterator[tuple[FunctionTarget, str, Function, bool]]:
        """Yield each entry: the function, its version, its configuration, and whether its ARN has a qualifier."""
        dropped = dropped_members(self._client, "GetFunctionConfiguration", MEMBERS_OF_FEATURES)
        pages = iter(self._client.get_paginator("list_functions").paginate(FunctionVersion="ALL"))
        is_first = True
        while True:
            try:
                with plain_errors(_ACTION, f"region {self._client.meta.region_name}"):
                    page = next(pages, None)
            except (ConfigurationError, RetryableError) as error:
                if is_first:
                    raise
                self._unread.append(SharedUnread("functions that were not listed", _incomplete("Error", str(error))))
                return
            if page is None:
                return
            is_first = False
            for reply in page["Functions"]:
                yield _entry(reply, dropped)


def _entry(reply: FunctionConfigurationTypeDef, dropped: tuple[str, ...]) -> tuple[FunctionTarget, str, Function, bool]:
    target, qualifier = parse_function_arn(reply["FunctionArn"])
    version = reply.get("Version", _LATEST)
    arn = target.arn if version == _LATEST else f"{target.arn}:{version}"
    return target, version, function_of(arn, {**reply, "FunctionArn": arn}, dropped), qualifier is not None


def _incomplete(code: str, message: str) -> Unread:
    return Unread(_ACTION, code, message, denied=False)
