"""PG212 event-source-unauthorized."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.iam.arn import require_arn, split_arn
from permission_guard.model.state import DisabledBy, Unread, subject
from permission_guard.model.targets import Direction
from permission_guard.model.verdicts import Outcome, Remedy, Severity, Verdict
from permission_guard.needs.base import NeedKind
from permission_guard.needs.decision import decide
from permission_guard.needs.mapping_health import CANNOT_ASSUME, permission_error_of
from permission_guard.records import record
from permission_guard.remedies.aws_cli import aws
from permission_guard.remedies.execution_role import statements
from permission_guard.rules.base import Rule
from permission_guard.rules.execution_role.event_source_dependency_missing import EventSourceDependencyMissing
from permission_guard.rules.execution_role.event_source_read_missing import EventSourceReadMissing
from permission_guard.rules.execution_role.mappings import Polled, polled, short_type
from permission_guard.rules.execution_role.need_rule import list_of
from permission_guard.rules.execution_role.role_not_assumable import RoleNotAssumable
from permission_guard.rules.wording import listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from permission_guard.model.state import EventSourceMapping, Role, Snapshot
    from permission_guard.needs.base import Need

_REPORTED_BY: Final = {NeedKind.READ: "PG201", NeedKind.DEPENDENCY: "PG202", NeedKind.DESTINATION: "PG203"}
"""The kinds of needs of a mapping, and the rule that reports missing ones."""


@record
class _Denied:
    """A mapping with AWS's message that Lambda lacks a permission."""

    polled: Polled
    message: str

    def __str__(self) -> str:
        return f'AWS reports for the event source mapping: "{self.message.removesuffix(".")}".'


class EventSourceUnauthorized(Rule):
    """Allow Lambda to read a function's event sources in every policy, not only in the role's.

    ## What it flags

    An event source mapping for which AWS reports a missing permission, although the execution role is allowed every
    action for reading the source and its dependencies, and for writing to the mapping's destinations. AWS reports it in
    `StateTransitionReason` (`EVENT_SOURCE_AUTHZ_ERROR`) or in `LastProcessingResult` ("Cluster failed to authorize
    Lambda", "Please ensure the role can perform ...", "... is not authorized to perform ..."). If the role lacks an
    action, PG201, PG202 or PG203 reports it. If Lambda cannot assume the role, PG207 does.

    ## Why it matters

    Lambda reads nothing from this source, and records are lost when they expire. The cause is outside of the role, so a
    review of the role does not find it.

    ## How to fix

    A policy other than the role's own denies the access. Check in this order:

    1. the source's own policy, and the policies of its key and its secret;
    2. the service control and resource control policies of the organization;
    3. the policies of the VPC endpoints through which Lambda reaches the source.

    For a user of a Kafka cluster who signs in by SASL/SCRAM or a certificate, the cluster's own access control lists
    must allow describing its configuration, and describing and reading the group and the topic. The commands show the
    current policies, and simulate the role's permissions with service control policies.

    ## Fix safety

    Not fixed automatically: the cause is unknown.

    ## Limits

    - `LastProcessingResult` changes only when Lambda polls again. After a permission was added, AWS can report the old
      error for some minutes: the finding is reported after the grace period. If Lambda no longer polls, the error stays
      until the mapping is updated.
    - Denied credentials or certificates (`EVENT_SOURCE_AUTHN_ERROR`, "SASL authentication failed") are not a matter of
      permissions, and are not reported.
    - PG201 reports mappings that AWS disabled.
    - PG214 reports AWS's reason for the state of the function itself (`InsufficientRolePermissions`); here it is
      evidence.

    ## References

    - https://docs.aws.amazon.com/lambda/latest/dg/with-kafka-troubleshoot.html
    - https://docs.aws.amazon.com/lambda/latest/dg/services-mq-errors.html
    - https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventsourcemapping.html
    - https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
    - https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_testing-policies.html
    """

    id = "PG212"
    name = "event-source-unauthorized"
    severity = Severity.HIGH
    direction = Direction.EXECUTION_ROLE
    offline = False
    grace_period = True
    reads = EventSourceReadMissing.reads | EventSourceDependencyMissing.reads

    def check(self, snapshot: Snapshot) -> Iterator[Verdict]:
        """Yield a verdict for each mapping of a known type."""
        for one in polled(self, snapshot):
            if isinstance(one, Verdict):
                yield one
            elif message := permission_error_of(one.mapping):
                yield self._check_denied(_Denied(one, message), snapshot)
            else:
                reason = "AWS does not report a missing permission."
                yield self.passed(one.function.arn, subject(one.mapping), reason)

    def _check_denied(self, denied: _Denied, snapshot: Snapshot) -> Verdict:
        """Return the verdict on a mapping for which AWS reports a missing permission."""
        function = denied.polled.function
        role = snapshot.roles.get(function.role_arn)
        if isinstance(role, Unread):
            return self._unknown(denied, str(role))
        if role is None:
            return self._reported_elsewhere(denied, f"{function.role_arn} does not exist; PG207 reports it.")
        if CANNOT_ASSUME in denied.message.lower():
            (trust,) = RoleNotAssumable(self.trust).check_role(role, role.arn, snapshot)
            if trust.outcome is Outcome.VIOLATION:
                return self._reported_elsewhere(denied, f"{trust.reason} PG207 reports it.")
            if trust.outcome is Outcome.UNKNOWN:
                return self._unknown(denied, trust.reason)
        return self._check_needs(denied, role, snapshot)

    def _check_needs(self, denied: _Denied, role: Role, snapshot: Snapshot) -> Verdict:
        """Return the verdict on a mapping whose role exists."""
        one, disabled_by = denied.polled, denied.polled.mapping.disabled_by
        needs = tuple(need for kind in _REPORTED_BY for need in one.needs(kind, snapshot.sources))
        decisions = {
            need: decide(need, role, one.function.arn, snapshot.source_policies, snapshot.resource_tags)
            for need in needs
        }
        missing = [need for need, decision in decisions.items() if decision.denied]
        if missing:
            rules = list(dict.fromkeys(_REPORTED_BY[need.kind] for need in missing))
            verb = "reports" if len(rules) == 1 else "report"
            reason = f"{role.arn} is not allowed {list_of(missing)}; {listed(rules)} {verb} it."
            return self._reported_elsewhere(denied, reason)
        can_read = all(decisions[need].allowed for need in needs if need.kind is NeedKind.READ)
        if disabled_by is DisabledBy.AWS and can_read:
            return self._reported_elsewhere(denied, "AWS disabled the event source mapping; PG201 reports it.")
        unclear = [f"{list_of([need])}: {found.explain()}" for need, found in decisions.items() if not found.allowed]
        if unclear:
            return self._unknown(denied, " ".join(unclear))
        if disabled_by is not None:
            reason = "Unknown: the event source mapping is disabled, and AWS does not say by whom."
            return self._unknown(denied, reason)
        return self._unexplained(denied, role, needs)

    def _reported_elsewhere(self, denied: _Denied, reason: str) -> Verdict:
        """Return the verdict if another rule reports the cause."""
        return self.passed(denied.polled.function.arn, subject(denied.polled.mapping), f"{denied} {reason}")

    def _unknown(self, denied: _Denied, reason: str) -> Verdict:
        """Return the verdict if it is unknown whether the role lacks a permission."""
        return self.unknown(denied.polled.function.arn, subject(denied.polled.mapping), f"{denied} {reason}")

    def _unexplained(self, denied: _Denied, role: Role, needs: Sequence[Need]) -> Verdict:
        """Return the violation that AWS denies Lambda although the role lacks nothing."""
        mapping, function, kind = denied.polled.mapping, denied.polled.function, denied.polled.source.name
        actions = list(dict.fromkeys(need.action for need in needs))
        allowed = (
            f"{role.arn} is allowed everything that the mapping requires: {listed(actions)}."
            if actions
            else f"The mapping requires no permission of {role.arn}."
        )
        return self.violation(
            function_arn=function.arn,
            subject=subject(mapping),
            title=f"{function.name} cannot read its {short_type(kind)}, although its role allows it",
            reason=f"{denied} {allowed} The cause is in none of the policies that were read. {_causes(mapping, needs)}",
            impact=(
                f"AWS denies Lambda access to the {kind}: records are not processed, and are lost when they expire. "
                "Changing the role's own policies does not help."
            ),
            evidence={
                "event_source_mapping": mapping.uuid,
                "event_source_arn": mapping.event_source_arn,
                "role_arn": role.arn,
                "allowed": [{"action": need.action, "resource": need.resource} for need in needs],
                "state": mapping.state,
                "state_transition_reason": mapping.state_transition_reason,
                "last_processing_result": mapping.last_processing_result,
                "function_state_reason_code": function.configuration.get("StateReasonCode"),
                "function_update_reason_code": function.configuration.get("LastUpdateStatusReasonCode"),
            },
            remedies=(
                Remedy("aws-cli", "\n".join(_commands(mapping, role, needs)), needs_decision=True, changes=_CHANGES),
            ),
        )


