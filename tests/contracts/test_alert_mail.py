"""Which messages reach the address of `AlertEmail`: SNS evaluates the filter policies of template.yaml."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from permission_guard.bus.alert_tests import AlertTest
from permission_guard.delivery.alert_tests import compose_test
from permission_guard.delivery.alerts.sns.channel import SnsChannel
from permission_guard.delivery.digests import compose_digest
from permission_guard.delivery.finding_messages import compose
from permission_guard.model.digests import Digest, DigestKind
from permission_guard.model.findings import Status, Transition
from permission_guard.model.verdicts import Severity
from tests.contracts.implementations import queue_for, unique
from tests.fakes import ACCOUNT, NOW, REGION, a_finding
from tests.in_memory.client import Client
from tests.in_memory.sns import Topics
from tests.paths import REPOSITORY
from tests.template.sam_template import EVERYTHING, Template, referred

if TYPE_CHECKING:
    from permission_guard.delivery.message import Message
    from tests.contracts.implementations import Aws

DIGEST = compose_digest(
    Digest(
        id="digest-1",
        kind=DigestKind.BASELINE,
        account=ACCOUNT,
        region=REGION,
        created_at=NOW,
        title="12 findings",
        summary="The first sweep found them.",
    )
)
TEST = compose_test(AlertTest(id="1", by=f"arn:aws:iam::{ACCOUNT}:user/ops", at=NOW, account=ACCOUNT, region=REGION))
ALARM = 'ALARM: "AlertDeadLettersAlarm" in US East (N. Virginia)'


def about(severity: Severity, transition: Transition = Transition.OPENED) -> Message:
    """Return the message about a finding."""
    status = Status.RESOLVED if transition is Transition.RESOLVED else Status.OPEN
    return compose(a_finding(severity=severity, transition=transition, status=status, title=f"a {severity} one"))


def subscriptions(**parameters: str) -> dict[str, dict[str, Any] | None]:
    """Return the filter policy of the address for each topic, None without one."""
    template = Template(REPOSITORY / "template.yaml", **EVERYTHING | parameters)
    found: dict[str, dict[str, Any] | None] = {}
    for subscription in template.of_type("AWS::SNS::Subscription").values():
        assert subscription["Endpoint"] == {"Ref": "AlertEmail"}
        policy = None
        if "FilterPolicy" in subscription:
            assert subscription["FilterPolicyScope"] == "MessageAttributes"
            text, values = subscription["FilterPolicy"]["Fn::Sub"]
            separator, parameter = values["Severities"]["Fn::Join"]
            severities = separator.join(template.values[referred(parameter)].split(","))
            policy = json.loads(text.replace("${Severities}", severities))
        found[referred(subscription["TopicArn"])] = policy
    return found


class Mailbox:
    """A queue that has the subscriptions of the address, to topics of these names."""

    def __init__(self, aws: Aws, **parameters: str) -> None:
        self._aws, self._sns, self._sqs = aws, aws.client("sns"), aws.client("sqs")
        self._topics, self._urls = {}, []
        for name, policy in subscriptions(**parameters).items():
            self._topics[name] = arn = self._sns.create_topic(Name=unique(name))["TopicArn"]
            url, queue = queue_for(aws, "sns", arn)
            self._urls.append(url)
            attributes = {"FilterPolicy": json.dumps(policy)} if policy else {}
            self._sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=queue, Attributes=attributes)

    def send(self, message: Message) -> None:
        """Publish a message as the bot does."""
        SnsChannel(self._sns, self._topics["AlertTopic"]).send(message, None)

    def alarm(self) -> None:
        """Publish as CloudWatch does, without attributes, to the topics of an alarm."""
        alarms = Template(REPOSITORY / "template.yaml", **EVERYTHING).of_type("AWS::CloudWatch::Alarm")
        (topics,) = {tuple(map(referred, alarm["AlarmActions"])) for alarm in alarms.values()}
        for topic in topics:
            self._sns.publish(TopicArn=self._topics[topic], Subject=ALARM, Message='{"NewStateValue": "ALARM"}')

    def subjects(self, count: int) -> list[str]:
        """Return the subjects of so many messages, as soon as they are there, and of any others with them."""
        subjects: list[str] = []

        def probe() -> bool:
            for url in self._urls:
                reply = self._sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
                subjects.extend(json.loads(one["Body"])["Subject"] for one in reply.get("Messages", ()))
            return len(subjects) >= count

        self._aws.eventually(probe)
        return sorted(subjects)


@pytest.mark.differs(moto="does not match what does not exist if the policy also names a value")
def test_an_alarm_a_digest_and_a_resolved_finding_are_mailed_and_a_low_one_is_not(aws: Aws) -> None:
    """Each once. A test message is mailed, too."""
    mailbox = Mailbox(aws)
    mailbox.send(about(Severity.LOW))
    mailbox.send(about(Severity.MEDIUM))
    mailbox.send(about(Severity.HIGH))
    mailbox.alarm()
    mailbox.send(DIGEST)
    mailbox.send(TEST)
    mailbox.send(about(Severity.HIGH, Transition.RESOLVED))

    assert mailbox.subjects(5) == sorted(
        [
            ALARM,
            "12 findings",
            "[TEST] Permission Guard: test message",
            "[HIGH] Opened: a high one",
            "Resolved: a high one",
        ]
    )


def test_who_was_not_mailed_that_a_finding_opened_is_not_mailed_that_it_is_resolved(aws: Aws) -> None:
    """The attribute is the finding's severity, whatever happened to it."""
    mailbox = Mailbox(aws)
    mailbox.send(about(Severity.LOW, Transition.RESOLVED))
    mailbox.send(about(Severity.CRITICAL, Transition.RESOLVED))
    mailbox.alarm()

    assert mailbox.subjects(2) == [ALARM, "Resolved: a critical one"]


def test_the_severities_are_a_parameter() -> None:
    """A template that is deployed without it mails high and critical."""
    assert subscriptions() == {
        "AlertTopic": {"severity": ["high", "critical", {"exists": False}]},
        "AlarmTopic": None,
    }
    assert subscriptions(AlertEmailSeverities="low,medium,high,critical")["AlertTopic"] == {
        "severity": ["low", "medium", "high", "critical", {"exists": False}]
    }


def test_people_get_the_text_and_programs_the_document() -> None:
    """A mail is readable as it is; a queue gets JSON."""
    queued: list[str] = []
    topics = Topics(lambda: 0.0, ACCOUNT, REGION, send=lambda _queue, body: queued.append(body))
    sns: Any = Client("sns", lambda _service, operation, params: topics.answer(operation, params))
    topic = sns.create_topic(Name="alerts")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="ops@example.com")
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:{REGION}:{ACCOUNT}:programs")

    SnsChannel(sns, topic).send(about(Severity.HIGH), None)

    (mail,), (body,) = topics.mails["ops@example.com"], queued
    document = json.loads(json.loads(body)["Message"])
    assert mail["Message"].startswith("Opened: a high one\n\nA problem was found.\n\nFunction: ")
    assert (document["version"], document["headline"]) == (1, "[HIGH] Opened: a high one")
