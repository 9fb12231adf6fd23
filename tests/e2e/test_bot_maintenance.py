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
from tests.e2e.bot import CONFIGURATION, OPERATORS, STACK, Bot, deployed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.client.watcher import Finding

DIGEST = {**CONFIGURATION, "baseline": "digest"}
FUNCTIONS, STATEMENTS = 4, 50
"""An account of before the bot: 200 statements that allow any account's buckets."""
PAST, FUTURE = (datetime.now(UTC) + timedelta(days=days) for days in (-31, 60))


@dataclass(frozen=True)
class Swept:
    """The stack after its first sweep: the findings of before it, and one that an event opened meanwhile."""

    bot: Bot
    before: list[Finding]
    by_event: Finding

    def maintain(self) -> dict[str, Any]:
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
            self.bot.wait_until_empty(queue, deadline=90)

    def subjects(self, beginning: str) -> list[str]:
        """Return the subjects of the notifications that begin so."""
        return [one["Subject"] for one in self.bot.watcher.inbox() if one["Subject"].startswith(beginning)]

    def change(self, pk: str, sk: str, **values: Any) -> None:
        """Change the document of an item of the findings table."""
        dynamodb, table = self.bot.aws.client("dynamodb"), self.bot.outputs["FindingsTableName"]
        key = {"pk": {"S": pk}, "sk": {"S": sk}}
        item = dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True)["Item"]
        document = {**json.loads(item["document"]["S"]), **values}
        dynamodb.put_item(TableName=table, Item={**item, "document": {"S": json.dumps(document)}})


@pytest.fixture(scope="module")
def swept() -> Iterator[Swept]:
    """Deploy the stack next to an account's functions, and run its first sweep."""
    with deployed(DIGEST, FixMode="off", TicketSystem="none") as bot:
        role = bot.engineer.role("before-role")
        with bot.events_lost():
            arns = [bot.engineer.function(f"before-{number}", role) for number in range(FUNCTIONS)]
            for number in range(FUNCTIONS * STATEMENTS):
                bot.engineer.permit(f"before-{number % FUNCTIONS}", f"broad{number}", "s3.amazonaws.com")
        swept = Swept(bot, [], {})
        swept.sweep()
        named = bot.engineer.function("named", bot.engineer.role("named-role"))
        bot.engineer.permit("named", "broad", "s3.amazonaws.com")
        by_event = bot.watcher.finding(named, "PG102")
        bot.watcher.alert(by_event["id"], "Finding Opened")
        before = [one for arn in arns for one in bot.watcher.findings(arn)]
        bot.watcher.checked(named, "execution_role")
        swept.maintain()
        yield Swept(bot, before, by_event)


def test_the_findings_of_the_first_sweep_send_no_alert(swept: Swept) -> None:
    """An event that names a function alerts as always, at the same time."""
    assert len(swept.before) >= FUNCTIONS * STATEMENTS
    assert all(one["baseline"] and one["status"] == "open" for one in swept.before)
    assert not swept.by_event["baseline"]
    swept.bot.wait_until_empty("AlertQueue", deadline=60)
    alerted = {one["MessageAttributes"]["transition"]["Value"] for one in swept.bot.watcher.inbox()}
    assert alerted == {"Finding Opened"}
    texts = "\n".join(one["Message"] for one in swept.bot.watcher.inbox())
    assert not any(one["id"] in texts for one in swept.before)


