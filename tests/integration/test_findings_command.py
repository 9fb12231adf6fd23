"""`permission-guard findings` against a deployed stack: what it lists, shows and requests, and its plain errors."""

from __future__ import annotations

import contextlib
import csv
import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import botocore.client
import pytest
from botocore.exceptions import ClientError
from typer.testing import CliRunner

from permission_guard.aws.tables.finding_items import finding_item
from permission_guard.bootstrap import deployment
from permission_guard.cli.app import app
from permission_guard.errors import RequestRefusedError
from permission_guard.findings.lifecycle import suppressed
from permission_guard.model.findings import Status, SuppressedBy, Suppression
from permission_guard.model.verdicts import Severity, finding_id
from tests import sts
from tests.fakes import FUNCTION_ARN, NOW, OTHER, ROLE_ARN, TABLE_NAME, TARGET, a_finding
from tests.integration.requests import MANAGE_FINDINGS, deploy, make_queues, signed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from permission_guard.findings.requests import FindingRequest
    from tests.integration.conftest import Account

SOON = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
OPEN = a_finding(first_seen=NOW, last_seen=NOW)
WORST = replace(
    OPEN,
    id=finding_id("PG101", OTHER.arn, "statement/public"),
    rule_id="PG101",
    function_arn=OTHER.arn,
    severity=Severity.CRITICAL,
    title="Anyone can invoke invoices",
)
OF_ROLE = replace(
    OPEN,
    id=finding_id("PG208", ROLE_ARN, "role"),
    rule_id="PG208",
    function_arn="",
    role_arn=ROLE_ARN,
    functions=(FUNCTION_ARN, OTHER.arn),
    function_count=2,
    severity=Severity.LOW,
    title="Many functions share orders-role",
)
RESOLVED = replace(OPEN, id="a" * 32, rule_id="PG205", status=Status.RESOLVED, title="It was resolved")
SUPPRESSION = Suppression(
    by=SuppressedBy.PERSON, reason="=cmd|' /C calc'!A0", owner=sts.CALLER, until="2126-01-01T00:00:00+00:00"
)
SUPPRESSED = suppressed(replace(OPEN, id="a" * 31 + "b", rule_id="PG203"), SUPPRESSION, NOW).finding


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[sts.Sts]:
    """Run AWS STS on loopback; the account's credentials are those that it knows."""
    with sts.running() as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", running.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", sts.KEY_ID)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", sts.SECRET)
        yield running


@pytest.fixture
def deployed(account: Account, server: sts.Sts, monkeypatch: pytest.MonkeyPatch) -> Account:
    """Return an account with a deployed stack that has findings, and whose functions can be invoked."""
    make_queues(account, monkeypatch)
    deploy()
    for finding in (OPEN, WORST, OF_ROLE, RESOLVED, SUPPRESSED):
        account.dynamodb.put_item(TableName=TABLE_NAME, Item=finding_item(finding))

    def invoke(request: FindingRequest, arn: str, profile: str | None) -> Any:
        assert (arn, profile) == (MANAGE_FINDINGS, None)
        with contextlib.redirect_stdout(io.StringIO()):
            answer = account.run("manage_findings", signed(request)).answer
        if not answer["done"]:
            raise RequestRefusedError(answer["reason"])
        return answer

    monkeypatch.setattr(deployment, "send_finding_request", invoke)
    return account


class Done:
    """What a command printed, and its exit code."""

    def __init__(self, *words: str) -> None:
        result = CliRunner().invoke(app, ["findings", *words], env={"COLUMNS": "200"})
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        self.code, self.out, self.err = result.exit_code, result.stdout, result.stderr

    @property
    def document(self) -> Any:
        """The JSON that was printed."""
        return json.loads(self.out)


def listed(*words: str) -> list[str]:
    """Return the titles that `list` has, in their order."""
    done = Done("list", "--format", "json", *words)
    assert done.code == 0, done.err
    return [one["title"] for one in done.document["findings"]]


# ── list ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_open_findings_are_listed_the_worst_first(deployed: Account) -> None:
    """One line each in a pipe, with the short id that the other commands take."""
    done = Done("list")
    assert (done.code, done.err) == (0, "")
    rows = [line for line in done.out.splitlines() if "│" in line]
    assert [[cell.strip() for cell in row.split("│")[1:6]] for row in rows] == [
        ["critical", "PG101", "invoices", WORST.title, "open"],
        ["high", "PG201", "orders", OPEN.title, "open"],
        ["low", "PG208", "role orders-role", OF_ROLE.title, "open"],
    ]
    assert all(one.id[:8] in row for one, row in zip((WORST, OPEN, OF_ROLE), rows, strict=True))
    assert "3 open findings." in done.out
    assert "\x1b" not in done.out


