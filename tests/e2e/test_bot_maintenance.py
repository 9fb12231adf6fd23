"""What time changes: the first sweep ends in one digest, suppressions end, exceptions become stale, tickets catch up.

The tests run in their order: the digest of the first sweep follows a minute after its last check.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.client import configuration
from sandbox.client.process import poll
from sandbox.client.watcher import DEADLINE
from tests.e2e.bot import OPERATORS, STACK, WITHOUT_TICKETS, Bot, deployed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.client.watcher import Finding

DIGEST = {**WITHOUT_TICKETS, "baseline": "digest"}
FUNCTIONS, STATEMENTS = 4, 50
"""An account of before the bot: 200 statements that allow any account's buckets."""
PAST, FUTURE = (datetime.now(UTC) + timedelta(days=days) for days in (-31, 60))


@dataclass(frozen=True)
class Maintained:
    """The deployed stack, and an open finding of a function that an event named."""

    bot: Bot
    finding: Finding

    def push(self, **changes: Any) -> None:
        """Deploy a configuration, and let maintenance read it at once."""
        configuration.push(self.bot.aws, self.bot.outputs, {**DIGEST, **changes})
        self.bot.aws.end_environments()

    def run(self) -> dict[str, Any]:
        """Run maintenance, as its schedule does."""
        function = self.bot.resource("MaintainFindingsFunction")
        reply = self.bot.aws.client("lambda").invoke(FunctionName=function, Payload=b"{}")
        answer: dict[str, Any] = json.loads(reply["Payload"].read())
        assert "FunctionError" not in reply, answer
        return answer

    def sweep(self) -> None:
        """Run the sweep, and wait until its checks are done and what it handed over is handled."""
        reply = self.bot.aws.client("lambda").invoke(FunctionName=self.bot.outputs["SweepAccountFunctionName"])
        assert json.loads(reply["Payload"].read())["complete"]
        for queue in ("SweepInvokePolicyQueue", "SweepExecutionRoleQueue", "AlertQueue", "TicketQueue"):
            self.bot.wait_until_empty(queue, deadline=120)

    def mails(self, beginning: str) -> list[dict[str, Any]]:
        """Return the notifications whose subject begins so."""
        return [one for one in self.bot.watcher.inbox() if one["Subject"].startswith(beginning)]

    def change(self, pk: str, sk: str, **values: Any) -> None:
        """Change the document of an item of the findings table."""
        dynamodb, table = self.bot.aws.client("dynamodb"), self.bot.outputs["FindingsTableName"]
        key = {"pk": {"S": pk}, "sk": {"S": sk}}
        item = dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True)["Item"]
        document = {**json.loads(item["document"]["S"]), **values}
        dynamodb.put_item(TableName=table, Item={**item, "document": {"S": json.dumps(document)}})


@pytest.fixture(scope="module")
def maintained() -> Iterator[Maintained]:
    """Deploy the stack; it has not swept yet."""
    with deployed(DIGEST, FixMode="off", TicketSystem="none") as bot:
        arn = bot.engineer.function("named", bot.engineer.role("named-role"))
        bot.engineer.permit("named", "broad", "s3.amazonaws.com")
        finding = bot.watcher.finding(arn, "PG102")
        bot.watcher.alert(finding["id"], "Finding Opened")
        bot.wait_for_checks()  # a later check would suppress the finding before maintenance does
        yield Maintained(bot, finding)


def test_an_exception_suppresses_open_findings_and_reopens_them_when_it_expires(maintained: Maintained) -> None:
    """No check and no event is needed: maintenance compares the findings with what is deployed."""
    bot, finding = maintained.bot, maintained.finding
    exception = {
        "id": "uploads",
        "rules": ["PG102"],
        "functions": ["named"],
        "reason": "Migration",
        "owner": "team-orders",
        "expires": f"{FUTURE:%Y-%m-%d}",
    }
    maintained.push(exceptions=[exception])
    assert maintained.run()["suppressed"] == 1
    alert = bot.watcher.alert(finding["id"], "Finding Suppressed")
    assert "Suppressed by team-orders until" in alert["Message"]

    suppressed = bot.watcher.finding(finding["function_arn"], "PG102")
    ended = {**suppressed["suppression"], "by": "person", "exception": "", "until": PAST.isoformat()}
    maintained.push()
    maintained.change(f"FUNCTION#{finding['function_arn']}", f"FINDING#{finding['id']}", suppression=ended)
    assert maintained.run()["reopened"] == 1
    alert = bot.watcher.alert(finding["id"], "Finding Reopened")
    assert "The finding is no longer suppressed. The problem still exists." in alert["Message"]