def test_an_exception_suppresses_open_findings_and_reopens_them_when_it_expires(swept: Swept) -> None:
    """No check and no event is needed: maintenance compares the findings with what is deployed."""
    bot, finding = swept.bot, swept.by_event
    exception = {
        "id": "uploads",
        "rules": ["PG102"],
        "functions": ["named"],
        "reason": "Migration",
        "owner": "team-orders",
        "expires": f"{FUTURE:%Y-%m-%d}",
    }
    configuration.push(bot.aws, bot.outputs, {**DIGEST, "exceptions": [exception]})
    bot.aws.end_environments()
    assert swept.maintain()["suppressed"] == 1
    alert = bot.watcher.alert(finding["id"], "Finding Suppressed")
    assert "Suppressed by team-orders until" in alert["Message"]

    suppressed = bot.watcher.finding(finding["function_arn"], "PG102")
    ended = {**suppressed["suppression"], "by": "person", "exception": "", "until": PAST.isoformat()}
    configuration.push(bot.aws, bot.outputs, DIGEST)
    bot.aws.end_environments()
    swept.change(f"FUNCTION#{finding['function_arn']}", f"FINDING#{finding['id']}", suppression=ended)
    assert swept.maintain()["reopened"] == 1
    alert = bot.watcher.alert(finding["id"], "Finding Reopened")
    assert "The finding is no longer suppressed. The problem still exists." in alert["Message"]


def test_an_exception_that_matches_nothing_is_reported_once(swept: Swept) -> None:
    """Thirty days after it was first seen, and in one digest with one that expires within a week."""
    soon = datetime.now(UTC) + timedelta(days=5)
    common = {"rules": ["PG107"], "functions": ["nothing-*"], "reason": "Migration", "owner": "team-orders"}
    exceptions = [
        {"id": "unused", "expires": f"{FUTURE:%Y-%m-%d}", **common},
        {"id": "ending", "expires": f"{soon:%Y-%m-%d}", **common},
    ]
    configuration.push(swept.bot.aws, swept.bot.outputs, {**DIGEST, "exceptions": exceptions[:1]})
    swept.bot.aws.end_environments()
    swept.maintain()
    assert swept.subjects("Exceptions") == []
    swept.change("MAINTENANCE", "STATE", exceptions={"unused": {"first_seen": PAST.isoformat()}})
    configuration.push(swept.bot.aws, swept.bot.outputs, {**DIGEST, "exceptions": exceptions})
    swept.bot.aws.end_environments()
    for _ in range(2):
        swept.maintain()
        poll(lambda: swept.subjects("Exceptions"), deadline=20, what="digest about exceptions")
        swept.bot.wait_until_empty("AlertQueue")
    assert swept.subjects("Exceptions") == ["Exceptions: 1 expire soon, 1 match nothing"]
    (text,) = [one["Message"] for one in swept.bot.watcher.inbox() if one["Subject"].startswith("Exceptions")]
    assert f"ending: team-orders, until {soon:%Y-%m-%d}. Migration" in text
    assert "unused: team-orders, never matched. Migration" in text


def test_a_ticket_system_that_is_enabled_later_catches_up(swept: Swept) -> None:
    """By itself, at the next sweep: no alert is sent again, and no ticket is opened for what the digest reports."""
    alerts = len(swept.bot.watcher.inbox())
    parameters = {"OperatorRoleArns": OPERATORS, "FixMode": "off", "TicketSystem": "opsitem"}
    swept.bot.aws.deploy(STACK, parameters)
    swept.sweep()
    swept.bot.watcher.ops_item(swept.by_event["id"], "Open")
    assert len(swept.bot.watcher.tickets()) == 1
    assert len(swept.bot.watcher.inbox()) == alerts


def test_the_first_sweep_ends_in_exactly_one_digest(swept: Swept) -> None:
    """It counts all findings, names the ten worst, and has the command that lists them."""

    def digest() -> list[str]:
        swept.maintain()
        return swept.subjects("First sweep")

    poll(digest, deadline=90, what="digest of the first sweep")
    swept.maintain()
    swept.bot.wait_until_empty("AlertQueue")
    (text,) = [one["Message"] for one in swept.bot.watcher.inbox() if one["Subject"].startswith("First sweep")]
    assert f"First sweep: {len(swept.before)} findings in" in text
    assert f"{FUNCTIONS * STATEMENTS} high: PG102 source-missing" in text
    assert text.count("[HIGH] PG102 ") == 10
    assert f"permission-guard findings list --stack-name {STACK}" in text
    assert "Not complete" not in text