FILTERED: list[tuple[tuple[str, ...], list[str]]] = [
    (("--status", "suppressed"), [SUPPRESSED.title]),
    (("--status", "resolved"), [RESOLVED.title]),
    (("--severity", "high"), [WORST.title, OPEN.title]),
    (("--severity", "critical"), [WORST.title]),
    (("--rule", "pg208", "--rule", "PG101"), [WORST.title, OF_ROLE.title]),
    (("--rule", "event-source-read-missing"), [OPEN.title]),
    (("--rule", "PG999"), []),
    (("--function", "ord*"), [OPEN.title, OF_ROLE.title]),
    (("--function", "invoice?"), [WORST.title, OF_ROLE.title]),
    (("--role", "orders-*"), [OF_ROLE.title]),
    (("--role", "other"), []),
    (("--limit", "1"), [WORST.title]),
]


def test_filters_narrow_the_list(deployed: Account) -> None:
    """A finding about a role is found by the functions that use it, too."""
    for options, titles in FILTERED:
        assert listed(*options) == titles, options


def test_every_status_can_be_listed_together(deployed: Account) -> None:
    """Each with its status, so that what is suppressed is visible as such."""
    done = Done("list", "--status", "all", "--format", "json").document
    assert sorted(one["status"] for one in done["findings"]) == ["open"] * 3 + ["resolved", "suppressed"]
    assert done["counts"] == {"found": 5, "shown": 5, "unreadable": 0}


def test_an_empty_list_says_so(account: Account, server: sts.Sts) -> None:
    """Instead of a table without rows."""
    deploy()
    assert (Done("list").code, Done("list").out) == (0, "There are no open findings.\n")
    assert Done("list", "--severity", "high").out == "There are no open findings that match.\n"
    assert Done("list", "--format", "json").document["findings"] == []


def test_what_the_limit_leaves_out_is_counted(deployed: Account) -> None:
    """A short list must not look like a complete one."""
    done = Done("list", "--limit", "2")
    assert "3 open findings. The worst 2 are shown" in done.out
    assert Done("list", "--limit", "2", "--format", "json").document["counts"]["found"] == 3


def test_no_cell_of_the_csv_file_is_a_formula(deployed: Account) -> None:
    """A spreadsheet would run it."""
    done = Done("list", "--status", "suppressed", "--format", "csv")
    (row,) = csv.DictReader(io.StringIO(done.out))
    assert row["suppression_reason"] == "'=cmd|' /C calc'!A0"
    assert (row["id"], row["suppressed_by"]) == (SUPPRESSED.id, sts.CALLER)


HOSTILE: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "not JSON": lambda item: {**item, "document": {"S": "{"}},
    "nested": lambda item: {**item, "document": {"S": "[" * 9_000}},
    "no document": lambda item: {name: value for name, value in item.items() if name != "document"},
    "binary document": lambda item: {**item, "document": {"B": b"\xff"}},
    "a list": lambda item: {**item, "document": {"S": "[]"}},
    "another key": lambda item: {**item, "sk": {"S": "FINDING#" + "0" * 32}},
    "no finding": lambda item: {**item, "sk": {"S": "CHECK#x"}},
    "no target": lambda item: {**item, "pk": {"S": "\x1b[2J"}},
    "another status": lambda item: {**item, "document": finding_item(replace(RESOLVED, id=OPEN.id))["document"]},
    "another revision": lambda item: {**item, "revision": {"N": "7"}},
}


