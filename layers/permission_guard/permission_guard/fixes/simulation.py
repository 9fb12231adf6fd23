"""Ask IAM's policy simulator whether a role is now allowed what it lacked, and put the answer into words.

The simulator evaluates the role's policies, its permissions boundary and the service control policies. Its answer is
one more fact, and decides nothing: what it cannot say is unknown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from permission_guard.iam.arn import require_arn
from permission_guard.model.state import Unread
from permission_guard.records import record

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from permission_guard.model.findings import FixRecord

Requests = tuple[tuple[str, str], ...]
"""Actions, each with the resource."""


@record(kw_only=True)
class SimulatedDecision:
    """What the simulator says about an action on a resource.

    `denied_by` are the names of what denies it, in words; empty if it is allowed. `missing_keys` are the condition keys
    that the decision depends on and that only a real call has.
    """

    action: str
    resource: str
    is_allowed: bool
    denied_by: tuple[str, ...] = ()
    missing_keys: tuple[str, ...] = ()

    @property
    def is_denied(self) -> bool:
        """Whether it is denied, whatever a real call would have."""
        return not self.is_allowed and not self.missing_keys


class Simulator(Protocol):
    """Asks IAM's policy simulator."""

    def decisions(self, role_arn: str, requests: Requests, region: str) -> Sequence[SimulatedDecision] | Unread:
        """Return the decision about each action of a role. What the simulator does not answer is left out."""


def simulate(
    fix: FixRecord, region: str, simulator: Simulator, wait: Callable[[float], None], delays: Sequence[float]
) -> str:
    """Return in a sentence what the simulator says about what a fix has brought, empty if there is nothing to ask.

    A denial is asked again after each delay, in seconds: the change of the role may not have propagated yet.
    """
    role_arn, requests = fix.change.get("role_arn", ""), missing_of(fix)
    if not role_arn or not requests:
        return ""
    decisions = simulator.decisions(role_arn, requests, region)
    for delay in delays:
        if isinstance(decisions, Unread) or not any(one.is_denied for one in decisions):
            break
        wait(delay)
        decisions = simulator.decisions(role_arn, requests, region)
    return _sentence(decisions, requests)


def missing_of(fix: FixRecord) -> Requests:
    """Return the actions and resources that a recorded plan is about, empty for one of an earlier version."""
    found = (str(text).partition(" on ") for text in fix.rests_on.get("missing", ()))
    return tuple((action, resource) for action, _, resource in found if resource)


def region_of(function_arn: str) -> str:
    """Return the region of a function, in which the role is used."""
    return require_arn(function_arn).region


def _sentence(decisions: Sequence[SimulatedDecision] | Unread, requests: Requests) -> str:
    if isinstance(decisions, Unread):
        return f"Unknown whether IAM's policy simulator allows what was missing: {decisions}."
    found = {(one.action.lower(), one.resource): one for one in decisions}
    parts = [(one, found.get((one[0].lower(), one[1]))) for one in requests]
    denied = [f"{_name(one)} ({_by(answer)})" for one, answer in parts if answer and answer.is_denied]
    unknown = [f"{_name(one)} ({why})" for one, answer in parts if (why := _doubt(answer))]
    if not denied and not unknown:
        return "IAM's policy simulator allows what was missing."
    sentences = []
    if denied:
        sentences.append(f"IAM's policy simulator denies {'; '.join(denied)}.")
    if unknown:
        sentences.append(f"Unknown to IAM's policy simulator: {'; '.join(unknown)}.")
    return " ".join(sentences)


def _doubt(answer: SimulatedDecision | None) -> str:
    """Return why an answer says nothing, empty if it does."""
    if answer is None:
        return "no answer"
    return f"depends on {', '.join(answer.missing_keys)}, which only a real call has" if answer.missing_keys else ""


def _by(answer: SimulatedDecision) -> str:
    return ", ".join(answer.denied_by) or "no statement allows it"


def _name(request: tuple[str, str]) -> str:
    action, resource = request
    return f"{action} on {resource}"
