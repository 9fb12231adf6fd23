"""Read which organization the account is in, and what its policies deny."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from permission_guard.aws.calls import read
from permission_guard.model.state import Unread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from mypy_boto3_iam import IAMClient
    from mypy_boto3_organizations import OrganizationsClient

_SIMULATE: Final = "iam:SimulatePrincipalPolicy"

Denials = frozenset[tuple[str, str]]
"""Actions and the resources on which they are denied."""


class OrganizationReader:
    """Reads what any account can know about its own organization.

    A member account cannot read service control policies, but IAM's policy simulator evaluates them.
    https://docs.aws.amazon.com/organizations/latest/APIReference/API_DescribeOrganization.html
    https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
    """

    def __init__(self, organizations: Callable[[], OrganizationsClient], iam: Callable[[], IAMClient]) -> None:
        self._organizations = organizations
        self._iam = iam
        self.forget()

    def forget(self) -> None:
        """Drop the cache, so that everything is read again."""
        self._cached: list[str | Unread | None] = []

    def own_organization(self) -> str | Unread | None:
        """Return the id of the account's organization, None if it is in none. It is read once."""
        if not self._cached:
            reply = read(
                "organizations:DescribeOrganization",
                lambda: self._organizations().describe_organization()["Organization"]["Id"],
            )
            self._cached.append(reply)
        return self._cached[0]

    def denied(self, role_arn: str, requests: Iterable[tuple[str, str]], region: str) -> Denials | Unread:
        """Return which of the actions, each with its resource, the organization's policies deny a role.

        A denial that depends on a condition key that only a real call has is not among them. If there are only such
        denials, the result is unread.
        """
        actions: dict[str, dict[str, None]] = {}
        for action, resource in requests:
            actions.setdefault(resource, {})[action] = None
        found: set[tuple[str, str]] = set()
        keys: dict[str, None] = {}
        for resource, names in actions.items():
            results = self.simulated(role_arn, resource, list(names), region)
            if isinstance(results, Unread):
                return results
            for result in filter(_is_denied, results):
                missing = result.get("MissingContextValues") or ()
                keys |= dict.fromkeys(missing)
                if not missing:
                    found.add((result["EvalActionName"], resource))
        if keys and not found:
            message = f"a denial depends on {', '.join(keys)}, which only a real call has"
            return Unread(_SIMULATE, "MissingContextValues", message, denied=True)
        return frozenset(found)

    def simulated(self, role_arn: str, resource: str, actions: list[str], region: str) -> list[Any] | Unread:
        """Return the simulator's results for actions of a role on a resource, empty if the role does not exist."""

        def call() -> list[Any]:
            pages = (
                self._iam()
                .get_paginator("simulate_principal_policy")
                .paginate(
                    PolicySourceArn=role_arn,
                    ActionNames=actions,
                    ResourceArns=[resource],
                    ContextEntries=[
                        _entry("aws:RequestedRegion", region),
                        _entry("aws:SecureTransport", "true", kind="boolean"),
                        _entry("aws:ViaAWSService", "false", kind="boolean"),
                    ],
                )
            )
            return [result for page in pages for result in page["EvaluationResults"]]

        return read(_SIMULATE, call) or []


def _is_denied(result: Any) -> bool:
    return not result.get("OrganizationsDecisionDetail", {}).get("AllowedByOrganizations", True)


def _entry(key: str, value: str, kind: str = "string") -> Any:
    return {"ContextKeyName": key, "ContextKeyType": kind, "ContextKeyValues": [value]}
