"""PG212 event-source-unauthorized."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Final

from permission_guard.model.state import DisabledBy, Unread, subject
from permission_guard.model.targets import Direction
from permission_guard.model.verdicts import Outcome, Remedy, Severity, Verdict
from permission_guard.needs.base import NeedKind
from permission_guard.needs.decision import decide
from permission_guard.needs.mapping_health import CANNOT_ASSUME, said_of_permission
from permission_guard.records import record
from permission_guard.remedies.execution_role import statements
from permission_guard.rules.base import Rule
from permission_guard.rules.execution_role.event_source_dependency_missing import EventSourceDependencyMissing
from permission_guard.rules.execution_role.event_source_read_missing import EventSourceReadMissing
from permission_guard.rules.execution_role.mappings import Polled, polled
from permission_guard.rules.execution_role.need_rule import list_of
from permission_guard.rules.execution_role.role_not_assumable import RoleNotAssumable
from permission_guard.rules.wording import listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from permission_guard.model.state import EventSourceMapping, Role, Snapshot
    from permission_guard.needs.base import Need

_TOLD_BY: Final = {NeedKind.READ: "PG201", NeedKind.DEPENDENCY: "PG202", NeedKind.DESTINATION: "PG203"}
"""What Lambda takes for a mapping before it invokes the function or after, and the rule that tells what is missing."""

_POLICY_OF: Final = {
    "dynamodb": "aws dynamodb get-resource-policy --region {region} --resource-arn {arn}",
    "kafka": "aws kafka get-cluster-policy --region {region} --cluster-arn {arn}",
    "kinesis": "aws kinesis get-resource-policy --region {region} --resource-arn {arn}",
    "kms": "aws kms get-key-policy --region {region} --key-id {arn} --policy-name default",
    "secretsmanager": "aws secretsmanager get-resource-policy --region {region} --secret-id {arn}",
    "sqs": (
        "aws sqs get-queue-attributes --region {region} --attribute-names Policy KmsMasterKeyId --queue-url "
        '"$(aws sqs get-queue-url --region {region} --queue-owner-aws-account-id {account} --queue-name {name} '
        '--output text)"'
    ),
}
"""How to see a resource's own policy, by the service in its ARN."""


@record
class _Refused:
    """A mapping, and the words with which AWS says of it that Lambda is refused."""

    polled: Polled
    said: str

    def __str__(self) -> str:
        return f'AWS says of the event source mapping: "{self.said.removesuffix(".")}".'


