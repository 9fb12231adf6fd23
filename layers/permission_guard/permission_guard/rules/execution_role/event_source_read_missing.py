"""PG201 event-source-read-missing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from permission_guard.iam.arn import require_arn
from permission_guard.model.state import DisabledBy
from permission_guard.model.verdicts import Outcome, Remedy, Severity, Verdict
from permission_guard.needs.base import NeedKind
from permission_guard.remedies.aws_cli import aws
from permission_guard.rules.execution_role.mappings import name_of, polled, reason_of_aws, short_type
from permission_guard.rules.execution_role.need_rule import MissingPermissions, NeedRule, Requirement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from permission_guard.model.state import EventSourceMapping, Snapshot


class EventSourceReadMissing(NeedRule):
    """Allow Lambda to read a function's event sources with its execution role.

    ## What it flags

    An event source mapping whose execution role is not allowed every action that Lambda needs to read that source: an
    SQS queue, a Kinesis data stream, a DynamoDB stream, an Amazon MSK cluster, an Amazon MQ broker or an Amazon
    DocumentDB cluster. The rule evaluates identity-based policies (managed and inline), the permissions boundary,
    explicit denies and the source's own policy as AWS does, for the source's real ARN. Reading self-managed Kafka
    requires no such action.

    It also flags a mapping that AWS itself disabled, as AWS does when Lambda cannot read. AWS does not enable the
    mapping again when the role is fixed.

    ## Why it matters

    Lambda polls with the function's own role. AWS checks the permissions only once, when the mapping is created. If a
    later change removes a permission, the mapping stops without an error, messages pile up or expire, and AWS sends
    no alert.

    ## How to fix

    Attach the AWS managed policy of the source's type to the execution role, or allow the missing actions on the
    source in your own policy. Amazon MQ and DocumentDB have no AWS managed policy.

    - If the finding names a permissions boundary, add the statement to the boundary too.
    - If the finding names the source's own policy, as for a source of another account, that policy must allow the role
      or its account too.
    - If an explicit deny is the cause, the finding has no statement: change what `denied_by` in the evidence names.
    - If AWS disabled the mapping, enable it after the role is fixed.

    ## Fix safety

    Safe: the fix attaches one AWS managed policy (`AWSLambdaSQSQueueExecutionRole`, `AWSLambdaKinesisExecutionRole`,
    `AWSLambdaDynamoDBExecutionRole` or `AWSLambdaMSKExecutionRole`) and nothing else. For Amazon MQ and DocumentDB, and
    for every source if `fixes.policies` is `own`, it attaches a policy of the stack, which exists if its parameter
    `FixResourceTag` or `FixNamePrefix` is set. It is additive, verified by reading the role back, and undone by
    detaching that policy.

    With `fixes.enable_mappings: true` in `guard.yaml` the plan also enables the mapping, if AWS disabled it because of
    the missing permission. A mapping that a person disabled is never enabled.

    ## Limits

    - The source's own policy is read only if the role's policies do not decide. While the role's policies allow the
      actions, a Deny in the policy of a source of the same account is not detected.
    - The policy of a cluster is not read: what depends on it is unknown.
    - `kafka:DescribeClusterV2` is unknown if only `kafka:DescribeCluster` is allowed and it could not be read whether
      the cluster is serverless.
    - A policy for some parameter or subnet groups is unknown if the groups of a DocumentDB cluster could not be read.
    - Service control policies cannot be read. If AWS reports a mapping as denied, or disabled it, IAM's policy
      simulator evaluates them.
    - AWS lists five actions for every Kinesis data stream. AWS creates mappings without `kinesis:ListShards`, which the
      Serverless Framework omits. AWS does not say how Lambda then handles new shards, so the rule reports it as
      missing.
    - PG202 checks the dependencies of a source: secrets, keys, network interfaces, the data plane of a Kafka cluster.
    - A decision that depends on a policy that could not be read, or on an unknown condition key, is unknown.
    - If the role does not exist, PG207 reports it, and the outcome of this rule is unknown.
    - A mapping that a user disabled is ignored.

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
        """Yield what reading each mapping's source requires."""
        for one in polled(self, snapshot):
            if isinstance(one, Verdict):
                yield one
            else:
                needs = one.needs(NeedKind.READ, snapshot.sources)
                policy = one.source.managed_policy if all(need.carried for need in needs) else ""
                yield one.requirement(needs, f"read its {short_type(one.source.name)}", policy)

    def impact(self, requirement: Requirement) -> str:
        """Return what happens to the records of the source."""
        return (
            f"Lambda polls the {requirement.facts['event_source_type']} with this role. Without the permission the "
            "event source mapping stops: records are not processed, and are lost when they expire."
        )

    def check_requirement(self, requirement: Requirement, snapshot: Snapshot) -> Verdict:
        """Return the verdict on a mapping that is enabled, or that AWS disabled."""
        mapping, verdict = requirement.mapping, super().check_requirement(requirement, snapshot)
        if mapping is None:
            return verdict
        if verdict.outcome is Outcome.PASS:
            return self._allowed(requirement, mapping)
        explained = replace(verdict, reason=" ".join([verdict.reason, *reason_of_aws(mapping)]))
        if mapping.disabled_by is not DisabledBy.AWS:
            return explained
        return replace(explained, remedies=tuple(_then_enable(remedy, mapping) for remedy in explained.remedies))

    def _allowed(self, requirement: Requirement, mapping: EventSourceMapping) -> Verdict:
        """Return the verdict on a mapping whose role is allowed to read the source now."""
        function, source = requirement.function, name_of(mapping)
        if mapping.disabled_by is DisabledBy.AWS:
            return self._disabled_by_aws(requirement, mapping)
        if mapping.disabled_by is DisabledBy.UNKNOWN:
            reason = "Unknown: the event source mapping is disabled, and AWS does not say by whom."
            return self.unknown(function.arn, requirement.subject, reason)
        if not requirement.needs:
            reason = f"Reading {source} requires no permission of {function.role_arn}."
            return self.passed(function.arn, requirement.subject, reason)
        return self.passed(function.arn, requirement.subject, f"{function.role_arn} is allowed to read {source}.")

    def _disabled_by_aws(self, requirement: Requirement, mapping: EventSourceMapping) -> Verdict:
        """Return the violation that AWS disabled a mapping whose role is allowed to read the source now."""
        source = name_of(mapping)
        allowed = f"{requirement.function.role_arn} is allowed to read {source} now, but nothing reads it."
        violation = self.lacking(requirement, MissingPermissions((), ""))
        return replace(
            violation,
            title=f"AWS disabled the event source mapping of {requirement.function.name}",
            reason=" ".join([*reason_of_aws(mapping), allowed if requirement.needs else f"Nothing reads {source}."]),
            impact=(
                f"Lambda does not poll the {requirement.facts['event_source_type']} until a user enables the event "
                "source mapping: records are not processed, and are lost when they expire. AWS does not enable it "
                "again."
            ),
            remedies=(Remedy("aws-cli", _enable(mapping), changes=_ENABLED),),
        )


_ENABLED: Final = "Lambda polls the source again, and the function gets what is still in it."
_THEN_ENABLE: Final = "The event source mapping stays disabled: enable it afterwards."


def _enable(mapping: EventSourceMapping) -> str:
    region = require_arn(mapping.function_arn).region
    return aws("lambda", "update-event-source-mapping", region, uuid=mapping.uuid, enabled=True)


def _then_enable(remedy: Remedy, mapping: EventSourceMapping) -> Remedy:
    """Return the command with one that enables the mapping afterwards; before the role is fixed, AWS denies that."""
    if remedy.kind == "aws-cli":
        return replace(remedy, text=f"{remedy.text}\n{_enable(mapping)}", changes=f"{remedy.changes} {_ENABLED}")
    return replace(remedy, changes=f"{remedy.changes} {_THEN_ENABLE}".strip())
