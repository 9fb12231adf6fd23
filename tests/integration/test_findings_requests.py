"""`permission-guard findings` requests changes of a deployed stack, and its errors are plain."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import botocore.client
import pytest
from botocore.exceptions import ClientError

from permission_guard.aws.tables.finding_items import finding_item
from permission_guard.model.findings import Status
from tests import sts
from tests.fakes import FUNCTION_ARN, TARGET
from tests.integration.requests import MANAGE_FINDINGS, deploy
from tests.stack_tables import TABLE_NAME

if TYPE_CHECKING:
    from tests.integration.conftest import Account

from tests.integration.findings_command import OPEN, RESOLVED, SOON, SUPPRESSED, Done, deploy_with_findings, listed


@pytest.fixture
def deployed(account: Account, server: sts.Sts, monkeypatch: pytest.MonkeyPatch) -> Account:
    """Return an account with a deployed stack that has findings, and whose functions can be invoked."""
    deploy_with_findings(account, monkeypatch)
    return account


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


# ── What is wrong ───────────────────────────────────────────────────────────────────────────────────────────────────


COMMANDS = [
    ("list",),
    ("show", OPEN.id),
    ("suppress", OPEN.id, "--until", SOON, "--reason", "x"),
    ("unsuppress", OPEN.id),
    ("recheck", "orders"),
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
