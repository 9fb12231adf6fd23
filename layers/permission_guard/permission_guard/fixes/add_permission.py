"""Add the statement that a configured trigger needs: for one AWS service and one source, never for everyone."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from permission_guard.errors import FixRefusedError
from permission_guard.fixes.certify import Kind
from permission_guard.fixes.invoke_policies import named
from permission_guard.fixes.policy_change import PolicyChange
from permission_guard.fixes.policy_plans import Draft, Subject, planned, subject_of
from permission_guard.fixes.proven_sources import proven_sources
from permission_guard.invokers import invoker_of
from permission_guard.invokers.trigger_calls import decisions
from permission_guard.remedies.permission import statement_of
from permission_guard.remedies.trigger_permission import permission_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from permission_guard.fixes.base import Check, FixState, Plan
    from permission_guard.model.findings import Finding
    from permission_guard.model.state import Snapshot, Trigger
    from permission_guard.model.targets import JSON


class AddPermission(PolicyChange):
    """Allow one trigger each action that no statement allows it.

    It grants something new, so it is not safe: whoever can configure a trigger would have the bot allow it.
    """

    name: ClassVar[str] = "add-permission"
    rule_ids: ClassVar[frozenset[str]] = frozenset({"PG112"})
    is_safe: ClassVar[bool] = False

    def plan(self, finding: Finding, snapshot: Snapshot, fix_state: FixState, check: Check) -> Plan:  # noqa: ARG002 - nothing is removed
        """Return the plan; FixRefusedError for a URL, and for a service that the bot may not allow."""
        subject = subject_of(finding, snapshot, check)
        trigger = _trigger(subject)
        added = tuple(_missing(subject, trigger))
        draft = Draft(
            kind=Kind.ADD,
            words=f"allow {trigger.source} to invoke {subject.policy.resource_arn}",
            added=added,
            removed=(),
            sources=proven_sources(snapshot, subject.policy, [trigger.principal]),
            unknowns=(f"Whether {trigger.description} is meant to invoke the function.",),
        )
        return planned(subject, draft, check)


def _trigger(subject: Subject) -> Trigger:
    """Return the trigger that a finding is about. FixRefusedError for a function URL."""
    named_by = subject.problem.subject or ""
    for inventory in subject.snapshot.inventories:
        for trigger in inventory.triggers:
            is_same = trigger.function_arn == subject.problem.function_arn
            if is_same and named_by == f"trigger/{trigger.principal}/{trigger.source}":
                return trigger
    raise FixRefusedError("The bot never allows calls through a function URL. A person has to decide who may call it.")


def _missing(subject: Subject, trigger: Trigger) -> Iterator[Mapping[str, JSON]]:
    """Yield the statements for the actions that the policy denies the trigger."""
    invoker = invoker_of(trigger.principal)
    for action in invoker.actions:
        made = decisions(trigger, action, subject.policy, subject.snapshot.own_organization)
        if all(one.denied for one in made):
            yield named(statement_of(permission_of(trigger, invoker, action), subject.policy.resource_arn))
