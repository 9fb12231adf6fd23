"""PG202 event-source-dependency-missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.model.verdicts import Severity, Verdict
from permission_guard.needs.base import NeedKind
from permission_guard.rules.execution_role.mappings import polled, short_type
from permission_guard.rules.execution_role.need_rule import NeedRule, Requirement

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from permission_guard.model.state import Snapshot
    from permission_guard.needs.base import Need

_WHAT: Final = {
    "ec2": "create network interfaces for its {source}",
    "glue": "read the schema registry of its {source}",
    "kafka-cluster": "read the topics of its {source} with IAM",
    "kms": "decrypt the data of its {source}",
    "secretsmanager": "read the secret of its {source}",
    "sts": "get the token to sign in to its {source}",
}
"""What the function cannot do without the actions of one service, for the title."""


class EventSourceDependencyMissing(NeedRule):
    """Allow Lambda to reach and to sign in to a function's event sources with its execution role.

    ## What it flags

    An event source mapping whose execution role is not allowed the dependencies of reading the source:

    - `secretsmanager:GetSecretValue` on each secret of the mapping, for signing in or for verifying the server;
    - `kms:Decrypt` on the customer managed key of a secret, a queue or a stream;
    - the six `ec2` actions with which Lambda creates network interfaces in the VPC of an Amazon MSK cluster, an Amazon
      MQ broker that is not publicly accessible, an Amazon DocumentDB cluster or a self-managed Kafka cluster;
    - `kafka-cluster` actions on the cluster, its topics and consumer groups, if the cluster uses IAM authentication;
    - `sts:GetWebIdentityToken`, if a self-managed cluster accepts IAM tokens;
    - `glue:GetRegistry` and `glue:GetSchemaVersion`, or the secrets of a Confluent schema registry.

    ## Why it matters

    AWS checks little of this when the mapping is created, and none of it when a role, a secret or a key changes later.
    The mapping stays enabled but reads nothing.

    ## How to fix

    Allow the missing actions in a policy of the execution role: the finding has the statement.

    - If the finding names a permissions boundary, add the statement to the boundary too.
    - If the finding names the policy of a key, that policy must allow the role or its account too.
    - If an explicit deny is the cause, the finding has no statement: change what `denied_by` in the evidence names.

    ## Fix safety

    Safe: the fix attaches the fewest managed policies with which nothing is missing, and nothing else. AWS has none for
    secrets, keys and topics: they are policies of the stack, which exist if its parameter `FixResourceTag` or
    `FixNamePrefix` is set, and allow only resources with that tag or prefix. They are verified by reading the role
    back, and undone by detaching them. A schema registry of AWS Glue and a token of AWS STS have no policy.

    ## Limits

    - It is unknown whether a key is required, or whether a cluster uses IAM authentication, if that could not be read.
    - The outcome is unknown if it depends on the policy of a key or a secret that could not be read.
    - The mapping of a self-managed cluster does not contain the cluster's account. If it does not name a consumer
      group, Lambda generates the name. A policy for some clusters or groups is unknown.
    - A secret without its full ARN is unknown, unless every secret that matches is allowed.
    - AWS does not say whether the key of a DynamoDB table is required: a role without it is unknown.
    - A KMS grant is evaluated like a statement of the key policy. A grant with an encryption context is unknown.
    - AWS lists the network interfaces for every broker, but Lambda reaches a publicly accessible broker without them.
      If it was not read whether the broker is public, a role without these actions is unknown.
    - Security groups and routes are not checked.
    - Service control policies cannot be read. If AWS reports a mapping as denied, or disabled it, IAM's policy
      simulator evaluates them.
    - The rule is skipped for files, which do not say which keys are in use.

    ## References

    - https://docs.aws.amazon.com/lambda/latest/dg/with-msk-permissions.html
    - https://docs.aws.amazon.com/lambda/latest/dg/with-kafka-permissions.html
    - https://docs.aws.amazon.com/lambda/latest/dg/kafka-cluster-auth.html
    - https://docs.aws.amazon.com/lambda/latest/dg/process-mq-messages-with-lambda.html
    - https://docs.aws.amazon.com/lambda/latest/dg/with-documentdb.html
    - https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
    - https://docs.aws.amazon.com/msk/latest/developerguide/iam-access-control.html
    """

    id = "PG202"
    name = "event-source-dependency-missing"
    severity = Severity.HIGH
    offline = False
    reads = NeedRule.reads | {
        "dynamodb:DescribeTable",
        "kafka:DescribeClusterV2",
        "kinesis:DescribeStreamSummary",
        "kms:DescribeKey",
        "kms:GetKeyPolicy",
        "kms:ListGrants",
        "mq:DescribeBroker",
        "secretsmanager:DescribeSecret",
        "secretsmanager:GetResourcePolicy",
        "sqs:GetQueueAttributes",
    }

    def requirements(self, snapshot: Snapshot) -> Iterator[Requirement | Verdict]:
        """Yield what each mapping requires besides reading its source."""
        for one in polled(self, snapshot):
            if isinstance(one, Verdict):
                yield one
                continue
            needs = one.needs(NeedKind.DEPENDENCY, snapshot.sources)
            requirement = one.requirement(needs, f"use its {short_type(one.source.name)}")
            if needs:
                yield requirement
            else:
                reason = f"The {one.source.name} has no dependency that requires a permission."
                yield self.passed(one.function.arn, requirement.subject, reason)

    def title(self, requirement: Requirement, missing: Sequence[Need]) -> str:
        """Return what the function cannot do, by the service of the missing actions if there is only one."""
        what = {_WHAT.get(_service(need), "") for need in missing}
        if len(what) > 1 or "" in what:
            return super().title(requirement, missing)
        source = short_type(str(requirement.facts["event_source_type"]))
        return f"{requirement.function.name} cannot {what.pop().format(source=source)}"

    def impact(self, requirement: Requirement) -> str:
        """Return what happens to the records of the source."""
        return (
            f"Lambda reads the {requirement.facts['event_source_type']} with this role. Without the permission it "
            "reads nothing, even if the event source mapping is enabled: records are not processed, and are lost when "
            "they expire."
        )


def _service(need: Need) -> str:
    """Return the service of the action; for a key, the service that uses it, as without it that data is unreadable."""
    via = dict(need.context).get("kms:ViaService", "").partition(".")[0]
    return via if via in _WHAT else need.action.partition(":")[0]
