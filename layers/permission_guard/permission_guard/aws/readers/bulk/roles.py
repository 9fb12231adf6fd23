"""Roles and policies from one list of the account.

https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html
"""

from __future__ import annotations

from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from permission_guard.aws.calls import read
from permission_guard.aws.readers.bulk.shared import Once, Packed
from permission_guard.aws.readers.roles import RoleReader
from permission_guard.iam import parse_policy
from permission_guard.model.arns import role_name
from permission_guard.model.state import Role, Unread
from permission_guard.sweep.gaps import SharedUnread

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_iam import IAMClient

    from permission_guard.iam import Policy

ACTION: Final = "iam:GetAccountAuthorizationDetails"

_PAGE: Final = 200
"""Roles and policies a page: IAM allows 1,000, but a page of documents is large in memory."""

_MOST_PARSED: Final = 256
_MOST_DENIED: Final = 3
"""After how many roles that AWS denied to read one by one, with none that it allowed, no other one is tried."""


class RoleList(RoleReader):
    """The roles of the account, from one list. A role or a policy that is not in it is read alone, once.

    A role may be newer than the list, and AWS may have denied the list: then its roles are read one by one, as long as
    AWS does not deny that too. The documents are kept compressed, and the last parsed ones as they are. Safe for
    threads: the list and each role are read once, and `forget` does nothing.
    """

    name: Final = "the roles"

    def __init__(self, client: IAMClient, *, is_selected: bool) -> None:
        super().__init__(client)
        self._is_selected = is_selected
        self._once = Once()
        self._lock = Lock()
        self._details: dict[str, Packed[Mapping[str, Any]]] = {}
        self._documents: dict[str, Packed[Any]] = {}
        self._list_unread: Unread | None = None
        self._denied = self._allowed = 0
        self._parsed = lru_cache(_MOST_PARSED)(self._from_list)
        self._parsed_policy = lru_cache(_MOST_PARSED)(self._policy_from_list)

    def load(self) -> None:
        """Read the list."""
        if self._is_selected:
            self._once.get("list", self._read_list)

    def forget(self) -> None:
        """Keep everything: it is read once."""

    def role(self, arn: str) -> Role | Unread | None:
        """Return a role. Waits for the list."""
        self.load()
        name = role_name(arn)
        if name in self._details:
            return self._parsed(name)
        return self._once.get(("role", name), lambda: self._read_alone(arn))

    def managed_policy(self, arn: str) -> Policy | Unread:
        """Return the default version of a managed policy."""
        self.load()
        if arn in self._documents:
            return self._parsed_policy(arn)
        return self._once.get(("policy", arn), lambda: self._read_managed(arn))

    @property
    def unread(self) -> tuple[SharedUnread, ...]:
        """The list, if it could not be read, and neither could each role alone."""
        if self._list_unread is None or not self._denied:
            return ()
        return (SharedUnread(self.name, self._list_unread),)

    def _read_list(self) -> None:
        def pages() -> None:
            listed = self._iam.get_paginator("get_account_authorization_details").paginate(
                Filter=["Role", "LocalManagedPolicy", "AWSManagedPolicy"], PaginationConfig={"PageSize": _PAGE}
            )
            for page in listed:
                for role in page.get("RoleDetailList", []):
                    self._details[role["RoleName"]] = Packed({key: role[key] for key in _MEMBERS if key in role})
                for policy in page.get("Policies", []):
                    document = _default_document(policy)
                    if document is not None:
                        self._documents[policy["Arn"]] = Packed(document)

        reply = read(ACTION, pages)
        self._list_unread = reply if isinstance(reply, Unread) else None

    def _read_alone(self, arn: str) -> Role | Unread | None:
        with self._lock:
            if self._list_unread is not None and self._denied >= _MOST_DENIED and not self._allowed:
                return self._list_unread
        found = super().role(arn)
        is_denied = isinstance(found, Unread) and found.denied
        with self._lock:
            self._denied += is_denied
            self._allowed += not isinstance(found, Unread)
        return self._list_unread if is_denied and self._list_unread is not None else found

    def _from_list(self, name: str) -> Role:
        role = self._details[name].unpack()
        boundary_arn = role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")
        return Role(
            arn=role["Arn"],
            name=role["RoleName"],
            path=role["Path"],
            tags={tag["Key"]: tag["Value"] for tag in role.get("Tags", [])},
            trust_policy=parse_policy(role["AssumeRolePolicyDocument"], name="trust policy"),
            attached={
                policy["PolicyArn"]: self.managed_policy(policy["PolicyArn"])
                for policy in role.get("AttachedManagedPolicies", [])
            },
            inline={
                policy["PolicyName"]: parse_policy(policy["PolicyDocument"], name=policy["PolicyName"])
                for policy in role.get("RolePolicyList", [])
            },
            boundary_arn=boundary_arn,
            boundary=self.managed_policy(boundary_arn) if boundary_arn else None,
        )

    def _policy_from_list(self, arn: str) -> Policy:
        return parse_policy(self._documents[arn].unpack(), name=arn)


_MEMBERS: Final = (
    "Arn",
    "RoleName",
    "Path",
    "Tags",
    "AssumeRolePolicyDocument",
    "AttachedManagedPolicies",
    "RolePolicyList",
    "PermissionsBoundary",
)


def _default_document(policy: Mapping[str, Any]) -> Any | None:
    """Return the document of a policy's default version, None if the list does not have it."""
    default = policy.get("DefaultVersionId")
    versions = policy.get("PolicyVersionList", [])
    return next((version.get("Document") for version in versions if version.get("VersionId") == default), None)
