"""Read all roles and users of an account with their policies, from one list.

https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any, Final, cast

from permission_guard.aws.calls import read
from permission_guard.iam import parse_policy
from permission_guard.model.identities import AccountIdentities, Identity
from permission_guard.model.state import Unread

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mypy_boto3_iam import IAMClient

    from permission_guard.iam import Policy

    _Policies = dict[str, Policy | Unread]

ACTION: Final = "iam:GetAccountAuthorizationDetails"

_KINDS: Final = ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")


class IdentityReader:
    """Reads the roles and users of the account of a client."""

    def __init__(self, client: IAMClient) -> None:
        self._iam = client

    def read(self, account: str) -> AccountIdentities:
        """Return the roles and users of the account. What AWS denies is in it as unread; nothing raises."""

        def pages() -> dict[str, list[Any]]:
            found: dict[str, list[Any]] = {kind: [] for kind in _KINDS}
            for page in self._iam.get_paginator("get_account_authorization_details").paginate():
                for kind, details in found.items():
                    details.extend(cast("dict[str, list[Any]]", page).get(kind, []))
            return found

        reply = read(ACTION, pages)
        if reply is None or isinstance(reply, Unread):
            unread = reply or Unread(ACTION, "NotFound", "no list", denied=False)
            return AccountIdentities(account, unread=unread)
        details = _Details(reply)
        return AccountIdentities(account, tuple(sorted(details.identities(), key=lambda one: one.arn)))


class _Details:
    """The reply of GetAccountAuthorizationDetails, all of its pages. Each managed policy is parsed once."""

    def __init__(self, reply: Mapping[str, list[Any]]) -> None:
        self._reply = reply
        self._managed = {policy["Arn"]: _default_document(policy) for policy in reply["Policies"]}
        self._parsed: dict[str, Policy | Unread] = {}
        self._groups = {
            group["GroupName"]: self._policies(group, "GroupPolicyList", f"group {group['GroupName']}: ")
            for group in reply["GroupDetailList"]
        }

    def identities(self) -> Iterator[Identity]:
        """Yield each role and user."""
        for role in self._reply["RoleDetailList"]:
            trust = parse_policy(role["AssumeRolePolicyDocument"], name="trust policy")
            yield self._identity(role, self._policies(role, "RolePolicyList"), trust)
        for user in self._reply["UserDetailList"]:
            of_groups = chain.from_iterable(self._group(name).items() for name in user.get("GroupList", []))
            yield self._identity(user, {**self._policies(user, "UserPolicyList"), **dict(of_groups)}, None)

    def _identity(self, details: Mapping[str, Any], policies: _Policies, trust: Policy | None) -> Identity:
        boundary_arn = details.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")
        return Identity(
            arn=details["Arn"],
            tags={tag["Key"]: tag["Value"] for tag in details.get("Tags", [])},
            policies=policies,
            boundary_arn=boundary_arn,
            boundary=self._managed_policy(boundary_arn) if boundary_arn else None,
            trust_policy=trust,
        )

    def _group(self, name: str) -> _Policies:
        """Return the policies of a group. One that the list lacks was created or deleted while it was read."""
        missing: _Policies = {f"group {name}": _absent(f"the group {name} is not in the list")}
        return self._groups.get(name, missing)

    def _policies(self, details: Mapping[str, Any], inline: str, prefix: str = "") -> _Policies:
        found: _Policies = {
            f"{prefix}{policy['PolicyArn']}": self._managed_policy(policy["PolicyArn"])
            for policy in details.get("AttachedManagedPolicies", [])
        }
        for policy in details.get(inline, []):
            name = f"{prefix}{policy['PolicyName']}"
            found[name] = parse_policy(policy["PolicyDocument"], name=name)
        return found

    def _managed_policy(self, arn: str) -> Policy | Unread:
        if arn not in self._parsed:
            document = self._managed.get(arn)
            self._parsed[arn] = (
                _absent(f"{arn} is not in the list") if document is None else parse_policy(document, name=arn)
            )
        return self._parsed[arn]


def _absent(message: str) -> Unread:
    return Unread(ACTION, "NotFound", message, denied=False)


def _default_document(policy: Mapping[str, Any]) -> Any | None:
    """Return the document of a policy's default version, None if the list does not have it."""
    default = policy.get("DefaultVersionId")
    versions = policy.get("PolicyVersionList", [])
    return next((version.get("Document") for version in versions if version.get("VersionId") == default), None)
