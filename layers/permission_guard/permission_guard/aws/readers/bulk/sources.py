"""Sources and the organization, each read once for all functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from permission_guard.aws.readers.bulk.shared import Once
from permission_guard.aws.readers.inventories.base import attempt
from permission_guard.aws.readers.organization import OrganizationReader
from permission_guard.aws.readers.resource_tags import ACTION as GET_RESOURCES
from permission_guard.aws.readers.sources.base import NOT_FOUND, SourceReading
from permission_guard.aws.readers.sources.reader import SourceReader
from permission_guard.model.state import Unread
from permission_guard.sweep.gaps import SharedUnread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from permission_guard.aws.readers.organization import Denials

_GROUPS: Final = "logs:DescribeLogGroups"
_OF_FUNCTIONS: Final = "/aws/lambda/"
"""Lambda's default log groups: one for each function, so that one list replaces a call for each function."""


class SourcesInBulk(SourceReader):
    """Reads each source once. Safe for threads. `forget` does nothing.

    `actions` are the IAM actions that the selected rules read. What needs another one is not read: only rules that are
    not selected depend on it. Lambda's default log groups come from one list.
    """

    name: Final = "the log groups of the functions"

    def __init__(self, client: Callable[[str], Any], actions: frozenset[str]) -> None:
        super().__init__(client)
        self._once = Once()
        self._actions = actions | {GET_RESOURCES}

    def forget(self) -> None:
        """Keep everything: it is read once."""

    def load(self) -> None:
        """List the log groups."""
        if _GROUPS in self._actions:
            self._groups()

    @property
    def unread(self) -> tuple[SharedUnread, ...]:
        """The list of log groups, if it could not be read."""
        found = self._once.made(_GROUPS)
        return (SharedUnread(self.name, found),) if isinstance(found, Unread) else ()

    def _groups(self) -> frozenset[str] | Unread:
        def names() -> frozenset[str]:
            pages = self._client("logs").get_paginator("describe_log_groups").paginate(logGroupNamePrefix=_OF_FUNCTIONS)
            return frozenset(group["logGroupName"] for page in pages for group in page["logGroups"])

        return self._once.get(_GROUPS, lambda: attempt(_GROUPS, names) or frozenset())

    def _cached(self, action: str, about: str, read: Callable[[], Any]) -> Any:
        if action not in self._actions:
            return Unread(action, "NotSelected", "no selected rule depends on it", denied=True)
        _, _, name = about.partition(":log-group:")
        if action == _GROUPS and name.startswith(_OF_FUNCTIONS):
            groups = self._groups()
            if isinstance(groups, Unread):
                return groups
            return SourceReading() if name in groups else NOT_FOUND
        return self._once.get((action, about), read)


class OrganizationInBulk(OrganizationReader):
    """Reads the organization once, and simulates each request once. Safe for threads. `forget` does nothing."""

    def __init__(self, organizations: Callable[[], Any], iam: Callable[[], Any]) -> None:
        super().__init__(organizations, iam)
        self._once = Once()

    def forget(self) -> None:
        """Keep everything: it is read once."""
        if not hasattr(self, "_cached"):
            super().forget()

    def own_organization(self) -> str | Unread | None:
        """Return the id of the account's organization, None if it is in none."""
        return self._once.get("organization", super().own_organization)

    def denied(self, role_arn: str, requests: Iterable[tuple[str, str]], region: str) -> Denials | Unread:
        """Return which of the actions the organization's policies deny a role."""
        asked = tuple(requests)
        simulate = super().denied
        return self._once.get((role_arn, asked, region), lambda: simulate(role_arn, asked, region))
