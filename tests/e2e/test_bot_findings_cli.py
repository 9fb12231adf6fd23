"""`permission-guard findings` against the deployed stack, with the credentials of a person of the platform team."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.client.process import ACCOUNT, poll
from sandbox.client.watcher import DEADLINE
from tests.paths import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.bot import Bot

SOON = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
READ = ("cloudformation:DescribeStacks", "dynamodb:Query", "dynamodb:BatchGetItem")
"""What reading needs, as the documentation says."""


@pytest.fixture(scope="module")
def bot(reporting_bot: Bot) -> Bot:
    """The stack that only reports, which several modules share."""
    return reporting_bot


def command_of(bot: Bot, name: str, *statements: dict[str, Any]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return what runs commands of `permission-guard findings`, or of another group, as a session of a new role."""
    keys = bot.principal(name, *statements)("sts")._request_signer._credentials.get_frozen_credentials()
    given = {
        "AWS_ACCESS_KEY_ID": keys.access_key,
        "AWS_SECRET_ACCESS_KEY": keys.secret_key,
        "AWS_SESSION_TOKEN": keys.token,
        "COLUMNS": "200",
    }
    program = str(REPOSITORY / ".venv" / "bin" / "permission-guard")

    def run(*words: str, group: str = "findings") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program, group, *words],
            env=bot.aws.env() | given,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


@pytest.fixture
def command(bot: Bot, unique: str) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The command of a person who may read the findings and manage them, and nothing else."""
    return command_of(
        bot,
        f"{unique}-platform",
        {"Effect": "Allow", "Action": list(READ), "Resource": "*"},
        {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": bot.outputs["ManageFindingsFunctionArn"]},
    )


def jane(unique: str) -> str:
    """Return the ARN of that person's session."""
    return f"arn:aws:sts::{ACCOUNT}:assumed-role/{unique}-platform/test"


def is_open(finding: dict[str, Any]) -> bool:
    """Return whether a finding is open."""
    return bool(finding["status"] == "open")


def broad(bot: Bot, name: str) -> dict[str, Any]:
    """Create a function that any account's topic may invoke; return the finding about it."""
    arn = bot.engineer.function(name, bot.engineer.role(f"{name}-role"))
    bot.engineer.permit(name, "broad", "sns.amazonaws.com")
    return bot.watcher.finding(arn, "PG102", is_open)


