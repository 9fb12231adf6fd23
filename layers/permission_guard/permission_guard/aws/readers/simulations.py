"""What IAM's policy simulator decides about a role's actions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from permission_guard.fixes.simulation import Requests, SimulatedDecision
from permission_guard.model.state import Unread

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from permission_guard.aws.readers.organization import OrganizationReader

_ALLOWED: Final = "allowed"
_EXPLICIT: Final = "explicitDeny"


class PolicySimulator:
    """Reads the simulator's decisions: a call for each resource, with all actions on it.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_EvaluationResult.html
    """

    def __init__(self, reader: OrganizationReader) -> None:
        self._reader = reader

    def decisions(self, role_arn: str, requests: Requests, region: str) -> tuple[SimulatedDecision, ...] | Unread:
        """Return the decision about each action of a role. What the simulator does not answer is left out."""
        actions: dict[str, dict[str, None]] = {}
        for action, resource in requests:
            actions.setdefault(resource, {})[action] = None
        found: list[SimulatedDecision] = []
        for resource, names in actions.items():
            results = self._reader.simulated(role_arn, resource, list(names), region)
            if isinstance(results, Unread):
                return results
            found += (_decision(result, resource) for result in results)
        return tuple(found)


def _decision(result: Mapping[str, Any], resource: str) -> SimulatedDecision:
    # For a resource that the request names, AWS lists the missing context keys with the results of that resource.
    results = [result, *(result.get("ResourceSpecificResults") or ())]
    keys = dict.fromkeys(key for one in results for key in one.get("MissingContextValues") or ())
    is_allowed = result.get("EvalDecision") == _ALLOWED
    return SimulatedDecision(
        action=result.get("EvalActionName", ""),
        resource=resource,
        is_allowed=is_allowed,
        denied_by=() if is_allowed else tuple(dict.fromkeys(_denied_by(result))),
        missing_keys=tuple(keys),
    )


def _denied_by(result: Mapping[str, Any]) -> Iterator[str]:
    """Yield what denies an action: the organization, the boundary, and the policies with a Deny."""
    if not (result.get("OrganizationsDecisionDetail") or {}).get("AllowedByOrganizations", True):
        yield "the organization's policies do not allow it"
    if not (result.get("PermissionsBoundaryDecisionDetail") or {}).get("AllowedByPermissionsBoundary", True):
        yield "the permissions boundary does not allow it"
    if result.get("EvalDecision") == _EXPLICIT:
        for statement in result.get("MatchedStatements") or ():
            yield f"a statement of {statement.get('SourcePolicyId', 'a policy')} denies it"