def test_items_that_cannot_be_read_are_counted_and_block_nothing(deployed: Account) -> None:
    """The others are listed, and the exit code says that some are missing."""
    item = finding_item(OPEN)
    for name, damage in HOSTILE.items():
        damaged = damage(item)
        deployed.dynamodb.delete_item(TableName=TABLE_NAME, Key={key: item[key] for key in ("pk", "sk")})
        deployed.dynamodb.put_item(TableName=TABLE_NAME, Item=damaged)
        table, document = Done("list"), Done("list", "--format", "json")
        assert (table.code, document.code, Done("list", "--format", "csv").code) == (3, 3, 3), name
        assert WORST.title in table.out
        assert "1 item of the table could not be read as a finding: " in table.err
        assert "\x1b" not in table.out + table.err
        assert [one["title"] for one in document.document["findings"]] == [WORST.title, OF_ROLE.title]
        assert len(document.document["unreadable"]) == document.document["counts"]["unreadable"] == 1
        deployed.dynamodb.delete_item(TableName=TABLE_NAME, Key={key: damaged[key] for key in ("pk", "sk")})


def test_texts_of_others_cannot_write_to_the_terminal(deployed: Account) -> None:
    """Nor use markup, whatever format is chosen."""
    text = "\x1b[2J\u202e[red]fine[/red] [link=https://example.com]x[/link]\x00"
    deployed.dynamodb.put_item(
        TableName=TABLE_NAME,
        Item=finding_item(replace(WORST, title=text, reason=text, impact=text, changed_by=text, evidence={text: text})),
    )
    for words in (("list",), ("list", "--format", "csv"), ("list", "--format", "json"), ("show", WORST.id)):
        done = Done(*words)
        assert done.code == 0
        assert all(char.isprintable() or char == "\n" for char in done.out)
    assert "[red]fine[/red]" in Done("list").out


def test_many_findings_are_read_in_batches(deployed: Account) -> None:
    """At most a hundred items a call, and no item twice."""
    for number in range(150):
        one = replace(OPEN, id=f"{number:032x}")
        deployed.dynamodb.put_item(TableName=TABLE_NAME, Item=finding_item(one))
    assert len(listed()) == 153


# ── show ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_finding_is_shown_by_the_start_of_its_id(deployed: Account) -> None:
    """All of it: also what is suppressed or resolved."""
    done = Done("show", OPEN.id[:6])
    assert (done.code, done.err) == (0, "")
    for text in (OPEN.title, OPEN.id, FUNCTION_ARN, OPEN.reason, OPEN.impact, "not known: no event names it"):
        assert text in done.out
    assert Done("show", OPEN.id, "--format", "json").document == json.loads(json.dumps(OPEN.to_document()))
    assert "It was resolved" in Done("show", RESOLVED.id).out
    assert f"until {SUPPRESSION.until}" in Done("show", SUPPRESSED.id).out


@pytest.mark.parametrize("command", [("show",), ("suppress", "--until", SOON, "--reason", "x"), ("unsuppress",)])
def test_an_id_must_name_one_finding(deployed: Account, command: tuple[str, ...]) -> None:
    """Six characters at least, of one that exists."""
    name, *options = command
    ambiguous = Done(name, "a" * 6, *options)
    assert ambiguous.code == 2
    assert ambiguous.err == f"2 findings start with aaaaaa: {RESOLVED.id}, {SUPPRESSED.id}. Give more characters.\n"
    unknown = Done(name, "0" * 8, *options)
    assert (unknown.code, unknown.err.split(":")[0]) == (1, "There is no finding 00000000")
    for bad in (OPEN.id[:5], "g" * 8, "\x1b[2J", OPEN.id + "0"):
        done = Done(name, bad, *options)
        assert (done.code, "\x1b" in done.err) == (2, False)
        assert "ID requires 6 to 32 characters" in done.err


def test_a_finding_that_cannot_be_read_is_not_called_missing(deployed: Account) -> None:
    """The exit code is 3, as for a list."""
    deployed.dynamodb.put_item(TableName=TABLE_NAME, Item=HOSTILE["not JSON"](finding_item(OPEN)))
    done = Done("show", OPEN.id)
    assert done.code == 3
    assert "could not be read as a finding" in done.err


# ── What is requested ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_finding_is_suppressed_and_opened_again(deployed: Account) -> None:
    """The day is the last one of the suppression; the same command again changes nothing."""
    done = Done("suppress", OPEN.id[:8], "--until", SOON, "--reason", "Public on purpose")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"Suppressed until {SOON}T23:59:59+00:00 by {sts.CALLER}: PG201 orders: ")
    recorded = deployed.table.finding(TARGET, OPEN.id)
    assert recorded is not None
    assert (recorded.status, recorded.suppression.reason if recorded.suppression else "") == (
        Status.SUPPRESSED,
        "Public on purpose",
    )
    assert Done("suppress", OPEN.id, "--until", SOON, "--reason", "Public on purpose").out.startswith("Already")
    assert listed("--status", "suppressed") == [OPEN.title, SUPPRESSED.title]
    shown = Done("show", OPEN.id).out
    assert f"By a person, owner {sts.CALLER}" in shown
    assert "Finding Suppressed" in shown
    assert Done("unsuppress", OPEN.id).out.startswith("Open again: PG201 orders")
    assert Done("unsuppress", OPEN.id).out.startswith("Was open already")


