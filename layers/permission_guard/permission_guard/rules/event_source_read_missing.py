"""PG201 event-source-read-missing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from permission_guard.event_sources import EventSource, Need, event_source_of
from permission_guard.execution_role import decide
from permission_guard.model import EventSourceMapping, Remedy, Role, Scope, Severity, Unread
from permission_guard.rules.base import Rule, known

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from permission_guard.model import Function, Snapshot, Verdict


class EventSourceReadMissing(Rule):
    """Allow Lambda to read a function's event sources with its execution role.

    ## What it flags

    An event source mapping for an SQS queue, a Kinesis data stream or a DynamoDB stream whose function's execution
    role is not allowed every action with which Lambda polls that very source. Identity policies (managed and inline),
    the permissions boundary and explicit denies are evaluated as AWS does, for the source's real ARN.

    ## Why it matters

    Lambda polls with the function's own role. AWS checks the permissions once, when the mapping is created, and never
    again: when a later change takes one away, the mapping stops without a word, messages pile up or expire, and
    nobody is told.

    ## How to fix

    Attach the AWS managed policy of the source's type to the execution role, or allow the missing actions on the
    source in a policy of your own. If an explicit deny or a permissions boundary is named as the cause, attaching a
    policy does not help: change that statement.

    ## Fix safety

    Safe: the fix attaches one AWS managed policy (`AWSLambdaSQSQueueExecutionRole`,
    `AWSLambdaKinesisExecutionRole` or `AWSLambdaDynamoDBExecutionRole`) and nothing else. It is additive, verified by
    reading the role back, and undone by detaching that policy.

    ## Limits

    Resource-based policies of the source, service control policies and keys are not read. A decision that hangs on a
    condition whose key is not known is unknown, not a finding. A mapping that a person disabled is passed over.

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
            yield self._judge(mapping, source, version, snapshot.roles.get(version.role_arn))

    def _judge(
        self,
        mapping: EventSourceMapping,
        source: EventSource,
        function: Function,
        role: Role | Unread | None,
    ) -> Verdict:
        arn, about = mapping.function_arn, subject(mapping)
        if isinstance(role, Unread):
            return self.unknown(arn, about, str(role))
        if is_disabled_on_purpose(mapping):
            return self.passed(arn, about, "The event source mapping is disabled on purpose: nothing is polled.")
        if role is None:
            return self._missing(mapping, source, function, source.needs(mapping), "The role does not exist.")
        decisions = {need: decide(need, role, function.arn) for need in source.needs(mapping)}
        missing = [need for need, decision in decisions.items() if decision.denied]
        if missing:
            causes = {decisions[need].explain() for need in missing}
            return self._missing(mapping, source, function, missing, " ".join(sorted(causes)))
        unclear = [decision for decision in decisions.values() if not decision.allowed]
        if unclear:
            return self.unknown(arn, about, " ".join(sorted({decision.explain() for decision in unclear})))
        return self.passed(arn, about, f"{role.arn} may read {mapping.event_source_arn}.")

    def _missing(
        self,
        mapping: EventSourceMapping,
        source: EventSource,
        function: Function,
        missing: Sequence[Need],
        cause: str,
    ) -> Verdict:
        actions = [need.action for need in missing]
        managed_policy = managed_policy_arn(source, function.role_arn)
        return self.violation(
            function_arn=mapping.function_arn,
            subject=subject(mapping),
            title=f"{function.name} cannot read its {source.name}",
            reason=f"{function.role_arn} is not allowed {_list(actions)} on {mapping.event_source_arn}. {cause}",
            impact=(
                f"Lambda polls the {source.name} with this role. Without the permission the event source mapping "
                "stops: what arrives is not processed, and is lost when it expires."
            ),
            evidence={
                "event_source_mapping": mapping.uuid,
                "event_source_arn": mapping.event_source_arn,
                "role_arn": function.role_arn,
                "missing": [{"action": need.action, "resource": need.resource} for need in missing],
                "managed_policy_arn": managed_policy,
                "state": mapping.state,
                "state_transition_reason": mapping.state_transition_reason,
                "last_processing_result": mapping.last_processing_result,
            },
            remedies=_remedies(function.role_arn, managed_policy, missing),
        )


def subject(mapping: EventSourceMapping) -> str:
    """Return what a finding about a mapping is about."""
    return f"event-source-mapping/{mapping.uuid}"


def is_disabled_on_purpose(mapping: EventSourceMapping) -> bool:
    """Tell whether a person switched the mapping off, or is deleting it.

    AWS disables a mapping as well, when it may not read: that one is not passed over. "USER_INITIATED" is what queues
    say, "User action" what streams say.
    """
    by_user = mapping.state_transition_reason.lower() in ("user_initiated", "user action")
    return mapping.state == "Deleting" or (mapping.state in ("Disabled", "Disabling") and by_user)


def managed_policy_arn(source: EventSource, role_arn: str) -> str:
    """Return the ARN of a source type's AWS managed policy, in the role's partition."""
    return f"arn:{role_arn.split(':')[1]}:iam::aws:policy/{source.managed_policy}"


def _list(actions: Sequence[str]) -> str:
    return actions[0] if len(actions) == 1 else f"{', '.join(actions[:-1])} and {actions[-1]}"


def _remedies(role_arn: str, managed_policy: str, missing: Sequence[Need]) -> tuple[Remedy, ...]:
    name = role_arn.rsplit("/", 1)[-1]
    statement = {
        "Effect": "Allow",
        "Action": [need.action for need in missing],
        "Resource": sorted({need.resource for need in missing}),
    }
    return (
        Remedy("aws-cli", f"aws iam attach-role-policy --role-name {name} --policy-arn {managed_policy}"),
        Remedy("policy-statement", json.dumps(statement, indent=2)),
        Remedy(
            "terraform",
            f'resource "aws_iam_role_policy_attachment" "event_source" {{\n'
            f'  role       = "{name}"\n'
            f'  policy_arn = "{managed_policy}"\n'
            f"}}",
        ),
    )
