"""Attach the one AWS managed policy that has the permissions an execution role lacks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from permission_guard.errors import FixRefusedError, RetryableError
from permission_guard.fixes.base import Plan
from permission_guard.fixes.guards import guard_function, guard_role
from permission_guard.fixes.plans import digest_of_policy, unknowns_of_role
from permission_guard.iam.statements import DENY
from permission_guard.model.arns import role_name
from permission_guard.model.findings import PlannedCall
from permission_guard.model.role_permissions import Permission
from permission_guard.model.state import Function, Role, Unread, subject
from permission_guard.needs.base import NeedKind, required
from permission_guard.needs.decision import decide
from permission_guard.needs.event_sources import event_source_of
from permission_guard.needs.event_sources.dynamodb import DynamoDB
from permission_guard.needs.event_sources.kinesis import Kinesis
from permission_guard.needs.event_sources.sqs import Sqs
from permission_guard.remedies.aws_cli import aws
from permission_guard.remedies.execution_role import by_aws

if TYPE_CHECKING:
    from collections.abc import Mapping

    from permission_guard.fixes.base import FixState, Writer
    from permission_guard.iam import Policy
    from permission_guard.model.findings import Finding
    from permission_guard.model.state import EventSourceMapping, Snapshot
    from permission_guard.model.targets import JSON

ATTACHABLE = frozenset(source.managed_policy for source in (DynamoDB, Kinesis, Sqs))
"""The paths and names of the only policies that may be attached; template.yaml allows exactly the same ones."""


class AttachManagedPolicy:
    """An additive fix: it grants the missing permissions and removes nothing."""

    name: ClassVar[str] = "attach-managed-policy"
    rule_ids: ClassVar[frozenset[str]] = frozenset({"PG201"})
    reads: ClassVar[frozenset[str]] = frozenset(
        {"lambda:ListTags", "cloudformation:DescribeStackResources", "ec2:DescribeRegions"}
    )
    writes: ClassVar[frozenset[str]] = frozenset({"iam:AttachRolePolicy"})

    def plan(self, finding: Finding, snapshot: Snapshot, fix_state: FixState) -> Plan:
        """Return the plan of the attachment; FixRefusedError when a guard refuses or cannot be evaluated."""
        mapping = _mapping(finding, snapshot)
        source = event_source_of(mapping)
        if source is None or source.managed_policy not in ATTACHABLE:
            raise FixRefusedError("The bot attaches no AWS managed policy for this type of event source.")
        function, role = _function_and_role(mapping, snapshot)
        if role.arn != finding.evidence.get("role_arn"):
            # The finding, its alerts and its approval are about another role; the next check reports this one.
            raise RetryableError(f"{function.arn} now uses {role.arn}, and the finding is about another role")
        guard_function(snapshot, finding)
        guard_role(role, snapshot.target.account, fix_state.stack_of(role.name))
        own = snapshot.source_policies
        needs = required(source.needs(mapping, snapshot.sources), NeedKind.READ)
        missing = tuple(need for need in needs if not decide(need, role, function.arn, own).allowed)
        if not missing:
            raise FixRefusedError("The role has every required permission. The problem has another cause.")
        policy_arn = by_aws(source.managed_policy, role.arn)
        document = fix_state.managed_policy(policy_arn)
        if isinstance(document, Unread):
            reason = f"{policy_arn} could not be read: {document}."
            is_permanent = document.denied or document.code == "NoSuchEntity"
            raise FixRefusedError(reason) if is_permanent else RetryableError(reason)
        fixed_role = replace(role, attached={**role.attached, policy_arn: document})
        for need in needs:
            decision = decide(need, fixed_role, function.arn, own)
            if not decision.allowed:
                raise FixRefusedError(f"Attaching {policy_arn} would not help: {decision.explain()}")
        return Plan(
            summary=f"attach {policy_arn} to {role.arn}",
            change={"action": "iam:AttachRolePolicy", "role_arn": role.arn, "policy_arn": policy_arn},
            calls=(
                PlannedCall(
                    operation="iam:AttachRolePolicy",
                    parameters={"RoleName": role_name(role.arn), "PolicyArn": policy_arn},
                ),
            ),
            before=_state(role.arn, role),
            expected=_state(role.arn, fixed_role),
            rests_on={
                "function_arn": function.arn,
                "event_source_mapping": mapping.uuid,
                "event_source_arn": mapping.event_source_arn,
                "missing": sorted(f"{need.action} on {need.resource}" for need in missing),
                "policy_arn": policy_arn,
                "policy_sha256": digest_of_policy(document),
            },
            unknowns=tuple(unknowns_of_role(role, (need.resource for need in missing), snapshot)),
            undo=aws("iam", "detach-role-policy", snapshot.target.region, role_name=role.name, policy_arn=policy_arn),
            missing=tuple(Permission(role.arn, need.action, need.resource) for need in missing),
            grants=_grants(document, role.arn),
        )

    def apply(self, change: Mapping[str, JSON], writer: Writer) -> None:
        """Attach the policy."""
        writer.attach_role_policy(role_name(change["role_arn"]), change["policy_arn"])

    def state(self, change: Mapping[str, JSON], fix_state: FixState) -> Mapping[str, JSON]:
        """Return the role and its attached policies, None as the policies of a deleted role."""
        return _state(change["role_arn"], _role(change, fix_state))

    def is_applied(self, change: Mapping[str, JSON], fix_state: FixState) -> bool:
        """Return whether the policy is attached to the role."""
        role = _role(change, fix_state)
        return role is not None and change["policy_arn"] in role.attached


def _state(role_arn: str, role: Role | None) -> Mapping[str, JSON]:
    return {"role_arn": role_arn, "attached_policies": sorted(role.attached) if role else None}


def _grants(document: Policy, role_arn: str) -> tuple[Permission, ...] | None:
    """Return what a policy allows a role, None if a statement names what it does not allow."""
    allowing = [statement for statement in document.statements if statement.effect != DENY]
    if any(each.malformed or each.not_action or each.not_resource for each in allowing):
        return None
    return tuple(
        Permission(role_arn, action, pattern.text)
        for statement in allowing
        for action in statement.action_texts
        for pattern in statement.resources or ()
    )


def _role(change: Mapping[str, JSON], fix_state: FixState) -> Role | None:
    role = fix_state.role(change["role_arn"])
    if isinstance(role, Unread):
        raise RetryableError(f"{change['role_arn']} could not be read: {role}")
    return role


def _mapping(finding: Finding, snapshot: Snapshot) -> EventSourceMapping:
    if isinstance(snapshot.mappings, Unread):
        raise FixRefusedError(f"The event source mappings could not be read: {snapshot.mappings}.")
    for mapping in snapshot.mappings:
        if subject(mapping) == finding.subject and mapping.function_arn == finding.function_arn:
            return mapping
    raise FixRefusedError("The event source mapping no longer exists.")


def _function_and_role(mapping: EventSourceMapping, snapshot: Snapshot) -> tuple[Function, Role]:
    function = snapshot.versions.get(mapping.function_arn)
    if not isinstance(function, Function):
        raise FixRefusedError(f"The function's configuration could not be read: {function}.")
    role = snapshot.roles.get(function.role_arn)
    if role is None:
        raise FixRefusedError(f"{function.role_arn} does not exist.")
    if isinstance(role, Unread):
        raise FixRefusedError(f"{function.role_arn} could not be read: {role}.")
    return function, role