@pytest.mark.parametrize(
    ("until", "reason", "code", "message"),
    [
        ("tomorrow", "x", 2, "--until requires a day such as 2026-12-31"),
        ("2026-02-30", "x", 2, "--until requires"),
        ("2026-12-31T18:00", "x", 2, "a time with its zone"),
        ("9999-12-31T23:00-12:00", "x", 2, "--until requires"),
        (SOON, " ", 2, "the `reason` is blank"),
        (SOON, "a\nb", 2, "line break"),
        (SOON, "a" * 501, 2, "no valid `reason`"),
        ("2020-01-01", "x", 1, "must be in the future"),
        ("2126-01-01", "x", 1, "at most 366 days ahead"),
    ],
)
def test_a_suppression_needs_an_end_and_a_reason(
    deployed: Account, until: str, reason: str, code: int, message: str
) -> None:
    """Nothing is sent for what is plainly not valid."""
    done = Done("suppress", OPEN.id, "--until", until, "--reason", reason)
    assert (done.code, message in done.err) == (code, True), done.err
    assert len(listed("--status", "suppressed")) == 1


def test_what_is_resolved_is_refused_with_the_reason(deployed: Account) -> None:
    """As the function says it."""
    done = Done("suppress", RESOLVED.id, "--until", SOON, "--reason", "x")
    assert (done.code, done.err) == (1, "Not done: the finding is resolved: its problem no longer exists\n")


@pytest.mark.parametrize("function", ["orders", FUNCTION_ARN, f"{FUNCTION_ARN}:live"])
def test_a_function_is_checked_again_by_its_name_or_arn(deployed: Account, function: str) -> None:
    """In the account and region of the stack."""
    done = Done("recheck", function)
    assert (done.code, done.err) == (0, "")
    assert "Two checks of orders are requested" in done.out
    for queue in ("invoke", "role"):
        (body,) = deployed.received(queue)
        assert json.loads(body)["detail"]["functions"] == [FUNCTION_ARN]


@pytest.mark.parametrize(
    ("function", "code", "message"),
    [
        ("or ders", 2, "not a Lambda function name"),
        ("arn:aws:iam::123456789012:role/x", 2, "not a Lambda function name"),
        (FUNCTION_ARN.replace("us-east-1", "eu-west-1"), 1, "is not a function of account 123456789012 in us-east-1"),
        (FUNCTION_ARN.replace("123456789012", "999999999999"), 1, "is not a function of account 123456789012"),
    ],
)
def test_only_functions_of_the_stacks_account_and_region_are_checked(
    deployed: Account, function: str, code: int, message: str
) -> None:
    """Another one has a stack of its own."""
    done = Done("recheck", function)
    assert (done.code, message in done.err) == (code, True), done.err
    assert deployed.received("invoke") == []


def test_a_test_message_is_requested(deployed: Account) -> None:
    """It goes to the queue of the alerts."""
    done = Done("test")
    assert (done.code, done.err) == (0, "")
    (body,) = deployed.received("alerts")
    assert json.loads(body)["detail"]["by"] == sts.CALLER


# ── What is wrong ───────────────────────────────────────────────────────────────────────────────────────────────────


COMMANDS = [
    ("list",),
    ("show", OPEN.id),
    ("suppress", OPEN.id, "--until", SOON, "--reason", "x"),
    ("unsuppress", OPEN.id),
    ("recheck", "orders"),
    ("test",),
]


def test_without_a_stack_the_error_says_what_to_name(account: Account, server: sts.Sts) -> None:
    """Its name, or its region."""
    for words in COMMANDS:
        done = Done(*words, "--stack-name", "guard")
        assert (done.code, done.out) == (1, "")
        assert done.err == (
            "there is no stack guard in us-east-1: name it with --stack-name, and its region with --region\n"
        )