def test_a_person_lists_and_shows_what_was_found(
    bot: Bot, unique: str, command: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """The list has the id that `show` takes; it says who made the change, from where and with which tool."""
    finding = broad(bot, unique)
    listed = command("list", "--function", unique)
    assert (listed.returncode, listed.stderr) == (0, "")
    assert f"{finding['id'][:8]}" in listed.stdout
    assert "1 open finding that match" in listed.stdout
    document = json.loads(command("list", "--function", unique, "--format", "json").stdout)
    assert [one["id"] for one in document["findings"]] == [finding["id"]]
    assert document["unreadable"] == []
    shown = command("show", finding["id"][:8])
    assert (shown.returncode, shown.stderr) == (0, "")
    for text in (
        finding["title"],
        finding["reason"],
        finding["changed_by"],
        finding["changed_from"],
        finding["changed_with"],
        "aws lambda remove-permission",
        "Finding Opened",
    ):
        assert text
        assert text in " ".join(shown.stdout.split()) or text in shown.stdout


def test_a_finding_is_suppressed_everywhere_and_opened_again(
    bot: Bot, unique: str, command: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """An alert and the closed ticket say who suppressed it and why; both follow when that ends."""
    finding = broad(bot, unique)
    bot.watcher.ops_item(finding["id"], "Open")
    done = command("suppress", finding["id"][:10], "--until", SOON, "--reason", "Public on purpose, see ADR 12")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"by {jane(unique)}: PG102 {unique}: " in done.stdout
    suppressed = bot.watcher.finding(finding["function_arn"], "PG102", lambda one: one["status"] == "suppressed")
    assert suppressed["suppression"]["owner"] == jane(unique)
    alert = bot.watcher.alert(finding["id"], "Finding Suppressed")
    assert "Public on purpose, see ADR 12" in json.dumps(alert)
    ticket = bot.watcher.ops_item(finding["id"], "Resolved")
    assert "Public on purpose, see ADR 12" in json.dumps(ticket, default=str)
    assert json.loads(command("list", "--function", unique, "--format", "json").stdout)["findings"] == []
    listed = command("list", "--function", unique, "--status", "suppressed")
    assert "suppressed" in listed.stdout

    bot.engineer.permit(unique, "another", "sns.amazonaws.com")
    bot.watcher.finding(finding["function_arn"], "PG102", lambda one: one["subject"] == "statement/another")
    still = bot.watcher.finding(finding["function_arn"], "PG102", lambda one: one["id"] == finding["id"])
    assert still["status"] == "suppressed"

    done = command("unsuppress", finding["id"])
    assert (done.returncode, done.stderr) == (0, "")
    bot.watcher.alert(finding["id"], "Finding Reopened")
    bot.watcher.ops_item(finding["id"], "Open")
    reopened = bot.watcher.finding(finding["function_arn"], "PG102", lambda one: one["id"] == finding["id"])
    assert (reopened["status"], reopened["suppression"]) == ("open", None)
    assert [one["by"] for one in reopened["history"][-2:]] == [jane(unique)] * 2


def test_a_recheck_finds_a_change_of_which_no_event_came(
    bot: Bot, unique: str, command: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """Both directions are checked."""
    arn = bot.engineer.function(unique, bot.engineer.role(f"{unique}-role"))
    checked = {direction: bot.watcher.checked(arn, direction) for direction in ("invoke_policy", "execution_role")}
    with bot.events_lost():
        bot.engineer.permit(unique, "broad", "sns.amazonaws.com")
    assert bot.watcher.findings(arn) == []
    done = command("recheck", unique)
    assert (done.returncode, done.stderr) == (0, "")
    bot.watcher.finding(arn, "PG102", is_open)
    for direction, number in checked.items():
        bot.watcher.checked(arn, direction, more_than=number)


def test_a_test_reaches_every_destination(
    bot: Bot, unique: str, command: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """The message names who requested it, a closed ticket is left, and no finding is recorded."""
    done = command("test", "--format", "json", group="notify")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    results = {one["name"]: one for one in json.loads(done.stdout)["results"]}
    assert results["sns"]["outcome"] == "sent"
    assert results["opsitem"]["outcome"] == "opened and closed"
    item = bot.aws.client("ssm").get_ops_item(OpsItemId=results["opsitem"]["reference"])["OpsItem"]
    assert (item["Title"], item["Status"]) == ("[TEST] Permission Guard: test ticket", "Resolved")

    def arrived() -> bool:
        return any("[TEST]" in json.dumps(one) and jane(unique) in json.dumps(one) for one in bot.watcher.inbox())

    poll(arrived, deadline=DEADLINE, what="test message")


def test_who_may_not_manage_findings_is_told_the_action(bot: Bot, unique: str) -> None:
    """Reading and managing are separate permissions, and neither is granted by the stack."""
    finding = broad(bot, unique)
    reader = command_of(bot, f"{unique}-reader", {"Effect": "Allow", "Action": list(READ), "Resource": "*"})
    assert reader("show", finding["id"]).returncode == 0
    refused = reader("suppress", finding["id"], "--until", SOON, "--reason", "I want to")
    assert refused.returncode == 1
    assert "lambda:InvokeFunction" in refused.stderr
    stranger = command_of(bot, f"{unique}-stranger", {"Effect": "Allow", "Action": READ[0], "Resource": "*"})
    denied = stranger("list")
    assert (denied.returncode, denied.stdout) == (1, "")
    assert "AWS denied dynamodb:Query" in denied.stderr
    assert is_open(bot.watcher.finding(finding["function_arn"], "PG102"))
