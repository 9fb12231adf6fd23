"""Snapshots of functions with other statements in one of their policies."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from permission_guard.iam import parse_policy
from permission_guard.model.arns import parse_function_arn
from permission_guard.model.state import ResourcePolicy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from permission_guard.iam import Policy
    from permission_guard.model.state import Snapshot
    from permission_guard.model.targets import JSON


def policy_in(snapshot: Snapshot, resource_arn: str) -> ResourcePolicy | None:
    """Return the policy of a function, version or alias, None if it has none or it was not read."""
    found = (one for one in snapshot.resource_policies if isinstance(one, ResourcePolicy))
    return next((one for one in found if one.resource_arn == resource_arn), None)


def document_of(policy: ResourcePolicy | None, statements: Sequence[Mapping[str, JSON]]) -> Policy:
    """Return the document of a policy with other statements."""
    held = policy.document.document if policy else None
    elements = {name: value for name, value in held.items() if name != "Statement"} if isinstance(held, dict) else {}
    document = {"Version": "2012-10-17", **elements, "Statement": [dict(one) for one in statements]}
    return parse_policy(document, name="resource-based policy")


def with_statements(snapshot: Snapshot, resource_arn: str, statements: Sequence[Mapping[str, JSON]]) -> Snapshot:
    """Return the snapshot in which a policy has these statements. One without statements does not exist."""
    policy = policy_in(snapshot, resource_arn)
    others = [one for one in snapshot.resource_policies if one is not policy]
    if statements:
        _, qualifier = parse_function_arn(resource_arn)
        others.append(ResourcePolicy(resource_arn, qualifier, document_of(policy, statements)))
    return replace(snapshot, resource_policies=tuple(others))
