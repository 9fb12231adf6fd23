"""The deployed stack with a receiver of each kind, and what the receivers have."""

from __future__ import annotations

import json
import re
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from permission_guard.aws.tables.waiting_for_digests import WaitingForDigestsTable
from sandbox.client import configuration
from sandbox.client.engineer import Engineer
from sandbox.client.process import Sandbox
from sandbox.client.watcher import Watcher
from tests.e2e.bot import OPERATORS, STACK, Bot
from tests.flood.verdicts import Seen
from tests.integration.alerts import slack_api
from tests.peers.server import Peers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

LIMIT: Final = 20
"""How many messages a channel gets at most: the default."""
OWN: Final = ("sns", "slack")
"""The channels that a digest of the first sweep is sent to: those of the stack itself."""
_WAIT_FOR_TICKETS: Final = re.compile(r"([\d,]+) findings? ha(?:s|ve) no ticket")


@dataclass(frozen=True, slots=True)
class Tickets:
    """The tickets of one system: how many there are, and how many findings the summary says have none."""

    opened: int
    waiting: int


@dataclass(frozen=True, slots=True)
class Flooded:
    """The stack with its receivers: SNS, Slack's webhook and bot, a JSON webhook, Amazon Q, OpsCenter, GitHub."""

    bot: Bot
    peers: Peers
    chat: Watcher

    def seen(self) -> dict[str, Seen]:
        """Return what each channel got until now."""
        json_webhook = self.peers.apprise["jsons"]
        return {
            "sns": _notifications(self.bot.watcher),
            "slack": Seen(self.peers.webhook.vendor.times, [one.text for one in self.peers.webhook.messages]),
            "team-bot": Seen(self.peers.slack.vendor.times, [one.text for one in self.peers.slack.accepted]),
            "team-json": Seen(json_webhook.vendor.times, [one.text for one in json_webhook.messages]),
            "team-q": _notifications(self.chat),
        }

    def tickets(self) -> dict[str, Tickets]:
        """Return the tickets of each system."""
        titles = {
            "opsitem": [one["Title"] for one in self.bot.watcher.tickets()],
            "team-github": [issue["title"] for issue in self.peers.github.issues.values()],
        }
        return {system: _counted(found) for system, found in titles.items()}

    def maintain(self) -> None:
        """Run maintenance, as its schedule does every ten minutes."""
        function = self.bot.resource("MaintainFindingsFunction")
        reply = self.bot.aws.client("lambda").invoke(FunctionName=function, Payload=b"{}")
        answer = json.loads(reply["Payload"].read())
        if "FunctionError" in reply:
            raise TimeoutError(f"maintain_findings failed: {answer}")

    def waiting(self) -> int:
        """Return for how many channels something waits."""
        table = WaitingForDigestsTable(self.bot.aws.client("dynamodb"), self.bot.resource("DeliveriesTable"))
        return len(list(table.channels()))

    def read_seconds(self) -> float:
        """Return how long one read of DynamoDB takes now: a measure of the machine, beside what is measured."""
        dynamodb, key = self.bot.aws.client("dynamodb"), {"pk": {"S": "NONE"}, "sk": {"S": "NONE"}}
        began = time.monotonic()
        dynamodb.get_item(TableName=self.bot.outputs["FindingsTableName"], Key=key, ConsistentRead=True)
        return time.monotonic() - began

    def dead_letters(self) -> dict[str, int]:
        """Return the number of messages in each dead-letter queue that is not empty, by its logical id."""
        reply = self.bot.aws.client("cloudformation").describe_stack_resources(StackName=STACK)
        names = [one["LogicalResourceId"] for one in reply["StackResources"]]
        queues = [name for name in names if name.endswith("DeadLetterQueue")]
        if not queues:
            raise TimeoutError("the stack has no dead-letter queue")
        return {name: number for name in queues if (number := self.bot.waiting(name))}


@contextmanager
def flooded(minutes: int, before: Callable[[Engineer], None]) -> Iterator[Flooded]:
    """Start a sandbox, let `before` make what is older than the stack, and deploy that with every receiver."""
    with Peers() as peers, Sandbox.start(settings=peers.settings) as aws:
        before(Engineer(aws))
        secrets = {name: _secret(aws, name, peers.secrets[name]) for name in ("slack", "webhook", "jsons", "github")}
        topic = aws.client("sns").create_topic(Name="chat")["TopicArn"]
        parameters = {
            "FixMode": "off",
            "TicketSystem": "opsitem",
            "OperatorRoleArns": OPERATORS,
            "SlackSecretArn": secrets["webhook"],
            "ChannelSecretArns": f"{secrets['slack']},{secrets['jsons']}",
            "ChannelTopicArns": topic,
            "TicketSecretArns": secrets["github"],
        }
        outputs = configuration.deploy(aws, STACK, parameters, _document(minutes, secrets, topic))
        chat = Watcher(aws, {**outputs, "AlertTopicArn": topic})
        yield Flooded(Bot(aws, outputs, Engineer(aws), Watcher(aws, outputs)), peers, chat)


def _document(minutes: int, secrets: Mapping[str, str], topic: str) -> dict[str, Any]:
    """Return the configuration: everything also goes to every named channel and ticket system."""
    channels = {
        "team-bot": {"type": "slack", "secret": secrets["slack"], "channel": slack_api.CONVERSATION},
        "team-json": {"type": "apprise", "secret": secrets["jsons"]},
        "team-q": {"type": "amazon-q", "topic": topic},
    }
    return {
        "version": 1,
        "grace_period_seconds": 1,
        "alerts": {"limit": {"messages": LIMIT, "minutes": minutes}},
        "channels": channels,
        "tickets": {"systems": {"team-github": {"type": "github", "secret": secrets["github"]}}},
        "routes": [{"id": "everything", "channels": [*channels], "tickets": ["team-github"]}],
    }


def _secret(aws: Sandbox, name: str, values: Mapping[str, Any]) -> str:
    return str(aws.client("secretsmanager").create_secret(Name=name, SecretString=json.dumps(values))["ARN"])


def _notifications(watcher: Watcher) -> Seen:
    inbox = watcher.inbox()
    return Seen(
        [one["SentTimestamp"] / 1000 for one in inbox], [f"{one.get('Subject')}\n{one['Message']}" for one in inbox]
    )


def _counted(titles: list[str]) -> Tickets:
    summaries = [found for title in titles if (found := _WAIT_FOR_TICKETS.search(title))]
    waiting = sum(int(found[1].replace(",", "")) for found in summaries)
    return Tickets(len(titles) - len(summaries), waiting)
