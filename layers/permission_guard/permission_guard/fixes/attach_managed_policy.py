"""Attach the fewest managed policies with which a function's execution role has what it lacks: AWS's or the stack's."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from math import inf
from typing import TYPE_CHECKING, ClassVar, Final

from permission_guard.errors import FixRefusedError, RetryableError
from permission_guard.findings.lifecycle import verdict_about
from permission_guard.fixes.base import Plan, Rest
from permission_guard.fixes.certificate import attach
from permission_guard.fixes.guards import functions_sharing, guard_function, guard_role
from permission_guard.fixes.plans import digest_of_policy, unknowns_of_role
from permission_guard.fixes.policy_lists import is_shaped_by_tags, who_may_widen, without_tags
from permission_guard.iam.statements import DENY
from permission_guard.model.arns import role_name
from permission_guard.model.findings import PlannedCall
from permission_guard.model.role_permissions import Permission
from permission_guard.model.state import Unread
from permission_guard.model.verdicts import Outcome
from permission_guard.needs.managed_policies import EVERYWHERE, MANAGED_POLICIES
from permission_guard.needs.owned_policies import owned_service
from permission_guard.records import record
from permission_guard.remedies.aws_cli import aws

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from permission_guard.fixes.base import Check, FixState, Shows, Writer
    from permission_guard.iam import Policy
    from permission_guard.model.findings import Finding
    from permission_guard.model.state import Role, Snapshot
    from permission_guard.model.targets import JSON
    from permission_guard.model.verdicts import Verdict

ATTACHABLE: Final = frozenset(policy.path for policy in MANAGED_POLICIES)
"""The paths and names of the only AWS managed policies that may be attached; template.yaml allows exactly these and the
stack's own."""

_FACTS: Final = ("event_source_mapping", "event_source_arn", "feature", "log_group", "destination")
"""The evidence of a finding that a plan rests on, where the rule has it."""

MAX_POLICIES: Final = 3
"""The most policies that one plan attaches."""


