"""PG201 event-source-read-missing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from permission_guard.model.state import DisabledBy
from permission_guard.model.verdicts import Outcome, Remedy, Severity, Verdict
from permission_guard.needs.base import NeedKind
from permission_guard.rules.execution_role.mappings import name_of, polled, said_by_aws
from permission_guard.rules.execution_role.need_rule import MissingPermissions, NeedRule, Requirement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from permission_guard.model.state import EventSourceMapping, Snapshot


class EventSourceReadMissing(NeedRule):
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
    source in a policy of your own: for Amazon MQ and DocumentDB there is no AWS managed policy. If a permissions
    boundary has no room for the actions, add the statement to the boundary. If the source's own policy is named, as of
    a source of another account, it has to let in the role or its account too. If an explicit deny is in the way, no
    statement is offered: change what `denied_by` in the evidence names. A mapping that AWS switched off is enabled by
    hand, after that.

    ## Fix safety

    Safe: the fix attaches one AWS managed policy (`AWSLambdaSQSQueueExecutionRole`, `AWSLambdaKinesisExecutionRole`
    or `AWSLambdaDynamoDBExecutionRole`) and nothing else. It is additive, verified by reading the role back, and
    undone by detaching that policy. It does not enable a mapping. For the other types there is no fix yet.

    ## Limits

    The source's own policy is read only where the role's policies do not settle the matter: a Deny of Lambda's role
    in the policy of a source of the same account goes unseen while the role's policies allow. The policy of a cluster
    is not read: what hangs on it is unknown. So is `kafka:DescribeClusterV2` where only `kafka:DescribeCluster` is
    allowed and it could not be read whether the cluster is serverless, and what is allowed on some parameter or subnet
    groups where it could not be read which of them a DocumentDB cluster has. Service control policies cannot be read:
    IAM's policy simulator is asked for them where AWS says that a mapping is refused, or has switched it off. AWS
    lists five actions for every Kinesis data stream. Mappings are made without `kinesis:ListShards`, which the
    Serverless Framework leaves out; what Lambda then makes of new shards AWS does not say, and it is missing here. What
    a source takes besides (secrets, keys, network interfaces, the inside of a Kafka cluster) is judged by PG202. A
    decision that hangs on a policy that could not be read, or on a condition whose key is not known, is unknown, not a
    finding. Where the role does not exist, PG207 tells it, and this is unknown. A mapping that a person disabled is
    passed over.

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
    reads = NeedRule.reads | {
        "dynamodb:GetResourcePolicy",
        "iam:SimulatePrincipalPolicy",
        "kafka:DescribeClusterV2",
        "kinesis:GetResourcePolicy",
        "rds:DescribeDBClusters",
        "sqs:GetQueueAttributes",
    }

    def requirements(self, snapshot: Snapshot) -> Iterator[Requirement | Verdict]:
        """Yield what reading each mapping's source takes."""
        for one in polled(self, snapshot):
            if isinstance(one, Verdict):
                yield one
            else:
                needs = one.needs(NeedKind.READ, snapshot.sources)
                policy = one.source.managed_policy if all(need.carried for need in needs) else ""
                yield one.requirement(needs, f"read its {one.source.name}", policy)

    def impact(self, requirement: Requirement) -> str:
        """Say what happens to what arrives."""
        return (
            f"Lambda polls the {requirement.facts['event_source_type']} with this role. Without the permission the "
            "event source mapping stops: what arrives is not processed, and is lost when it expires."
        )

    def answer(self, requirement: Requirement, snapshot: Snapshot) -> Verdict:
        """Return the verdict on a mapping that is meant to be on; AWS may have switched it off."""
        mapping, verdict = requirement.mapping, super().answer(requirement, snapshot)
        if mapping is None:
            return verdict
        if verdict.outcome is Outcome.PASS:
            return self._allowed(requirement, mapping)
        told = replace(verdict, reason=" ".join([verdict.reason, *said_by_aws(mapping)]))
        if mapping.disabled_by is not DisabledBy.AWS:
            return told
        return replace(told, remedies=tuple(_then_enable(remedy, mapping) for remedy in told.remedies))

    def _allowed(self, requirement: Requirement, mapping: EventSourceMapping) -> Verdict:
        """Return the verdict on a mapping whose source the role may read, now."""
        function, source = requirement.function, name_of(mapping)
        if mapping.disabled_by is DisabledBy.AWS:
            return self._switched_off(requirement, mapping)
        if mapping.disabled_by is DisabledBy.UNKNOWN:
            reason = "The event source mapping is disabled, and AWS does not say by whom."
            return self.unknown(function.arn, requirement.subject, reason)
        if not requirement.needs:
            reason = f"Reading {source} itself takes no permission of {function.role_arn}."
            return self.passed(function.arn, requirement.subject, reason)
        return self.passed(function.arn, requirement.subject, f"{function.role_arn} may read {source}.")

    def _switched_off(self, requirement: Requirement, mapping: EventSourceMapping) -> Verdict:
        """Return the verdict on a mapping that AWS switched off and whose role may read, now."""
        may = f"{requirement.function.role_arn} may read {name_of(mapping)} now, and nothing reads it."
        told = self.lacking(requirement, MissingPermissions((), ""))
        return replace(
            told,
            title=f"AWS switched off the event source mapping of {requirement.function.name}",
            reason=" ".join(
                [*said_by_aws(mapping), may if requirement.needs else f"Nothing reads {name_of(mapping)}."]
            ),
            impact=(
                f"The {requirement.facts['event_source_type']} is not polled until somebody enables the event source "
                "mapping: what arrives is not processed, and is lost when it expires. AWS does not enable it by itself."
            ),
            remedies=(Remedy("aws-cli", _enable(mapping)),),
        )


def _enable(mapping: EventSourceMapping) -> str:
    region = mapping.function_arn.split(":")[3]
    return f"aws lambda update-event-source-mapping --region {region} --uuid {mapping.uuid} --enabled"


def _then_enable(remedy: Remedy, mapping: EventSourceMapping) -> Remedy:
    """Return a command that enables the mapping after the policy is there: before that AWS would refuse."""
    return replace(remedy, text=f"{remedy.text}\n{_enable(mapping)}") if remedy.kind == "aws-cli" else remedy
