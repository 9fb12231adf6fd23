"""The life of one finding in every system at once: the deployed stack, and servers that behave as the vendors do."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pytest
from typer.testing import CliRunner

from permission_guard.cli.app import app
from permission_guard.delivery.alerts.base import ALERTED
from permission_guard.delivery.states import HAPPENED, STATES
from permission_guard.model.findings import Transition
from sandbox.client import configuration
from sandbox.client.engineer import LOGS_POLICY, SQS_POLICY, Engineer
from sandbox.client.process import Sandbox, poll
from sandbox.client.watcher import DEADLINE, Watcher
from tests.e2e.bot import CONFIGURATION, OPERATORS, STACK, Bot
from tests.e2e.deciding import Person, has_fix
from tests.integration.alerts import slack_api
from tests.peers.server import Peers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from sandbox.client.watcher import Finding

SYSTEMS: Final = ("github", "jira", "servicenow")
"""The named ticket systems, besides OpsCenter and Security Hub."""
APPRISE: Final = ("workflows", "jsons")
"""Two services of Apprise: Microsoft Teams, and any server that takes JSON."""
HEADLINE: Final = re.compile(rf"\b({'|'.join(STATES.values())}): ")
REASON: Final = "Known, see ADR 12"
SWAPPED: Final = ("Suppressed", "Reopened", "Fix refused")
"""The states whose messages arrive in the reverse order."""
STEPS: Final = ("Opened", "Fix proposed", "Fix applied", "Resolved", "Reopened")
UNTIL: Final = (datetime.now(UTC) + timedelta(hours=2)).isoformat(timespec="seconds")


def document(secrets: Mapping[str, str]) -> dict[str, Any]:
    """Return the configuration: everything also goes to every named channel and ticket system."""
    return {
        **CONFIGURATION,
        "channels": {
            "team-bot": {"type": "slack", "secret": secrets["slack"], "channel": slack_api.CONVERSATION},
            "team-hook": {"type": "slack-webhook", "secret": secrets["webhook"]},
            **{f"team-{one}": {"type": "apprise", "secret": secrets[one]} for one in APPRISE},
        },
        "tickets": {"systems": {f"team-{one}": {"type": one, "secret": secrets[one]} for one in SYSTEMS}},
        "routes": [
            {
                "id": "everything",
                "channels": ["team-bot", "team-hook", *(f"team-{one}" for one in APPRISE)],
                "tickets": [f"team-{one}" for one in SYSTEMS],
            }
        ],
    }


@dataclass(frozen=True, slots=True)
class Everywhere:
    """The stack with its receivers."""

    bot: Bot
    peers: Peers

    def tickets(self, finding: Finding) -> dict[str, list[tuple[bool, str]]]:
        """Return, for each system, whether each ticket of a finding is open, and its text."""
        items = self.bot.watcher.ops_items(finding["id"])
        seen = {
            "opsitem": [(one["Status"] in ("Open", "InProgress"), json.dumps(one, default=str)) for one in items],
            "securityhub": [(_is_active(one), json.dumps(one)) for one in self.bot.watcher.imported(finding["id"])],
        }
        for name in SYSTEMS:
            shown = getattr(self.peers, name).shown()
            seen[name] = [(one.is_open, one.text) for one in shown if finding["id"] in one.text]
        return seen

    def now(self, finding: Finding) -> Finding:
        """Return a finding as it is now."""
        (found,) = [one for one in self.bot.watcher.findings(finding["function_arn"]) if one["id"] == finding["id"]]
        return found

    def arrive(self, finding: Finding) -> None:
        """Wait until each system has one ticket of a finding with its state, and each channel its last message."""
        self._wait(lambda: not self._wrong_tickets(finding), "OpenTicket", lambda: self._wrong_tickets(finding))
        self._wait(lambda: not self._wrong_alerts(finding), "SendAlert", lambda: self._wrong_alerts(finding))
        for queue in ("TicketQueue", "AlertQueue"):
            self.bot.wait_until_empty(queue)
        assert self._wrong_tickets(finding) + self._wrong_alerts(finding) == []

    def _wait(self, probe: Callable[[], bool], function: str, wrong: Callable[[], list[str]]) -> None:
        try:
            poll(probe, deadline=DEADLINE, what="state of the finding everywhere")
        except TimeoutError as error:
            failed = [line for line in self.bot.log_lines(function) if line.get("level") == "ERROR"]
            error.add_note("\n".join([*wrong(), *(json.dumps(line)[:2_000] for line in failed[-3:])]))
            raise

    def _wrong_tickets(self, finding: Finding) -> list[str]:
        """Return which systems do not have exactly one ticket of a finding, in its state and with its last text."""
        now = self.now(finding)
        sentence = HAPPENED[Transition(now["transition"])].partition(".")[0]
        return [
            f"{name}: {[(is_open, text[:300]) for is_open, text in tickets]} instead of {now['status']}, {sentence}"
            for name, tickets in self.tickets(finding).items()
            if len(tickets) != 1 or tickets[0][0] != (now["status"] == "open") or sentence not in tickets[0][1]
        ]

    def _wrong_alerts(self, finding: Finding) -> list[str]:
        """Return which channels do not have the messages of a finding once each, in order, up to the last one.

        A message that comes after a later one is left out.
        """
        expected = states_of(self.now(finding))
        found = {
            "sns": [one["Message"] for one in self.bot.watcher.alerts(finding["id"])],
            "team-hook": [one.text for one in self.peers.webhook.messages],
            "team-bot": [one.shown.text for one in self.thread(finding)],
            **{f"team-{one}": [shown.text for shown in self.peers.apprise[one].messages] for one in APPRISE},
        }
        states = {channel: _states(texts, finding) for channel, texts in found.items()}
        # The first message of a thread shows the finding as it is now.
        states["team-bot"][:1] = expected[:1] if states["team-bot"][:1] == expected[-1:] else states["team-bot"][:1]
        return [
            f"{channel}: {one} instead of {expected}"
            for channel, one in states.items()
            if one[-1:] != expected[-1:] or not _is_in_order(one, expected)
        ]

    def thread(self, finding: Finding) -> list[slack_api.Posted]:
        """Return the messages about a finding that the bot posted to Slack: the first one, and its replies."""
        tops = [key for key, one in self.peers.slack.messages.items() if not one.thread and _is_about(one, finding)]
        assert len(tops) <= 1, "a finding has one thread"
        return [self.peers.slack.messages[top] for top in tops] + [
            reply for top in tops for reply in self.peers.slack.replies(top)
        ]

    def comments(self, finding: Finding) -> list[str]:
        """Return every comment on a ticket of a finding. If nobody closed one, there is none."""
        shown = [one for name in SYSTEMS for one in getattr(self.peers, name).shown() if finding["id"] in one.text]
        notes = [one["Note"]["Text"] for one in self.bot.watcher.imported(finding["id"]) if "Note" in one]
        return [*notes, *(text for one in shown for text in one.comments)]

    def set_workflow(self, finding: Finding, status: str) -> None:
        """Set the workflow status of a finding in Security Hub, as a person does."""
        (one,) = self.bot.watcher.imported(finding["id"])
        names = {"Id": one["Id"], "ProductArn": one["ProductArn"]}
        hub = self.bot.aws.client("securityhub")
        reply = hub.batch_update_findings(FindingIdentifiers=[names], Workflow={"Status": status})
        assert reply["UnprocessedFindings"] == []

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep messages in the queues of the senders; afterwards let them arrive in the reverse order."""
        for function in ("OpenTicketFunction", "SendAlertFunction"):
            self._poll(function, enabled=False)
        yield
        for queue, function in (("TicketQueue", "OpenTicketFunction"), ("AlertQueue", "SendAlertFunction")):
            waiting = poll(partial(self._taken, queue), deadline=DEADLINE, what=f"messages in {queue}")
            self.bot.send(queue, *reversed(waiting))
            self._poll(function, enabled=True)

    def _poll(self, function: str, *, enabled: bool) -> None:
        functions, wanted = self.bot.engineer.functions, "Enabled" if enabled else "Disabled"
        name = self.bot.resource(function)
        (mapping,) = functions.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
        functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=enabled)
        poll(
            lambda: functions.get_event_source_mapping(UUID=mapping["UUID"])["State"] == wanted,
            deadline=DEADLINE,
            what=f"{wanted} mapping of {function}",
        )

    def _taken(self, queue: str) -> list[str]:
        """Take the messages out of a queue once all are there, in the order in which they were sent."""
        if self.bot.waiting(queue) < len(SWAPPED):
            return []
        sqs, url = self.bot.session(OPERATORS)("sqs"), self.bot.resource(queue)
        taken = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
        for one in taken:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=one["ReceiptHandle"])
        bodies: list[str] = [one["Body"] for one in taken]
        return sorted(bodies, key=lambda body: json.loads(body)["detail"].get("revision", 0))