class EventSourceUnauthorized(Rule):
    """Allow Lambda to read a function's event sources in every policy, not in the role's alone.

    ## What it flags

    An event source mapping of which AWS says that Lambda is refused for want of a permission, while the execution role
    is allowed every action that it takes to read the source and what belongs to it, and to write to the mapping's
    destinations. AWS says so in
    `StateTransitionReason` (`EVENT_SOURCE_AUTHZ_ERROR`) or in `LastProcessingResult` ("Cluster failed to authorize
    Lambda", "Please ensure the role can perform ...", "... is not authorized to perform ..."). Where the role lacks
    something, PG201, PG202 or PG203 tell which action; where Lambda cannot assume it, PG207 does.

    ## Why it matters

    AWS knows: nothing is read from this source, and what arrives is lost when it expires. What refuses it is not in the
    role, so that no look at the role alone would ever find it.

    ## How to fix

    Something else than the role's own policies says no. Look, in this order, at the source's own policy, those of the
    key and of the secret, the service control and resource control policies of the organization, and the policies of
    the VPC endpoints through which Lambda reaches the source. For a user of a Kafka cluster who signs in by SASL/SCRAM
    or a certificate, the cluster's own access control lists have to allow describing its configuration, and
    describing and reading group and topic. The commands show what there is, and simulate what the role may do with
    service control policies taken into account.

    ## Fix safety

    Not fixed automatically: the cause is not known.

    ## Limits

    `LastProcessingResult` stays as it was until Lambda polls the next time. Right after a permission was added AWS may
    go on to say what is no longer so: it is told when it is still said some minutes later, and where Lambda polls no
    more it stays until the mapping is updated. That credentials or certificates are refused is no question of
    permissions and is not told (`EVENT_SOURCE_AUTHN_ERROR`, "SASL authentication failed"). A mapping that AWS switched
    off is PG201's. What AWS says of the function itself (`InsufficientRolePermissions`) is about the network
    interfaces of its VPC: it is in the evidence, and is not taken for the source's.

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
            elif said := said_of_permission(one.mapping):
                yield self._judge(_Refused(one, said), snapshot)
            else:
                reason = "AWS does not say that Lambda lacks a permission."
                yield self.passed(one.function.arn, subject(one.mapping), reason)

    def _judge(self, refused: _Refused, snapshot: Snapshot) -> Verdict:
        """Return the verdict on a mapping of which AWS says that Lambda is refused."""
        function = refused.polled.function
        role = snapshot.roles.get(function.role_arn)
        if isinstance(role, Unread):
            return self._undecided(refused, str(role))
        if role is None:
            return self._told(refused, f"{function.role_arn} does not exist, as PG207 tells.")
        if CANNOT_ASSUME in refused.said.lower():
            (trust,) = RoleNotAssumable(self.trust).judge(role, role.arn, snapshot)
            if trust.outcome is Outcome.VIOLATION:
                return self._told(refused, f"{trust.reason} PG207 tells it.")
            if trust.outcome is Outcome.UNKNOWN:
                return self._undecided(refused, trust.reason)
        return self._decide(refused, role, snapshot)

    def _decide(self, refused: _Refused, role: Role, snapshot: Snapshot) -> Verdict:
        """Return the verdict where there is a role to assume."""
        one, off = refused.polled, refused.polled.mapping.disabled_by
        needs = tuple(need for kind in _TOLD_BY for need in one.needs(kind, snapshot.sources))
        decisions = {need: decide(need, role, one.function.arn, snapshot.source_policies) for need in needs}
        denied = [need for need, decision in decisions.items() if decision.denied]
        if denied:
            who = listed(dict.fromkeys(_TOLD_BY[need.kind] for need in denied))
            return self._told(refused, f"{role.arn} is not allowed {list_of(denied)}, as {who} can tell.")
        if off is DisabledBy.AWS and all(decisions[need].allowed for need in needs if need.kind is NeedKind.READ):
            return self._told(refused, "AWS switched the event source mapping off, as PG201 tells.")
        unclear = [f"{list_of([need])}: {found.explain()}" for need, found in decisions.items() if not found.allowed]
        if unclear:
            return self._undecided(refused, " ".join(unclear))
        if off is not None:
            return self._undecided(refused, "The event source mapping is disabled, and AWS does not say by whom.")
        return self._unexplained(refused, role, needs)

    def _told(self, refused: _Refused, reason: str) -> Verdict:
        """Return the verdict where another rule knows why."""
        return self.passed(refused.polled.function.arn, subject(refused.polled.mapping), f"{refused} {reason}")

    def _undecided(self, refused: _Refused, reason: str) -> Verdict:
        """Return the verdict where it is not known whether the role lacks something."""
        return self.unknown(refused.polled.function.arn, subject(refused.polled.mapping), f"{refused} {reason}")

    def _unexplained(self, refused: _Refused, role: Role, needs: Sequence[Need]) -> Verdict:
        """Return the violation that Lambda is refused and the role lacks nothing."""
        mapping, function, kind = refused.polled.mapping, refused.polled.function, refused.polled.source.name
        actions = list(dict.fromkeys(need.action for need in needs))
        may = (
            f"{role.arn} is allowed all that it takes, {listed(actions)}"
            if actions
            else f"It takes nothing of {role.arn}"
        )
        return self.violation(
            function_arn=function.arn,
            subject=subject(mapping),
            title=f"AWS says that {function.name} may not read its {kind}, and its role lacks nothing",
            reason=f"{refused} {may}: the cause is in none of the policies that were read. {_causes(mapping, needs)}",
            impact=(
                f"Lambda polls the {kind} and is refused: what arrives is not processed, and is lost when it expires. "
                "No change of the role's own policies mends it."
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
            remedies=(Remedy("aws-cli", "\n".join(_look(mapping, role, needs))),),
        )


def _causes(mapping: EventSourceMapping, needs: Sequence[Need]) -> str:
    """Say what may refuse it, besides the role's own policies."""
    by_user = "Topics" in mapping.configuration and not any(need.action.startswith("kafka-cluster:") for need in needs)
    lists = "the cluster's access control lists for the user that Lambda signs in as, " if by_user else ""
    others = "a service control or resource control policy, or the policy of a VPC endpoint"
    return f"It may be {lists}the policy of the source, of its key or of its secret, {others}."


def _look(mapping: EventSourceMapping, role: Role, needs: Sequence[Need]) -> Iterator[str]:
    """Yield commands that show what AWS says now, what the role may, and what else has a say in it."""
    region = mapping.function_arn.split(":")[3]
    yield f"aws lambda get-event-source-mapping --region {region} --uuid {mapping.uuid}"
    for statement in statements([need for need in needs if need.is_of_one]):
        actions, resources = " ".join(statement["Action"]), " ".join(map(shlex.quote, statement["Resource"]))
        asked = f"--action-names {actions} --resource-arns {resources}"
        yield f"aws iam simulate-principal-policy --policy-source-arn {role.arn} {asked}"
    for arn in dict.fromkeys(need.resource for need in needs if need.is_of_one):
        service, region, account, name = (arn.split(":", 5) + [""] * 5)[2:6]
        if service in _POLICY_OF:
            yield _POLICY_OF[service].format(
                arn=shlex.quote(arn), name=shlex.quote(name), account=account, region=region
            )