def test_a_stack_of_an_older_version_is_reported(account: Account, server: sts.Sts) -> None:
    """It has no function that takes requests; reading works."""
    account.dynamodb.put_item(TableName=TABLE_NAME, Item=finding_item(OPEN))
    deploy(ManageFindingsFunctionArn=None)
    for words in COMMANDS:
        done = Done(*words)
        if words[0] in ("list", "show"):
            assert done.code == 0
        else:
            assert done.code == 1
            assert "has no output ManageFindingsFunctionArn: it is of an older version" in done.err


@pytest.mark.parametrize(
    "arn",
    [
        "https://example.com",
        MANAGE_FINDINGS.replace("123456789012", "999999999999"),
        MANAGE_FINDINGS.replace("us-east-1", "eu-west-1"),
        f"{MANAGE_FINDINGS}:live",
    ],
)
def test_credentials_are_used_only_for_a_function_of_the_stacks_account(
    account: Account, server: sts.Sts, arn: str
) -> None:
    """The signature and the session token would go elsewhere."""
    deploy(ManageFindingsFunctionArn=arn)
    done = Done("recheck", "orders")
    assert done.code == 1
    assert done.err.startswith("Not done: ")
    assert server.requests == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--stack-name", "../x"), "--stack-name requires"),
        (("--region", "mars"), "--region requires a region"),
        (("--rule", "nonsense"), "--rule requires the id or name of a rule"),
        (("--function", ""), "--function requires a name"),
        (("--function", "a", "--role", "b"), "exclude each other"),
        (("--limit", "0"), "--limit"),
        (("--status", "closed"), "--status"),
        (("--severity", "fatal"), "--severity"),
    ],
)
def test_options_that_are_not_valid_are_invalid_usage(account: Account, options: tuple[str, str], message: str) -> None:
    """Before AWS is called."""
    done = Done("list", *options)
    assert (done.code, message in done.err, account.calls) == (2, True, [])


def test_a_profile_that_does_not_exist_is_named(account: Account) -> None:
    """As boto3 says it."""
    done = Done("list", "--profile", "nobody")
    assert (done.code, "nobody" in done.err) == (1, True)


def failing(monkeypatch: pytest.MonkeyPatch, operation: str, code: str, status: int = 400) -> None:
    """Make an operation of AWS fail."""
    call = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]

    def fail(client: Any, name: str, params: Any) -> Any:
        if name == operation:
            response: Any = {
                "Error": {"Code": code, "Message": "AWS says so"},
                "ResponseMetadata": {"HTTPStatusCode": status},
            }
            raise ClientError(response, name)
        return call(client, name, params)

    monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", fail)


@pytest.mark.parametrize(
    ("operation", "code", "message"),
    [
        ("DescribeStacks", "AccessDenied", "AWS denied cloudformation:DescribeStacks on the stack permission-guard"),
        ("Query", "AccessDeniedException", "AWS denied dynamodb:Query on the index by-status"),
        ("BatchGetItem", "AccessDeniedException", "AWS denied dynamodb:BatchGetItem on the table findings"),
        ("DescribeStacks", "Throttling", "run the command again"),
        ("BatchGetItem", "ThrottlingException", "run the command again"),
        ("DescribeStacks", "ExpiredToken", "the AWS credentials have expired"),
        ("DescribeStacks", "InvalidClientTokenId", "AWS does not know the credentials"),
        ("Query", "ResourceNotFoundException", "dynamodb:Query on the index by-status of the table findings failed"),
    ],
)
def test_errors_of_aws_are_plain(
    deployed: Account, monkeypatch: pytest.MonkeyPatch, operation: str, code: str, message: str
) -> None:
    """They name the action, and what to do."""
    failing(monkeypatch, operation, code)
    for words in (("list",), ("show", OPEN.id)):
        done = Done(*words)
        assert (done.code, done.out, message in done.err) == (1, "", True), done.err


def test_without_credentials_the_error_says_how_to_get_some(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """From AWS configure, or a profile."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    done = Done("list")
    assert done.code == 1
    assert "there are no AWS credentials: run `aws configure`" in done.err


def test_a_change_that_nobody_wrote_is_not_invented(deployed: Account) -> None:
    """The command reads the table, and writes nothing itself."""
    before = deployed.findings
    for words in (("list", "--status", "all"), ("show", OPEN.id)):
        Done(*words)
    assert deployed.findings == before
