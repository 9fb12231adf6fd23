"""PG201 event-source-read-missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.event_sources import EventSource, Need, NeedKind, event_source_of, required
from permission_guard.event_sources.access import part
from permission_guard.execution_role import decide
from permission_guard.model import EventSourceMapping, Remedy, Role, Scope, Severity, SwitchedOffBy, Unread
from permission_guard.rules import role_cures
from permission_guard.rules.base import Rule, known

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from permission_guard.execution_role import SourcePolicies
    from permission_guard.model import JSON, Function, Snapshot, Verdict


class EventSourceReadMissing(Rule):
    """Allow Lambda to read a function's event sources with its execution role.

    ## What it flags

    An event source mapping whose function's execution role is not allowed every action with which Lambda reads that
    very source: an SQS queue, a Kinesis data stream, a DynamoDB stream, an Amazon MSK cluster, an Amazon MQ broker
    or an Amazon DocumentDB cluster. Identity policies (managed and inline), the permissions boundary, explicit
    denies and the source's own policy are evaluated as AWS does, for the source's real ARN. Reading self-managed
    Kafka takes no such action.

    Also a mapping that AWS itself switched off, as it does when it may not read: when the role may read again, AWS
    does not switch the mapping on.

    ## Why it matters

    Lambda polls with the function's own role. AWS checks the permissions once, when the mapping is created, and never
    again: when a later change takes one away, the mapping stops without a word, messages pile up or expire, and
    nobody is told.

    ## How to fix

    Attach the AWS managed policy of the source's type to the execution role, or allow the missing actions on the
    source in a policy of your own: for Amazon MQ and DocumentDB there is no AWS managed policy. If an explicit deny
    or a permissions boundary is named as the cause, attaching a policy does not help: change that statement. A
    mapping that AWS switched off is enabled by hand, after that.

    ## Fix safety

    Safe: the fix attaches one AWS managed policy (`AWSLambdaSQSQueueExecutionRole`, `AWSLambdaKinesisExecutionRole`
    or `AWSLambdaDynamoDBExecutionRole`) and nothing else. It is additive, verified by reading the role back, and
    undone by detaching that policy. It does not enable a mapping. For the other types there is no fix yet.

    ## Limits

    The source's own policy is read only where the role's policies do not settle the matter: a Deny of Lambda's role
    in the policy of a source of the same account goes unseen while the role's policies allow. Of a cluster, neither
    its policy is read nor whether it is serverless, where `kafka:DescribeClusterV2` has no equal, nor the names of
    its groups: what hangs on that is unknown. Service control policies and keys are not read. What a source takes
    besides (secrets, network interfaces, the inside of a Kafka cluster) is not judged here. A decision that hangs
    on a policy that could not be read, or on a condition whose key is not known, is unknown, not a finding. A
    mapping that a person disabled is passed over.

    ## References

    - https://docs.aws.amazon.com/lambda/latest/dg/lambda-permissions.html
    - https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
    - https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-create.html
    - https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-eventsourcemapping.html
    - https://docs.aws.amazon.com/lambda/latest/dg/with-msk-permissions.html
    - https://docs.aws.amazon.com/lambda/latest/dg/process-mq-messages-with-lambda.html
    - https://docs.aws.amazon.com/lambda/latest/dg/with-documentdb.html
    - https://docs.aws.amazon.com/lambda/latest/dg/with-kafka-permissions.html
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
            needs = [need for need in _reading(source, mapping) if not need.doubt]
            return self._missing(mapping, source, function, None, needs, cause="The role does not exist.")
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
        decisions = {need: decide(need, role, function.arn, source_policies) for need in _reading(source, mapping)}
        missing = [need for need, decision in decisions.items() if decision.denied]
        if missing:
            causes = {decisions[need].explain() for need in missing}
            return self._missing(mapping, source, function, role, missing, cause=" ".join(sorted(causes)))
        unclear = {decision.explain() for decision in decisions.values() if not decision.allowed}
        if unclear:
            return self.unknown(arn, about, " ".join([*sorted(unclear), *_said_by_aws(mapping)]))
        if mapping.switched_off_by is SwitchedOffBy.AWS:
            return self._switched_off(mapping, source, function)
        if mapping.switched_off_by is SwitchedOffBy.UNTOLD:
            return self.unknown(arn, about, "The event source mapping is disabled, and AWS does not say by whom.")
        if not decisions:
            return self.passed(arn, about, f"Reading {_name(mapping)} itself takes no permission of {role.arn}.")
        return self.passed(arn, about, f"{role.arn} may read {_name(mapping)}.")

    def _missing(
        self,
        mapping: EventSourceMapping,
        source: EventSource,
        function: Function,
        role: Role | None,
        missing: Sequence[Need],
        *,
        cause: str,
    ) -> Verdict:
        lacks = f" is not allowed {_list_of(missing)}." if missing else ":"
        reason = f"{function.role_arn}{lacks} {cause}"
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
            remedies=_remedies(mapping, source, function, role, missing),
        )

    def _switched_off(self, mapping: EventSourceMapping, source: EventSource, function: Function) -> Verdict:
        """Return the verdict on a mapping that AWS switched off and whose role may read, now."""
        may = f"{function.role_arn} may read {_name(mapping)} now, and nothing reads it."
        reason = may if _reading(source, mapping) else f"Nothing reads {_name(mapping)}."
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
        "managed_policy_arn": managed_policy_arn(source, function.role_arn) if source.managed_policy else None,
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


def _reading(source: EventSource, mapping: EventSourceMapping) -> tuple[Need, ...]:
    return required(source.needs(mapping), NeedKind.READ)


def _name(mapping: EventSourceMapping) -> str:
    """Return what a person calls the source: its ARN, or the servers of a cluster that has none."""
    if mapping.event_source_arn:
        return mapping.event_source_arn
    endpoints = part(mapping.configuration["SelfManagedEventSource"], "Endpoints")
    servers = (server for servers in endpoints.values() if isinstance(servers, list) for server in servers)
    return ", ".join(map(str, servers)) or "its cluster"


def _list_of(needs: Sequence[Need]) -> str:
    """Return the actions with their resources, in words."""
    actions: dict[str, dict[str, None]] = {}
    for need in needs:
        actions.setdefault(need.resource, {})[need.action] = None
    return "; nor ".join(f"{_list([*named])} on {resource}" for resource, named in actions.items())


def _list(actions: Sequence[str]) -> str:
    return actions[0] if len(actions) == 1 else f"{', '.join(actions[:-1])} and {actions[-1]}"


def _enable(mapping: EventSourceMapping) -> str:
    return f"aws lambda update-event-source-mapping --uuid {mapping.uuid} --enabled"


def _remedies(
    mapping: EventSourceMapping,
    source: EventSource,
    function: Function,
    role: Role | None,
    missing: Sequence[Need],
) -> tuple[Remedy, ...]:
    """Return the cures: the AWS managed policy where the type has one, else a policy with what is missing."""
    if not missing:  # the role is gone, and it needed nothing to read this
        return ()
    if source.managed_policy:
        cures = role_cures.attached(function.role_arn, managed_policy_arn(source, function.role_arn))
    else:
        name = role_cures.free_name(f"read-event-source-{mapping.uuid}", role)
        cures = role_cures.put(function.role_arn, name, missing)
    command, terraform = cures
    if mapping.switched_off_by is SwitchedOffBy.AWS:
        command = f"{command}\n{_enable(mapping)}"
    return (
        Remedy("aws-cli", command),
        role_cures.statement_cure(missing),
        Remedy("terraform", terraform),
    )
