"""Base class of the rules on needs: each subject requires actions, and its role must be allowed all of them."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from permission_guard.iam import EvalDecision, parse_policy
from permission_guard.iam.arn import require_arn
from permission_guard.model.state import Role, Unread
from permission_guard.model.targets import Direction
from permission_guard.model.verdicts import Verdict, finding_id
from permission_guard.needs.decision import decide
from permission_guard.records import field, record
from permission_guard.remedies import execution_role as role_remedies
from permission_guard.rules.base import Rule, known
from permission_guard.rules.execution_role.role_rule import POLICY_READS, ROLE_READS
from permission_guard.rules.wording import listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from permission_guard.iam import Decision
    from permission_guard.model.state import EventSourceMapping, Function, Snapshot
    from permission_guard.model.targets import JSON
    from permission_guard.model.verdicts import Remedy
    from permission_guard.needs.base import Need


@record
class Requirement:
    """What one subject requires of the role of a function or a version.

    `purpose` continues "cannot ..." and "is allowed to ...". `managed_policy` is the path and name of the AWS managed
    policy with all of the needs, empty if there is none. `facts` are added to the evidence. `mapping` is the event
    source mapping of the subject, if any.
    """

    function: Function
    subject: str
    needs: tuple[Need, ...]
    purpose: str
    managed_policy: str = ""
    facts: Mapping[str, JSON] = field(default_factory=dict)
    mapping: EventSourceMapping | None = None


@record
class MissingPermissions:
    """The needs that a role is not allowed, and why.

    `decisions` has a decision for each need, and is empty if the role does not exist. `in_the_way` has the needs that
    stay denied even if the role's own policies allow them: by a Deny, the permissions boundary, the resource's policy
    or a policy of the organization.
    """

    needs: tuple[Need, ...]
    cause: str
    role: Role | None = None
    decisions: Mapping[Need, Decision] = field(default_factory=dict)
    in_the_way: Mapping[Need, Decision] = field(default_factory=dict)

    @property
    def is_denied(self) -> bool:
        """Whether a Deny must be changed: it overrides every Allow."""
        return any(decision.decision is EvalDecision.EXPLICIT_DENY for decision in self.in_the_way.values())

    @property
    def bounded(self) -> tuple[Need, ...]:
        """The needs that the permissions boundary does not allow."""
        return tuple(need for need, decision in self.in_the_way.items() if decision.blocked_by == "boundary")

    @property
    def foreign(self) -> tuple[Need, ...]:
        """The needs that the resource's own policy must allow."""
        return tuple(need for need, decision in self.in_the_way.items() if decision.blocked_by == "resource")

    @property
    def by_organization(self) -> tuple[Need, ...]:
        """The needs that a policy of the organization denies."""
        return tuple(need for need, decision in self.in_the_way.items() if decision.blocked_by == "organization")

    @property
    def own(self) -> tuple[Need, ...]:
        """The needs that the role's own policies do not allow."""
        if self.role is None:
            return self.needs
        return tuple(need for need, decision in self.decisions.items() if decision.blocked_by == "identity")


class NeedRule(Rule):
    """A rule that checks one requirement for each subject."""

    direction = Direction.EXECUTION_ROLE
    grace_period = True
    reads: ClassVar[frozenset[str]] = ROLE_READS | POLICY_READS

    @abstractmethod
    def requirements(self, snapshot: Snapshot) -> Iterable[Requirement | Verdict]:
        """Yield what each subject requires, or its verdict if nothing is left to check."""

    @abstractmethod
    def impact(self, requirement: Requirement) -> str:
        """Return what fails while an action is missing."""

    def title(self, requirement: Requirement, missing: Sequence[Need]) -> str:  # noqa: ARG002 - for rules that override it
        """Return what the function cannot do."""
        return f"{requirement.function.name} cannot {requirement.purpose}"

    def check(self, snapshot: Snapshot) -> Iterator[Verdict]:
        """Yield a verdict for each subject; skip a version with the same requirement of the same role."""
        checked = set()
        for requirement in self.requirements(snapshot):
            if isinstance(requirement, Verdict):
                yield requirement
                continue
            key = (requirement.function.role_arn, requirement.subject, requirement.needs)
            if key not in checked:
                checked.add(key)
                yield self.check_requirement(requirement, snapshot)

    def check_requirement(self, requirement: Requirement, snapshot: Snapshot) -> Verdict:
        """Return the verdict on one subject."""
        function, subject = requirement.function, requirement.subject
        role = snapshot.roles.get(function.role_arn)
        if isinstance(role, Unread):
            return self.unknown(function.arn, subject, str(role))
        if role is None:
            return self.unknown(function.arn, subject, f"{function.role_arn} does not exist; PG207 reports it.")
        needs = [need for need in requirement.needs if not need.recommended]
        decisions = {
            need: decide(need, role, function.arn, snapshot.source_policies, snapshot.resource_tags) for need in needs
        }
        missing = {need: decision for need, decision in decisions.items() if decision.denied}
        if missing:
            return self.lacking(requirement, _lack(role, missing, function, snapshot))
        unclear: dict[str, list[Need]] = {}
        for need, decision in decisions.items():
            if not decision.allowed:
                why = f"Unknown: {need.doubt}." if need.doubt else decision.explain()
                unclear.setdefault(why, []).append(need)
        if unclear:
            reasons = (f"{list_of(of, ' and ')}: {why}" for why, of in unclear.items())
            return self.unknown(function.arn, subject, " ".join(reasons))
        return self.passed(function.arn, subject, f"{role.arn} is allowed to {requirement.purpose}.")

    def lacking(self, requirement: Requirement, lack: MissingPermissions) -> Verdict:
        """Return the violation that a role lacks what a subject requires."""
        function = requirement.function
        lacks = f"{function.role_arn} is not allowed {list_of(lack.needs)}." if lack.needs else f"{function.role_arn}:"
        return self.violation(
            function_arn=function.arn,
            subject=requirement.subject,
            title=self.title(requirement, lack.needs),
            reason=" ".join([lacks, *_purposes(lack.needs), lack.cause, *_advice(lack)]),
            impact=self.impact(requirement),
            evidence={
                "role_arn": function.role_arn,
                "missing": [_shown(need) for need in lack.needs],
                "managed_policy_arn": _managed_policy_arn(requirement),
                **_obstacles(lack),
                **requirement.facts,
                **_state_reasons(function),
            },
            remedies=self.remedies(requirement, lack),
        )

    def remedies(self, requirement: Requirement, lack: MissingPermissions) -> tuple[Remedy, ...]:
        """Return the remedies: an AWS managed policy if one has all needs, else a policy with the missing actions.

        If another policy must change too, the only remedy is the statement for the role or its boundary. If a Deny
        must change, there is no remedy.
        """
        if lack.is_denied:
            return ()
        if lack.role is None or lack.in_the_way:
            wanted = [need for need in lack.needs if need in lack.own or need in lack.bounded]
            return (role_remedies.statement_remedy(wanted),) if wanted else ()
        region = require_arn(requirement.function.arn).region
        if requirement.managed_policy:
            written = role_remedies.attached(lack.role.arn, requirement.managed_policy, region)
        else:
            found = finding_id(self.id, requirement.function.arn, requirement.subject)
            name = role_remedies.free_name(f"{self.name.removesuffix('-missing')}-{found[:8]}", lack.role)
            written = role_remedies.put(lack.role.arn, name, lack.needs, region)
        return (*written, role_remedies.statement_remedy(lack.needs))


