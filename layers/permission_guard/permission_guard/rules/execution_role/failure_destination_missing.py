"""PG203 failure-destination-missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.model.arns import parse_function_arn
from permission_guard.model.state import Unread
from permission_guard.model.verdicts import Severity, Verdict
from permission_guard.needs.base import NeedKind
from permission_guard.needs.event_sources.destinations import destinations_of, on_failure_needs, on_success_needs
from permission_guard.needs.features.dead_letter import DeadLetter, target_of
from permission_guard.rules.execution_role.mappings import polled, short_type
from permission_guard.rules.execution_role.need_rule import NeedRule, Requirement, functions_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from permission_guard.model.state import EventInvokeConfig, Function, Snapshot
    from permission_guard.needs.base import Need


class FailureDestinationMissing(NeedRule):
    """Allow Lambda to send failed and successful events to their destinations with the execution role.

    ## What it flags

    An execution role that is not allowed to send to

    - the destination of an event source mapping: an Amazon SQS queue, an Amazon SNS topic, an Amazon S3 bucket or a
      topic of the mapping's own Kafka cluster;
    - the function's dead-letter queue: a queue or a topic;
    - a destination of asynchronous invocations, on failure or on success: a queue, a topic, a bucket, a function or an
      Amazon EventBridge event bus.

    The customer managed key of a queue, a topic or a bucket is included. A version with another role or destination is
    checked too if an event source mapping or a configuration of asynchronous invocations names it or an alias of it.

    ## Why it matters

    The destination keeps failed events. If Lambda cannot send to it, Lambda reports no error: it counts
    `DestinationDeliveryFailures` or `DeadLetterErrors`, and the event is lost.

    ## How to fix

    Allow the missing actions in a policy of the execution role: the finding has the statement.

    - If the finding names a permissions boundary, add the statement to the boundary too.
    - If the finding names the policy of the destination or of its key, that policy must allow the role or its account
      too.
    - If an explicit deny is the cause, the finding has no statement: change what `denied_by` in the evidence names.

    ## Fix safety

    Safe: the fix attaches the fewest policies of the stack with which nothing is missing, and nothing else. AWS has no
    managed policy for a destination. The stack has some if its parameter `FixResourceTag` or `FixNamePrefix` is set:
    they allow only resources with that tag or prefix. They are verified by reading the role back, and undone by
    detaching them. The topic of a Kafka cluster has no policy.

    ## Limits

    - AWS does not say whether Lambda sends `lambda:SourceFunctionArn`: what depends on that key is unknown.
    - What depends on a destination's key or own policy that could not be read is unknown.
    - A KMS grant is evaluated like a statement of the key policy. A grant with an encryption context is unknown.
    - The rule does not check whether the destination exists, or whether its type is supported. For example,
      asynchronous invocations do not support FIFO queues.
    - Versions that no mapping and no configuration names are not read.
    - IAM's policy simulator evaluates service control policies if AWS denied a call because of the destination, or
      reports the mapping as denied.
    - In a template, the key of a destination that is not in the file is not read, and counts as none.

    ## References

    - https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
    - https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
    - https://docs.aws.amazon.com/lambda/latest/dg/kafka-on-failure-destination.html
    - https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-encryption-key-policy.html
    """

    id = "PG203"
    name = "failure-destination-missing"
    severity = Severity.MEDIUM
    reads = NeedRule.reads | {
        "events:DescribeEventBus",
        "kafka:DescribeClusterV2",
        "kms:DescribeKey",
        "kms:GetKeyPolicy",
        "kms:ListGrants",
        "lambda:GetPolicy",
        "lambda:ListFunctionEventInvokeConfigs",
        "s3:GetBucketPolicy",
        "s3:GetEncryptionConfiguration",
        "sns:GetTopicAttributes",
        "sqs:GetQueueAttributes",
    }

    def requirements(self, snapshot: Snapshot) -> Iterator[Requirement | Verdict]:
        """Yield what each configured destination requires."""
        yield from self._of_mappings(snapshot)
        yield from self._dead_letters(snapshot)
        yield from self._asynchronous(snapshot)

    def impact(self, requirement: Requirement) -> str:
        """Return what is lost."""
        if requirement.subject.startswith("on-success/"):
            return "Lambda sends these records with this role. Without the permission they are not delivered."
        return "Lambda sends failed events with this role. Without the permission they are lost and cannot be retried."

    def _of_mappings(self, snapshot: Snapshot) -> Iterator[Requirement | Verdict]:
        if isinstance(snapshot.mappings, Unread):  # the other destinations can still be checked
            yield self.unknown(snapshot.target.arn, "event-source-mapping/*", str(snapshot.mappings))
            return
        for one in polled(self, snapshot):
            if isinstance(one, Verdict):
                yield one
                continue
            purpose = f"use the on-failure destination of its {short_type(one.source.name)}"
            needs = one.needs(NeedKind.DESTINATION, snapshot.sources)
            requirement = one.requirement(needs, purpose, destinations=destinations_of(one.mapping))
            if needs:
                yield requirement
            else:
                reason = "The event source mapping has no destination that requires a permission."
                yield self.passed(one.function.arn, requirement.subject, reason)

    def _dead_letters(self, snapshot: Snapshot) -> Iterator[Requirement | Verdict]:
        # These lists name the versions to check. If one is unread, versions of an earlier check may still exist.
        for part in (snapshot.mappings, snapshot.invoke_configs):
            if isinstance(part, Unread):
                yield self.unknown(snapshot.target.arn, "dead-letter-queue/*", str(part))
        for arn, version in sorted(snapshot.versions.items()):
            if isinstance(version, Unread):
                yield self.unknown(arn, "dead-letter-queue/*", str(version))
        for function in functions_of(snapshot):
            needs, target = DeadLetter().needs(function, snapshot.sources), target_of(function)
            if needs:
                purpose = "send failed events to its dead-letter queue"
                yield _requirement(function, f"dead-letter-queue/{target}", needs, purpose, target)

    def _asynchronous(self, snapshot: Snapshot) -> Iterator[Requirement | Verdict]:
        if isinstance(snapshot.invoke_configs, Unread):
            for event in ("on-failure", "on-success"):
                yield self.unknown(snapshot.target.arn, f"{event}/*", str(snapshot.invoke_configs))
            return
        for config in snapshot.invoke_configs:
            yield from self._of_invocations(config, snapshot)

    def _of_invocations(self, config: EventInvokeConfig, snapshot: Snapshot) -> Iterator[Requirement | Verdict]:
        """Yield what the destinations of one function, alias or version require of the role of its version."""
        arn = config.function_arn
        qualifier = parse_function_arn(arn)[1] or "$LATEST"
        for event, target, needs in (
            ("on-failure", config.on_failure, on_failure_needs(config, snapshot.sources)),
            ("on-success", config.on_success, on_success_needs(config, snapshot.sources)),
        ):
            version = snapshot.versions[arn] if needs else None
            if version is None:  # there is no destination, or the alias or version was deleted after it was listed
                continue
            subject = f"{event}/{qualifier}/{target}"
            if isinstance(version, Unread):
                yield self.unknown(arn, subject, str(version))
            else:
                yield _requirement(version, subject, needs, f"use its {event} destination", target)


def _requirement(function: Function, subject: str, needs: tuple[Need, ...], purpose: str, target: str) -> Requirement:
    return Requirement(function, subject, needs, purpose, facts={"destination": target})