class AttachManagedPolicy:
    """An additive fix: it grants the missing permissions and removes nothing.

    Which policies it attaches, the finding's own rule decides: it evaluates the role with each of them.
    """

    name: ClassVar[str] = "attach-managed-policy"
    rule_ids: ClassVar[frozenset[str]] = frozenset({"PG201", "PG202", "PG203", "PG204", "PG205", "PG206", "PG211"})
    reads: ClassVar[frozenset[str]] = frozenset(
        {
            "cloudformation:DescribeStackResources",
            "ec2:DescribeRegions",
            "iam:GetAccountSummary",
            "lambda:ListFunctions",
            "lambda:ListTags",
            "tag:GetResources",
        }
    )
    writes: ClassVar[frozenset[str]] = frozenset({"iam:AttachRolePolicy", "iam:DetachRolePolicy"})
    is_safe: ClassVar[bool] = True

    def plan(self, finding: Finding, snapshot: Snapshot, fix_state: FixState, check: Check) -> Plan:
        """Return the plan of the attachments; FixRefusedError when a guard refuses or cannot be evaluated."""
        problem = _problem(finding, snapshot, check)
        role_arn = problem.evidence.get("role_arn", "")
        if role_arn != finding.evidence.get("role_arn"):
            # The finding, its alerts and its approval are about another role; the next check reports this one.
            raise RetryableError(f"{finding.function_arn} now uses {role_arn}, and the finding is about another role")
        role = snapshot.roles.get(role_arn)
        if role is None:
            raise FixRefusedError(f"{role_arn} does not exist.")
        if isinstance(role, Unread):
            raise FixRefusedError(f"{role_arn} could not be read: {role}.")
        guard_function(snapshot)
        guard_role(role, snapshot.target.account, fix_state.stack_of(role.name))
        missing = _missing(problem)
        if not missing:
            raise FixRefusedError("The role has every required permission. The problem has another cause.")
        options = _options(missing, finding, snapshot, role, check=check, fix_state=fix_state)
        policies = options.fewest()
        _guard_quota(role, len(policies), fix_state)
        shared_by = functions_sharing(role, snapshot.target, fix_state.functions_of_role(role.arn))
        return Plan(
            summary=f"attach {' and '.join(policies)} to {role_arn}",
            change={"action": "iam:AttachRolePolicy", "role_arn": role_arn, "policy_arns": list(policies)},
            calls=tuple(_attachment(role.name, arn) for arn in policies),
            before=_state(role_arn, role),
            expected=_state(role_arn, options.role_after(policies)),
            rests_on={
                "function_arn": problem.function_arn,
                "subject": problem.subject,
                **{name: problem.evidence[name] for name in _FACTS if problem.evidence.get(name)},
                "missing": sorted(f"{each.action} on {each.resource}" for each in missing),
                **({"functions": list(shared_by)} if shared_by else {}),
                "policy_sha256": {arn: digest_of_policy(document) for arn, document in policies.items()},
            },
            unknowns=(
                *who_may_widen(policies),
                *unknowns_of_role(role, (each.resource for each in missing), snapshot),
            ),
            undo="\n".join(
                aws("iam", "detach-role-policy", snapshot.target.region, role_name=role.name, policy_arn=arn)
                for arn in policies
            ),
            missing=missing,
            grants=_grants(policies.values(), role_arn),
            shared_by=shared_by,
            leads_to=options.state_after(policies),
            certificate=attach(_policies(role), _policies(options.role_after(policies)), policies),
        )

    def apply(self, change: Mapping[str, JSON], writer: Writer, fix_state: FixState, shows: Shows) -> None:  # noqa: ARG002 - the attachments depend on nothing
        """Attach the policies."""
        for arn in _policy_arns(change):
            writer.attach_role_policy(role_name(change["role_arn"]), arn)

    def rest(
        self, change: Mapping[str, JSON], before: Mapping[str, JSON], snapshot: Snapshot, fix_state: FixState
    ) -> Rest | None:
        """Return the policies that are not attached, None if none of the change was attached since.

        The role is read by its ARN: the function may have another one by now.
        """
        role = _role(change, fix_state)
        if role is None:
            return None
        held = before.get("attached_policies") or ()
        done = [arn for arn in _policy_arns(change) if arn in role.attached and arn not in held]
        if not done:
            return None
        others = {arn: policy for arn, policy in role.attached.items() if arn not in done}
        if role.arn in snapshot.roles:
            snapshot = replace(snapshot, roles={**snapshot.roles, role.arn: replace(role, attached=others)})
        left = {**change, "policy_arns": [arn for arn in _policy_arns(change) if arn not in done]}
        return Rest(left, snapshot, tuple(_attachment(role.name, arn) for arn in done))

    def state(self, change: Mapping[str, JSON], fix_state: FixState) -> Mapping[str, JSON]:
        """Return the role and its attached policies, None as the policies of a deleted role."""
        return _state(change["role_arn"], _role(change, fix_state))

    def is_applied(self, change: Mapping[str, JSON], fix_state: FixState) -> bool:
        """Return whether the policies are attached to the role."""
        role = _role(change, fix_state)
        return role is not None and set(_policy_arns(change)) <= set(role.attached)

    def guard_undo(self, change: Mapping[str, JSON], account: str, fix_state: FixState) -> None:
        """Refuse the roles that no policy may be attached to either. A deleted role has nothing to guard."""
        role = fix_state.role(change["role_arn"])
        if isinstance(role, Unread):
            reason = f"{change['role_arn']} could not be read: {role}."
            raise FixRefusedError(reason) if role.denied else RetryableError(reason)
        if role is not None:
            guard_role(role, account, fix_state.stack_of(role.name))

    def undo_calls(
        self, change: Mapping[str, JSON], before: Mapping[str, JSON], fix_state: FixState
    ) -> tuple[PlannedCall, ...]:
        """Return the calls that detach the policies that the change attached, and that are still attached."""
        held = before.get("attached_policies")
        if not isinstance(held, list) or before.get("role_arn") != change["role_arn"]:
            raise FixRefusedError("The record of the fix does not say which policies the role had before.")
        role = _role(change, fix_state)
        return tuple(
            PlannedCall(operation="iam:DetachRolePolicy", parameters={"RoleName": role.name, "PolicyArn": arn})
            for arn in _policy_arns(change)
            if role is not None and arn in role.attached and arn not in held
        )

    def undo(self, call: PlannedCall, change: Mapping[str, JSON], writer: Writer, fix_state: FixState) -> None:  # noqa: ARG002 - nor do these
        """Detach a policy."""
        writer.detach_role_policy(call.parameters["RoleName"], call.parameters["PolicyArn"])