def functions_of(snapshot: Snapshot) -> Iterator[Function]:
    """Yield the function, and then those of its versions that were read.

    NeedRule skips a version with the same requirement of the same role.
    """
    own = known(snapshot.versions.get(snapshot.target.arn))
    if own is not None:
        yield own
    for arn, version in sorted(snapshot.versions.items()):
        if arn != snapshot.target.arn and version is not None and not isinstance(version, Unread):
            yield version


def list_of(needs: Iterable[Need], joint: str = "; ") -> str:
    """Return the actions with their resources for a sentence."""
    actions: dict[str, dict[str, None]] = {}
    for need in needs:
        actions.setdefault(need.resource, {})[need.action] = None
    return joint.join(f"{listed(named)} on {resource}" for resource, named in actions.items())


def _lack(role: Role, missing: Mapping[Need, Decision], function: Function, snapshot: Snapshot) -> MissingPermissions:
    """Return what is missing, with what stays denied if the role's own policies allow all of it."""
    own = parse_policy({"Version": "2012-10-17", "Statement": role_remedies.statements(list(missing))})
    fixed = replace(role, inline={**role.inline, "": own})
    after = {
        need: decide(need, fixed, function.arn, snapshot.source_policies, snapshot.resource_tags) for need in missing
    }
    return MissingPermissions(
        tuple(missing),
        " ".join(sorted({decision.explain() for decision in missing.values()})),
        role,
        missing,
        {need: decision for need, decision in after.items() if decision.denied},
    )


def _managed_policy_arn(requirement: Requirement) -> str | None:
    role_arn = requirement.function.role_arn
    return role_remedies.by_aws(requirement.managed_policy, role_arn) if requirement.managed_policy else None


def _purposes(needs: Iterable[Need]) -> Iterator[str]:
    """Yield why Lambda needs the actions, if the needs say it."""
    purposes = dict.fromkeys(need.purpose for need in needs if need.purpose)
    if purposes:
        yield f"Lambda needs this {listed(purposes)}."


def _advice(lack: MissingPermissions) -> Iterator[str]:
    """Yield which policies besides the role's must change."""
    if lack.is_denied:
        yield "Adding a policy to the role does not help: change the Deny."
    if lack.by_organization:
        yield "Adding a policy to the role does not help: change the organization's policy."
    if lack.role and lack.bounded:
        yield f"The permissions boundary {lack.role.boundary_arn} must allow it too."
    for resource in dict.fromkeys(need.resource for need in lack.foreign):
        yield f"The policy of {resource} must allow the role or its account."


def _obstacles(lack: MissingPermissions) -> dict[str, JSON]:
    """Return the denying statements, the boundary and the organization's denials as evidence."""
    found: dict[str, JSON] = {}
    statements = dict.fromkeys(
        decision.statement for decision in lack.in_the_way.values() if decision.decision is EvalDecision.EXPLICIT_DENY
    )
    if statements:
        found["denied_by"] = [
            {"statement": one.sid or one.index + 1, "policy": one.policy, "kind": one.kind} for one in statements if one
        ]
    if lack.role and lack.bounded:
        found["permissions_boundary_arn"] = lack.role.boundary_arn
    if lack.by_organization:
        found["denied_by_organization"] = [_shown(need) for need in lack.by_organization]
    return found


def _shown(need: Need) -> dict[str, JSON]:
    purpose = {"purpose": need.purpose} if need.purpose else {}
    return {"action": need.action, "resource": need.resource, **purpose}


_REASONS = {
    "StateReasonCode": "function_state_reason_code",
    "StateReason": "function_state_reason",
    "LastUpdateStatusReasonCode": "function_update_reason_code",
    "LastUpdateStatusReason": "function_update_reason",
}


def _state_reasons(function: Function) -> dict[str, JSON]:
    """Return AWS's reasons for the function's state, such as `InsufficientRolePermissions`."""
    return {name: function.configuration[key] for key, name in _REASONS.items() if function.configuration.get(key)}