def states_of(finding: Finding) -> list[str]:
    """Return the states of a finding until now that an alert is about, in the words of the headlines.

    Nobody is told about the end of what was suppressed.
    """
    states, was_open = [], False
    for past in sorted(finding["history"], key=lambda one: int(one["revision"])):
        transition = Transition(past["transition"])
        is_end = transition in (Transition.SUPPRESSED, Transition.RESOLVED)
        if transition in ALERTED and (was_open or not is_end):
            states.append(STATES[transition])
        was_open = not is_end
    return states


def _is_active(imported: Mapping[str, Any]) -> bool:
    return imported["RecordState"] == "ACTIVE" and imported["Workflow"]["Status"] in ("NEW", "NOTIFIED")


def _states(texts: Iterable[str], finding: Finding) -> list[str]:
    return [found[1] for text in texts if finding["id"] in text and (found := HEADLINE.search(text))]


def _is_about(posted: slack_api.Posted, finding: Finding) -> bool:
    return finding["id"] in posted.shown.text


def _is_in_order(found: list[str], expected: list[str]) -> bool:
    """Return whether what was found is expected, in this order and not more often."""
    rest = iter(expected)
    return all(one in rest for one in found)


@pytest.fixture(scope="module")
def everywhere() -> Iterator[Everywhere]:
    """Deploy the stack with every ticket system and channel, in the mode that waits for approvals."""
    with Peers() as peers, Sandbox.start(settings=peers.settings) as aws:
        secrets = aws.client("secretsmanager")
        arns = {
            name: secrets.create_secret(Name=name, SecretString=json.dumps(values))["ARN"]
            for name, values in peers.secrets.items()
        }
        parameters = {
            "FixMode": "approve",
            "TicketSystem": "opsitem",
            "ImportToSecurityHub": "true",
            "OperatorRoleArns": OPERATORS,
            "ChannelSecretArns": ",".join(arns[one] for one in ("slack", "webhook", *APPRISE)),
            "TicketSecretArns": ",".join(arns[one] for one in SYSTEMS),
        }
        outputs = configuration.deploy(aws, STACK, parameters, document(arns))
        bot = Bot(aws, outputs, Engineer(aws), Watcher(aws, outputs))
        bot.principal("operators", {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"})
        yield Everywhere(bot, peers)


@pytest.fixture(scope="module")
def person(everywhere: Everywhere) -> Person:
    """Return the person who decides about fixes."""
    return Person(everywhere.bot, "platform")


@pytest.fixture(scope="module")
def manage(everywhere: Everywhere) -> Callable[..., None]:
    """Return what runs a command about findings as a person who may manage them."""
    bot = everywhere.bot
    reads = {"Effect": "Allow", "Action": ["dynamodb:*", "cloudformation:DescribeStacks"], "Resource": "*"}
    invokes = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": "*"}
    keys = bot.principal("manager", reads, invokes)("sts")._request_signer._credentials.get_frozen_credentials()
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    given = {**bot.aws.exports(), **dict(zip(names, (keys.access_key, keys.secret_key, keys.token), strict=True))}

    def run(*words: str) -> None:
        done = CliRunner().invoke(app, ["findings", *words], env=given)
        assert done.exit_code == 0, done.output

    return run


def test_one_finding_lives_in_every_system_at_once(
    everywhere: Everywhere, person: Person, manage: Callable[..., None], unique: str
) -> None:
    """Each system has one ticket in the right state at each step, each channel one message a step, Slack one thread."""
    bot, role = everywhere.bot, f"{unique}-role"
    arn = bot.engineer.function(unique, bot.engineer.role(role, SQS_POLICY))
    bot.engineer.mapping(unique, bot.engineer.queue(unique))
    bot.wait_for_checks()
    bot.engineer.detach(role, SQS_POLICY)
    finding = bot.watcher.finding(arn, "PG201", has_fix("proposed"))
    everywhere.arrive(finding)
    assert states_of(everywhere.now(finding)) == ["Opened", "Fix proposed"]

    person.approve(finding)
    bot.watcher.finding(arn, "PG201", lambda one: one["status"] == "resolved" and has_fix("applied")(one))
    assert bot.engineer.attached(role) == sorted([LOGS_POLICY, SQS_POLICY])
    everywhere.arrive(finding)
    # The check that the fix causes can be faster than the record of the fix.
    assert {*states_of(everywhere.now(finding))[2:]} == {"Fix applied", "Resolved"}

    bot.engineer.detach(role, SQS_POLICY)
    bot.watcher.finding(arn, "PG201", lambda one: one["status"] == "open")
    bot.wait_for_checks()
    bot.wait_until_empty("FixQueue")
    everywhere.arrive(finding)
    assert states_of(everywhere.now(finding))[4] == "Reopened"

    manage("suppress", finding["id"], "--until", UNTIL, "--reason", REASON)
    everywhere.arrive(finding)
    assert states_of(everywhere.now(finding))[-1] == "Suppressed"
    assert all(REASON in text for tickets in everywhere.tickets(finding).values() for _, text in tickets)

    bot.engineer.attach(role, SQS_POLICY)
    bot.watcher.finding(arn, "PG201", lambda one: one["status"] == "resolved")
    everywhere.arrive(finding)
    assert everywhere.now(finding)["transition"] == "Finding Resolved"
    assert len(everywhere.thread(finding)) > len(STEPS)
    assert everywhere.comments(finding) == []


def test_events_that_arrive_in_the_reverse_order_leave_every_system_in_the_last_state(
    everywhere: Everywhere, manage: Callable[..., None], unique: str
) -> None:
    """A finding is suppressed and opened again, and its fix refused: all of it before the first message is read."""
    bot = everywhere.bot
    arn = bot.engineer.function(unique, bot.engineer.role(f"{unique}-role"))
    bot.engineer.permit(unique, "broad", "sns.amazonaws.com")
    finding = bot.watcher.finding(arn, "PG102", has_fix("refused"))
    everywhere.arrive(finding)
    before = {name: len(tickets) for name, tickets in everywhere.tickets(finding).items()}

    with everywhere.held():
        manage("suppress", finding["id"], "--until", UNTIL, "--reason", REASON)
        manage("unsuppress", finding["id"])
        bot.watcher.finding(arn, "PG102", lambda one: states_of(one)[-len(SWAPPED) :] == list(SWAPPED))
    everywhere.arrive(finding)

    assert states_of(everywhere.now(finding))[-len(SWAPPED) :] == list(SWAPPED)
    assert {name: len(tickets) for name, tickets in everywhere.tickets(finding).items()} == before
    for texts in ([one.text for one in everywhere.peers.webhook.messages], _texts(everywhere.thread(finding))):
        assert "Suppressed" not in _states(texts, finding)
    assert everywhere.comments(finding) == []


def test_what_a_person_closes_in_security_hub_is_read_back_and_opens_with_the_finding(
    everywhere: Everywhere, unique: str
) -> None:
    """The rule reports it at once: the bot comments it once and leaves it closed, until the finding comes back."""
    bot = everywhere.bot
    arn = bot.engineer.function(unique, bot.engineer.role(f"{unique}-role"))
    bot.engineer.permit(unique, "broad", "sns.amazonaws.com")
    finding = bot.watcher.finding(arn, "PG102", has_fix("refused"))
    everywhere.arrive(finding)

    everywhere.set_workflow(finding, "RESOLVED")
    (comment,) = poll(lambda: everywhere.comments(finding), deadline=DEADLINE, what="comment in Security Hub")
    bot.wait_until_empty("TicketQueue")
    assert "the problem still exists" in comment
    assert everywhere.comments(finding) == [comment]
    assert {name: is_open for name, ((is_open, _),) in everywhere.tickets(finding).items()} == {
        "opsitem": True,
        "securityhub": False,
        **dict.fromkeys(SYSTEMS, True),
    }

    bot.engineer.forbid(unique, "broad")
    bot.watcher.finding(arn, "PG102", lambda one: one["status"] == "resolved")
    everywhere.arrive(finding)
    bot.engineer.permit(unique, "broad", "sns.amazonaws.com")
    bot.watcher.finding(arn, "PG102", lambda one: one["status"] == "open")
    bot.wait_for_checks()
    bot.wait_until_empty("FixQueue")
    everywhere.arrive(finding)


def _texts(posted: Iterable[slack_api.Posted]) -> list[str]:
    return [one.shown.text for one in posted]