def test_an_exception_that_matches_nothing_is_reported_once(maintained: Maintained) -> None:
    """Thirty days after it was first seen, and in one digest with one that expires within a week."""
    soon = datetime.now(UTC) + timedelta(days=5)
    common = {"rules": ["PG107"], "functions": ["nothing-*"], "reason": "Migration", "owner": "team-orders"}
    exceptions = [
        {"id": "unused", "expires": f"{FUTURE:%Y-%m-%d}", **common},
        {"id": "ending", "expires": f"{soon:%Y-%m-%d}", **common},
    ]
    maintained.push(exceptions=exceptions[:1])
    maintained.run()
    assert maintained.mails("Exceptions") == []
    maintained.change("MAINTENANCE", "STATE", exceptions={"unused": {"first_seen": PAST.isoformat()}})
    maintained.push(exceptions=exceptions)
    for _ in range(2):
        maintained.run()
        poll(lambda: maintained.mails("Exceptions"), deadline=20, what="digest about exceptions")
        maintained.bot.wait_until_empty("AlertQueue")
    (mail,) = maintained.mails("Exceptions")
    assert mail["Subject"] == "Exceptions: 1 expire soon, 1 match nothing"
    text = mail["Message"]
    assert f"ending: team-orders, until {soon:%Y-%m-%d}. Migration" in text
    assert "unused: team-orders, never matched. Migration" in text


@pytest.fixture(scope="module")
def before(maintained: Maintained) -> list[Finding]:
    """Run the first sweep; return the findings of functions that no event named."""
    bot = maintained.bot
    role = bot.engineer.role("before-role")
    with bot.events_lost():
        arns = [bot.engineer.function(f"before-{number}", role) for number in range(FUNCTIONS)]
        for number in range(FUNCTIONS * STATEMENTS):
            bot.engineer.permit(f"before-{number % FUNCTIONS}", f"broad{number}", "s3.amazonaws.com")
    maintained.sweep()
    found = [one for arn in arns for one in bot.watcher.findings(arn)]
    assert len(found) >= FUNCTIONS * STATEMENTS
    assert all(one["baseline"] and one["status"] == "open" for one in found)
    return found


def test_a_function_that_an_event_names_alerts_during_the_first_sweep(
    maintained: Maintained, before: list[Finding]
) -> None:
    """What the sweep finds sends no alert."""
    bot = maintained.bot
    bot.engineer.permit("named", "broader", "sns.amazonaws.com")
    second = bot.watcher.finding(
        maintained.finding["function_arn"], "PG102", lambda one: one["subject"] == "statement/broader"
    )
    bot.watcher.alert(second["id"], "Finding Opened")
    assert not second["baseline"]
    texts = "\n".join(one["Message"] for one in bot.watcher.inbox())
    assert not any(one["id"] in texts for one in before)
    maintained.run()


def test_a_ticket_system_that_is_enabled_later_catches_up(maintained: Maintained, before: list[Finding]) -> None:
    """By itself, at the next sweep: no alert is sent again, and no ticket is opened for what the digest reports."""
    bot = maintained.bot
    bot.wait_for_checks()
    bot.wait_until_empty("AlertQueue")
    alerts = len(bot.watcher.inbox())
    bot.aws.deploy(STACK, {"OperatorRoleArns": OPERATORS, "FixMode": "off", "TicketSystem": "opsitem"})
    maintained.sweep()
    bot.watcher.ops_item(maintained.finding["id"], "Open")
    alerted = [one for one in bot.watcher.findings() if one["status"] == "open" and not one["baseline"]]
    assert len(alerted) < 10
    poll(lambda: len(bot.watcher.tickets()) >= len(alerted), deadline=DEADLINE, what="ticket of each alerted finding")
    bot.wait_until_empty("TicketQueue")
    assert len(bot.watcher.tickets()) == len(alerted)
    assert len(bot.watcher.inbox()) == alerts
    assert len(before) > 2


def test_the_first_sweep_ends_in_exactly_one_digest(maintained: Maintained, before: list[Finding]) -> None:
    """It counts all findings, names the ten worst, and has the command that lists them."""

    def digest() -> list[dict[str, Any]]:
        maintained.run()
        return maintained.mails("First sweep")

    poll(digest, deadline=120, what="digest of the first sweep")
    maintained.run()
    maintained.bot.wait_until_empty("AlertQueue")
    (mail,) = maintained.mails("First sweep")
    # The one about the shared role is among them if its check was part of the first sweep.
    counted = [one for one in maintained.bot.watcher.findings() if one["baseline"] and one["status"] == "open"]
    assert {one["id"] for one in before} <= {one["id"] for one in counted}
    assert mail["Subject"].startswith(f"First sweep: {len(counted)} findings in")
    assert f"{FUNCTIONS * STATEMENTS} high: PG102 source-missing" in mail["Message"]
    assert mail["Message"].count("[HIGH] PG102 ") == 10
    assert f"permission-guard findings list --stack-name {STACK}" in mail["Message"]
    assert "Not complete" not in mail["Message"]