_CHANGES: Final = "Nothing: the commands show the policies in which the cause can be."


def _causes(mapping: EventSourceMapping, needs: Sequence[Need]) -> str:
    """Return the possible causes besides the role's own policies."""
    by_user = "Topics" in mapping.configuration and not any(need.action.startswith("kafka-cluster:") for need in needs)
    lists = "the cluster's access control lists for the user that Lambda signs in as, " if by_user else ""
    others = "a service control or resource control policy, or the policy of a VPC endpoint"
    return f"Possible causes: {lists}the policy of the source, of its key or of its secret, {others}."


def _commands(mapping: EventSourceMapping, role: Role, needs: Sequence[Need]) -> Iterator[str]:
    """Yield the commands that show AWS's current message, the role's permissions and the other policies."""
    region = require_arn(mapping.function_arn).region
    yield aws("lambda", "get-event-source-mapping", region, uuid=mapping.uuid)
    for statement in statements([need for need in needs if need.has_known_resource]):
        actions, resources = statement["Action"], statement["Resource"]
        yield aws(
            "iam",
            "simulate-principal-policy",
            region,
            policy_source_arn=role.arn,
            action_names=actions,
            resource_arns=resources,
        )
    for arn in dict.fromkeys(need.resource for need in needs if need.has_known_resource):
        yield from _policy_command(arn)


def _policy_command(arn: str) -> Iterator[str]:
    """Yield the command that shows the own policy of the resource with an ARN."""
    service, region, account, name = (split_arn(arn) + [""] * 5)[2:6]
    match service:
        case "dynamodb" | "kinesis":
            yield aws(service, "get-resource-policy", region, resource_arn=arn)
        case "kafka":
            yield aws("kafka", "get-cluster-policy", region, cluster_arn=arn)
        case "kms":
            yield aws("kms", "get-key-policy", region, key_id=arn, policy_name="default")
        case "secretsmanager":
            yield aws("secretsmanager", "get-resource-policy", region, secret_id=arn)
        case "sqs":
            url = aws(
                "sqs", "get-queue-url", region, queue_owner_aws_account_id=account, queue_name=name, output="text"
            )
            attributes = ["Policy", "KmsMasterKeyId"]
            shown = aws("sqs", "get-queue-attributes", region, attribute_names=attributes)
            yield f'{shown} --queue-url "$({url})"'
