"""PG203 failure-destination-missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from permission_guard.model.arns import parse_function_arn
from permission_guard.model.state import Unread
from permission_guard.model.verdicts import Severity, Verdict
from permission_guard.needs.base import NeedKind
from permission_guard.needs.event_sources.destinations import destinations_of, on_failure_needs, on_success_needs
from permission_guard.needs.features.dead_letter import DeadLetter, target_of
from permission_guard.rules.execution_role.mappings import polled
from permission_guard.rules.execution_role.need_rule import NeedRule, Requirement, functions_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from permission_guard.model.state import EventInvokeConfig, Function, Snapshot
    from permission_guard.needs.base import Need


class FailureDestinationMissing(NeedRule):
    """Allow Lambda to send what fails, or succeeds, to where the configuration says, with the execution role.

    ## What it flags

    An execution role that is not allowed to send to

    - the destination of an event source mapping: an Amazon SQS queue, an Amazon SNS topic, an Amazon S3 bucket or a
      topic of the mapping's own Kafka cluster;
    - the function's dead-letter queue: a queue or a topic;
    - a destination of asynchronous invocations, on failure or on success: a queue, a topic, a bucket, a function or an
      Amazon EventBridge event bus.

    A version that runs with another role, or sends elsewhere, is judged as well where a mapping or a configuration of
    asynchronous invocations names it or an alias of it. A queue, a topic or a bucket may take a customer managed key.

    ## Why it matters

    The destination is there for the day when something goes wrong. Lambda does not say that it cannot send: it counts
    `DestinationDeliveryFailures` or `DeadLetterErrors`, and the event is gone.

    ## How to fix

    Allow the missing actions in a policy of the execution role: the finding has the statement. If a permissions
    boundary has no room for them, add the statement to the boundary. If the policy of the destination or of its key is
    named, it has to let in the role or its account too. If an explicit deny is in the way, no statement is offered:
    change what `denied_by` in the evidence names.

    ## Fix safety

    There is no automatic fix: no AWS managed policy carries these permissions for the very destination.

    ## Limits

    AWS does not say whether Lambda sends `lambda:SourceFunctionArn` along: what hangs on it is unknown. So is what
    hangs on a destination's key or own policy that could not be read. A grant is taken for a statement of the key's
    policy; one that asks for an encryption context is unknown. Whether the destination exists, or is of a kind that
    serves (a FIFO queue does not, for asynchronous invocations), is not looked at. Versions that nothing names are not
    read. Service control policies are not read. Files are not judged by this rule: they do not say which keys are in
    use.

    ## References

    - https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
    - https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
    - https://docs.aws.amazon.com/lambda/latest/dg/kafka-on-failure-destination.html
    - https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-encryption-key-policy.html
    """

    id = "PG203"
    name = "failure-destination-missing"
    severity = Severity.MEDIUM
    offline = False
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
        """Yield what each place takes that names a destination."""
        yield from self._of_mappings(snapshot)
        yield from self._dead_letters(snapshot)
        yield from self._asynchronous(snapshot)

    def impact(self, requirement: Requirement) -> str:
        """Say what is lost."""
        if requirement.subject.startswith("on-success/"):
            return "Lambda sends the records with this role. Without the permission whoever waits for them gets none."
        return "Lambda sends what failed with this role. Without the permission it is lost, and nobody can retry it."

    def _of_mappings(self, snapshot: Snapshot) -> Iterator[Requirement | Verdict]:
        if isinstance(snapshot.mappings, Unread):  # which is nothing against judging the rest
            yield self.unknown(snapshot.target.arn, "event-source-mapping/*", str(snapshot.mappings))
            return
        for one in polled(self, snapshot):
            if isinstance(one, Verdict):
                yield one
                continue
            purpose = f"send failed records of its {one.source.name} to their destination"
            needs = one.needs(NeedKind.DESTINATION, snapshot.sources)
            requirement = one.requirement(needs, purpose, destinations=destinations_of(one.mapping))
            if needs:
                yield requirement
            else:
                reason = "The event source mapping sends nothing anywhere that takes a permission."
                yield self.passed(one.function.arn, requirement.subject, reason)

    def _dead_letters(self, snapshot: Snapshot) -> Iterator[Requirement | Verdict]:
        # Which versions there are to ask about is known from these: those of the last look may still be there.
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
                yield _question(function, f"dead-letter-queue/{target}", needs, purpose, target)

    def _asynchronous(self, snapshot: Snapshot) -> Iterator[Requirement | Verdict]:
        if isinstance(snapshot.invoke_configs, Unread):
            for event in ("on-failure", "on-success"):
                yield self.unknown(snapshot.target.arn, f"{event}/*", str(snapshot.invoke_configs))
            return
        for config in snapshot.invoke_configs:
            yield from self._of_invocations(config, snapshot)

    def _of_invocations(self, config: EventInvokeConfig, snapshot: Snapshot) -> Iterator[Requirement | Verdict]:
        """Yield what the destinations of one function, alias or version take of the role of the version behind it."""
        arn = config.function_arn
        qualifier = parse_function_arn(arn)[1] or "$LATEST"
        for event, target, needs, what in (
            ("on-failure", config.on_failure, on_failure_needs(config, snapshot.sources), "failed"),
            ("on-success", config.on_success, on_success_needs(config, snapshot.sources), "successful"),
        ):
            version = snapshot.versions[arn] if needs else None
            if version is None:  # nothing is sent there, or the alias or version went after the list was read
                continue
            subject = f"{event}/{qualifier}/{target}"
            if isinstance(version, Unread):
                yield self.unknown(arn, subject, str(version))
            else:
                purpose = f"send records of {what} invocations to their destination"
                yield _question(version, subject, needs, purpose, target)


def _question(function: Function, subject: str, needs: tuple[Need, ...], purpose: str, target: str) -> Requirement:
    return Requirement(function, subject, needs, purpose, facts={"destination": target})
