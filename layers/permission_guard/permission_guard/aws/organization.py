"""Ask which organization the account is in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.aws.calls import read

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_organizations import OrganizationsClient

    from permission_guard.model import Unread


class OrganizationReader:
    """What AWS Organizations tells any account of its own organization; asked once, and only when it matters.

    https://docs.aws.amazon.com/organizations/latest/APIReference/API_DescribeOrganization.html
    """

    def __init__(self, client: Callable[[], OrganizationsClient]) -> None:
        self._client = client
        self._seen: list[str | Unread | None] = []

    def own_organization(self) -> str | Unread | None:
        """Return the id of the account's organization, None when it is in none."""
        if not self._seen:
            reply = read(
                "organizations:DescribeOrganization",
                lambda: self._client().describe_organization()["Organization"]["Id"],
            )
            self._seen.append(reply)
        return self._seen[0]
