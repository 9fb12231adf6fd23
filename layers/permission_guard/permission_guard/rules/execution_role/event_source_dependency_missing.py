"""PG202 event-source-dependency-missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from permission_guard.model.verdicts import Severity, Verdict
from permission_guard.needs.base import NeedKind
from permission_guard.rules.execution_role.mappings import polled
from permission_guard.rules.execution_role.need_rule import NeedRule, Requirement

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from permission_guard.model.state import Snapshot
    from permission_guard.needs.base import Need

_WHAT: Final = {
    "ec2": "make the network interfaces to reach its {source}",
    "glue": "read the schema registry of its {source}",
    "kafka-cluster": "read the topics of its {source} with IAM",
    "kms": "decrypt what it reads for its {source}",
    "secretsmanager": "read the secret of its {source}",
    "sts": "get the token to sign in to its {source}",
}
"""What cannot be done without the actions of one service, in a few words."""


class EventSourceDependencyMissing(NeedRule):
    """Allow Lambda to reach and to sign in to a function's event sources with its execution role.

    ## What it flags

    An event source mapping whose function's execution role is not allowed what reading the source takes besides the
    source itself:

    - `secretsmanager:GetSecretValue` on each secret that the mapping names, to sign in with or to check the server;
    - `kms:Decrypt` on the customer managed key that a secret, a queue or a stream is encrypted with;
    - the six `ec2` actions with which Lambda makes network interfaces in the VPC of an Amazon MSK cluster, an Amazon MQ
      broker that is not publicly accessible, an Amazon DocumentDB cluster or a self-managed Kafka cluster;
    - `kafka-cluster` actions on the cluster, its topics and consumer groups, where clients sign in with IAM;
    - `sts:GetWebIdentityToken`, where a self-managed cluster takes tokens of IAM;
    - `glue:GetRegistry` and `glue:GetSchemaVersion`, or the secrets of a Confluent schema registry.

    ## Why it matters

    AWS checks little of this when the mapping is created, and none of it when a role, a secret or a key changes
    later. The mapping looks enabled and reads nothing.

    ## How to fix

    Allow the missing actions in a policy of the execution role: the finding has the statement. If a permissions
    boundary has no room for them, add the statement to the boundary. If the policy of a key is named, it has to let
    in the role or its account too. If an explicit deny is in the way, no statement is offered: change what
    `denied_by` in the evidence names.

    ## Fix safety

    There is no automatic fix: no AWS managed policy carries these permissions for the very secret, key or cluster.

    ## Limits

    Whether a key is needed, and whether a cluster asks for IAM, is unknown where it could not be read. So is what a
    key's or a secret's own policy says where it could not be read and the role's policies do not settle the matter. Of
    a self-managed cluster the mapping does not say whose it is, and without a consumer group's name Lambda makes one
    up: a policy for some of them is unknown. A secret that is not named by its whole ARN is unknown unless all that it
    may be is allowed. AWS does not say whether the key of a DynamoDB table is needed: a role without it is unknown.
    A grant is taken for a statement of the key's policy; one that asks for an encryption context is unknown.
    AWS lists the network interfaces for every broker; one that is publicly accessible is reached without, and where it
    was not read which it is, a role without them is unknown. Security groups and routes are not looked at. Service
    control policies cannot be read: IAM's policy simulator is asked for them where AWS says that a mapping is refused,
    or has switched it off. Files are not judged by this rule: they do not say which keys are in use.

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
        """Yield what each mapping takes besides reading its source."""
        for one in polled(self, snapshot):
            if isinstance(one, Verdict):
                yield one
                continue
            needs = one.needs(NeedKind.DEPENDENCY, snapshot.sources)
            requirement = one.requirement(needs, f"use its {one.source.name}")
            if needs:
                yield requirement
            else:
                reason = f"Nothing besides the {one.source.name} itself takes a permission."
                yield self.passed(one.function.arn, requirement.subject, reason)

    def title(self, requirement: Requirement, missing: Sequence[Need]) -> str:
        """Say what cannot be done, where that is one thing."""
        what = {_WHAT.get(_service(need), "") for need in missing}
        if len(what) > 1 or "" in what:
            return super().title(requirement, missing)
        source = str(requirement.facts["event_source_type"])
        return f"{requirement.function.name} cannot {what.pop().format(source=source)}"

    def impact(self, requirement: Requirement) -> str:
        """Say what happens to what arrives."""
        return (
            f"Lambda reads the {requirement.facts['event_source_type']} with this role. Without the permission "
            "nothing is read, though the event source mapping may look enabled: what arrives is not processed, and is "
            "lost when it expires."
        )


def _service(need: Need) -> str:
    """Return the service whose action it is; without the key of a secret, it is the secret that cannot be read."""
    via = dict(need.context).get("kms:ViaService", "").partition(".")[0]
    return via if via in _WHAT else need.action.partition(":")[0]
