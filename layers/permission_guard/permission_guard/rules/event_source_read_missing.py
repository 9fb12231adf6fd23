"""PG201 event-source-read-missing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from permission_guard.event_sources import EventSource, Need, event_source_of
from permission_guard.execution_role import decide
from permission_guard.model import EventSourceMapping, Remedy, Role, Scope, Severity, SwitchedOffBy, Unread
from permission_guard.rules.base import Rule, known

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from permission_guard.execution_role import SourcePolicies
    from permission_guard.model import JSON, Function, Snapshot, Verdict


class EventSourceReadMissing(Rule):
    """Allow Lambda to read a function's event sources with its execution role.

    ## What it flags

    An event source mapping for an SQS queue, a Kinesis data stream or a DynamoDB stream whose function's execution
    role is not allowed every action with which Lambda polls that very source. Identity policies (managed and inline),
    the permissions boundary, explicit denies and the source's own policy are evaluated as AWS does, for the source's
    real ARN.

    Also a mapping that AWS itself switched off, as it does when it may not read: when the role may read again, AWS
    does not switch the mapping on.

    ## Why it matters

    Lambda polls with the function's own role. AWS checks the permissions once, when the mapping is created, and never
    again: when a later change takes one away, the mapping stops without a word, messages pile up or expire, and
    nobody is told.

    ## How to fix

    Attach the AWS managed policy of the source's type to the execution role, or allow the missing actions on the
    source in a policy of your own. If an explicit deny or a permissions boundary is named as the cause, attaching a
    policy does not help: change that statement. A mapping that AWS switched off is enabled by hand, after that.

    ## Fix safety

    Safe: the fix attaches one AWS managed policy (`AWSLambdaSQSQueueExecutionRole`,
    `AWSLambdaKinesisExecutionRole` or `AWSLambdaDynamoDBExecutionRole`) and nothing else. It is additive, verified by
    reading the role back, and undone by detaching that policy. It does not enable a mapping.

    ## Limits

    The source's own policy is read only where the role's policies do not settle the matter: a Deny of Lambda's role in
    the policy of a source of the same account goes unseen while the role's policies allow. Service control policies
    and keys are not read. A decision that hangs on a policy that could not be read, or on a condition whose key is not
    known, is unknown, not a finding. A mapping that a person disabled is passed over.

    ## References

    - https://docs.aws.amazon.com/lambda/latest/dg/lambda-permissions.html
    - https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
    - https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-create.html
    - https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-eventsourcemapping.html
    """

    id = "PG201"
    name = "event-source-read-missing"
    severity = Severity.HIGH
    scope = Scope.EXECUTION_ROLE
    reads = frozenset(
        {
            "lambda:ListEventSourceMappings",
            "lambda:GetFunctionConfiguration",
            "iam:GetRole",
            "iam:ListAttachedRolePolicies",
            "iam:ListRolePolicies",
            "iam:GetRolePolicy",
            "iam:GetPolicy",
            "iam:GetPolicyVersion",
            "dynamodb:GetResourcePolicy",
            "kinesis:GetResourcePolicy",
            "sqs:GetQueueAttributes",
        },
    )

    def check(self, snapshot: Snapshot) -> Iterator[Verdict]:
        """Yield a verdict for each mapping of a known type."""
        for mapping in known(snapshot.mappings):
            source = event_source_of(mapping)
            if source is None:
                continue
            version = snapshot.versions.get(mapping.function_arn)
            if version is None:  # the alias or version went after the mapping was listed
                continue
            if isinstance(version, Unread):
                yield self.unknown(mapping.function_arn, subject(mapping), str(version))
                continue
            role = snapshot.roles.get(version.role_arn)
            yield self._judge(mapping, source, version, role, snapshot.source_policies)

    def _judge(
        self,
        mapping: EventSourceMapping,
        source: EventSource,
        function: Function,
        role: Role | Unread | None,
        source_policies: SourcePolicies,
    ) -> Verdict:
        arn, about = mapping.function_arn, subject(mapping)
        if isinstance(role, Unread):
            return self.unknown(arn, about, str(role))
        if mapping.is_off_on_purpose:
            return self.passed(arn, about, "The event source mapping is disabled on purpose: nothing is polled.")
        if role is None:
            return self._missing(mapping, source, function, source.needs(mapping), "The role does not exist.")
        return self._decide(mapping, source, function, role, source_policies)

    def _decide(
        self,
        mapping: EventSourceMapping,
        source: EventSource,
        function: Function,
        role: Role,
        source_policies: SourcePolicies,
    ) -> Verdict:
        """Return the verdict on a mapping that is meant to be on, and whose role was read."""
        arn, about = mapping.function_arn, subject(mapping)
        decisions = {need: decide(need, role, function.arn, source_policies) for need in source.needs(mapping)}
        missing = [need for need, decision in decisions.items() if decision.denied]
        if missing:
            causes = {decisions[need].explain() for need in missing}
            return self._missing(mapping, source, function, missing, " ".join(sorted(causes)))
        unclear = {decision.explain() for decision in decisions.values() if not decision.allowed}
        if unclear:
            return self.unknown(arn, about, " ".join([*sorted(unclear), *_said_by_aws(mapping)]))
        if mapping.switched_off_by is SwitchedOffBy.AWS:
            return self._switched_off(mapping, source, function)
        if mapping.switched_off_by is SwitchedOffBy.UNTOLD:
            return self.unknown(arn, about, "The event source mapping is disabled, and AWS does not say by whom.")
        return self.passed(arn, about, f"{role.arn} may read {mapping.event_source_arn}.")

    def _missing(
        self,
        mapping: EventSourceMapping,
        source: EventSource,
        function: Function,
        missing: Sequence[Need],
        cause: str,
    ) -> Verdict:
        actions = _list([need.action for need in missing])
        reason = f"{function.role_arn} is not allowed {actions} on {mapping.event_source_arn}. {cause}"
        return self.violation(
            function_arn=mapping.function_arn,
            subject=subject(mapping),
            title=f"{function.name} cannot read its {source.name}",
            reason=" ".join([reason, *_said_by_aws(mapping)]),
            impact=(
                f"Lambda polls the {source.name} with this role. Without the permission the event source mapping "
                "stops: what arrives is not processed, and is lost when it expires."
            ),
            evidence=_evidence(mapping, source, function, missing),
            remedies=_remedies(mapping, function.role_arn, managed_policy_arn(source, function.role_arn), missing),
        )

    def _switched_off(self, mapping: EventSourceMapping, source: EventSource, function: Function) -> Verdict:
        """Return the verdict on a mapping that AWS switched off and whose role may read, now."""
        reason = f"{function.role_arn} may read {mapping.event_source_arn} now, and nothing reads it."
        return self.violation(
            function_arn=mapping.function_arn,
            subject=subject(mapping),
            title=f"AWS switched off the event source mapping of {function.name}",
            reason=" ".join([*_said_by_aws(mapping), reason]),
            impact=(
                f"The {source.name} is not polled until somebody enables the event source mapping: what arrives is "
                "not processed, and is lost when it expires. AWS does not enable it by itself."
            ),
            evidence=_evidence(mapping, source, function, ()),
            remedies=(Remedy("aws-cli", _enable(mapping)),),
        )


def subject(mapping: EventSourceMapping) -> str:
    """Return what a finding about a mapping is about."""
    return f"event-source-mapping/{mapping.uuid}"


def managed_policy_arn(source: EventSource, role_arn: str) -> str:
    """Return the ARN of a source type's AWS managed policy, in the role's partition."""
    return f"arn:{role_arn.split(':')[1]}:iam::aws:policy/{source.managed_policy}"


def _evidence(
    mapping: EventSourceMapping,
    source: EventSource,
    function: Function,
    missing: Sequence[Need],
) -> dict[str, JSON]:
    return {
        "event_source_mapping": mapping.uuid,
        "event_source_arn": mapping.event_source_arn,
        "role_arn": function.role_arn,
        "missing": [{"action": need.action, "resource": need.resource} for need in missing],
        "managed_policy_arn": managed_policy_arn(source, function.role_arn),
        "disabled_by_aws": mapping.switched_off_by is SwitchedOffBy.AWS,
        "state": mapping.state,
        "state_transition_reason": mapping.state_transition_reason,
        "last_processing_result": mapping.last_processing_result,
    }


def _said_by_aws(mapping: EventSourceMapping) -> Iterator[str]:
    """Yield what AWS says of having switched the mapping off, where it has."""
    if mapping.switched_off_by is SwitchedOffBy.AWS:
        words = filter(None, (mapping.state_transition_reason, mapping.last_processing_result))
        yield f'AWS switched the event source mapping off: "{"; ".join(words)}".'


def _list(actions: Sequence[str]) -> str:
    return actions[0] if len(actions) == 1 else f"{', '.join(actions[:-1])} and {actions[-1]}"


def _enable(mapping: EventSourceMapping) -> str:
    return f"aws lambda update-event-source-mapping --uuid {mapping.uuid} --enabled"


def _remedies(
    mapping: EventSourceMapping,
    role_arn: str,
    managed_policy: str,
    missing: Sequence[Need],
) -> tuple[Remedy, ...]:
    name = role_arn.rsplit("/", 1)[-1]
    statement = {
        "Effect": "Allow",
        "Action": [need.action for need in missing],
        "Resource": sorted({need.resource for need in missing}),
    }
    commands = [f"aws iam attach-role-policy --role-name {name} --policy-arn {managed_policy}"]
    if mapping.switched_off_by is SwitchedOffBy.AWS:
        commands.append(_enable(mapping))
    return (
        Remedy("aws-cli", "\n".join(commands)),
        Remedy("policy-statement", json.dumps(statement, indent=2)),
        Remedy(
            "terraform",
            f'resource "aws_iam_role_policy_attachment" "event_source" {{\n'
            f'  role       = "{name}"\n'
            f'  policy_arn = "{managed_policy}"\n'
            f"}}",
        ),
    )