@record
class _Options:
    """The policies that can be attached to the role of a finding, by their ARNs.

    `lists` are the ARNs to choose from, in the order in which they are tried. `hint` says what is not known of tags.
    """

    finding: Finding
    snapshot: Snapshot
    role: Role
    check: Check
    lists: Sequence[Sequence[str]]
    documents: Mapping[str, Policy]
    hint: str

    def fewest(self) -> dict[str, Policy]:
        """Return the fewest policies after which nothing is missing, and of as many those that allow the least.

        FixRefusedError if there are none.
        """
        for arns in self.lists:
            for size in range(1, MAX_POLICIES + 1):
                found = [chosen for chosen in self._sets(arns, size) if _is_fixed(self._after(chosen))]
                if found:
                    return min(found, key=self._cost)
        nearest, after = self._nearest()
        raise FixRefusedError(f"Attaching {nearest} would not help: {after.reason if after else 'unknown'}{self.hint}")

    def _nearest(self) -> tuple[str, Verdict | None]:
        """Return the policy to explain, with what the rule says: of the stack's own the one that leaves least."""
        arns = self.lists[-1]
        own = [(arn, self._after({arn: self.documents[arn]})) for arn in arns if owned_service(arn)]
        if own:
            return min(own, key=lambda each: _still_missing(each[1]))
        return arns[0], self._after({arns[0]: self.documents[arns[0]]})

    def _sets(self, arns: Sequence[str], size: int) -> Iterator[dict[str, Policy]]:
        for some in combinations(arns, size):
            yield {arn: self.documents[arn] for arn in some}

    def _cost(self, policies: Mapping[str, Policy]) -> tuple[float, int]:
        """Return how much policies allow: first what they allow on every resource."""
        grants = _grants(policies.values(), self.role.arn)
        if grants is None:
            return inf, 0
        return sum(each.resource == EVERYWHERE for each in grants), len(grants)

    def _after(self, policies: Mapping[str, Policy]) -> Verdict | None:
        """Return what the finding's rule says if the role has these policies too."""
        return verdict_about(self.finding, self.check(self.state_after(policies)))

    def state_after(self, policies: Mapping[str, Policy]) -> Snapshot:
        """Return the snapshot with the policies attached to the role."""
        return replace(self.snapshot, roles={**self.snapshot.roles, self.role.arn: self.role_after(policies)})

    def role_after(self, policies: Mapping[str, Policy]) -> Role:
        """Return the role with the policies attached."""
        return replace(self.role, attached={**self.role.attached, **policies})


def _problem(finding: Finding, snapshot: Snapshot, check: Check) -> Verdict:
    verdict = verdict_about(finding, check(snapshot))
    if verdict is None:
        raise FixRefusedError("The problem no longer exists.")
    return verdict


def _is_fixed(verdict: Verdict | None) -> bool:
    """Return whether nothing is missing any more. A mapping that AWS disabled stays a problem of its own."""
    return verdict is None or (verdict.outcome is not Outcome.UNKNOWN and not verdict.evidence.get("missing"))


def _still_missing(verdict: Verdict | None) -> int:
    return len(verdict.evidence.get("missing", ())) if verdict else 0


def _missing(problem: Verdict) -> tuple[Permission, ...]:
    role_arn = problem.evidence.get("role_arn", "")
    needs = problem.evidence.get("missing", ())
    return tuple(Permission(role_arn, need["action"], need["resource"]) for need in needs)


