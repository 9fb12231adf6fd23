"""What one list has for all functions: event source mappings and tags."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from permission_guard.aws.calls import read
from permission_guard.aws.readers.bulk.shared import Once, Packed
from permission_guard.aws.readers.functions import FunctionReader
from permission_guard.aws.readers.resource_tags import ACTION as GET_RESOURCES
from permission_guard.model.arns import parse_function_arn
from permission_guard.model.state import Unread
from permission_guard.sweep.gaps import SharedUnread

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mypy_boto3_lambda import LambdaClient

    from permission_guard.model.state import EventSourceMapping
    from permission_guard.model.targets import FunctionTarget

_RESOURCES_A_PAGE: Final = 100


class MappingList:
    """The event source mappings of the account and region, compressed by function."""

    name: Final = "the event source mappings"

    def __init__(self, client: LambdaClient, *, is_selected: bool) -> None:
        self._client = client
        self._is_selected = is_selected
        self._once = Once()

    def load(self) -> None:
        """Read the list."""
        self._all()

    def of(self, target: FunctionTarget) -> tuple[EventSourceMapping, ...] | Unread:
        """Return the mappings of a function, its versions and its aliases. Waits for the list."""
        found = self._all()
        if isinstance(found, Unread):
            return found
        return found[target.arn].unpack() if target.arn in found else ()

    @property
    def unread(self) -> tuple[SharedUnread, ...]:
        """The list, if it could not be read."""
        found = self._once.made("mappings")
        return (SharedUnread(self.name, found),) if isinstance(found, Unread) else ()

    def _all(self) -> Mapping[str, Packed[tuple[EventSourceMapping, ...]]] | Unread:
        return self._once.get("mappings", self._read)

    def _read(self) -> Mapping[str, Packed[tuple[EventSourceMapping, ...]]] | Unread:
        reply = FunctionReader(self._client).mappings() if self._is_selected else {}
        return reply if isinstance(reply, Unread) else {arn: Packed(found) for arn, found in reply.items()}


class TagList:
    """The tags of all functions of the account and region.

    https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html
    """

    name: Final = "the tags of the functions"

    def __init__(self, client: Callable[[], Any]) -> None:
        self._client = client
        self._once = Once()

    def load(self) -> None:
        """Read the list."""
        self._all()

    def of(self, target: FunctionTarget) -> Mapping[str, str] | Unread:
        """Return the tags of a function. Waits for the list."""
        found = self._all()
        return found if isinstance(found, Unread) else found.get(target.arn, {})

    @property
    def unread(self) -> tuple[SharedUnread, ...]:
        """The list, if it could not be read."""
        found = self._once.made("tags")
        return (SharedUnread(self.name, found),) if isinstance(found, Unread) else ()

    def _all(self) -> Mapping[str, Mapping[str, str]] | Unread:
        return self._once.get("tags", self._read)

    def _read(self) -> Mapping[str, Mapping[str, str]] | Unread:
        def pages() -> dict[str, dict[str, str]]:
            listed = (
                self._client()
                .get_paginator("get_resources")
                .paginate(ResourceTypeFilters=["lambda:function"], PaginationConfig={"PageSize": _RESOURCES_A_PAGE})
            )
            return {
                each["ResourceARN"]: {_one(tag["Key"]): _one(tag["Value"]) for tag in each["Tags"]}
                for page in listed
                for each in page["ResourceTagMappingList"]
                if _is_function(each["ResourceARN"])
            }

        reply = read(GET_RESOURCES, pages)
        return Unread(GET_RESOURCES, "NotFound", "no list", denied=False) if reply is None else reply


def _one(text: str) -> str:
    """Return the same object for the same text: thousands of functions have the same tags."""
    return sys.intern(text)


def _is_function(arn: str) -> bool:
    try:
        return parse_function_arn(arn)[1] is None
    except ValueError:
        return False