def _options(
    missing: Sequence[Permission],
    finding: Finding,
    snapshot: Snapshot,
    role: Role,
    *,
    check: Check,
    fix_state: FixState,
) -> _Options:
    """Return the policies for the services of what is missing, as they are now, and the tags that they depend on.

    FixRefusedError if there are none, or one of them cannot be read.
    """
    services = {permission.action.partition(":")[0] for permission in missing}
    lists = fix_state.policy_lists().candidates(services, role.arn)
    documents = dict(_documents(lists[-1], fix_state))
    found = [[arn for arn in arns if arn in documents] for arns in lists]
    if not documents:
        raise FixRefusedError(fix_state.policy_lists().why_none(services))
    hint = ""
    if any(map(is_shaped_by_tags, documents.values())):
        resources = [each.resource for each in missing]
        tags = {**snapshot.resource_tags, **dict(_tags(resources, snapshot, fix_state))}
        snapshot, hint = replace(snapshot, resource_tags=tags), without_tags(resources, tags)
    return _Options(finding, snapshot, role, check, [arns for arns in found if arns], documents, hint)


def _tags(
    resources: Iterable[str], snapshot: Snapshot, fix_state: FixState
) -> Iterator[tuple[str, Mapping[str, str] | Unread]]:
    """Yield the resources whose tags AWS lists, with them. RetryableError if they cannot be read for now."""
    for resource in dict.fromkeys(resources):
        tags = fix_state.resource_tags(resource, snapshot.target)
        if isinstance(tags, Unread) and not tags.denied:
            raise RetryableError(f"The tags of {resource} could not be read: {tags}.")
        if tags is not None:
            yield resource, tags


def _documents(arns: Iterable[str], fix_state: FixState) -> Iterator[tuple[str, Policy]]:
    for arn in arns:
        document = fix_state.managed_policy(arn)
        if not isinstance(document, Unread):
            yield arn, document
        elif document.code == "NoSuchEntity":  # AWS does not have every policy in every partition
            continue
        else:
            reason = f"{arn} could not be read: {document}."
            raise FixRefusedError(reason) if document.denied else RetryableError(reason)


def _guard_quota(role: Role, more: int, fix_state: FixState) -> None:
    """Refuse a role that can have no more managed policies."""
    quota = fix_state.policies_per_role()
    if isinstance(quota, Unread):
        reason = f"The quota of managed policies of a role could not be read: {quota}."
        raise FixRefusedError(reason) if quota.denied else RetryableError(reason)
    if len(role.attached) + more > quota:
        raise FixRefusedError(
            f"{role.arn} has {len(role.attached)} managed policies, and {more} more would exceed the quota of {quota}: "
            "detach one that it does not need, or let AWS raise the quota."
        )


def _policy_arns(change: Mapping[str, JSON]) -> Sequence[str]:
    """Return the policies of a change. Those of an earlier version had one."""
    arns = change.get("policy_arns")
    return arns if arns is not None else [change["policy_arn"]]


def _attachment(role: str, policy_arn: str) -> PlannedCall:
    return PlannedCall(operation="iam:AttachRolePolicy", parameters={"RoleName": role, "PolicyArn": policy_arn})


def _state(role_arn: str, role: Role | None) -> Mapping[str, JSON]:
    return {"role_arn": role_arn, "attached_policies": sorted(role.attached) if role else None}


def _policies(role: Role) -> list[Policy]:
    """Return the identity-based policies of a role. One that could not be read is the same before and after."""
    return [each for each in (*role.attached.values(), *role.inline.values()) if not isinstance(each, Unread)]


def _grants(documents: Iterable[Policy], role_arn: str) -> tuple[Permission, ...] | None:
    """Return what policies allow a role, None if a statement names what it does not allow."""
    allowing = [each for document in documents for each in document.statements if each.effect != DENY]
    if any(each.malformed or each.not_action or each.not_resource for each in allowing):
        return None
    granted = (
        Permission(role_arn, action, pattern.text)
        for statement in allowing
        for action in statement.action_texts
        for pattern in statement.resources or ()
    )
    return tuple(dict.fromkeys(granted))


def _role(change: Mapping[str, JSON], fix_state: FixState) -> Role | None:
    """Return the role of a change. IAM reads it by its name: one with another path is another one, created since."""
    role = fix_state.role(change["role_arn"])
    if isinstance(role, Unread):
        raise RetryableError(f"{change['role_arn']} could not be read: {role}")
    return role if role is not None and role.arn == change["role_arn"] else None
